"""A language model on the page, in a real browser: what grows, what a stop does, what each failure says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browsing import answers, ask, ready, served, tab, visiting, write
from tests.conftest import CORPUS
from tests.llm import Behaviour, Scripted, cut, garbled, hangs, html, says, scripted, smollm, status, too_long

pytestmark = [pytest.mark.slow, pytest.mark.browser]

SEIZED = "How many grenade launchers did the army seize?"
QUOTE = "The army seized 56 grenade launchers, 12 rocket launchers and 221 fully automatic firearms"
FIRST = "The army seized 56 grenade launchers, 12 rocket launchers and 221 fully automatic firearms [1]. "
FALSE = "It seized 300 tanks [1]. "
KEY = "hunter2-hunter2"
PROBED = "One two three."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, corpus_store: Path) -> Path:
    made = tmp_path_factory.mktemp("model-page")
    shutil.copytree(CORPUS, made / "corpus")
    shutil.copytree(corpus_store, made / "vectorstore")
    return made


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    with visiting(browser, address) as page:
        yield page


def use(page: Any, url: str, model: str = "scripted", key: str = "") -> None:
    """Name a model in the page's settings."""
    if not page.is_visible("#use-model"):
        page.click("#model button >> nth=0")
    for field, text in (("#url", url), ("#named", model), ("#key", key)):
        write(page.locator(f"{field} :is(input, textarea)"), text)
    page.click("#use-model")


def connect(page: Any, server: Scripted) -> None:
    use(page, server.url)
    page.wait_for_selector("#connected :is(.hint, .problem)")
    assert "scripted at http://127.0.0.1:" in page.inner_text("#connected")


def send(page: Any, question: str) -> None:
    """Ask, and wait for the quotes alone."""
    before = answers(page)
    page.fill("#question textarea", question)
    page.press("#question textarea", "Enter")
    page.wait_for_function("n => document.querySelectorAll('#chat .answer').length > n", arg=before)


def shown(page: Any, part: str) -> str:
    return " ".join(page.inner_text(f"#chat .answer >> nth=-1 >> {part}").split())


def test_the_quotes_come_at_once_and_the_prose_grows_above_them(page: Any) -> None:
    with scripted(PROBED, says(FIRST, FALSE, "It counted", " from the end of 2018 [1].", pace=2.0)) as server:
        connect(page, server)
        send(page, SEIZED)
        assert QUOTE in shown(page, "p.body")
        assert shown(page, ".written") == "scripted is writing…"
        assert page.is_visible("#question .stop-button")
        page.wait_for_selector("#chat .said")
        page.wait_for_selector("#chat .struck")
        assert page.is_visible("#question .stop-button"), "it still grows"
        ready(page)
    said = shown(page, ".said")
    assert said.startswith(
        "The army seized 56 grenade launchers, 12 rocket launchers and 221 fully automatic firearms."
    )
    assert "Struck out: It seized 300 tanks. (its sentences do not have this number)" in said
    assert page.inner_text("#chat .struck del") == "It seized 300 tanks."
    assert (
        shown(page, ".note") == "Written by scripted; each statement was checked against the sentences that it cites."
    )
    page.click("#chat .said .cite >> nth=0")
    page.wait_for_selector("#source mark.focus:has-text('56 grenade launchers')")
    page.reload()
    ready(page)
    page.wait_for_selector("#chat .said")
    assert shown(page, ".said") == said, "the browser has kept it"
    assert page.locator("#chat a, #chat img").count() == 0
    tab(page, 2)
    with page.expect_download() as download:
        page.click("#history button:has-text('Markdown')")
    saved = Path(download.value.path()).read_text("utf-8")
    assert "written by scripted and checked against the quotes" in saved
    assert "300 tanks" not in saved


def test_a_stop_keeps_what_stands_and_the_server_is_left(page: Any) -> None:
    with scripted(PROBED, hangs(FIRST, "It also")) as server:
        connect(page, server)
        send(page, SEIZED)
        page.wait_for_selector("#chat .said")
        page.fill("#question textarea", "the next one")
        page.click("#question .stop-button")
        ready(page)
        assert server.asked[1].left.wait(10)
        assert shown(page, ".said").startswith("The army seized 56 grenade launchers")
        assert QUOTE in shown(page, "p.body")
        assert page.input_value("#question textarea") == "the next one", "what is being typed stays"
    page.reload()
    ready(page)
    page.wait_for_selector("#chat .said")


def test_a_stop_ends_the_wait_for_the_first_word(page: Any) -> None:
    with scripted(PROBED, hangs(), says(FIRST)) as server:
        connect(page, server)
        send(page, SEIZED)
        page.click("#question .stop-button")
        ready(page)
        assert server.asked[1].left.wait(10)
        assert QUOTE in shown(page, "p.body")
        assert page.input_value("#question textarea") == ""
        ask(page, SEIZED)
        assert shown(page, ".said").startswith("The army seized 56 grenade launchers"), "it can be asked again"


