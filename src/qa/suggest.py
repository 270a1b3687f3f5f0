"""Next questions: whom and what the passages at hand speak of besides the quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from qa.names import LINKS, OPENERS, fold, names
from qa.types import Answer

SUGGESTED = 3
"""Questions suggested after an answer."""

NEAR = 6.0
"""A passage is used when its score is at most this much under the best one's; those below have left the topic."""

LONGEST = 40
"""Characters of a name; a longer one is a headline in capitals, or a list."""

_SAYS = r"(?:said|says|told|added|announced|rejected|warned|explained|argued|called|insisted|denied)"
_SAID_BY = r"(?:said|says|added|explained|argued|insisted)"
"""What stands before the name of who speaks; who was told, called or rejected has said nothing."""


def next_questions(answer: Answer) -> tuple[str, ...]:
    """At most SUGGESTED questions that the passages of an answer speak to, those of the best passage first.

    Each asks for a name of two words or more that neither the question nor a quote has. A name that says something is
    asked for its words, any other for what the articles say of it; both forms are found by the name alone.
    """
    texts = [passage.text for passage in answer.passages if passage.score >= answer.passages[0].score - NEAR]
    known = _words(" ".join([answer.question, *(quote.text for quote in answer.quotes)]))
    fresh = [name for text in texts for name in _full_names(text) if not _words(name) & known]
    return tuple(_question(name, texts) for name in _apart(fresh))[:SUGGESTED]


def _full_names(text: str) -> list[str]:
    """The names of two words or more, without those that are a part of another."""
    found = [name for name in dict.fromkeys(names(text)) if " " in name and len(name) <= LONGEST]
    whole = [name for name in found if not any(name in other and name != other for other in found)]
    return [name for name in whole if name != name.upper() and fold(name.split()[0]) not in OPENERS]


def _apart(ranked: list[str]) -> Iterator[str]:
    """The names that share no word with a better one: "Department of Justice" and "Justice Department" are one."""
    used: set[str] = set()
    for name in ranked:
        words = _words(name)
        if not words & used:
            used |= words
            yield name


def _words(text: str) -> set[str]:
    """The words by which names are told apart; "of" is in too many."""
    return set(re.findall(r"\w+", fold(text))) - LINKS


def _question(name: str, texts: list[str]) -> str:
    speaks = re.compile(rf"{re.escape(name)}(?:,[^,.]{{1,60}},)? {_SAYS}\b|\b{_SAID_BY} {re.escape(name)}\b")
    if any(speaks.search(" ".join(text.split())) for text in texts):
        return f"What did {name} say?"
    return f"What do the articles say about {name}?"
