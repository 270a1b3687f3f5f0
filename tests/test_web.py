"""The page as a person uses it: in a real browser, over the program itself, with the real weights."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from qa import Assistant, QAError
from qa.evaluate import read_cases
from qa.settings import Settings
from qa.web import _check_port, launch_options, serve
from tests.browsing import answers, ask, can_cut_the_network, enter, free_port, ready, served, tab, visiting
from tests.conftest import CORPUS, ROOT

FERRY = """The ferry to Holm sails again

Published on: May 3, 2021
By Jane Harbour

The ferry to Holm sailed again on Monday after a winter in the dock. Its owner, Ada Lind, said the new engine had cost
nine million crowns. The crossing takes forty minutes.

2 comments

1. Bo Brandt
The fare to Holm is far too high for the people of the island.

2. Carla Voss
I saw seals from the deck of the ferry to Holm on its first morning.
"""

SEIZED = "How many grenade launchers did the army seize?"
TROOPS = "Who rejected Trump's offer of US troops?"
WAR = "What does Mexico say about the war in Ukraine?"


# --- how it is served -------------------------------------------------------------------------------------------------


def test_a_port_in_use_says_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(QAError, match=r"^Port \d+ cannot be used \(.*\); set QA_PORT to one that is free\.$"):
            _check_port(Settings(port=taken.getsockname()[1]))


def test_no_address_but_this_machines_own_is_served_without_a_password() -> None:
    with pytest.raises(QAError, match=r"^On 0\.0\.0\.0 others could read the articles .*; set QA_AUTH to a name"):
        serve(Settings(host="0.0.0.0"))


def test_the_page_is_served_to_this_machine_only_and_tells_nobody(assistant: Assistant) -> None:
    options = launch_options(Settings(), assistant)
    assert options["server_name"] == "127.0.0.1"
    assert not any(options[name] for name in ("share", "ssr_mode", "run_history", "enable_monitoring", "footer_links"))
    assert "allowed_paths" not in options
    assert options["max_file_size"] == 20_000_000


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page")
    shutil.copytree(CORPUS, made / "corpus")
    (made / "corpus" / "holm").mkdir()
    (made / "corpus" / "holm" / "ferry.txt").write_text(FERRY, "utf-8")
    return made


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    with visiting(browser, address, permissions=["clipboard-read", "clipboard-write"]) as page:
        yield page


def clipboard(page: Any) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def focused(page: Any) -> str:
    """The words of the mark in focus, with blanks evened out."""
    return " ".join("".join(page.locator("#source mark.focus").all_inner_texts()).split())


def kept(page: Any) -> list[dict[str, Any]]:
    """The conversations that the browser keeps."""
    return list(page.evaluate("verbatim.all()"))


@pytest.mark.slow
@pytest.mark.browser
class TestAsking:
    def test_a_question_is_answered_with_its_quote_highlighted_in_its_source(self, page: Any) -> None:
        page.click(f"#chat button:has-text('{SEIZED}')")
        page.wait_for_selector("#chat .answer .cite")
        answer = " ".join(page.inner_text("#chat .answer").split())
        assert "The army seized 56 grenade launchers" in answer
        assert "1 Mexico wants to know how US army weapons reach the cartels, 2024-01-26" in answer
        page.wait_for_selector("#source mark.focus")
        assert focused(page).startswith("The army seized 56 grenade launchers, 12 rocket launchers")
        assert page.inner_text("#source h2") == "Mexico wants to know how US army weapons reach the cartels"
        assert page.inner_text("#source .facts") == "2024-01-26 · 2024-01-26-army-weapons-with-cartels.md"
        assert "title:" not in page.inner_text("#source .text"), "front matter is told above the text"
        assert page.input_value("#question textarea") == ""

    def test_a_number_shows_its_quote_when_hovered_or_focused_and_opens_it_when_clicked(self, page: Any) -> None:
        ask(page, WAR)
        page.wait_for_selector("#source mark.focus")
        paragraphs = page.locator("#chat .answer p:has(.cite)").all()
        for paragraph in reversed(paragraphs):
            said = " ".join(paragraph.locator("bdi").inner_text().split())
            cite = paragraph.locator(".cite")
            cite.hover()
            page.wait_for_selector("#peek:not([hidden]) mark")
            assert " ".join(page.inner_text("#peek mark").split()) == said
            cite.click()
            page.wait_for_function(
                "said => [...document.querySelectorAll('#source mark.focus')].map(mark => mark.textContent).join('')"
                ".replace(/\\s+/g, ' ') === said",
                arg=said,
            )
            box = page.locator("#source mark.focus").first.bounding_box()
            pane = page.locator("#source .text").bounding_box()
            assert pane["y"] <= box["y"] <= pane["y"] + pane["height"]
            assert page.is_hidden("#peek")

    def test_several_quotes_of_an_article_are_marked_and_stepped_through_and_copied(self, page: Any) -> None:
        ask(page, WAR)
        page.locator("#chat .cite").nth(1).click()
        page.wait_for_selector("#source mark.other")
        first = focused(page)
        page.click("#source .next")
        second = focused(page)
        assert first != second
        page.click("#source .copy")
        page.wait_for_selector("#source [role=status]:has-text('Copied.')")
        assert page.evaluate("document.activeElement.matches('#source .copy')"), "the keyboard stays where it was"
        copied = clipboard(page)
        assert copied.startswith(f"“{second}” – “Washington looks for Soviet-made arms for Ukraine and Mexico says no”")
        where = re.search(r"2022-10-13-arms-for-ukraine\.md, characters (\d+)–(\d+), SHA-256 [0-9a-f]{16}…$", copied)
        assert where is not None
        article = (CORPUS / "2022-10-13-arms-for-ukraine.md").read_bytes().decode()
        assert " ".join(article[int(where[1]) : int(where[2])].split()) == second
        page.click("#source .previous")
        assert focused(page) == first

    def test_a_readers_comment_is_visibly_one(self, page: Any) -> None:
        ask(page, "What do readers say about the fare to Holm?")
        assert "a reader’s comment" in page.inner_text("#chat .answer p.comment")
        assert "Bo Brandt" in page.inner_text("#chat .answer .places")
        page.wait_for_selector("#source .comment mark.focus")
        label = "getComputedStyle(document.querySelector('#source .part.comment'), '::before').content"
        assert page.evaluate(label) == '"Comment"'
        assert page.inner_text("#source .facts") == "2021-05-03 · Jane Harbour · holm/ferry.txt"

    def test_a_refusal_looks_like_one_with_the_closest_passages_folded(self, page: Any) -> None:
        ask(page, "How do vaccines protect against measles?")
        assert page.inner_text("#chat .refusal > p") == "The articles do not answer this."
        assert page.locator("#chat .refusal > details:not([open])").count() == 2, "passages and reasons"
        assert page.locator("#source mark").count() == 0, "nothing is marked that does not answer"
        page.click("#chat .refusal summary >> nth=0")
        page.click("#chat .refusal .cite >> nth=0")
        page.wait_for_selector("#source mark.focus")

    def test_the_standalone_form_of_a_follow_up_can_be_edited_and_the_reasons_seen(self, page: Any) -> None:
        ask(page, TROOPS)
        assert not page.is_visible("#standalone"), "nothing but what was typed was searched"
        ask(page, "What did she say about sovereignty?")
        searched = "What did Claudia Sheinbaum say about sovereignty? (rejected Trump offer US)"
        assert page.input_value("#standalone textarea") == searched
        page.click("#chat .answer >> nth=1 >> summary")
        assert (
            page.inner_text("#chat .answer >> nth=1 >> table").split()[:5]
            == "place meaning words logit passage".split()
        )
        page.fill("#standalone textarea", "Which helicopter may be assembled in Mexico?")
        page.press("#standalone textarea", "Enter")
        page.wait_for_function("document.querySelectorAll('#chat .answer').length == 3")
        assert "the Ansat" in page.inner_text("#chat .answer >> nth=2")

    def test_a_suggested_question_is_asked_with_a_click_and_answered(self, page: Any) -> None:
        ask(page, "Which helicopter may be assembled in Mexico?")
        option = page.locator("#chat button", has_text="What do the articles say about Alexey Gruzdev?")
        option.click()
        page.wait_for_function("document.querySelectorAll('#chat .answer').length == 2")
        assert "Alexey Gruzdev" in page.inner_text("#chat .answer >> nth=1")

    def test_enter_sends_shift_enter_breaks_and_a_keyboard_alone_is_enough(self, page: Any) -> None:
        page.focus("#question textarea")
        page.keyboard.type("Who rejected the offer")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("of US troops?")
        assert page.input_value("#question textarea") == "Who rejected the offer\nof US troops?"
        page.keyboard.press("Enter")
        page.wait_for_selector("#chat .answer .cite")
        ready(page)
        for _ in range(40):  # back through what can be reached, to the first number
            page.keyboard.press("Shift+Tab")
            if page.evaluate(
                "document.activeElement.matches('.cite') && document.activeElement.innerText.endsWith('1')"
            ):
                break
        page.wait_for_selector("#peek:not([hidden]) mark")
        page.keyboard.press("Escape")
        assert page.is_hidden("#peek")
        page.keyboard.press("Enter")
        page.wait_for_function("document.activeElement.matches('#source h2')")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert "2025-05-04-no-us-troops.md, characters" in clipboard(page)

    def test_retry_undo_edit_and_clear(self, page: Any) -> None:
        ask(page, SEIZED)
        ask(page, TROOPS)
        page.click("#chat button[aria-label='Retry']")
        page.wait_for_selector("#question .stop-button")  # The button says "Ask" until it is asked again, too.
        ready(page)
        page.wait_for_function("document.querySelectorAll('#chat .answer').length == 2")
        assert answers(page) == 2
        page.click("#chat button[aria-label='Undo']")
        page.wait_for_function("document.querySelectorAll('#chat .answer').length == 1")
        assert page.input_value("#question textarea") == TROOPS, "what was taken back can be asked again"
        page.click("#chat button[aria-label='Edit'] >> nth=0")
        box = page.locator("#chat textarea")
        page.wait_for_function("document.querySelector('#chat textarea')?.value.startsWith('How many')")
        assert box.input_value() == SEIZED, "it is edited as it was typed"
        box.fill("Which helicopter may be assembled in Mexico?")
        page.click("#chat button[aria-label='Submit']")
        page.wait_for_function("document.querySelector('#chat .answer')?.innerText.includes('Ansat')")
        assert answers(page) == 1
        page.click("#chat button[aria-label='Clear']")
        page.wait_for_function("!document.querySelector('#chat .answer')")
        assert [one["name"] for one in kept(page)] == [SEIZED], "it stays in the history"

    def test_a_question_can_be_stopped_and_stands_in_the_box_again(self, page: Any, address: str) -> None:
        busy = [threading.Thread(target=call, args=(address, "ask", {"question": WAR})) for _ in range(12)]
        for one in busy:
            one.start()
        page.fill("#question textarea", TROOPS)
        page.keyboard.press("Enter")
        page.click("#question .stop-button", timeout=20_000)
        ready(page)
        assert page.input_value("#question textarea") == TROOPS
        for one in busy:
            one.join()
        assert answers(page) == 0
        ask(page, TROOPS)
        assert answers(page) == 1

    def test_a_link_to_an_answer_opens_it_again(self, page: Any, browser: Any, address: str) -> None:
        ask(page, TROOPS)
        ask(page, "What did she say about sovereignty?")
        said = page.locator("#chat .answer").nth(1).locator("bdi").first.inner_text()
        page.click("#chat .link >> nth=1")
        page.wait_for_selector("#chat .link:has-text('Copied.')")
        link = clipboard(page)
        assert link.startswith(f"{address}?q=")
        with visiting(browser, link) as other:
            other.wait_for_selector("#chat .answer >> nth=1")
            assert other.locator("#chat .answer").nth(1).locator("bdi").first.inner_text() == said
            ready(other)
            assert other.inner_text("#problem").strip() == ""
            assert other.url == address, "a reload does not ask again"
        with visiting(browser, re.sub("answer=[0-9a-f]+", "answer=0123456789abcdef", link)) as other:
            other.wait_for_selector("#problem .hint")
            assert other.inner_text("#problem").startswith("The articles have changed since that link was made")

    def test_what_cannot_be_asked_is_one_sentence_and_stays_in_the_box(self, page: Any) -> None:
        for typed, sentence in {
            "???": "The question is empty; type at least one word.",
            "word " * 500: "The question has 2,499 characters; shorten it to at most 2,000.",
        }.items():
            page.fill("#question textarea", typed)
            page.keyboard.press("Enter")
            page.wait_for_selector(f"#problem .problem:has-text('{sentence}')")
            assert page.input_value("#question textarea") == typed
            assert page.locator("#chat .asked").count() == 0

    def test_what_a_person_types_is_shown_as_typed(self, page: Any) -> None:
        typed = "Who *rejected* the offer of US troops? <img src=x onerror=document.title='owned'> {{value}}"
        ask(page, typed)
        assert page.title() == "Verbatim"
        assert page.inner_text("#chat .asked") == typed


def rows(page: Any) -> list[str]:
    """The library's table, a line a row."""
    return [" ".join(text.split()) for text in page.locator("#shelf tbody tr").all_inner_texts()]


