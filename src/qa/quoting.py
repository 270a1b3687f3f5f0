"""Whether a quote stands in the articles, word for word.

Two texts are the same when they differ in nothing but the dress of their characters: the kind of quotation mark or
dash, blanks and line ends, capitals, ligatures, how accents are encoded. Nothing is guessed: a quote with another
word, number, sign or "not" is not found, and neither is part of a word or of a number.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from qa.chunks import sentences
from qa.segments import comment_author, part_at
from qa.types import Document, QAError, Quote, Segment, Snapshot, Span, Verdict

MAX_CHECKED = 20_000
"""Characters that are checked at once: ten pages."""

MAX_PLACES = 10
"""Places that a verdict names."""

TELLING_WORDS = 4
"""Words that a document must have before it is looked at closely; the longest ones are mostly in no other."""

MANY = 30
"""Sentences from which on it pays to gather the words of a document once rather than to look for each."""

# --- what is the same -------------------------------------------------------------------------------------------------

_MARKS = {"'": "‘’‚‛‹›′‵`´ʹʻʼʽ❛❜՚׳᾽᾿", '"': "“”„‟«»″‶ʺ〝〞〟❝❞⹂״「」『』", "-": "‐‑‒–—―−⁃˗⸺⸻⸗⸚⹀־֊᐀᠆゠⹝𐺭"}
_DRESSED = str.maketrans({mark: plain for plain, marks in _MARKS.items() for mark in marks})
"""Quotation marks, apostrophes and dashes of every kind become plain; a wave dash may say "about", and stays."""

_QUOTATION_MARKS = _MARKS['"'] + '"‘‚‛‹›'
"""What opens or closes a quotation and is no apostrophe."""

_LONG_DASHES = frozenset("—―⸺⸻︱﹘")
"""Dashes that part two words where a hyphen would make them one."""

_DROPPED = re.compile(r"[\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060\u2066-\u206f\ufe00-\ufe0f\ufeff]+")
"""What takes no room and has no meaning of its own: soft hyphens, joiners, directions, variation selectors."""

_SAME_DIGITS = frozenset({"<wide", "<font"})
_OTHER_SIGNS = frozenset({"<super", "<sub", "<fraction", "<circle"})
"""NFKC makes "10²" 102 and "5½" 51⁄2; signs of these kinds, and others with a digit in them, stay what they are, and so
does an accent without a letter."""

LONGEST_CLUSTER = 32
"""Characters; a longer heap of accents is left as it is, as sorting it takes time that grows with its square."""

_ASCII = {code: chr(code).lower() for code in range(128)} | {ord("`"): "'"}
_ASCII |= {code: " " for code in range(128) if chr(code).isspace()}


@dataclass(frozen=True, slots=True)
class Normal:
    """A text in its normal form, and where every character of that comes from.

    Most characters stand for one of `raw`, in order. The exceptions are listed: the characters `froms[i]` to `tos[i]`
    of `text` together stand for `raw_froms[i]` to `raw_tos[i]` of the raw text, in which the dropped characters are not
    counted; `holes` are the places, so counted, before which one was dropped.
    """

    raw: str
    text: str
    froms: Sequence[int]
    tos: Sequence[int]
    raw_froms: Sequence[int]
    raw_tos: Sequence[int]
    holes: Sequence[int]

    def span(self, start: int, end: int) -> Span | None:
        """The raw characters of `text[start:end]`, which is not empty; None when an end cuts what is one in `raw`."""
        first, last = self._cluster(start), self._cluster(end - 1)
        if start != first[0] or end != last[1]:
            return None
        return Span(self._with_dropped(first[2]), self._with_dropped(last[3] - 1) + 1)

    def is_cut(self, at: int) -> bool:
        """Whether a word, or a number with its signs, goes on from before this place of `text` to behind it."""
        left, right = self.text[max(0, at - 2) : at], self.text[at : at + 2]
        if not left or not right or self._parts_words(at - 1) or self._parts_words(at):
            return False
        # "don't" and "non-violent" are words: a part of them may say the opposite.
        within_word = _is_wordy(left.rstrip("'-")[-1:]) and _is_wordy(right.lstrip("'-")[:1])
        return within_word or _IN_NUMBER.match(self.text, at) is not None

    def _parts_words(self, at: int) -> bool:
        """Whether a character is a dash that stands between words without blanks."""
        return self.text[at] == "-" and self.raw[self._with_dropped(self._cluster(at)[2])] in _LONG_DASHES

    def _cluster(self, at: int) -> tuple[int, int, int, int]:
        """What one character belongs to: its range in `text`, and in the raw text without what was dropped."""
        index = bisect_right(self.froms, at) - 1
        if index < 0:
            return at, at + 1, at, at + 1
        if at < self.tos[index]:
            return self.froms[index], self.tos[index], self.raw_froms[index], self.raw_tos[index]
        raw = at - self.tos[index] + self.raw_tos[index]
        return at, at + 1, raw, raw + 1

    def _with_dropped(self, at: int) -> int:
        return at + bisect_right(self.holes, at)


_SIGNS = "%‰°$€£¥¢"
_INNER = ".,:/⁄·+±×^"
_IN_NUMBER = re.compile(
    rf"(?<=\d[{_INNER}])(?=\d)|(?<=\d)(?=[{_INNER}]\d)"  # 1,250; 3.5; 19:30
    rf"|(?<=[-.+±~≈<>≤≥{_SIGNS}])(?<!--)(?=\d)|(?<=\d)(?=[+{_SIGNS}])|(?<=\w)(?=[{_SIGNS}]\d)"  # -5; $5; 5%; US$5
    r"|(?<=\d )(?<!\d{4} )(?=\d{3}(?!\d))|(?<=\d)(?<!\d{4})(?= \d{3}(?!\d))"  # 1 250
)
"""Matches where a number has a part of it, or its sign, on either side."""


def normalised(text: str) -> Normal:
    """The text with everything even in which two texts may differ and still say the same, in linear time.

    NFKC but for signs with a number in them, case folded but for "ß" (Masse is not Maße), quotation marks and dashes
    made plain, a run of blanks one blank. Doing it again changes nothing. A letter and its accents are one unit.
    """
    holes = [at - before for before, at in enumerate(_places_of_dropped(text))]
    bare = _DROPPED.sub("", text) if holes else text
    pattern, table = _alphabet(bare)
    flat = bare.translate(table)
    pieces: list[str] = []
    froms: list[int] = []
    tos: list[int] = []
    raw_froms: list[int] = []
    raw_tos: list[int] = []
    done = length = 0
    for found in pattern.finditer(bare):
        start, end = found.span()
        form = " " if found.group().isspace() else _form(found.group())
        pieces += flat[done:start], form
        froms.append(length + start - done)
        length = froms[-1] + len(form)
        tos.append(length)
        raw_froms.append(start)
        raw_tos.append(end)
        done = end
    return Normal(text, "".join([*pieces, flat[done:]]), froms, tos, raw_froms, raw_tos, holes)


def _places_of_dropped(text: str) -> Iterator[int]:
    for found in _DROPPED.finditer(text):
        yield from range(found.start(), found.end())


def _alphabet(text: str) -> tuple[re.Pattern[str], dict[int, str]]:
    """What in this text does not become one character for one, as a pattern; a table for all the rest."""
    others = [char for char in set(text) if char > "\x7f"]
    marks = "".join(sorted(char for char in others if _continues(char)))
    forms = {char: " " if char.isspace() else _form(char) for char in others}
    longer = "".join(sorted(char for char in others if len(forms[char]) > 1))
    return _exceptions(marks, longer), _ASCII | {ord(char): forms[char] for char in others if len(forms[char]) == 1}


@lru_cache(maxsize=256)
def _exceptions(marks: str, longer: str) -> re.Pattern[str]:
    mark, long = (f"[{re.escape(chars)}]" if chars else r"(?!)" for chars in (marks, longer))
    return re.compile(rf"\s{{2,}}(?!{mark})|.{mark}+|{long}" if marks else rf"\s{{2,}}|{long}", re.S)


@lru_cache(maxsize=1 << 16)
def _continues(char: str) -> bool:
    """Whether a character makes one with the character before it: an accent, a vowel of a Korean syllable."""
    first = char if _is_other_sign(char) else unicodedata.normalize("NFKD", char)[0]
    return _is_mark(first) or "\u1160" <= first <= "\u11ff" or "\ud7b0" <= first <= "\ud7fb"


@lru_cache(maxsize=1 << 16)
def _form(cluster: str) -> str:
    """The normal form of a character with its accents."""
    if len(cluster) > LONGEST_CLUSTER or cluster[0].isspace():  # A blank with an accent is no blank.
        return cluster
    form = _evened(cluster)
    while form != cluster:
        cluster, form = form, _evened(form)
    return form


def _evened(cluster: str) -> str:
    plain = cluster.translate(_DRESSED)  # First, as NFKC would take some of them apart.
    parts = (char if _is_other_sign(char) else unicodedata.normalize("NFKD", char) for char in plain)
    composed = unicodedata.normalize("NFC", "".join(parts))
    return "ß".join(part.casefold() for part in re.split("[ßẞ]", composed)).translate(_DRESSED)


@lru_cache(maxsize=1 << 16)
def _is_other_sign(char: str) -> bool:
    tag, tagged, _ = unicodedata.decomposition(char).partition("> ")
    parts = unicodedata.normalize("NFKD", char)
    if len(parts) > 1 and parts[0] == " ":  # An accent without a letter, such as "¨".
        return True
    numbered = any(part.isdecimal() for part in parts)
    return bool(tagged) and (tag in _OTHER_SIGNS or (numbered and tag not in _SAME_DIGITS))


def _is_mark(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


def _is_wordy(char: str) -> bool:
    """Whether this is a character of a word; "" is not."""
    return char != "" and (char.isalnum() or _is_mark(char))


# --- where it stands --------------------------------------------------------------------------------------------------


def find(quote: str, text: str) -> list[Span]:
    """Every place in `text` where the quote stands, whole words and nothing but its words, in order.

    Quotation marks and blanks around the quote are left out; "…" and "[…]" inside it stand for themselves alone. A
    quote without a word is nowhere.
    """
    return list(_found(_needle(quote), normalised(text)))


def _needle(quote: str) -> str:
    """The normal form that is looked for; "" when there is no word in it."""
    needle = normalised(quote).text.strip(" '\"")
    return needle if any(map(_is_wordy, needle)) else ""


def _found(needle: str, normal: Normal) -> Iterator[Span]:
    for start in _occurrences(needle, normal.text):
        end = start + len(needle)
        span = None if normal.is_cut(start) or normal.is_cut(end) else normal.span(start, end)
        if span:
            yield span


def _occurrences(needle: str, text: str) -> Iterator[int]:
    """Where the needle begins, overlapping places included, in linear time. (Galil 1979)"""
    at = text.find(needle) if needle else -1
    while at >= 0:
        yield at
        step = _period(needle)
        if text.startswith(needle[-step:], at + len(needle)):
            at += step
        else:
            at = text.find(needle, at + step)


@lru_cache(maxsize=64)
def _period(text: str) -> int:
    """The least number of characters by which a text can be moved so that it agrees with itself."""
    borders = [0]
    for char in text[1:]:
        border = borders[-1]
        while border and text[border] != char:
            border = borders[border - 1]
        borders.append(border + (text[border] == char))
    return len(text) - borders[-1]


# --- in which articles ------------------------------------------------------------------------------------------------


def verify(snapshot: Snapshot, text: str, source: str = "") -> list[Verdict]:
    """Whether a text stands in the articles: one verdict when it does as it is, else one a sentence.

    "exact" is what stands in the document `source`, or in any where none is named; what stands only in other documents
    is "elsewhere". QAError when the text has no word or is too long, StoreError when there is no such document.
    """
    whole, *parts = _claims(text)
    first = _places(snapshot, [whole, *parts], [snapshot.document(source).source] if source else snapshot.sources())
    if first[whole] or not parts:
        parts = [whole]
    missing = [part for part in parts if not first[part]] if source else []
    others = [other for other in snapshot.sources() if other != source] if missing else []
    elsewhere = _places(snapshot, missing, others)
    return [_verdict(part, first[part], elsewhere.get(part, [])) for part in parts]


def _verdict(text: str, here: Sequence[Quote], elsewhere: Sequence[Quote]) -> Verdict:
    if here:
        return Verdict(text, "exact", tuple(here))
    return Verdict(text, "elsewhere" if elsewhere else "not found", tuple(elsewhere))


def _claims(text: str) -> list[str]:
    """The text without the blanks around it, then its sentences where it has several; none is without a word."""
    if len(text) > MAX_CHECKED:
        raise QAError(f"The quote has {len(text):,} characters; check at most {MAX_CHECKED:,} at once.")
    if not _needle(text):
        raise QAError("The quote is empty; type at least one word.")
    whole = text.strip()
    inner = whole.strip(_QUOTATION_MARKS + "'’").strip()
    if any(mark in inner for mark in _QUOTATION_MARKS):
        inner = whole  # They do not stand around all of it.
    sound = inner.encode("utf-8", "replace").decode()  # One for one; the splitter takes nothing that is not Unicode.
    parts = [part for part in (span.of(inner) for span in sentences(sound)) if _needle(part)]
    return [whole] if len(parts) < 2 else [whole, *parts]


def _places(snapshot: Snapshot, claims: Iterable[str], sources: Iterable[str]) -> dict[str, list[Quote]]:
    """Where each text stands, by source and position, no more than are named. A document is read once.

    Over 1,250 articles of 5,000 characters two sentences take 0.15 s, and 0.6 s when every article has their words.
    """
    needles = {claim: _needle(claim) for claim in claims}
    telling = {claim: _telling(needle) for claim, needle in needles.items()}
    places: dict[str, list[Quote]] = {claim: [] for claim in needles}
    for source in sources:
        wanted = [claim for claim, quotes in places.items() if len(quotes) < MAX_PLACES]
        if not wanted:
            break
        document = snapshot.document(source)
        rough = _rough(document.text)
        words = frozenset(_PLAIN_WORD.findall(rough)) if len(wanted) > MANY else rough
        likely = [claim for claim in wanted if all(word in words for word in telling[claim])]
        for claim, spans in _all_found({claim: needles[claim] for claim in likely}, document.text).items():
            free = MAX_PLACES - len(places[claim])
            places[claim] += [_quote(snapshot, document, span) for span in spans[:free]]
    return places


def _all_found(needles: Mapping[str, str], text: str) -> dict[str, list[Span]]:
    normal = normalised(text) if needles else None
    return {claim: list(islice(_found(needle, normal), MAX_PLACES)) for claim, needle in needles.items() if normal}


_PLAIN_WORD = re.compile(r"[a-z0-9]+")
_ANY_WORD = re.compile(r"[a-z0-9\x80-\U0010ffff]+")


def _telling(needle: str) -> list[str]:
    """The longest words of plain letters, which `_rough` has, as words, where the needle stands."""
    words = {word for word in _ANY_WORD.findall(needle) if word.isascii()}
    return sorted(words, key=lambda word: (-len(word), word))[:TELLING_WORDS]


def _rough(text: str) -> str:
    """A text in which the plain words of its normal form stand, sooner made than that."""
    disguised = any(_may_be_plain(char) for char in set(text)) if not text.isascii() else False
    return normalised(text).text if disguised else text.casefold()


@lru_cache(maxsize=1 << 16)
def _may_be_plain(char: str) -> bool:
    """Whether a plain letter or digit hides behind a character, or two parts of a word stand on either side of it."""
    plain = any(part.isascii() and part.isalnum() for part in _form(char))
    return char > "\x7f" and (plain or _DROPPED.match(char) is not None)


def _quote(snapshot: Snapshot, document: Document, span: Span) -> Quote:
    """A place as a quote of what it begins in."""
    part = part_at(snapshot.segments(document.source), span.start) or Segment(span, "body")
    author = comment_author(part.span.of(document.text)) if part.kind == "comment" else ""
    place = (span.of(document.text), document.source, span.start, span.end)
    return Quote(*place, document.title, document.date, part.kind, author, document.page(span.start))
