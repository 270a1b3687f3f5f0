"""One new article in a store of 10,000 passages: seconds until it is found, its own embedding not counted."""

from __future__ import annotations

import argparse
import hashlib
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qa import ingest
from qa.store import open_store
from qa.types import Store, Vectors

WORDS = [first + middle + last for first in "bdfgklmnprst" for middle in "aeiou" for last in ("n", "rel", "sto", "x")]
PARAGRAPHS, SENTENCES = 5, 12


class Instant:
    """Vectors of the usual width that cost nothing, so that everything else is seen."""

    name, dimension, window, weights = "instant", 384, 254, "instant"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), 384): a unit vector by the text's hash."""
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") for text in texts]
        rows = [np.random.default_rng(seed).normal(size=self.dimension) for seed in seeds]
        found = np.array(rows, np.float32).reshape(-1, 384)
        unit: Vectors = found / np.linalg.norm(found, axis=1, keepdims=True)
        return unit

    def embed_question(self, question: str) -> Vectors:
        """Shape (384,)."""
        row: Vectors = self.embed([question])[0]
        return row

    def count(self, text: str) -> int:
        """About as many tokens as the real one has."""
        return len(text) // 4


def article(chance: random.Random) -> str:
    """Five paragraphs of made-up words, each about a passage long."""

    def sentence() -> str:
        return " ".join(chance.choices(WORDS, k=12)).capitalize() + "."

    paragraphs = (" ".join(sentence() for _ in range(SENTENCES)) for _ in range(PARAGRAPHS))
    return "\n\n".join([" ".join(chance.choices(WORDS, k=6)).capitalize(), *paragraphs]) + "\n"


def main() -> None:
    """Fill a store, then add articles one by one."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--passages", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    chance, embedder = random.Random(7), Instant()  # noqa: S311 - not for secrets
    with tempfile.TemporaryDirectory() as folder:
        corpus, store = Path(folder, "corpus"), open_store(Path(folder, "store"))
        corpus.mkdir()
        for number in range(given.passages // 8):
            (corpus / f"{number}.txt").write_text(article(chance), "utf-8")
        report = ingest.build(corpus, store, embedder, lambda text: len(text) // 4)
        print(f"{report.chunks} passages of {len(report.added)} articles built in {report.seconds:.1f} s")
        while report.chunks < given.passages:
            for _ in range(1 + (given.passages - report.chunks) // 10):
                (corpus / f"more-{chance.random()}.txt").write_text(article(chance), "utf-8")
            report = ingest.build(corpus, store, embedder, lambda text: len(text) // 4)
        seconds = [_added(corpus, store, embedder, f"new-{n}", chance) for n in range(given.rounds)]
        print(
            f"one more article in {report.chunks} passages: built in {statistics.median(s for s, _ in seconds):.3f} s, "
            f"found after {statistics.median(s for _, s in seconds):.3f} s "
            f"({min(s for _, s in seconds):.3f} to {max(s for _, s in seconds):.3f})"
        )


def _added(corpus: Path, store: Store, embedder: Instant, word: str, chance: random.Random) -> tuple[float, float]:
    """Seconds until the build ended, and until the new article is the first that is found by its word."""
    word = word.replace("-", "")
    (corpus / f"{word}.txt").write_text(article(chance) + f"\nThe {word} is here.\n", "utf-8")
    began = time.perf_counter()
    report = ingest.build(corpus, store, embedder, lambda text: len(text) // 4)
    built = time.perf_counter() - began
    with store.snapshot() as snapshot:
        found = snapshot.lexical(word, ("body",), 1)
        snapshot.dense(embedder.embed_question(word), ("body",), 1)
    if not report.added == (f"{word}.txt",) == tuple(source for (source, _), _ in found):
        raise SystemExit(f"{word}.txt is not found: {found}")
    return built, time.perf_counter() - began


if __name__ == "__main__":
    main()
