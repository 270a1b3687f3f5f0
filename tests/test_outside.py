"""No file outside the corpus is read, whatever links, names and kinds of files are in it, and whatever is asked for."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qa import Filters, documents
from qa import library as lib
from qa.types import BuildReport, CorpusError, QAError, StoreError
from tests.conftest import Library

ANN = "Ann's ferry\n\nThe ferry left at noon on Monday with forty goats.\n"
SECRET = "Bob's vault\n\nThe vault opens to the words nineteen pelicans at noon.\n"
LINE = '{"text": "The vault opens to the words nineteen pelicans at noon."}\n'
TELLING = "pelicans"

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files or names")


@pytest.fixture
def outside(library: Library, tmp_path: Path) -> Path:
    """A folder beside the corpus with secrets, while the corpus has one article."""
    folder = tmp_path / "outside"
    folder.mkdir()
    for name, text in (("secret.txt", SECRET), ("secret.md", SECRET), ("x.jsonl", LINE)):
        (folder / name).write_text(text)
        (tmp_path / name).write_text(text)
    library.write("a.txt", ANN)
    return folder


def everything(library: Library, report: BuildReport) -> str:
    """All that the index tells anybody."""
    said = [repr(report)]
    assistant = library.assistant
    for question in ("Which words open the vault?", "What happened at noon?"):
        said.append(repr(assistant.retrieve(question, 100, include_comments=True)))
        said.append(repr(assistant.ask(question)))
    said += [repr(assistant.labelled(source)) for source in assistant.sources()]
    return "\n".join([*said, repr(assistant.entries()), repr(lib.shelf(library.corpus, assistant.entries()))])


def tree(folder: Path) -> dict[str, bytes]:
    """The files of the corpus and outside it, without the index."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and "store" not in path.parts}


# --- links ------------------------------------------------------------------------------------------------------------


@needs_posix
def test_only_links_that_stay_inside_are_articles(library: Library, outside: Path) -> None:
    links = {
        "file.txt": outside / "secret.txt",
        "relative.txt": Path("../outside/secret.txt"),
        "winding.txt": Path("sub/../../outside/../outside/secret.txt"),
        "twice.txt": Path("file.txt"),
        "thrice.txt": Path("folder/secret.txt"),
        "lines.jsonl": outside / "x.jsonl",
        "folder": outside,
        "parent": Path(".."),
        "itself": Path(),
        "sub/up": Path(".."),
        "sub/root": Path("/"),
        "loop.txt": Path("loop.txt"),
        "ping.txt": Path("pong.txt"),
        "pong.txt": Path("ping.txt"),
        "nowhere.txt": outside / "none.txt",
        "environ.txt": Path("/proc/self/environ"),
        "fd.txt": Path("/dev/fd/0"),
        "zero.txt": Path("/dev/zero"),
        "inside.txt": Path("sub/next.txt"),
        "sub/next.txt": Path("../a.txt"),
    }
    (library.corpus / "sub").mkdir()
    for name, target in links.items():
        (library.corpus / name).symlink_to(target)
    report = library.build()
    assert (report.added, report.failed) == (("a.txt", "inside.txt", "sub/next.txt"), ())
    assert {library.assistant.document(source).text for source in report.added} == {ANN}
    assert TELLING not in everything(library, report)


def test_a_corpus_that_is_a_link_is_the_folder_it_names(library: Library, outside: Path) -> None:
    library.corpus.rename(outside / "articles")
    library.corpus.symlink_to(outside / "articles", target_is_directory=True)
    report = library.build()
    assert (report.added, report.failed) == (("a.txt",), ())
    assert TELLING not in everything(library, report)


