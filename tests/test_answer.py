from __future__ import annotations

import html
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from qa import Assistant
from qa.answer import REFUSAL, escape_markdown
from tests.conftest import Library
from tests.test_documents import TEXTS

MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": False})
NASTY = st.lists(
    st.sampled_from(
        ["*", "_", "`", "[a](b)", "<b>", "&lt;", "&amp;", "#", "- ", "1. ", "> ", "|", "~~", "http://x.yz", "www.x.yz",
         "a@b.cd", "\\", "![i](j)", "===", "+ ", "<script>", "a", " ", "\n"]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(text=NASTY | TEXTS)
def test_escaped_text_shows_as_it_is(text: str) -> None:
    escaped = escape_markdown(text)
    rendered = MARKDOWN.render(escaped)
    assert set(re.findall(r"</?(\w+)", rendered)) <= {"p"}, "nothing but a paragraph"
    shown = html.unescape(re.sub(r"</?p>", "", rendered))
    assert "".join(shown.split()) == "".join(text.replace("\x00", "\ufffd").split())


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("1. It left.", "1\\. It left."),
        ("12) It left at 3.", "12\\) It left at 3."),
        ("*a* <b> [c](d)", "\\*a\\* \\<b\\> \\[c\\](d)"),
        ("It cost $5 & more.", "It cost $5 & more."),
        ("www.a.org http://b.org", "www\\.a.org http:\\//b.org"),
    ],
)
def test_what_is_escaped(text: str, escaped: str) -> None:
    assert escape_markdown(text) == escaped


def test_an_answer_is_made_of_numbered_quotes(assistant: Assistant) -> None:
    answer = assistant.ask("How many grenade launchers did the army seize?")
    assert answer.answered
    first = answer.quotes[0]
    assert first.text.startswith("The army seized 56 grenade launchers, 12 rocket launchers and 221 fully automatic")
    assert (first.source, first.date) == ("2024-01-26-army-weapons-with-cartels.md", "2024-01-26")
    assert answer.text.startswith(f"{first.text} [1]")
    left = answer.text
    for number, quote in enumerate(answer.quotes, 1):
        left = left.replace(f"{escape_markdown(quote.text)} [{number}]", "")
    assert not left.strip(), "an answer has no words but its quotes"


@pytest.mark.parametrize(
    "question",
    [
        "How much did the helicopters cost?",
        "What is the capital of Brazil?",
        "When did Sheinbaum visit Moscow?",
        "Who won the football match on Sunday?",
    ],
)
def test_what_the_articles_do_not_say_is_refused_with_the_closest_passages(assistant: Assistant, question: str) -> None:
    answer = assistant.ask(question)
    assert not answer.answered
    assert answer.text == REFUSAL
    assert answer.confidence < 0.5
    assert 1 <= len(answer.quotes) <= 3


def test_no_sentence_is_quoted_twice(library: Library) -> None:
    for name in ("a", "b"):
        library.write(f"{name}.txt", "Wire\n\nThe ferry carried forty goats. It left at noon on that day.\n")
    library.build()
    texts = [quote.text for quote in library.assistant.ask("ferry carried forty goats").quotes]
    assert texts.count("The ferry carried forty goats.") == 1


def test_a_heading_is_not_quoted_when_a_sentence_can_be(library: Library) -> None:
    library.write(
        "a.txt", "Wire\n\nThe ferry sailed on Monday and came back.\n\nForty goats\n\nThey bleated all day.\n"
    )
    library.build()
    assert "Forty goats" not in [quote.text for quote in library.assistant.ask("forty goats").quotes]


def test_a_sentence_that_names_nobody_brings_the_one_that_does(library: Library) -> None:
    library.write(
        "a.txt",
        "A letter\n\nThe captain of the ferry is Jane Doe. She wrote the angry letter to the harbour master. "
        "Later it rained.\n",
    )
    library.build()
    answer = library.assistant.ask("Who wrote the angry letter to the harbour?")
    text = library.assistant.document("a.txt").text
    first = answer.quotes[0]
    assert (first.text, text[first.start : first.end]) == (
        "The captain of the ferry is Jane Doe. She wrote the angry letter to the harbour master.",
    ) * 2
    spans = sorted((quote.start, quote.end) for quote in answer.quotes)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans)), "nothing is quoted twice"


def first_quote(library: Library, question: str) -> str:
    library.build()
    return library.assistant.ask(question).quotes[0].text


def test_two_sentences_that_answer_together_are_one_quote(library: Library) -> None:
    library.write(
        "a.txt", "A ferry\n\nThe harbour master counted goats on Monday. Forty were white by noon. It rained.\n"
    )
    both = "The harbour master counted goats on Monday. Forty were white by noon."
    assert first_quote(library, "harbour master counted goats white") == both
    assert first_quote(library, "harbour master counted goats") == "The harbour master counted goats on Monday."


def test_a_pair_has_nothing_between_its_sentences(library: Library) -> None:
    library.write(
        "a.txt", "A ferry\n\nThe harbour master counted goats. Were any of them ill? Forty were white by noon.\n"
    )
    assert first_quote(library, "harbour master counted goats white") == "The harbour master counted goats."


def test_a_pronoun_is_read_with_the_name_that_it_stands_for(library: Library) -> None:
    library.write(
        "a.txt",
        "A ferry\n\nThe Doe Foundation studied the ferry. The report is long and dull. It recommends more goats.\n",
    )
    assert first_quote(library, "Doe Foundation recommends goats") == "It recommends more goats."


def test_a_sentence_that_repeats_the_question_does_not_say_what(library: Library) -> None:
    library.write("a.txt", "A ferry\n\nJane Doe offered more than goats.\n")
    library.write("b.txt", "A ferry\n\nIn June Jane Doe offered more than goats to the island.\n")
    assert first_quote(library, "What has Jane Doe offered besides goats").startswith("In June")
    assert first_quote(library, "Jane Doe offered more than goats").startswith("Jane Doe"), "it may say whether"


def test_a_question_in_an_article_answers_nothing(library: Library) -> None:
    library.write(
        "quiz.txt", "A quiz\n\nHow many goats did the ferry carry on Monday? Find out tomorrow, in our next letter.\n"
    )
    library.write("b.txt", "A ferry\n\nOn Monday the ferry did carry forty goats.\n")
    library.build()
    quotes = library.assistant.ask("How many goats did the ferry carry on Monday?").quotes
    assert quotes[0].text == "On Monday the ferry did carry forty goats."
    assert not any(quote.text.endswith("?") for quote in quotes)


def test_the_same_story_is_quoted_once_unless_its_numbers_differ(library: Library) -> None:
    wire = "The ferry to the island carried {} goats on the first Monday of May, the harbour master said on Tuesday."
    for name, goats in (("a", "40"), ("b", "40"), ("c", "50")):
        library.write(f"{name}.txt", f"Wire\n\n{wire.format(goats)}\n")
    library.build()
    quotes = library.assistant.ask("goats carried ferry island harbour master").quotes
    assert sorted(quote.source for quote in quotes) == ["a.txt", "c.txt"]
