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

NOT_SHOWN = ("del", "moveFrom", "txbxContent", "pPr")
"""What stands in a paragraph and not in its sentences: deleted, moved away, in a box, or the paragraph's own form."""

SIGNS = {"tab": " ", "br": " ", "cr": " ", "noBreakHyphen": "-"}
"""Elements that stand for a character."""

SHOWN = f".//*[self::w:t{''.join(f' or self::w:{sign}' for sign in SIGNS)}]" + "".join(
    f"[not(ancestor::w:{kind})]" for kind in NOT_SHOWN
)


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
        lines = map(_row, block.rows) if isinstance(block, Table) else [_shown(block)]
        yield from (line for line in lines if line.strip(" |"))


def _row(row: Any) -> str:
    return " | ".join(" ".join(filter(None, map(_shown, cell.paragraphs))) for cell in row.cells)


def _shown(paragraph: Any) -> str:
    """What Word shows of a paragraph when its changes are accepted.

    python-docx leaves out what was inserted: "did not attend" would be quoted as "did attend".
    """
    nodes = paragraph._p.xpath(SHOWN)
    return on_one_line("".join(SIGNS.get(node.tag.partition("}")[2], node.text or "") for node in nodes))


def _headline(document: Any) -> str:
    """The first paragraph that is styled as the title."""
    titles = (_shown(p) for p in document.paragraphs if p.style.name == "Title")
    return next(filter(None, titles), "")
