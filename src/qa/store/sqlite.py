"""The default engine: one SQLite database is the index, FAISS is derived from it (docs/storage.md).

One transaction is one build, so a build that dies leaves the index as it was. Readers take a snapshot of one
generation (WAL) and keep it while a build commits beside them. What is read is checked against the sums that builds
wrote, once a generation.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np

from qa.store import content, dense, unfinished
from qa.store.check import faults, said
from qa.store.snapshot import Loaded, SqliteSnapshot
from qa.store.writer import APPLICATION_ID, FORMAT, SqliteWriter, empty_log, save_dense
from qa.types import Fault, Manifest, StoreError

READ_PATIENCE = 10.0
"""Seconds that a question waits where it may not read: while the log is taken away, or recovered after a build died."""

WRITE_PATIENCE = 0.5
"""Seconds that a build waits for those; another build takes longer, and is told of."""

COPY_PAGES = 4_096
"""Pages (of 4 KiB) that are copied in one step."""

OUTSIDE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
    }
)
"""Results that say nothing of what the file holds."""


class SqliteStore:
    """An index in a folder: `index.sqlite`, `dense.faiss` derived from it, `unfinished.vectors` while it is built."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "index.sqlite"
        self._dense_path = folder / "dense.faiss"
        self._unfinished = folder / "unfinished.vectors"
        self._loaded: Loaded | None = None
        self._dense: dense.DenseIndex | None = None
        """The last one that was made or loaded here."""
        self._sound: dict[str, str] | None = None
        """{source: sum} of the documents that this process has found to be what was written."""
        self._lock = threading.Lock()

    def built(self) -> bool:
        """Whether there is an index, sound or not; a first build that runs, or was interrupted, has made none."""
        if not self._is_there() or self._beside("-journal").exists():
            return False
        with self._reading() as connection:
            return _tables(connection) > 0

    @contextmanager
    def snapshot(self) -> Iterator[SqliteSnapshot]:
        """The newest generation, for one thread; StoreError when there is no usable index."""
        with self._reading() as connection:
            yield SqliteSnapshot(connection, self._load(connection))

    @contextmanager
    def writer(self) -> Iterator[SqliteWriter]:
        """The one writer; StoreError when another build is running. Leaving without `commit` changes nothing."""
        with self._writing() as connection:
            connection.execute("BEGIN IMMEDIATE")
            dense.tidy(self._dense_path)
            try:
                writer = SqliteWriter(connection, self._dense_path, self._unfinished, self._dense)
                yield writer
                self._dense = writer.made
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            self._unfinished.unlink(missing_ok=True)  # Not after an error: the next build goes on from there.

    def check(self) -> list[Fault]:
        """Everything in which the index is not as builds left it; StoreError when there is none, or it is not ours."""
        try:
            with self._reading() as connection:
                self._check_version(connection)
                return list(faults(connection)) or list(self._dense_faults(connection))
        except StoreError as error:
            if error.__cause__ and _is_damage(error.__cause__):  # Not even that much could be read.
                return [Fault(said(error.__cause__))]
            raise

    def set_aside(self) -> str:
        """Move a damaged index into a folder beside; what is sound of its vectors is kept for the next build."""
        with self._guarded(), suppress(sqlite3.DatabaseError), closing(self._connect("rw")) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                manifest, _ = content.read_manifest(connection)
                vectors = content.sound_vectors(connection, manifest.dimension)
                unfinished.begin(self._unfinished, manifest.weights, manifest.dimension, vectors)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise StoreError(_busy(self.folder)) from error
        place = next(path for n in count(1) if not (path := self.folder / f"damaged-{n}").exists())
        try:
            place.mkdir()
            for path in sorted([*self.folder.glob("index.sqlite*"), *self.folder.glob("dense.*")]):
                path.replace(place / path.name)
        except OSError as error:
            raise StoreError(
                f"The index in {self.folder} cannot be moved ({error.strerror}); check that the folder can be written."
            ) from error
        return str(place)

    def copy_to(self, path: Path) -> None:
        """Write the newest generation, checked, into a new file that `adopt` takes."""
        with self._reading() as connection:
            self._load(connection)
            connection.execute("COMMIT")
            connection.execute("VACUUM INTO ?", (str(path),))
        check_copy(path)

    def adopt(self, path: Path) -> Manifest:
        """Make what `copy_to` wrote the index, whole or not at all; StoreError when it is damaged or not ours."""
        manifest, digests = check_copy(path)

        def step(status: int, remaining: int, total: int) -> None:
            if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # Python would try for ever.
                raise StoreError(_busy(self.folder))

        with self._writing() as connection, closing(_open(path, "immutable=1", READ_PATIENCE)) as source:
            source.backup(connection, pages=COPY_PAGES, progress=step, sleep=0)
            empty_log(connection)
            save_dense(self._dense_path, _dense_of(connection, manifest, digests["content"]))
        return manifest

    # --- connections ---

    def _connect(self, mode: str) -> sqlite3.Connection:
        return _open(self._path, f"mode={mode}", READ_PATIENCE if mode == "ro" else WRITE_PATIENCE)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection inside a transaction; StoreError when there is no index, or it cannot be read."""
        if not self._is_there():
            raise self._no_index()
        with self._guarded():
            with closing(self._connect("ro")) as connection:
                connection.execute("BEGIN")
                try:
                    _tables(connection)
                except sqlite3.OperationalError as error:
                    if self._beside("-journal").exists():  # A first build died before there was a log.
                        raise self._no_index() from error
                    if not self._is_read_only(error):
                        raise
                else:
                    yield connection
                    return
            yield from self._reading_still()

    def _is_read_only(self, error: sqlite3.OperationalError) -> bool:
        """Whether a connection failed only because the log's index cannot be made, and there is no log to read.

        It cannot where the folder may not be written, and where the disk is full.
        """
        failed = _code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR)
        return failed and not (self._beside("-wal").exists() and self._beside("-wal").stat().st_size)

    def _is_there(self) -> bool:
        try:
            return self._path.exists()
        except OSError as error:
            raise StoreError(
                f"The index in {self.folder} cannot be used ({error.strerror}); check who may enter that folder."
            ) from error

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    def _reading_still(self) -> Iterator[sqlite3.Connection]:
        """A connection to a file in a folder that we cannot write; StoreError if somebody else writes it meanwhile."""
        before = self._path.stat()
        with closing(_open(self._path, "immutable=1", READ_PATIENCE)) as connection:
            connection.execute("BEGIN")
            yield connection
        after = self._path.stat()
        if (before.st_mtime_ns, before.st_size, before.st_ino) != (after.st_mtime_ns, after.st_size, after.st_ino):
            raise StoreError(f"The index in {self.folder} was built anew meanwhile; ask again.")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A connection that may write, made durable."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The folder {self.folder} cannot be made ({error.strerror}); set QA_STORE to one that can."
            ) from error
        with self._guarded(), closing(self._connect("rwc")) as connection:
            self._check_identity(connection, empty_is_ours=True)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            yield connection

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Map SQLite's errors, once, to a sentence that says what to do."""
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise StoreError(_busy(self.folder)) from error
            if _is_damage(error):
                raise StoreError(
                    f"The index in {self.folder} is damaged ({said(error)}); run `qa doctor --repair`."
                ) from error
            raise StoreError(
                f"The index in {self.folder} cannot be used ({error}); check that the folder can be written, that the "
                f"disk has room, and run `qa doctor`."
            ) from error

    def _no_index(self) -> StoreError:
        return StoreError(f"There is no index in {self.folder}; run `qa index` to build one.")

    def _check_identity(self, connection: sqlite3.Connection, empty_is_ours: bool = False) -> None:
        (mark,) = connection.execute("PRAGMA application_id").fetchone()
        if mark == 0 and _tables(connection) == 0:  # A first build runs, or was interrupted.
            if not empty_is_ours:
                raise self._no_index()
        elif mark != APPLICATION_ID:
            raise StoreError(
                f"{self._path} is not an index of this program; set QA_STORE to another folder and run `qa index`."
            )

    def _check_version(self, connection: sqlite3.Connection) -> None:
        self._check_identity(connection)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != FORMAT:
            raise StoreError(f"The index in {self.folder} is of another version; run `qa index` to build it anew.")

    def _load(self, connection: sqlite3.Connection) -> Loaded:
        """The generation this connection sees, checked when it is a new one."""
        self._check_version(connection)
        manifest, digests = content.read_manifest(connection)
        with self._lock:
            if self._loaded is None or self._loaded.dense.stamp != digests["content"]:
                self._loaded = Loaded(manifest, self._checked(connection, manifest, digests), {}, [])
            return replace(self._loaded, manifest=manifest)

    def _checked(self, connection: sqlite3.Connection, manifest: Manifest, digests: dict[str, str]) -> dense.DenseIndex:
        self._sound = content.check_texts(connection, manifest, digests, self._sound)
        made, stamp = self._dense, digests["content"]
        if made is None or made.stamp != stamp:  # Another process built it: what this one did, it knows.
            content.check_lexical(connection, digests)
            keys, kinds = content.keys_and_kinds(connection)
            found = dense.load(self._dense_path, stamp, keys, kinds)
            made = found or _dense_of(connection, manifest, stamp)
        self._dense = made
        return made

    def _dense_faults(self, connection: sqlite3.Connection) -> Iterator[Fault]:
        _, digests = content.read_manifest(connection)
        keys, kinds = content.keys_and_kinds(connection)
        if dense.load(self._dense_path, digests["content"], keys, kinds) is None:
            yield Fault(f"{self._dense_path.name} is missing or is not what was written", derived=True)


