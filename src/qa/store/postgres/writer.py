"""One build of an index in PostgreSQL, alone or together with others.

Machines that build the same index from the same articles share the work: each claims some documents
(`FOR UPDATE SKIP LOCKED`), reads and embeds them, and keeps them in the transaction of its claim; when a machine dies
its claim goes with its connection, and another takes the documents. What is kept so is of a generation that no question
sees yet. Whoever finds that nothing is left makes it the newest, in one transaction.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from psycopg.pq import TransactionStatus

from qa.store import content
from qa.store.postgres import words
from qa.store.postgres.connect import LOST, Gate, retried
from qa.store.postgres.schema import Connection, index_vectors, migrate, one
from qa.store.postgres.snapshot import literal
from qa.types import Chunk, Document, Embedder, Manifest, Segment, Span, StoreError, Vectors

SHARE = 16
"""Documents that are claimed at once: some seconds of embedding, which is what a machine that dies loses."""

POLL = 0.2
"""Seconds between looks at what other machines still have to do."""

JOINING, BUILDING = 0x56455242_1, 0x56455242_2
"""Advisory locks: who joins or ends a build, and who is at it (shared)."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Staged:
    """A document that was read and is not in the database yet."""

    document: Document
    segments: Sequence[Segment]
    chunks: Sequence[Chunk]
    sketch: bytes


