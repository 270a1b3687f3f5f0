"""What a question asks for: a kind of fact, several sources, an account over time, the readers' comments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from qa.names import OPENERS, fold, words

Wanted: TypeAlias = Literal["number", "date", "name", ""]


@dataclass(frozen=True, slots=True)
class Aim:
    """What an answer must have to fit its question."""

    wanted: Wanted
    """The kind of fact that is asked for, "" when no kind can be told."""
    several: bool
    """Whether several articles should speak: a comparison, a list, "what do the articles say"."""
    over_time: bool
    """Whether they should speak from the oldest to the newest."""
    comments: bool
    """Whether the readers are asked for, not the articles."""
    open: bool
    """Whether it asks what somebody says about a topic, whatever that is, and no fact."""


NUMBER = re.compile(
    r"\bhow (?:many|much|long|old|far|often|high|big|large|tall|fast|heavy|wide|deep)\b|\bpercent(?:age)?\b"
    r"|\bwhat (?:share|number|amount|price|cost|age|rate|score|magnitude|proportion|fraction)\b|\bnumber of\b",
    re.I,
)
DATE = re.compile(
    r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|decade|century|time)\b|\bhow (?:soon|long ago)\b", re.I
)
NAME = re.compile(
    r"\b(?:who|whom|whose|where|which)\b|\b(?:called|named|name of|known as)\b"
    r"|^(?:(?:in|on|at|by|for|with|of|from) )?what (?!(?:is|are|was|were|did|do|does|has|have|had|will|would|can|could"
    r"|happened|happens|makes|made|causes?|caused|about|if|else)\b)\w+",
    re.I,
)
SEVERAL = re.compile(
    r"^(?:compare|contrast|list|summari[sz]e|enumerate)\b|\bhow (?:do|does|did) .+ (?:compare|differ)\b"
    r"|\bversus\b|\bvs\b|\bdifferences? between\b|\bin common\b"
    r"|^(?:name|give me) (?:all|every|some|several|two|three|four|five)\b"
    r"|\bwhat (?:are|were) all\b",
    re.I,
)
"""Not "what are the causes of …": one article mostly lists them all, and quoting others beside it drives them out."""

OVER_TIME = re.compile(
    r"\bover (?:time|the years|the months)\b|\btimeline\b|\bchronolog\w+|\bevol(?:ve|ved|ution)\b|\bthrough the years\b"
    r"|\bhow (?:has|have|did) .*\b(?:changed?|develop(?:ed)?)\b|\bhistory of\b",
    re.I,
)
PERIOD = re.compile(r"\bsince \d{4}\b|\bfrom \d{4} to \d{4}\b", re.I)
"""Asks for an account over time, unless one fact is asked for: "How many goats were sold since 2018?"."""
_SPEAK = (
    r"(?:say|says|said|saying|think|thought|feel|felt|write|wrote|argue|argued|believe|react(?:ed)?|want(?:ed)?|tell|report"
    r"|complain(?:ed)?|make|made|suggest(?:ed)?|mention(?:ed)?|comments?)\b(?: (?:about|of|on|that|to|us about))?"
)
_OPENING = r"(?:\b(?:what|how|which|why|are|were|is) )?(?:do|did|does|are|were)? ?(?:the |these |all the )?"
TELL = re.compile(r"^(?:please )?tell me (?:more )?about\b", re.I)
CHANGED = re.compile(
    r"\bhow (?:has|have|did) (.+?) (?:changed?|evolved?|develop(?:ed)?)\b(?: (?:since|from) \d{4}(?: to \d{4})?)?"
    r"|^timeline of\b|^(?:what is the )?history of\b"
    r"|\bover (?:time|the years|the months)\b",
    re.I,
)
"""What asks for an account over time and is in no text; the group is what the account is of."""
READERS = re.compile(
    rf"{_OPENING}\b(?:readers|commenters|commentators|comments)\b(?:['’]s?)? ?\b{_SPEAK}"
    r"|\breaders?['’]?s? (?:reactions?|opinions?|views?|comments?) (?:to|on|about)\b|\b(?:say )?in the comments\b",
    re.I,
)
ARTICLES = re.compile(
    rf"{_OPENING}\b(?:articles|papers|newspapers|sources|reports|stories|documents)\b ?\b{_SPEAK}", re.I
)

_FIGURE = re.compile(r"\d[\d.,]*")
_COUNT_WORD = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"
    r"|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|millions?|billions?"
    r"|trillions?|half|third|quarter|dozens?|twice|double|none|nobody)\b",
    re.I,
)
_TIME = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december|monday|tuesday"
    r"|wednesday|thursday|friday|saturday|sunday|today|yesterday|tomorrow|century|decade|(?:last|next|this) \w+)\b"
    r"|\b1\d{3}s?\b|\b20\d\d\b",
    re.I,
)


def aim_of(question: str) -> Aim:
    """What a standalone question asks for."""
    wanted = _wanted(question)
    over_time = bool(OVER_TIME.search(question) or (not wanted and PERIOD.search(question)))
    comments = READERS.search(question) is not None
    open_to_all = comments or over_time or any(each.search(question) for each in (ARTICLES, TELL))
    return Aim(
        wanted=wanted,
        several=over_time or open_to_all or SEVERAL.search(question) is not None,
        over_time=over_time,
        comments=comments,
        open=open_to_all,
    )


def topic(question: str) -> str:
    """The question without "what do readers say about" or "how has … changed", which no text says of itself."""
    rest = TELL.sub(" ", ARTICLES.sub(" ", READERS.sub(" ", question)))
    rest = " ".join(CHANGED.sub(lambda found: f" {found[1] or ''} ", rest).split())
    return re.sub(r" (?=[?.!])", "", rest) if re.search(r"\w", rest) else question


def offers(wanted: Wanted, question: str, sentence: str) -> bool:
    """Whether a sentence has a fact of the kind that is wanted and that the question itself does not have."""
    asked = fold(question)
    if wanted == "number":
        return any(number not in asked for number in numbers(sentence))
    if wanted == "date":
        return any(fold(time) not in asked for time in _TIME.findall(sentence))
    return wanted != "name" or names_anew(question, sentence)


def numbers(text: str) -> set[str]:
    """The numbers of a text, in figures and in words."""
    found = [*_FIGURE.findall(text), *_COUNT_WORD.findall(text)]
    return {fold(number).rstrip(".,") for number in found}


def names_anew(question: str, sentence: str) -> bool:
    """Whether a sentence has a capitalised word that the question lacks."""
    asked = set(re.findall(r"\w+", fold(question)))
    capitals = (fold(word) for word in words(sentence) if word[0].isupper())
    return any(word not in OPENERS and word not in asked for word in capitals)


def _wanted(question: str) -> Wanted:
    if NUMBER.search(question):
        return "number"
    if DATE.search(question):
        return "date"
    return "name" if NAME.search(question) else ""
