"""Text files: what they say about themselves. Their text is the file, to the byte.

Text is decoded and never touched again: line endings, byte order mark and odd characters all stay, so that
`extract.text.encode() ==` the file, and a span of the one is a place in the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypeAlias

import yaml
from dateutil import parser as dateparser

from qa.types import CorpusError, Extract, Span

MAX_FRONT_MATTER = 16_384
"""Characters; a rule at the top of a long text is not mistaken for front matter."""

HEADER_LINES = 12
"""Where a dateline or byline may stand; below it a date is part of the story."""

_DAY = r"\d{4}-\d{2}-\d{2}|[A-Za-z]{3,9}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4}|\d{1,2}\s+[A-Za-z]{3,9}\.?,?\s+\d{4}"
_CLOCK = r"(?:\s*(?:@|,|at|T)?\s*\d{1,2}:\d{2}(?::\d{2})?(?:\s*[AaPp]\.?[Mm]\.?)?(?:\s*(?:Z|[A-Z]{2,4}))?)?"
DATELINE = re.compile(
    rf"(?:(?:first |last )?(?:published|posted|updated|modified)(?: on)?|date|publicado(?: el)?|fecha)"
    rf"\s*:?\s*(?P<day>{_DAY}){_CLOCK}\s*(?:[-–—|·]+\s*|$)",
    re.IGNORECASE,
)
"""The start of a line that says when a text came out; what follows the match, if anything, is the story."""

_NAME = r"[A-ZÀ-ÖØ-ÞĀ-Ž][\w.'’-]*"
BYLINE = re.compile(
    rf"(?:[Bb]y|BY|[Pp]or|POR)\s*:?\s+(?P<author>{_NAME}(?:,?\s+(?:{_NAME}|de|del|la|van|von|der|and|y|&))*)"
)
"""A whole line that names the author."""

Metadata: TypeAlias = dict[str, str]
"""What a file says about itself: `title`, `date`, `url` and `author`, where it does."""


def read_text(data: bytes) -> Extract:
    """Plain text: a line such as "Published on: Nov 12, 2019", a line such as "By Jane Doe"."""
    text = decoded(data)
    return described(text, header_values(text))


def read_markdown(data: bytes) -> Extract:
    """Markdown: front matter, then what plain text has."""
    text = decoded(data)
    span = front_matter(text)
    below = text[span.end :] if span else text
    return described(text, header_values(below) | _front_matter_values(text))


def described(text: str, said: Mapping[str, str], pages: tuple[int, ...] = ()) -> Extract:
    """A text with what its file says about itself."""
    title, date, url, author = (said.get(name, "") for name in ("title", "date", "url", "author"))
    return Extract(text, title, date, url, author, pages=pages)


def sound(text: str) -> str:
    r"""Halves of surrogate pairs, which JSON can write ("\ud800") and no file can hold, become U+FFFD, one for one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def on_one_line(text: str) -> str:
    """The words of a text with a blank between them, without control characters; `sound`."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", sound(text)).split())


def decoded(data: bytes) -> str:
    """The text of bytes in UTF-8; CorpusError when they are none."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(f"is not UTF-8 (byte {error.start}); save it as UTF-8") from error


def header_values(text: str) -> Metadata:
    """Dateline and byline among the first lines that are not blank."""
    said: Metadata = {}
    lines = [line.strip() for line in text[:8192].splitlines() if line.strip()]
    for line in lines[:HEADER_LINES]:
        if (found := DATELINE.match(line)) and (day := iso_date(found["day"])):
            said.setdefault("date", day)
        elif found := BYLINE.fullmatch(line):
            said.setdefault("author", found["author"].strip())
    return said


def front_matter(text: str) -> Span | None:
    """The block of `key: value` lines between two `---` lines at the very top, both lines included."""
    pattern = r"\ufeff?---[ \t]*\r?\n(?P<block>.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)"
    found = re.match(pattern, text[:MAX_FRONT_MATTER], re.S | re.M)
    if not found:
        return None
    lines = found["block"].splitlines()
    # A rule above a paragraph opens no front matter: what stands there must look like keys, lists or their values.
    keyed = [bool(re.match(r"[\w-]+\s*:(?:\s|$)", line)) for line in lines]
    held = all(key or not line.strip() or line[0] in " \t-#]}" for key, line in zip(keyed, lines, strict=True))
    return Span(0, found.end()) if held and any(keyed) else None


def _front_matter_values(text: str) -> Metadata:
    span = front_matter(text)
    if span is None:
        return {}
    block = "\n".join(span.of(text).lstrip("\ufeff").splitlines()[1:-1])
    try:
        values = yaml.safe_load(block)
        plain = {str(key).lower(): _plain(value) for key, value in values.items()}
    except (yaml.YAMLError, ValueError, LookupError, RecursionError, AttributeError):
        # "title: Harbour: the strike" is no YAML, and common all the same.
        plain = {key.lower(): value.strip("'\" ") for key, value in re.findall(r"(?m)^(\w+):[ \t]+(.*)$", block)}
    said = {key: plain[key] for key in ("title", "url", "author") if plain.get(key)}
    if day := iso_date(plain.get("date", "")):
        said["date"] = day
    return said


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, (str, int, float, date)):
        return " ".join(str(value).split())
    return ""


def iso_date(words: str) -> str:
    """A written date as YYYY-MM-DD, or "" for what is none."""
    found = re.search(_DAY, words)
    if not found:
        return ""
    try:
        return dateparser.parse(found.group(), default=datetime(1, 1, 1)).date().isoformat()
    except (ValueError, OverflowError):
        return ""
