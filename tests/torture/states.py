"""Articles whose text says which state of the corpus they belong to, and everything that an index answers from."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np

from qa import Assistant, ingest
from qa.types import Kind, Store
from tests.conftest import WordEmbedder, WordReranker, words

Corpus: TypeAlias = Mapping[str, str]
"""{source: text} of a whole folder."""

ALL_KINDS: tuple[Kind, ...] = ("body", "comment")
QUESTIONS = ("goats on the ferry", "Which engineer found rust?", "salt and flour in March")

_WORDS = (
    "ferry goats salt flour island bridge rust engineer March noon harbour storm lantern captain rope barrel wind "
    "letter market bishop orchard winter tunnel signal miller"
).split()


class QuickEmbedder(WordEmbedder):
    """The same vectors, but each word's direction is drawn once: what is tried here is the store."""

    def _vector(self, text: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        total = np.zeros(self.dimension)
        for word in sorted(re.findall(r"\w+", text.lower())):
            total += _direction(word, self.dimension)
        return total


@lru_cache(maxsize=100_000)
def _direction(word: str, dimension: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).standard_normal(dimension)


def article(number: int, state: str, sentences: int = 6) -> str:
    """An article of which every sentence names its number and its state."""
    chance = random.Random(f"{number} {state}")
    told = [" ".join(chance.choices(_WORDS, k=9)) for _ in range(sentences)]
    body = " ".join(f"The {text} came in {state} {number}." for text in told)
    return f"Article {number}\n\n{body}\n\n1 comment\n\n1. Al\n\nTypical {state} {number}!\n"


def corpus(numbers: Mapping[int, str]) -> Corpus:
    """The folder in which each number's article is in that state."""
    return {f"{number % 3}/{number}.txt": article(number, state) for number, state in numbers.items()}


def write(folder: Path, files: Corpus) -> None:
    """Make the folder hold these files and no others."""
    for path in folder.rglob("*.txt"):
        if path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for source, text in files.items():
        path = folder / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def build(folder: Path, store: Store) -> None:
    ingest.build(folder, store, QuickEmbedder(), words)


def assistant(store: Store) -> Assistant:
    return Assistant(store, QuickEmbedder(), WordReranker())


def content(store: Store) -> object:
    """Everything that an index answers from, and how it ranks it; equal for equal indexes."""
    embedder = QuickEmbedder()
    with store.snapshot() as snapshot:
        documents = [(snapshot.document(source), snapshot.segments(source)) for source in snapshot.sources()]
        dense = [snapshot.dense(embedder.embed_question(asked), ALL_KINDS, snapshot.size) for asked in QUESTIONS]
        lexical = [snapshot.lexical(asked, ALL_KINDS, snapshot.size) for asked in (*QUESTIONS, *_WORDS)]
        chunks = snapshot.chunks(sorted(key for key, _ in dense[0]))
        entries = list(snapshot.entries())
    asking = assistant(store)
    found = [asking.retrieve(asked, 20, include_comments=True) for asked in QUESTIONS]
    return documents, chunks, entries, dense, lexical, found


def generation(store: Store) -> int:
    with store.snapshot() as snapshot:
        return snapshot.manifest.generation
