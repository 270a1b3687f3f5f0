"""One build, inside one transaction: what is put in and taken out, and the commit that makes it the index."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from qa.store import content, dense, unfinished
from qa.types import (
    Chunk,
    Document,
    Embedder,
    Manifest,
    Segment,
    Span,
    Vectors,
)

log = logging.getLogger(__name__)

FORMAT = 5
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

LOG_PATIENCE = 1_000
"""Milliseconds that a build, once committed, waits for questions that still read the generation before."""


class SqliteWriter:
    """One build, inside one transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        dense_path: Path,
        unfinished_path: Path,
        known: dense.DenseIndex | None = None,
    ) -> None:
        """`known` is the dense index that this process has in memory, of whatever generation."""
        self.made = known
        """The dense index of the newest generation, once it is committed."""
        self._connection = connection
        self._dense_path = dense_path
        self._unfinished = unfinished_path
        self._removed = False
        self._before: dict[str, int] | None = {}
        """{source: chunks before} of what this build touches; None when all is made anew."""
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
        self._before = None
        for table in TABLES:
            self._connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in (*filter(str.strip, SCHEMA.split(";\n")), LEXICAL):
            self._connection.execute(statement)
        self._trusted = True

    def digests(self) -> dict[str, str]:
        """{source: digest} of the documents that are indexed."""
        return dict(self._connection.execute("SELECT source, digest FROM document ORDER BY source"))

    def shares(self, todo: Mapping[str, str], manifest: Manifest) -> Iterator[Sequence[str]]:
        """The sources among {source: digest} that are to be read, all at once."""
        yield list(todo)

    def remove(self, source: str) -> None:
        """Forget one document."""
        self._trust()
        self._removed = True
        self._touch(source)
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
        self._touch(document.source)
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
            cursor = self._connection.execute(
                "INSERT INTO chunk (source, number, kind, first, last, text, vector) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    chunk.source,
                    chunk.number,
                    chunk.kind,
                    chunk.span.start,
                    chunk.span.end,
                    chunk.text,
                    content.key_of(chunk),
                ),
            )
            self._connection.execute(
                "INSERT INTO lexical (rowid, title, text) VALUES (?, ?, ?)",
                (cursor.lastrowid, document.title, chunk.text),
            )
        self._connection.executemany(
            "INSERT INTO name (source, initials, name) VALUES (?, ?, ?)",
            [(document.source, *found) for found in content.names_in(chunks)],
        )
        self._connection.execute(
            "UPDATE document SET sum = ? WHERE source = ?",
            (content.sum_of(self._connection, document.source), document.source),
        )

    def _touch(self, source: str) -> None:
        if self._before is not None and source not in self._before:
            (self._before[source],) = self._connection.execute(
                "SELECT count(*) FROM chunk WHERE source = ?", (source,)
            ).fetchone()

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
            "WHERE chunk.vector IN (SELECT vector FROM chunk EXCEPT SELECT key FROM vector) ORDER BY source, number"
        )
        found: dict[bytes, str] = {}
        for source, number, kind, first, last, text, title, date, key in rows:
            if not type(text) is type(title) is str:  # A damaged cell may hold anything.
                raise sqlite3.DatabaseError("its passages are not what was written")
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
        return content.sketches(self._connection)

    def forget_derived(self) -> None:
        """Forget vectors that are damaged or that no chunk has, and make the full-text index again."""
        self._before = None
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
        if self._removed or self._before is None:  # Nothing else leaves a vector without a chunk.
            execute("DELETE FROM vector WHERE NOT EXISTS (SELECT 1 FROM chunk WHERE chunk.vector = key)")
        if self._removed:  # Only a merge of the whole lets go of the words of what was removed.
            execute("INSERT INTO lexical (lexical) VALUES ('optimize')")
        execute("SAVEPOINT written")  # Makes the full-text table write what it still holds in memory.
        execute("RELEASE written")
        before = None if self._before is None else self._dense_before()
        digests = {
            "content": content.content_digest(self._connection, manifest),
            "lexical": content.lexical_digest(self._connection),
        }
        execute("DELETE FROM manifest")
        self._connection.executemany("INSERT INTO manifest VALUES (?, ?)", (asdict(manifest) | digests).items())
        execute(f"PRAGMA application_id = {APPLICATION_ID}")
        execute(f"PRAGMA user_version = {FORMAT}")
        made = self._dense(digests["content"], manifest.dimension, before)
        execute("COMMIT")
        empty_log(self._connection)
        save_dense(self._dense_path, made)
        self.made = made

    def _dense_before(self) -> Any:
        """FAISS over the generation before, where it is in memory or its file is sound."""
        try:
            stamp = content.read_manifest(self._connection)[1]["content"]
        except sqlite3.DatabaseError:  # There was none.
            return None
        same = self.made is not None and self.made.stamp == stamp
        return self.made.index if self.made and same else dense.load_index(self._dense_path, stamp)

    def _dense(self, stamp: str, dimension: int, before: Any) -> dense.DenseIndex:
        """The dense index of what is in the database; of the one before, rows of untouched documents are moved."""
        keys, kinds = content.keys_and_kinds(self._connection)
        if before is not None and before.d == dimension and self._before is not None:
            touched = self._before
            after = dict(self._connection.execute("SELECT source, count(*) FROM chunk GROUP BY source"))
            sources = sorted(after.keys() | touched.keys())
            moved = np.array([source not in touched for source in sources], np.bool_)
            stays = np.repeat(moved, [touched.get(source, after.get(source, 0)) for source in sources])
            new = ~np.repeat(moved, [after.get(source, 0) for source in sources])
            content.check_vectors(self._connection, dimension)  # Those that are moved, too.
            vectors = content.vectors_of(self._connection, dimension, sorted(touched))
            if (made := dense.patch(before, stays, stamp, keys, kinds, new, vectors)) is not None:
                return made
        return dense.build(stamp, keys, kinds, content.vectors(self._connection, dimension))


def empty_log(connection: sqlite3.Connection) -> None:
    """Bring the log into the database and empty it: what was deleted is in it. A long question is waited for."""
    connection.execute(f"PRAGMA busy_timeout = {LOG_PATIENCE}")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def save_dense(path: Path, made: dense.DenseIndex) -> None:
    """Write the derived index; where it cannot be, it is made in memory at every start."""
    try:
        dense.save(path, made)
    except OSError as error:
        log.warning("%s cannot be written (%s); it is made in memory instead.", path, error)
