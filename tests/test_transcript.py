from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from qa import QAError
from qa.answer import OTHERWISE
from qa.transcript import (
    REASON_WIDTH,
    REASONS,
    Reason,
    Turn,
    describe,
    from_plain,
    history,
    reference,
    to_html,
    to_markdown,
    to_plain,
    turn,
)
from qa.types import Answer, Chunk, Filters, Passage, Quote, Ranks, Span

FOREIGN = "This conversation was kept by another version and cannot be read; start a new one."
NOTHING = "Nothing has been asked yet; ask a question first."

MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": False})

HOSTILE = [
    "<script>alert(1)</script>",
    "</title></style><img src=x onerror=alert(1)>",
    '"><a href="javascript:alert(1)">go</a>',
    "[a](javascript:b) ![i](http://x.yz/i.png) <http://x.yz>",
    "www.x.yz http://x.yz a@b.cd",
    "line\n\n# heading\n\n---\n\n> quote\n\n```\ncode\n```",
    "[^1] [^2]: note\n\n[^1]: another",
    "[1]: http://x.yz",
    "1. one\r\n- two\u2028* three",
    "&lt;b&gt; &amp; &#60; \\",
    "| a | b |\n|---|---|\n| c | d |",
    "👩‍👩‍👧 e\u0301 \u202eabc\u2066def",
    "\x00\t\x0b",
    "",
]
TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=20)
PLACES = st.integers(0, 10**9)
QUOTES = st.builds(
    Quote,
    text=TEXTS,
    source=TEXTS,
    start=PLACES,
    end=PLACES,
    title=TEXTS,
    date=st.sampled_from(["", "2020-01-02"]) | TEXTS,
    kind=st.sampled_from(["body", "comment"]),
    author=TEXTS,
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
RANKS = st.builds(Ranks, dense=PLACES, lexical=PLACES, reranked=PLACES, cosine=FLOATS, logit=FLOATS)
FILTERS = st.builds(
    Filters,
    since=st.sampled_from(["", "2019", "2019-03"]),
    until=st.sampled_from(["", "2020", "2020-03-05"]),
    outlets=st.lists(TEXTS, max_size=2).map(tuple),
    documents=st.lists(TEXTS, max_size=2).map(tuple),
)


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    quotes = tuple(draw(st.lists(QUOTES, max_size=3)))
    return Turn(
        asked=draw(TEXTS),
        searched=draw(TEXTS),
        answered=bool(quotes) and draw(st.booleans()),
        confidence=draw(st.floats(0, 1)),
        quotes=quotes,
        digests={quote.source: draw(TEXTS) for quote in quotes},
        by_date=draw(st.booleans()),
        reasons=tuple(draw(st.lists(st.builds(Reason, text=TEXTS, ranks=RANKS), max_size=2))),
        suggested=tuple(draw(st.lists(TEXTS, max_size=3))),
        comments=draw(st.booleans()),
        filters=draw(FILTERS),
        short=draw(st.none() | few_of(quotes[0])) if quotes else None,
    )


def few_of(quote: Quote) -> st.SearchStrategy[Quote]:
    """Some characters of a quote."""
    ends = st.tuples(*[st.integers(0, len(quote.text))] * 2).map(sorted)
    return ends.map(
        lambda at: replace(quote, text=quote.text[slice(*at)], start=quote.start + at[0], end=quote.start + at[1])
    )


CONVERSATIONS = st.lists(turns(), max_size=3)

FERRY = Quote("The ferry left at noon.", "news/ferry.md", 120, 143, "The ferry", "2020-05-01", "body")
SEALS = Quote("I saw\n\nseals.", "news/ferry.md", 400, 413, "The ferry", "2020-05-01", "comment", "Bo Brandt")
BRIDGE = Quote("The bridge was *closed*.", "bridge.txt", 7, 31, "", "", "body")
DIGESTS = {"news/ferry.md": "0123456789abcdef" * 4, "bridge.txt": "fedcba9876543210" * 4}

LEFT = Turn("When did it leave?", "When did the ferry leave?", True, 0.9, (FERRY, BRIDGE), DIGESTS)
REFUSED = Turn("What is 2 * 3 * 4?", "What is 2 * 3 * 4?", False, 0.1, (SEALS,), DIGESTS)
UNKNOWN = Turn("Who?", "Who?", False, 0.0, (), {})
NOON = replace(FERRY, text="at noon", start=135, end=142)


def in_markdown(text: str) -> str:
    """A text as a file shows it: on one line, and with what stands in for NUL in Markdown."""
    return flat(text).replace("\x00", "\ufffd")


def flat(text: str) -> str:
    return " ".join(text.split())


# --- plain values -----------------------------------------------------------------------------------------------------


@given(conversation=CONVERSATIONS)
def test_a_conversation_comes_back_from_json_as_it_was(conversation: list[Turn]) -> None:
    plain = json.loads(json.dumps(to_plain(conversation)))
    assert from_plain(plain) == tuple(conversation)
    assert [each.stamp for each in from_plain(plain)] == [each.stamp for each in conversation]


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_conversation_is_an_empty_one(nothing: Any) -> None:
    assert from_plain(nothing) == ()


def without(name: str) -> dict[str, Any]:
    (plain,) = to_plain([LEFT])
    return {key: value for key, value in plain.items() if key != name}


def with_value(name: str, value: Any) -> dict[str, Any]:
    return {**without(name), name: value}


def nested(depth: int) -> Any:
    deep: Any = []
    for _ in range(depth):
        deep = [deep]
    return deep


@pytest.mark.parametrize(
    "kept",
    [
        "a conversation",
        5,
        {"turns": []},
        [None],
        [[]],
        [{}],
        [{"role": "user", "content": "Who?"}],
        [without("asked")],
        [without("digests")],
        [to_plain([LEFT])[0], 5],
        [with_value("asked", 5)],
        [with_value("asked", "\ud800")],
        [with_value("answered", "perhaps")],
        [with_value("confidence", None)],
        [with_value("quotes", {})],
        [with_value("quotes", [{"text": "The ferry left."}])],
        [with_value("quotes", [{**to_plain([LEFT])[0]["quotes"][0], "kind": "rumour"}])],
        [with_value("quotes", [{**to_plain([LEFT])[0]["quotes"][0], "start": "there"}])],
        [with_value("digests", {"news/ferry.md": "0123"})],
        [with_value("quotes", [])],
        [with_value("filters", {"since": "yesterday"})],
        [with_value("filters", {"since": "2021", "until": "2020"})],
        [with_value("reasons", [{"text": "The ferry left."}])],
        nested(5_000),
        [{"asked": ...}],
    ],
)
def test_what_is_no_conversation_of_this_version_is_said_in_one_sentence(kept: Any) -> None:
    with pytest.raises(QAError) as raised:
        from_plain(kept)
    assert str(raised.value) == FOREIGN


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["asked", "quotes", "filters", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(kept=JSON, name=st.sampled_from(sorted(to_plain([LEFT])[0])))
def test_whatever_was_kept_is_a_conversation_or_that_sentence(kept: Any, name: str) -> None:
    for values in (kept, [kept], [with_value(name, kept)]):
        with suppress(QAError):  # Which sentence it is, is tested above; any other exception is none.
            read = from_plain(values)
            assert from_plain(to_plain(read)) == read or "nan" in repr(read)


def test_an_answer_is_kept_with_the_beginnings_of_the_passages_that_were_read() -> None:
    ranks = [Ranks(number, 0, number, 0.5, 1.0) for number in range(1, 9)]
    text = "Forty goats\nwere on the ferry " + "to the far island " * 9
    chunk = Chunk("news/ferry.md", 0, Span(0, len(text)), text, "body", "The ferry", "")
    answer = Answer(
        "Standalone?", "text", True, 0.75, (FERRY,), tuple(Passage(chunk, 1.0, each) for each in ranks), by_date=True
    )
    kept = turn("Typed?", answer, DIGESTS, ["Next?"], comments=True, filters=Filters(since="2020"))
    assert kept == Turn(
        asked="Typed?",
        searched="Standalone?",
        answered=True,
        confidence=0.75,
        quotes=(FERRY,),
        digests=DIGESTS,
        by_date=True,
        reasons=tuple(Reason(kept.reasons[0].text, each) for each in ranks[:REASONS]),
        suggested=("Next?",),
        comments=True,
        filters=Filters(since="2020"),
    )
    assert kept.reasons[0].text.startswith("Forty goats were on the ferry to the far island")
    assert kept.reasons[0].text.endswith("…")
    assert len(kept.reasons[0].text) <= REASON_WIDTH


def test_the_history_says_what_was_quoted_and_nothing_of_what_was_refused() -> None:
    assert history([]) == []
    assert history([LEFT, REFUSED]) == [
        {"role": "user", "content": "When did it leave?"},
        {"role": "assistant", "content": "The ferry left at noon. The bridge was *closed*."},
        {"role": "user", "content": "What is 2 * 3 * 4?"},
        {"role": "assistant", "content": ""},
    ]


# --- naming an answer and a quote -------------------------------------------------------------------------------------


def test_the_stamp_is_the_same_for_the_same_places_of_the_same_files() -> None:
    again = replace(
        LEFT, asked="Left when?", searched="?", confidence=0.6, suggested=("Next?",), filters=Filters(since="2020")
    )
    reworded = replace(again, quotes=tuple(replace(each, title="Another title") for each in again.quotes))
    unquoted = replace(reworded, digests={**DIGESTS, "other.txt": "00"})
    assert {each.stamp for each in (again, reworded, unquoted)} == {LEFT.stamp}
    assert re.fullmatch(r"[0-9a-f]{16}", LEFT.stamp)


def test_the_stamp_is_another_when_a_place_or_a_file_is() -> None:
    others = [
        replace(LEFT, quotes=(replace(FERRY, start=121), BRIDGE)),
        replace(LEFT, quotes=(replace(FERRY, end=144), BRIDGE)),
        replace(LEFT, quotes=(replace(FERRY, source="bridge.txt"), BRIDGE)),
        replace(LEFT, quotes=(FERRY,)),
        replace(LEFT, quotes=(BRIDGE, FERRY)),
        replace(LEFT, digests={**DIGESTS, "bridge.txt": "0"}),
        replace(LEFT, digests={**DIGESTS, "news/ferry.md": "0"}),
        replace(LEFT, answered=False),
        UNKNOWN,
    ]
    assert len({LEFT.stamp, *(each.stamp for each in others)}) == len(others) + 1


def test_a_reference_says_where_a_quote_stands() -> None:
    digest = DIGESTS["news/ferry.md"]
    place = "news/ferry.md, characters 120–143"
    assert reference(FERRY) == f"“The ferry”, 2020-05-01, {place}"
    assert reference(FERRY, digest) == f"“The ferry”, 2020-05-01, {place}, SHA-256 0123456789abcdef…"
    assert reference(replace(FERRY, author="Jane Harbour")) == f"“The ferry”, Jane Harbour, 2020-05-01, {place}"
    assert reference(SEALS) == (
        "“The ferry”, Bo Brandt, 2020-05-01, a reader’s comment, news/ferry.md, characters 400–413"
    )
    assert reference(BRIDGE) == "bridge.txt, characters 7–31"


@given(quote=QUOTES, digest=TEXTS)
def test_a_reference_is_one_line(quote: Quote, digest: str) -> None:
    assert reference(quote, digest).splitlines() == [reference(quote, digest)]


def test_filters_in_words() -> None:
    assert describe(Filters()) == ""
    assert describe(Filters("2020", "2021-03", ("example.com", "harbour"), ("a.txt",))) == (
        "from 2020; until 2021-03; example.com; harbour; a.txt"
    )


# --- Markdown ---------------------------------------------------------------------------------------------------------


def test_the_few_words_that_answer_stand_above_the_quotes() -> None:
    short = replace(LEFT, short=NOON)
    assert short.few == Span(15, 22)
    assert "\n\nIn short: at noon\n\n> “The ferry left at noon.”[^1]" in to_markdown([short])
    assert "<p>In short: <bdi>at noon</bdi></p><blockquote>" in to_html([short])
    (kept,) = from_plain(to_plain([short]))
    assert kept == short


@pytest.mark.parametrize(
    "short", [replace(NOON, start=134, end=141), replace(NOON, text="at nine"), replace(NOON, start=700, end=707)]
)
def test_words_that_do_not_stand_in_the_first_quote_are_not_taken(short: Quote) -> None:
    with pytest.raises(QAError, match="kept by another version"):
        from_plain(to_plain([replace(LEFT, short=short)]))
    with pytest.raises(QAError, match="kept by another version"):
        from_plain(to_plain([replace(UNKNOWN, short=short)]))


def test_a_conversation_as_markdown() -> None:
    later = replace(REFUSED, by_date=True, filters=Filters(since="2020", outlets=("news",)))
    assert to_markdown([LEFT, later, UNKNOWN], "The *ferry*") == (
        "# The \\*ferry\\*\n\n"
        "## When did it leave?\n\n"
        "Searched as: When did the ferry leave?\n\n"
        "> “The ferry left at noon.”[^1]\n\n"
        "> “The bridge was \\*closed\\*.”[^2]\n\n"
        "## What is 2 \\* 3 \\* 4?\n\n"
        "Only: from 2020; news\n\n"
        "The articles do not answer this. The closest passages:\n\n"
        "> 2020-05-01: “I saw seals.”[^3]\n\n"
        "## Who?\n\n"
        "The articles do not answer this.\n\n"
        "---\n\n"
        "[^1]: “The ferry”, 2020-05-01, news/ferry.md, characters 120–143, SHA-256 0123456789abcdef…\n\n"
        "[^2]: bridge.txt, characters 7–31, SHA-256 fedcba9876543210…\n\n"
        "[^3]: “The ferry”, Bo Brandt, 2020-05-01, a reader’s comment, news/ferry.md, characters 400–413, "
        "SHA-256 0123456789abcdef…\n"
    )


def test_a_conversation_without_a_name_is_named_by_its_first_question() -> None:
    assert to_markdown([LEFT, UNKNOWN]).startswith("# When did it leave?\n")
    assert "<title>When did it leave?</title>" in to_html([LEFT, UNKNOWN])


def shown(markdown: str) -> list[tuple[str, str]]:
    """(block, text) of every block that Markdown makes; inside it nothing may be but text."""
    tokens = MARKDOWN.parse(markdown)
    seen: list[tuple[str, str]] = []
    blocks: list[str] = []
    for token in tokens:
        if token.nesting > 0:
            blocks.append(token.tag)
        elif token.nesting < 0:
            blocks.pop()
        elif token.type == "inline":
            assert {child.type for child in token.children or ()} <= {"text"}, markdown
            seen.append((" ".join(blocks), "".join(child.content for child in token.children or ())))
        else:
            seen.append((token.tag, ""))
    return seen


@given(conversation=st.lists(turns(), min_size=1, max_size=3), name=TEXTS)
def test_markdown_shows_every_quote_with_its_note_and_no_markup_but_ours(conversation: list[Turn], name: str) -> None:
    written = to_markdown(conversation, name)
    blocks = shown(written)
    quotes = [(each, quote) for each in conversation for quote in each.quotes]
    assert [text for block, text in blocks if block == "h1"] == [in_markdown(name or conversation[0].asked)]
    assert [text for block, text in blocks if block == "h2"] == [in_markdown(each.asked) for each in conversation]
    assert [text for block, text in blocks if block == "blockquote p"] == [
        in_markdown(f"{quote.date + ': ' if each.by_date and quote.date else ''}“{quote.text}”") + f"[^{number}]"
        for number, (each, quote) in enumerate(quotes, 1)
    ]
    notes = [text for block, text in blocks[blocks.index(("hr", "")) :] if block == "p"]
    assert notes == [
        f"[^{number}]: " + in_markdown(reference(quote, each.digests[quote.source]))
        for number, (each, quote) in enumerate(quotes, 1)
    ]
    assert {block for block, _ in blocks} <= {"h1", "h2", "p", "blockquote p", "hr"}


@given(conversation=st.lists(turns(), min_size=1, max_size=3), name=TEXTS)
def test_every_footnote_has_exactly_one_note(conversation: list[Turn], name: str) -> None:
    lines = to_markdown(conversation, name).split("\n")
    count = sum(len(each.quotes) for each in conversation)
    expected = [str(number) for number in range(1, count + 1)]
    assert [note for line in lines for note in re.findall(r"^\[\^(\d+)\]: ", line)] == expected
    # A footnote that an article writes has a backslash before its bracket.
    assert [note for line in lines for note in re.findall(r"(?<!\\)\[\^(\d+)\](?!:)", line)] == expected


# --- HTML -------------------------------------------------------------------------------------------------------------

OURS = {
    "html": {"lang"}, "head": set(), "meta": {"charset", "http-equiv", "content"}, "title": set(), "style": set(),
    "body": set(), "h1": set(), "section": set(), "h2": set(), "p": set(), "blockquote": set(), "bdi": set(),
    "sup": set(), "a": {"href", "id"}, "hr": set(), "ol": set(), "li": {"id"},
}  # fmt: skip
"""Every tag of the file, and the attributes that it may have."""


class Reader(HTMLParser):
    """What a browser reads: tags with their attributes, and the text of every element."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[list[str]] = []
        self.open: list[int] = []
        self.odd: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self.texts.append([])
        if tag not in {"meta", "hr"}:
            self.open.append(len(self.tags) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.tags[self.open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for number in self.open:
            self.texts[number].append(data)

    def handle_comment(self, data: str) -> None:
        self.odd.append(data)

    def handle_pi(self, data: str) -> None:
        self.odd.append(data)

    def of(self, tag: str) -> list[str]:
        """The texts of all elements of a tag."""
        found = zip(self.tags, self.texts, strict=True)
        return [flat("".join(text)) for (name, _), text in found if name == tag]


def read(written: str) -> Reader:
    reader = Reader()
    reader.feed(written)
    reader.close()
    assert not reader.open
    assert not reader.odd
    return reader


@given(conversation=st.lists(turns(), min_size=1, max_size=3), name=TEXTS)
def test_html_shows_every_quote_anchored_to_its_note_and_no_markup_but_ours(
    conversation: list[Turn], name: str
) -> None:
    page = read(to_html(conversation, name))
    assert all(tag in OURS and attributes.keys() <= OURS[tag] for tag, attributes in page.tags)
    quotes = [(each, quote) for each in conversation for quote in each.quotes]
    assert page.of("h1") == [" ".join((name or conversation[0].asked).split())]
    assert page.of("h2") == [" ".join(each.asked.split()) for each in conversation]
    assert page.of("blockquote") == [
        " ".join(f"{quote.date + ': ' if each.by_date and quote.date else ''}“{flat(quote.text)}”{number}".split())
        for number, (each, quote) in enumerate(quotes, 1)
    ]
    assert page.of("li") == [
        " ".join(f"{reference(quote, each.digests[quote.source])} ↩".split()) for each, quote in quotes
    ]
    links = [attributes for tag, attributes in page.tags if tag == "a"]
    there = [{"href": f"#note-{number}", "id": f"quote-{number}"} for number in range(1, len(quotes) + 1)]
    back = [{"href": f"#quote-{number}"} for number in range(1, len(quotes) + 1)]
    assert links == [*there, *back]
    assert [attributes for tag, attributes in page.tags if tag == "li"] == [
        {"id": f"note-{number}"} for number in range(1, len(quotes) + 1)
    ]


def test_html_says_what_was_searched_chosen_and_refused() -> None:
    chosen = replace(REFUSED, filters=Filters(until="2021", documents=("<a>.txt",)))
    page = read(to_html([LEFT, chosen, UNKNOWN], "The <ferry>"))
    assert page.of("title") == page.of("h1") == ["The <ferry>"]
    assert page.of("p") == [
        "Searched as: When did the ferry leave?",
        "Only: until 2021; <a>.txt",
        "The articles do not answer this. The closest passages:",
        "The articles do not answer this.",
    ]
    (otherwise,) = read(to_html([replace(REFUSED, searched=REFUSED.asked, note=OTHERWISE)])).of("p")
    assert otherwise == f"The articles do not answer this. {OTHERWISE} The closest passages:"


def test_html_loads_nothing_and_runs_nothing() -> None:
    page = read(to_html([LEFT]))
    (policy,) = [attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert "url(" not in page.of("style")[0]
    assert "@import" not in page.of("style")[0]


@pytest.mark.parametrize("write", [to_markdown, to_html])
def test_what_has_nothing_in_it_is_not_written(write: Any) -> None:
    with pytest.raises(QAError) as raised:
        write([], "A name")
    assert str(raised.value) == NOTHING
