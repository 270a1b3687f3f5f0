"""Chunks embedded a second, and what bfloat16 costs in cosine, on this machine and on the project's own articles.

.venv/bin/python bench/embed.py
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np

from qa import chunks, documents, ingest, models
from qa.models import SentenceTransformerEmbedder
from qa.settings import Settings
from qa.types import Vectors

CHUNKS = 500
ROUNDS = 3


def texts(embedder: SentenceTransformerEmbedder, settings: Settings) -> list[str]:
    """The contexts of the corpus's chunks, and of their runs of sentences, until there are enough."""
    count = models.token_counter(settings)
    found: list[str] = []
    for source in documents.scan(settings.corpus)[0]:
        document, parts = ingest.read_labelled(settings.corpus, source)
        for chunk in chunks.split(document, parts, count, embedder.count, embedder.window):
            spans = chunks.sentences(chunk.text)
            ends = [(a, b) for a in spans for b in spans if a.start <= b.start]
            found += [chunk.text[a.start : b.end] for a, b in ends]
    return sorted(set(found))[:CHUNKS]


def seconds(embedder: SentenceTransformerEmbedder, many: list[str]) -> tuple[float, Vectors]:
    """The median of some rounds, and the vectors."""
    spent = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        vectors = embedder.embed(many)
        spent.append(time.perf_counter() - began)
    return statistics.median(spent), vectors


def main() -> None:
    """Print one table."""
    settings = Settings.load(corpus=Path("corpus"))
    folder = str(models.packaged_folder(models.MINILM))
    fast = SentenceTransformerEmbedder(folder)
    exact = SentenceTransformerEmbedder(folder, bfloat16=False)
    many = texts(fast, settings)
    for embedder in (exact, fast):
        embedder.embed(many[:32])
    exact_seconds, exact_vectors = seconds(exact, many)
    fast_seconds, fast_vectors = seconds(fast, many)
    cosines = np.sum(exact_vectors * fast_vectors, axis=1)
    print(f"texts                     {len(many)}")
    print(f"float32, texts a second   {len(many) / exact_seconds:.0f}")
    print(f"{fast.dtype}, texts a second  {len(many) / fast_seconds:.0f}")
    print(f"ratio                     {exact_seconds / fast_seconds:.2f}")
    print(f"least cosine              {cosines.min():.6f}")


if __name__ == "__main__":
    main()