def to_a_link(path: Path, target: Path) -> None:
    """The file or folder at `path` becomes a link."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(target)


SWAPS: dict[str, tuple[str, str, str, str]] = {
    "file": ("b.txt", "b.txt", "b.txt", "secret.txt"),
    "folder": ("sub/secret.txt", "sub/secret.txt", "sub", ""),
    "lines": ("b.jsonl", "b.jsonl#1", "b.jsonl", "x.jsonl"),
    "page": ("b.html", "b.html", "b.html", "secret.txt"),
}
"""A file, its article, what of its path becomes a link while it is indexed, and to what outside."""


@needs_posix
@pytest.mark.parametrize("after", ["scan", "digests"])
@pytest.mark.parametrize("swap", SWAPS)
def test_what_becomes_a_link_after_it_was_seen_is_not_followed(
    library: Library, outside: Path, monkeypatch: pytest.MonkeyPatch, swap: str, after: str
) -> None:
    file, article, path, target = SWAPS[swap]
    library.write(file, LINE.replace(TELLING, "gulls") if swap == "lines" else ANN)
    real: Callable[..., object] = getattr(documents, after)

    def seen(*given: object) -> object:
        found = real(*given)
        if given[1:] in {(), (file,)} and not (library.corpus / path).is_symlink():
            to_a_link(library.corpus / path, outside / target)
        return found

    monkeypatch.setattr(documents, after, seen)
    report = library.build()
    reason = f"{file} leads out of {library.corpus}; put the file itself there and index again."
    assert report.added == ("a.txt",)
    assert report.failed == ((file if after == "scan" else article, reason),)
    assert TELLING not in everything(library, report)


# --- names ------------------------------------------------------------------------------------------------------------

HARD = [
    "a\nb.txt",
    "a\r.txt",
    "\x01\x07\x1b[31m\x7f.txt",
    "\u2028\u2029\u0085.txt",
    "\u202etxt.\u2066md.txt",
    "-rf.txt",
    "--help.txt",
    " .txt",
    "a...txt",
    "sub\\..\\..\\outside\\secret.txt",
    "CON.txt",
    "nul.com1.txt",
    "C:a.txt",
    "*?[a].txt",
    "%2e%2e%2fsecret.txt",
    "'; DROP TABLE document; --\".txt",
    "~root.txt",
    "x.jsonl#1.txt",
    "\u00e9" * 125 + "x.txt",
    "\u00e9.txt",
    "e\u0301.txt",
]
"""Lines, control signs, turned letters, options, devices of Windows, separators, patterns, 255 bytes, two accents."""


@needs_posix
def test_a_name_that_is_hard_to_read_is_only_a_name(library: Library, outside: Path) -> None:
    texts = {name: f"{ANN}It was number {number}.\n" for number, name in enumerate(HARD)}
    for name, text in texts.items():
        library.write(name, text)
    report = library.build()
    assert (report.added, report.failed) == (tuple(sorted(["a.txt", *texts])), ())
    for name, text in texts.items():
        assert library.assistant.document(name).text == text
        found = library.assistant.retrieve("forty goats", filters=Filters(documents=(name,)))
        assert {passage.source for passage in found} == {name}
    assert TELLING not in everything(library, report)


@needs_posix
def test_bytes_that_are_no_name_are_reported_in_letters_that_can_be_shown(library: Library, outside: Path) -> None:
    (library.corpus / os.fsdecode(b"caf\xe9.txt")).write_text(ANN)
    (library.corpus / os.fsdecode(b"\xff")).mkdir()
    (library.corpus / os.fsdecode(b"\xff/b.txt")).write_text(ANN)
    report = library.build()
    assert report.added == ("a.txt",)
    assert [reason for _, reason in report.failed] == [
        f"{name} has a name that is not UTF-8; rename the file and index again."
        for name in (r"'caf\udce9.txt'", r"'\udcff/b.txt'")
    ]
    assert TELLING not in everything(library, report)


ASKED = [
    "../outside/secret.txt",
    "../secret.txt",
    "./../secret.txt",
    "sub/../../secret.txt",
    "a.txt/../../secret.txt",
    "..\\secret.txt",
    "..\\..\\outside\\secret.txt",
    "\\\\?\\C:\\secret.txt",
    "../x.jsonl#1",
    "sub/../../x.jsonl#1",
    "a.txt#1",
    "{outside}/secret.txt",
    "{outside}/x.jsonl#1",
    "/{outside}/secret.txt",
    "file://{outside}/secret.txt",
    "%2e%2e/secret.txt",
    "..%00/secret.txt",
    "../secret.txt\x00",
    "a.txt\x00../secret.txt",
    "\ud800../secret.txt",
    "link.txt",
    "folder/secret.txt",
    "~/secret.txt",
    "/dev/stdin",
    "/proc/self/environ",
    "..",
    "/",
    "x" * 100_000,
]
"""What may be asked for and is no article of the folder."""


@needs_posix
@pytest.mark.parametrize("name", ASKED, ids=range(len(ASKED)))
def test_what_is_asked_for_by_name_is_an_article_or_nothing(
    library: Library, outside: Path, tmp_path: Path, name: str
) -> None:
    (library.corpus / "link.txt").symlink_to(outside / "secret.txt")
    (library.corpus / "folder").symlink_to(outside)
    library.build()
    before, asked, assistant = tree(tmp_path), name.format(outside=outside), library.assistant
    said = []
    for error, use in (
        (StoreError, lambda: assistant.document(asked)),
        (QAError, lambda: assistant.retrieve("vault", filters=Filters(documents=(asked,)))),
        (QAError, lambda: assistant.ask("vault", filters=Filters(outlets=(asked,)))),
        (CorpusError, lambda: lib.remove(library.corpus, asked)),
    ):
        with pytest.raises(error) as raised:
            use()
        said.append(str(raised.value))
    if "\x00" not in asked:
        with pytest.raises(CorpusError) as raised:
            documents.read(library.corpus, asked)
        said.append(str(raised.value))
    assert all(sentence.endswith(".") for sentence in said)
    assert TELLING not in "".join(said)
    assert tree(tmp_path) == before


UPLOADS = [*(name for name in ASKED if name.endswith(("txt", "\x00"))), "../x.jsonl", "/x.jsonl", "link.txt", "a.txt"]


@needs_posix
@pytest.mark.parametrize("name", UPLOADS, ids=range(len(UPLOADS)))
def test_an_upload_lands_in_the_folder_and_nowhere_else(
    library: Library, outside: Path, tmp_path: Path, name: str
) -> None:
    (library.corpus / "link.txt").symlink_to(outside / "secret.txt")
    (library.corpus / "folder").symlink_to(outside)
    before = tree(tmp_path)
    added = lib.add(library.corpus, name.format(outside=outside), LINE.encode())
    assert not added.known, "the same bytes outside are not compared with"
    assert "/" not in added.source
    assert tree(tmp_path) == before | {str(library.corpus / added.source): LINE.encode()}


# --- what is no file --------------------------------------------------------------------------------------------------


@needs_posix
def test_pipes_sockets_and_devices_are_not_opened(
    library: Library, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(library.corpus)  # The address of a socket has 108 bytes at the most.
    os.mkfifo("pipe.txt")
    os.mkfifo("pipe.jsonl")
    (library.corpus / "tty.txt").symlink_to("/dev/tty")
    (library.corpus / "random.pdf").symlink_to("/dev/urandom")
    (library.corpus / "pipe-link.txt").symlink_to("pipe.txt")
    (library.corpus / "folder.txt").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.txt")
        report = library.build()
        assert (report.added, report.failed) == (("a.txt",), ())
        assert lib.add(library.corpus, "pipe.txt", b"new").source == "pipe-2.txt"
        with pytest.raises(CorpusError, match=r"is no article in"):
            lib.remove(library.corpus, "socket.txt")
        for name in ("pipe.txt", "pipe.jsonl#1", "tty.txt", "random.pdf", "pipe-link.txt", "socket.txt", "folder.txt"):
            with pytest.raises(
                CorpusError, match=r"(is no regular file; remove it|cannot be read \(.*) and index again"
            ):
                documents.read(library.corpus, name)
