"""What a database holds, read whole: manifest, chunks, vectors, and the sums by which damage is told.

Every document has a sum of its own, made when it is put in, so a build need not read what it leaves alone, and cannot
make damage its own. The digest of the content is over those sums. A vector has a sum beside it.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from qa.names import initials, names, tails
from qa.types import Chunk, ChunkKey, Document, Kind, Manifest, Segment, Vectors


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything that an index holds of one document, by which it is carried from one store to another."""

    document: Document
    segments: Sequence[Segment]
    chunks: Sequence[Chunk]
    sketch: bytes
    vectors: Vectors
    """Of the chunks, shape (chunks, dimension)."""


KINDS: tuple[Kind, ...] = ("body", "comment")
"""The kinds of chunks."""

FEW = 0.2
"""The share of documents up to which they are summed one by one; reading all of them in a row is faster for more."""

SUM_BYTES = 8
"""Bytes of a vector's sum."""

DOCUMENT = "source, digest, title, date, url, author, text, pages, sketch"
"""The columns of a document that its sum is over."""

TEXTS = (
    f"SELECT {DOCUMENT} FROM document {{}} ORDER BY source",  # noqa: S608 - our names
    "SELECT source, number, kind, first, last FROM segment {} ORDER BY source, number",
    "SELECT source, number, kind, first, last, text, vector FROM chunk {} ORDER BY source, number",
    "SELECT source, initials, name FROM name {} ORDER BY source, initials, name",
)
"""Everything that is kept of a document, by source."""


def read_manifest(connection: sqlite3.Connection) -> tuple[Manifest, dict[str, str]]:
    """The manifest, and the digests that were written with it."""
    values = dict(connection.execute("SELECT name, value FROM manifest"))
    try:
        digests = {name: values.pop(name) for name in ("content", "lexical")}
        manifest = Manifest(**values)
    except (KeyError, TypeError) as error:
        raise sqlite3.DatabaseError("its manifest is not what was written") from error
    if not (type(manifest.dimension) is type(manifest.generation) is int):
        raise sqlite3.DatabaseError("its manifest is not what was written")
    return manifest, digests


