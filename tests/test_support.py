"""What must not differ between a statement and its sentences, by value."""

from __future__ import annotations

import pytest

from qa.support import negated, numbers, struck
from qa.types import Struck

SALT = "Ann Berg found 12 tonnes of salt in the old mine in 1974."
SHUT = "The mine, which Bo Dahl did not want to sell, was shut in the spring of 1980."
US = "The United States rejected the offer; the European Union did not answer it."


class Sure:
    """A judge that lets everything pass, so that the guards alone decide."""

    name = "sure"

    def score(self, question: str, texts: list[str]) -> list[float]:
        return [99.0 for _ in texts]


def fate(statement: str, *cited: str) -> Struck:
    return struck(statement, cited, Sure())  # type: ignore[arg-type]


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
        ("Ann Berg painted the boats of the harbour with her sister.", [SALT], "unsupported"),
    ],
)
def test_what_changes_one_of_them_is_struck(statement: str, cited: list[str], why: Struck) -> None:
    assert fate(statement, *cited) == why


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
