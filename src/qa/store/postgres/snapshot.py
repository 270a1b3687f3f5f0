"""One generation in PostgreSQL, read inside one transaction."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qa.copies import alike
from qa.names import fold
from qa.store.content import Kept
from qa.store.postgres import words
from qa.store.postgres.schema import Connection
from qa.store.snapshot import telling
from qa.types import Chunk, ChunkKey, Document, Entry, Kind, Manifest, Segment, Span, StoreError, Vectors

EXACT = 20_000
"""Chunks up to which every vector is compared, about 10 ms; among more, the HNSW index is asked."""

BM25_K1 = 1.2
BM25_B = 0.75
"""As in SQLite's full-text index. (Robertson and Zaragoza 2009, https://doi.org/10.1561/1500000019)"""

DENSE = """
    WITH nearest AS MATERIALIZED (
        SELECT id, number, -({distance}) AS score FROM verbatim.chunk
        WHERE vector_dims(embedding) = {width} AND born <= %(generation)s AND kind = ANY(%(kinds)s)
        AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s))
        ORDER BY {order} FETCH FIRST %(k)s ROWS WITH TIES)
    SELECT source, number, score FROM nearest JOIN verbatim.document USING (id)
    ORDER BY score DESC, source, number LIMIT %(k)s
"""

LEXICAL = """
    WITH hit AS MATERIALIZED (
        SELECT word, id, number, kind, times, length FROM verbatim.posting
        WHERE word = ANY(%(words)s) AND born <= %(generation)s),
    weight AS (
        SELECT word, asked * greatest(ln((%(chunks)s - count(*) + 0.5) / (count(*) + 0.5)), 1e-6) AS weight
        FROM hit JOIN unnest(%(words)s::text[], %(times)s::integer[]) AS question (word, asked) USING (word)
        GROUP BY word, asked),
    best AS (
        SELECT id, number,
               -- In whatever order the words are added up, equal chunks are to have equal scores.
               round(1e9 * sum(weight * times * (%(k1)s + 1)
                               / (times + %(k1)s * (1 - %(b)s + %(b)s * length / %(mean)s)))) / 1e9 AS score
        FROM hit JOIN weight USING (word)
        WHERE kind = ANY(%(kinds)s) AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s))
        GROUP BY id, number ORDER BY score DESC FETCH FIRST %(k)s ROWS WITH TIES)
    SELECT source, number, score FROM best JOIN verbatim.document USING (id)
    ORDER BY score DESC, source, number LIMIT %(k)s
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one generation keeps in memory: its manifest and sums, and what is gathered on the first use."""

    manifest: Manifest
    plan: str
    chunks: int
    words: int
    vocabulary: dict[str, str]
    entries: list[Entry]


