"""The derived dense index: FAISS in memory, and a file of it that is only believed when its checksums hold.

Every vector is compared, in half precision: among 100,000 that takes half the time and memory of whole floats and finds
999 of 1,000 of the ten nearest (BENCHMARKS.md, "Growth"). Nothing is trained, so equal texts give equal indexes.

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

LONGEST_HEADER = 1_000
"""Bytes of the line of JSON; ours has about 170."""

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
    index = _empty(vectors.shape[1])
    index.add(vectors)
    return DenseIndex(stamp, tuple(keys), _kind_numbers(kinds), index)


def patch(
    old: Any,
    stays: npt.NDArray[np.bool_],
    stamp: str,
    keys: Sequence[ChunkKey],
    kinds: Sequence[Kind],
    new: npt.NDArray[np.bool_],
    vectors: Vectors,
) -> DenseIndex | None:
    """What `build` would make, from the FAISS index before: its rows that stay, shape (rows before,), and the `vectors`
    of those that are new, shape (len(keys),); None when the rows do not add up.
    """
    if len(stays) != old.ntotal or int(stays.sum()) != int((~new).sum()) or len(vectors) != int(new.sum()):
        return None
    index = _empty(old.d)
    codes = np.empty((len(keys), index.code_size), np.uint8)
    codes[~new] = faiss.vector_to_array(old.codes).reshape(-1, old.code_size)[stays]
    if len(vectors):
        codes[new] = index.sa_encode(vectors)
    index.add_sa_codes(codes)
    return DenseIndex(stamp, tuple(keys), _kind_numbers(kinds), index)


def _empty(dimension: int) -> Any:
    return faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def save(path: Path, dense: DenseIndex) -> None:
    """Write the file in one step: a reader sees the old file or the new one."""
    payload = faiss.serialize_index(dense.index).data
    header = {"stamp": dense.stamp, "rows": len(dense.keys), "sha256": hashlib.sha256(payload).hexdigest()}
    unfinished = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    try:
        with unfinished.open("wb") as file:
            file.write(json.dumps(header).encode() + b"\n")
            file.write(payload)
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
    index = load_index(path, stamp, len(keys))
    return None if index is None else DenseIndex(stamp, tuple(keys), _kind_numbers(kinds), index)


def load_index(path: Path, stamp: str, rows: int | None = None) -> Any:
    """FAISS alone, of as many rows (None: however many), or None as above."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline(LONGEST_HEADER))
            payload = np.fromfile(file, np.uint8)
        rows = header["rows"] if rows is None else rows
        expected = {"stamp": stamp, "rows": rows, "sha256": hashlib.sha256(payload.data).hexdigest()}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):  # Brackets in brackets raise the last.
        return None
    return faiss.deserialize_index(payload) if header == expected else None


def _rows_of(keys: Sequence[ChunkKey], sources: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which rows are chunks of these sources, shape (len(keys),)."""
    asked = frozenset(sources)
    return np.fromiter((source in asked for source, _ in keys), np.bool_, len(keys))


def _kind_numbers(kinds: Sequence[Kind]) -> npt.NDArray[np.uint8]:
    return np.array([KINDS.index(kind) for kind in kinds], np.uint8)
