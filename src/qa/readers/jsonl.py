"""One line of a .jsonl file: an object whose fields hold an article."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from qa.readers.plain import decoded, iso_date, sound
from qa.types import CorpusError, Extract

TEXT = ("text", "body", "articlebody", "content", "maintext", "article", "story")
TITLE = ("title", "headline", "name")
DATE = ("date", "published", "datepublished", "date_publish", "published_at", "publishedat", "publication_date")
URL = ("url", "link", "canonical_url", "source_url", "uri")
AUTHOR = ("author", "authors", "byline", "creator")
"""Names of fields in lower case, the likeliest first: those of schema.org, of news scrapers and of plain habit."""


def read(data: bytes) -> Extract:
    """The article of a line such as `{"title": "…", "date": "2024-03-05", "text": "…"}`; its text is that field's."""
    try:
        values = json.loads(decoded(data).lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"is not JSON ({error}); write one object on a line") from error
    if not isinstance(values, dict):
        raise CorpusError('is no object; write one on a line, such as {"title": "…", "text": "…"}')
    fields = {str(name).lower(): value for name, value in values.items()}
    text = next((fields[name] for name in TEXT if isinstance(fields.get(name), str) and fields[name].strip()), "")
    if not text:
        raise CorpusError(f"has no text; put the article's into a field called one of: {', '.join(TEXT)}")
    return Extract(
        text=sound(text),
        title=_said(fields, TITLE),
        date=iso_date(_said(fields, DATE)),
        url=_said(fields, URL),
        author=_said(fields, AUTHOR),
    )


def _said(fields: Mapping[str, Any], names: Iterable[str]) -> str:
    """The first of the fields that says something, on one line."""
    return next((said for name in names if (said := _plain(fields.get(name)))), "")


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_plain, value)))
    if isinstance(value, dict):
        return _plain(value.get("name"))
    return " ".join(sound(str(value)).split()) if isinstance(value, (str, int, float)) else ""