class PostgresSnapshot:
    """One generation, read inside one transaction."""

    def __init__(self, connection: Connection, loaded: Loaded) -> None:
        self.manifest = loaded.manifest
        self.size = loaded.chunks
        self._connection = connection
        self._loaded = loaded

    def sources(self) -> list[str]:
        """All documents, sorted."""
        rows = self._rows("SELECT source FROM verbatim.document WHERE born <= %(generation)s ORDER BY source")
        return [source for (source,) in rows]

    def document(self, source: str) -> Document:
        """The document with its exact text."""
        found = self._rows(
            "SELECT source, text, title, date, url, author, digest, pages FROM verbatim.document "
            "WHERE born <= %(generation)s AND source = %(source)s",
            source=_storable(source),
        )
        if not found:
            shown = source.encode("utf-8", "replace").decode()
            raise StoreError(f"No document '{shown}' is in the index; check its name, or run `qa index` to add it.")
        *about, pages = found[0]
        return replace(Document(*about), pages=tuple(json.loads(pages)))

    def segments(self, source: str) -> tuple[Segment, ...]:
        """The labelled parts of a document, in order."""
        rows = self._rows(
            "SELECT first, last, kind FROM verbatim.segment JOIN verbatim.document USING (id) "
            "WHERE born <= %(generation)s AND source = %(source)s ORDER BY number",
            source=_storable(source),
        )
        return tuple(Segment(Span(first, last), kind) for first, last, kind in rows)

    def entries(self) -> Sequence[Entry]:
        """The catalogue, by source. It is gathered once a generation, on the first use."""
        if not self._loaded.entries:
            rows = self._rows(
                "SELECT source, title, date, url, author, digest, body, comments, sketch FROM verbatim.document "
                "WHERE born <= %(generation)s ORDER BY source"
            )
            groups = alike([(row[0], row[-1]) for row in rows])
            others = {one: tuple(x for x in group if x != one) for group in groups for one in group}
            self._loaded.entries[:] = [replace(Entry(*row[:-1]), copies=others.get(row[0], ())) for row in rows]
        return self._loaded.entries

    def dense(
        self, vector: Vectors, kinds: Sequence[Kind], k: int, sources: Collection[str] | None = None
    ) -> list[tuple[ChunkKey, float]]:
        """The `k` nearest chunks of `sources` (None: of all) by cosine, best first; by HNSW where there are many."""
        width = len(vector)
        distance = f"embedding::halfvec({width}) <#> %(vector)s::halfvec({width})"
        ids, among = self._among(sources)
        order = "score DESC" if among <= EXACT else distance  # Its index is used for the bare distance only.
        rows = self._rows(
            DENSE.format(distance=distance, width=width, order=order),
            vector=literal(vector),
            kinds=list(kinds),
            k=k,
            ids=ids,
        )
        return [((source, number), float(score)) for source, number, score in rows]

    def lexical(
        self, question: str, kinds: Sequence[Kind], k: int, sources: Collection[str] | None = None
    ) -> list[tuple[ChunkKey, float]]:
        """The `k` best chunks of `sources` (None: of all) by BM25, best first; the figures are those of SQLite's."""
        asked = words.asked(telling(question))
        if not asked or not self.size:
            return []
        rows = self._rows(
            LEXICAL,
            words=list(asked),
            times=list(asked.values()),
            chunks=float(self.size),
            mean=self._loaded.words / self.size,
            k1=BM25_K1,
            b=BM25_B,
            kinds=list(kinds),
            k=k,
            ids=self._among(sources)[0],
        )
        return [((source, number), float(score)) for source, number, score in rows]

    def chunks(self, keys: Sequence[ChunkKey]) -> list[Chunk]:
        """The chunks of these names, in the order asked for."""
        rows = self._rows(
            "SELECT source, number, first, last, chunk.text, kind, title, date "
            "FROM unnest(%(sources)s::text[], %(numbers)s::integer[]) AS asked (source, number) "
            "JOIN verbatim.document USING (source) JOIN verbatim.chunk USING (id, number) "
            "WHERE document.born <= %(generation)s",
            sources=[source for source, _ in keys],
            numbers=[number for _, number in keys],
        )
        found = {(row[0], row[1]): Chunk(row[0], row[1], Span(row[2], row[3]), *row[4:]) for row in rows}
        return [found[key] for key in keys]

    def occurrences(self, word: str) -> int:
        """How many chunks have the word, in any of its grammatical forms."""
        if not re.fullmatch(r"\w+", word):
            return 0
        forms = list(words.asked([word]))
        ((count,),) = self._rows(
            "SELECT count(*) FROM (SELECT 1 FROM verbatim.posting "
            "WHERE born <= %(generation)s AND word = ANY(%(forms)s) "
            "GROUP BY id, number HAVING count(*) = %(many)s) AS found",
            forms=forms,
            many=len(forms),
        )
        return int(count)

    def vocabulary(self) -> dict[str, str]:
        """{folded: as written} for every word of the chunks. It is gathered once a generation, on the first use."""
        if not self._loaded.vocabulary:
            found: dict[str, str] = {}
            with self._connection.cursor("vocabulary") as cursor:  # On the server: all texts are many.
                cursor.execute(
                    "SELECT chunk.text FROM verbatim.chunk JOIN verbatim.document USING (id) "
                    "WHERE document.born <= %s ORDER BY source, number",
                    (self.manifest.generation,),
                )
                for (text,) in cursor:
                    for word in re.findall(r"\w+", text):
                        found.setdefault(fold(word), word)
            self._loaded.vocabulary.update(found)
        return self._loaded.vocabulary

    def names(self, initials: str) -> list[tuple[str, int]]:
        """(name, documents that have it) of the names with these initials, the most frequent first."""
        rows = self._rows(
            "SELECT name, count(*) AS documents FROM verbatim.name "
            "WHERE born <= %(generation)s AND initials = %(initials)s GROUP BY name ORDER BY documents DESC, name",
            initials=_storable(initials),
        )
        return [(name, count) for name, count in rows]

    def kept(self, source: str) -> Kept:
        """Everything of one document, vectors in the half precision that they are kept in."""
        ((sketch,),) = self._rows(
            "SELECT sketch FROM verbatim.document WHERE born <= %(generation)s AND source = %(source)s", source=source
        )
        rows = self._rows(
            "SELECT number, embedding::text FROM verbatim.chunk JOIN verbatim.document USING (id) "
            "WHERE document.born <= %(generation)s AND source = %(source)s ORDER BY number",
            source=source,
        )
        vectors = np.array([json.loads(vector) for _, vector in rows], np.float32)
        chunks = self.chunks([(source, number) for number, _ in rows])
        shape = (-1, self.manifest.dimension)
        return Kept(self.document(source), self.segments(source), chunks, sketch, vectors.reshape(shape))

    def _among(self, sources: Collection[str] | None) -> tuple[list[Any] | None, int]:
        """The documents of these sources by their ids (None: all), and how many chunks they have."""
        if sources is None:
            return None, self.size
        rows = self._rows(
            "SELECT id, body + comments FROM verbatim.document "
            "WHERE born <= %(generation)s AND source = ANY(%(sources)s)",
            sources=[*map(_storable, sources)],
        )
        return [identity for identity, _ in rows], sum(chunks for _, chunks in rows)

    def _rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        values["generation"] = self.manifest.generation
        return self._connection.execute(query, values).fetchall()


def literal(vector: Vectors) -> str:
    """A vector, shape (width,), as pgvector reads it."""
    return "[" + ",".join(map(repr, vector.tolist())) + "]"


def _storable(text: str) -> str:
    """A name as it could stand in the database, which holds neither NUL nor halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "?")
