"""Vectors of a build that has not ended, kept in a file so that the next build need not make them again.

One line of JSON names the weights; then come records of one length, each with its sum. They are only appended, so a
build that dies leaves whole records and at most one torn one, where reading ends. No text of an article is in the file.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from qa.store.content import SUM_BYTES, vector_sum

log = logging.getLogger(__name__)

KEY_BYTES = 32


def read(path: Path, weights: str, dimension: int) -> Iterator[tuple[bytes, bytes]]:
    """(key, vector) of every sound record; none when other weights made them."""
    length = KEY_BYTES + 4 * dimension + SUM_BYTES
    try:
        with path.open("rb") as file:
            if file.readline() != _header(weights, dimension):
                return
            while len(record := file.read(length)) == length:
                key, vector = record[:KEY_BYTES], record[KEY_BYTES:-SUM_BYTES]
                if record[-SUM_BYTES:] != vector_sum(key, vector):
                    return
                yield key, vector
    except OSError as error:  # What it holds can be made again.
        if not isinstance(error, FileNotFoundError):
            log.warning("%s cannot be read (%s); its vectors are made again.", path, error)


def begin(path: Path, weights: str, dimension: int, kept: Iterable[tuple[bytes, bytes]]) -> None:
    """Put a file with these (key, vector) into the place of one that may end torn, or hold others."""
    fresh = path.with_suffix(".fresh")
    try:
        with fresh.open("wb") as file:
            file.write(_header(weights, dimension))
            file.writelines(_record(key, vector) for key, vector in kept)
        fresh.replace(path)
    except OSError as error:
        log.warning("%s cannot be written (%s); a build that is interrupted will begin anew.", path, error)
        with suppress(OSError):
            fresh.unlink(missing_ok=True)


def append(path: Path, rows: Iterable[tuple[bytes, bytes]]) -> None:
    """Add (key, vector) to a file that was begun; without one, or without room, nothing is kept."""
    with suppress(OSError), path.open("r+b") as file:
        file.seek(0, 2)
        file.writelines(_record(key, vector) for key, vector in rows)


def _header(weights: str, dimension: int) -> bytes:
    return json.dumps({"weights": weights, "dimension": dimension}).encode() + b"\n"


def _record(key: bytes, vector: bytes) -> bytes:
    return key + vector + vector_sum(key, vector)