class PostgresWriter:
    """One build; every transaction is run again when the connection is lost."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._connection: Connection | None = None
        self._joined = False
        self._plan = ""
        self._todo: dict[str, str] = {}
        self._gone: set[str] = set()
        self._staged: list[Staged] = []
        self._vectors: dict[bytes, str] = {}
        self._mending = False
        self.manifest = self._begun()

    def _begun(self) -> Manifest | None:
        connection = self._connected()  # Once: what never worked is told at once.
        migrate(connection)
        row = connection.execute("SELECT embedder, dimension, weights, recipe, generation FROM verbatim.state")
        found = row.fetchone()
        return Manifest(*found) if found else None

    def close(self) -> None:
        """Leave the build; what was kept of it waits for the next one."""
        if self._connection is not None:
            self._connection.close()

    # --- what changes ---

    def digests(self) -> dict[str, str]:
        """{source: digest} of the documents that are indexed."""
        return dict(self._in_one(lambda connection: self._live(connection, "source, digest")))

    def sketches(self) -> list[tuple[str, bytes]]:
        """(source, sketch) of all documents, by source."""
        return self._in_one(lambda connection: self._live(connection, "source, sketch"))

    def count(self) -> int:
        """How many chunks there are."""
        return sum(count for (count,) in self._in_one(lambda connection: self._live(connection, "body + comments")))

    def clear(self) -> None:
        """Nothing is forgotten before the commit; until then questions are answered from what there is."""

    def remove(self, source: str) -> None:
        """Forget one document, with the commit."""
        self._gone.add(source)

    def put(self, document: Document, segments: Sequence[Segment], chunks: Sequence[Chunk], sketch: bytes) -> None:
        """Add one document of this machine's share."""
        self._staged.append(Staged(document, segments, chunks, sketch))

    def missing(self, embedder: Embedder) -> list[tuple[bytes, str]]:
        """(key, text) of every text of the share that no chunk in the database has a vector of."""
        if self._mending:
            return self._in_one(self._texts_to_mend)
        texts = {content.key_of(chunk): chunk.context for staged in self._staged for chunk in staged.chunks}
        same = self.manifest is not None and self.manifest.weights == embedder.weights
        oldest = 0 if same else self._born
        rows = self._in_one(
            lambda connection: connection.execute(
                "SELECT vector, embedding::text FROM verbatim.chunk WHERE vector = ANY(%s) AND born >= %s",
                (list(texts), oldest),
            ).fetchall()
        )
        self._vectors |= dict(rows)
        return [(key, text) for key, text in texts.items() if key not in self._vectors]

    def add_vectors(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Store the vectors of texts that `missing` named."""
        self._vectors |= {key: literal(vector) for key, vector in zip(keys, vectors, strict=True)}

    @property
    def _born(self) -> int:
        return self.manifest.generation + 1 if self.manifest else 1

    # --- sharing the work ---

    def shares(self, todo: Mapping[str, str], manifest: Manifest) -> Iterator[Sequence[str]]:
        """Sources that nobody else reads; none is left when everything is kept, whoever read it."""
        self._todo = dict(todo)
        self._plan = _fingerprint(todo, self._gone, manifest)
        self._in_one(lambda connection: self._join(connection, manifest))
        while True:
            if share := retried(self._claim):
                yield share
                retried(partial(self._keep, share))
                self._staged.clear()
                self._vectors.clear()
            elif self._in_one(_left):
                time.sleep(POLL)
            else:
                return

    def _join(self, connection: Connection, manifest: Manifest) -> None:
        """Begin this build, go on with it, or take part in it; StoreError when another one is running."""
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (JOINING,))
        self._check_newest(connection)
        row = connection.execute("SELECT plan, weights, recipe FROM verbatim.build").fetchone()
        if row is None or row[0] != self._plan:
            (alone,) = one(connection, "SELECT pg_try_advisory_xact_lock(%s)", (BUILDING,))
            if not alone:
                raise self._busy()
            index_vectors(connection, manifest.dimension)
            self._plan_work(connection, manifest, fresh=row is None or row[1:] != (manifest.weights, manifest.recipe))
        if not self._joined:
            connection.execute("SELECT pg_advisory_lock_shared(%s)", (BUILDING,))
            self._joined = True

    def _plan_work(self, connection: Connection, manifest: Manifest, fresh: bool) -> None:
        """Write down what is to be done; documents that an interrupted build has kept are done, if they still fit."""
        connection.execute("DELETE FROM verbatim.work")
        connection.execute("DELETE FROM verbatim.build")
        connection.execute(
            "INSERT INTO verbatim.build (plan, weights, recipe, born) VALUES (%s, %s, %s, %s)",
            (self._plan, manifest.weights, manifest.recipe, self._born),
        )
        _copy(connection, "work (source, digest)", self._todo.items())
        connection.execute(
            "DELETE FROM verbatim.document WHERE born = %s AND (%s OR NOT EXISTS (SELECT 1 FROM verbatim.work "
            "WHERE work.source = document.source AND work.digest = document.digest))",
            (self._born, fresh),
        )
        connection.execute(
            "UPDATE verbatim.work SET done = true FROM verbatim.document "
            "WHERE work.source = document.source AND document.born = %s",
            (self._born,),
        )

    def _claim(self) -> list[str]:
        """Some documents that nobody else works at, in a transaction that stays open until they are kept."""
        connection = self._connected()
        connection.execute("BEGIN")
        self._check_plan(connection)
        rows = connection.execute(
            "SELECT source FROM verbatim.work WHERE NOT done ORDER BY source LIMIT %s FOR UPDATE SKIP LOCKED", (SHARE,)
        ).fetchall()
        if not rows:
            connection.execute("COMMIT")
        return [source for (source,) in rows]

    def _keep(self, share: Sequence[str]) -> None:
        """Write the share into the database and end the claim; what others kept after a lost claim is left alone."""
        connection = self._connected(claimed=True)
        self._check_plan(connection)
        rows = connection.execute(
            "SELECT source FROM verbatim.work WHERE source = ANY(%s) AND NOT done FOR UPDATE", (list(share),)
        ).fetchall()
        mine = {source for (source,) in rows}
        self._write(connection, [staged for staged in self._staged if staged.document.source in mine])
        connection.execute("UPDATE verbatim.work SET done = true WHERE source = ANY(%s)", (list(mine),))
        connection.execute("COMMIT")

    def _check_plan(self, connection: Connection) -> None:
        """StoreError when another build has taken this one's place, while its connection was lost."""
        row = connection.execute("SELECT plan FROM verbatim.build").fetchone()
        if row and row[0] != self._plan:  # Without a row everything is done, by others.
            raise self._busy()

    def _write(self, connection: Connection, many: Sequence[Staged]) -> None:
        born = self._born
        rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES}
        for staged in many:
            for table, found in _rows(staged, born, self._vectors):
                rows[table] += found
        for table, columns in TABLES.items():
            _copy(connection, f"{table} ({columns})", rows[table])

    # --- the end ---

    def commit(self, manifest: Manifest) -> None:
        """Make this build the index, whole; whoever of several machines comes first."""
        self._in_one(lambda connection: self._switch(connection, manifest))
        self._analyze()

    def _switch(self, connection: Connection, manifest: Manifest) -> None:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (JOINING,))
        row = connection.execute("SELECT generation, plan FROM verbatim.state").fetchone()
        if row == (manifest.generation, self._plan):
            return  # Another machine was first, or this one was, and lost its connection before it was told.
        self._check_newest(connection)
        if self._mending:
            self._mend(connection)
        connection.execute(
            "DELETE FROM verbatim.document WHERE born < %(born)s AND source = ANY(%(gone)s) OR born >= %(born)s "
            "AND NOT EXISTS (SELECT 1 FROM verbatim.work WHERE work.source = document.source)",
            {"born": self._born, "gone": list(self._gone)},
        )
        connection.execute("DELETE FROM verbatim.state")
        connection.execute(
            "INSERT INTO verbatim.state (embedder, dimension, weights, recipe, generation, plan, chunks, words) "
            "SELECT %s, %s, %s, %s, %s, %s, coalesce(sum(body + comments), 0), coalesce(sum(words), 0) "
            "FROM verbatim.document",
            (
                manifest.embedder,
                manifest.dimension,
                manifest.weights,
                manifest.recipe,
                manifest.generation,
                self._plan,
            ),
        )
        connection.execute("DELETE FROM verbatim.work")
        connection.execute("DELETE FROM verbatim.build")

    def _check_newest(self, connection: Connection) -> None:
        row = connection.execute("SELECT generation FROM verbatim.state").fetchone()
        if (row[0] if row else 0) != self._born - 1:
            raise StoreError(
                f"Another build of {self._gate.database} with other articles ended meanwhile; run `qa index` again."
            )

    def _busy(self) -> StoreError:
        return StoreError(
            f"Another build of {self._gate.database} with other articles is running; wait until it ends and run "
            f"`qa index` again."
        )

    def _analyze(self) -> None:
        """Tell the planner how much there is now; the server only warns a role that may not."""
        with suppress(*LOST):
            self._connected().execute("ANALYZE verbatim.document, verbatim.chunk, verbatim.posting, verbatim.segment")

    # --- mending ---

    def forget_derived(self) -> None:
        """Have every document's words counted again, and vectors made again that are not of length one."""
        self._mending = True

    def _texts_to_mend(self, connection: Connection) -> list[tuple[bytes, str]]:
        rows = connection.execute(
            "SELECT vector, source, number, kind, first, last, chunk.text, title, date "
            "FROM verbatim.chunk JOIN verbatim.document USING (id) "
            "WHERE abs(l2_norm(embedding) - 1) > %s ORDER BY source, number",
            (UNIT,),
        ).fetchall()
        return [(key, chunk_of(row).context) for key, *row in rows]

    def _mend(self, connection: Connection) -> None:
        (alone,) = one(connection, "SELECT pg_try_advisory_xact_lock(%s)", (BUILDING,))
        if not alone:
            raise self._busy()
        connection.execute(
            "DELETE FROM verbatim.work"
        )  # What an interrupted build has kept is not for this generation.
        for key, vector in self._vectors.items():
            connection.execute(
                "UPDATE verbatim.chunk SET embedding = %s::halfvec "
                "WHERE vector = %s AND abs(l2_norm(embedding) - 1) > %s",
                (vector, key, UNIT),
            )
        connection.execute("DELETE FROM verbatim.posting")
        documents = connection.execute("SELECT id, born FROM verbatim.document ORDER BY source").fetchall()
        for identity, born in documents:
            rows = connection.execute(
                "SELECT source, number, kind, first, last, chunk.text, title, date "
                "FROM verbatim.chunk JOIN verbatim.document USING (id) WHERE id = %s ORDER BY number",
                (identity,),
            ).fetchall()
            _copy(
                connection, f"posting ({TABLES['posting']})", postings(identity, born, [chunk_of(row) for row in rows])
            )

    # --- connections ---

    def _live(self, connection: Connection, columns: str) -> list[Any]:
        query = f"SELECT {columns} FROM verbatim.document WHERE born < %s ORDER BY source"  # noqa: S608 - our names
        born = self._born + 1 if self._is_newest(connection) else self._born
        return connection.execute(query, (born,)).fetchall()

    def _is_newest(self, connection: Connection) -> bool:
        """Whether the build is committed."""
        row = connection.execute("SELECT generation FROM verbatim.state").fetchone()
        return bool(row and row[0] == self._born)

    def _in_one(self, act: Callable[[Connection], Result]) -> Result:
        """What `act` returns from one transaction, or from a part of the one that is open."""

        def attempt() -> Result:
            connection = self._connected(claimed=None)
            with connection.transaction():
                return act(connection)

        return retried(attempt)

    def _connected(self, claimed: bool | None = False) -> Connection:
        """The connection, a new one after the last was lost; `claimed`: inside a transaction (None: either way)."""
        if self._connection is None or self._connection.closed:
            self._connection = self._gate.connect()
            if self._joined:
                self._connection.execute("SELECT pg_advisory_lock_shared(%s)", (BUILDING,))
        status = self._connection.info.transaction_status
        if status == TransactionStatus.INERROR or (status == TransactionStatus.INTRANS and claimed is False):
            self._connection.execute("ROLLBACK")
        if claimed and self._connection.info.transaction_status == TransactionStatus.IDLE:
            self._connection.execute("BEGIN")
        return self._connection


