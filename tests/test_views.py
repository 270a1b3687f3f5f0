from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from qa import Assistant, QAError, views
from qa.evaluate import FEEDBACK, Case, measures, read_cases, run
from qa.markup import hint, problem
from qa.readers import FORMATS
from qa.texts import ENGLISH, SPANISH
from qa.transcript import Turn, from_plain, to_html, to_markdown, to_plain
from qa.types import Filters
from tests.conftest import Library

TROOPS = "Who rejected the offer of US troops?"
SEIZED = "How many grenade launchers did the army seize?"
NO_FILTERS = Filters()

FERRY = """A ferry to Holm

By Jane Harbour

The ferry carried forty goats to the island
on Monday, and it came back empty. The captain
said that no goat was seasick.

2 comments

1. Bo Brandt
The goats of Holm are the finest goats of all.

2. Carla Voss
I saw seals from the deck of the ferry.
"""

MILL = """The mill of Lund

The mill of Lund was sold to Ada Lind in spring, for a crown, and its wheel turns again.

2 comments

1. Dag Ek
The wheel is a wonder of old wood.

2. Eva Rask
I would not have paid a crown.
"""


def asked(assistant: Assistant, *questions: str) -> tuple[Turn, ...]:
    """The conversation of these questions."""
    turns: tuple[Turn, ...] = ()
    for question in questions:
        turns = (*turns, *views.answered(assistant, question, turns, False, NO_FILTERS))
    return turns


