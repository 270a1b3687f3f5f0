"""What must not differ between a statement and its sentences, by value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from qa import models
from qa.support import LEAST, negated, numbers, struck
from qa.types import Reranker, Struck
from tests.test_statements_file import LINES

SALT = "Ann Berg found 12 tonnes of salt in the old mine in 1974."
SHUT = "The mine, which Bo Dahl did not want to sell, was shut in the spring of 1980."
US = "The United States rejected the offer; the European Union did not answer it."


class Fixed:
    """A judge that says the same of everything: where it is sure, the guards alone decide."""

    name = "fixed"

    def __init__(self, logit: float) -> None:
        self.logit = logit

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        return [self.logit for _ in texts]


def fate(statement: str, *cited: str) -> Struck:
    return struck(statement, cited, Fixed(99.0))


@pytest.mark.parametrize(
    ("statement", "cited"),
    [
        ("Ann Berg found 12 tonnes of salt.", [SALT]),
        ("In 1974, Berg found twelve tonnes of salt in the mine.", [SALT]),
        ("According to this, the old mine had salt.", [SALT]),
        ("Ann Berg found salt in a mine that was shut in 1980.", [SALT, SHUT]),
        ("Bo Dahl did not want to sell the mine.", [SHUT]),
        ("The mine was shut in the spring of 1980.", [SHUT]),
        ("The US rejected the offer.", [US]),
        ("The U.S. rejected the offer, and the EU did not answer it.", [US]),
    ],
)
def test_what_keeps_numbers_names_and_negations_is_left_to_the_judge(statement: str, cited: list[str]) -> None:
    assert fate(statement, *cited) == ""


@pytest.mark.parametrize(
    ("statement", "cited", "why"),
    [
        ("Ann Berg found 13 tonnes of salt.", [SALT], "number"),
        ("Ann Berg found thirteen tonnes of salt.", [SALT], "number"),
        ("Ann Berg found 12 tonnes of salt in 1947.", [SALT], "number"),
        ("Ann Berg found 1,200 tonnes of salt.", [SALT], "number"),
        ("Ann Berg found salt in 12 mines.", [SALT], "number"),
        ("Bo Dahl found 12 tonnes of salt.", [SALT], "name"),
        ("Ann Berg found salt in Sweden.", [SALT], "name"),
        ("The UN rejected the offer.", [US], "name"),
        ("Ann Berg did not find salt in the old mine.", [SALT], "negation"),
        ("Ann Berg never found 12 tonnes of salt.", [SALT], "negation"),
        ("Bo Dahl did want to sell the mine.", [SHUT], "negation"),
        ("The mine was not shut in the spring of 1980.", [SHUT], "negation"),
        ("The European Union did answer the offer.", [US], "negation"),
    ],
)
def test_what_changes_one_of_them_is_struck(statement: str, cited: list[str], why: Struck) -> None:
    assert fate(statement, *cited) == why


def test_the_judge_has_the_last_word() -> None:
    assert struck(SALT, [SALT], Fixed(LEAST)) == ""
    assert struck(SALT, [SALT], Fixed(LEAST - 0.01)) == "unsupported"


@pytest.fixture(scope="module")
def judge() -> Reranker:
    return models.load_judge()


@pytest.mark.parametrize(
    ("statement", "cited", "why"),
    [
        (SALT, [SALT], ""),
        (SHUT, [SALT, SHUT], ""),
        ("Ann Berg found 12 tonnes of salt in the old mine.", [SALT], ""),
        ("Ann Berg painted the boats of the harbour.", [SALT], "unsupported"),
        ("The old mine found Ann Berg in 1974.", [SALT], "unsupported"),
        ("The mine was opened in the spring of 1980.", [SHUT], "unsupported"),
    ],
)
def test_what_the_judge_says_of_plain_cases(judge: Reranker, statement: str, cited: list[str], why: Struck) -> None:
    assert struck(statement, cited, judge) == why


def test_the_benchmark_of_statements_holds(judge: Reranker) -> None:
    """The floors of eval/statements.jsonl; BENCHMARKS.md has the table, and the target, which they are far from."""
    passed: Counter[str] = Counter()
    for said in LINES:
        passed[said["kind"]] += not struck(said["statement"], [sentence for _, sentence in said["cites"]], judge)
    assert passed["number"] + passed["negation"] + passed["name"] <= 4  # of 114; measured 3
    assert passed["wrong document"] + passed["absent"] <= 2  # of 70; measured 1
    assert passed["stitched"] <= 10  # of 37; measured 8
    assert passed["supported"] >= 33  # of 149; measured 36


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Twenty-one of 1,250 men, 3.5 percent", {"21", "1250", "3.5"}),
        ("at 19:30 on 3 May 2019", {"19:30", "3", "2019"}),
        ("doscientos cincuenta goats", {"250"}),
        ("nobody and nothing", set()),
    ],
)
def test_numbers_are_read_in_figures_and_in_words(text: str, found: set[str]) -> None:
    assert numbers(text) == found


@pytest.mark.parametrize("text", ["It didn't.", "He refused.", "Nobody came.", "No vino.", "without a word"])
def test_negations_are_told(text: str) -> None:
    assert negated(text)
    assert not negated("The notary knows the knot.")
