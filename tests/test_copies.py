from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from qa.copies import LEAST, alike, sketch
from tests.conftest import CORPUS

ARTICLES = {path.name: path.read_text("utf-8") for path in CORPUS.rglob("*.md")}


def with_words_replaced(text: str, share: float) -> str:
    chance = random.Random(4)
    return " ".join(word if chance.random() > share else "elsewhere" for word in text.split())


def test_a_wire_story_in_two_papers_is_one() -> None:
    for name, text in ARTICLES.items():
        again = f"Our correspondent\n\n{with_words_replaced(text, 0.04)}\n\nSubscribe to our newsletter.".upper()
        assert alike([(name, sketch(text)), ("other.md", sketch(again))]) == [tuple(sorted([name, "other.md"]))]


def test_articles_on_one_subject_are_not_copies() -> None:
    assert len(ARTICLES) > 5
    assert alike((name, sketch(text)) for name, text in ARTICLES.items()) == []


def test_a_text_that_shares_a_third_is_no_copy() -> None:
    one, other, *_ = sorted(ARTICLES.values(), key=len, reverse=True)
    words, more = one.split(), other.split()
    mixed = " ".join([*words[: len(words) // 2], *more[: len(words) // 2]])
    assert alike([("one", sketch(one)), ("mixed", sketch(mixed))]) == []


def test_too_short_a_text_is_like_none() -> None:
    formula = " ".join(f"word{n}" for n in range(LEAST - 1))
    assert sketch(formula) == sketch("") == b""
    assert alike([("a", b""), ("b", b"")]) == []
    assert sketch(f"{formula} more") != b""


def test_groups_are_whole_whatever_the_order() -> None:
    texts = {f"{name}-{n}": with_words_replaced(text, 0.02 * n) for name, text in ARTICLES.items() for n in range(3)}
    sketches = [(name, sketch(text)) for name, text in texts.items()]
    random.Random(1).shuffle(sketches)
    assert alike(sketches) == sorted(tuple(f"{name}-{n}" for n in range(3)) for name in ARTICLES)


def test_thousands_of_the_same_are_one_group_at_once() -> None:
    mark = sketch(next(iter(ARTICLES.values())))
    assert [len(group) for group in alike((f"{n:04}", mark) for n in range(3_000))] == [3_000]


@given(st.text(), st.text())
def test_the_sketch_hangs_on_words_alone(text: str, blanks: str) -> None:
    spread = " \n".join(text.split(" "))
    assert sketch(text) == sketch(spread)
    assert len(sketch(text * 50)) in (0, 480)