def shown(markup: str) -> str:
    """What a browser shows of it."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", markup)).split())


@pytest.fixture
def ferry(library: Library) -> Library:
    library.write("ferry.txt", FERRY)
    library.write("mill.txt", MILL)
    library.build()
    return library


# --- asking -----------------------------------------------------------------------------------------------------------


def test_the_first_questions_fit_the_articles(assistant: Assistant, library: Library) -> None:
    ours = views.examples(assistant)
    assert ours == list(views.EXAMPLES)
    assert all(assistant.ask(question).quotes[0].source == views.EXAMPLES[question] for question in ours)
    library.write("a.txt", "The ferry that left\n\nThe ferry left at noon on Monday, as it always does in spring.\n")
    library.write("b.txt", "No headline is in here. It has two sentences.\n")
    library.build()
    assert views.examples(library.assistant) == ["The ferry that left"]


def test_of_many_articles_the_last_are_asked_about(library: Library) -> None:
    for number in range(1, 7):
        library.write(f"{number}.txt", f"Ferry number {number}\n\nThe ferry left at noon on Monday, as it does.\n")
    library.build()
    assert views.examples(library.assistant) == [f"Ferry number {number}" for number in range(3, 7)]


def test_what_becomes_of_a_question_is_what_the_assistant_says(assistant: Assistant) -> None:
    (turn,) = asked(assistant, f"  {TROOPS}\n")
    answer = assistant.ask(TROOPS)
    assert (turn.asked, turn.searched, turn.answered, turn.confidence) == (
        TROOPS, answer.question, True, answer.confidence
    )  # fmt: skip
    assert turn.quotes == answer.quotes
    assert turn.digests == {quote.source: assistant.document(quote.source).digest for quote in answer.quotes}
    assert [reason.ranks for reason in turn.reasons] == [passage.ranks for passage in answer.passages[:6]]
    assert turn.suggested
    assert list(views.answered(assistant, TROOPS, (), False, NO_FILTERS)) == [turn]
    assert from_plain(to_plain([turn])) == (turn,)


def test_a_question_is_asked_under_what_was_chosen(ferry: Library) -> None:
    question = "Who saw seals from the deck of the ferry?"
    (among_comments,) = views.answered(ferry.assistant, question, (), True, NO_FILTERS)
    assert among_comments.comments
    assert among_comments.quotes[0].kind == "comment"
    assert among_comments.quotes[0].author == "Carla Voss"
    (without,) = views.answered(ferry.assistant, question, (), False, NO_FILTERS)
    assert not without.comments
    assert {quote.kind for quote in without.quotes} == {"body"}
    only = Filters(documents=("mill.txt",))
    (filtered,) = views.answered(ferry.assistant, question, (), False, only)
    assert filtered.filters == only
    assert {quote.source for quote in filtered.quotes} == {"mill.txt"}


def test_a_follow_up_shows_its_standalone_form_unless_it_is_asked_alone(assistant: Assistant) -> None:
    first, second = asked(assistant, TROOPS, "And what did she offer instead?")
    assert views.searched([first]) == ""
    assert views.searched(()) == ""
    assert views.searched([first, second]) == "And what did Claudia Sheinbaum offer instead? (rejected US troops)"
    assert "stays within its own borders" in second.quotes[0].text
    edited = "What does Sheinbaum offer Trump?"
    (alone,) = views.answered(assistant, edited, [first, second], False, NO_FILTERS, alone=True)
    assert views.searched([first, second, alone]) == ""
    assert (alone.asked, alone.searched) == (edited, edited)
    (bare,) = views.answered(assistant, "And what did she offer instead?", [first], False, NO_FILTERS, alone=True)
    assert bare.searched == bare.asked


@pytest.mark.parametrize(
    ("typed", "filters", "sentence"),
    [
        ("   ", NO_FILTERS, "The question is empty; type at least one word."),
        ("What? " * 400, NO_FILTERS, "The question has 2,399 characters; shorten it to at most 2,000."),
        ("What left?", Filters(since="2030"), "No article passes all of the filters; widen the dates, or leave a fil"),
    ],
)
def test_what_cannot_be_asked_is_said(ferry: Library, typed: str, filters: Filters, sentence: str) -> None:
    with pytest.raises(QAError) as raised:
        list(views.answered(ferry.assistant, typed, (), False, filters))
    assert str(raised.value).startswith(sentence)


def test_the_conversation_as_the_chat_shows_it(assistant: Assistant) -> None:
    turns = asked(assistant, TROOPS, "How do vaccines protect against measles?")
    said = views.messages(turns, ENGLISH)
    assert [message["role"] for message in said] == ["user", "assistant"] * 2
    assert said[0]["content"] == f'<p class="asked">{TROOPS}</p>'
    assert said[1]["content"].startswith('<div class="answer"><p class="short">')
    assert '<p class="body"><bdi>Mexico' in said[1]["content"]
    assert said[3]["content"].startswith('<div class="refusal"><p>The articles do not answer this.</p>')
    assert "Los artículos no responden a esto." in views.messages(turns, SPANISH)[3]["content"]
    assert views.messages((), ENGLISH) == []


def test_next_questions_are_offered_after_the_last_answer_only(assistant: Assistant) -> None:
    turns = asked(assistant, TROOPS, SEIZED)
    assert turns[0].suggested
    said = views.messages(turns, ENGLISH)
    assert "options" not in said[1]
    assert said[3]["options"] == [{"value": question, "label": question} for question in turns[1].suggested]
    assert "options" not in views.messages([replace(turns[0], suggested=())], ENGLISH)[1]


def test_what_is_being_asked_stands_at_the_end(assistant: Assistant) -> None:
    turns = asked(assistant, TROOPS)
    pending = views.messages(turns, SPANISH, "Who <else>?")
    assert pending[2:] == [
        {"role": "user", "content": '<p class="asked">Who &lt;else&gt;?</p>'},
        {"role": "assistant", "content": hint("Leyendo los artículos…")},
    ]
    assert not [message for message in pending if "options" in message], "nothing is offered while it is read"


def test_a_link_to_a_follow_up_says_what_it_follows(assistant: Assistant) -> None:
    said = views.messages(asked(assistant, TROOPS, "And what did she offer instead?"), ENGLISH)
    links = [re.findall(r'class="link to-([0-9a-f]+)"', message["content"])[0] for message in said[1::2]]
    assert [json.loads(bytes.fromhex(link))["q"] for link in links] == [
        [TROOPS],
        [TROOPS, "And what did she offer instead?"],
    ]


# --- the article beside it --------------------------------------------------------------------------------------------


def marks(page: str) -> dict[int, str]:
    """The words of every mark, by its number."""
    found: dict[int, str] = {}
    for number, text in re.findall(r"<mark class='\w+' data-mark='(\d+)'>(.*?)</mark>", page, re.S):
        found[int(number)] = found.get(int(number), "") + html.unescape(re.sub("<[^>]+>", "", text))
    return found


def test_beside_an_answer_is_the_article_of_its_first_quote_with_all_its_quotes_marked(assistant: Assistant) -> None:
    turns = asked(assistant, SEIZED, TROOPS)
    page = views.beside(assistant, turns, ENGLISH)
    first = turns[-1].quotes[0]
    here = [quote.text for quote in turns[-1].quotes if quote.source == first.source]
    assert len(here) > 1
    assert marks(page) == dict(enumerate(here))
    assert f"<bdi>{html.escape(first.title)}</bdi>" in page


def test_beside_a_refusal_nothing_is_marked(assistant: Assistant) -> None:
    refused = asked(assistant, TROOPS, "How do vaccines protect against measles?")
    assert refused[-1].quotes
    for turns in ((), refused):
        assert views.beside(assistant, turns, SPANISH) == hint(SPANISH["no_source"])


def test_an_article_that_changed_or_went_marks_nothing(library: Library) -> None:
    library.write("a.txt", "A ferry\n\nThe ferry carried forty goats to the island on Monday.\n")
    library.build()
    digest = library.assistant.document("a.txt").digest
    turns = asked(library.assistant, "What did the ferry carry to the island?")
    turns = (replace(turns[0], answered=True),)
    spans = [[9, 20]]
    for known in (digest, digest[:16]):
        page = views.shown_again(library.assistant, "a.txt", known, spans, ENGLISH)
        assert marks(page) == {0: "The ferry c"}
    assert marks(views.beside(library.assistant, turns, ENGLISH))
    library.write("a.txt", "A ferry\n\nYesterday it rained. The ferry carried forty goats to the island.\n")
    library.build()
    changed = problem("a.txt has changed since it was quoted; ask again.")
    assert views.shown_again(library.assistant, "a.txt", digest[:16], spans, ENGLISH) == changed
    assert views.beside(library.assistant, turns, ENGLISH) == changed
    gone = views.shown_again(library.assistant, "<b>.txt", digest, spans, SPANISH)
    assert gone == problem("<b>.txt ya no está en el índice; pregunte de nuevo.")


def test_a_number_shows_its_quote_between_what_stands_around_it(ferry: Library) -> None:
    document = ferry.assistant.document("ferry.txt")
    start = FERRY.index("on Monday")
    end = FERRY.index(" The captain")
    seen = views.peeked(ferry.assistant, "ferry.txt", document.digest[:16], start, end)
    assert seen == {
        "before": "",
        "quote": "on Monday, and it came back empty.",
        "after": " The captain",
        "facts": "A ferry to Holm\nJane Harbour\nferry.txt",
    }
    inside = views.peeked(ferry.assistant, "ferry.txt", document.digest, start + 3, start + 9)
    assert (inside["before"], inside["quote"], inside["after"]) == (
        "on ", "Monday", ", and it came back empty. The captain"
    )  # fmt: skip
    assert views.peeked(ferry.assistant, "ferry.txt", "0" * 16, start, end) == {}
    assert views.peeked(ferry.assistant, "gone.txt", document.digest, start, end) == {}


def test_what_stands_around_a_quote_is_cut(library: Library) -> None:
    library.write("a.txt", "goat " * 100 + "ferry " + "seal " * 100)
    library.build()
    digest = library.assistant.document("a.txt").digest
    seen = views.peeked(library.assistant, "a.txt", digest, 500, 505)
    assert (seen["before"], seen["quote"]) == ("goat " * (views.AROUND // 5), "ferry")
    assert len(seen["after"]) == views.AROUND


# --- thumbs down ------------------------------------------------------------------------------------------------------


def kept(library: Library, turns: tuple[Turn, ...], right: str, refuse: bool = False, remark: str = "") -> list[Case]:
    """All cases after a thumbs-down."""
    store = library.store_folder
    told = views.keep_case(library.assistant, store, turns, refuse, right, remark, ENGLISH)
    path = store / FEEDBACK
    assert told == f"Thank you. It is kept in {path}; `qa eval {path}` asks it again."
    return read_cases(path)


GOATS = "What did the ferry carry to the island on Monday?"


@pytest.mark.parametrize(
    ("right", "exact"),
    [
        ("carried forty goats", "carried forty goats"),
        ("  carried\tforty \r\n\r\n goats ", "carried forty goats"),
        ("to the island on Monday, and it", "to the island\non Monday, and it"),
        ("empty. The captain said", "empty. The captain\nsaid"),
    ],
)
def test_the_words_that_answer_are_kept_as_the_article_has_them(ferry: Library, right: str, exact: str) -> None:
    (case,) = kept(ferry, asked(ferry.assistant, GOATS), right)
    assert case == Case(GOATS, (exact,))
    assert exact in ferry.assistant.document("ferry.txt").text


@pytest.mark.parametrize(
    ("right", "first"), [("forty  goats to the island on Monday,", True), ("The captain said that", False)]
)
def test_a_kept_case_is_judged_by_what_is_quoted(ferry: Library, right: str, first: bool) -> None:
    cases = kept(ferry, asked(ferry.assistant, GOATS), right)
    results = run(cases, ferry.assistant.ask)
    assert [result.first for result in results] == [first]
    assert results[0].answer.quotes[0].text.startswith("The ferry carried forty goats to the island\non Monday")


def test_a_kept_refusal_is_judged_by_being_refused(assistant: Assistant, tmp_path: Path) -> None:
    answer, refusal = asked(assistant, SEIZED, "How do vaccines protect against measles?")
    for turn in (answer, refusal):
        views.keep_case(assistant, tmp_path, [turn], True, "words that are not looked at", "", ENGLISH)
    cases = read_cases(tmp_path / FEEDBACK)
    assert cases == [Case(answer.asked, ()), Case(refusal.asked, ())]
    results = run(cases, assistant.ask)
    assert [result.right for result in results] == [False, True]
    assert measures(results)["unanswerable refused"].hits == 1


def test_a_follow_up_is_kept_with_the_questions_before_it(assistant: Assistant, tmp_path: Path) -> None:
    turns = asked(assistant, TROOPS, "And what did she offer instead?")
    views.keep_case(assistant, tmp_path, turns, False, "each side stays within its own borders", "", ENGLISH)
    cases = read_cases(tmp_path / FEEDBACK)
    assert cases == [Case(turns[1].asked, ("each side stays within its own borders",), (TROOPS,))]
    assert [result.right for result in run(cases, assistant.ask)] == [True]


def test_what_was_said_and_what_was_remarked_is_kept_beside_the_case(ferry: Library) -> None:
    (turn,) = asked(ferry.assistant, GOATS)
    kept(ferry, (replace(turn, answered=True),), "forty goats", remark=" The second sentence\nis right. ")
    kept(ferry, (replace(turn, answered=False),), "", refuse=True)
    lines = (ferry.store_folder / FEEDBACK).read_text("utf-8").splitlines()
    said = " ".join(quote.text for quote in turn.quotes)
    assert [json.loads(line) for line in lines] == [
        {"question": GOATS, "history": [], "expected": ["forty goats"], "said": said,
         "remark": "The second sentence\nis right.", "asked only": ""},
        {"question": GOATS, "history": [], "expected": "unanswerable", "said": "", "remark": "", "asked only": ""},
    ]  # fmt: skip


@pytest.mark.parametrize("right", ["", "  \n", "forty sheep", "goats forty", "forty goat s", "fortygoats"])
def test_words_that_stand_in_no_article_are_refused(ferry: Library, right: str) -> None:
    turns = asked(ferry.assistant, GOATS)
    for words in (ENGLISH, SPANISH):
        with pytest.raises(QAError) as raised:
            views.keep_case(ferry.assistant, ferry.store_folder, turns, False, right, "", words)
        assert str(raised.value) == words["no_words"]
    assert not (ferry.store_folder / FEEDBACK).exists()


def test_words_of_a_comment_and_of_an_article_that_was_not_quoted_are_accepted(ferry: Library) -> None:
    turns = asked(ferry.assistant, GOATS)
    assert {quote.source for quote in turns[0].quotes} == {"ferry.txt"}
    for right in ("the finest goats of all", "was sold to Ada Lind"):
        kept(ferry, turns, right)
    cases = kept(ferry, turns, "a wonder of old wood")
    expected = ["the finest goats of all", "was sold to Ada Lind", "a wonder of old wood"]
    assert [case.expected for case in cases] == [(words,) for words in expected]


def test_a_thumbs_down_outlives_the_articles_it_is_about(ferry: Library) -> None:
    turns = asked(ferry.assistant, GOATS)
    (ferry.corpus / "ferry.txt").unlink()
    ferry.build()
    (case,) = kept(ferry, turns, "was sold to Ada Lind")
    assert case.expected == ("was sold to Ada Lind",)


def test_a_case_that_cannot_be_written_is_said(ferry: Library, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    turns = asked(ferry.assistant, GOATS)
    with pytest.raises(QAError, match=r"feedback\.jsonl cannot be written \(.*\); make its folder writable\.$"):
        views.keep_case(ferry.assistant, tmp_path / "file", turns, True, "", "", ENGLISH)


# --- history and library ----------------------------------------------------------------------------------------------


def test_a_conversation_is_written_out_as_it_is_kept(assistant: Assistant) -> None:
    turns = asked(assistant, TROOPS)
    plain = to_plain(turns)
    assert views.exported(plain, "markdown", "Troops") == to_markdown(turns, "Troops")
    assert views.exported(plain, "html", "") == to_html(turns)
    empty: list[object] = []
    for bad, sentence in ((empty, "Nothing has been asked yet; ask a question first."), ([{}], "This conversation ")):
        with pytest.raises(QAError) as raised:
            views.exported(bad, "html", "")
        assert str(raised.value).startswith(sentence)


def test_the_shelf_is_the_folder_beside_the_index(ferry: Library) -> None:
    ferry.write("new.txt", "A new mill\n\nThe new mill was opened at noon on Monday, as it was planned.\n")
    (ferry.corpus / "mill.txt").unlink()
    items = views.shelf(ferry.assistant, ferry.corpus)
    assert [(item.source, item.state, item.comments) for item in items] == [
        ("ferry.txt", "current", 2),
        ("mill.txt", "removed", 2),
        ("new.txt", "new", 0),
    ]


def test_dropped_files_have_a_line_each_and_a_bad_one_keeps_no_other_out(library: Library) -> None:
    files = {
        "../a <b>.txt": b"The ferry left.",
        "picture.png": b"\x89PNG",
        "bad.md": b"caf\xe9",
        "same.txt": b"The ferry left.",
        "c.md": b"The ferry sank.",
    }
    told = views.added(library.corpus, files, ENGLISH)
    lines = re.findall(r"<p[^>]*>.*?</p>", told)
    assert "".join(lines) == told
    assert [shown(line) for line in lines] == [
        "a b.txt was added.",
        f"'picture.png' has no suffix that can be read; save it as one of {FORMATS}.",
        "bad.md is not UTF-8 (byte 3); save it as UTF-8 and add it again.",
        "same.txt is already there, as a b.txt.",
        "c.md was added.",
    ]
    assert ["problem" in line for line in lines] == [False, True, True, False, False]
    assert sorted(path.name for path in library.corpus.iterdir()) == ["a b.txt", "c.md"]
    assert views.added(library.corpus, {"<i>.txt": b"The ferry left."}, SPANISH) == (
        "<p>&lt;i&gt;.txt ya está, como a b.txt.</p>"
    )
    assert views.added(library.corpus, {}, ENGLISH) == ""


def test_an_article_is_taken_out_and_where_it_went_is_said(library: Library) -> None:
    library.write("news/a&b.txt", "The ferry left.")
    assert views.removed(library.corpus, "news/a&b.txt", ENGLISH) == (
        "<p>news/a&amp;b.txt was moved to .removed/news-a&amp;b.txt.</p>"
    )
    assert not (library.corpus / "news" / "a&b.txt").exists()
    for source in ("news/a&b.txt", "../outside.txt", ""):
        told = views.removed(library.corpus, source, ENGLISH)
        assert told == problem(f"{source!r} is no article in {library.corpus}; load the list anew.")


def test_an_article_of_the_library_is_opened_with_its_parts_and_no_marks(ferry: Library) -> None:
    page = views.opened(ferry.assistant, "ferry.txt", ENGLISH)
    assert "<span class='part comment' data-label='Comment'>" in page
    assert "<mark" not in page
    assert "<button" not in page
    gone = views.opened(ferry.assistant, "<b>.txt", ENGLISH)
    assert gone.startswith('<p class="problem">No document')
    assert "<b>" not in gone