def check_texts(
    connection: sqlite3.Connection, manifest: Manifest, digests: dict[str, str], known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """{source: sum} of the documents; sqlite3.DatabaseError unless documents, segments, chunks and names are those
    that builds put in.

    What this process has found sound before, `known`, is not read again: a build leaves it alone.
    """
    kept = dict(connection.execute("SELECT source, sum FROM document"))
    fresh = [source for source, total in kept.items() if not known or known.get(source) != total]
    few = known is not None and len(fresh) < FEW * len(kept)
    found = {source: sum_of(connection, source) for source in fresh} if few else _sums(connection)
    if found != ({source: kept[source] for source in fresh} if few else kept):
        raise sqlite3.DatabaseError("its content is not what was written")
    if content_digest(connection, manifest) != digests["content"]:
        raise sqlite3.DatabaseError("its documents are not those that were written")
    return kept


def _sums(connection: sqlite3.Connection) -> dict[str, str]:
    """The sum of every document, from everything that is kept of any."""
    found: dict[str, hashlib._Hash] = {}
    for query in TEXTS:
        for row in connection.execute(query.format("")):
            _hash_row(found.setdefault(row[0], hashlib.sha256()), row)
    return {source: whole.hexdigest() for source, whole in found.items()}


def check_lexical(connection: sqlite3.Connection, digests: dict[str, str]) -> None:
    """sqlite3.DatabaseError unless the full-text index is the one that the last build wrote."""
    if lexical_digest(connection) != digests["lexical"]:
        raise sqlite3.DatabaseError("its lexical index is not what was written")


def sum_of(connection: sqlite3.Connection, source: str) -> str:
    """SHA-256 over everything that is kept of one document."""
    return sum_of_rows(connection.execute(query.format("WHERE source = ?"), (source,)) for query in TEXTS)


def sum_of_rows(tables: Iterable[Iterable[tuple[object, ...]]]) -> str:
    """SHA-256 over rows as TEXTS gives them for one document."""
    whole = hashlib.sha256()
    for rows in tables:
        _hash_rows(whole, rows)
    return whole.hexdigest()


def key_of(chunk: Chunk) -> bytes:
    """What names the vector of a chunk: SHA-256 of the text that it is made from."""
    return hashlib.sha256(chunk.context.encode()).digest()


def names_in(chunks: Iterable[Chunk]) -> list[tuple[str, str]]:
    """(initials, name) of the names in these chunks, sorted by name."""
    found = {tail for chunk in chunks for name in names(chunk.text) for tail in tails(name)}
    return [(initials(name), name) for name in sorted(found)]


def vector_sum(key: bytes, value: bytes) -> bytes:
    """What stands beside a vector, to tell whether it is the one that was made from the text of that key."""
    return hashlib.blake2b(key + value, digest_size=SUM_BYTES).digest()


def keys_and_kinds(connection: sqlite3.Connection) -> tuple[list[ChunkKey], list[Kind]]:
    """The chunks by source and number, and the kind of each."""
    rows = connection.execute("SELECT source, number, kind FROM chunk ORDER BY source, number").fetchall()
    if not {kind for _, _, kind in rows} <= set(KINDS):
        raise sqlite3.DatabaseError("its passages are not what was written")
    return [(source, number) for source, number, _ in rows], [kind for _, _, kind in rows]


def sound_vectors(connection: sqlite3.Connection, dimension: int) -> Iterator[tuple[bytes, bytes]]:
    """(key, vector) of those whose sum holds."""
    for key, value, kept in connection.execute("SELECT key, value, sum FROM vector ORDER BY id"):
        sound = type(key) is type(value) is bytes and len(value) == 4 * dimension
        if sound and vector_sum(key, value) == kept:
            yield key, value


def check_vectors(connection: sqlite3.Connection, dimension: int) -> None:
    """sqlite3.DatabaseError unless every vector is the one that was made."""
    rows = connection.execute("SELECT key, value, sum FROM vector")
    try:
        sound = all(len(value) == 4 * dimension and vector_sum(key, value) == kept for key, value, kept in rows)
    except TypeError:  # A damaged cell may hold anything.
        sound = False
    if not sound:
        raise sqlite3.DatabaseError("its vectors are not what was written")


def vectors(connection: sqlite3.Connection, dimension: int) -> Vectors:
    """The vector of every chunk by source and number, shape (chunks, dimension); sqlite3.DatabaseError if one is
    missing or damaged.
    """
    found = dict(sound_vectors(connection, dimension))
    rows = connection.execute("SELECT vector FROM chunk ORDER BY source, number")
    try:
        data = b"".join(found[key] for (key,) in rows)
    except KeyError as error:
        raise sqlite3.DatabaseError("its vectors are not what was written") from error
    return np.frombuffer(data, np.float32).reshape(-1, dimension)


def vectors_of(connection: sqlite3.Connection, dimension: int, sources: Iterable[str]) -> Vectors:
    """The same of the chunks of some documents, in the order of these."""
    data: list[bytes] = []
    for source in sources:
        rows = connection.execute(
            "SELECT chunk.vector, value, sum FROM chunk LEFT JOIN vector ON key = chunk.vector WHERE source = ? "
            "ORDER BY number",
            (source,),
        )
        for key, value, kept in rows:
            if type(value) is not bytes or len(value) != 4 * dimension or vector_sum(key, value) != kept:
                raise sqlite3.DatabaseError("its vectors are not what was written")
            data.append(value)
    return np.frombuffer(b"".join(data), np.float32).reshape(-1, dimension)


def sketches(connection: sqlite3.Connection) -> list[tuple[str, bytes]]:
    """(source, sketch) of all documents, by source."""
    return connection.execute("SELECT source, sketch FROM document ORDER BY source").fetchall()


def content_digest(connection: sqlite3.Connection, manifest: Manifest) -> str:
    """SHA-256 over everything that builds put in, whatever the order in which they did."""
    whole = hashlib.sha256()
    _hash_row(whole, tuple(asdict(replace(manifest, generation=0)).values()))
    _hash_rows(whole, connection.execute("SELECT source, sum FROM document ORDER BY source"))
    return whole.hexdigest()


def lexical_digest(connection: sqlite3.Connection) -> str:
    """SHA-256 over the full-text index as it is stored; unlike the content's it depends on the builds before."""
    whole = hashlib.sha256()
    for query in (
        "SELECT id, block FROM lexical_data ORDER BY id",
        "SELECT segid, term, pgno FROM lexical_idx ORDER BY segid, term",
        # A row a chunk: SQLite joins them a hundred times as fast as Python would hash them one by one.
        "SELECT group_concat(id || ' ' || hex(sz)) FROM (SELECT id, sz FROM lexical_docsize ORDER BY id)",
        "SELECT k, v FROM lexical_config ORDER BY k",
    ):
        _hash_rows(whole, connection.execute(query))
    return whole.hexdigest()


def _hash_rows(whole: hashlib._Hash, rows: Iterable[tuple[object, ...]]) -> None:
    for row in rows:
        _hash_row(whole, row)


def _hash_row(whole: hashlib._Hash, row: tuple[object, ...]) -> None:
    for value in row:
        data = value if isinstance(value, bytes) else str(value).encode()
        whole.update(b"%d:" % len(data) + data)
