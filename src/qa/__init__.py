"""Verbatim: ask a folder of articles, get sentences quoted from a named place in a named file.

In the order of the flow: `build_index` reads a folder, `retrieve` finds passages, `ask` answers with quotes, and
`Assistant.open` does the last two for many questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from qa.assistant import Assistant, build_index
from qa.conversation import Message
from qa.settings import Settings
from qa.types import (
    NO_FILTERS,
    Answer,
    BuildReport,
    CorpusError,
    Document,
    Entry,
    Filters,
    ModelError,
    Passage,
    QAError,
    Quote,
    Ranks,
    Span,
    StoreError,
)

__all__ = [
    "Answer",
    "Assistant",
    "BuildReport",
    "CorpusError",
    "Document",
    "Entry",
    "Filters",
    "ModelError",
    "Passage",
    "QAError",
    "Quote",
    "Ranks",
    "Settings",
    "Span",
    "StoreError",
    "ask",
    "build_index",
    "retrieve",
]


def retrieve(
    question: str,
    k: int = 10,
    store: str | Path | None = None,
    include_comments: bool = False,
    filters: Filters = NO_FILTERS,
) -> list[Passage]:
    """The `k` best passages of an index, best first; `store` defaults to the settings'.

    Only documents that pass the `filters` are asked; QAError when none passes.
    """
    return _assistant(store).retrieve(question, k, include_comments, filters)


def ask(
    question: str,
    history: Sequence[Message] = (),
    store: str | Path | None = None,
    include_comments: bool = False,
    filters: Filters = NO_FILTERS,
) -> Answer:
    """The answer of an index to a question; `history` holds earlier messages as {"role": …, "content": …}.

    Only documents that pass the `filters` are asked; QAError when none passes.
    """
    return _assistant(store).ask(question, history, include_comments, filters)


def _assistant(store: str | Path | None) -> Assistant:
    settings = Settings.load()
    return _opened(Path(store or settings.store).absolute(), settings)


@lru_cache(maxsize=4)
def _opened(store: Path, settings: Settings) -> Assistant:
    return Assistant.open(store, settings)


__version__ = version("verbatim-qa")
