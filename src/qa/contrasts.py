"""Whether a sentence says otherwise than a question has it: "80 percent" for "90", "rejected" for "accepted".

A question with one fact wrong looks as answerable as the right one. But with the sentence's own fact in its place it
fits the sentence far better, and a question that is right has nothing to gain so. (After the contrast sets of Gardner
et al. 2020, https://arxiv.org/abs/2004.02709, made when a question is asked.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from qa.names import names, stem, words
from qa.opposites import DAYS, MONTHS, OPPOSITE_VERBS, OPPOSITES, ORDINALS
from qa.support import FIGURE, YEAR, in_figures, numbers
from qa.types import Reranker

RISE, FITS = 2.0, -0.5
"""A sentence that does not support the question as it is says otherwise when the judge's logit gains so much by the
exchange, and then is so high: even, less a little for an exchange that reads clumsily. See "One fact changed" in
BENCHMARKS.md."""

MOST = 12
"""Contrasts that are judged, at most; of 456 answered questions none had more than ten."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """A question and a sentence, one fact of one of them as the other has it."""

    question: str
    sentence: str


def contradicted(question: str, sentence: str, around: str, judge: Callable[[], Reranker]) -> bool:
    """Whether a sentence of a passage (`around`) says otherwise than the question has it.

    The judge says how well a sentence supports a statement; a question serves as well. It is loaded where it is needed.
    """
    found = contrasts(question, sentence, around)
    if not found:
        return False
    score = judge().score
    (plain,) = score(question, [sentence])
    least = max(plain + RISE, FITS)
    return plain < 0 and any(score(each.question, [each.sentence])[0] >= least for each in found)


def contrasts(question: str, sentence: str, around: str) -> list[Contrast]:
    """What the question would be if a fact that the passage lacks were as the sentence has it, or the sentence if it
    said no more "not" than the question; MOST of them at most.
    """
    rules = (_numbers, _series, _opposites, _denials, _names, _roles)
    return list(dict.fromkeys(each for rule in rules for each in rule(question, sentence, around)))[:MOST]


def _numbers(question: str, sentence: str, around: str) -> Iterator[Contrast]:
    """The numbers that the passage lacks, exchanged for as many of the sentence, years for years."""
    mine = numbers(question)
    if not mine:
        return
    asked, told = in_figures(question), in_figures(sentence)
    known = numbers(f"{around} {sentence}")
    gone = [found for found in FIGURE.finditer(asked) if found.group().replace(",", "") not in known]
    here = dict.fromkeys(found.group() for found in FIGURE.finditer(told))
    others = [number for number in here if number.replace(",", "") not in mine]
    for first in range(len(others) - len(gone) + 1 if gone else 0):
        pairs = list(zip(gone, others[first : first + len(gone)], strict=True))
        if all(_alike(old.group(), new) for old, new in pairs):
            text = asked
            for old, new in reversed(pairs):
                text = text[: old.start()] + new + text[old.end() :]
            yield Contrast(text, told)  # The judge is to compare figures with figures.


def _series(question: str, sentence: str, around: str) -> Iterator[Contrast]:
    """Another month, day of the week or rank, which the sentence has."""
    for series in (MONTHS, DAYS, ORDINALS):
        mine = [word for word in series if _has(question, word)]
        for word in mine:
            if not _has(around, word) and not _has(sentence, word):
                yield from (
                    Contrast(_replaced(question, word, other), sentence)
                    for other in series
                    if other not in mine and _has(sentence, other)
                )


def _opposites(question: str, sentence: str, around: str) -> Iterator[Contrast]:
    """A word that the sentence lacks exchanged for its opposite, which it has, as it stands there."""
    there = {stem(word): word for word in reversed(words(sentence))}
    mine = {stem(word) for word in words(question)}
    for word in words(question):
        for other in _OPPOSITE.get(stem(word), ()):
            if stem(word) not in there and other in there and other not in mine:
                yield Contrast(_replaced(question, word, there[other]), sentence)


def _denials(question: str, sentence: str, around: str) -> Iterator[Contrast]:
    """Without its negations, the question where the sentence has none, or the sentence where the question has none."""
    for denial, affirmed in ((_NOT, _AFFIRMED), (_REFUSED, {_REFUSED.pattern: ""})):
        if denial.search(question) and not denial.search(sentence):
            yield Contrast(_affirmed(question, affirmed), sentence)
        if denial.search(sentence) and not denial.search(question):
            yield Contrast(question, _affirmed(sentence, affirmed))


def _names(question: str, sentence: str, around: str) -> Iterator[Contrast]:
    """A name that the passage lacks exchanged for one of the sentence that is not in the question."""
    known = {stem(word) for word in words(f"{around} {sentence}")}
    mine = {stem(word) for word in words(question)}
    _, _, rest = question.partition(" ")  # What opens the question is capitalised for that.
    gone = [name for name in names(rest) if not known & {stem(word) for word in words(name)}]
    others = [name for name in dict.fromkeys(names(sentence)) if not mine & {stem(word) for word in words(name)}]
    for name in gone[:1]:
        if name not in {*MONTHS, *DAYS}:
            alike = [other for other in others if bool(_ADJECTIVE.search(name)) == bool(_ADJECTIVE.search(other))]
            yield from (Contrast(_replaced(question, name, other), sentence) for other in alike)


def _roles(question: str, sentence: str, around: str) -> Iterator[Contrast]:
    """The question with two names that the sentence has, too, each in the other's place."""
    known = {stem(word) for word in words(sentence)}
    mine = [name for name in dict.fromkeys(names(question)) if {stem(word) for word in words(name)} <= known]
    for one, other in combinations(mine, 2):
        if not {stem(word) for word in words(one)} & {stem(word) for word in words(other)}:
            yield Contrast(_exchanged(question, one, other), sentence)


