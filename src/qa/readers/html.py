"""Web pages, as a browser saves them: the article and its readers' comments, found by trafilatura (Barbaresi 2021)."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from functools import partial
from typing import Any

import trafilatura
from lxml import etree

from qa.readers.plain import iso_date, on_one_line
from qa.types import CorpusError, Extract, Kind, Segment, Span

INLINE = frozenset(
    "a abbr b bdi bdo cite code del dfn em font i ins kbd mark q s small span strong sub sup time u".split()
)
"""Tags that do not break a line."""

SILENT = frozenset("head iframe math noscript object script style svg template".split())
"""Tags of which a browser shows no text, or no text of the page."""

# A page must give the same date on every day. By themselves these libraries refuse what is later than today, complete
# "2019-11" with the day that it is today, and take "12 Nov 27" for 1927 until it has come.
LATEST = datetime(2099, 12, 31)
dates: Any = importlib.import_module("htmldate.extractors")  # It does not type what is exchanged.
dates.dateutil_parse = partial(dates.dateutil_parse, default=datetime(2000, 1, 1))
dates.get_external_parser()._settings.RELATIVE_BASE = LATEST

DATES = {"original_date": True, "extensive_search": True, "max_date": LATEST}
"""How htmldate looks for a day: as trafilatura asks it to, but for the latest one."""


def read(data: bytes) -> Extract:
    """The article of a page: title, body and comments, a paragraph each; then, labelled, what else the page says."""
    page = trafilatura.load_html(data) if data.strip() else None
    found: Any = page is not None and trafilatura.bare_extraction(
        page, include_comments=True, with_metadata=True, date_extraction_params=DATES
    )
    if not found or not (found.text or "").strip():
        raise CorpusError("has no article that can be told from its menus; save the page again with its text shown")
    title = on_one_line(found.title or "")
    blocks: list[tuple[Kind, str]] = [("title", title)]
    blocks += [("body", paragraph) for paragraph in _paragraphs(found.text)]
    blocks += [("comment", paragraph) for paragraph in _paragraphs(found.comments)]
    rest: list[tuple[Kind, str]] = [("boilerplate", line) for line in _rest(trafilatura.load_html(data), blocks)]
    text, parts = _laid_out([*_without_second_title(blocks), *rest])
    url = on_one_line(found.url or "")
    return Extract(
        text,
        title=title,
        date=iso_date(found.date or ""),
        url=url if re.match(r"https?://", url, re.I) else "",
        author=on_one_line(found.author or ""),
        parts=parts,
    )


def read_archive(data: bytes) -> Extract:
    """The page in a web archive (.mhtml): its first part that is HTML (RFC 2557)."""
    pages = (part for part in message_from_bytes(data).walk() if part.get_content_type() == "text/html")
    page = next(pages, None)
    content = page.get_payload(decode=True) if isinstance(page, Message) else None
    if not isinstance(content, bytes):
        raise CorpusError("holds no page; save it again as one file")
    return read(content)


def _paragraphs(text: str | None) -> Iterator[str]:
    yield from (line for line in map(on_one_line, (text or "").split("\n")) if line)


def _without_second_title(blocks: list[tuple[Kind, str]]) -> Iterator[tuple[Kind, str]]:
    """The blocks that say something; a headline that the body begins with is there already."""
    title = blocks[0][1]
    for number, (kind, text) in enumerate(blocks):
        if text and not (number == 1 and text == title):
            yield kind, text


def _rest(page: Any, blocks: Iterable[tuple[Kind, str]]) -> Iterator[str]:
    """The lines of a page that are none of the blocks, in their order, each once: menus, boxes, captions, footers."""
    known = {_letters(text) for _, text in blocks}
    for line in _lines(page):
        letters = _letters(line)
        if letters and letters not in known:
            known.add(letters)
            yield line


def _letters(text: str) -> str:
    """A line as it is compared: the extractor moves blanks."""
    return re.sub(r"\W+", "", text).casefold()


def _lines(page: Any) -> Iterator[str]:
    """The text of a page between the tags that break a line."""
    walk: Any = etree.iterwalk(page, events=("start", "end", "comment", "pi"))
    line = ""
    for event, element in walk:
        if event in ("start", "end") and element.tag not in INLINE:
            yield on_one_line(line)
            line = ""
        if event == "start" and element.tag in SILENT:
            walk.skip_subtree()
        else:
            line += (element.text if event == "start" else element.tail) or ""
    yield on_one_line(line)


def _laid_out(blocks: Iterable[tuple[Kind, str]]) -> tuple[str, tuple[Segment, ...]]:
    """The blocks with a blank line between them, and the segment of each; a comment is a segment of its own."""
    text, parts = "", []
    for kind, block in blocks:
        text += "\n\n" if text else ""
        parts.append(Segment(Span(len(text), len(text) + len(block)), kind))
        text += block
    return text, tuple(parts)
