from __future__ import annotations

import pytest

from qa.spanish import english, is_spanish
from qa.wording import in_english, nearest, worded
from tests.conftest import Library

STORY = """Goats on the ferry

President Andrés Manuel López Obrador sent helicopters and grenade launchers to the harbour of Culiacán on Monday. He
said that the Secretariat of National Harbours had asked for the help of the army. The soldiers died.
"""

COMMON = {"how", "many", "did", "the", "send", "who", "is", "vaccines", "machines", "swift", "what", "and", "us"}


def tokens(word: str) -> int:
    """As the embedder's tokenizer counts: an ordinary word is one token."""
    return 1 if word.lower() in COMMON else 2


@pytest.fixture
def harbour(library: Library) -> Library:
    library.write("a.txt", STORY)
    library.write("b.txt", STORY.replace("Goats", "Sheep"))
    library.build()
    return library


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who is AMLO?", "Who is AMLO (Andrés Manuel López Obrador)?"),
        ("who is amlo?", "who is amlo (Andrés Manuel López Obrador)?"),
        ("How many helicoptors did the pres send?", "How many helicopters did the pres send?"),
        ("What is Culiacan and granade?", "What is Culiacan and grenade?"),
        ("Who is Obrodor?", "Who is Obrador?"),
        ("helicopters launchers", "helicopters launchers"),
        ("Who is Zzyzx?", "Who is Zzyzx?"),  # Nothing is near.
        ("vaccines swift", "vaccines swift"),  # Ordinary words that the articles lack are no slips.
        ("What is XQZW?", "What is XQZW?"),
        ("How many 1234567 did the?", "How many 1234567 did the?"),
        ("¿Cuántos soldados murieron?", "how many soldiers died?"),
        ("Summarize helicopters", "Summarize helicopters"),
        ("AMLO (Andrés Manuel López Obrador)", "AMLO (Andrés Manuel López Obrador)"),
        ("¿Por qué envió López Obrador a los soldados?", "why sent López Obrador to the soldiers?"),
        ("¿Quién es Estados Unidos?", "who is United States?"),
    ],
)
def test_words_become_those_of_the_articles(harbour: Library, question: str, expected: str) -> None:
    with harbour.store.snapshot() as snapshot:
        assert worded(question, snapshot, tokens) == expected


def test_a_spanish_question_over_spanish_articles_stays(library: Library) -> None:
    library.write("a.txt", "Las cabras\n\nLos soldados llevaron las cabras a los barcos del puerto el lunes pasado.\n")
    library.build()
    with library.store.snapshot() as snapshot:
        question = "¿Quién llevó las cabras?"
        assert worded(question, snapshot, tokens) == question


def test_words_that_look_alike_are_taken_from_the_articles(harbour: Library) -> None:
    with harbour.store.snapshot() as snapshot:
        assert in_english("¿Qué helicópteros envió el presidente?", snapshot) == "what helicopters sent the president?"


@pytest.mark.parametrize(
    ("word", "expected"),
    [("granade", "Grenade"), ("hgrenade", ""), ("grenades", "Grenade"), ("gr", ""), ("grebadi", "")],
)
def test_the_nearest_word_is_one_slip_away_and_begins_alike(word: str, expected: str) -> None:
    assert nearest(word, {"grenade": "Grenade", "launcher": "launcher"}) == expected


@pytest.mark.parametrize(
    ("text", "spanish"),
    [
        ("¿Quién fue?", True),
        ("Quién rechazó tropas", True),
        ("la guerra en Ucrania y los soldados", True),
        ("Who lives in Los Angeles?", False),
        ("The war in Ukraine", False),
        ("El Chapo", False),
        ("", False),
    ],
)
def test_spanish_is_told_from_english(text: str, spanish: bool) -> None:
    assert is_spanish(text) is spanish


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("rechazó", "rejected"),
        ("Rechazaron", "rejected"),
        ("cuántos", "how many"),
        ("se", ""),
        ("zorro", None),
        ("Salazar", None),
        ("submarino", None),
    ],
)
def test_spanish_words_in_english(word: str, expected: str | None) -> None:
    assert english(word) == expected
