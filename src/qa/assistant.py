"""The read side: a question in a conversation, search, answer. `Assistant.open` is the only wiring."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qa import answer as answers
from qa import ingest, models, search
from qa.settings import Settings
from qa.store import open_store
from qa.types import (
    Answer,
    BuildReport,
    Document,
    Embedder,
    Passage,
    Progress,
    QAError,
    Reranker,
    Segment,
    Snapshot,
    Store,
    StoreError,
)

MAX_QUESTION = 2_000
"""Characters; a longer text is a document rather than a question."""

MAX_PASSAGES = 100
"""The most passages that one retrieval returns."""

Message = Mapping[str, Any]


class Assistant:
    """Loaded once, asked often, from any number of threads. Each question sees the newest index, whole."""

    def __init__(self, store: Store, embedder: Embedder, reranker: Reranker) -> None:
        self._store = store
        self._embedder = embedder
        self._reranker = reranker

    @classmethod
    def open(cls, store: str | Path | None = None, settings: Settings | None = None) -> Assistant:
        """Open an index, by default the one that the settings name.

        Raises StoreError when there is none, or when it was built with another embedder; ModelError without weights.
        """
        settings = settings or Settings.load()
        where = open_store(store or settings.store)
        with where.snapshot() as snapshot:  # Before weights are loaded: what is wrong is said at once.
            name = models.embedder_name(settings)
            if name != snapshot.manifest.embedder and not Path(name).is_dir():
                raise _other_embedder(snapshot, name)
        embedder = models.load_embedder(settings)
        return cls(where, embedder, models.load_reranker(settings, embedder))

    def retrieve(self, question: str, k: int = 10, include_comments: bool = False) -> list[Passage]:
        """The `k` best passages (1 to 100), best first."""
        if not 1 <= k <= MAX_PASSAGES:
            raise QAError(f"{k} passages cannot be retrieved; ask for a number from 1 to {MAX_PASSAGES}.")
        asked = self._fitting(checked(question))
        with self._store.snapshot() as snapshot:
            return self._search(snapshot, asked, k, include_comments)

    def ask(self, question: str, history: Sequence[Message] = (), include_comments: bool = False) -> Answer:
        """The answer, or the refusal, to a question; `history` holds the earlier messages (role, content)."""
        said = self._fitting(checked(question))
        asked = standalone(said, history)
        if self._embedder.count(asked) > self._embedder.window:
            asked = said
        with self._store.snapshot() as snapshot:
            passages = self._search(snapshot, asked, answers.READ, include_comments)
        return answers.answer(asked, said, passages, self._reranker)

    def _fitting(self, question: str) -> str:
        """The question; QAError when the embedder could not read it to its end."""
        if self._embedder.count(question) > self._embedder.window:
            raise QAError(f"The question is longer than the {self._embedder.window} tokens that are read; shorten it.")
        return question

    def document(self, source: str) -> Document:
        """An indexed document with its exact text; StoreError if there is none of that name."""
        return self.labelled(source)[0]

    def labelled(self, source: str) -> tuple[Document, tuple[Segment, ...]]:
        """An indexed document and its labelled parts, of one generation; StoreError if there is none of that name."""
        with self._store.snapshot() as snapshot:
            return snapshot.document(source), snapshot.segments(source)

    def sources(self) -> list[str]:
        """The names of all indexed documents, sorted."""
        with self._store.snapshot() as snapshot:
            return snapshot.sources()

    def _search(self, snapshot: Snapshot, question: str, k: int, include_comments: bool) -> list[Passage]:
        if snapshot.manifest.weights != self._embedder.weights:
            raise _other_embedder(snapshot, self._embedder.name)
        return search.search(snapshot, self._embedder, self._reranker, question, k, include_comments)


def build_index(
    corpus: str | Path | None = None,
    store: str | Path | None = None,
    progress: Progress | None = None,
    settings: Settings | None = None,
) -> BuildReport:
    """Bring an index up to date with a folder of articles; only what changed is read and embedded again.

    The index is seen whole or not at all: an interrupted build changes nothing. Raises CorpusError when the folder is
    missing or empty, StoreError when another build is running.
    """
    settings = settings or Settings.load()
    folder = Path(corpus or settings.corpus)
    ingest.articles(folder)  # Before weights are loaded: what is wrong is said at once.
    return ingest.build(
        folder,
        open_store(store or settings.store),
        models.load_embedder(settings),
        models.token_counter(settings),
        progress,
    )


def checked(question: str) -> str:
    """The question without the blanks around it; QAError when it is empty or far too long."""
    # What a terminal hands over may not be Unicode; it is shown as "?" rather than failing further in.
    asked = " ".join(str(question).encode("utf-8", "replace").decode().split())
    if not re.search(r"\w", asked):
        raise QAError("The question is empty; type at least one word.")
    if len(asked) > MAX_QUESTION:
        raise QAError(f"The question has {len(asked):,} characters; shorten it to at most {MAX_QUESTION:,}.")
    return asked


def _other_embedder(snapshot: Snapshot, name: str) -> StoreError:
    built = snapshot.manifest.embedder
    return StoreError(f"The index was built with {built} and {name} is set; run `qa index` to build it anew.")


# --- follow-up questions ----------------------------------------------------------------------------------------------

FOLLOW_UP = re.compile(
    r"\b(?:he|she|it|they|him|her|his|hers|its|their|theirs|them|él|ella|ellos|ellas)\b"
    r"|^(?:and|but|so|what about|how about|y|pero)\b",
    re.I,
)
"""Words that point back at something said before. "That", "there" and "one" mostly point inside their own question."""

BARE = 2
"""A question of no more words than this ("Why?", "When exactly?") says nothing alone."""


def standalone(question: str, history: Sequence[Message]) -> str:
    """The question as it reads without its conversation.

    A follow-up carries the question before it, which by then stands alone itself; any other question is returned as it
    is.
    """
    whole = ""
    for text in (*(text for text in map(_user_text, history) if text), question):
        points_back = FOLLOW_UP.search(text) or len(text.split()) <= BARE
        whole = f"{whole.rstrip(' ?.!')}: {text}" if whole and points_back else text
    return whole


def _user_text(message: Message) -> str:
    """What a person said, from a plain string or from the page's list of blocks."""
    if message.get("role") != "user":
        return ""
    content = message.get("content") or ""
    if isinstance(content, str):
        return " ".join(content.split())
    blocks = content if isinstance(content, Sequence) else [content]
    texts = [block.get("text") or "" if isinstance(block, Mapping) else str(block) for block in blocks]
    return " ".join(" ".join(texts).split())
