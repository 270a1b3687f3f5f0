"""A full disk, a folder that is read-only, a file without permission: one sentence, and the old index goes on.

What needs a disk of its own, or an ordinary user, runs in a child process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from qa import Passage
from qa import library as lib
from qa.store import open_store
from qa.types import QAError, StoreError
from tests.conftest import ROOT, Library

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="disks are mounted and users changed as Linux does it")

SIZE = 6_000_000
NOBODY = 65534
ANN = "Ann's ferry\n\nThe ferry left at noon on Monday with forty goats.\n"
QUESTION = "How many goats did the ferry carry?"


def unshared(*command: str) -> list[str]:
    """A command among mounts of its own, as root, real or within its own names only."""
    return ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--mount", *command]


def can_mount() -> bool:
    """Whether a disk can be mounted where nobody else sees it."""
    mount = f"mount -t tmpfs -o size={SIZE} tmpfs /mnt"
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run(unshared("sh", "-c", mount), capture_output=True).returncode
    )


needs_mount = pytest.mark.skipif(not can_mount(), reason="no disk can be mounted here (no unshare, or it is forbidden)")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for closed, _, _ in os.walk(name):
            Path(closed).chmod(0o755)


def in_child(work: Callable[[Path], None], folder: Path, disk: bool) -> None:
    """Run a function of this module in a process of its own, with a small disk mounted on the folder if asked for."""
    lines = f"import sys, tests.test_disk as t; t.{work.__name__}(t.Path(sys.argv[1]))"
    command = [sys.executable, "-c", lines, str(folder)]
    if disk:
        mount = f'mount -t tmpfs -o size={SIZE},mode=755 tmpfs "$0" && exec "$@"'
        command = unshared("sh", "-c", mount, str(folder), *command)
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def sentence(use: Callable[[], object]) -> str:
    """What a person is told."""
    with pytest.raises(QAError) as raised:
        use()
    return str(raised.value)


def filled(folder: Path) -> Library:
    library = Library(folder)
    for number in range(4):
        library.write(f"{number}.txt", f"{ANN}It was ferry number {number}.\n")
    library.build()
    return library


def answers(library: Library) -> list[Passage]:
    """What the index says, read anew."""
    library.store = open_store(library.store_folder)
    found = library.assistant.retrieve(QUESTION, 10)
    assert library.assistant.ask(QUESTION).passages
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def become_nobody(theirs: Path) -> None:
    """An ordinary user, whom permissions bind; what is below `theirs` is that user's. What runs later is imported."""
    if os.geteuid() == 0:
        for path in (theirs, *theirs.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


# --- a full disk ------------------------------------------------------------------------------------------------------


def fill(path: Path, leave: int) -> None:
    """A file that takes all the room of its disk but so many bytes."""
    with path.open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(path.parent).free - leave)))


def full(library: Library) -> str:
    """What a build says on a full disk."""
    return (
        f"The index in {library.store_folder} cannot be used (database or disk is full); check that the folder can be "
        f"written, that the disk has room, and run `qa doctor`."
    )


def build_until_full(folder: Path) -> None:
    library = filled(folder)
    before = answers(library)
    more = [f"more/{number:02}.txt" for number in range(30)]
    for source in more:
        library.write(source, "".join(f"Story {source}, line {line}, told of goats.\n\n" for line in range(100)))
    fill(folder / "ballast", 400_000)
    steps: list[tuple[str, int, int]] = []
    assert sentence(lambda: library.build(lambda *step: steps.append(step))) == full(library)
    assert ("reading", 5, 30) in steps
    assert answers(library) == before
    (folder / "ballast").unlink()
    report = library.build()
    assert (report.added, report.unchanged, report.failed) == (tuple(more), 4, ())
    assert {passage.source for passage in answers(library)} >= {passage.source for passage in before}


@needs_mount
def test_a_disk_that_fills_during_a_build_keeps_the_old_index(folder: Path) -> None:
    in_child(build_until_full, folder, disk=True)


