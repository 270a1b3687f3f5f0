from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa import Assistant, segments
from qa.answer import OTHERWISE
from qa.builds import BuildState
from qa.ingest import Plan
from qa.library import Item
from qa.markup import (
    LINKED,
    LISTED,
    answer_html,
    apart,
    article_html,
    building_html,
    chips,
    escaped,
    hint,
    link_of,
    masthead,
    plan_html,
    problem,
    question_html,
    report_html,
    sentence,
    shelf_html,
)
from qa.texts import ENGLISH, SPANISH, Words
from qa.texts import LANGUAGES as TABLES
from qa.transcript import Reason, Turn, isolated
from qa.types import BuildReport, Document, Filters, Quote, Ranks, Span
from tests.conftest import Library
from tests.test_documents import TEXTS
from tests.test_segments import LINES

NASTY = '<script>alert(1)</script> {{value}} ${value} `x` & "quoted" <img src=x onerror=alert(1)> [a](javascript:b)'
CLOSERS = "'\"></button></bdi></article></textarea><svg onload='alert(1)'><!-- &lt;b&gt; \u202ecba"
HOSTILE = st.sampled_from([NASTY, CLOSERS, "", "\x00", "{0} {source} %s \\1"]) | st.text(max_size=20)

LANGUAGES = pytest.mark.parametrize("words", [ENGLISH, SPANISH], ids=["en", "es"])

DIGEST = "0123456789abcdef" * 4
FERRY = Quote("It left.", "a.txt", 0, 8, "A ferry", "2020-01-02", "body")


def turn(*quotes: Quote, answered: bool = True, **values: Any) -> Turn:
    digests = {quote.source: DIGEST for quote in quotes}
    return replace(Turn("q", "q", answered, 0.9, quotes, digests), **values)


def story(text: str, source: str = "a.txt", title: str = "", date: str = "", author: str = "") -> Document:
    return Document(source, text, title, date, "", author, DIGEST)


def page_of(document: Document, spans: Sequence[Span] = (), words: Words = ENGLISH) -> str:
    return article_html(document, segments.label(document), spans, words)


def shown(markup: str) -> str:
    """What a browser shows of it."""
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


def text_of(page: str) -> str:
    """The markup of an article's text."""
    found = re.search(r"<div class='text'[^>]*>(.*)</div></article>$", page, re.S)
    assert found
    return found[1]


def marks_of(page: str) -> dict[int, str]:
    """The text of every mark by its number, over all the pieces that it has."""
    marks: dict[int, str] = {}
    for kind, number, text in re.findall(r"<mark class='(\w+)' data-mark='(\d+)'>(.*?)</mark>", page, re.S):
        assert kind == ("focus" if number == "0" else "other")
        marks[int(number)] = marks.get(int(number), "") + shown(text)
    return marks


# --- escaping ---------------------------------------------------------------------------------------------------------

OURS = {
    "p", "div", "span", "b", "bdi", "button", "ul", "li", "details", "summary", "table", "thead", "tbody", "tr", "th",
    "td", "caption", "article", "header", "h1", "h2", "mark", "progress",
}  # fmt: skip
ATTRIBUTES = ("class", "tabindex", "role", "scope", "max", "value", "data-", "aria-")
"""How the name of an attribute may begin; none of these loads or runs anything."""


