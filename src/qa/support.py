"""Whether sentences of an article support a statement about them: what must not differ, then a judge of the whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from text_to_num import alpha2digit

from qa.conversation import EMPTY
from qa.names import OPENERS, fold, stem, words
from qa.types import Reranker, Struck

LEAST = 1.36
"""The logit from which the judge is believed: of 1,000 held-out pairs, 2 in 100 with a changed number, name or negation
have as much. See "Checking statements" in BENCHMARKS.md."""

COUNTED = 2
"""Words behind a number of which one is what it counts: "221 fully automatic"."""

DENIED = 4
"""Words behind a "not" that it is about; like COUNTED set by the sense of it, and only measured with all the rest."""


def struck(statement: str, cited: Sequence[str], judge: Reranker) -> Struck:
    """Why the cited sentences do not support a statement; "" when they do."""
    evidence = " ".join(cited)
    if numbers(statement) - numbers(evidence) or _counts_otherwise(statement, evidence):
        return "number"
    if _names(_expanded(statement)) - _stems(_expanded(evidence)):
        return "name"
    if _denies_otherwise(statement, evidence):
        return "negation"
    (logit,) = judge.score(statement, [evidence])
    return "" if logit >= LEAST else "unsupported"


# --- numbers ----------------------------------------------------------------------------------------------------------

FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")
"""A number in digits."""
YEAR = re.compile(r"1[5-9]\d\d|20\d\d")
"""What is a year, most likely."""


def numbers(text: str) -> set[str]:
    """The numbers of a text as figures, those in words too."""
    return {figure.replace(",", "") for figure in FIGURE.findall(in_figures(text))}


def in_figures(text: str) -> str:
    """The text with its numbers in words as figures."""
    return str(alpha2digit(alpha2digit(text, "en"), "es"))


def _counts_otherwise(statement: str, evidence: str) -> bool:
    """Whether a number of the statement counts what it does not in the evidence: "56 rockets" for "56 grenades"."""
    theirs = list(_counted(evidence))
    return any(
        not any(number == other and counted[0] in things for other, things in theirs)
        for number, counted in _counted(statement)
        if counted
    )


def _counted(text: str) -> Iterator[tuple[str, list[str]]]:
    """Every number with the beginnings of the next words that say something; a year counts nothing."""
    figures = in_figures(text)
    for found in FIGURE.finditer(figures):
        if not YEAR.fullmatch(found.group()):
            behind = [stem(word) for word in _behind(figures, found.end()) if not word[0].isdigit()]
            yield found.group().replace(",", ""), behind[:COUNTED]


def _behind(text: str, at: int) -> list[str]:
    """The words that say something from there to the end of the clause."""
    clause = re.split(r"[.,;:!?]\s", text[at:])[0]
    return [word for word in words(clause) if fold(word) not in EMPTY]


# --- names ------------------------------------------------------------------------------------------------------------

_INITIALS = {"United States(?: of America)?|U\\.S\\.A?\\.?|USA": "US", "United Kingdom|U\\.K\\.": "UK"}
_INITIALS |= {"European Union|E\\.U\\.": "EU", "United Nations|U\\.N\\.": "UN"}

_OPENING = OPENERS | frozenset(
    "about above according across afterwards again against all almost along already also altogether among amid "
    "another any anyone around asked away behind below besides between beyond both could despite down each earlier "
    "either elsewhere even eventually every everyone everything except few finally first five former four further "
    "generally here however indeed inside instead last lastly later least less like likewise many meanwhile might "
    "more moreover most much must near nearly neither never nevertheless next nobody none nor nothing now off often "
    "once one only other otherwise out over overall part per perhaps rather recently regarding several shall should "
    "similarly some someone something sometimes soon still such ten than thanks that three through throughout thus "
    "today together too toward towards two until up upon us usually via whatever whenever whether within without "
    "would yes yesterday yet además ahora antes aunque cada como con cuando desde después donde durante entre esta "
    "este esto estas estos hasta hoy luego más mientras muchos nadie ni no otra otro para pero por porque pues que "
    "quien según ser si sin sobre solo también tampoco tras".split()
)
"""Small words with which a sentence may open."""


def _expanded(text: str) -> str:
    """The text with the names that everybody abbreviates in their short form."""
    for long, short in _INITIALS.items():
        text = re.sub(rf"\b(?:{long})(?!\w)", short, text)
    return text


def _names(text: str) -> set[str]:
    """The beginnings of the words that name something; of "Mexico" and "Mexican" it is the same."""
    capitals = (word for word in words(text) if word[0].isupper() and (word.isupper() or fold(word) not in _OPENING))
    return {stem(word) for word in capitals if fold(word) != "i"}


def _stems(text: str) -> set[str]:
    """The beginnings of the words that say something, in whatever inflection."""
    return {stem(word) for word in words(text) if fold(word) not in EMPTY or word.isupper()}


# --- negations --------------------------------------------------------------------------------------------------------

_NEGATION = re.compile(
    r"\b(?:not|no|none|never|nobody|nothing|nowhere|neither|nor|without|cannot|\w+n['’]t|refus\w+|den(?:y|ie[sd])\w*"
    r"|reject\w*|fail\w*|declin\w+|unable|lack\w*|hardly|barely"
    r"|ni|nunca|jamás|nadie|nada|ningun\w*|ningún|sin|tampoco|rechaz\w+|neg(?:ó|aron|ar))\b",
    re.I,
)


def negated(text: str) -> bool:
    """Whether a text denies something."""
    return _NEGATION.search(text) is not None


def _denies_otherwise(statement: str, evidence: str) -> bool:
    """Whether a statement denies what its sentences do not, or says what they deny."""
    ours, theirs = list(_denied(statement)), list(_denied(evidence))
    said = _stems(statement)
    invented = any(not any(each & other for other in theirs) for each in ours if each)
    dropped = any(
        2 * len(each & said) >= len(each) and not any(each & other for other in ours) for each in theirs if each
    )
    return invented or dropped or (bool(ours) and not theirs)


def _denied(text: str) -> Iterator[set[str]]:
    """What each negation of a text is about: the beginnings of the next words that say something."""
    for found in _NEGATION.finditer(text):
        behind = [stem(word) for word in _behind(text, found.end()) if not negated(word)]
        yield set(behind[:DENIED])
