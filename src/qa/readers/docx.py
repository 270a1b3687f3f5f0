"""Word documents (.docx): paragraphs and tables in their order, read by python-docx."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import docx
from docx.table import Table

from qa.readers.plain import described, header_values, on_one_line
from qa.types import CorpusError, Extract

MAX_UNPACKED = 200_000_000
"""Bytes that the parts of a document may have unpacked, as its directory says; a bomb says gigabytes."""


def read(data: bytes) -> Extract:
    """The text, a blank line between paragraphs; the cells of a row stand on one line with " | " between them."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            unpacked = sum(part.file_size for part in parts.infolist())
        if unpacked > MAX_UNPACKED:
            raise CorpusError(f"would be {unpacked / 1e6:.0f} MB unpacked; save it again without pictures")
        document = docx.Document(io.BytesIO(data))
    except (CorpusError, MemoryError):
        raise
    except Exception as error:  # python-docx lets the errors of zipfile, lxml and its own lookups through.
        raise CorpusError(f"cannot be read as .docx ({type(error).__name__}); save it again as .docx") from error
    text = "\n\n".join(_blocks(document))
    if not text:
        raise CorpusError("has no text; write some, or remove it")
    about = document.core_properties
    stated = {
        "title": on_one_line(about.title) or _headline(document),
        "date": about.created.date().isoformat() if about.created else "",
        "author": on_one_line(about.author),
    }
    return described(text, stated | header_values(text))


def _blocks(document: Any) -> Iterator[str]:
    for block in document.iter_inner_content():
        lines = map(_row, block.rows) if isinstance(block, Table) else [on_one_line(block.text)]
        yield from (line for line in lines if line.strip(" |"))


def _row(row: Any) -> str:
    return " | ".join(on_one_line(cell.text) for cell in row.cells)


def _headline(document: Any) -> str:
    """The first paragraph that is styled as the title."""
    titles = (on_one_line(p.text) for p in document.paragraphs if p.style.name == "Title")
    return next(filter(None, titles), "")
