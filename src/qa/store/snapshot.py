"""One generation, read inside one transaction: documents, passages, both rankings, the words and names in them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from qa.copies import alike
from qa.names import fold
from qa.store import content, dense
from qa.types import (
    Chunk,
    ChunkKey,
    Document,
    Entry,
    Kind,
    Manifest,
    Segment,
    Span,
    StoreError,
    Vectors,
)

TITLE_WEIGHT = 1.0
"""BM25 weight of a title's words against 1 for the text's."""

QUESTION_WORDS = frozenset(
    "a an and are as at be been by can could did do does for from had has have he her his how i in is it its of on "
    "or she that the their them they this to was we were what when where which who whom whose why will with would "
    "you".split()
)
"""Left out of a lexical query unless nothing else is in it: they match everything and cost time."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one generation keeps in memory."""

    manifest: Manifest
    dense: dense.DenseIndex
    vocabulary: dict[str, str]
    """Filled when it is first asked for; see SqliteSnapshot.vocabulary."""
    entries: list[Entry]
    """Filled when they are first asked for; see SqliteSnapshot.entries."""


class SqliteSnapshot:
    """One generation, read inside one transaction."""

    def __init__(self, connection: sqlite3.Connection, loaded: Loaded) -> None:
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
            groups = alike(content.sketches(self._connection))
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

    def kept(self, source: str) -> content.Kept:
        """Everything of one document."""
        query = self._connection.execute
        (sketch,) = query("SELECT sketch FROM document WHERE source = ?", (source,)).fetchone()
        rows = query(
            "SELECT number, value FROM chunk JOIN vector ON key = chunk.vector WHERE source = ? ORDER BY number",
            (source,),
        ).fetchall()
        vectors = np.frombuffer(b"".join(value for _, value in rows), np.float32)
        chunks = self.chunks([(source, number) for number, _ in rows])
        return content.Kept(
            self.document(source),
            self.segments(source),
            chunks,
            sketch,
            vectors.reshape(-1, self.manifest.dimension),
        )

    def _chunk(self, key: ChunkKey) -> Chunk:
        first, last, text, kind, title, date = self._connection.execute(
            "SELECT first, last, chunk.text, kind, title, date FROM chunk JOIN document USING (source) "
            "WHERE source = ? AND number = ?",
            key,
        ).fetchone()
        return Chunk(*key, Span(first, last), text, kind, title, date)


def lexical_query(question: str) -> str:
    """A question as an FTS5 query: every word quoted, so that none is read as an operator; "" without any word."""
    return " OR ".join(f'"{word}"' for word in telling(question))


def telling(question: str) -> list[str]:
    """The words of a question that are looked for, each once, in order."""
    words = list(dict.fromkeys(re.findall(r"\w+", question.lower())))
    return [word for word in words if word not in QUESTION_WORDS] or words
