"""The formats: one small reader each, from the bytes of a file to its text and what it says about itself.

A reader raises CorpusError with a clause that says what is wrong and what to do ("is encrypted; save it without a
password"); who asked puts the file's name before it and " and index again." behind. It opens no file,
follows no link and asks no network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from qa.readers import jsonl, plain
from qa.types import Extract

Reader: TypeAlias = Callable[[bytes], Extract]


def _html(data: bytes) -> Extract:
    from qa.readers import html

    return html.read(data)


def _mhtml(data: bytes) -> Extract:
    from qa.readers import html

    return html.read_archive(data)


def _pdf(data: bytes) -> Extract:
    from qa.readers import pdf

    return pdf.read(data)


def _docx(data: bytes) -> Extract:
    from qa.readers import docx

    return docx.read(data)


READERS: dict[str, Reader] = {
    ".txt": plain.read_text,
    ".md": plain.read_markdown,
    ".html": _html,
    ".htm": _html,
    ".mhtml": _mhtml,
    ".mht": _mhtml,
    ".pdf": _pdf,
    ".docx": _docx,
    ".jsonl": jsonl.read,
}
"""Suffix → reader. The large parsers are imported when they read: a question must not wait for them.

A new format is one file, one function and one line here.
"""

TRUSTED = frozenset({".txt", ".md", ".jsonl"})
"""Read in this process. The parsers of all other formats are large and meet files that were made to break them, so
they run in a child process with limits; see `qa.readers.isolate`."""

FORMATS = ", ".join(READERS)
"""The suffixes, for people."""
