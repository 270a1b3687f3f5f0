"""The default engine: one SQLite database is the index, FAISS is derived from it (docs/storage.md).

One transaction is one build, so a build that dies leaves the index as it was. Readers take a snapshot of one
generation (WAL) and keep it while a build commits beside them. What is read is checked against the sums that builds
wrote, once a generation.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from textwrap import shorten

from qa.copies import alike
from qa.names import fold, initials, names, tails
from qa.store import content, dense, unfinished
from qa.store.check import faults
from qa.types import (
    Chunk,
    ChunkKey,
    Document,
    Embedder,
    Entry,
    Fault,
    Kind,
    Manifest,
    Segment,
    Span,
    StoreError,
    Vectors,
)

log = logging.getLogger(__name__)

FORMAT = 4
"""Grows with every change of the schema; an older index is then built anew."""

APPLICATION_ID = 0x56455242
"""Marks the database as ours ("VERB")."""

SCHEMA = """
CREATE TABLE manifest (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE document (source TEXT PRIMARY KEY, digest TEXT NOT NULL, title TEXT NOT NULL, date TEXT NOT NULL,
                       url TEXT NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL,
                       pages TEXT NOT NULL, sketch BLOB NOT NULL, sum TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE segment  (source TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, first INTEGER NOT NULL,
                       last INTEGER NOT NULL, PRIMARY KEY (source, number)) WITHOUT ROWID;
CREATE TABLE chunk    (id INTEGER PRIMARY KEY, source TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL,
                       first INTEGER NOT NULL, last INTEGER NOT NULL, text TEXT NOT NULL, vector BLOB NOT NULL,
                       UNIQUE (source, number));
CREATE INDEX chunk_vector ON chunk (vector);
CREATE TABLE vector   (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, sum BLOB NOT NULL);
CREATE TABLE name     (source TEXT NOT NULL, initials TEXT NOT NULL, name TEXT NOT NULL,
                       PRIMARY KEY (initials, name, source)) WITHOUT ROWID;
CREATE INDEX name_source ON name (source);
"""
LEXICAL = (
    "CREATE VIRTUAL TABLE lexical USING fts5 (title, text, content='', tokenize='porter unicode61 remove_diacritics 2')"
)
TABLES = ("manifest", "document", "segment", "chunk", "vector", "name", "lexical")

TITLE_WEIGHT = 1.0
"""BM25 weight of a title's words against 1 for the text's."""

READ_PATIENCE = 10.0
"""Seconds that a question waits where it may not read: while the log is taken away, or recovered after a build died."""

WRITE_PATIENCE = 0.5
"""Seconds that a build waits for those; another build takes longer, and is told of."""

LOG_PATIENCE = 1_000
"""Milliseconds that a build, once committed, waits for questions that still read the generation before."""

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

QUESTION_WORDS = frozenset(
    "a an and are as at be been by can could did do does for from had has have he her his how i in is it its of on "
    "or she that the their them they this to was we were what when where which who whom whose why will with would "
    "you".split()
)
"""Left out of a lexical query unless nothing else is in it: they match everything and cost time."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What one generation keeps in memory."""

    manifest: Manifest
    dense: dense.DenseIndex
    vocabulary: dict[str, str]
    """Filled when it is first asked for; see SqliteSnapshot.vocabulary."""
    entries: list[Entry]
    """Filled when they are first asked for; see SqliteSnapshot.entries."""


class SqliteStore:
    """An index in a folder: `index.sqlite`, `dense.faiss` derived from it, `unfinished.vectors` while it is built."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "index.sqlite"
        self._dense_path = folder / "dense.faiss"
        self._unfinished = folder / "unfinished.vectors"
        self._loaded: _Loaded | None = None
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
                yield SqliteWriter(connection, self._dense_path, self._unfinished)
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
                return [Fault(_said(error.__cause__))]
            raise

    def set_aside(self) -> Path:
        """Move a damaged index away, into a folder beside; what is sound of its vectors is kept for the next build."""
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
        return place

    def copy_to(self, path: Path) -> None:
        """Write the newest generation, checked, into a new file that `adopt` takes."""
        with self._reading() as connection:
            self._load(connection)
            connection.execute("COMMIT")
            connection.execute("VACUUM INTO ?", (str(path),))
        _check_copy(path)

    def adopt(self, path: Path) -> None:
        """Make what `copy_to` wrote the index, whole or not at all; StoreError when it is damaged or not ours."""
        manifest, digests = _check_copy(path)

        def step(status: int, remaining: int, total: int) -> None:
            if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # Python would try for ever.
                raise StoreError(_busy(self.folder))

        with self._writing() as connection, closing(_open(path, "immutable=1", READ_PATIENCE)) as source:
            source.backup(connection, pages=COPY_PAGES, progress=step, sleep=0)
            _empty_log(connection)
            _save_dense(self._dense_path, _dense_of(connection, manifest, digests["content"]))

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
                    f"The index in {self.folder} is damaged ({_said(error)}); run `qa doctor --repair`."
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

    def _load(self, connection: sqlite3.Connection) -> _Loaded:
        """The generation this connection sees, checked when it is a new one."""
        self._check_version(connection)
        manifest, digests = content.read_manifest(connection)
        with self._lock:
            if self._loaded is None or self._loaded.dense.stamp != digests["content"]:
                self._loaded = _Loaded(manifest, self._checked(connection, manifest, digests), {}, [])
            return replace(self._loaded, manifest=manifest)

    def _checked(self, connection: sqlite3.Connection, manifest: Manifest, digests: dict[str, str]) -> dense.DenseIndex:
        content.check_texts(connection, manifest, digests)
        content.check_lexical(connection, digests)
        keys, kinds = content.keys_and_kinds(connection)
        found = dense.load(self._dense_path, digests["content"], keys, kinds)
        return found or _dense_of(connection, manifest, digests["content"])

    def _dense_faults(self, connection: sqlite3.Connection) -> Iterator[Fault]:
        _, digests = content.read_manifest(connection)
        keys, kinds = content.keys_and_kinds(connection)
        if dense.load(self._dense_path, digests["content"], keys, kinds) is None:
            yield Fault(f"{self._dense_path.name} is missing or is not what was written", derived=True)


class SqliteSnapshot:
    """One generation, read inside one transaction."""

    def __init__(self, connection: sqlite3.Connection, loaded: _Loaded) -> None:
        self.manifest = loaded.manifest
        self._connection = connection
        self._dense = loaded.dense
        self._vocabulary = loaded.vocabulary
        self._entries = loaded.entries
        self.size = len(loaded.dense.keys)

    def sources(self) -> list[str]:
        """All documents, sorted."""
        return [source for (source,) in self._connection.execute("SELECT source FROM document ORDER BY source")]

    def document(self, source: str) -> Document:
        """The document with its exact text."""
        source = source.encode("utf-8", "replace").decode()  # What no file can be called is no document either.
        row = self._connection.execute(
            "SELECT source, text, title, date, url, author, digest, pages FROM document WHERE source = ?", (source,)
        ).fetchone()
        if row is None:
            raise StoreError(f"No document '{source}' is in the index; check its name, or run `qa index` to add it.")
        *about, pages = row
        return replace(Document(*about), pages=tuple(json.loads(pages)))

    def segments(self, source: str) -> tuple[Segment, ...]:
        """The labelled parts of a document, in order."""
        rows = self._connection.execute(
            "SELECT first, last, kind FROM segment WHERE source = ? ORDER BY number", (source,)
        )
        return tuple(Segment(Span(first, last), kind) for first, last, kind in rows)

    def entries(self) -> Sequence[Entry]:
        """The catalogue, by source. It is gathered once a generation, on the first use."""
        if not self._entries:
            rows = self._connection.execute(
                """SELECT source, title, date, url, author, digest, count(*) FILTER (WHERE kind = 'body'),
                          count(*) FILTER (WHERE kind = 'comment')
                   FROM document LEFT JOIN chunk USING (source) GROUP BY source ORDER BY source"""
            )
            groups = alike(_sketches(self._connection))
            others = {one: tuple(x for x in group if x != one) for group in groups for one in group}
            # Whole, as two threads may gather them at once.
            self._entries[:] = [replace(Entry(*row), copies=others.get(row[0], ())) for row in rows]
        return self._entries

    def dense(
        self, vector: Vectors, kinds: Sequence[Kind], k: int, sources: Collection[str] | None = None
    ) -> list[tuple[ChunkKey, float]]:
        """The `k` nearest chunks of `sources` (None: of all) by cosine, best first."""
        return self._dense.search(vector, kinds, k, sources) if self._dense.keys else []

    def lexical(
        self, question: str, kinds: Sequence[Kind], k: int, sources: Collection[str] | None = None
    ) -> list[tuple[ChunkKey, float]]:
        """The `k` best chunks of `sources` (None: of all) by BM25, best first. (Robertson and Zaragoza 2009)

        How rare a word is counts in the whole index, so a chunk's score does not depend on `sources`.
        """
        query = lexical_query(question)
        if not query:
            return []
        marks = ", ".join("?" * len(kinds))
        rows = self._connection.execute(
            f"""SELECT source, number, -bm25(lexical, ?, 1.0) AS score FROM lexical
                JOIN chunk ON chunk.id = lexical.rowid WHERE lexical MATCH ? AND kind IN ({marks})
                AND (? OR source IN (SELECT value FROM json_each(?)))
                ORDER BY score DESC, source, number LIMIT ?""",  # noqa: S608 - `marks` are question marks
            (TITLE_WEIGHT, query, *kinds, sources is None, json.dumps(list(sources or ())), k),
        )
        return [((source, number), score) for source, number, score in rows]

    def chunks(self, keys: Sequence[ChunkKey]) -> list[Chunk]:
        """The chunks of these names, in the order asked for."""
        return [self._chunk(key) for key in keys]

    def occurrences(self, word: str) -> int:
        """How many chunks have the word, in any of its grammatical forms; porter's stemmer tells which those are."""
        if not re.fullmatch(r"\w+", word):
            return 0
        (count,) = self._connection.execute(
            "SELECT count(*) FROM lexical WHERE lexical MATCH ?", (f'"{word}"',)
        ).fetchone()
        return int(count)

    def vocabulary(self) -> dict[str, str]:
        """{folded: as written} for every word of the chunks. It is gathered once a generation, on the first use."""
        if not self._vocabulary:
            rows = self._connection.execute("SELECT text FROM chunk ORDER BY source, number")
            found: dict[str, str] = {}
            for (text,) in rows:
                for word in re.findall(r"\w+", text):
                    found.setdefault(fold(word), word)
            self._vocabulary.update(found)
        return self._vocabulary

    def names(self, initials: str) -> list[tuple[str, int]]:
        """(name, documents that have it) of the names with these initials, the most frequent first."""
        rows = self._connection.execute(
            "SELECT name, count(*) AS documents FROM name WHERE initials = ? GROUP BY name "
            "ORDER BY documents DESC, name",
            (initials,),
        )
        return rows.fetchall()

    def _chunk(self, key: ChunkKey) -> Chunk:
        first, last, text, kind, title, date = self._connection.execute(
            "SELECT first, last, chunk.text, kind, title, date FROM chunk JOIN document USING (source) "
            "WHERE source = ? AND number = ?",
            key,
        ).fetchone()
        return Chunk(*key, Span(first, last), text, kind, title, date)


class SqliteWriter:
    """One build, inside one transaction."""

    def __init__(self, connection: sqlite3.Connection, dense_path: Path, unfinished_path: Path) -> None:
        self._connection = connection
        self._dense_path = dense_path
        self._unfinished = unfinished_path
        self._removed = False
        self._trusted = False
        """Whether the full-text index is known to be what was written; its new digest must not be over old damage."""
        self.manifest = self._manifest_or_clear()

    def _manifest_or_clear(self) -> Manifest | None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version != FORMAT:
            self.clear()
            return None
        return content.read_manifest(self._connection)[0]

    def _trust(self) -> None:
        if not self._trusted:
            content.check_lexical(self._connection, content.read_manifest(self._connection)[1])
            self._trusted = True

    def clear(self) -> None:
        """Forget everything, as in a new index."""
        for table in TABLES:
            self._connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in (*filter(str.strip, SCHEMA.split(";\n")), LEXICAL):
            self._connection.execute(statement)
        self._trusted = True

    def digests(self) -> dict[str, str]:
        """{source: digest} of the documents that are indexed."""
        return dict(self._connection.execute("SELECT source, digest FROM document ORDER BY source"))

    def remove(self, source: str) -> None:
        """Forget one document."""
        self._trust()
        self._removed = True
        # A table without content must be told what it is to forget.
        self._connection.execute(
            "INSERT INTO lexical (lexical, rowid, title, text) SELECT 'delete', chunk.id, title, chunk.text "
            "FROM chunk JOIN document USING (source) WHERE source = ?",
            (source,),
        )
        for table in ("chunk", "segment", "name", "document"):
            self._connection.execute(f"DELETE FROM {table} WHERE source = ?", (source,))  # noqa: S608 - our names

    def put(self, document: Document, segments: Sequence[Segment], chunks: Sequence[Chunk], sketch: bytes) -> None:
        """Add one document, which must not be there."""
        self._trust()
        self._connection.execute(
            f"INSERT INTO document ({content.DOCUMENT}, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '')",  # noqa: S608 - our names
            (
                document.source,
                document.digest,
                document.title,
                document.date,
                document.url,
                document.author,
                document.text,
                json.dumps(document.pages),
                sketch,
            ),
        )
        self._connection.executemany(
            "INSERT INTO segment VALUES (?, ?, ?, ?, ?)",
            [(document.source, n, part.kind, part.span.start, part.span.end) for n, part in enumerate(segments)],
        )
        for chunk in chunks:
            key = hashlib.sha256(chunk.context.encode()).digest()
            cursor = self._connection.execute(
                "INSERT INTO chunk (source, number, kind, first, last, text, vector) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (chunk.source, chunk.number, chunk.kind, chunk.span.start, chunk.span.end, chunk.text, key),
            )
            self._connection.execute(
                "INSERT INTO lexical (rowid, title, text) VALUES (?, ?, ?)",
                (cursor.lastrowid, document.title, chunk.text),
            )
        found = {tail for chunk in chunks for name in names(chunk.text) for tail in tails(name)}
        self._connection.executemany(
            "INSERT INTO name (source, initials, name) VALUES (?, ?, ?)",
            [(document.source, initials(name), name) for name in sorted(found)],
        )
        self._connection.execute(
            "UPDATE document SET sum = ? WHERE source = ?",
            (content.sum_of(self._connection, document.source), document.source),
        )

    def missing(self, embedder: Embedder) -> list[tuple[bytes, str]]:
        """(key, text) of every text that still needs a vector, by source and number, no text twice.

        What an interrupted build with the same weights has embedded needs none.
        """
        kept = [
            row
            for row in unfinished.read(self._unfinished, embedder.weights, embedder.dimension)
            if self._wants(row[0])
        ]
        self._insert(kept)
        rows = self._connection.execute(
            "SELECT source, number, kind, first, last, chunk.text, title, date, chunk.vector "
            "FROM chunk JOIN document USING (source) "
            "WHERE NOT EXISTS (SELECT 1 FROM vector WHERE key = chunk.vector) ORDER BY source, number"
        )
        found: dict[bytes, str] = {}
        for source, number, kind, first, last, text, title, date, key in rows:
            found[key] = Chunk(source, number, Span(first, last), text, kind, title, date).context
        if found:
            unfinished.begin(self._unfinished, embedder.weights, embedder.dimension, kept)
        return list(found.items())

    def add_vectors(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Store the vectors of texts that `missing` named."""
        rows = [(key, vector.tobytes()) for key, vector in zip(keys, vectors, strict=True)]
        self._insert(rows)
        unfinished.append(self._unfinished, rows)

    def _wants(self, key: bytes) -> bool:
        """Whether some chunk has this key and no vector."""
        (wanted,) = self._connection.execute(
            "SELECT EXISTS (SELECT 1 FROM chunk WHERE vector = ?1) "
            "AND NOT EXISTS (SELECT 1 FROM vector WHERE key = ?1)",
            (key,),
        ).fetchone()
        return bool(wanted)

    def _insert(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        self._connection.executemany(
            "INSERT INTO vector (key, value, sum) VALUES (?, ?, ?)",
            [(key, value, content.vector_sum(key, value)) for key, value in rows],
        )

    def sketches(self) -> list[tuple[str, bytes]]:
        """(source, sketch) of all documents, by source."""
        return _sketches(self._connection)

    def forget_derived(self) -> None:
        """Forget vectors that are damaged or that no chunk has, and make the full-text index again."""
        dimension = self.manifest.dimension if self.manifest else 0
        sound = list(content.sound_vectors(self._connection, dimension))
        self._connection.execute("DELETE FROM vector")
        self._insert(sound)
        self._connection.execute("DROP TABLE lexical")
        self._connection.execute(LEXICAL)
        self._connection.execute(
            "INSERT INTO lexical (rowid, title, text) "
            "SELECT id, title, chunk.text FROM chunk JOIN document USING (source) ORDER BY source, number"
        )
        self._trusted = True

    def count(self) -> int:
        """How many chunks there are."""
        (chunks,) = self._connection.execute("SELECT count(*) FROM chunk").fetchone()
        return int(chunks)

    def commit(self, manifest: Manifest) -> None:
        """Make this build the index, whole."""
        execute = self._connection.execute
        execute("DELETE FROM vector WHERE NOT EXISTS (SELECT 1 FROM chunk WHERE chunk.vector = key)")
        if self._removed:  # Only a merge of the whole lets go of the words of what was removed.
            execute("INSERT INTO lexical (lexical) VALUES ('optimize')")
        execute("SAVEPOINT written")  # Makes the full-text table write what it still holds in memory.
        execute("RELEASE written")
        vectors = content.vectors(self._connection, manifest.dimension)
        digests = {
            "content": content.content_digest(self._connection, manifest),
            "lexical": content.lexical_digest(self._connection),
        }
        execute("DELETE FROM manifest")
        self._connection.executemany("INSERT INTO manifest VALUES (?, ?)", (asdict(manifest) | digests).items())
        execute(f"PRAGMA application_id = {APPLICATION_ID}")
        execute(f"PRAGMA user_version = {FORMAT}")
        made = dense.build(digests["content"], *content.keys_and_kinds(self._connection), vectors)
        execute("COMMIT")
        _empty_log(self._connection)
        _save_dense(self._dense_path, made)


def _open(path: Path, how: str, patience: float) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?{how}"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=patience, check_same_thread=False)


def _code(error: BaseException) -> int:
    """SQLite's primary result code; 0 for an error that is not SQLite's."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _said(error: BaseException) -> str:
    """What an error says on one short line: some repeat the text that they stumble over."""
    return shorten(str(error), 80, placeholder=" …")


def _is_damage(error: BaseException) -> bool:
    """Whether an error is about what the file holds, not about whether it can be opened, locked, read or written."""
    return _code(error) not in OUTSIDE


def _busy(folder: Path) -> str:
    return f"Another build of {folder} is running; wait until it ends and run `qa index` again."


def _check_copy(path: Path) -> tuple[Manifest, dict[str, str]]:
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


def _dense_of(connection: sqlite3.Connection, manifest: Manifest, stamp: str) -> dense.DenseIndex:
    return dense.build(stamp, *content.keys_and_kinds(connection), content.vectors(connection, manifest.dimension))


def _empty_log(connection: sqlite3.Connection) -> None:
    """Bring the log into the database and empty it: what was deleted is in it. A long question is waited for."""
    connection.execute(f"PRAGMA busy_timeout = {LOG_PATIENCE}")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _save_dense(path: Path, made: dense.DenseIndex) -> None:
    try:
        dense.save(path, made)
    except OSError as error:
        log.warning("%s cannot be written (%s); it is made in memory instead.", path, error)


def _sketches(connection: sqlite3.Connection) -> list[tuple[str, bytes]]:
    return connection.execute("SELECT source, sketch FROM document ORDER BY source").fetchall()


def lexical_query(question: str) -> str:
    """A question as an FTS5 query: every word quoted, so that none is read as an operator; "" without any word."""
    words = list(dict.fromkeys(re.findall(r"\w+", question.lower())))
    telling = [word for word in words if word not in QUESTION_WORDS] or words
    return " OR ".join(f'"{word}"' for word in telling)


def _tables(connection: sqlite3.Connection) -> int:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return int(tables)
