"""The default engine: one SQLite database is the index, FAISS is derived from it.

One transaction is one build, so a build that dies leaves the index as it was. Readers take a snapshot of one
generation (WAL) and keep it while a build commits beside them. What is read is checked against the digest that the
build wrote, once a generation.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from qa.names import fold, initials, names, tails
from qa.store import dense
from qa.types import Chunk, ChunkKey, Document, Entry, Kind, Manifest, Segment, Span, StoreError, Vectors

log = logging.getLogger(__name__)

FORMAT = 3
"""Grows with every change of the schema; an older index is then built anew."""

APPLICATION_ID = 0x56455242
"""Marks the database as ours ("VERB")."""

SCHEMA = """
CREATE TABLE manifest (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE document (source TEXT PRIMARY KEY, digest TEXT NOT NULL, title TEXT NOT NULL, date TEXT NOT NULL,
                       url TEXT NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL,
                       pages TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE segment  (source TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, first INTEGER NOT NULL,
                       last INTEGER NOT NULL, PRIMARY KEY (source, number)) WITHOUT ROWID;
CREATE TABLE chunk    (id INTEGER PRIMARY KEY, source TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL,
                       first INTEGER NOT NULL, last INTEGER NOT NULL, text TEXT NOT NULL, vector BLOB NOT NULL,
                       UNIQUE (source, number));
CREATE INDEX chunk_vector ON chunk (vector);
CREATE TABLE vector   (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE name     (source TEXT NOT NULL, initials TEXT NOT NULL, name TEXT NOT NULL,
                       PRIMARY KEY (initials, name, source)) WITHOUT ROWID;
CREATE INDEX name_source ON name (source);
CREATE VIRTUAL TABLE lexical USING fts5 (title, text, content='', tokenize='porter unicode61 remove_diacritics 2');
"""
TABLES = ("manifest", "document", "segment", "chunk", "vector", "name", "lexical")

TITLE_WEIGHT = 1.0
"""BM25 weight of a title's words against 1 for the text's."""

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
    """An index in a folder: `index.sqlite`, and `dense.faiss` derived from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "index.sqlite"
        self._dense_path = folder / "dense.faiss"
        self._loaded: _Loaded | None = None
        self._lock = threading.Lock()

    def built(self) -> bool:
        """Whether there is an index, sound or not; a first build that runs, or was interrupted, has made none."""
        if not self._path.exists():
            return False
        with self._guarded(), closing(self._connect("ro")) as connection:
            return _tables(connection) > 0

    @contextmanager
    def snapshot(self) -> Iterator[SqliteSnapshot]:
        """The newest generation, for one thread; StoreError when there is no usable index."""
        if not self._path.exists():
            raise self._no_index()
        with self._guarded(), closing(self._connect("ro")) as connection:
            connection.execute("BEGIN")
            yield SqliteSnapshot(connection, self._load(connection))

    @contextmanager
    def writer(self) -> Iterator[SqliteWriter]:
        """The one writer; StoreError when another build is running. Leaving without `commit` changes nothing."""
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
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield SqliteWriter(connection, self._dense_path)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _connect(self, mode: str) -> sqlite3.Connection:
        address = f"{self._path.resolve().as_uri()}?mode={mode}"
        return sqlite3.connect(address, uri=True, isolation_level=None, timeout=0, check_same_thread=False)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Map SQLite's errors, once, to a sentence that says what to do."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise StoreError(
                    f"Another build of {self.folder} is running; wait until it ends and run `qa index` again."
                ) from error
            raise StoreError(
                f"The index in {self.folder} cannot be used ({error}); check that the folder can be written, that the "
                f"disk has room, and run `qa doctor`."
            ) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise StoreError(
                f"The index in {self.folder} is damaged ({error}); remove {self._path} and run `qa index`."
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

    def _load(self, connection: sqlite3.Connection) -> _Loaded:
        """The generation this connection sees, checked when it is a new one."""
        self._check_identity(connection)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != FORMAT:
            raise StoreError(f"The index in {self.folder} is of another version; run `qa index` to build it anew.")
        manifest, digests = _read_manifest(connection)
        with self._lock:
            if self._loaded is None or self._loaded.dense.stamp != digests["content"]:
                self._loaded = _Loaded(manifest, self._checked(connection, manifest, digests), {}, [])
            return replace(self._loaded, manifest=manifest)

    def _checked(self, connection: sqlite3.Connection, manifest: Manifest, digests: dict[str, str]) -> dense.DenseIndex:
        stamp = _content_digest(connection, manifest)
        if stamp != digests["content"]:
            raise sqlite3.DatabaseError("its content is not what was written")
        keys, kinds = _keys_and_kinds(connection)
        if _lexical_digest(connection) != digests["lexical"]:
            raise sqlite3.DatabaseError("its lexical index is not what was written")
        if found := dense.load(self._dense_path, stamp, keys, kinds):
            return found
        vectors = _vectors(connection, manifest.dimension)
        if hashlib.sha256(vectors.tobytes()).hexdigest() != digests["vectors"]:
            raise sqlite3.DatabaseError("its vectors are not what was written")
        return dense.build(stamp, keys, kinds, vectors)


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
            self._entries[:] = [Entry(*row) for row in rows]  # Whole, as two threads may gather them at once.
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

    def __init__(self, connection: sqlite3.Connection, dense_path: Path) -> None:
        self._connection = connection
        self._dense_path = dense_path
        self.manifest = self._manifest_or_clear()

    def _manifest_or_clear(self) -> Manifest | None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version != FORMAT:
            self.clear()
            return None
        return _read_manifest(self._connection)[0]

    def clear(self) -> None:
        """Forget everything, as in a new index."""
        for table in TABLES:
            self._connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in filter(str.strip, SCHEMA.split(";\n")):
            self._connection.execute(statement)

    def digests(self) -> dict[str, str]:
        """{source: digest} of the documents that are indexed."""
        return dict(self._connection.execute("SELECT source, digest FROM document ORDER BY source"))

    def remove(self, source: str) -> None:
        """Forget one document."""
        # A table without content must be told what it is to forget.
        self._connection.execute(
            "INSERT INTO lexical (lexical, rowid, title, text) SELECT 'delete', chunk.id, title, chunk.text "
            "FROM chunk JOIN document USING (source) WHERE source = ?",
            (source,),
        )
        for table in ("chunk", "segment", "name", "document"):
            self._connection.execute(f"DELETE FROM {table} WHERE source = ?", (source,))  # noqa: S608 - our names

    def put(self, document: Document, segments: Sequence[Segment], chunks: Sequence[Chunk]) -> None:
        """Add one document, which must not be there."""
        self._connection.execute(
            "INSERT INTO document (source, digest, title, date, url, author, text, pages) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                document.source,
                document.digest,
                document.title,
                document.date,
                document.url,
                document.author,
                document.text,
                json.dumps(document.pages),
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

    def missing(self) -> list[tuple[bytes, str]]:
        """(key, text) of every text that still needs a vector, by source and number, no text twice."""
        rows = self._connection.execute(
            "SELECT source, number, kind, first, last, chunk.text, title, date, chunk.vector "
            "FROM chunk JOIN document USING (source) WHERE chunk.vector NOT IN (SELECT key FROM vector) "
            "ORDER BY source, number"
        )
        found: dict[bytes, str] = {}
        for source, number, kind, first, last, text, title, date, key in rows:
            found[key] = Chunk(source, number, Span(first, last), text, kind, title, date).context
        return list(found.items())

    def add_vectors(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Store the vectors of texts that `missing` named."""
        rows = [(key, vector.tobytes()) for key, vector in zip(keys, vectors, strict=True)]
        self._connection.executemany("INSERT INTO vector VALUES (?, ?)", rows)

    def count(self) -> int:
        """How many chunks there are."""
        (chunks,) = self._connection.execute("SELECT count(*) FROM chunk").fetchone()
        return int(chunks)

    def commit(self, manifest: Manifest) -> None:
        """Make this build the index, whole."""
        self._connection.execute("DELETE FROM vector WHERE key NOT IN (SELECT vector FROM chunk)")
        vectors = _vectors(self._connection, manifest.dimension)
        stamp = _content_digest(self._connection, manifest)
        self._connection.execute("SAVEPOINT written")  # Makes the full-text table write what it still holds in memory.
        self._connection.execute("RELEASE written")
        digests = {
            "content": stamp,
            "lexical": _lexical_digest(self._connection),
            "vectors": hashlib.sha256(vectors.tobytes()).hexdigest(),
        }
        self._connection.execute("DELETE FROM manifest")
        self._connection.executemany("INSERT INTO manifest VALUES (?, ?)", (asdict(manifest) | digests).items())
        self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._connection.execute(f"PRAGMA user_version = {FORMAT}")
        keys, kinds = _keys_and_kinds(self._connection)
        self._connection.execute("COMMIT")
        try:
            dense.save(self._dense_path, dense.build(stamp, keys, kinds, vectors))
        except OSError as error:
            log.warning("%s cannot be written (%s); it is made in memory instead.", self._dense_path, error)


def lexical_query(question: str) -> str:
    """A question as an FTS5 query: every word quoted, so that none is read as an operator; "" without any word."""
    words = list(dict.fromkeys(re.findall(r"\w+", question.lower())))
    telling = [word for word in words if word not in QUESTION_WORDS] or words
    return " OR ".join(f'"{word}"' for word in telling)


def _tables(connection: sqlite3.Connection) -> int:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return int(tables)


def _read_manifest(connection: sqlite3.Connection) -> tuple[Manifest, dict[str, str]]:
    """The manifest, and the digests that were written with it."""
    values = dict(connection.execute("SELECT name, value FROM manifest"))
    try:
        digests = {name: values.pop(name) for name in ("content", "lexical", "vectors")}
        return Manifest(**values), digests
    except (KeyError, TypeError) as error:
        raise sqlite3.DatabaseError("its manifest is not what was written") from error


def _keys_and_kinds(connection: sqlite3.Connection) -> tuple[list[ChunkKey], list[Kind]]:
    rows = connection.execute("SELECT source, number, kind FROM chunk ORDER BY source, number").fetchall()
    return [(source, number) for source, number, _ in rows], [kind for _, _, kind in rows]


def _vectors(connection: sqlite3.Connection, dimension: int) -> Vectors:
    """All vectors, shape (chunks, dimension), by source and number."""
    rows = connection.execute(
        "SELECT value FROM chunk LEFT JOIN vector ON vector.key = chunk.vector ORDER BY source, number"
    )
    width = 4 * dimension
    data = b"".join(value if value and len(value) == width else bytes(width) for (value,) in rows)
    return np.frombuffer(data, np.float32).reshape(-1, dimension)


def _content_digest(connection: sqlite3.Connection, manifest: Manifest) -> str:
    """SHA-256 over everything that a build put in, whatever the order in which it did and how many came before it."""
    whole = hashlib.sha256()
    _hash_rows(whole, [tuple(asdict(replace(manifest, generation=0)).values())])
    for query in (
        "SELECT source, digest, title, date, url, author, text, pages FROM document ORDER BY source",
        "SELECT source, number, kind, first, last FROM segment ORDER BY source, number",
        "SELECT source, number, kind, first, last, text, vector FROM chunk ORDER BY source, number",
        "SELECT source, initials, name FROM name ORDER BY source, initials, name",
    ):
        _hash_rows(whole, connection.execute(query))
    return whole.hexdigest()


def _lexical_digest(connection: sqlite3.Connection) -> str:
    """SHA-256 over the full-text index as it is stored; unlike the content's it depends on the builds before."""
    whole = hashlib.sha256()
    for query in (
        "SELECT id, block FROM lexical_data ORDER BY id",
        "SELECT segid, term, pgno FROM lexical_idx ORDER BY segid, term",
        "SELECT id, sz FROM lexical_docsize ORDER BY id",
        "SELECT k, v FROM lexical_config ORDER BY k",
    ):
        _hash_rows(whole, connection.execute(query))
    return whole.hexdigest()


def _hash_rows(whole: hashlib._Hash, rows: Iterable[tuple[object, ...]]) -> None:
    for row in rows:
        for value in row:
            data = value if isinstance(value, bytes) else str(value).encode()
            whole.update(b"%d:" % len(data) + data)