def settle(page: Any, text: str, timeout: float = 30_000) -> None:
    """Wait until the library says so."""
    page.wait_for_selector(f"#library :is(#told, #status):has-text('{text}')", timeout=timeout)


@pytest.mark.slow
@pytest.mark.browser
class TestLibrary:
    def test_the_table_is_searched_and_an_article_opened_with_its_parts_told_apart(self, page: Any) -> None:
        tab(page, 1)
        page.wait_for_selector("#shelf tbody tr >> nth=7")
        assert page.locator("#shelf thead th").all_inner_texts() == "Title Date File Passages Comments State".split()
        page.fill("#sought input, #sought textarea", "ferry current")
        page.wait_for_function("document.querySelectorAll('#shelf tbody tr').length == 1")
        assert rows(page) == ["The ferry to Holm sails again 2021-05-03 holm/ferry.txt 1 2 current Remove"]
        page.fill("#sought input, #sought textarea", "giraffe")
        page.wait_for_selector("#shelf:has-text('No article has these words.')")
        page.fill("#sought input, #sought textarea", "holm")
        page.click("#shelf .open")
        page.wait_for_selector("#reader article")
        labels = "(part) => [part.className, getComputedStyle(part, '::before').content, getComputedStyle(part).color]"
        parts = [part.evaluate(labels) for part in page.locator("#reader .part").element_handles()]
        assert [(kind.split()[1], label) for kind, label, _ in parts] == [
            ("title", '"Title"'),
            ("boilerplate", '"Not the article"'),
            ("body", "none"),
            ("boilerplate", '"Not the article"'),
            ("comment", '"Comment"'),
            ("comment", '"Comment"'),
        ]
        colours = {kind.split()[1]: colour for kind, _, colour in parts}
        assert len({colours["body"], colours["comment"], colours["boilerplate"]}) == 3
        assert page.inner_text("#reader .text").split() == FERRY.split()

    def test_articles_are_added_indexed_changed_and_removed(self, page: Any, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "goats.md").write_text(
            "# Goats on the roof\n\nForty goats stood on the roof of the mill on Sunday.\n"
        )
        (tmp_path / "notes.exe").write_text("x")
        (tmp_path / "odd.txt").write_bytes(b"\xff\xfe not UTF-8")
        tab(page, 1)
        settle(page, "The index is up to date with the folder.")
        page.set_input_files(
            "#drop input[type=file]", [tmp_path / name for name in ("goats.md", "notes.exe", "odd.txt")]
        )
        settle(page, "goats.md was added.")
        assert page.locator("#told .problem").count() == 2, "one bad file keeps no other out"
        settle(page, "+1 added, ~0 changed, −0 removed")
        assert "Goats on the roof goats.md – – new Remove" in rows(page)
        page.click("#rebuild")
        settle(page, "1 added, 0 changed, 0 removed, 8 unchanged")
        tab(page, 0)
        ask(page, "How many goats stood on the roof of the mill?")
        assert "Forty goats" in page.inner_text("#chat .answer")

        (folder / "corpus" / "goats.md").write_text("# Goats on the roof\n\nThe goats left the roof of the mill.\n")
        (folder / "corpus" / "broken.txt").write_bytes(b"\xff\xfe")
        tab(page, 1)
        settle(page, "+0 added, ~1 changed, −0 removed")
        why = "broken.txt is not UTF-8 (byte 0); save it as UTF-8 and index again."
        assert f"Untitled {why} broken.txt – – failed Remove" in rows(page)
        assert "Goats on the roof goats.md 1 0 changed Remove" in rows(page)
        (folder / "corpus" / "broken.txt").unlink()

        remove = page.locator("#shelf .remove[data-source='goats.md']")
        remove.click()
        assert page.inner_text("dialog p").startswith("Remove goats.md? It is moved to .removed/")
        page.click("dialog button:has-text('Cancel')")
        assert (folder / "corpus" / "goats.md").exists()
        remove.click()
        page.click("dialog button:has-text('Remove')")
        settle(page, "goats.md was moved to .removed/goats.md.")
        settle(page, "+0 added, ~0 changed, −1 removed")
        page.click("#rebuild")
        settle(page, "0 added, 0 changed, 1 removed, 8 unchanged")
        tab(page, 0)
        ask(page, "How many goats stood on the roof of the mill?")
        page.wait_for_selector("#chat .refusal")

    def test_a_rebuild_shows_its_progress_can_be_cancelled_and_stops_no_question(
        self, page: Any, folder: Path, address: str
    ) -> None:
        long = folder / "corpus" / "long.txt"
        lines = (
            f"In the year {n} the harbour of Holm counted {n * 7} ships and {n * 3} gulls.\n\n" for n in range(6000)
        )
        long.write_text("".join(lines))
        tab(page, 1)
        page.wait_for_selector("#shelf:has-text('long.txt')")
        page.click("#rebuild")
        page.wait_for_selector("#status progress[max]", timeout=60_000)
        page.wait_for_selector("#status:has-text('Embedding')", timeout=60_000)
        page.wait_for_selector("#status:has-text('s left')", timeout=60_000)
        assert call(address, "ask", {"question": SEIZED})["answered"], "the old index goes on answering"
        assert not call(address, "ask", {"question": "How many gulls did the harbour of Holm count?"})["answered"]
        page.reload()  # The build belongs to nobody's window.
        ready(page)
        tab(page, 1)
        page.click("#cancel")
        settle(page, "Cancelled; the index is as it was.", 60_000)
        long.unlink()
        assert "long.txt" not in call(address, "retrieve", {"question": "gulls in the harbour of Holm"})


