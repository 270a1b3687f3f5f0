"""The same articles make the same index: on another day, under other names of things, in another order."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from qa.readers import READERS, isolate
from tests.conftest import ROOT, Library

TOMORROW = date.today() + timedelta(1)
FERRY = "The ferry left at noon on Monday with forty goats, and nobody was hurt on the way over to the island of Mell."
BRIDGE = "Eleven bolts of the bridge were loose when the engineers came, and nobody could say since when they had been."


def page(said: str, told: str = BRIDGE) -> str:
    """A page with a date in its head and a story."""
    return (
        f'<html><head><title>The bridge</title><meta property="article:published_time" content="{said}"></head><body>'
        f"<nav><a href='/'>Home</a></nav><article><h1>The bridge</h1><p>{FERRY}</p><p>{told}</p></article></body>"
    )


ARTICLES = {
    "ann.txt": f"Ann's ferry\n\nPublished on: Nov 12, 2019 @ 08:05\n\n{FERRY}\n\n1 comment\n\n1. Al\n\nGoats! Hay!\n",
    "news/ferry.md": f"---\ntitle: The ferry\ndate: 2021-03-04T23:30:00-08:00\nauthor: Ana Ruiz\n---\n\n{FERRY}\n",
    "news/twin.md": f"---\ntitle: The ferry\ndate: 4 Mar 2021\n---\n\n{FERRY}\n",
    "news/İstanbul ß é.txt": f"ŁÓDŹ\n\nDate: 2022-12-01\n\n{BRIDGE} José Gómez saw it.\n",
    "wire.jsonl": "\n".join(
        json.dumps({"title": f"Wire {number}", "date": day, "text": f"{BRIDGE} It was number {number}."})
        for number, day in enumerate(["2019-11-12T08:00:00Z", "3 March 2020", "March 5th, 2019", "05/06/2019", "2019"])
    ),
    "clear.html": page("2019-11-12T23:59:59-05:00"),
    "month.html": page("2019-11"),
    "short.html": page("12 Nov 19"),
    "tomorrow.html": page(TOMORROW.isoformat()),
    "ahead.html": page(f"{TOMORROW:%d %b %y}"),
    "undated.html": page("", f"{BRIDGE} It will be mended by 2041."),
}
DATES = {
    "ahead.html": TOMORROW.isoformat(),
    "ann.txt": "2019-11-12",
    "clear.html": "2019-11-12",
    "month.html": "2019-11-01",
    "news/ferry.md": "2021-03-04",
    "news/twin.md": "2021-03-04",
    "news/İstanbul ß é.txt": "2022-12-01",
    "short.html": "2019-11-12",
    "tomorrow.html": TOMORROW.isoformat(),
    "wire.jsonl#1": "2019-11-12",
    "wire.jsonl#2": "2020-03-03",
    "wire.jsonl#3": "2019-03-05",
}
"""Those that say their day."""

BEST = ["news/ferry.md", "news/İstanbul ß é.txt", "ann.txt"]
QUESTIONS = (
    "How many goats were on the ferry?",
    "Who saw the loose bolts of the bridge?",
    "What did readers say of hay?",
)


ANOTHER_DAY = """
import datetime, sys, time

SHIFT = datetime.timedelta(int(sys.argv[1]))
REAL, REAL_DATE, SECONDS, LOCAL = datetime.datetime, datetime.date, time.time, time.localtime

class Day(type):
    def __instancecheck__(cls, value):
        return isinstance(value, cls.__mro__[1])

class Moved(REAL, metaclass=Day):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + SHIFT
    @classmethod
    def today(cls):
        return cls.now()
    @classmethod
    def utcnow(cls):
        return super().utcnow() + SHIFT

class MovedDate(REAL_DATE, metaclass=Day):
    @classmethod
    def today(cls):
        return super().today() + SHIFT

if SHIFT:
    datetime.datetime, datetime.date = Moved, MovedDate
    time.time = lambda: SECONDS() + SHIFT.total_seconds()
    time.localtime = lambda seconds=None: LOCAL(time.time() if seconds is None else seconds)

