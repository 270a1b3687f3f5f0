"""Whether sentences of an article support a statement about them: what must not differ, then a judge of the whole."""

from __future__ import annotations

import re
from collections.abc import Sequence

from text_to_num import alpha2digit

from qa.confidence import STEM
from qa.conversation import EMPTY
from qa.names import OPENERS, fold, words
from qa.types import Reranker, Struck

LEAST = 4.5
SHARED = 0.45


def struck(statement: str, cited: Sequence[str], judge: Reranker) -> Struck:
    """Why the cited sentences do not support a statement; "" when they do."""
    evidence = " ".join(cited)
    if numbers(statement) - numbers(evidence):
        return "number"
    if _names(statement) - _stems(evidence):
        return "name"
    if negated(statement) != negated(evidence):
        return "negation"
    own = _stems(statement)
    if len(own & _stems(evidence)) < SHARED * len(own):
        return "unsupported"
    (logit,) = judge.score(statement, [evidence])
    return "" if logit >= LEAST else "unsupported"


_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")
_NEGATION = re.compile(
    r"\b(?:not|no|none|never|nobody|nothing|nowhere|neither|nor|without|cannot|\w+n['’]t|refus\w+|den(?:y|ie[sd])\w*|reject\w*|fail\w*"
    r"|ni|nunca|jamás|nadie|nada|ningun\w*|ningún|sin|tampoco|rechaz\w+|neg(?:ó|aron|ar))\b",
    re.I,
)


def numbers(text: str) -> set[str]:
    """The numbers of a text as figures, those in words too."""
    figures = alpha2digit(alpha2digit(text, "en"), "es")
    return {figure.replace(",", "") for figure in _FIGURE.findall(figures)}


def negated(text: str) -> bool:
    """Whether a text denies something."""
    return _NEGATION.search(text) is not None


def _names(text: str) -> set[str]:
    return {fold(word)[:STEM] for word in words(text) if word[0].isupper() and fold(word) not in OPENERS}


def _stems(text: str) -> set[str]:
    """The beginnings of the words that say something, in whatever inflection."""
    return {fold(word)[:STEM] for word in words(text) if fold(word) not in EMPTY}
