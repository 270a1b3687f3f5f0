"""Milliseconds a passage: the reranker as the program runs it, and its package's own file called plainly, taking turns.

.venv/bin/python bench/rerank.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime

from qa import chunks, documents, ingest, models
from qa.models import OnnxReranker
from qa.settings import Settings

PASSAGES = 24
ROUNDS = 15
QUESTION = "Who rejected the offer to send weapons to Ukraine?"


def passages() -> list[str]:
    """The first passages of corpus/."""
    settings = Settings.load(corpus=Path("corpus"))
    count, embedder = models.token_counter(settings), models.load_embedder(settings)
    labelled = (ingest.read_labelled(settings.corpus, source) for source in documents.scan(settings.corpus)[0])
    found = (
        chunk.context
        for document, parts in labelled
        for chunk in chunks.split(document, parts, count, embedder.count, embedder.window)
    )
    return list(islice(found, PASSAGES))


def plainly(folder: Path) -> OnnxReranker:
    """The package's file with nothing but onnxruntime's own optimisations, on one thread a text, as ours."""
    plain, options = OnnxReranker(folder), onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    plain._session = onnxruntime.InferenceSession(folder / models.MARCO.file, options)
    return plain


def measured(clock: Callable[[], float], run: Callable[[], object]) -> float:
    """What a clock says that a run took."""
    began = clock()
    run()
    return clock() - began


def main() -> None:
    """Print one table: wall time on all cores, and the processor's time, which other programs move less."""
    settings, texts = Settings(), passages()
    folder = models.packaged_folder(models.MARCO)
    if folder is None:
        raise SystemExit(f"The reranker is not installed; {models.INSTALL}.")
    ways = {"plain": plainly(folder), "ours": models.load_reranker(settings, models.load_embedder(settings))}
    scores = {name: np.array(way.score(QUESTION, texts)) for name, way in ways.items()}
    apart = np.abs(scores["plain"] - scores["ours"]).mean()
    print(f"{len(texts)} passages, {ROUNDS} rounds, scores {apart:.3f} apart on average")
    for title, clock in (("wall", time.perf_counter), ("processor", time.process_time)):
        spent = [[measured(clock, partial(way.score, QUESTION, texts)) for way in ways.values()] for _ in range(ROUNDS)]
        plain, ours = (1000 * statistics.median(column) / len(texts) for column in zip(*spent, strict=True))
        print(f"{title:<10} {plain:5.1f} and {ours:5.1f} ms, ratio {statistics.median(a / b for a, b in spent):.2f}")


if __name__ == "__main__":
    main()
