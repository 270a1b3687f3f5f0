"""Questions that have a fact otherwise than the sentence they are asked about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa import Assistant, models
from qa.answer import CONTRADICTED, OTHERWISE, REFUSAL
from qa.contrasts import MOST, Contrast, contradicted, contrasts
from qa.types import Reranker
from tests.conftest import Library, WordReranker

FERRY = "The ferry carried 46 goats from Lund to Aarhus in 1912, and Ada Lind rejected the offer on Tuesday."


@pytest.fixture(scope="module")
def judge() -> Reranker:
    return models.load_judge()


@pytest.mark.parametrize(
    ("question", "instead"),
    [
        ("Who carried 52 goats?", ["Who carried 46 goats?"]),
        ("Who carried fifty-two goats?", ["Who carried 46 goats?"]),
        ("What sailed in 1921?", ["What sailed in 1912?"]),
        ("What carried 52 goats in 1921?", ["What carried 46 goats in 1912?"]),
        ("Who answered on Friday?", ["Who answered on Tuesday?"]),
        ("Who accepted the offer?", ["Who rejected the offer?"]),
        (
            "What sailed from Oslo to Aarhus?",
            ["What sailed from Lund to Aarhus?", "What sailed from Ada Lind to Aarhus?"],
        ),
        ("What sailed from Aarhus to Lund?", ["What sailed from Lund to Aarhus?"]),
    ],
)
def test_a_fact_that_the_passage_lacks_is_exchanged_for_that_of_the_sentence(question: str, instead: list[str]) -> None:
    found = contrasts(question, FERRY, FERRY)
    assert [each for each in found if each.question in instead] == [Contrast(each, FERRY) for each in instead]


@pytest.mark.parametrize(
    "question",
    [
        "Who carried 46 goats in 1912?",
        "Who carried forty-six goats?",
        "What did the ferry carry on Tuesday?",
        "How many goats were there?",
        "",
    ],
)
def test_what_the_sentence_has_is_left_alone(question: str) -> None:
    assert contrasts(question, FERRY, FERRY) == []


def test_what_stands_elsewhere_in_the_passage_is_not_exchanged() -> None:
    assert contrasts("Who carried 52 goats?", FERRY, f"{FERRY} Another carried 52.") == []
    assert contrasts("Who answered on Friday?", FERRY, f"{FERRY} It sailed on Friday.") == []


@pytest.mark.parametrize(
    ("question", "sentence", "instead"),
    [
        ("Who has goats?", "Bo has no goats.", Contrast("Who has goats?", "Bo has goats.")),
        ("Who hasn't goats?", "Bo has goats.", Contrast("Who has goats?", "Bo has goats.")),
        ("Who cannot swim?", "Bo can swim.", Contrast("Who can swim?", "Bo can swim.")),
        ("Who refused to pay?", "Bo pays.", Contrast("Who pay?", "Bo pays.")),
        (
            "What is forbidden?",
            "Neither goats nor pigs are.",
            Contrast("What is forbidden?", "both goats and pigs are."),
        ),
    ],
)
def test_a_denial_is_taken_away_where_only_one_has_it(question: str, sentence: str, instead: Contrast) -> None:
    assert contrasts(question, sentence, sentence) == [instead]


def test_not_this_but_that_denies_nothing() -> None:
    assert contrasts("Why was it built?", "It was built not for goats but for sheep.", "") == []


def test_a_country_is_no_other_word_for_a_region() -> None:
    many = "China, India and Pakistan declined."
    assert contrasts("Which Asian countries declined?", many, many) == []
    one = "In Pakistan a Turkish minister declined."
    assert contrasts("Which Swedish minister declined?", one, one) == [
        Contrast("Which Turkish minister declined?", one)
    ]


def test_about_the_same_number_says_nothing_else() -> None:
    assert contrasts("What rose by 13 percent?", "Prices rose by 13.1 percent.", "Prices rose by 13.1 percent.") == []


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
def test_any_text_has_few_contrasts_and_none_is_the_question_itself(question: str, sentence: str, around: str) -> None:
    found = contrasts(question, sentence, around)
    assert len(found) == len(set(found)) <= MOST


SAILED = "In 1912 the ferry carried 46 goats from Lund to Aarhus."
REJECTED = "Ada Lind rejected the offer of the city on Tuesday."
UNPAID = "Bo Winter has not paid his taxes."


@pytest.mark.parametrize(
    ("sentence", "right", "wrong"),
    [
        (SAILED, "What carried 46 goats?", "What carried 52 goats?"),
        (SAILED, "How many goats did the ferry carry in 1912?", "How many goats did the ferry carry in 1921?"),
        (SAILED, "What did the ferry carry from Lund?", "What did the ferry carry from Oslo?"),
        (REJECTED, "Who rejected the offer of the city?", "Who accepted the offer of the city?"),
        (REJECTED, "Who rejected the offer on Tuesday?", "Who rejected the offer on Friday?"),
        (REJECTED, "Who rejected the offer of the city?", "Who did not reject the offer of the city?"),
        (UNPAID, "Who has not paid his taxes?", "Who has paid his taxes?"),
    ],
)
def test_the_judge_tells_a_wrong_fact_from_a_right_one(judge: Reranker, sentence: str, right: str, wrong: str) -> None:
    assert not contradicted(right, sentence, sentence, lambda: judge)
    assert contradicted(wrong, sentence, sentence, lambda: judge)


def test_without_a_contrast_no_judge_is_loaded() -> None:
    def load() -> Reranker:
        raise AssertionError("it is not needed")

    assert not contradicted("What did the ferry carry?", FERRY, FERRY, load)


def test_what_the_quote_says_otherwise_is_refused(library: Library, judge: Reranker) -> None:
    library.write("offer.md", REJECTED)
    library.build()
    lax = library.assistant
    strict = Assistant(library.store, library.embedder, WordReranker(), judge=lambda: judge)
    right, wrong = "Who rejected the offer of the city on Tuesday?", "Who accepted the offer of the city on Tuesday?"
    assert lax.ask(wrong).answered, "all its words are there but one"
    assert strict.ask(right) == lax.ask(right)
    answer = strict.ask(wrong)
    assert (answer.answered, answer.confidence, answer.text) == (False, CONTRADICTED, REFUSAL)
    assert (answer.note, answer.short) == (OTHERWISE, None)
    assert [quote.text for quote in answer.quotes] == [REJECTED], "what comes closest is shown"
