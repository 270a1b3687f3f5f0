"""The page: what it writes, and what a person sees in a real browser."""

from __future__ import annotations

import html
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa import Answer, Assistant, Passage, QAError, Quote, Ranks, segments
from qa.settings import Settings
from qa.types import Chunk, Document, Span
from qa.web import (
    EXAMPLES,
    _check_port,
    _marked,
    answer_html,
    converse,
    escaped,
    examples,
    launch_options,
    rebuilt,
    shown_again,
    source_html,
)
from tests.conftest import CORPUS, Library
from tests.test_documents import TEXTS
from tests.test_segments import LINES

NASTY = '<script>alert(1)</script> {{value}} ${value} `x` & "quoted" <img src=x onerror=alert(1)> [a](javascript:b)'


def shown(markup: str) -> str:
    """What a browser shows of it."""
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


@given(text=TEXTS | st.just(NASTY))
def test_escaped_text_is_no_markup_and_no_template(text: str) -> None:
    assert not set(escaped(text)) & set("<>\"'{}$`\\")
    assert html.unescape(escaped(text)) == html.unescape(html.escape(text))


@given(text=LINES.map("\n".join), places=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40)), max_size=4))
def test_an_article_with_marks_is_still_its_text(text: str, places: list[tuple[int, int]]) -> None:
    story = Document("a.txt", text, "", "", "", "", "")
    spans = [Span(start, start + length) for start, length in places]
    assert shown(_marked(story, segments.label(story), spans)) == text


def test_every_mark_is_exactly_its_quote(assistant: Assistant) -> None:
    for question in ("Who rejected the offer of US troops?", "What does Mexico own of Soviet-made arms?"):
        for quote in assistant.ask(question).quotes:
            page = source_html(*assistant.labelled(quote.source), [Span(quote.start, quote.end)])
            (marked,) = re.findall(r"<mark class='focus'>(.*?)</mark>", page, re.S)
            assert shown(marked) == quote.text