@pytest.mark.slow
@pytest.mark.browser
class TestHistory:
    def test_a_conversation_survives_a_reload_and_is_named_saved_and_deleted(self, page: Any, tmp_path: Path) -> None:
        ask(page, TROOPS)
        ask(page, "What did she say about sovereignty?")
        page.reload()
        page.wait_for_selector("#chat .answer >> nth=1")
        page.wait_for_selector("#source mark.focus")
        ready(page)
        tab(page, 2)
        assert "2 questions" in page.inner_text("#history .facts")
        page.click("#history button:has-text('Rename')")
        page.fill("dialog input", "Troops & <b>sovereignty</b>")
        page.click("dialog button:has-text('Save')")
        page.wait_for_selector("#history button:has-text('Troops & <b>sovereignty</b>')")
        for form, ending in (("Markdown", ".md"), ("HTML", ".html")):
            with page.expect_download() as download:
                page.click(f"#history .acts button:has-text('{form}')")
            assert download.value.suggested_filename == f"Troops-b-sovereignty-b{ending}"
            download.value.save_as(tmp_path / f"saved{ending}")
        written = (tmp_path / "saved.md").read_text("utf-8")
        assert written.startswith("# Troops & \\<b\\>sovereignty")
        places = re.findall(r"^\[\^(\d+)\]: .*2025-05-04-no-us-troops\.md, characters (\d+)–(\d+)", written, re.M)
        article = (CORPUS / "2025-05-04-no-us-troops.md").read_bytes().decode()
        assert len(places) >= 2
        for number, start, end in places:
            quoted = " ".join(article[int(start) : int(end)].split())
            assert f"“{quoted}”[^{number}]" in written
        assert "&lt;b&gt;sovereignty" in (tmp_path / "saved.html").read_text("utf-8")
        page.click("#history button:has-text('Delete')")
        page.click("dialog button:has-text('Delete')")
        page.wait_for_selector("#history:has-text('No conversation is kept in this browser yet.')")

    def test_it_is_kept_in_the_browser_and_outlives_the_server(
        self, browser: Any, folder: Path, tmp_path: Path
    ) -> None:
        copy = tmp_path / "again"
        shutil.copytree(folder, copy)
        port = str(free_port())
        opened = browser.new_context()
        one, two = opened.new_page(), opened.new_page()
        with served(copy, QA_PORT=port) as address:
            for page, question in ((one, SEIZED), (two, TROOPS)):
                page.goto(address)
                ready(page)
                ask(page, question)
            one.wait_for_function("verbatim.all().length === 2")  # It is kept once the answer is there.
            assert len(kept(one)) == 2, "two windows do not overwrite each other's"
        with served(copy, QA_PORT=port):
            one.reload()
            one.wait_for_selector("#chat .answer")
            ready(one)
            assert one.inner_text("#chat .asked") == SEIZED
            tab(one, 2)
            one.click(f"#history .about button:has-text({json.dumps(TROOPS)})")
            one.wait_for_function("q => document.querySelector('#chat .asked')?.innerText === q", arg=TROOPS)
            assert one.is_visible("#question"), "it is opened where it is asked on"
            ask(one, "What did she say about sovereignty?")
            assert "sovereignty of Mexico" in one.inner_text("#chat .answer >> nth=1")
            one.wait_for_function("verbatim.all().some((each) => each.turns.length === 2)")
            assert sorted(len(each["turns"]) for each in kept(one)) == [1, 2]
        opened.close()

    def test_a_thumbs_down_becomes_a_case(self, page: Any, folder: Path) -> None:
        ask(page, SEIZED)
        page.click("#chat button[aria-label*='islike' i]")
        page.click("#save-case")
        page.wait_for_selector("#problem:has-text('Say what is wrong: choose one of the two.')")
        page.click("#feedback label:has-text('Other words answer it')")
        page.fill("#right-words textarea", "words that nobody wrote")
        page.click("#save-case")
        page.wait_for_selector("#problem:has-text('These words stand in no indexed article')")
        page.fill("#right-words textarea", "221 fully automatic  firearms")
        page.click("#save-case")
        page.wait_for_selector("#problem:has-text('Thank you.')")
        (case,) = read_cases(folder / "vectorstore" / "feedback.jsonl")
        assert (case.question, case.expected, case.history) == (SEIZED, ("221 fully automatic firearms",), ())


