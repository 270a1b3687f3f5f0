"""Every invariant of an index, read from its database: what the sums say, and what they cannot say of themselves."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from textwrap import shorten

import numpy as np

from qa.store import content
from qa.types import Fault, Segment, Span

UNIT = 1e-3
"""How far from one a vector's length may be; rounding leaves 1e-6."""


def said(error: BaseException) -> str:
    """What an error says on one short line: some repeat the text that they stumble over."""
    return shorten(str(error), 80, placeholder=" …")


def faults(connection: sqlite3.Connection) -> Iterator[Fault]:
    """What is wrong, the worst first; nothing when all is as builds left it."""
    try:
        yield from (Fault(found) for (found,) in connection.execute("PRAGMA integrity_check") if found != "ok")
        manifest, digests = content.read_manifest(connection)
        content.check_texts(connection, manifest, digests)
        yield from _misplaced(connection)
    except (sqlite3.DatabaseError, UnicodeDecodeError, ValueError) as error:
        yield Fault(said(error))
        return
    try:
        content.check_lexical(connection, digests)
        yield from _unindexed(connection)
    except sqlite3.DatabaseError as error:
        yield Fault(str(error), derived=True)
    try:
        lengths = np.linalg.norm(content.vectors(connection, manifest.dimension), axis=1)
        if (abs(lengths - 1) > UNIT).any():
            yield Fault(f"{int((abs(lengths - 1) > UNIT).sum())} of its vectors are not of length one", derived=True)
    except sqlite3.DatabaseError as error:
        yield Fault(str(error), derived=True)


def _misplaced(connection: sqlite3.Connection) -> Iterator[Fault]:
    """Segments, pages and chunks that are not where they say."""
    for source, text, pages in connection.execute("SELECT source, text, pages FROM document ORDER BY source"):
        rows = connection.execute("SELECT first, last, kind FROM segment WHERE source = ? ORDER BY number", (source,))
        parts = [Segment(Span(first, last), kind) for first, last, kind in rows]
        chunks = connection.execute("SELECT first, last, kind, text FROM chunk WHERE source = ?", (source,))
        held = ordered([(part.span.start, part.span.end) for part in parts], len(text))
        held = held and ordered([(page, page) for page in json.loads(pages)], len(text))
        if not held or not all(in_place(text, parts, *chunk) for chunk in chunks):
            yield Fault(f"the parts of {source} are not where they say")


def ordered(spans: Sequence[tuple[int, int]], length: int) -> bool:
    """Whether the spans follow one another within a text of this length."""
    bounds = [0, *(bound for span in spans for bound in span), length]
    return bounds == sorted(bounds)


def in_place(text: str, parts: Sequence[Segment], first: int, last: int, kind: str, said: str) -> bool:
    """Whether a chunk says what stands at its place, inside one part of its kind."""
    inside = any(part.kind == kind and part.span.start <= first < last <= part.span.end for part in parts)
    return inside and text[first:last] == said


def _unindexed(connection: sqlite3.Connection) -> Iterator[Fault]:
    (strangers,) = connection.execute(
        "SELECT (SELECT count(*) FROM chunk WHERE id NOT IN (SELECT id FROM lexical_docsize)) + "
        "(SELECT count(*) FROM lexical_docsize WHERE id NOT IN (SELECT id FROM chunk))"
    ).fetchone()
    if strangers:
        yield Fault(f"its lexical index and its passages differ in {strangers}", derived=True)
