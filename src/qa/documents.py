"""A file becomes a `Document`: its exact text and what it says about itself. One small reader a format.

Text is decoded from bytes and never touched again: line endings, byte order mark and odd characters all stay, so that
`document.text.encode() ==` the file, and a span of the one is a place in the other.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml
from dateutil import parser as dateparser

from qa.types import CorpusError, Document, Span

VERSION = 1
"""Grows when a reader reads the same file differently; an older index is then built anew."""

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

Metadata = dict[str, str]
Reader = Callable[[str], Metadata]


def scan(corpus: Path) -> tuple[list[str], list[str]]:
    """The files of a folder as POSIX paths below it, sorted: those that a reader can read, and the others.

    Hidden files, READMEs and links that lead out of the folder are not looked at. CorpusError when there is no folder.
    """
    if corpus.exists() and not corpus.is_dir():
        raise CorpusError(f"{corpus} is a file; name the folder that it is in with QA_CORPUS and run `qa index`.")
    if not corpus.is_dir():
        raise CorpusError(f"There is no folder {corpus}; create it, put .txt or .md articles in it and run `qa index`.")
    readable: list[str] = []
    other: list[str] = []
    for source in sorted(_walk(corpus)):
        (readable if Path(source).suffix.lower() in READERS else other).append(source)
    return readable, other


def _walk(corpus: Path) -> Iterator[str]:
    home = corpus.resolve()
    for folder, folders, names in os.walk(corpus, onerror=_unreadable_folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if name.startswith(".") or path.stem.lower() == "readme":
                continue
            if path.is_file() and path.resolve().is_relative_to(home):
                yield path.relative_to(corpus).as_posix()


def _unreadable_folder(error: OSError) -> None:
    # Passed over in silence, its articles would count as deleted.
    raise CorpusError(
        f"The folder {error.filename} cannot be read ({error.strerror}); check its permissions."
    ) from error


def digest(corpus: Path, source: str) -> str:
    """SHA-256 of a file's bytes, hexadecimal; CorpusError when it cannot be read."""
    return hashlib.sha256(_bytes(corpus, source)).hexdigest()


def read(corpus: Path, source: str) -> Document:
    """The document of one file; CorpusError, naming the file, when it is not text in UTF-8."""
    data = _bytes(corpus, source)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{source} is not UTF-8 (byte {error.start}); save it as UTF-8 and index again.") from error
    said = READERS[Path(source).suffix.lower()](text)
    return Document(
        source=source,
        text=text,
        title=said.get("title", ""),
        date=said.get("date", ""),
        url=said.get("url", ""),
        author=said.get("author", ""),
        digest=hashlib.sha256(data).hexdigest(),
    )


def _bytes(corpus: Path, source: str) -> bytes:
    try:
        source.encode("utf-8")
        return Path(corpus, source).read_bytes()
    except UnicodeEncodeError as error:
        raise CorpusError(f"{source!r} has a name that is not UTF-8; rename the file and index again.") from error
    except OSError as error:
        reason = error.strerror or error
        raise CorpusError(f"{source} cannot be read ({reason}); check its permissions and index again.") from error


# --- front matter -----------------------------------------------------------------------------------------------------


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
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError):
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


# --- readers ----------------------------------------------------------------------------------------------------------


def _header_values(text: str) -> Metadata:
    """Dateline and byline among the first lines that are not blank."""
    said: Metadata = {}
    lines = [line.strip() for line in text[:8192].splitlines() if line.strip()]
    for line in lines[:HEADER_LINES]:
        if (found := DATELINE.match(line)) and (day := iso_date(found["day"])):
            said.setdefault("date", day)
        elif found := BYLINE.fullmatch(line):
            said.setdefault("author", found["author"].strip())
    return said


def read_text(text: str) -> Metadata:
    """Plain text: a line such as "Published on: Nov 12, 2019", a line such as "By Jane Doe"."""
    return _header_values(text)


def read_markdown(text: str) -> Metadata:
    """Markdown: front matter, then what plain text has."""
    span = front_matter(text)
    below = text[span.end :] if span else text
    return _header_values(below) | _front_matter_values(text)


READERS: dict[str, Reader] = {".txt": read_text, ".md": read_markdown}
"""Suffix → what reads the metadata of such a file. A new format is one function and one line here."""
