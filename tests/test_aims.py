from __future__ import annotations

import pytest

from qa.aims import aim_of, names_anew, offers, topic


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("How many goats were there?", "number"),
        ("What share of exports goes north?", "number"),
        ("When did it leave?", "date"),
        ("In which year was it built?", "date"),
        ("Who rejected the offer?", "name"),
        ("Which helicopter is it?", "name"),
        ("What company makes it?", "name"),
        ("What did she say?", ""),
        ("Why did he refuse?", ""),
        ("goats ferry", ""),
    ],
)
def test_the_kind_of_fact_that_is_asked_for(question: str, wanted: str) -> None:
    assert aim_of(question).wanted == wanted


@pytest.mark.parametrize(
    ("question", "sentence", "offered"),
    [
        ("How many goats?", "There were 40 goats.", True),
        ("How many goats?", "There were forty goats.", True),
        ("How many goats?", "There were goats.", False),
        ("How many of the 40 goats died?", "There were 40 goats.", False),
        ("When did it leave?", "It left on Monday.", True),
        ("When did it leave?", "It left.", False),
        ("Who left with Jane?", "Jane left with Al.", True),
        ("Who left with Jane?", "Then Jane left.", False),
        ("Why did it leave?", "It left.", True),
    ],
)
def test_a_sentence_offers_what_the_question_lacks(question: str, sentence: str, offered: bool) -> None:
    assert offers(aim_of(question).wanted, question, sentence) is offered


def test_the_word_that_opens_a_sentence_is_no_name() -> None:
    assert not names_anew("", "The ferry left.")
    assert names_anew("", "The ferry left Kyiv's harbour.")


@pytest.mark.parametrize(
    ("question", "several", "over_time", "comments"),
    [
        ("Compare the answers of Kelly and Salazar.", True, False, False),
        ("What is the difference between them?", True, False, False),
        ("What do the articles say about spies?", True, False, False),
        ("How has the law changed since 2018?", True, True, False),
        ("What has the law done since 2018?", True, True, False),
        ("How many goats were sold since 2018?", False, False, False),
        ("How did the toll develop?", True, True, False),
        ("How do Kelly and Salazar differ?", True, False, False),
        ("List the weapons of the army.", True, False, False),
        ("What are the seven rooms of it?", False, False, False),
        ("What makes the different sounds of a ferry?", False, False, False),
        ("What do readers say about the law?", True, False, True),
        ("How did readers react to it?", True, False, True),
        ("What are readers saying about it?", True, False, True),
        ("Readers' reactions to the toll", True, False, True),
        ("Tell me about the ferry.", True, False, False),
        ("Did the White House comment on it?", False, False, False),
        ("What did the report on spies say?", False, False, False),
        ("Who rejected the offer?", False, False, False),
    ],
)
def test_whom_a_question_asks(question: str, several: bool, over_time: bool, comments: bool) -> None:
    aim = aim_of(question)
    assert (aim.several, aim.over_time, aim.comments) == (several, over_time, comments)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What do readers say about the law?", "the law?"),
        ("What do the articles say about Russian spies?", "Russian spies?"),
        ("What do readers think?", "What do readers think?"),
        ("How has the law changed since 2018?", "the law?"),
        ("How did the toll develop over time?", "the toll?"),
        ("Timeline of the bridge", "the bridge"),
        ("Tell me about the ferry.", "the ferry."),
        ("How many goats were sold since 2018?", "How many goats were sold since 2018?"),
        ("Who rejected the offer?", "Who rejected the offer?"),
    ],
)
def test_the_topic_is_what_a_text_would_say(question: str, expected: str) -> None:
    assert topic(question) == expected
