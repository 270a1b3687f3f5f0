"""Chunks embedded a second: the packaged weights as the program runs them, and called plainly, taking turns.

.venv/bin/python bench/embed.py [FOLDER OF ARTICLES]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from qa import chunks, documents, ingest, models
from qa.models import SentenceTransformerEmbedder
from qa.settings import Settings
from qa.types import Embedder, Vectors

CHUNKS = 240
ROUNDS = 5

Embed = Callable[[list[str]], Vectors]


def texts(embedder: Embedder, settings: Settings) -> list[str]:
    """What is embedded of the articles' chunks, the first ones; a small corpus gives runs of their sentences too."""
    count = models.token_counter(settings)
    whole: list[str] = []
    runs: list[str] = []
    for source in documents.scan(settings.corpus)[0]:
        document, parts = ingest.read_labelled(settings.corpus, source)
        for chunk in chunks.split(document, parts, count, embedder.count, embedder.window):
            whole.append(chunk.context)
            spans = chunks.sentences(chunk.text)
            runs += [chunk.text[a.start : b.end] for a in spans for b in spans if a.start <= b.start]
        if len(whole) >= CHUNKS:
            break
    return [*whole, *sorted(set(runs), key=len, reverse=True)][:CHUNKS]


def timed(ways: dict[str, Embed], many: list[str]) -> tuple[dict[str, list[float]], dict[str, Vectors]]:
    """Seconds that each way takes for all texts, round by round, and its vectors."""
    vectors = {name: embed(many) for name, embed in ways.items()}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, embed in ways.items():
            began = time.perf_counter()
            embed(many)
            spent[name].append(time.perf_counter() - began)
    return spent, vectors


def plainly(folder: str) -> Embed:
    """As the documentation of sentence-transformers has it."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu", local_files_only=True)
    return lambda many: model.encode(many, normalize_embeddings=True)


def main() -> None:
    """Print one table."""
    settings = Settings.load(corpus=Path(sys.argv[1] if sys.argv[1:] else "corpus"))
    packaged, folder = models.load_embedder(settings), str(models.packaged_folder(models.MINILM))
    fast = SentenceTransformerEmbedder(folder)
    ways: dict[str, Embed] = {
        "called plainly": plainly(folder),
        "sentence-transformers, float32": SentenceTransformerEmbedder(folder, bfloat16=False).embed,
        f"sentence-transformers, {fast.dtype}": fast.embed,
        "onnxruntime": packaged.embed,
    }
    many = texts(packaged, settings)
    tokens = statistics.mean(packaged.count(text) for text in many)
    spent, vectors = timed(ways, many)
    print(f"{len(many)} texts of {tokens:.0f} tokens on average, {ROUNDS} rounds")
    for name in ways:
        ratio = statistics.median(a / b for a, b in zip(spent["called plainly"], spent[name], strict=True))
        least = np.sum(vectors["called plainly"] * vectors[name], axis=1).min()
        print(f"| {name} | {len(many) / statistics.median(spent[name]):.0f} | {ratio:.2f} | {least:.6f} |")


if __name__ == "__main__":
    main()
