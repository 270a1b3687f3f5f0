from __future__ import annotations

import pytest

from qa import Assistant
from qa.suggest import LONGEST, NEAR, SUGGESTED, next_questions
from qa.types import Answer, Chunk, Passage, Quote, Ranks, Span

RANKS = Ranks(1, 1, 1, 0.5, 1.0)


def passage(text: str, score: float = 5.0) -> Passage:
    return Passage(Chunk("a.txt", 0, Span(0, len(text)), text, "body", "", ""), score, RANKS)


def answer(*passages: Passage, question: str = "Where did the ferry go?", quoted: str = "It went to Holm.") -> Answer:
    quote = Quote(quoted, "a.txt", 0, len(quoted), "", "", "body")
    return Answer(question, quoted, True, 0.9, (quote,), passages)


def suggested(*texts: str) -> tuple[str, ...]:
    return next_questions(answer(*map(passage, texts)))


@pytest.mark.parametrize(
    "text",
    [
        "Ada Lind said that the engine was new.",
        "The engine was new, said Ada Lind.",
        "Ada Lind, the owner of the boat, told reporters that the engine was new.",
        "“It is new,” added Ada Lind on the quay.",
        "Then Ada Lind rejected the plan.",
        "The engine, as Ada\nLind\nsaid, was new.",
    ],
)
def test_who_says_something_is_asked_for_it(text: str) -> None:
    assert suggested(text) == ("What did Ada Lind say?",)


@pytest.mark.parametrize(
    "text",
    [
        "Ada Lind bought the engine.",
        "Bo told Ada Lind about the engine.",
        "The council rejected Ada Lind as the owner.",
        "They called Ada Lind on the quay.",
        "Ada Lind sat down, and Bo said nothing.",
    ],
)
def test_of_any_other_name_it_is_asked_what_the_articles_say(text: str) -> None:
    assert "What do the articles say about Ada Lind?" in suggested(text)


def test_who_speaks_in_a_later_passage_is_asked_for_it() -> None:
    assert suggested("Ada Lind bought an engine.", "Later Ada Lind explained why.") == ("What did Ada Lind say?",)


def test_a_single_word_is_no_name_to_ask_for() -> None:
    assert suggested("Lind said so. On Monday the Harbour was closed.") == ()


def test_names_that_were_asked_for_or_quoted_are_left_out() -> None:
    read = passage("Ada Lind met Bo Brandt, Carla Voss and Dag Ek.")
    asked = answer(read, question="What does Mrs LIND do?", quoted="Carla’s seals swam to Bo.")
    assert next_questions(asked) == ("What do the articles say about Dag Ek?",)
    accents = answer(passage("José Ramírez sailed."), question="Who is Ramirez?")
    assert next_questions(accents) == ()
    joined = answer(passage("Al-Sahl Al-Bahr was closed."), quoted="The Al-Sahl stayed open.")
    assert next_questions(joined) == ()


def test_small_words_do_not_make_two_names_one() -> None:
    read = passage("The Bank of Holm met the Ministry of Fisheries.")
    both = ("What do the articles say about Bank of Holm?", "What do the articles say about Ministry of Fisheries?")
    assert next_questions(answer(read, quoted="It went at the end of the week.")) == both


def test_a_part_of_a_longer_name_is_left_out() -> None:
    assert suggested("The Sail Company met. The Sail Company of Lund grew.") == (
        "What do the articles say about Sail Company of Lund?",
    )
    # Of names that share a word, that of the better passage is asked for.
    assert suggested("The Department of Fish met.", "The Fish Department grew.") == (
        "What do the articles say about Department of Fish?",
    )


def test_headlines_in_capitals_lists_and_openings_are_left_out() -> None:
    long = "Anna " * (LONGEST // 5) + "Lind"
    assert suggested("FERRY SAILS AGAIN", f"We met {long} there.", "The Ferry sank.", "Mr Lind sank.") == ()


def test_what_is_far_from_the_best_passage_is_left_out() -> None:
    near, far = passage("Ada Lind sat.", 5.0 - NEAR), passage("Bo Brandt sat.", 4.9 - NEAR)
    assert next_questions(answer(passage("It left."), near, far)) == ("What do the articles say about Ada Lind?",)


def test_at_most_three_are_suggested_those_of_the_best_passage_first() -> None:
    texts = ("Dag Ek sat by Ada Lind.", "Carla Voss sat.", "Bo Brandt sat.", "Eva Rask sat.")
    names = ("Dag Ek", "Ada Lind", "Carla Voss")
    assert len(names) == SUGGESTED
    assert suggested(*texts) == tuple(f"What do the articles say about {name}?" for name in names)


def test_without_passages_nothing_is_suggested() -> None:
    assert next_questions(answer()) == ()
    assert next_questions(Answer("Who?", "", False, 0.0, ())) == ()


@pytest.mark.parametrize(
    "question",
    [
        "Who rejected Trump's offer of US troops?",
        "Which helicopter may be assembled in Mexico?",
    ],
)
def test_whatever_is_suggested_is_answered_with_something_new(assistant: Assistant, question: str) -> None:
    before = assistant.ask(question)
    following = next_questions(before)
    assert following
    for each in following:
        after = assistant.ask(each)
        assert after.answered, each
        assert not overlaps(after.quotes[0], before.quotes), each


def overlaps(quote: Quote, others: tuple[Quote, ...]) -> bool:
    """Whether a quote has some of the words of others."""
    return any(other.source == quote.source and other.start < quote.end and quote.start < other.end for other in others)
