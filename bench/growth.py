"""How build, questions, memory and disk grow with an index, in passages.

    .venv/bin/python bench/growth.py WORK --sizes 1000 10000 100000 --text CORPUS.jsonl ...

writes WORK/growth.json and prints it. Articles are made of sentences drawn from real ones (lines of JSON with a "text";
without --text those of corpus/), so that words are as frequent as in real text. Their vectors cost nothing: each is
that of a real passage with noise. What embedding takes is `bench/embed.py`'s to say. Questions are those of eval/,
embedded and reranked with the real weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qa import Assistant, ingest, models
from qa.chunks import sentences
from qa.evaluate import read_cases
from qa.settings import Settings
from qa.store import open_store
from qa.types import Database, Place, Vectors, place

BANK = 1_000
"""Real passages whose vectors the others are made from."""

NOISE = 0.6
"""Length of the noise beside a vector of length one: two passages made from one have a cosine of .74."""

SENTENCES = 28
"""Of an article: about eight passages."""

QUESTIONS = 40


class Bank:
    """Vectors like real ones at no cost; questions are embedded in earnest."""

    name, window = "bank", 254

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors
        self.dimension = vectors.shape[1]
        self.weights = hashlib.sha256(vectors.tobytes()).hexdigest()
        self._real = models.load_embedder(Settings())

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimension): by each text's hash a vector of the bank with noise."""
        rows = np.empty((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
            noise = np.random.default_rng(seed).standard_normal(self.dimension, np.float32)
            rows[row] = self.vectors[seed % len(self.vectors)] + NOISE * noise / np.linalg.norm(noise)
        unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def embed_question(self, question: str) -> Vectors:
        """Shape (dimension,)."""
        return self._real.embed_question(question)

    def count(self, text: str) -> int:
        """About as many tokens as the real one has, at no cost."""
        return len(text) // 4


def pool(files: Sequence[Path]) -> list[str]:
    """Sentences of real articles."""
    lines = (line for file in files for line in file.read_text("utf-8").splitlines())
    texts = [json.loads(line)["text"] for line in lines] or [p.read_text("utf-8") for p in Path("corpus").glob("*.md")]
    found = (span.of(text) for text in texts for span in sentences(text))
    return [sentence for sentence in found if 40 < len(sentence) < 400 and "\n" not in sentence]


def article(chance: random.Random, from_: Sequence[str]) -> str:
    """A title and sentences that have nothing to do with one another, in paragraphs of seven."""
    drawn = chance.choices(from_, k=SENTENCES)
    title = " ".join(chance.choice(from_).split()[:8])
    return "\n\n".join([title, *(" ".join(drawn[n : n + 7]) for n in range(0, SENTENCES, 7))]) + "\n"


def build(folder: Path, where: Place, size: int, bank: Bank, from_: Sequence[str]) -> dict[str, Any]:
    """Fill an index until it has as many passages; seconds without embedding, and bytes on disk."""
    chance = random.Random(size)  # noqa: S311 - not for secrets
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    for number in range(size // 9):
        (corpus / f"{number}.txt").write_text(article(chance, from_), "utf-8")
    spent = [0.0]

    class Timed(Bank):
        def embed(self, texts: Sequence[str]) -> Vectors:
            began = time.perf_counter()
            found = super().embed(texts)
            spent[0] += time.perf_counter() - began
            return found

    report = ingest.build(corpus, open_store(where), Timed(bank.vectors), lambda text: len(text) // 4)
    return {"passages": report.chunks, "articles": len(report.added), "build": report.seconds - spent[0]}


def disk(where: Place) -> int:
    """Bytes of an index."""
    if isinstance(where, Database):
        import psycopg

        with psycopg.connect(where.url) as connection:
            row = connection.execute(
                "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE nspname = 'verbatim' AND relkind = 'r'"
            ).fetchone()
            return int(row[0]) if row else 0
    return sum(path.stat().st_size for path in where.iterdir())


def medians(run: Callable[[str], object], questions: Sequence[str]) -> list[float]:
    """p50 and p95 in milliseconds."""
    spent = []
    for question in questions:
        began = time.perf_counter()
        run(question)
        spent.append(1000 * (time.perf_counter() - began))
    return [statistics.median(spent), sorted(spent)[int(0.95 * len(spent))]]


def served(where: Place, bank: Bank) -> dict[str, Any]:
    """What a fresh process takes to open the index and to answer."""
    began = time.perf_counter()
    store = open_store(where)
    with store.snapshot() as snapshot:
        size = snapshot.size
    opened = time.perf_counter() - began
    reranker = models.load_reranker(Settings(), bank)
    assistant = Assistant(store, bank, reranker)
    questions = [case.question for case in read_cases(Path("eval/questions.jsonl"))][:QUESTIONS]
    began = time.perf_counter()
    assistant.ask(questions[0])
    first = time.perf_counter() - began
    vectors = {question: bank.embed_question(question) for question in questions}

    def alone(use: str) -> Callable[[str], object]:
        def run(question: str) -> None:
            with store.snapshot() as snapshot:
                if use == "dense":
                    snapshot.dense(vectors[question], ("body",), 100)
                elif use == "lexical":
                    snapshot.lexical(question, ("body",), 100)

        return run

    return {
        "served": size,
        "open": opened,
        "first": first,
        "ask": medians(assistant.ask, questions),
        **{use: medians(alone(use), questions)[0] for use in ("snapshot", "dense", "lexical")},
        "memory": resident(),
    }


def resident() -> int:
    """Bytes of this process that are in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def one_more(folder: Path, where: Place, bank: Bank, from_: Sequence[str]) -> float:
    """Seconds from a new article to its being found."""
    spent = []
    for word in ("wobblequist", "snarkhaven", "quobblefen"):
        text = article(random.Random(word), from_)  # noqa: S311 - not for secrets
        (folder / "corpus" / f"{word}.txt").write_text(f"{text}\nThe {word} is here for all to see.\n", "utf-8")
        store = open_store(where)
        with store.snapshot():  # A page that runs has it open.
            pass
        began = time.perf_counter()
        ingest.build(folder / "corpus", store, bank, lambda text: len(text) // 4)
        with store.snapshot() as snapshot:
            found = snapshot.lexical(word, ("body",), 1)
            snapshot.dense(bank.vectors[0], ("body",), 10)
        spent.append(time.perf_counter() - began)
        if [source for (source, _), _ in found] != [f"{word}.txt"]:
            raise SystemExit(f"{word} is not found: {found}")
    return statistics.median(spent)


def bank_of(work: Path, from_: Sequence[str]) -> Bank:
    """Real vectors, made once."""
    kept = work / "bank.npy"
    if not kept.exists():
        drawn = random.Random(1).sample(from_, k=min(4 * BANK, len(from_)))  # noqa: S311 - not for secrets
        texts = [" ".join(drawn[n : n + 4]) for n in range(0, len(drawn), 4)]
        np.save(kept, models.load_embedder(Settings()).embed(texts))
    return Bank(np.load(kept))


def measured(work: Path, where: str, size: int, from_: Sequence[str]) -> dict[str, Any]:
    """Everything at one size."""
    folder, bank = work / str(size), bank_of(work, from_)
    there = place(where or str(folder / "store"))
    built = build(folder, there, size, bank, from_) if not folder.exists() else {}
    told = subprocess.run(  # noqa: S603 - this file
        [sys.executable, __file__, str(work), "--serve", where or str(there)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found: dict[str, Any] = built | json.loads(told)
    return found | {"disk": disk(there), "one more": one_more(folder, there, bank, from_)}


def main() -> None:
    """Measure, write and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("work", type=Path)
    options.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    options.add_argument("--text", type=Path, nargs="*", default=[])
    options.add_argument("--store", default="", help="a database instead of a folder; one size only")
    options.add_argument("--serve", help=argparse.SUPPRESS)
    given = options.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    if given.serve:
        print(json.dumps(served(place(given.serve), Bank(np.load(given.work / "bank.npy")))))
        return
    from_, rows = pool(given.text), []
    for size in given.sizes:
        rows.append(measured(given.work, given.store, size, from_))
        print(json.dumps(rows[-1]), flush=True)
    (given.work / "growth.json").write_text(json.dumps(rows, indent=1), "utf-8")


if __name__ == "__main__":
    main()