from tests.test_everywhere import main
main()
"""
"""A child's program: whatever it imports takes today for another day."""


def main() -> None:
    """Index a folder and print everything that the index holds and answers."""
    days, folder = sys.argv[1:]
    if int(days):  # The process that readers run in has a clock of its own.
        isolate.extract = lambda suffix, data, most: READERS[suffix](data)
    library = Library(Path(folder))
    report = library.build()
    assistant = library.assistant
    with closing(sqlite3.connect(library.store_folder / "index.sqlite")) as database:
        stored = {
            table: repr(database.execute(f"SELECT * FROM {table}").fetchall())
            for table in ("manifest", "document", "segment", "chunk", "vector", "name", "lexical_data", "lexical_idx")
        }
    ranked = [assistant.retrieve(question, 50, include_comments=True) for question in QUESTIONS]
    told = {
        "failed": report.failed,
        "dates": {entry.source: entry.date for entry in assistant.entries()},
        "ranked": [[(p.source, p.start, p.end, p.score, repr(p.ranks)) for p in passages] for passages in ranked],
        "answers": [repr(assistant.ask(question)) for question in QUESTIONS],
    }
    print(json.dumps(stored | told))


@dataclass(frozen=True)
class Place:
    """Where, when and how an index is built."""

    folder: str
    days: int = 0
    variables: tuple[tuple[str, str], ...] = ()
    backwards: bool = False
    written: int = 1_700_000_000
    """When the files were, in seconds since 1970."""
    elsewhere: bool = False


def built(place: Place, home: Path) -> dict[str, Any]:
    """What a child process finds in the index that it builds there."""
    folder = home / place.folder
    for source in sorted(ARTICLES, reverse=place.backwards):
        path = folder / "corpus" / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ARTICLES[source].encode())
        os.utime(path, (place.written, place.written))
    done = subprocess.run(
        [sys.executable, "-c", ANOTHER_DAY, str(place.days), str(folder)],
        cwd="/" if place.elsewhere else ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"} | dict(place.variables),
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def other_locale() -> str:
    """A language of this machine with other rules, the Turkish one if it can be had."""
    known = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.split() if which("locale") else []
    return min(
        (name for name in known if "UTF" in name.upper()), key=lambda name: "tr_TR" not in name, default="C.UTF-8"
    )


HERE = Place("here", variables=(("PYTHONHASHSEED", "0"), ("LC_ALL", "C"), ("TZ", "UTC")))
OTHERS = {
    "another place": Place(
        "över there/#1 %41",
        variables=(("PYTHONHASHSEED", "4711"), ("LC_ALL", "C.UTF-8"), ("TZ", "Pacific/Kiritimati")),
        backwards=True,
        written=631_152_000,
        elsewhere=True,
    ),
    "another language": Place(
        "dort",
        variables=(("PYTHONHASHSEED", "1"), ("LC_ALL", other_locale()), ("TZ", "America/Los_Angeles")),
        written=2_500_000_000,
    ),
    "yesterday": Place("yesterday", days=-1),
    "the day after tomorrow": Place("soon", days=2),
    "in thirty years": Place("late", days=11_000, variables=(("TZ", "Asia/Kathmandu"),)),
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return built(HERE, tmp_path_factory.mktemp("here"))


def test_every_article_has_its_own_day(here: dict[str, Any]) -> None:
    assert here["failed"] == []
    assert {source: day for source, day in here["dates"].items() if day} == DATES
    assert [passages[0][0] for passages in here["ranked"]] == BEST


@pytest.mark.parametrize("where", OTHERS)
def test_the_index_and_its_answers_are_the_same(here: dict[str, Any], where: str, tmp_path: Path) -> None:
    there = built(OTHERS[where], tmp_path)
    assert [name for name in here if there[name] != here[name]] == []
    assert there["dates"] == here["dates"]
    assert there["ranked"] == here["ranked"]
