"""The engine for many machines: PostgreSQL with pgvector (docs/scaling.md)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from qa.store.content import Kept, key_of
from qa.store.postgres.check import faults
from qa.store.postgres.connect import Gate
from qa.store.postgres.schema import MIGRATIONS, Connection, one, version
from qa.store.postgres.snapshot import Loaded, PostgresSnapshot
from qa.store.postgres.writer import BUILDING, PostgresWriter
from qa.store.sqlite import SqliteStore, check_copy, copied
from qa.types import Database, Fault, Manifest, StoreError, Writer

__all__ = ["PostgresStore"]


class PostgresStore:
    """An index in the schema `verbatim` of a database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._gate = Gate(database)
        self._loaded: Loaded | None = None
        self._lock = threading.Lock()

    def built(self) -> bool:
        """Whether there is an index; a first build that runs, or was interrupted, has made none."""
        with self._gate.reading() as connection:
            return self._state(connection) is not None

    @contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:
        """The newest generation, for one thread; StoreError when there is no usable index."""
        with self._gate.reading() as connection:
            yield PostgresSnapshot(connection, self._load(connection))

    @contextmanager
    def writer(self) -> Iterator[PostgresWriter]:
        """One of the writers; StoreError when a build with other articles is running. Leaving without `commit` changes
        nothing that a question sees.
        """
        with self._gate.guarded():
            writer = PostgresWriter(self._gate)
            try:
                yield writer
            finally:
                writer.close()

    def check(self) -> list[Fault]:
        """Everything in which the index is not as builds left it; StoreError when there is none."""
        with self._gate.reading() as connection:
            return list(faults(connection, self._load(connection).manifest.generation))

    def set_aside(self) -> str:
        """Give the schema of a damaged index another name, which is returned; the next build begins anew."""
        with self._gate.guarded(), self._gate.connect() as connection, connection.transaction():
            (alone,) = one(connection, "SELECT pg_try_advisory_xact_lock(%s)", (BUILDING,))
            if not alone:
                raise StoreError(f"A build of {self.database} is running; wait until it ends and try again.")
            (number,) = one(connection, "SELECT count(*) + 1 FROM pg_namespace WHERE nspname LIKE 'verbatim_damaged_%'")
            connection.execute(f"ALTER SCHEMA verbatim RENAME TO verbatim_damaged_{int(number)}")
        return f"the schema verbatim_damaged_{int(number)} of {self.database}"

    def copy_to(self, path: Path) -> None:
        """Write the newest generation into a new file that `adopt` takes, the default engine's too: a way from one to
        the other. Vectors come in half precision, as they are kept here.
        """
        with TemporaryDirectory(dir=path.parent) as folder, self.snapshot() as snapshot:
            with SqliteStore(Path(folder)).writer() as writer:
                carry(map(snapshot.kept, snapshot.sources()), writer)
                writer.commit(snapshot.manifest)
            Path(folder, "index.sqlite").replace(path)

    def adopt(self, path: Path) -> Manifest:
        """Make what `copy_to` wrote the index, whole or not at all; StoreError when it is damaged or not ours."""
        manifest, _ = check_copy(path)
        with copied(path) as theirs, self.writer() as writer:
            digests = {source: theirs.document(source).digest for source in theirs.sources()}
            for source in writer.digests():
                writer.remove(source)
            generation = writer.manifest.generation + 1 if writer.manifest else 1
            mine = replace(manifest, generation=generation)
            for share in writer.shares(digests, mine):
                carry(map(theirs.kept, share), writer)
            writer.commit(mine)
        return mine

    def _load(self, connection: Connection) -> Loaded:
        """The generation this connection sees."""
        state = self._state(connection)
        if state is None:
            raise StoreError(f"There is no index in {self.database}; run `qa index` to build one.")
        with self._lock:
            if self._loaded is None or (self._loaded.manifest, self._loaded.plan) != (state.manifest, state.plan):
                self._loaded = state
            return self._loaded

    def _state(self, connection: Connection) -> Loaded | None:
        if (found := version(connection)) != len(MIGRATIONS):
            if not found:
                return None
            do = "update this program" if found > len(MIGRATIONS) else "run `qa index` to bring its tables up to date"
            raise StoreError(f"The index in {self.database} is of another version; {do}.")
        row = connection.execute(
            "SELECT embedder, dimension, weights, recipe, generation, plan, chunks, words FROM verbatim.state"
        ).fetchone()
        return Loaded(Manifest(*row[:5]), row[5], row[6], row[7], {}, []) if row else None


def carry(documents: Iterable[Kept], writer: Writer) -> None:
    """Put documents from another store, with the vectors that they have there."""
    given: set[bytes] = set()
    for kept in documents:
        writer.put(kept.document, kept.segments, kept.chunks, kept.sketch)
        fresh = {key_of(chunk): row for row, chunk in enumerate(kept.chunks) if key_of(chunk) not in given}
        writer.add_vectors(list(fresh), kept.vectors[list(fresh.values())])
        given |= fresh.keys()