UNIT = 1e-2
"""How far from one a vector's length may be; half precision leaves 1e-4."""

TABLES = {
    "document": "id, source, born, digest, title, date, url, author, text, pages, sketch, sum, body, comments, words",
    "segment": "id, number, kind, first, last",
    "chunk": "id, number, born, kind, first, last, text, vector, embedding",
    "posting": "word, id, number, born, kind, times, length",
    "name": "initials, name, id, born",
}


def postings(identity: UUID, born: int, chunks: Sequence[Chunk]) -> list[tuple[Any, ...]]:
    """The rows of `posting` for the chunks of one document."""
    return [
        (word, identity, chunk.number, born, chunk.kind, times, found.total())
        for chunk, found in zip(chunks, words.counted([(c.title, c.text) for c in chunks]), strict=True)
        for word, times in sorted(found.items())
    ]


def _rows(staged: Staged, born: int, vectors: Mapping[bytes, str]) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """The rows of one document, by table."""
    document, chunks = staged.document, staged.chunks
    identity = UUID(bytes=hashlib.sha256(f"{document.source}\0{born}".encode()).digest()[:16])
    about = (document.source, document.digest, document.title, document.date, document.url, document.author)
    told = (document.text, json.dumps(document.pages), staged.sketch)
    segments = [(n, part.kind, part.span.start, part.span.end) for n, part in enumerate(staged.segments)]
    places = [(c.number, c.kind, c.span.start, c.span.end, c.text, content.key_of(c)) for c in chunks]
    names = content.names_in(chunks)
    words_of = postings(identity, born, chunks)
    lengths = {row[2]: row[6] for row in words_of}
    whole = content.sum_of_rows(
        [[(*about, *told)], *([(document.source, *row) for row in rows] for rows in (segments, places, sorted(names)))]
    )
    comments = sum(chunk.kind == "comment" for chunk in chunks)
    counts = (len(chunks) - comments, comments, sum(lengths.values()))
    yield "document", [(identity, about[0], born, *about[1:], *told, whole, *counts)]
    yield "segment", [(identity, *row) for row in segments]
    yield "chunk", [(identity, row[0], born, *row[1:], vectors[row[-1]]) for row in places]
    yield "posting", words_of
    yield "name", [(*row, identity, born) for row in names]


def chunk_of(row: Sequence[Any]) -> Chunk:
    """A chunk from (source, number, kind, first, last, text, title, date)."""
    source, number, kind, first, last, text, title, date = row
    return Chunk(source, number, Span(first, last), text, kind, title, date)


def _copy(connection: Connection, where: str, rows: Iterable[Sequence[Any]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY verbatim.{where} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _left(connection: Connection) -> bool:
    (left,) = one(connection, "SELECT EXISTS (SELECT 1 FROM verbatim.work WHERE NOT done)")
    return bool(left)


def _fingerprint(todo: Mapping[str, str], gone: Iterable[str], manifest: Manifest) -> str:
    """Names a build: what it reads and forgets, and how."""
    how = (manifest.weights, manifest.recipe, manifest.generation)
    return hashlib.sha256(repr((sorted(todo.items()), sorted(gone), how)).encode()).hexdigest()
