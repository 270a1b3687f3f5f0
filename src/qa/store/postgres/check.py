"""Every invariant of an index in PostgreSQL, read from its tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from qa.store import content
from qa.store.check import in_place, ordered
from qa.store.postgres.schema import Connection
from qa.store.postgres.writer import UNIT, chunk_of, postings
from qa.types import Fault, Segment, Span

ABOUT = "source, digest, title, date, url, author, text, pages, sketch"


def faults(connection: Connection, generation: int) -> Iterator[Fault]:
    """What is wrong, the worst first; nothing when all is as builds left it."""
    documents = connection.execute(
        "SELECT id, source, sum FROM verbatim.document WHERE born <= %s ORDER BY source", (generation,)
    ).fetchall()
    stray = []
    for identity, source, kept in documents:
        tables = _tables(connection, identity)
        if content.sum_of_rows(tables) != kept:
            yield Fault(f"the content of {source} is not what was written")
        elif not _in_their_places(tables):
            yield Fault(f"the parts of {source} are not where they say")
        elif not _has_its_words(connection, identity):
            stray.append(source)
    if stray:
        yield Fault(f"the words of {len(stray)} documents are not what was written", derived=True)
    for (wrong,) in connection.execute(
        "SELECT count(*) FROM verbatim.chunk WHERE born <= %s AND abs(l2_norm(embedding) - 1) > %s", (generation, UNIT)
    ):
        if wrong:
            yield Fault(f"{wrong} of its vectors are not of length one", derived=True)
    yield from _sums(connection, generation)


def _tables(connection: Connection, identity: Any) -> list[list[tuple[Any, ...]]]:
    """The rows of one document, as the sum of a document is made over them."""
    queries = (
        f"SELECT {ABOUT} FROM verbatim.document WHERE id = %s",  # noqa: S608 - our names
        "SELECT source, number, kind, first, last FROM verbatim.segment JOIN verbatim.document USING (id) "
        "WHERE id = %s ORDER BY number",
        "SELECT source, number, kind, first, last, chunk.text, vector FROM verbatim.chunk "
        "JOIN verbatim.document USING (id) WHERE id = %s ORDER BY number",
        "SELECT source, initials, name FROM verbatim.name JOIN verbatim.document USING (id) WHERE id = %s "
        "ORDER BY initials, name",
    )
    return [connection.execute(query, (identity,)).fetchall() for query in queries]


def _in_their_places(tables: list[list[tuple[Any, ...]]]) -> bool:
    ((_, _, _, _, _, _, text, pages, _),), segments, chunks, _ = tables
    parts = [Segment(Span(first, last), kind) for _, _, kind, first, last in segments]
    held = ordered([(part.span.start, part.span.end) for part in parts], len(text))
    held = held and ordered([(page, page) for page in json.loads(pages)], len(text))
    return held and all(in_place(text, parts, first, last, kind, said) for _, _, kind, first, last, said, _ in chunks)


def _has_its_words(connection: Connection, identity: Any) -> bool:
    rows = connection.execute(
        "SELECT source, number, kind, first, last, chunk.text, title, date, document.born "
        "FROM verbatim.chunk JOIN verbatim.document USING (id) WHERE id = %s ORDER BY number",
        (identity,),
    ).fetchall()
    expected = postings(identity, rows[0][-1], [chunk_of(row[:-1]) for row in rows]) if rows else []
    found = connection.execute(
        "SELECT word, id, number, born, kind, times, length FROM verbatim.posting WHERE id = %s ORDER BY number, word",
        (identity,),
    ).fetchall()
    return found == expected


def _sums(connection: Connection, generation: int) -> Iterator[Fault]:
    """What is counted once a build, against the documents."""
    (kept,) = connection.execute("SELECT chunks, words FROM verbatim.state").fetchall()
    (found,) = connection.execute(
        "SELECT (SELECT count(*) FROM verbatim.chunk WHERE born <= %(g)s), "
        "(SELECT coalesce(sum(words), 0)::bigint FROM verbatim.document WHERE born <= %(g)s)",
        {"g": generation},
    ).fetchall()
    if kept != found:
        yield Fault("its counts are not what was written", derived=True)
