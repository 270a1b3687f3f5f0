"""What is installed, which weights are used and from where, what the index holds, and what to run if one is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from qa import documents, models
from qa.settings import Settings
from qa.store import open_store
from qa.types import QAError

PACKAGES = ("torch", "sentence-transformers", "faiss-cpu", "onnxruntime", "tiktoken", "sentencex", "gradio")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    about: str
    ok: bool
    says: str


def examine(settings: Settings) -> list[Finding]:
    """Look at everything a question needs, in the order in which it is needed."""
    parts: tuple[tuple[str, Callable[[Settings], Iterator[str]]], ...] = (
        ("packages", _packages),
        ("embedder", _embedder),
        ("reranker", _reranker),
        ("tokens", _tokens),
        ("corpus", _corpus),
        ("index", _index),
    )
    return [finding for about, look in parts for finding in _findings(about, look, settings)]


def _findings(about: str, look: Callable[[Settings], Iterator[str]], settings: Settings) -> Iterator[Finding]:
    try:
        for sentence in look(settings):
            yield Finding(about, True, sentence)
    except QAError as error:
        yield Finding(about, False, str(error))


def _packages(settings: Settings) -> Iterator[str]:
    try:
        installed = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    except PackageNotFoundError as error:
        raise QAError(f"The package {error.name} is missing; {models.INSTALL}.") from error
    yield f"Python {sys.version.split()[0]}, {installed}"


def _embedder(settings: Settings) -> Iterator[str]:
    embedder = models.load_embedder(settings)
    yield f"{embedder.name} from {models.origin(settings.embedder, models.MINILM)}, {embedder.dimension} dimensions"


def _reranker(settings: Settings) -> Iterator[str]:
    if settings.reranker == "none":
        yield "switched off by QA_RERANKER=none; answers are less precise"
        return
    if not settings.reranker and models.packaged_folder(models.MARCO) is None:
        raise QAError(models.NO_RERANKER)
    reranker = models.load_reranker(settings, models.load_embedder(settings))
    yield f"{reranker.name} from {models.origin(settings.reranker, models.MARCO)}"


def _tokens(settings: Settings) -> Iterator[str]:
    models.token_counter(settings)
    yield f"{models.ENCODING}, unpacked in {settings.cache.expanduser()}"


def _corpus(settings: Settings) -> Iterator[str]:
    readable, other = documents.scan(settings.corpus)
    yield f"{len(readable)} articles in {settings.corpus}" + (f", {len(other)} files left out" if other else "")


def _index(settings: Settings) -> Iterator[str]:
    with open_store(settings.store).snapshot() as snapshot:
        manifest, sources = snapshot.manifest, snapshot.sources()
        if manifest.embedder != models.embedder_name(settings):
            raise QAError(f"The index was built with {manifest.embedder}; run `qa index` to build it anew.")
        yield f"{len(sources)} documents in {settings.store}, generation {manifest.generation}, by {manifest.embedder}"