def _open(path: Path, how: str, patience: float) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?{how}"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=patience, check_same_thread=False)


def _code(error: BaseException) -> int:
    """SQLite's primary result code; 0 for an error that is not SQLite's."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _is_damage(error: BaseException) -> bool:
    """Whether an error is about what the file holds, not about whether it can be opened, locked, read or written."""
    return _code(error) not in OUTSIDE


def _busy(folder: Path) -> str:
    return f"Another build of {folder} is running; wait until it ends and run `qa index` again."


def check_copy(path: Path) -> tuple[Manifest, dict[str, str]]:
    """What a file that `copy_to` wrote was built with; StoreError when it is damaged or not ours."""
    try:
        with closing(_open(path, "immutable=1", READ_PATIENCE)) as connection:
            (mark,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if (mark, version) != (APPLICATION_ID, FORMAT):
                raise StoreError("It holds no index of this version; export it again with this version.")
            if found := list(faults(connection)):
                raise StoreError(f"The index in it is damaged ({found[0].says}); export it again.")
            return content.read_manifest(connection)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise StoreError(f"The index in it is damaged ({error}); export it again.") from error


@contextmanager
def copied(path: Path) -> Iterator[SqliteSnapshot]:
    """What a file holds that `check_copy` has passed; there is no dense index over it."""
    with closing(_open(path, "immutable=1", READ_PATIENCE)) as connection:
        manifest, digests = content.read_manifest(connection)
        nothing = dense.build(digests["content"], [], [], np.empty((0, manifest.dimension), np.float32))
        yield SqliteSnapshot(connection, Loaded(manifest, nothing, {}, []))


def _dense_of(connection: sqlite3.Connection, manifest: Manifest, stamp: str) -> dense.DenseIndex:
    return dense.build(stamp, *content.keys_and_kinds(connection), content.vectors(connection, manifest.dimension))


def _tables(connection: sqlite3.Connection) -> int:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return int(tables)