def test_article_text_is_escaped_wherever_it_stands(library: Library) -> None:
    library.write(
        "<b>.txt", f"A <i>title</i> {{{{x}}}}\n\n{NASTY} is what the article says about the ferry, and more.\n"
    )
    library.build()
    answer = library.assistant.ask("what the article says about the ferry")
    assert answer.quotes
    article = library.assistant.labelled("<b>.txt")
    page = answer_html(answer, 3, {"<b>.txt": "d"}) + source_html(*article, [Span(0, 10)])
    ours = {
        "div",
        "p",
        "button",
        "span",
        "ul",
        "li",
        "b",
        "article",
        "h2",
        "mark",
        "details",
        "summary",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    assert set(re.findall(r"<\s*/?\s*(\w+)", page)) <= ours
    assert "{{" not in page
    assert "${" not in page


def test_the_reasons_name_every_rank_and_a_comment_its_writer() -> None:
    text = "Forty <goats> were seasick!"
    quote = Quote(text, "a.txt", 0, len(text), "A ferry", "", "comment", author="Jane <Doe>")
    chunk = Chunk("a.txt", 0, Span(0, len(text)), text, "comment", "A ferry", "")
    passage = Passage(chunk, 5.0, Ranks(dense=3, lexical=0, reranked=1, cosine=0.5, logit=4.25))
    page = answer_html(Answer("q", "", True, 0.876, (quote,), (passage,)), 1, {"a.txt": "d"})
    assert "A ferry · a reader’s comment · Jane &lt;Doe&gt;" in page
    assert "Why this answer? Confidence 88%" in page
    assert "<td>1</td><td>3</td><td>–</td><td>4.2</td><td>Forty &lt;goats&gt; were seasick!</td>" in page


def test_a_quote_of_two_paragraphs_is_one_with_its_number() -> None:
    quote = Quote("It left.\r\n\r\nIt sank.", "a.txt", 0, 21, "", "", "body")
    shown = answer_html(Answer("q", "", True, 0.9, (quote,)), 1, {"a.txt": "d"})
    assert shown.startswith('<div class="answer"><p>It left. It sank. <button class="cite at-0-21-')


def test_a_refusal_does_not_look_like_an_answer() -> None:
    quote = Quote("It left.", "a.txt", 0, 8, "A ferry", "2020-01-02", "body")
    refused = answer_html(Answer("q", "The articles do not answer this.", False, 0.1, (quote,)), 1, {"a.txt": "d"})
    assert re.match(r'<div class="refusal"><p>The articles do not answer this\.</p><details>', refused)
    assert 'class="answer"' not in refused


def test_a_conversation_streams_quotes_and_shows_the_source(assistant: Assistant) -> None:
    updates = list(converse(assistant, "Who rejected the offer of US troops?", []))
    assert {u.messages[0]["content"] for u in updates} == {"<p>Who rejected the offer of US troops?</p>"}
    grown = [update.messages[1]["content"].count("cite") for update in updates]
    assert grown[0] == 0
    assert grown == sorted(grown)
    assert "<mark class='focus'>" in updates[-1].source
    follow_up = list(converse(assistant, "And what did she offer instead?", updates[-1].messages))[-1]
    assert len(follow_up.messages) == 4
    assert "stays within its own borders" in shown(follow_up.messages[3]["content"])


def test_the_first_questions_fit_the_articles(assistant: Assistant, library: Library) -> None:
    ours = examples(assistant)
    assert len(ours) == 4
    assert all(assistant.ask(question).quotes[0].source == EXAMPLES[question] for question in ours)
    library.write("a.txt", "The ferry that left\n\nThe ferry left at noon on Monday, as it always does in spring.\n")
    library.write("b.txt", "No headline is in here. It has two sentences.\n")
    library.build()
    assert examples(library.assistant) == ["The ferry that left"]


def test_the_standalone_form_of_a_follow_up_is_shown(assistant: Assistant) -> None:
    earlier = list(converse(assistant, "Who rejected the offer of US troops?", []))[-1]
    assert earlier.searched == ""
    later = list(converse(assistant, "And what did she offer instead?", earlier.messages))[-1]
    assert later.searched == "And what did Claudia Sheinbaum offer instead? (rejected US troops)"
    edited = list(converse(assistant, "What does Sheinbaum offer Trump?", later.messages, alone=True))[-1]
    assert edited.searched == ""
    assert edited.messages[4]["content"] == "<p>What does Sheinbaum offer Trump?</p>"


def test_an_article_that_changed_or_went_marks_nothing(library: Library) -> None:
    library.write("a.txt", "A ferry\n\nThe ferry carried forty goats to the island on Monday.\n")
    library.build()
    digest = library.assistant.document("a.txt").digest[:16]
    spans = [[9, 20]]
    assert "<mark class='focus'>The ferry c</mark>" in shown_again(library.assistant, "a.txt", digest, spans)
    library.write("a.txt", "A ferry\n\nYesterday it rained. The ferry carried forty goats to the island.\n")
    library.build()
    assert "a.txt has changed since it was quoted; ask again." in shown_again(library.assistant, "a.txt", digest, spans)
    assert "b.txt is no longer in the index; ask again." in shown_again(library.assistant, "b.txt", digest, spans)


def test_a_port_in_use_says_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(QAError, match=r"^Port \d+ cannot be used \(.*\); set QA_PORT to one that is free\.$"):
            _check_port(taken.getsockname()[1])


def test_a_bad_question_is_a_sentence_in_the_conversation(assistant: Assistant) -> None:
    *_, last = converse(assistant, "   ", [])
    assert last.messages[-1]["content"] == '<p class="problem">The question is empty; type at least one word.</p>'


def test_rebuilding_says_what_it_did_or_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    settings = Settings(corpus=tmp_path / "corpus", store=tmp_path / "store")
    steps: list[tuple[str, int, int]] = []
    assert "has no .txt or .md article" in rebuilt(settings, lambda *step: steps.append(step))
    (tmp_path / "corpus" / "a.txt").write_text("A ferry left at noon on Monday.")
    assert "1 added, 0 changed, 0 removed, 0 unchanged" in rebuilt(settings, lambda *step: steps.append(step))
    assert ("embedding", 1, 1) in steps


def test_the_page_is_served_to_this_machine_only_and_tells_nobody() -> None:
    options = launch_options(Settings())
    assert options["server_name"] == "127.0.0.1"
    assert not any(options[name] for name in ("share", "ssr_mode", "run_history", "enable_monitoring", "footer_links"))
    assert "allowed_paths" not in options


# --- in a browser ----------------------------------------------------------------------------------------------------

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page, served by the program itself over the project's articles."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(CORPUS, folder / "corpus")
    qa = str(Path(sys.executable).with_name("qa"))
    environment = os.environ | {"QA_PORT": str(port)}
    subprocess.run([qa, "index"], cwd=folder, check=True, capture_output=True)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([qa, "chat"], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/", server)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(20)


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        assert server.poll() is None, "the page ended before it was up"
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError("the page was not up after two minutes")


@pytest.fixture
def page(address: str) -> Iterator[Any]:
    """The page in Chromium; what it asks of other hosts, and what goes wrong in it, fails the test."""
    if not CHROMIUM:
        pytest.skip("no Chromium is installed, so the page was not driven; apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1280, "height": 860})
        elsewhere: list[str] = []
        errors: list[str] = []
        opened.on("request", lambda sent: None if sent.url.startswith(address) else elsewhere.append(sent.url))
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.goto(address)
        opened.wait_for_selector("#question textarea")
        yield opened
        browser.close()
        assert [url for url in elsewhere if not url.startswith(("data:", "blob:"))] == []
        assert errors == []


def settled(page: Any) -> None:
    """Wait until an answer has stopped growing; a question typed before that waits in its box."""
    seen = ""
    while seen != (seen := page.inner_text("#chat")):
        page.wait_for_timeout(700)


def ask(page: Any, question: str) -> None:
    page.fill("#question textarea", question)
    page.keyboard.press("Enter")


@pytest.mark.slow
@pytest.mark.browser
class TestInABrowser:
    def test_a_question_is_answered_with_its_quote_highlighted_in_its_source(self, page: Any) -> None:
        ask(page, "How many grenade launchers did the army seize?")
        page.wait_for_selector("#chat .answer .cite")
        answer = page.inner_text("#chat .answer")
        assert "The army seized 56 grenade launchers" in answer
        assert "1 Mexico wants to know how US army weapons reach the cartels, 2024-01-26" in " ".join(answer.split())
        mark = page.wait_for_selector("#source mark.focus")
        assert mark.inner_text().startswith("The army seized 56 grenade launchers, 12 rocket launchers")
        assert page.inner_text("#source h2") == "Mexico wants to know how US army weapons reach the cartels"
        assert "2024-01-26-army-weapons-with-cartels.md" in page.inner_text("#source .facts")
        assert mark.is_visible()
        assert page.input_value("#question textarea") == ""

    def test_a_click_on_a_number_opens_its_quote_in_view(self, page: Any) -> None:
        ask(page, "What does Mexico say about the war in Ukraine?")
        page.wait_for_selector("#chat .cite >> nth=2")
        cites = page.query_selector_all("#chat .answer p")
        for paragraph in reversed(cites):
            said = paragraph.inner_text()
            paragraph.query_selector(".cite").click()
            start = " ".join(said.split())[:40]
            focus = "document.querySelector('#source mark.focus')?.innerText.replace(/\\s+/g, ' ')"
            page.wait_for_function(f"start => {focus}.startsWith(start)", arg=start)
            box = page.query_selector("#source mark.focus").bounding_box()
            pane = page.query_selector("#source article").bounding_box()
            assert pane["y"] <= box["y"] <= pane["y"] + pane["height"]

    def test_a_follow_up_and_a_refusal(self, page: Any) -> None:
        ask(page, "Who rejected Trump's offer of US troops?")
        page.wait_for_selector("#chat .answer .cite")
        settled(page)
        ask(page, "And what did she offer instead?")
        page.wait_for_selector("#chat .answer >> nth=1")
        page.wait_for_function("document.querySelector('#chat').innerText.includes('stays within its own borders')")
        settled(page)
        ask(page, "How do vaccines protect against measles?")
        page.wait_for_selector("#chat .refusal")
        assert page.inner_text("#chat .refusal > p") == "The articles do not answer this."
        assert page.query_selector("#chat .refusal details:not([open])") is not None
        assert page.query_selector("#source mark") is None, "nothing is marked that does not answer"

    def test_what_was_searched_can_be_edited_and_the_reasons_seen(self, page: Any) -> None:
        ask(page, "Who rejected Trump's offer of US troops?")
        page.wait_for_selector("#chat .answer .cite")
        settled(page)
        assert not page.is_visible("#standalone"), "nothing but what was typed was searched"
        ask(page, "What did she say about sovereignty?")
        page.wait_for_function("document.querySelectorAll('#chat .answer').length == 2")
        settled(page)
        searched = "What did Claudia Sheinbaum say about sovereignty? (rejected Trump offer US)"
        assert page.input_value("#standalone textarea") == searched
        page.click("#chat .answer >> nth=1 >> summary")
        table = page.inner_text("#chat .answer >> nth=1 >> table")
        assert table.split()[:5] == ["place", "meaning", "words", "logit", "passage"]
        page.fill("#standalone textarea", "Which helicopter may be assembled in Mexico?")
        page.press("#standalone textarea", "Enter")
        page.wait_for_function("document.querySelectorAll('#chat .answer').length == 3")
        page.wait_for_function("document.querySelector('#chat').innerText.includes('the Ansat')")
        settled(page)

    def test_an_example_can_be_clicked_and_the_index_rebuilt(self, page: Any) -> None:
        page.click("text=Which helicopter may be assembled in Mexico?")
        page.wait_for_function("document.querySelector('#question textarea').value.startsWith('Which helicopter')")
        page.click("#rebuild")
        page.wait_for_function("document.querySelector('#status').innerText.includes('7 unchanged')", timeout=60_000)

    def test_what_a_person_types_is_shown_as_typed(self, page: Any) -> None:
        typed = "Who *rejected* the offer of US troops? <img src=x onerror=document.title='owned'> {{value}}"
        ask(page, typed)
        page.wait_for_selector("#chat .answer, #chat .refusal")
        settled(page)
        assert page.title() == "Verbatim"
        assert typed in page.inner_text("#chat")


@pytest.mark.slow
def test_a_foreign_host_name_is_turned_away(address: str) -> None:
    request = urllib.request.Request(address, headers={"Host": "evil.example"})
    with pytest.raises(HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=10)
