from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qa.conversation import CARRIED, PERSON, Message, standalone


def user(*questions: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question} for question in questions]


@pytest.mark.parametrize(
    ("history", "question", "expected"),
    [
        ((), "What did she say?", "What did she say?"),
        (("Who rejected the offer?",), "What did she say?", "What did she say? (rejected offer)"),
        (("Who rejected Trump's offer?",), "And why?", "And why? (rejected Trump offer)"),
        (("How many goats were there?",), "Why?", "Why? (goats)"),
        (("Did the army seize rocket launchers?",), "How many launchers did it seize?",
         "How many launchers did it seize? (army rocket)"),
        (("Who rejected the offer?", "What did she say about sovereignty?"), "And the year before?",
         "And the year before? (rejected offer sovereignty)"),
        # What stands alone carries nothing, and what was said before a change of topic is forgotten.
        (("Who rejected the offer?",), "How many goats were there?", "How many goats were there?"),
        (("Who rejected the offer?", "How many goats were there?"), "And why?", "And why? (goats)"),
        (("How many goats were there?",), "Who said that one?", "Who said that one?"),
        # A question without a word of its own goes on with the topic.
        (("How many goats were there?", "Who said so?"), "And why?", "And why? (goats)"),
        # A question without a verb says not what, or where.
        (("How many soldiers died?",), "How many police officers?", "How many police officers? (soldiers died)"),
        (("How many soldiers died in Tunis?",), "How many goats starved?", "How many goats starved?"),
    ],
)  # fmt: skip
def test_a_follow_up_is_made_to_stand_alone(history: tuple[str, ...], question: str, expected: str) -> None:
    assert standalone(question, user(*history)) == expected


def test_the_name_that_an_answer_gave_is_carried_first() -> None:
    asked = user("Who rejected the offer of Trump?")
    said = [{"role": "assistant", "content": "Mexico's president, Claudia Sheinbaum, rejected an offer by Trump. [1]"}]
    assert standalone("What did she say?", asked + said) == "What did Claudia Sheinbaum say? (rejected offer Trump)"
    assert standalone("And what did it cost?", asked + said) == (
        "And what did it cost? (Claudia Sheinbaum rejected offer Trump)"
    )
    number = user("How many goats were there?")
    assert standalone("And why?", number + said) == "And why? (goats)", "only where somebody was asked for"


@pytest.mark.parametrize(
    ("history", "question", "whole"),
    [
        (("Did López Obrador send arms?",), "Why did he refuse?", "Why did López Obrador refuse? (send arms)"),
        (("Who is Jane Doe?",), "And what is her title?", "And what is Jane Doe's title?"),
        (("Who is Jane Doe?", "Where did she study?"), "Who paid her?", "Who paid Jane Doe? (study)"),
        # He is Al; Jane is forgotten; Trump is not she.
        (("Who is Jane Doe?",), "What did Al say when he left?", "What did Al say when he left? (Jane Doe)"),
        (("Who is Jane Doe?", "How many goats were there?"), "Why did she leave?", "Why did she leave? (goats)"),
        (("Who rejected Trump's offer?",), "What did she say?", "What did she say? (rejected Trump offer)"),
    ],
)
def test_he_and_she_become_a_name(history: tuple[str, ...], question: str, whole: str) -> None:
    assert standalone(question, user(*history)) == whole


def test_history_may_hold_answers_and_blocks() -> None:
    blocks: list[Message] = [{"role": "user", "content": [{"type": "text", "text": "Who rejected\nthe offer?"}]}]
    odd: list[Message] = [{"role": "assistant", "content": "Nobody did."}, {"role": "system"}, {"role": "user"}]
    assert standalone("And she?", blocks + odd) == "And she? (rejected offer)"
    assert standalone("And she?", [{"role": "user", "content": None}]) == "And she?"


@given(turns=st.lists(st.text(max_size=40), max_size=6), question=st.text(min_size=1, max_size=60))
def test_whatever_was_said_the_question_stays_as_it_was_typed(turns: list[str], question: str) -> None:
    assume(not PERSON.search(question))
    whole = standalone(question, user(*turns))
    assert whole.startswith(" ".join(question.split()) if whole != question else question)
    assert len(whole.split()) <= len(question.split()) + CARRIED


def test_a_long_conversation_is_no_burden() -> None:
    history: list[Any] = user("How many goats were there?", *["And he?"] * 3000)
    assert standalone("And she?", history) == "And she? (goats)"
