"""What is installed, which weights are used and from where, what the index holds, and what to run if one is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from qa import documents, generate, ingest, models
from qa.assistant import build_index
from qa.settings import Settings
from qa.store import open_store
from qa.types import CorpusError, Database, Fault, Progress, QAError, Store, StoreError

SHOWN = 5
"""How many faults are told; a damaged index may have thousands."""

PACKAGES = ("torch", "sentence-transformers", "faiss-cpu", "onnxruntime", "tiktoken", "sentencex", "openai", "gradio")


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
        ("reader", _reader),
        ("tokens", _tokens),
        ("corpus", _corpus),
        ("index", _index),
        ("model", _model),
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


def _reader(settings: Settings) -> Iterator[str]:
    reader = models.load_reader(settings)
    if reader is None:
        why = "switched off by QA_READER=none" if settings.reader else "missing, as the reranker's package is"
        yield f"{why}; no short answers, and near misses are answered more often"
        return
    yield f"{reader.name} from {settings.reader or models.READER_GRAPH[0]}"


def _tokens(settings: Settings) -> Iterator[str]:
    models.token_counter(settings)
    yield f"{models.ENCODING}, unpacked in {settings.cache.expanduser()}"


def _corpus(settings: Settings) -> Iterator[str]:
    readable, other = documents.scan(settings.corpus)
    yield f"{len(readable)} articles in {settings.corpus}" + (f", {len(other)} files left out" if other else "")


def _index(settings: Settings) -> Iterator[str]:
    store = open_store(settings.store)
    if found := store.check():
        raise QAError(f"The index in {settings.store} is damaged: {_listed(found)}; run `qa doctor --repair`.")
    with store.snapshot() as snapshot:
        manifest, sources = snapshot.manifest, snapshot.sources()
        if manifest.embedder != models.embedder_name(settings):
            raise QAError(f"The index was built with {manifest.embedder}; run `qa index` to build it anew.")
        if not snapshot.size:
            raise QAError(
                f"The index in {settings.store} has no passage; put articles into {settings.corpus} and run `qa index`."
            )
        yield (
            f"{len(sources)} documents with {snapshot.size} passages in {settings.store}, generation "
            f"{manifest.generation}, by {manifest.embedder}; every check holds"
        )


def _model(settings: Settings) -> Iterator[str]:
    endpoint = generate.endpoint(settings)
    yield generate.probe(endpoint) if endpoint else "switched off; answers are made of quotes"


def _listed(found: Sequence[Fault]) -> str:
    more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(fault.says for fault in found[:SHOWN]) + more


# --- mending ---------------------------------------------------------------------------------------------------------


def repair(settings: Settings, progress: Progress | None = None) -> Iterator[str]:
    """Mend the index as far as it can be, telling in sentences what was found and done.

    What is derived is made again from the texts in the index; an index whose texts are damaged is moved away and built
    anew from the articles. QAError, and the damaged index stays where it is, when there are none.
    """
    store = open_store(settings.store)
    found = store.check()
    if not found:
        yield "Every check of the index holds; there is nothing to mend."
        return
    yield f"Found: {_listed(found)}."
    if all(fault.derived for fault in found) and (mended := _mended(store, settings, progress)):
        yield mended
        return
    _articles(settings)
    what = "schema" if isinstance(settings.store, Database) else "folder"
    yield f"The damaged index was moved to {store.set_aside()}; remove that {what} when all is well."
    report = build_index(progress=progress, settings=settings)
    yield f"The index was built anew from {settings.corpus}: {report.counts}, {report.embedded} passages embedded."
    yield from (reason for _, reason in report.failed)


def _mended(store: Store, settings: Settings, progress: Progress | None) -> str:
    try:
        embedded = ingest.mend(store, models.load_embedder(settings), progress)
    except StoreError:  # It cannot even be opened for that.
        return ""
    return f"What is derived was made again from the texts in the index; {embedded} passages were embedded."


def _articles(settings: Settings) -> None:
    try:
        ingest.articles(settings.corpus)
    except CorpusError as error:
        raise CorpusError(
            f"Only the articles themselves, or a copy, could mend this index, and {settings.corpus} has none; put them "
            f"there and run `qa doctor --repair`, or `qa import --overwrite FILE`."
        ) from error
