"""Kinds of FAISS indexes side by side: time, memory, build, and how many of the ten nearest they find.

    .venv/bin/python -m bench.dense WORK 100000

takes the real vectors that bench/growth.py has left in WORK, and makes others from them with noise, as there.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bench.growth import NOISE
from qa.types import Vectors

faiss: Any = import_module("faiss")  # Its types know neither its own defaults nor what it adds in Python.

TOP, FOUND, QUERIES = 100, 10, 100
INNER = faiss.METRIC_INNER_PRODUCT
KINDS = faiss.ScalarQuantizer


def near(bank: Vectors, many: int, chance: np.random.Generator) -> Vectors:
    """Rows of the bank with noise, shape (many, dimension)."""
    noise = chance.standard_normal((many, bank.shape[1]), np.float32)
    rows = bank[chance.integers(0, len(bank), many)] + NOISE * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def candidates(rows: Vectors) -> Iterator[tuple[str, Callable[[], Any], tuple[tuple[str, int], ...]]]:
    """(name, how it is made, the settings it is searched with)."""
    width = rows.shape[1]
    yield "flat, float32", lambda: faiss.IndexFlatIP(width), ()
    for name in ("QT_fp16", "QT_bf16", "QT_8bit"):
        yield f"flat, {name}", partial(faiss.IndexScalarQuantizer, width, getattr(KINDS, name), INNER), ()
    lists = int(4 * np.sqrt(len(rows)))
    made = lambda: faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(width), width, lists, KINDS.QT_8bit, INNER)  # noqa: E731
    yield f"IVF of {lists}, QT_8bit", made, (("nprobe", 16), ("nprobe", 64))
    yield (
        "HNSW 16, QT_fp16",
        lambda: faiss.IndexHNSWSQ(width, KINDS.QT_fp16, 16, INNER),
        (("efSearch", 100), ("efSearch", 200)),
    )


def timed(index: Any, queries: Vectors, exact: Any) -> tuple[float, float]:
    """p50 in milliseconds of one query, every row being chosen by a bitmap, and the share of the nearest found."""
    chosen = np.packbits(np.ones(index.ntotal, np.bool_), bitorder="little")
    flat = "Quantizer" in type(index).__name__ and "IVF" not in type(index).__name__
    parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(chosen)) if flat else None
    spent, kept = [], 0
    for row, query in enumerate(queries):
        began = time.perf_counter()
        _, found = index.search(query[None], TOP, params=parameters)
        spent.append(1000 * (time.perf_counter() - began))
        kept += len(set(found[0][:FOUND]) & set(exact[row][:FOUND]))
    return statistics.median(spent), kept / (FOUND * len(queries))


def main() -> None:
    """Print one table."""
    faiss.omp_set_num_threads(1)
    chance, bank, many = np.random.default_rng(1), np.load(Path(sys.argv[1], "bank.npy")), int(sys.argv[2])
    rows, queries = near(bank, many, chance), near(bank, QUERIES, chance)
    exact = None
    for name, made, settings in candidates(rows):
        index = made()
        began = time.perf_counter()
        if not index.is_trained:
            index.train(rows[chance.permutation(many)[: 40 * getattr(index, "nlist", 1_000)]])
        index.add(rows)
        spent = time.perf_counter() - began
        exact = index.search(queries, TOP)[1] if exact is None else exact
        size = len(faiss.serialize_index(index)) / 1e6
        for key, setting in settings or (("", 0),):
            if key:
                setattr(index.hnsw if key == "efSearch" else index, key, setting)
            median, recall = timed(index, queries, exact)
            print(
                f"| {name} {key} {setting or ''} | {median:.2f} ms | {recall:.4f} | {size:.0f} MB | {spent:.1f} s |",
                flush=True,
            )


if __name__ == "__main__":
    main()
