"""The derived dense index: FAISS in memory, and a file of it that is only believed when its checksums hold.

FAISS files carry no integrity check of their own, so ours starts with one line of JSON that names what the index was
made from and the SHA-256 of the bytes that follow. Any doubt, and the index is made again from the database.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from qa.store.content import KINDS
from qa.types import ChunkKey, Kind, Vectors

KILLED = 3_600
"""Seconds after which a file that is not finished never will be."""


@dataclass(frozen=True, slots=True)
class DenseIndex:
    """Exact inner products over unit vectors. Row i of `index` is the chunk `keys[i]`, of kind `KINDS[kinds[i]]`."""

    stamp: str
    keys: tuple[ChunkKey, ...]
    kinds: npt.NDArray[np.uint8]
    index: Any

    def search(
        self, vector: Vectors, kinds: Sequence[Kind], k: int, sources: Collection[str] | None = None
    ) -> list[tuple[ChunkKey, float]]:
        """The `k` nearest chunks of these kinds and `sources` (None: of all), best first, ties by key; `vector` has
        shape (dimension,).
        """
        wanted = np.isin(self.kinds, [KINDS.index(kind) for kind in kinds])
        if sources is not None:
            wanted &= _rows_of(self.keys, sources)
        bits = np.packbits(wanted, bitorder="little")
        selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type]  # FAISS adds this form in Python.
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]  # as above
        scores, rows = self.index.search(vector.reshape(1, -1), max(1, min(k, int(wanted.sum()))), params=parameters)
        found = [(self.keys[row], float(score)) for row, score in zip(rows[0], scores[0], strict=True) if row >= 0]
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))


def build(stamp: str, keys: Sequence[ChunkKey], kinds: Sequence[Kind], vectors: Vectors) -> DenseIndex:
    """An index over the rows of `vectors`, shape (len(keys), dimension)."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return DenseIndex(stamp, tuple(keys), _kind_numbers(kinds), index)


def save(path: Path, dense: DenseIndex) -> None:
    """Write the file in one step: a reader sees the old file or the new one."""
    payload = faiss.serialize_index(dense.index).tobytes()
    header = {"stamp": dense.stamp, "rows": len(dense.keys), "sha256": hashlib.sha256(payload).hexdigest()}
    unfinished = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    try:
        with unfinished.open("wb") as file:
            file.write(json.dumps(header).encode() + b"\n" + payload)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def tidy(path: Path) -> None:
    """Remove what a `save` that was killed has left beside; one that is still at work is younger."""
    for unfinished in path.parent.glob(f"{path.stem}.*-*"):
        with suppress(OSError):
            if time.time() - unfinished.stat().st_mtime > KILLED:
                unfinished.unlink()


def load(path: Path, stamp: str, keys: Sequence[ChunkKey], kinds: Sequence[Kind]) -> DenseIndex | None:
    """The index in the file, or None when it is missing, damaged or was made from something else."""
    try:
        line, _, payload = path.read_bytes().partition(b"\n")
        header = json.loads(line)
        expected = {"stamp": stamp, "rows": len(keys), "sha256": hashlib.sha256(payload).hexdigest()}
    except (OSError, ValueError, RecursionError):  # The last is what brackets in brackets in brackets raise.
        return None
    if header != expected:
        return None
    index = faiss.deserialize_index(np.frombuffer(payload, np.uint8))
    return DenseIndex(stamp, tuple(keys), _kind_numbers(kinds), index)


def _rows_of(keys: Sequence[ChunkKey], sources: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which rows are chunks of these sources, shape (len(keys),)."""
    asked = frozenset(sources)
    return np.fromiter((source in asked for source, _ in keys), np.bool_, len(keys))


def _kind_numbers(kinds: Sequence[Kind]) -> npt.NDArray[np.uint8]:
    return np.array([KINDS.index(kind) for kind in kinds], np.uint8)