# --- words ------------------------------------------------------------------------------------------------------------

_AFFIRMED = {
    r"\bcannot\b": "can",
    r"\b(\w+?)n['’]t\b": r"\1",
    r"\bnone\b": "some",
    r"\bnobody\b": "everybody",
    r"\bnothing\b": "everything",
    r"\bnowhere\b": "everywhere",
    r"\bneither\b": "both",
    r"\bnor\b": "and",
    r"\bwithout\b": "with",
    r"\s*\b(?:not|no|never)\b": "",
}
_NOT = re.compile(rf"(?:{'|'.join(_AFFIRMED)})(?![^.;?!]*\bbut\b)", re.IGNORECASE)
"""A denial; "not goats but sheep" denies no more than it says."""
_REFUSED = re.compile(r"\s*\b(?:(?:refus|declin|fail)\w* to|den(?:y|ies|ied|ying))\b", re.IGNORECASE)

_ADJECTIVE = re.compile(r"(?:ian|ean|can|ese|ish|ic)$")
"""What is no country but of one: "Asian" is not said otherwise where "Pakistan" stands."""


def _alike(number: str, other: str) -> bool:
    """Whether one number may stand where another does: both are years or none is, and they are not about the same."""
    both_or_none = bool(YEAR.fullmatch(number)) == bool(YEAR.fullmatch(other))
    return both_or_none and _whole(number) != _whole(other)


def _whole(number: str) -> str:
    """A number without what stands behind its point: "13" of "13.1" and of "13"."""
    return re.split("[.:]", number.replace(",", ""))[0]


def _paired(*blocks: str) -> dict[str, set[str]]:
    """The beginning of each word of blocks of pairs, and of those that it is paired with."""
    found: dict[str, set[str]] = {}
    for pair in ";".join(blocks).split(";"):
        one, other = map(stem, pair.split())
        if "-" not in pair and one != other:
            found.setdefault(one, set()).add(other)
            found.setdefault(other, set()).add(one)
    return found


_OPPOSITE = _paired(OPPOSITE_VERBS, OPPOSITES)


def _affirmed(text: str, instead: Mapping[str, str]) -> str:
    for denied, affirmed in instead.items():
        text = re.sub(denied, affirmed, text, flags=re.IGNORECASE)
    return text


def _has(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def _replaced(text: str, word: str, other: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", lambda _: other, text)


def _exchanged(text: str, one: str, other: str) -> str:
    """The text with each of two names in the other's place."""
    either = rf"(?<!\w)(?:{re.escape(one)}|{re.escape(other)})(?!\w)"
    return re.sub(either, lambda found: other if found.group() == one else one, text)
