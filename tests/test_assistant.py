from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import qa
from qa import Assistant, CorpusError, Passage, QAError, Quote, StoreError
from qa.assistant import MAX_QUESTION, Message, standalone
from tests.conftest import CORPUS, Library
from tests.test_documents import TEXTS
from tests.test_segments import LINES

QUESTIONS = (
    "How many grenade launchers did the army seize?",
    "Who rejected the offer?",
    "Which helicopter may be assembled in Mexico?",
    "neutrality constitution 1939",
    "What happened in Culiacán?",
    "¿Quién rechazó las tropas?",
    "How much did the helicopters cost?",
)


def verify(assistant: Assistant, question: str) -> None:
    """Every span is the document's own text."""
    passages = assistant.retrieve(question, 20, include_comments=True)
    items: list[Passage | Quote] = [*passages, *assistant.ask(question, include_comments=True).quotes]
    for item in items:
        assert assistant.document(item.source).text[item.start : item.end] == item.text


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_span_is_verbatim(assistant: Assistant, question: str) -> None:
    verify(assistant, question)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(st.lists(TEXTS | LINES.map("\r\n".join)).map("".join), min_size=1, max_size=3))
def test_every_span_is_verbatim_whatever_the_files_hold(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    library = Library(tmp_path_factory.mktemp("library"))
    for number, text in enumerate(texts):
        library.write(f"{number}.{'md' if number % 2 else 'txt'}", text)
    library.build()
    for question in ("the river rose by two metres", "a story of boats and a", "Q 😀 é"):
        verify(library.assistant, question)
    for number, text in enumerate(texts):
        assert library.assistant.document(f"{number}.{'md' if number % 2 else 'txt'}").text == text


def test_passages_come_best_first_and_as_many_as_asked(assistant: Assistant) -> None:
    passages = assistant.retrieve("weapons of the cartels", k=7)
    assert len(passages) == 7
    assert [p.score for p in passages] == sorted((p.score for p in passages), reverse=True)
    assert assistant.retrieve("weapons of the cartels", k=3) == passages[:3]


def test_the_module_functions_take_the_store_and_answer_alike(assistant: Assistant, corpus_store: Path) -> None:
    question = "Who rejected the offer?"
    assert qa.retrieve(question, k=3, store=corpus_store) == assistant.retrieve(question, k=3)
    assert qa.ask(question, store=corpus_store) == assistant.ask(question)


def test_the_settings_name_the_default_store(corpus_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_STORE", str(corpus_store))
    assert qa.retrieve("helicopters", k=1)[0].source == "2018-10-31-helicopter-assembly.md"


@pytest.mark.parametrize("question", ["", "   \n", "?!", "…"])
def test_an_empty_question_says_what_to_do(assistant: Assistant, question: str) -> None:
    for use in (assistant.ask, assistant.retrieve):
        with pytest.raises(QAError, match=r"^The question is empty; type at least one word\.$"):
            use(question)


def test_a_question_of_100_000_characters_says_what_to_do(assistant: Assistant) -> None:
    with pytest.raises(QAError, match=r"^The question has 100,000 characters; shorten it to at most 2,000\.$"):
        assistant.ask("a" * 100_000)
    assert assistant.ask("a" * MAX_QUESTION).quotes


@pytest.mark.parametrize("k", [0, -1, 101])
def test_an_odd_number_of_passages_says_what_to_do(assistant: Assistant, k: int) -> None:
    with pytest.raises(QAError, match=r"ask for a number from 1 to 100\.$"):
        assistant.retrieve("goats", k=k)


def test_an_index_by_another_embedder_says_what_to_do(corpus_store: Path) -> None:
    other = qa.Settings(embedder="somebody/else")
    with pytest.raises(
        StoreError, match=r"all-MiniLM-L6-v2 and somebody/else is set; run `qa index` to build it anew\.$"
    ):
        Assistant.open(corpus_store, other)


def test_no_folder_and_no_article_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="There is no folder"):
        qa.build_index(tmp_path / "none", tmp_path / "store")
    with pytest.raises(CorpusError, match=r"has no \.txt or \.md article"):
        qa.build_index(tmp_path, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def user(*questions: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question} for question in questions]


@pytest.mark.parametrize(
    ("history", "question", "expected"),
    [
        ([], "What did she say?", "What did she say?"),
        (user("Who rejected the offer?"), "What did she say?", "Who rejected the offer: What did she say?"),
        (user("Who rejected the offer?"), "And why?", "Who rejected the offer: And why?"),
        (
            user("Who rejected the offer?"),
            "How many helicopters were forced down near Culiacán?",
            "How many helicopters were forced down near Culiacán?",
        ),
        (user("Ferries?", "How many goats were there?"), "And they?", "How many goats were there: And they?"),
        (user("How many goats were there?"), "Why?", "How many goats were there: Why?"),
        (user("How many goats were there?"), "Who rejected US troops?", "Who rejected US troops?"),
        (user("How many goats were there?"), "Who said that one?", "Who said that one?"),
        (
            user("Who rejected the offer of troops?", "What did she say?"),
            "Why?",
            "Who rejected the offer of troops: What did she say: Why?",
        ),
    ],
)  # fmt: skip
def test_a_follow_up_is_made_to_stand_alone(history: list[dict[str, str]], question: str, expected: str) -> None:
    assert standalone(question, history) == expected


def test_history_may_hold_answers_and_blocks() -> None:
    blocks: list[Message] = [{"role": "user", "content": [{"type": "text", "text": "Who rejected\nthe offer?"}]}]
    answer: list[Message] = [{"role": "assistant", "content": "Nobody did."}]
    assert standalone("And she?", blocks + answer) == "Who rejected the offer: And she?"
    assert standalone("And she?", [{"role": "user", "content": None}]) == "And she?"


def test_a_long_conversation_is_no_burden() -> None:
    assert standalone("And she?", user(*["And he?"] * 3000)).count("And") == 3001


@pytest.mark.parametrize("question", ["What did it cost?", "And who is Taylor Swift?", "And the capital of Brazil?"])
def test_the_question_before_does_not_answer_a_follow_up(assistant: Assistant, question: str) -> None:
    earlier = user("How many grenade launchers did the army seize?")
    assert assistant.ask(earlier[0]["content"]).answered
    assert not assistant.ask(question, earlier).answered


def test_a_question_that_stands_alone_is_answered_alone(assistant: Assistant) -> None:
    earlier = user("How many grenade launchers did the army seize?")
    for question in (
        "Who said that Mexico is nobody's colony?",
        "Who rejected US troops?",
        "Is there a Russian helicopter?",
    ):
        assert assistant.ask(question, earlier) == assistant.ask(question)


@pytest.mark.parametrize("question", ["字 " * 600, "a b c d e f g h " * 120])
def test_a_question_of_too_many_tokens_says_what_to_do(assistant: Assistant, question: str) -> None:
    for use in (assistant.ask, assistant.retrieve):
        with pytest.raises(QAError, match=r"^The question is longer than the 254 tokens that are read; shorten it\.$"):
            use(question)


def test_a_question_as_long_as_can_be_is_answered(assistant: Assistant) -> None:
    assert assistant.ask("weapon " * 250).quotes
    assert assistant.ask("and it " * 120, user("weapons " * 200)).question == ("and it " * 120).strip()
    assert assistant.ask("army \udcff number").question == "army ? number"


def test_the_answer_says_which_question_was_searched(assistant: Assistant) -> None:
    answer = assistant.ask("And what did she offer instead?", user("Who rejected Trump's offer of troops?"))
    assert answer.question == "Who rejected Trump's offer of troops: And what did she offer instead?"
    assert answer.quotes[0].source == "2025-05-04-no-us-troops.md"


def test_the_corpus_is_not_touched_by_building(tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in CORPUS.rglob("*")}
    qa.build_index(CORPUS, tmp_path / "store")
    assert {path: path.read_bytes() for path in CORPUS.rglob("*")} == before
