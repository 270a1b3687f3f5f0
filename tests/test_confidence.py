from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa import QAError
from qa.confidence import (
    CALIBRATION,
    EXPECTED,
    MOST_READ,
    Calibration,
    Signs,
    doubt,
    familiar,
    missing,
    read_calibration,
    signs,
    speaks_of,
    write_calibration,
)
from qa.types import Chunk, Passage, Ranks, Span

ANSWERED = Signs(passage=8.0, sentence=7.0, cosine=0.6, missing=0, size=3.0)
MISSED = Signs(passage=-2.0, sentence=-6.0, cosine=0.3, missing=1, size=3.0)
FLOATS = st.floats(-1e5, 1e5)


def test_a_plain_answer_is_sure_and_a_plain_miss_is_not() -> None:
    assert CALIBRATION.confidence(ANSWERED) > 0.8
    assert CALIBRATION.confidence(MISSED) < 0.1


@given(passage=FLOATS, sentence=FLOATS, more=st.floats(0, 1e3))
def test_confidence_is_a_probability_that_rises_with_every_good_sign(
    passage: float, sentence: float, more: float
) -> None:
    base = Signs(passage, sentence, 0.4, 1, 3.0)
    sure = CALIBRATION.confidence(base)
    assert 0 <= sure <= 1
    better = (
        replace(base, passage=passage + more),
        replace(base, sentence=sentence + more),
        replace(base, cosine=0.4 + more),
        replace(base, missing=0),
        replace(base, size=2.0),
        replace(base, read=base.read + more),
    )
    worse = (replace(base, missing=2), replace(base, size=5.0))
    assert all(CALIBRATION.confidence(signs) >= sure for signs in better)
    assert all(CALIBRATION.confidence(signs) <= sure for signs in worse)
    assert CALIBRATION.confidence(replace(base, missing=7)) == CALIBRATION.confidence(replace(base, missing=2))
    most = CALIBRATION.confidence(replace(base, read=MOST_READ))
    assert CALIBRATION.confidence(replace(base, read=MOST_READ + more)) == most


def test_the_log_odds_are_the_weighted_signs() -> None:
    even = Calibration(offset=-1.0, passage=0.5, sentence=0.25, cosine=2.0, missing=-1.0, size=-0.5)
    assert even.confidence(Signs(passage=2.0, sentence=4.0, cosine=0.5, missing=1, size=2.0)) == 0.5
    steeper = even.rescaled(2.0, 1.0)
    assert steeper == Calibration(offset=-1.0, passage=1.0, sentence=0.5, cosine=4.0, missing=-2.0, size=-1.0)


def test_a_reader_is_doubted_only_where_the_passage_has_the_words_of_the_question() -> None:
    asked = "How many goats did the farm of the north sell?"
    whole, half = "The farm of the north did sell goats.", "The farm is old, and it has goats."
    assert familiar(asked, whole) == 1.0
    assert familiar(asked, half) == 0.5
    assert familiar("Who is it?", whole) == 0.0
    assert doubt(-1.5, 1.0) == -2.0
    assert doubt(-1.5, 0.65) == pytest.approx(-1.0)
    assert doubt(-1.5, 0.5) == doubt(EXPECTED, 1.0) == doubt(3.0, 1.0) == 0.0
    passage = Passage(Chunk("a.txt", 0, Span(0, 37), whole, "body", "", ""), 0.0, Ranks(1, 1, 1, 0.5, 5.0))
    assert signs(asked, [passage], [4.0], 10).doubt == 0.0, "nothing was read"
    assert signs(asked, [passage], [4.0], 10, read=-1.5).doubt == -2.0


@pytest.mark.parametrize(
    ("question", "text", "count"),
    [
        ("When did Putin visit Kyiv?", "Vladimir Putin went to Kyiv.", 0),
        ("When did Putin visit Kyiv?", "Somebody went to Kyiv.", 1),
        ("What did Mexico and Russia say?", "The Mexican and the Russian ambassador spoke.", 0),
        ("What did the US say?", "The United States said nothing.", 0),
        ("What happened in 1939?", "It was written in 1938.", 1),
        ("Where is Culiacan?", "It is in CULIACÁN.", 0),
        ("Putin left when?", "He left.", 0),  # The word that opens a question may be capitalised for that alone.
        ("who is it", "Nobody.", 0),
    ],
)
def test_names_and_numbers_that_a_text_lacks(question: str, text: str, count: int) -> None:
    assert missing(question, text) == count


def test_what_the_date_of_an_article_says_is_not_missing() -> None:
    chunk = Chunk("a.txt", 0, Span(0, 9), "Al spoke.", "body", "", "2024-01-26")
    passage = Passage(chunk, 5.0, Ranks(1, 1, 1, 0.5, 5.0))
    counts = [
        signs(f"What did Al say in {when}?", [passage], [4.0], 10).missing for when in ("January 2024", "July 2019")
    ]
    assert counts == [0, 2]
    undated = replace(passage, chunk=replace(chunk, date=""))
    assert signs("What did Al say in 2024?", [undated], [4.0], 10).missing == 1


def test_a_calibration_is_kept_beside_its_index(tmp_path: Path) -> None:
    assert read_calibration(tmp_path) is CALIBRATION
    other = CALIBRATION.rescaled(1.5, 0.25)
    write_calibration(tmp_path, other)
    assert read_calibration(tmp_path) == other
    with pytest.raises(QAError, match=r"calibration\.json cannot be written \(.*\); make its folder writable\.$"):
        write_calibration(tmp_path / "none", other)


@pytest.mark.parametrize(
    ("topic", "text", "speaks"),
    [
        ("the weapons?", "A weapon was found.", True),
        ("Russian spies?", "Russia has a spy.", False),
        ("Russian spies?", "More Russian spies than anywhere.", True),
        ("the law?", "It rained.", False),
        ("it?", "It rained.", False),
    ],
)
def test_a_text_speaks_of_a_topic_when_it_has_its_words(topic: str, text: str, speaks: bool) -> None:
    assert speaks_of(topic, text) is speaks