@pytest.mark.slow
@pytest.mark.browser
class TestFilters:
    def test_they_are_shown_as_chips_and_honoured(self, page: Any) -> None:
        page.click("#filters button >> nth=0")
        enter(page, "#since", "2025")
        page.wait_for_selector("#chips button:has-text('from 2025')")
        ask(page, SEIZED)
        page.wait_for_selector("#chat .refusal")
        assert "army-weapons" not in page.inner_text("#chat .refusal")
        page.click("#chips button:has-text('from 2025')")
        page.wait_for_function("!document.querySelector('#chips button')")
        page.click("#chat button[aria-label='Retry']")
        page.wait_for_selector("#chat .answer:has-text('56 grenade launchers')")
        ready(page)
        page.fill("#until :is(input, textarea)", "yesterday")
        page.keyboard.press("Tab")
        page.wait_for_selector("#problem:has-text(\"'yesterday' is no date\")")
        page.fill("#until :is(input, textarea)", "")
        page.click("#outlets input")
        page.click("[role=option]:has-text('holm')")
        page.wait_for_selector("#chips button:has-text('holm')")
        ask(page, "How long does the crossing take?")
        page.wait_for_selector("#source h2:has-text('The ferry to Holm')")


@pytest.mark.slow
@pytest.mark.browser
class TestForEverybody:
    def test_in_spanish(self, browser: Any, address: str) -> None:
        with visiting(browser, address, locale="es-MX") as page:
            assert page.evaluate("document.documentElement.lang") == "es"
            assert page.locator("button[role=tab]").all_inner_texts() == ["Preguntar", "Biblioteca", "Historial"]
            ask(page, "¿Quién rechazó la oferta de tropas?")
            assert "Claudia Sheinbaum" in page.inner_text("#chat .answer")
            assert "¿Por qué esta respuesta?" in page.inner_text("#chat .answer")
            page.wait_for_selector("#source button:has-text('Copiar la cita con su referencia')")
            tab(page, 1)
            page.wait_for_selector("#shelf:has-text('al día')")
            settle(page, "El índice está al día con la carpeta.")

    @pytest.mark.parametrize("look", ["light", "dark", "phone"])
    def test_no_view_has_a_serious_fault_of_accessibility(self, browser: Any, address: str, look: str) -> None:
        size = {"width": 390, "height": 844} if look == "phone" else {"width": 1280, "height": 860}
        scheme = "dark" if look == "dark" else "light"
        # The checker is a script of our own tests; the page's policy would not let it in.
        with visiting(browser, address, viewport=size, color_scheme=scheme, bypass_csp=True) as page:
            sound(page, "the start")
            ask(page, WAR)
            page.click("#chat .answer summary")
            sound(page, "an answer")
            page.focus("#chat .cite >> nth=1")
            page.wait_for_selector("#peek:not([hidden])")
            sound(page, "a quote shown beside its number")
            page.keyboard.press("Enter")
            page.wait_for_function("document.activeElement.matches('#source h2')")
            ask(page, "How do vaccines protect against measles?")
            page.click("#chat .refusal summary >> nth=0")
            sound(page, "a refusal")
            page.click("#filters button >> nth=0")
            enter(page, "#since", "2024")
            page.wait_for_selector("#chips button")
            page.click("#chat button[aria-label*='islike' i] >> nth=-1")
            page.click("#feedback label:has-text('Other words')")
            sound(page, "filters and the form")
            tab(page, 1)
            page.click("#shelf .open:has-text('ferry')")
            page.wait_for_selector("#reader .comment")
            sound(page, "the library")
            page.click("#shelf .remove >> nth=0")
            sound(page, "a dialog")
            page.keyboard.press("Escape")
            tab(page, 2)
            page.wait_for_selector("#history li")
            sound(page, "the history")

    @pytest.mark.skipif(not can_cut_the_network(), reason="this user may not make a network without a way out")
    def test_the_first_answer_needs_no_network(self, tmp_path: Path, browser: Any) -> None:
        shutil.copytree(CORPUS, tmp_path / "corpus")
        command = ["unshare", "-n", sys.executable, "-m", "tests.offline", str(tmp_path)]
        environment = os.environ | {"QA_CACHE": str(tmp_path / "cache")}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        assert "56 grenade launchers" in done.stdout, done.stderr

    def test_a_reload_is_usable_in_two_seconds(self, page: Any) -> None:
        ask(page, SEIZED)
        page.wait_for_function("verbatim.all().length === 1")
        times = []
        for _ in range(3):
            page.reload()
            ready(page)
            page.wait_for_selector("#chat .answer")
            times.append(page.evaluate("performance.now()"))
        assert sorted(times)[1] < 2000, times