class Tags(HTMLParser):
    """Every tag and attribute that a browser sees; what is closed must have been opened."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.feed(markup)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        assert tag in OURS
        assert all(name.startswith(ATTRIBUTES) for name, _ in attrs)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")


def sound(pieces: Iterable[str]) -> None:
    for piece in pieces:
        Tags(piece)
        assert "{" not in piece
        assert "$" not in piece


@given(text=TEXTS | st.just(NASTY))
def test_escaped_text_is_no_markup_and_no_template(text: str) -> None:
    assert not set(escaped(text)) & set("<>\"'{}$`\\")
    assert html.unescape(escaped(text)) == html.unescape(html.escape(text))


@given(text=HOSTILE, other=HOSTILE, language=st.sampled_from(sorted(TABLES)))
def test_text_of_people_and_articles_is_escaped_wherever_it_stands(text: str, other: str, language: str) -> None:
    words = TABLES[language]
    document = story(f"# {text}\n\n{other} is what it says.\n", text, other, text, other)
    quote = Quote(text, other, 3, 9, text, other, "comment", text)
    body = replace(quote, kind="body", date=text)
    reason = Reason(other, Ranks(1, 2, 3, 0.5, 1.5))
    filters = Filters(outlets=(text,), documents=(other,))
    values: dict[str, Any] = {
        "asked": text,
        "searched": other,
        "reasons": (reason,),
        "filters": filters,
        "suggested": (text,),
    }
    turns = [turn(quote, body, by_date=True, **values), turn(body, answered=False, **values), turn(answered=False)]
    turns += [replace(turns[0], digests={other: text})]
    item = Item(text, other, text, other, text, 1, 1, "failed", other, (text, other))
    failed = BuildReport((), (), (), 1, ((text, other),), 1, 0.5, note=text)
    building = BuildState(True, text, 1, 9)
    sound([hint(text), problem(text), question_html(text)])
    sound(answer_html(each, words, turns) for each in turns)
    sound([page_of(document, [Span(0, 9), Span(2, 30)], words), chips(filters, words)])
    sound([shelf_html([item, replace(item, state="new")], "", words), report_html(failed, words)])
    sound(building_html(state, words) for state in (building, BuildState(error=text), BuildState(report=failed)))


def test_article_text_is_escaped_wherever_it_stands(library: Library) -> None:
    library.write(
        "<b>.txt", f"A <i>title</i> {{{{x}}}}\n\n{NASTY} is what the article says about the ferry, and more.\n"
    )
    library.build()
    answer = library.assistant.ask("what the article says about the ferry")
    assert answer.quotes
    document, parts = library.assistant.labelled("<b>.txt")
    sound([answer_html(turn(*answer.quotes), ENGLISH), article_html(document, parts, [Span(0, 10)], ENGLISH)])


def test_a_digest_that_was_kept_by_nobody_is_no_markup() -> None:
    assert "<img" not in answer_html(turn(FERRY, digests={"a.txt": '"><img src=x>'}), ENGLISH)


# --- answers ----------------------------------------------------------------------------------------------------------


def test_small_lines() -> None:
    assert hint("Ask <me>") == '<p class="hint">Ask &lt;me&gt;</p>'
    assert problem("Mend <it>.") == '<p class="problem">Mend &lt;it&gt;.</p>'
    assert problem("") == ""
    assert question_html("Who\n*left*?") == '<p class="asked">Who\n*left*?</p>'
    assert masthead(SPANISH) == "<h1>Verbatim</h1><p>Respuestas que son citas</p>"


def test_a_quote_with_its_number_and_place() -> None:
    page = answer_html(turn(FERRY), ENGLISH)
    assert page.startswith(
        '<div class="answer"><p class="body"><bdi>It left.</bdi> '
        '<button class="cite at-0-8-0123456789abcdef-612e747874"><span class="unseen">Show quote </span>1</button></p>'
        '<ul class="places"><li><b>1</b> <bdi>A ferry</bdi>, 2020-01-02</li></ul>'
    )
    assert bytes.fromhex("612e747874").decode() == FERRY.source


def test_the_few_words_that_answer_stand_above_the_quote_and_are_stressed_in_it() -> None:
    quote = replace(FERRY, text="It  <left> \n at\nnine,\tsaid \u2066Bo.", start=100, end=126)
    at = quote.text.index("at\nnine")
    few = replace(quote, text="at\nnine", start=100 + at, end=107 + at)
    page = answer_html(replace(turn(quote), short=few), ENGLISH)
    assert page.startswith(
        '<div class="answer"><p class="short"><span class="unseen">In short: </span><bdi>at nine</bdi></p>'
    )
    assert "<bdi>It &lt;left&gt; <b>at nine</b>, said <bdi>\u2066</bdi>Bo.</bdi>" in page
    assert "<b>" not in answer_html(turn(quote), ENGLISH).partition("places")[0]
    sound([page])


@given(before=TEXTS, few=st.text("ab\u2066\u2069é", min_size=1), after=TEXTS)
def test_stressing_changes_no_character(before: str, few: str, after: str) -> None:
    text = before + few + after
    stressed = isolated(text, escaped, Span(len(before), len(before) + len(few)))
    assert re.sub("</?b>", "", stressed) == isolated(text, escaped)
    words = html.unescape(re.sub("</?bdi>", "", stressed.partition("<b>")[2].partition("</b>")[0]))
    assert words == few


def test_places_are_listed_by_article_with_the_numbers_of_their_quotes() -> None:
    quotes = (
        FERRY,
        replace(FERRY, source="b.txt", title=""),
        replace(FERRY, start=20, end=30),
        replace(FERRY, source="c.txt", kind="comment", author="Jane", date=""),
        replace(FERRY, source="c.txt", kind="comment", author="Bo", date=""),
        replace(FERRY, source="c.txt", kind="comment", author="Jane", date=""),
    )
    page = answer_html(turn(*quotes), ENGLISH)
    assert [shown(line) for line in re.findall("<li>(.*?)</li>", page)] == [
        "1, 3 A ferry, 2020-01-02",
        "2 b.txt, 2020-01-02",
        "4, 5, 6 A ferry · a reader’s comment · Jane · Bo",
    ]


def test_an_answer_over_time_gives_every_quote_its_date() -> None:
    assert '<p class="body"><b>2020-01-02</b> <bdi>It left.</bdi>' in answer_html(turn(FERRY, by_date=True), ENGLISH)
    assert "<b>2020-01-02</b>" not in answer_html(turn(FERRY), ENGLISH)


def test_the_reasons_name_every_rank_and_a_comment_its_writer() -> None:
    text = "Forty <goats> were seasick!"
    quote = Quote(text, "a.txt", 0, len(text), "A ferry", "", "comment", author="Jane <Doe>")
    reason = Reason(text, Ranks(dense=3, lexical=0, reranked=1, cosine=0.5, logit=4.25))
    page = answer_html(turn(quote, confidence=0.876, reasons=(reason,)), ENGLISH)
    assert '<p class="comment"><span class="tag">a reader’s comment</span> <bdi>Forty &lt;goats&gt;' in page
    assert "<bdi>A ferry</bdi> · a reader’s comment · <bdi>Jane &lt;Doe&gt;</bdi>" in page
    assert "<summary>Why this answer? Confidence 88%</summary>" in page
    assert "<td>1</td><td>3</td><td>–</td><td>4.2</td><td><bdi>Forty &lt;goats&gt; were seasick!</bdi></td>" in page
    heads = re.findall("<th>(.*?)</th>", answer_html(turn(quote, reasons=(reason,)), SPANISH))
    assert heads == ["puesto", "sentido", "palabras", "logit", "pasaje"]
    assert "<details" not in answer_html(turn(quote), ENGLISH)


def test_a_quote_of_two_paragraphs_is_one_with_its_number() -> None:
    quote = Quote("It left.\r\n\r\nIt sank.", "a.txt", 0, 21, "", "", "body")
    page = answer_html(turn(quote), ENGLISH)
    assert page.startswith(
        '<div class="answer"><p class="body"><bdi>It left. It sank.</bdi> <button class="cite at-0-21-'
    )


@LANGUAGES
def test_a_refusal_does_not_look_like_an_answer(words: Words) -> None:
    refused = answer_html(turn(FERRY, answered=False), words)
    start = f'<div class="refusal"><p>{words["refused"]}</p><details><summary>{words["closest"]}</summary><p class='
    assert refused.startswith(start)
    assert 'class="answer"' not in refused
    assert "<details>" not in answer_html(turn(answered=False), words), "there is nothing to open"
    otherwise = answer_html(turn(FERRY, answered=False, note=OTHERWISE), words)
    assert otherwise.startswith(f'<div class="refusal"><p>{words["refused"]} {words["otherwise"]}</p><details>')


# --- a link to an answer ----------------------------------------------------------------------------------------------


def test_a_link_asks_the_question_under_what_was_chosen() -> None:
    asked = turn(FERRY, asked="Who left?", searched="Who left?")
    assert link_of(asked) == {"q": ["Who left?"], "answer": asked.stamp}
    chosen = replace(asked, comments=True, filters=Filters("2020", "2021-03", ("holm", "lund"), ("a.txt",)))
    assert link_of(chosen, [turn(FERRY, asked="What?")]) == {
        "q": ["Who left?"],
        "comments": "1",
        "since": "2020",
        "until": "2021-03",
        "outlet": ["holm", "lund"],
        "document": ["a.txt"],
        "answer": asked.stamp,
    }


def test_a_link_to_a_follow_up_asks_first_what_it_follows() -> None:
    before = [turn(FERRY, asked=f"Who left {number}?", searched=f"Who left {number}?") for number in range(LINKED + 2)]
    follow_up = turn(FERRY, asked="And when?", searched="And when? (left)")
    asked = link_of(follow_up, before)["q"]
    assert asked == [*(f"Who left {number}?" for number in range(2, LINKED + 2)), "And when?"]


@given(asked=HOSTILE, name=HOSTILE)
def test_the_link_of_a_button_is_read_back(asked: str, name: str) -> None:
    linked = turn(FERRY, asked=asked, searched=asked, filters=Filters(outlets=(name,)))
    (payload,) = re.findall(r'<button class="link to-([0-9a-f]+)">Copy link</button>', answer_html(linked, ENGLISH))
    assert json.loads(bytes.fromhex(payload)) == link_of(linked)


# --- text that stands apart -------------------------------------------------------------------------------------------


@given(text=TEXTS | HOSTILE)
def test_what_stands_apart_is_one_line_of_its_text(text: str) -> None:
    page = apart(text)
    Tags(page)
    assert page.startswith("<bdi>")
    assert page.endswith("</bdi>")
    assert shown(page) == " ".join(text.split())


def test_a_sentence_is_ours_and_a_name_in_it_that_could_turn_it_around_stands_apart() -> None:
    assert sentence("<a.txt> was added.", "<a.txt>") == "&lt;a.txt&gt; was added."
    assert sentence("אב.txt was added.", "אב.txt") == "<bdi>אב.txt</bdi> was added."
    assert sentence("אב went to .gone/אב, see אב", "אב", ".gone/אב").count("<bdi>") == 3
    assert sentence("{x} (a+) was added.", "(a+)", "") == "&#123;x&#125; (a+) was added."
    assert problem("é <b> is no file.", "é <b>") == '<p class="problem"><bdi>é &lt;b&gt;</bdi> is no file.</p>'
    assert problem("", "é") == ""


# --- an article -------------------------------------------------------------------------------------------------------

PLACES = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40)), max_size=4)
MATTER = st.just("---\ntitle: A ferry\n---\n\n")


@given(text=LINES.map("\n".join), top=st.just("") | MATTER, name=st.sampled_from(["a.txt", "a.md"]), places=PLACES)
def test_an_article_with_marks_is_still_its_text(text: str, top: str, name: str, places: list[tuple[int, int]]) -> None:
    document = story(top + text, name)
    spans = [Span(start, start + length) for start, length in places]
    assert shown(text_of(page_of(document, spans))) == top + text


@given(text=LINES.map("\n".join), edges=st.lists(st.integers(0, 300), min_size=8, max_size=8, unique=True))
def test_marks_that_do_not_overlap_are_exactly_their_spans(text: str, edges: list[int]) -> None:
    pairs = sorted(edges)
    spans = [Span(start, end) for start, end in zip(pairs[::2], pairs[1::2], strict=True)]
    shown_spans = {number: span.of(text) for number, span in enumerate(spans) if span.of(text)}
    assert marks_of(page_of(story(text), spans)) == shown_spans


def test_every_mark_is_exactly_its_quote(assistant: Assistant) -> None:
    for question in ("Who rejected the offer of US troops?", "What does Mexico own of Soviet-made arms?"):
        for quote in assistant.ask(question).quotes:
            document, parts = assistant.labelled(quote.source)
            page = article_html(document, parts, [Span(quote.start, quote.end)], ENGLISH)
            assert marks_of(page) == {0: quote.text}


ARTICLE = """---
title: The ferry to Holm
date: 2021-05-03
---

