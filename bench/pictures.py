"""The pictures of docs/, taken from the page itself: `.venv/bin/python -m bench.pictures`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.browsing import ask, chromium, served, tab, visiting
from tests.conftest import CORPUS, ROOT
from tests.llm import scripted

DOCS = ROOT / "docs"
WAR = "What does Mexico say about the war in Ukraine?"
DESK = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}

NEW = """# Fewer rifles cross the border

Published on: June 2, 2025

The customs service counted 3,100 rifles at the northern border last year, 400 fewer than the year before.
"""


def picture(page: Any, name: str) -> None:
    """Take one once everything has come to rest."""
    page.wait_for_timeout(900)
    page.screenshot(path=DOCS / f"{name}.png")


def asking(page: Any) -> None:
    """An answer with its article, a quote shown beside its number, a refusal."""
    ask(page, WAR)
    page.wait_for_selector("#source mark.focus")
    picture(page, "page")
    page.hover("#chat .cite >> nth=1")
    page.wait_for_selector("#peek:not([hidden])")
    picture(page, "peek")
    page.click("#chat .cite >> nth=1")
    page.wait_for_selector("#source mark.other")
    page.mouse.move(5, 5)
    picture(page, "source")
    ask(page, "How do vaccines protect against measles?")
    page.click("#chat .refusal summary >> nth=0")
    picture(page, "refusal")


def written(browser: Any, folder: Path) -> None:
    """What a model writes above the quotes; it is played by a script, so that one statement is sure to be struck."""
    said = (
        "The army seized 56 grenade launchers, 12 rocket launchers and 221 fully automatic firearms from criminal "
        "groups [1]. It counted them from the end of 2016 [1]."
    )
    with (
        scripted(said) as model,
        served(folder, QA_LLM_URL=model.url, QA_LLM_MODEL="a-language-model") as address,
        visiting(browser, address, viewport=DESK) as page,
    ):
        ask(page, "How many grenade launchers did the army seize?")
        page.wait_for_selector("#source mark.focus")
        picture(page, "written")


def library(page: Any, corpus: Path) -> None:
    """The articles with something to rebuild, one of them open."""
    (corpus / "2025-06-02-rifles.md").write_text(NEW, "utf-8")
    (corpus / "scan.txt").write_bytes(b"\xff\xfe\x00")
    tab(page, 1)
    page.wait_for_selector("#shelf:has-text('scan.txt')")
    page.click("#shelf .open >> nth=1")
    page.wait_for_selector("#reader article")
    picture(page, "library")


def main() -> None:
    """Serve the project's articles, and go through the views."""
    with tempfile.TemporaryDirectory() as made, chromium() as browser:
        folder = Path(made)
        shutil.copytree(CORPUS, folder / "corpus")
        with served(folder) as address:
            with visiting(browser, address, viewport=DESK) as page:
                asking(page)
            with visiting(browser, address, viewport=DESK, color_scheme="dark") as page:
                ask(page, WAR)
                page.click("#chat .cite >> nth=1")
                page.wait_for_selector("#source mark.other")
                page.mouse.move(5, 5)
                picture(page, "dark")
            with visiting(browser, address, viewport=PHONE, device_scale_factor=2, has_touch=True) as page:
                ask(page, "Who rejected the offer of US troops?")
                picture(page, "phone")
            with visiting(browser, address, viewport=DESK) as page:
                for question in (WAR, "Who rejected the offer of US troops?", "What did Anna Kelly say?"):
                    ask(page, question)
                    page.click("#new")
                    page.wait_for_function("!document.querySelector('#chat .asked')")
                tab(page, 2)
                picture(page, "history")
                library(page, folder / "corpus")
        (folder / "corpus" / "scan.txt").unlink()
        written(browser, folder)


if __name__ == "__main__":
    main()
