from __future__ import annotations

import pytest
from hypothesis import given

from qa.names import fold, initials, names, tails
from tests.test_documents import TEXTS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The president, Andrés Manuel López Obrador, spoke.", ["Andrés Manuel López Obrador"]),
        ("He flew to the United States of America's north.",
         ["United States of America", "United States", "America"]),
        ("On Friday the army left Culiacán.", ["Friday", "Culiacán"]),
        ("The Department of Justice and the CIA", ["Department of Justice", "Department", "Justice", "CIA"]),
        ("Nothing is named here.", ["Nothing"]),
        ("Jane\n\nDoe, Ann", ["Jane", "Doe", "Ann"]),
        ("", []),
    ],
)  # fmt: skip
def test_names_are_runs_of_capitalised_words(text: str, found: list[str]) -> None:
    assert names(text) == found


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Andrés Manuel López Obrador", "AMLO"), ("Department of Justice", "DJ"), ("Ávila Östlund", "AO"), ("cia", "")],
)
def test_initials_are_those_of_the_capitalised_words(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_folding_takes_case_and_accents_away() -> None:
    assert fold("LÓPEZ Ñandú Straße") == "lopez nandu strasse"


@given(text=TEXTS)
def test_a_name_stands_in_its_text(text: str) -> None:
    flat = " ".join(text.split())
    assert all(name in flat for name in names(text))


def test_a_name_has_its_tails_without_titles() -> None:
    assert tails("President Ana Gil of Oaxaca") == ["President Ana Gil of Oaxaca", "Ana Gil of Oaxaca", "Gil of Oaxaca"]
    assert tails("Oaxaca") == []