FAILURES: dict[str, tuple[Behaviour, str]] = {
    "401": (status(401), "asks for a key (401); set QA_LLM_KEY to a valid one."),
    "429": (status(429), "is asked too often, or its quota is used up (429); wait a minute, then ask again."),
    "500": (status(500), "cannot answer now (500); ask again in a minute, or look into that server's log."),
    "bad JSON": (garbled(FIRST), "broke off in the middle of its answer; ask again, or look into that server's log."),
    "a cut": (cut(FIRST), "broke off in the middle of its answer; ask again, or look into that server's log."),
    "a page": (html(), "sends no chat completion; correct QA_LLM_URL, which for most servers ends in /v1."),
    "no room": (too_long(), "was given more than it can read at once; ask a shorter question, or start it with"),
    "nothing": (says(), "answers nothing; ask in other words, or set QA_LLM_MODEL to another."),
    "no answer": (says("NO ANSWER"), "scripted finds no answer in these sentences."),
    "all struck": (says(FALSE), "Nothing that scripted wrote could be confirmed by the sentences that it cites."),
}


def test_each_failure_leaves_the_quotes_and_says_what_to_do(page: Any) -> None:
    with scripted(PROBED, *(behaviour for behaviour, _ in FAILURES.values()), says(FIRST)) as server:
        connect(page, server)
        for name, (_, says_) in FAILURES.items():
            ask(page, SEIZED)
            assert says_ in shown(page, ".note >> nth=-1"), name
            assert QUOTE in shown(page, "p.body"), name
        ask(page, SEIZED)
        assert shown(page, ".said").startswith("The army seized 56 grenade launchers"), "nothing is broken by it"
    ask(page, SEIZED)
    assert "is not there; start that server, or correct QA_LLM_URL." in shown(page, ".note")


def test_a_server_that_never_answers_is_waited_for_so_long_and_no_longer(browser: Any, folder: Path) -> None:
    with scripted(hangs()) as server:
        hurry = "from qa import prose; prose.PATIENCE = 2.0"
        with (
            served(folder, hurry, QA_LLM_URL=server.url, QA_LLM_MODEL="scripted") as address,
            visiting(browser, address) as page,
        ):
            ask(page, SEIZED)
            assert "has not begun to answer in 2 s; ask again when it is less busy" in shown(page, ".note")
            assert QUOTE in shown(page, "p.body")


def test_the_settings_say_what_is_wrong_and_never_show_the_key(page: Any, folder: Path) -> None:
    use(page, "ftp://somewhere")
    page.wait_for_selector("#connected .problem:has-text('QA_LLM_URL is not an http or https address')")
    with scripted(status(401), PROBED, says(FIRST), key=KEY) as server:
        page.reload()
        ready(page)
        use(page, server.url, key=KEY)
        page.wait_for_selector("#connected .problem:has-text('does not take the key (401)')")
        ask(page, SEIZED)
        assert page.locator("#chat .written").count() == 0, "what does not answer is not used"
        page.click("#use-model")
        page.wait_for_selector("#connected .hint:has-text('scripted at')")
        ask(page, SEIZED)
        assert shown(page, ".said")
        assert server.asked[-1].headers["Authorization"] == f"Bearer {KEY}"
        page.click("#drop-model")
        page.wait_for_selector("#connected:has-text('Answers are quotes alone.')")
        ask(page, SEIZED)
        assert page.locator("#chat .answer >> nth=-1 >> .written").count() == 0
        assert len(server.asked) == 3
    kept = page.evaluate("JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
    assert KEY not in page.content() + kept + (folder / "log").read_text()


def test_a_real_model_writes_on_the_page(page: Any) -> None:
    with smollm(context=2048) as endpoint:
        use(page, endpoint.url, endpoint.model)
        page.wait_for_selector("#connected .hint:has-text('smollm2 at http://127.0.0.1:')")
        send(page, SEIZED)
        assert QUOTE in shown(page, "p.body")
        assert shown(page, ".written").startswith("smollm2 is writing…")
        ready(page)
        assert "smollm2" in shown(page, ".note >> nth=-1")
        assert page.locator("#chat a, #chat img").count() == 0
        send(page, "Who rejected the offer of US troops?")
        page.click("#question .stop-button")
        ready(page)
    with smollm(context=256) as small:  # The least that the server takes; the rules alone need more.
        page.reload()
        ready(page)
        use(page, small.url, small.model)
        page.wait_for_selector("#connected .hint:has-text('smollm2 at http://127.0.0.1:')")
        ask(page, SEIZED)
        assert "was given more than it can read at once" in shown(page, ".note")
        assert QUOTE in shown(page, "p.body")
