"""The page as the program serves it, and a real Chromium in front of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
QA = str(Path(sys.executable).with_name("qa"))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def served(folder: Path, first: str = "", itself: bool = False, **settings: str) -> Iterator[str]:
    """The address of the page over `folder`/corpus, which is indexed first, or by the page `itself`; settings are
    environment variables, and `first` is what the server runs before it serves.
    """
    port = settings.get("QA_PORT") or str(free_port())
    environment = os.environ | {"QA_PORT": port} | settings
    if not itself:
        subprocess.run([QA, "index"], cwd=folder, check=True, capture_output=True)
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-c", f"{first}\nfrom qa.cli import main; main(['chat'])"] if first else [QA, "chat"]
        command += ["--index"] if itself else []
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/", server, folder / "log")
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        assert server.poll() is None, f"the page ended before it was up: {log.read_text()[-2000:]}"
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except HTTPError:  # It is up, and asks for a password.
            return
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError("the page was not up after two minutes")


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    if not CHROMIUM:
        pytest.skip("no Chromium is installed, so the page was not driven; apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Any, address: str, **context: Any) -> Iterator[Any]:
    """A page of its own at the address; what it asks of other hosts, and what goes wrong in it, fails the test."""
    opened = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, "locale": "en-GB", **context})
    page = opened.new_page()
    elsewhere: list[str] = []
    errors: list[str] = []
    host = "/".join(address.split("/")[:3]) + "/"
    own = (host, "data:", f"blob:{host}")
    page.on("request", lambda sent: None if sent.url.startswith(own) else elsewhere.append(sent.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    ready(page)
    yield page
    opened.close()
    assert elsewhere == []
    assert errors == []


def ready(page: Any) -> None:
    """Wait until the page can be asked: its button has its name when everything has been loaded."""
    page.wait_for_selector("#question .submit-button:has-text('sk'), #question .submit-button:has-text('reguntar')")


def ask(page: Any, question: str) -> None:
    """Type a question, send it, and wait until its answer or refusal stands there."""
    before = answers(page)
    page.fill("#question textarea", question)
    page.press("#question textarea", "Enter")  # Wherever the focus is by now: an article that opens takes it.
    page.wait_for_function("n => document.querySelectorAll('#chat .answer, #chat .refusal').length > n", arg=before)
    ready(page)


def write(box: Any, text: str) -> None:
    """Type a text into a field, once more where the field was being built under the first key and lost it."""
    for _ in range(3):
        box.press_sequentially(text)
        if box.input_value() == text:
            return
        box.fill("")
    raise AssertionError(f"'{text}' cannot be typed")


def enter(page: Any, field: str, text: str) -> None:
    """Type into a field as people do, key by key, and press Enter in it. A text that is put in whole may not yet be the
    field's value for Gradio when Enter follows at once.
    """
    box = page.locator(f"{field} :is(input, textarea)")
    box.click()
    write(box, text)
    box.press("Enter")


def answers(page: Any) -> int:
    return int(page.locator("#chat .answer, #chat .refusal").count())


def tab(page: Any, number: int) -> None:
    """Go to Ask (0), Library (1) or History (2)."""
    page.click(f"button[role=tab] >> nth={number}")


def can_cut_the_network() -> bool:
    return (
        bool(shutil.which("unshare")) and subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode == 0
    )
