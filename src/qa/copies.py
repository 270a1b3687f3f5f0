"""Near copies: articles that have most of their wording in common, such as one wire story in two papers.

Each article has a sketch of fixed size (MinHash; Broder 1997, "On the resemblance and containment of documents"), and
sketches that agree in a band of rows are compared (Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", 3.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

VERSION = 1
"""Grows when the same text gets another sketch; an older index is then built anew."""

SHINGLE = 5
"""Words that count as one piece of wording."""

LEAST = 40
"""Words of an article that can be told to be a copy; two shorter ones may share a formula."""

ROWS, BAND = 120, 3
"""Numbers of a sketch, and how many make a band. Two articles with half of their pieces in common agree in one of the
40 bands with a chance of .995, with a tenth in common of .04.
"""

ALIKE = 0.5
"""The least share of numbers that agree; it estimates the share of common pieces within .05 (one sigma).

With one word in ten of an article replaced it is .54, with its last fifth cut off .79; the likest two of the articles
on one subject in corpus/ have .03.
"""

Numbers = npt.NDArray[np.uint64]

FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""Of the polynomials: odd, and far from a power of two."""


def _number(data: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(data, digest_size=8).digest(), "little"))


_FUNCTIONS = [(_number(b"times %d" % row) | np.uint64(1), _number(b"plus %d" % row)) for row in range(ROWS)]
"""What the pieces of each row are multiplied by, an odd number, and what is added."""


def sketch(text: str) -> bytes:
    """What a text is compared by: ROWS numbers of four bytes, or b"" for one of fewer than LEAST words."""
    words = re.findall(r"\w+", text.casefold())
    if len(words) < LEAST:
        return b""
    numbers = np.array([_number(word.encode("utf-8", "replace")) for word in words], np.uint64)
    pieces = np.unique(_shingles(numbers))
    # Multiply and shift: one hash function a row (Dietzfelbinger and others 1997).
    least = [((pieces * many + more) >> np.uint64(32)).min() for many, more in _FUNCTIONS]
    return np.array(least, "<u4").tobytes()


def alike(sketches: Iterable[tuple[str, bytes]]) -> list[tuple[str, ...]]:
    """The groups of sources that tell nearly the same, sorted, from (source, sketch) of all of them.

    A source is in a group when it is like one of its members.
    """
    known = {source: np.frombuffer(mark, "<u4") for source, mark in sorted(sketches) if mark}
    leader = {source: source for source in known}
    for bucket in _buckets(known):
        for one, other in _pairs(bucket, leader, known):
            leader[_lead(leader, other)] = _lead(leader, one)
    groups: dict[str, list[str]] = {}
    for source in known:
        groups.setdefault(_lead(leader, source), []).append(source)
    return sorted(tuple(group) for group in groups.values() if len(group) > 1)


def _mixed(columns: npt.NDArray[np.uint32]) -> Numbers:
    """One number a row (a polynomial modulo 2^64)."""
    total = np.zeros(len(columns), np.uint64)
    for column in columns.T:
        total = total * FACTOR + column
    return total


def _shingles(words: Numbers) -> Numbers:
    """One number for every SHINGLE words that follow each other (a polynomial modulo 2^64)."""
    total = np.zeros(len(words) - SHINGLE + 1, np.uint64)
    for place in range(SHINGLE):
        total = total * FACTOR + words[place : len(words) - SHINGLE + 1 + place]
    return total


def _buckets(known: dict[str, npt.NDArray[np.uint32]]) -> Iterator[list[str]]:
    """Sources that agree in a band, in the order of the first of each."""
    sources = list(known)
    marks = np.array(list(known.values()), np.uint32).reshape(-1, ROWS)
    for first in range(0, ROWS, BAND):
        # One number a band sorts ten times as fast as its bytes; two bands that share one are compared for nothing.
        band = _mixed(marks[:, first : first + BAND])
        _, places, which, times = np.unique(band, return_index=True, return_inverse=True, return_counts=True)
        shared = np.flatnonzero(times > 1)
        for bucket in shared[np.argsort(places[shared])]:
            yield [sources[row] for row in np.flatnonzero(which == bucket)]


def _pairs(
    bucket: Sequence[str], leader: dict[str, str], known: dict[str, npt.NDArray[np.uint32]]
) -> Iterator[tuple[str, str]]:
    """Each source that is like an earlier one of the bucket, with that; a source of a known group is not compared."""
    apart: list[str] = []
    for source in bucket:
        if any(_lead(leader, source) == _lead(leader, one) for one in apart):
            continue
        like = next((one for one in apart if (known[one] == known[source]).mean() >= ALIKE), None)
        if like is None:
            apart.append(source)
        else:
            yield like, source


def _lead(leader: dict[str, str], source: str) -> str:
    while leader[source] != source:
        leader[source] = leader[leader[source]]
        source = leader[source]
    return source
