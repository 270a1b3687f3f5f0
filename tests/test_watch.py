from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qa.watch import look, watch


@contextmanager
def following(corpus: Path, build: Callable[[], bool]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=watch, args=(corpus, build, stop, 0.02))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def soon(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize("change", ["added", "changed", "removed", "renamed", "replaced"])
def test_what_changes_is_built_once_and_nothing_else_is(tmp_path: Path, change: str) -> None:
    article = tmp_path / "a.txt"
    article.write_text("one")
    seen: list[dict[str, str]] = []

    def build() -> bool:
        seen.append({path.name: path.read_text() for path in sorted(tmp_path.glob("*.txt"))})
        return True

    with following(tmp_path, build):
        assert soon(lambda: len(seen) == 1), "it is built at once"
        time.sleep(0.3)
        if change == "added":
            (tmp_path / "b.txt").write_text("two")
        elif change == "changed":
            article.write_text("other")
        elif change == "removed":
            article.unlink()
        elif change == "renamed":
            article.rename(tmp_path / "z.txt")
        else:
            (tmp_path / "new").write_text("two")
            (tmp_path / "new").replace(article)
        assert soon(lambda: len(seen) == 2)
        time.sleep(0.3)
    assert len(seen) == 2
    assert (
        seen[1]
        == {
            "added": {"a.txt": "one", "b.txt": "two"},
            "changed": {"a.txt": "other"},
            "removed": {},
            "renamed": {"z.txt": "one"},
            "replaced": {"a.txt": "two"},
        }[change]
    )


def test_a_change_during_a_build_is_built_too(tmp_path: Path) -> None:
    seen: list[int] = []

    def build() -> bool:
        seen.append(len(list(tmp_path.glob("*.txt"))))
        if len(seen) == 1:
            (tmp_path / "b.txt").write_text("meanwhile")
        return True

    (tmp_path / "a.txt").write_text("one")
    with following(tmp_path, build):
        assert soon(lambda: seen == [1, 2])


def test_a_file_that_is_still_written_is_waited_for(tmp_path: Path) -> None:
    sizes: list[int] = []
    slow = tmp_path / "slow.txt"
    slow.write_text("")

    def build() -> bool:
        sizes.append(slow.stat().st_size)
        return True

    with following(tmp_path, build):
        assert soon(lambda: len(sizes) == 1)
        with slow.open("a") as file:
            for _ in range(40):
                file.write("more ")
                file.flush()
                time.sleep(0.005)
        assert soon(lambda: sizes[-1] == 200)
    assert len(sizes) < 8, "not after every word"


def test_what_did_not_succeed_is_tried_again(tmp_path: Path) -> None:
    tries: list[bool] = []

    def build() -> bool:
        tries.append(len(tries) == 2)
        return tries[-1]

    with following(tmp_path, build):
        assert soon(lambda: len(tries) == 3)
        time.sleep(0.2)
    assert tries == [False, False, True]


def test_a_folder_that_is_not_there_looks_empty(tmp_path: Path) -> None:
    assert look(tmp_path / "none") == {}
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / ".hidden.txt").write_text("no")
    assert list(look(tmp_path)) == ["a.txt"]
