"""Verbatim: ask a folder of articles, get sentences quoted from a named place in a named file.

In the order of the flow: `build_index` reads a folder, `retrieve` finds passages, `ask` answers with quotes,
`verify_quote` says whether a quote stands in an article, and `Assistant.open` does the last three many times.
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
    Place,
    QAError,
    Quote,
    Ranks,
    Span,
    Statement,
    StoreError,
    Verdict,
    place,
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
    "Statement",
    "StoreError",
    "Verdict",
    "ask",
    "build_index",
    "retrieve",
    "verify_quote",
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


def verify_quote(text: str, source: str = "", store: str | Path | None = None) -> list[Verdict]:
    """Whether a text stands in the articles of an index word for word, as it is or sentence by sentence, and where.

    With `source`, "exact" is what stands in that document. QAError when the text is empty, longer than 20,000
    characters or when there is no such document.
    """
    return _assistant(store).verify_quote(text, source)


def _assistant(store: str | Path | None) -> Assistant:
    settings = Settings.load()
    where = place(store or settings.store)
    return _opened(where.absolute() if isinstance(where, Path) else where, settings)


@lru_cache(maxsize=4)
def _opened(store: Place, settings: Settings) -> Assistant:
    return Assistant.open(store, settings)


__version__ = version("verbatim-qa")