def build_at_any_fullness(folder: Path) -> None:
    library = filled(folder)
    before = answers(library)
    library.write("new.txt", f"{ANN}It was new.\n")
    said: list[str] = []
    for leave in range(0, 1_000_000, 4_096):
        fill(folder / "ballast", leave)
        try:
            library.build()
            break
        except StoreError as error:
            said.append(str(error))
        finally:
            (folder / "ballast").unlink()
        assert answers(library) == before
    assert len(said) > 5
    assert set(said) == {full(library)}
    assert {passage.source for passage in answers(library)} == {"new.txt"} | {passage.source for passage in before}


@needs_mount
def test_a_disk_may_be_full_at_any_moment_of_a_build(folder: Path) -> None:
    in_child(build_at_any_fullness, folder, disk=True)


def build_until_only_faiss_is_full(folder: Path) -> None:
    library = filled(folder)
    library.write("new.txt", f"{ANN}It was new.\n")
    for leave in range(0, 1_000_000, 4_096):
        fill(folder / "ballast", leave)
        with suppress(StoreError):
            library.build()
            break
        (folder / "ballast").unlink()
    there = {path.name for path in library.store_folder.iterdir()}
    assert there <= {"index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "dense.faiss"}


@needs_mount
def test_a_full_disk_leaves_nothing_half_written_beside_the_index(folder: Path) -> None:
    in_child(build_until_only_faiss_is_full, folder, disk=True)


def ask_on_a_full_disk(folder: Path) -> None:
    library = filled(folder)
    before = answers(library)
    fill(folder / "ballast", 0)
    assert answers(library) == before
    (folder / "ballast").unlink()
    at_rest(library)
    fill(folder / "ballast", 0)
    try:
        assert answers(library) == before
    except StoreError as error:
        assert "that the disk has room" in str(error)  # noqa: PT017 - either is right, and nothing else is
    (folder / "ballast").unlink()
    assert answers(library) == before


@needs_mount
def test_a_full_disk_answers_as_before_or_says_that_it_is_full(folder: Path) -> None:
    in_child(ask_on_a_full_disk, folder, disk=True)


def upload_to_a_full_disk(folder: Path) -> None:
    library = filled(folder)
    before = contents(library.corpus)
    fill(folder / "ballast", 65_536)
    assert sentence(lambda: lib.add(library.corpus, "new.txt", ANN.encode() * 10_000)) == (
        f"new.txt cannot be put into {library.corpus} (No space left on device); check that the folder can be written "
        f"and that its disk has room, and add it again."
    )
    assert contents(library.corpus) == before
    (folder / "ballast").unlink()
    assert lib.add(library.corpus, "new.txt", ANN.encode() * 10_000).source == "new.txt"


@needs_mount
def test_an_upload_to_a_full_disk_leaves_nothing_half_written(folder: Path) -> None:
    in_child(upload_to_a_full_disk, folder, disk=True)


# --- what may only be read --------------------------------------------------------------------------------------------


def at_rest(library: Library) -> None:
    """As the index is once the last one who reads or writes it has gone."""
    for name in ("index.sqlite-shm", "index.sqlite-wal"):
        (library.store_folder / name).unlink(missing_ok=True)


def ask_and_build_read_only(library: Library, before: list[Passage]) -> None:
    """A build says in one sentence why it cannot be; asking works as before, and nothing is changed."""
    unchanged = contents(library.store_folder)
    library.store = open_store(library.store_folder)
    said = sentence(library.build)
    assert said.startswith(f"The index in {library.store_folder} cannot be used (")
    assert "check that the folder can be written" in said
    assert answers(library) == before
    assert contents(library.store_folder) == unchanged


def use_a_disk_that_is_read_only(folder: Path) -> None:
    library = filled(folder)
    before = answers(library)
    at_rest(library)
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    ask_and_build_read_only(library, before)
    assert "(Read-only file system); check that the folder can be written" in sentence(
        lambda: lib.add(library.corpus, "new.txt", b"new")
    )
    assert "(Read-only file system); check that both folders can be written" in sentence(
        lambda: lib.remove(library.corpus, "0.txt")
    )


@needs_mount
def test_an_index_on_a_disk_that_is_read_only_answers(folder: Path) -> None:
    in_child(use_a_disk_that_is_read_only, folder, disk=True)


def use_a_store_that_is_read_only(folder: Path) -> None:
    library = filled(folder)
    before = answers(library)
    at_rest(library)
    library.write("new.txt", ANN)
    for path in (*library.store_folder.iterdir(), library.store_folder):
        path.chmod(0o555)
    become_nobody(library.corpus)
    ask_and_build_read_only(library, before)


def test_an_index_in_a_folder_that_is_read_only_answers(folder: Path) -> None:
    in_child(use_a_store_that_is_read_only, folder, disk=False)


def make_a_store_where_none_may_be(folder: Path) -> None:
    library = filled(folder)
    answers(library)
    folder.chmod(0o555)
    become_nobody(library.corpus)
    library.store = open_store(folder / "new")
    said = sentence(library.build)
    assert said == f"The folder {folder / 'new'} cannot be made (Permission denied); set QA_STORE to one that can."


def test_a_store_that_cannot_be_made_says_so(folder: Path) -> None:
    in_child(make_a_store_where_none_may_be, folder, disk=False)


@pytest.mark.parametrize("below", ["", "store"])
def test_a_store_that_is_a_file_or_in_one_says_so(library: Library, below: str) -> None:
    library.write("a.txt", ANN)
    file = library.corpus / "a.txt"
    library.store = open_store(file / below)
    reason = "Not a directory" if below else "File exists"
    assert sentence(library.build) == (
        f"The folder {file / below} cannot be made ({reason}); set QA_STORE to one that can."
    )
    assert sentence(lambda: library.assistant.ask(QUESTION)) == (
        f"There is no index in {file / below}; run `qa index` to build one."
    )
    assert file.read_text() == ANN


# --- what may not even be read ----------------------------------------------------------------------------------------


def index_an_article_that_may_not_be_read(folder: Path) -> None:
    library = filled(folder)
    before = answers(library)
    library.write("new.txt", ANN)
    become_nobody(folder)
    for name in ("1.txt", "new.txt"):
        (library.corpus / name).chmod(0)
    report = library.build()
    assert (report.added, report.removed, report.unchanged) == ((), ("1.txt",), 3)
    assert report.failed == tuple(
        (name, f"{name} cannot be read (Permission denied); check its permissions and index again.")
        for name in ("1.txt", "new.txt")
    )
    assert {passage.source for passage in answers(library)} == {passage.source for passage in before} - {"1.txt"}
    (library.corpus / "1.txt").chmod(0o644)
    assert library.build().added == ("1.txt",)
    assert answers(library) == before


def test_an_article_that_may_not_be_read_is_named_and_the_rest_is_indexed(folder: Path) -> None:
    in_child(index_an_article_that_may_not_be_read, folder, disk=False)


def index_a_folder_that_may_not_be_read(folder: Path) -> None:
    library = filled(folder)
    library.write("news/a.txt", ANN)
    library.build()
    before = answers(library)
    become_nobody(folder)
    refused, corpus = "(Permission denied); check its permissions.", library.corpus
    hidden = "(Permission denied); check its name and the permissions of the folders that it is in."
    for closed, mode, said in (
        (corpus / "news", 0o000, f"The folder {corpus / 'news'} cannot be read {refused}"),
        (corpus / "news", 0o111, f"The folder {corpus / 'news'} cannot be read {refused}"),
        (corpus / "news", 0o444, f"{corpus / 'news' / 'a.txt'} cannot be reached {hidden}"),
        (corpus, 0o000, f"The folder {corpus} cannot be read {refused}"),
        (folder, 0o000, f"{corpus} cannot be reached {hidden}"),
    ):
        closed.chmod(mode)
        assert sentence(library.build) == said
        assert sentence(lambda: lib.shelf(corpus, [])) == said
        closed.chmod(0o755)
        assert answers(library) == before


def test_a_folder_that_may_not_be_read_is_named_and_the_old_index_stays(folder: Path) -> None:
    in_child(index_a_folder_that_may_not_be_read, folder, disk=False)
