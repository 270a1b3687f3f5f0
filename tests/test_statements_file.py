from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import Any

import pytest

from qa.chunks import sentences
from tests.conftest import ROOT

KINDS = {"supported", "number", "negation", "name", "wrong document", "stitched", "absent"}
KEYS = {"statement", "cites", "kind", "holds"}
LINES: list[dict[str, Any]] = [
    json.loads(line) for line in (ROOT / "eval" / "statements.jsonl").read_text(encoding="utf-8").splitlines()
]


@cache
def sentences_of(source: str) -> frozenset[str]:
    text = (ROOT / "corpus" / source).read_text(encoding="utf-8")
    return frozenset(span.of(text).strip() for span in sentences(text))


@pytest.mark.parametrize("line", LINES, ids=range(1, len(LINES) + 1))
def test_every_line_cites_whole_sentences(line: dict[str, Any]) -> None:
    assert KEYS <= line.keys() <= KEYS | {"language"}
    assert line.get("language", "es") == "es"
    assert line["kind"] in KINDS
    assert line["holds"] is (line["kind"] == "supported")
    assert line["statement"]
    assert line["statement"] == line["statement"].strip()
    assert line["cites"]
    for source, text in line["cites"]:
        assert text in sentences_of(source)


def test_there_are_enough_of_every_kind() -> None:
    kinds = Counter(line["kind"] for line in LINES)
    assert len(LINES) >= 200
    assert kinds.keys() == KINDS
    assert min(kinds.values()) >= 20


def test_no_statement_stands_twice() -> None:
    statements = Counter(" ".join(line["statement"].casefold().split()) for line in LINES)
    assert [statement for statement, times in statements.items() if times > 1] == []


def test_every_article_is_cited() -> None:
    articles = {path.name for path in (ROOT / "corpus").glob("*.md")} - {"README.md"}
    assert {source for line in LINES for source, _ in line["cites"]} == articles
