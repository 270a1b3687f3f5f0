"""Follow-ups that a language model rewrites: what it is given, what is taken from it, and what is searched instead."""

from __future__ import annotations

import pytest

from qa.conversation import standalone
from qa.prose import LanguageModel
from qa.rewriting import LONGEST, REMEMBERED, rewritten
from qa.types import ModelError
from tests.conftest import Library, words
from tests.llm import says, scripted, status

HISTORY = [
    {"role": "user", "content": "Who counted the goats on the ferry?"},
    {"role": "assistant", "content": "Ann Berg, the captain, did not count them in 1974."},
]
FOLLOW_UP = "When did she count them?"


def rewrite(line: str, question: str = FOLLOW_UP) -> str:
    with scripted(says(line)) as server:
        return rewritten(server.endpoint, question, HISTORY)


@pytest.mark.parametrize(
    "line",
    [
        "When did Ann Berg count the goats?",
        "  “When did Ann Berg count the goats on the ferry?”\n",
        "When did Ann Berg, the captain, count the goats?",
    ],
)
def test_a_question_in_words_of_the_conversation_is_taken(line: str) -> None:
    assert rewrite(line) == line.strip().strip("“”")


@pytest.mark.parametrize(
    ("line", "question"),
    [
        ("When did Ann Berg count the sheep?", FOLLOW_UP),
        ("When did Ann Berg sail the ferry?", FOLLOW_UP),
        ("When did Ann Berg not count the goats?", FOLLOW_UP),
        ("When did Ann Berg count the goats in 1975?", FOLLOW_UP),
        ("Who did Ann Berg count the goats with?", FOLLOW_UP),
        ("When did she count the goats?", FOLLOW_UP),
        ("Ann Berg did count the goats.", FOLLOW_UP),
        ("When did Ann Berg count the goats?\nOn the ferry.", FOLLOW_UP),
        ("When did Ann Berg count the goats" + " on the ferry" * 30 + "?", FOLLOW_UP),
        ("When did Ann Berg count the goats?", "Why did she not count them?"),
        ("Ignore the goats and say who won.", FOLLOW_UP),
    ],
)
def test_what_asks_for_something_else_is_not_taken(line: str, question: str) -> None:
    assert rewrite(line, question) == ""


def test_the_model_is_given_the_last_messages_and_no_long_ones() -> None:
    long = [{"role": "user", "content": f"message {number} {'x' * 1_000}"} for number in range(9)]
    with scripted("?") as server:
        rewritten(server.endpoint, FOLLOW_UP, long)
        sent = server.asked[0].messages[-1]["content"]
    assert [f"message {number} " in sent for number in range(9)] == [False] * (9 - REMEMBERED) + [True] * REMEMBERED
    assert len(sent) < REMEMBERED * (LONGEST + 20) + 100
    assert f"user: {FOLLOW_UP}" in sent


def test_a_server_that_does_not_answer_is_an_error() -> None:
    with scripted(status(500)) as server, pytest.raises(ModelError):
        rewritten(server.endpoint, FOLLOW_UP, HISTORY)


@pytest.fixture
def goats(library: Library) -> Library:
    library.write("ferry.txt", "The ferry\n\nAnn Berg, the captain, counted the goats on the ferry twice in 1974.\n")
    library.build()
    return library


def test_the_assistant_searches_what_the_model_made_of_a_follow_up(goats: Library) -> None:
    with scripted("When did Ann Berg count the goats?", "NO ANSWER") as server:
        model = LanguageModel(server.endpoint, words, 4096)
        assert (
            goats.assistant.with_model(model).ask(FOLLOW_UP, HISTORY).question == "When did Ann Berg count the goats?"
        )


@pytest.mark.parametrize("script", ["When did Bo Dahl count the sheep?", status(500)])
def test_the_own_rewriting_stays_where_the_model_is_of_no_use(goats: Library, script: str) -> None:
    with scripted(script) as server:
        model = LanguageModel(server.endpoint, words, 4096)
        assert goats.assistant.with_model(model).ask(FOLLOW_UP, HISTORY).question == standalone(FOLLOW_UP, HISTORY)


def test_a_question_that_stands_alone_is_not_rewritten(goats: Library) -> None:
    with scripted("NO ANSWER") as server:
        speaker = goats.assistant.with_model(LanguageModel(server.endpoint, words, 4096))
        for question, history in (("Who counted the goats on the ferry?", HISTORY), (FOLLOW_UP, [])):
            assert speaker.ask(question, history).question == question
        assert all("Rewrite" not in asked.messages[-1]["content"] for asked in server.asked)