# The ferry to Holm

The ferry to Holm sailed again on Monday after a long winter in the dock, said its owner on the quay.

## Its *engine*

The new engine is made of steel, and it has cost nine million crowns so far, she said on the quay.

Share this:

2 comments

1. Bo Brandt
The fare is far too high for us.

2. Carla Voss
I saw seals from the deck.
"""


def test_what_an_article_says_of_itself_stands_above_it() -> None:
    told = story("It left.", "news/a.txt", title="A ferry", date="2020-01-02", author="Jane")
    assert page_of(told).startswith(
        "<article aria-label='Article'><header><h2 tabindex='-1'><bdi>A ferry</bdi></h2>"
        "<p class='facts'><bdi>2020-01-02</bdi> · <bdi>Jane</bdi> · <bdi>news/a.txt</bdi></p></header>"
    )
    assert "<h2 tabindex='-1'><bdi>b.txt</bdi></h2><p class='facts'><bdi>b.txt</bdi></p>" in page_of(story("", "b.txt"))


def test_front_matter_is_set_apart_and_is_still_part_of_the_text() -> None:
    page = text_of(page_of(story(ARTICLE, "ferry.md")))
    fronts = re.findall(r"<span class='part front'[^>]*>(.*?)</span>", page, re.S)
    assert "".join(map(shown, fronts)) == ARTICLE[: ARTICLE.index("# The")]
    assert shown(page) == ARTICLE
    marked = story("\ufeff" + ARTICLE, "ferry.MD")
    assert "<span class='part front'" in page_of(marked), "with a byte order mark, too"
    assert "front" not in page_of(story(ARTICLE, "ferry.txt")), "plain text has none"
    assert "front" not in page_of(story("---\n\nA rule above a story that says much more than this.\n", "ferry.md"))
    assert "front" not in page_of(story("Share this:\n\nThe ferry sailed on Monday, at noon, to Holm.\n", "ferry.md"))


def test_markdown_headings_are_set_as_such_and_their_text_is_unchanged() -> None:
    page = text_of(page_of(story(ARTICLE, "ferry.md")))
    assert "<span class='sign'># </span><b class='heading'>The ferry to Holm</b>" in page
    assert "<span class='sign'>## </span><b class='heading'>Its *engine*</b>" in page
    assert shown(page) == ARTICLE
    plain = page_of(story("It is #1 of all ferries.\n#2 is far behind, as the owner said on Monday.\n"))
    assert "heading" not in plain


@LANGUAGES
def test_the_parts_of_an_article_are_told_apart(words: Words) -> None:
    page = text_of(page_of(story(ARTICLE, "ferry.md"), (), words))
    parts = re.findall(r"<span class='part (\w+)'(?: data-label='(.*?)')?>", page)
    assert parts == [
        ("front", words["part_boilerplate"]),
        ("front", ""),
        ("title", words["part_title"]),
        ("body", ""),
        ("boilerplate", words["part_boilerplate"]),
        ("comment", words["part_comment"]),
        ("comment", words["part_comment"]),
    ]


def references(page: str) -> list[str]:
    """What is copied with every mark."""
    (found,) = re.findall("data-references='(.*?)'", page)
    read: list[str] = json.loads(html.unescape(found))
    return read


def spans_of(*texts: str) -> list[Span]:
    starts = [ARTICLE.index(text) for text in texts]
    return [Span(start, start + len(text)) for start, text in zip(starts, texts, strict=True)]


def test_several_marks_are_numbered_and_each_has_its_reference() -> None:
    texts = ("The new engine is made of steel", "The ferry to Holm sailed", "I saw seals from the deck.")
    spans = spans_of(*texts)
    document = story(ARTICLE, "ferry.md", title="The ferry to Holm", date="2021-05-03", author="Jane")
    page = page_of(document, spans)
    assert marks_of(page) == dict(enumerate(texts))
    places = [f"ferry.md, characters {span.start}–{span.end}, SHA-256 0123456789abcdef…" for span in spans]
    assert references(page) == [
        f"“The ferry to Holm”, Jane, 2021-05-03, {places[0]}",
        f"“The ferry to Holm”, Jane, 2021-05-03, {places[1]}",
        f"“The ferry to Holm”, Carla Voss, 2021-05-03, a reader’s comment, {places[2]}",
    ]


def test_a_mark_over_two_parts_has_one_number_and_one_reference() -> None:
    (span,) = spans_of(ARTICLE[ARTICLE.index("high for us") : ARTICLE.index("saw seals")])
    page = page_of(story(ARTICLE, "ferry.md"), [span])
    assert marks_of(page) == {0: span.of(ARTICLE)}
    assert page.count("<mark ") > 1
    assert len(references(page)) == 1


@LANGUAGES
def test_one_mark_has_nothing_to_step_to_and_no_mark_has_no_tools(words: Words) -> None:
    first, second = spans_of("The new engine", "I saw seals")
    buttons = [
        f"<button class='{name}'>{words[key]}</button>"
        for name, key in (("copy", "copy_quote"), ("previous", "previous"), ("next", "next"), ("back", "back"))
    ]
    assert re.findall("<button.*?</button>", page_of(story(ARTICLE, "ferry.md"), [first, second], words)) == buttons
    assert re.findall("<button.*?</button>", page_of(story(ARTICLE, "ferry.md"), [first], words)) == [
        buttons[0], buttons[3]
    ]  # fmt: skip
    assert "<button" not in page_of(story(ARTICLE, "ferry.md"), [], words)


# --- the filters ------------------------------------------------------------------------------------------------------


@LANGUAGES
def test_every_filter_has_a_chip_that_takes_it_away(words: Words) -> None:
    page = chips(Filters("2020", "2021-03-04", ("holm", "a 'b'"), ("a.txt",)), words)
    found = re.findall(
        r"<li><button data-field='(\w+)' data-value='(.*?)' aria-label='(.*?)'>"
        r"<bdi>(.*?)</bdi> <span aria-hidden='true'>×</span></button></li>",
        page,
    )
    since, until = words["from_date"].format(date="2020"), words["until_date"].format(date="2021-03-04")
    assert [(field, html.unescape(value), html.unescape(said)) for field, value, _, said in found] == [
        ("since", "2020", since),
        ("until", "2021-03-04", until),
        ("outlets", "holm", "holm"),
        ("outlets", "a 'b'", "a 'b'"),
        ("documents", "a.txt", "a.txt"),
    ]
    assert [html.unescape(label) for _, _, label, _ in found] == [
        words["drop_filter"].format(filter=html.unescape(said)) for *_, said in found
    ]
    assert page.startswith(f"<ul class='chips' aria-label='{words['chosen']}'>")


def test_without_filters_there_are_no_chips() -> None:
    assert chips(Filters(), ENGLISH) == ""


# --- the library ------------------------------------------------------------------------------------------------------

ITEMS = [
    Item("holm/ferry.txt", "The ferry to Holm", "2021-05-03", "Jane Harbour", "holm", 3, 2, "current"),
    Item("bridge.md", "", "", "", "paper.example", 5, 0, "changed"),
    Item("new.md", "A new mill", "2022-01-02", "", "", 0, 0, "new"),
    Item("bad.md", "", "", "", "", 0, 0, "failed", "bad.md is not UTF-8 (byte 0); save it as UTF-8 and index again."),
    Item("spoilt.md", "It was good", "", "", "", 4, 0, "failed", "spoilt.md cannot be read."),
    Item("gone.txt", "A mill that is gone", "", "", "", 2, 0, "removed"),
]


def rows(page: str) -> list[list[str]]:
    """What the rows of the table show."""
    body = page.partition("<tbody>")[2]
    return [
        [shown(cell) for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row)]
        for row in re.findall("<tr>(.*?)</tr>", body)
    ]


def test_the_table_of_the_articles() -> None:
    page = shelf_html(ITEMS, "", ENGLISH)
    assert rows(page) == [
        ["Untitled", "", "bridge.md", "5", "0", "changed", "Remove"],
        ["A new mill", "2022-01-02", "new.md", "–", "–", "new", "Remove"],
        [f"Untitled{ITEMS[3].reason}", "", "bad.md", "–", "–", "failed", "Remove"],
        [f"It was good{ITEMS[4].reason}", "", "spoilt.md", "4", "0", "failed", "Remove"],
        ["A mill that is gone", "", "gone.txt", "2", "0", "removed", ""],
        ["The ferry to Holm", "2021-05-03", "holm/ferry.txt", "3", "2", "current", "Remove"],
    ], "what a rebuild is for stands first"
    heads = re.findall("<th scope='col'>(.*?)</th>", page)
    assert heads == ["Title", "Date", "File", "Passages", "Comments", "State"]
    assert "<caption class='unseen'>Articles</caption>" in page
    assert f"<p class='reason'>{ITEMS[3].reason}</p>" in page
    assert "<span class='state failed'>failed</span>" in page


def test_a_near_copy_names_the_others_and_how_many_more_there_are() -> None:
    few, many = (replace(ITEMS[0], copies=tuple(f"{n}.md" for n in range(count))) for count in (2, 5))
    note = "<p class='copies'>Tells nearly the same as {}.</p>"
    assert note.format("0.md, 1.md") in shelf_html([few], "", ENGLISH)
    assert note.format("0.md, 1.md, 2.md (+2)") in shelf_html([many], "", ENGLISH)
    assert "copies" not in shelf_html(ITEMS, "", ENGLISH)


def test_what_is_indexed_can_be_opened_and_what_is_in_the_folder_removed() -> None:
    page = shelf_html(ITEMS, "", ENGLISH)
    opened = re.findall("<button class='open' data-source='(.*?)'>", page)
    removed = re.findall("<button class='remove' data-source='(.*?)' aria-label='Remove (.*?)'>", page)
    assert opened == ["bridge.md", "spoilt.md", "gone.txt", "holm/ferry.txt"]
    assert removed == [(source, source) for source in ("bridge.md", "new.md", "bad.md", "spoilt.md", "holm/ferry.txt")]


@pytest.mark.parametrize(
    ("sought", "words", "found"),
    [
        ("  ", ENGLISH, [1, 2, 3, 4, 5, 0]),
        ("mill", ENGLISH, [2, 5]),
        ("MILL new", ENGLISH, [2]),
        ("new mill nowhere", ENGLISH, []),
        ("bridge.md", ENGLISH, [1]),
        ("harbour", ENGLISH, [0]),
        ("2021-05", ENGLISH, [0]),
        ("paper.example", ENGLISH, [1]),
        ("failed", ENGLISH, [3, 4]),
        ("fallido", SPANISH, [3, 4]),
        ("fallido", ENGLISH, []),
    ],
)
def test_articles_are_sought_by_words_of_title_date_author_source_file_and_state(
    sought: str, words: Words, found: list[int]
) -> None:
    files = [row[2] for row in rows(shelf_html(ITEMS, sought, words))]
    assert files == [ITEMS[number].source for number in found]


def test_what_is_not_there_is_said() -> None:
    assert shelf_html(ITEMS, "nowhere", ENGLISH) == hint("No article has these words.")
    assert shelf_html([], "nowhere", SPANISH) == hint("Aún no hay artículos; suelte algunos arriba.")


def test_so_many_are_listed_and_the_rest_is_counted() -> None:
    many = [replace(ITEMS[0], source=f"{number}.txt") for number in range(LISTED + 3)]
    page = shelf_html(many, "", ENGLISH)
    assert [row[2] for row in rows(page)] == [f"{number}.txt" for number in range(LISTED)]
    assert page.endswith(hint("3 more; search to find them."))
    assert "hint" not in shelf_html(many[:LISTED], "", ENGLISH)
    assert [row[2] for row in rows(shelf_html(many, f"{LISTED + 1}.txt", ENGLISH))] == [f"{LISTED + 1}.txt"]


@pytest.mark.parametrize(
    ("plan", "words", "line"),
    [
        (Plan((), (), (), 7), ENGLISH, hint("The index is up to date with the folder.")),
        (Plan((), (), (), 7), SPANISH, hint("El índice está al día con la carpeta.")),
        (
            Plan(("a", "b"), ("c",), (), 7),
            ENGLISH,
            "<p>A rebuild would bring in: +2 added, ~1 changed, −0 removed.</p>",
        ),
        (Plan((), (), ("a",), 7), SPANISH, "<p>Al reconstruir entrarían: +0 nuevos, ~0 cambiados, −1 quitados.</p>"),
    ],
)
def test_what_a_rebuild_would_do(plan: Plan, words: Words, line: str) -> None:
    assert plan_html(plan, words) == line


@pytest.mark.parametrize(
    ("state", "words", "line"),
    [
        (BuildState(), ENGLISH, ""),
        (BuildState(True), ENGLISH, "<p>Starting…</p><progress aria-label='Rebuild index'></progress>"),
        (BuildState(True), SPANISH, "<p>Empezando…</p><progress aria-label='Reconstruir el índice'></progress>"),
        (
            BuildState(True, "reading", 3, 9, 1.0),
            ENGLISH,
            "<p>Reading: 3 of 9</p><progress aria-label='Rebuild index' max='9' value='3'></progress>",
        ),
        (
            BuildState(True, "embedding", 3, 9, 1.0, 4.6),
            SPANISH,
            "<p>Calculando vectores: 3 de 9, quedan unos 5 s</p>"
            "<progress aria-label='Reconstruir el índice' max='9' value='3'></progress>",
        ),
        (
            BuildState(True, "sorting", 9, 9, 1.0, 0.0),
            ENGLISH,
            "<p>sorting: 9 of 9, about 0 s left</p><progress aria-label='Rebuild index' max='9' value='9'></progress>",
        ),
        (BuildState(error="It failed; mend <it>."), ENGLISH, problem("It failed; mend <it>.")),
    ],
)
def test_how_far_a_rebuild_is(state: BuildState, words: Words, line: str) -> None:
    assert building_html(state, words) == line


def test_what_a_rebuild_did() -> None:
    report = BuildReport(("a", "b"), ("c",), (), 4, (("d.md", "d.md is not UTF-8."),), 9, 1.26, note="Built <anew>.")
    told = "<p>2 added, 1 changed, 0 removed, 4 unchanged, in 1.3 s.</p>"
    assert report_html(report, ENGLISH) == f"<p>Built &lt;anew&gt;.</p>{told}" + problem("d.md is not UTF-8.")
    assert building_html(BuildState(report=report), ENGLISH) == report_html(report, ENGLISH)
    assert report_html(replace(report, note="", failed=()), SPANISH) == (
        "<p>2 añadidos, 1 cambiados, 0 quitados, 4 sin cambios, en 1.3 s.</p>"
    )
