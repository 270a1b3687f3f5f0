from __future__ import annotations

import re

import pytest

from qa.texts import ENGLISH, LANGUAGES, SPANISH, Words, words
from tests.conftest import ROOT

TABLES = pytest.mark.parametrize("table", LANGUAGES.values(), ids=LANGUAGES.keys())


def places(text: str) -> list[str]:
    """The names of what is filled in, "?" where a brace is anything else."""
    return sorted(name or "?" for name in re.findall(r"\{(\w+)\}|[{}]", text))


@TABLES
def test_every_language_says_the_same_things(table: Words) -> None:
    assert table.keys() == ENGLISH.keys()
    assert {key: places(text) for key, text in table.items()} == {key: places(text) for key, text in ENGLISH.items()}
    assert not [key for key, text in table.items() if "?" in places(text)]


@TABLES
def test_no_text_can_be_taken_for_markup(table: Words) -> None:
    # They stand in HTML and in its attributes as they are.
    assert [text for text in table.values() if set(text) & set("<>&\"'")] == []
    assert [text for text in table.values() if not text.strip() or text != text.strip()] == []


def test_the_languages_are_not_the_same_language() -> None:
    same = {key for key in ENGLISH if ENGLISH[key] == SPANISH[key]}
    assert same == {"logit", "markdown", "html"}


@pytest.mark.parametrize(
    ("accepted", "table"),
    [
        ("es-MX,es;q=0.9", SPANISH),
        ("es", SPANISH),
        ("ES", SPANISH),
        ("es-419;q=0.8, en;q=0.5", SPANISH),
        (" es , en", SPANISH),
        ("en-GB,es;q=0.9", ENGLISH),
        ("en", ENGLISH),
        ("", ENGLISH),
        ("*", ENGLISH),
        ("fr-CA, es;q=0.9", ENGLISH),
        ("est", ENGLISH),
        ("tlh", ENGLISH),
        (";;,,--", ENGLISH),
        ("\x00\ud800", ENGLISH),
    ],
)
def test_the_first_language_of_the_browser_decides(accepted: str, table: Words) -> None:
    assert words(accepted) is table


def test_the_scripts_say_only_what_there_are_words_for() -> None:
    scripts = "".join(path.read_text("utf-8") for path in (ROOT / "src" / "qa" / "static").glob("*.js"))
    said = re.findall(r"\bwords\.(\w+)", scripts)
    filled = re.findall(r"\bfill\(\"(\w+)\", \{(.*?)\}\)", scripts)
    assert len(said) > 10
    assert filled
    assert {*said, *(key for key, _ in filled)} <= ENGLISH.keys()
    given = [(key, sorted(value.split(":")[0].strip() for value in values.split(","))) for key, values in filled]
    assert [(key, names) for key, names in given if names != places(ENGLISH[key])] == []


def test_the_page_says_only_what_there_are_words_for() -> None:
    modules = "".join((ROOT / "src" / "qa" / f"{name}.py").read_text("utf-8") for name in ("markup", "views", "web"))
    said = re.findall(r"\b(?:(?:words|spoken)\[|LABELS\()[\"'](\w+)[\"'][\])]", modules)
    assert len(said) > 60
    assert set(said) <= ENGLISH.keys()
