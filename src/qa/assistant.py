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
            _check_name(snapshot, models.embedder_name(settings))
        embedder = models.load_embedder(settings)
        return cls(where, embedder, models.load_reranker(settings, embedder))

    def retrieve(self, question: str, k: int = 10, include_comments: bool = False) -> list[Passage]:
        """The `k` best passages (1 to 100), best first."""
        if not 1 <= k <= MAX_PASSAGES:
            raise QAError(f"{k} passages cannot be retrieved; ask for a number from 1 to {MAX_PASSAGES}.")
        asked = checked(question)
        with self._store.snapshot() as snapshot:
            return self._search(snapshot, asked, k, include_comments)

    def ask(self, question: str, history: Sequence[Message] = (), include_comments: bool = False) -> Answer:
        """The answer, or the refusal, to a question; `history` holds the earlier messages (role, content)."""
        asked = standalone(checked(question), history)
        with self._store.snapshot() as snapshot:
            passages = self._search(snapshot, asked, answers.READ, include_comments)
        return answers.answer(asked, passages, self._reranker)

    def document(self, source: str) -> Document:
        """An indexed document with its exact text; StoreError if there is none of that name."""
        with self._store.snapshot() as snapshot:
            return snapshot.document(source)

    def segments(self, source: str) -> tuple[Segment, ...]:
        """The labelled parts of an indexed document, in order."""
        with self._store.snapshot() as snapshot:
            return snapshot.segments(source)

    def sources(self) -> list[str]:
        """The names of all indexed documents, sorted."""
        with self._store.snapshot() as snapshot:
            return snapshot.sources()

    def _search(self, snapshot: Snapshot, question: str, k: int, include_comments: bool) -> list[Passage]:
        if snapshot.manifest.weights != self._embedder.weights:
            _check_name(snapshot, self._embedder.name)
            raise StoreError(
                f"The index was built with other weights of {self._embedder.name}; run `qa index` to build it anew."
            )
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
    asked = " ".join(str(question).split())
    if not re.search(r"\w", asked):
        raise QAError("The question is empty; type at least one word.")
    if len(asked) > MAX_QUESTION:
        raise QAError(f"The question has {len(asked):,} characters; shorten it to at most {MAX_QUESTION:,}.")
    return asked


def _check_name(snapshot: Snapshot, name: str) -> None:
    built = snapshot.manifest.embedder
    if built != name:
        raise StoreError(f"The index was built with {built} and {name} is set; run `qa index` to build it anew.")


# --- follow-up questions ----------------------------------------------------------------------------------------------

FOLLOW_UP = re.compile(
    r"\b(?:he|she|it|they|him|her|his|hers|its|their|them|this|that|these|those|there|then|one|ones|former|latter|same"
    r"|else|another|él|ella|ellos|ellas|su|sus|eso|esto)\b"
    r"|^(?:and|but|so|or|what about|how about|why|why not|y|pero)\b",
    re.I,
)
"""Words that point back at something said before."""

SHORT = 4
"""A question of no more words than this seldom stands alone in a conversation."""


def standalone(question: str, history: Sequence[Message]) -> str:
    """The question as it reads without its conversation.

    A follow-up carries the words of the question before it, which by then stands alone itself; any other question is
    returned as it is.
    """
    asked = [text for text in map(_user_text, history) if text]
    if not asked or not (FOLLOW_UP.search(question) or len(question.split()) <= SHORT):
        return question
    before = standalone(asked[-1], [{"role": "user", "content": text} for text in asked[:-1]])
    return f"{before.rstrip(' ?.!')}: {question}"[-MAX_QUESTION:]


def _user_text(message: Message) -> str:
    """What a person said, from a plain string or from the page's list of blocks."""
    if message.get("role") != "user":
        return ""
    content = message.get("content") or ""
    if isinstance(content, str):
        return " ".join(content.split())
    blocks = content if isinstance(content, Sequence) else [content]
    texts = [block.get("text", "") if isinstance(block, Mapping) else str(block) for block in blocks]
    return " ".join(" ".join(texts).split())