def sound(page: Any, view: str) -> None:
    """No fault that axe calls serious or critical, and nothing that runs out of the page."""
    page.wait_for_timeout(300)  # Gradio's panels fade in, and half faded text has half the contrast.
    found = [fault for fault in Axe().run(page).response["violations"] if fault["impact"] in {"serious", "critical"}]
    assert [(fault["id"], [node["html"][:200] for node in fault["nodes"]]) for fault in found] == [], view
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{view} runs {wide} pixels out of the page"


# --- the page as a service --------------------------------------------------------------------------------------------


@pytest.mark.slow
class TestService:
    def test_four_tools_are_published_and_nothing_else(self, address: str) -> None:
        with urllib.request.urlopen(f"{address}gradio_api/info", timeout=10) as reply:
            info = json.load(reply)
        assert sorted(info["named_endpoints"]) == ["/ask", "/document", "/retrieve", "/verify_quote"]
        assert info["unnamed_endpoints"] == {}
        for closed in ("monitoring", "monitoring/summary", "docs", "openapi.json"):
            with pytest.raises(HTTPError, match=r"40[34]"):
                urllib.request.urlopen(address + closed, timeout=10)

    def test_rest(self, address: str) -> None:
        answer = call(address, "ask", {"question": SEIZED, "until": "2024"})
        text = call(address, "document", {"source": answer["quotes"][0]["source"]})["text"]
        assert all(text[quote["start"] : quote["end"]] == quote["text"] for quote in answer["quotes"])
        with pytest.raises(HTTPError, match="400"):
            call(address, "ask", {"question": ""})

    def test_the_calls_in_the_readme_give_what_it_says(self, address: str) -> None:
        readme = (ROOT / "README.md").read_text("utf-8")
        (block,) = re.findall(r"```console\n(\$ curl.*?)```", readme, re.S)
        calls = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.M)
        assert len(calls) == 4
        for command, printed in calls:
            there = command.replace("http://127.0.0.1:7860/", address)
            done = subprocess.run(["bash", "-c", there], capture_output=True, text=True, check=True)
            assert printed.startswith(done.stdout.rstrip("\n").split("\n")[0].rstrip()), command

    def test_mcp(self, address: str) -> None:
        with ThreadPoolExecutor() as threads:  # Playwright has an event loop running in ours.
            tools, answer = threads.submit(asyncio.run, over_mcp(f"{address}gradio_api/mcp/")).result(60)
        assert sorted(tools) == ["ask", "document", "retrieve", "verify_quote"]
        assert answer["answered"]
        assert "56 grenade launchers" in answer["quotes"][0]["text"]

    def test_no_file_of_the_corpus_or_the_index_is_served(self, address: str, folder: Path) -> None:
        for path in ("corpus/holm/ferry.txt", "vectorstore/index.sqlite", "corpus/../corpus/README.md"):
            with pytest.raises(HTTPError, match=r"40[34]"):
                urllib.request.urlopen(f"{address}gradio_api/file={quote(str(folder / path))}", timeout=10)

    @pytest.mark.parametrize(
        "headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}]
    )
    def test_a_foreign_name_or_page_is_turned_away(self, address: str, headers: dict[str, str]) -> None:
        for path in ("", "api/ask?question=x", "gradio_api/info", "gradio_api/mcp/"):
            request = urllib.request.Request(address + path, headers=headers)
            with pytest.raises(HTTPError, match="403"):
                urllib.request.urlopen(request, timeout=10)

    @pytest.mark.browser
    def test_with_a_password_only_who_knows_it_comes_in(self, folder: Path, tmp_path: Path, browser: Any) -> None:
        copy = tmp_path / "guarded"
        shutil.copytree(folder, copy)
        with served(copy, QA_HOST="0.0.0.0", QA_AUTH="desk:correct horse") as address:
            assert "the password travels unencrypted" in (copy / "log").read_text()
            for path in ("", "api/ask?question=x", "gradio_api/info", "gradio_api/mcp/", "config"):
                with pytest.raises(HTTPError, match="401"):
                    urllib.request.urlopen(address + path, timeout=10)
            known = {"username": "desk", "password": "correct horse"}
            with visiting(browser, address, http_credentials=known) as page:
                ask(page, SEIZED)
                page.wait_for_selector("#source mark.focus")


async def over_mcp(url: str) -> tuple[list[str], dict[str, Any]]:
    """The tools that an MCP client sees, and what `ask` tells it."""
    async with streamable_http_client(url) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        tools = await session.list_tools()
        result = await session.call_tool("ask", {"question": SEIZED})
        (content,) = result.content
        return [tool.name for tool in tools.tools], json.loads(getattr(content, "text", ""))


def call(address: str, tool: str, arguments: dict[str, Any]) -> Any:
    """One call of the page's API."""
    request = urllib.request.Request(f"{address}api/{tool}", json.dumps(arguments).encode())
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)
