"""PDF: the text as PDFium reads it, its lines joined to paragraphs, and the place where each page begins."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pypdfium2 as pdfium

from qa.readers.plain import described, header_values, iso_date, on_one_line
from qa.types import CorpusError, Extract

BROKEN_WORD = re.compile("[\ufffe\x02]\n?")
"""PDFium's mark for a hyphen that only the end of the line put there."""

ENDS = re.compile(r"[.!?…:;][\"”’»)\]]*$")

SHORT = 0.8
"""The share of the page's widest line under which a line that ends a sentence ends its paragraph."""

USELESS = re.compile(r"untitled|microsoft word\b.*|.*\.(?:docx?|pdf|indd|tex|dvi)|\W*", re.I)
"""Titles that a program put in and no person."""


def read(data: bytes) -> Extract:
    """The text of all pages, a blank line between paragraphs and between pages."""
    try:
        document = pdfium.PdfDocument(data)
        pages = [_paragraphs(document[number].get_textpage().get_text_range()) for number in range(len(document))]
        said = document.get_metadata_dict()
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise CorpusError("is encrypted; save it without a password") from error
        raise CorpusError(f"cannot be read as PDF ({error}); save it again") from error
    text, starts = "", []
    for page in pages:
        text += "\n\n" if text and page else ""
        starts.append(len(text))
        text += page
    if not text.strip():
        raise CorpusError("has no text, only pictures; run it through text recognition (OCR)")
    title = on_one_line(said.get("Title", ""))
    about = {
        "title": "" if USELESS.fullmatch(title) else title,
        "author": on_one_line(said.get("Author", "")),
        "date": _day(said.get("CreationDate", "")),
    }
    return described(text, about | header_values(text), tuple(starts))


def _day(stamp: str) -> str:
    """The day of "D:20240305081500Z" (ISO 32000-1, 7.9.4)."""
    found = re.match(r"D:(\d{4})(\d{2})(\d{2})", stamp)
    return iso_date("-".join(found.groups())) if found else ""


def _paragraphs(page: str) -> str:
    """The lines of a page joined to paragraphs."""
    text = BROKEN_WORD.sub("", page.replace("\r\n", "\n").replace("\r", "\n"))
    return "\n\n".join(_joined([on_one_line(line) for line in text.split("\n")]))


def _joined(lines: list[str]) -> Iterator[str]:
    widest = max(map(len, lines), default=0)
    held: list[str] = []
    for line in [*lines, ""]:
        if line:
            held.append(line)
        ends = not line or (ENDS.search(line) and len(line) < SHORT * widest)
        if held and ends:
            yield " ".join(held)
            held = []
