"""A follow-up question becomes one that stands alone, without a language model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from qa.aims import aim_of, names_anew
from qa.names import OPENERS, fold, names, words

Message = Mapping[str, Any]

POINTS_BACK = re.compile(
    r"\b(?:he|she|it|they|him|her|his|hers|its|their|theirs|them|él|ella|ellos|ellas)\b"
    r"|^(?:and|but|so|what about|how about|y|pero)\b",
    re.I,
)
"""Words that point back at something said before. "That", "there" and "one" mostly point inside their own question."""

PERSON = re.compile(r"\b(?:he|she|him|(?P<whose>his|her(?= \w))|her)\b", re.I)

BARE = 2
"""A question of no more words than this ("Why?", "When exactly?") says nothing alone."""

FRAGMENT = re.compile(
    r"how (?:many|much)(?: (?!\w*ed\b|is\b|are\b|was\b|were\b|do\b|does\b|did\b|will\b)\w+){1,3}\W*", re.I
)
"""A question without a verb, "How many police officers?": what they do, or where, was said before."""

CARRIED = 4
"""Words of the conversation that a follow-up takes along; see "Conversations" in BENCHMARKS.md."""

REMEMBERED = 7
"""Words that a topic is made of; the first ones, which opened it, stay."""

EMPTY = OPENERS | frozenset(
    "about all also any been being just know many me more most much only other please say said so such tell there too "
    "very what's who's".split()
)
"""Words that say nothing of what a question is about."""


def standalone(question: str, history: Sequence[Message]) -> str:
    """The question as it reads without its conversation: "he" or "she" by name, other words left unsaid in brackets.

    Its topic is carried along: what it opened with, and the name that an answer gave to "who" or "which". A question
    that stands alone is returned as it is and opens a topic of its own; nothing is carried into it.
    """
    topic: list[str] = []
    asked = person = ""
    for message in history:
        text = plain_text(message)
        if message.get("role") == "user" and text:
            topic, person = _continued(topic, text), _person(text) or (person if points_back(text) else "")
            asked = text
        elif message.get("role") == "assistant" and aim_of(asked).wanted == "name":
            answered = _answered(asked, text)
            topic = [*answered, *_without(topic, " ".join(answered))][:REMEMBERED]
            person = "".join(answered) or person
    if not question.strip() or not points_back(question):
        return question
    named = _named(" ".join(question.split()), person)
    carried = _without(topic, named)[:CARRIED]
    return f"{named} ({' '.join(carried)})" if carried else named


def _continued(topic: Sequence[str], question: str) -> list[str]:
    """The topic after one more question: a follow-up adds to it, any other opens its own."""
    before = list(topic) if points_back(question) else []
    return [*before, *_without(_terms(question), " ".join(before))][:REMEMBERED]


def _person(text: str) -> str:
    """The last full name of a text; it may be no person's, which shows when "he" or "she" is asked about."""
    return next((name for name in reversed(names(text)) if " " in name), "")


def _named(question: str, person: str) -> str:
    """The question with its first "he" or "she" named, unless it names somebody itself."""
    if not person or names_anew("", question):
        return question
    return PERSON.sub(lambda found: person + ("'s" if found["whose"] else ""), question, count=1)


def points_back(text: str) -> bool:
    """Whether a question leaves its subject to what was said before it."""
    words_alone = len(text.split()) <= BARE or FRAGMENT.fullmatch(text.strip()) is not None
    return words_alone or POINTS_BACK.search(text) is not None or not _terms(text)


def _terms(text: str) -> list[str]:
    """The words that say what a question is about, in order."""
    return [word for word in dict.fromkeys(words(text)) if fold(word) not in EMPTY]


def _without(terms: Sequence[str], text: str) -> list[str]:
    """The terms that a text does not have."""
    there = {fold(word) for word in re.findall(r"\w+", text)}
    return [term for term in terms if not {fold(word) for word in re.findall(r"\w+", term)} & there]


def _answered(question: str, text: str) -> list[str]:
    """The first full name of an answer that the question did not have."""
    full = [name for name in names(text) if " " in name]
    return _without(full, question)[:1]


def plain_text(message: Message) -> str:
    """The text of a message, from a plain string or from the page's list of blocks."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return " ".join(content.split())
    blocks = content if isinstance(content, Sequence) else [content]
    texts = [block.get("text") or "" if isinstance(block, Mapping) else str(block) for block in blocks]
    return " ".join(" ".join(texts).split())
