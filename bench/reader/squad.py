"""Question answering in the form of SQuAD: articles, their paragraphs, and what is asked about each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qa.chunks import sentences

FOLDER = Path("../shared/training")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question over a paragraph with the spans that people marked."""

    question: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph, its sentences, and what is asked about it."""

    text: str
    sentences: tuple[tuple[int, int], ...]
    asked: tuple[Asked, ...]


def paragraphs(path: Path) -> Iterator[tuple[str, list[Paragraph]]]:
    """The articles of a file with their paragraphs."""
    for article in json.loads(path.read_text("utf-8"))["data"]:
        yield article["title"].replace("_", " "), [_paragraph(each) for each in article["paragraphs"]]


def _paragraph(found: Any) -> Paragraph:
    text = found["context"]
    spans = tuple((span.start, span.end) for span in sentences(text))
    return Paragraph(text, spans, tuple(_asked(each) for each in found["qas"]))


def _asked(found: Any) -> Asked:
    spans = [(each["answer_start"], each["answer_start"] + len(each["text"])) for each in found["answers"]]
    return Asked(found["question"].strip(), tuple(spans))


def chosen(spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The answer that most people marked; of those the shortest."""
    return min(Counter(spans).items(), key=lambda item: (-item[1], item[0][1] - item[0][0]))[0]
