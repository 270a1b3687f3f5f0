from __future__ import annotations

import errno
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qa import documents, ingest
from qa import library as lib
from qa.ingest import Plan
from qa.library import MAX_STEM, MAX_UPLOAD, Added, Item, add, changes, remove, safe_name, shelf
from qa.types import CorpusError, Entry
from tests.conftest import Library

ANN = "Ann's ferry\n\nPublished on: Nov 12, 2019\n\nThe ferry left at noon on Monday with forty goats.\n"
BOB = "---\ntitle: Bob's bridge\nauthor: Bob Roe\nurl: https://www.paper.example/b\n---\n\nThe bridge was closed.\n"

NAMES = [
    ("ann.md", "ann.md"),
    ("Ann's ferry (2019).TXT", "Ann's ferry (2019).txt"),
    ("../../etc/cron.d/ann.md", "ann.md"),
    ("C:\\Users\\ann\\..\\ann.md", "ann.md"),
    ("/ann.md", "ann.md"),
    ("..ann.md", "ann.md"),
    (" . .ann . .md", "ann.md"),
    ("a\u0000n\u001bn\u202ednm\u200b.m\u2066d", "anndnm.md"),
    ("a\nb\u2028c\u00a0d.md", "a b c d.md"),
    ('at 12:30 <"what?">|*.md', "at 12 30 what.md"),
    ("e\u200d\u0301t\u0065\u0301.md", "été.md"),
    ("\udcff\ud800ann.md", "ann.md"),
    ("CON.md", "_CON.md"),
    ("con.tar.md", "_con.tar.md"),
    ("Lpt1 .txt", "_Lpt1.txt"),
    ("COM¹.txt", "_COM¹.txt"),
    ("console.md", "console.md"),
    ("README.md", "_README.md"),
    ("readme.TXT", "_readme.txt"),
    ("read me.md", "read me.md"),
    ("a.exe.md", "a.exe.md"),
    ("x" * 300 + ".md", "x" * 120 + ".md"),
    ("é" * 119 + ".md", "é" * 60 + ".md"),
    ("€" * 119 + ".md", "€" * 40 + ".md"),
    ("x" * 119 + " y.md", "x" * 119 + ".md"),
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    return folder


def entries(library: Library) -> list[Entry]:
    with library.store.snapshot() as snapshot:
        return list(snapshot.entries())


def states(items: list[Item]) -> dict[str, str]:
    return {item.source: item.state for item in items}


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, hidden files too."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- shelf ------------------------------------------------------------------------------------------------------------


def test_every_state_by_value(library: Library) -> None:
    for source in ("ann.txt", "changed.txt", "spoilt.txt", "gone.txt"):
        library.write(source, ANN.replace("Ann", source))
    library.build()
    library.write("changed.txt", ANN.replace("Ann", "Carl"))
    library.write("news/new.md", BOB)
    library.write("spoilt.txt", b"caf\xe9")
    library.write("bad.md", b"\xff")
    (library.corpus / "gone.txt").unlink()
    items = shelf(library.corpus, entries(library))
    bad = "bad.md is not UTF-8 (byte 0); save it as UTF-8 and index again."
    spoilt = "spoilt.txt is not UTF-8 (byte 3); save it as UTF-8 and index again."
    assert items == [
        Item("ann.txt", "ann.txt's ferry", "2019-11-12", "", "", 1, 0, "current"),
        Item("bad.md", "", "", "", "", 0, 0, "failed", bad),
        Item("changed.txt", "Carl's ferry", "2019-11-12", "", "", 1, 0, "changed"),
        Item("gone.txt", "gone.txt's ferry", "2019-11-12", "", "", 1, 0, "removed"),
        Item("news/new.md", "Bob's bridge", "", "Bob Roe", "paper.example", 0, 0, "new"),
        Item("spoilt.txt", "spoilt.txt's ferry", "2019-11-12", "", "", 1, 0, "failed", spoilt),
    ]
    assert changes(items) == Plan(("news/new.md",), ("changed.txt",), ("gone.txt", "spoilt.txt"), 1)


def test_near_copies_are_those_of_the_index(library: Library) -> None:
    story = "A long ferry\n\n" + " ".join(f"Ferry number {n} left harbour {n * 7} at noon." for n in range(30))
    library.write("one.txt", story)
    library.write("two.txt", f"{story} More soon.")
    library.build()
    library.write("two.txt", ANN)
    library.write("three.txt", story)
    states = {item.source: (item.state, item.copies) for item in shelf(library.corpus, library.assistant.entries())}
    assert states == {
        "one.txt": ("current", ("two.txt",)),
        "two.txt": ("changed", ("one.txt",)),
        "three.txt": ("new", ()),
    }


def test_what_is_announced_is_what_a_rebuild_does(library: Library) -> None:
    library.write("a.txt", ANN)
    library.write("b.txt", BOB)
    library.build()
    library.write("a.txt", BOB)
    library.write("c.txt", BOB)
    library.write("d.txt", b"\xff")
    (library.corpus / "b.txt").unlink()
    plan = changes(shelf(library.corpus, entries(library)))
    report = library.build()
    assert plan == Plan(report.added, report.changed, report.removed, report.unchanged)
    assert changes(shelf(library.corpus, entries(library))) == Plan((), (), (), 2)


@pytest.mark.parametrize("missing", [True, False])
def test_without_a_folder_everything_indexed_is_removed(library: Library, missing: bool) -> None:
    library.write("a.txt", ANN)
    library.build()
    (library.corpus / "a.txt").unlink()
    if missing:
        library.corpus.rmdir()
    assert states(shelf(library.corpus, entries(library))) == {"a.txt": "removed"}
    assert shelf(library.corpus, []) == []


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "corpus").write_text("no folder")
    for use in (lambda c: shelf(c, []), lambda c: add(c, "a.md", b"a"), lambda c: remove(c, "a.md")):
        with pytest.raises(CorpusError, match=r"corpus is a file; name the folder that it is in"):
            use(tmp_path / "corpus")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are not UTF-8")
def test_a_name_that_is_not_utf8_can_be_sent_to_a_page(corpus: Path) -> None:
    (corpus / os.fsdecode(b"caf\xe9.md")).write_text(ANN)
    (item,) = shelf(corpus, [])
    assert (item.source, item.state) == ("caf?.md", "failed")
    assert item.reason.encode().endswith(b"has a name that is not UTF-8; rename the file and index again.")


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that are read from now on."""
    seen: list[str] = []
    whole = documents._bytes

    def noted(corpus: Path, source: str) -> bytes:
        seen.append(source)
        return whole(corpus, source)

    monkeypatch.setattr(documents, "_bytes", noted)
    return seen


def test_a_file_is_read_again_only_when_it_was_touched(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lib, "SETTLED", 0)
    library.write("a.txt", ANN)
    library.write("b.txt", ANN)
    library.build()
    library.write("new.txt", BOB)
    known, seen = entries(library), reads(monkeypatch)
    first = shelf(library.corpus, known)
    assert sorted(seen) == ["a.txt", "b.txt", "new.txt", "new.txt"]
    seen.clear()
    assert shelf(library.corpus, known) == first
    assert seen == []
    was = (library.corpus / "a.txt").stat()
    library.write("a.txt", ANN.replace("goats", "sheep"))
    os.utime(library.corpus / "a.txt", ns=(was.st_atime_ns, was.st_mtime_ns))  # As a copy that keeps the time does.
    assert states(shelf(library.corpus, known)) == {"a.txt": "changed", "b.txt": "current", "new.txt": "new"}
    assert set(seen) == {"a.txt"}


def test_two_writes_within_one_tick_of_the_clock_are_told_apart(library: Library) -> None:
    library.write("a.txt", ANN)
    library.build()
    known = entries(library)
    for text, state in ((ANN, "current"), (ANN.replace("goats", "sheep"), "changed")) * 20:
        library.write("a.txt", text)
        assert states(shelf(library.corpus, known)) == {"a.txt": state}


def test_a_failure_is_not_kept(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lib, "SETTLED", 0)
    (corpus / "a.md").write_text(ANN)

    def refused(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refused)
        (item,) = shelf(corpus, [])
    assert item.reason == "a.md cannot be read (Permission denied); check its permissions and index again."
    assert states(shelf(corpus, [])) == {"a.md": "new"}


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "safe"), NAMES)
def test_a_name_is_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["a.doc", "a", "", "/", "a.md/", "a.md.", "..", "md", "a.md\u202etxt.exe"])
def test_a_suffix_that_no_reader_reads_is_refused(name: str) -> None:
    with pytest.raises(CorpusError, match=r"^'.*' has no suffix that can be read; save it as one of \.txt, \.md, "):
        safe_name(name)


@pytest.mark.parametrize("name", [".md", "....md", " . .md", "?*.md", "\u202e\u200b.md", "folder/.txt"])
def test_a_name_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(CorpusError, match=r"^Nothing is left of the name '.*'; give the file a name and add it again"):
        safe_name(name)


PARTS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(["con", "readme", "NUL", "com¹", ".", "..", " ", "/", "\\", ":", "\u202e", "\u200d", "\u0301"]),
    st.sampled_from(["é", "x" * 118, "€" * 40, "\u037e", "\u212a", "<\u0338", "\ud800", "\U0001f469\u200d\U0001f692"]),
)


@given(st.lists(PARTS, max_size=8).map("".join), st.sampled_from([".md", ".txt", ".MD", ".Txt"]))
@example("CON." + "x" * 130, ".md")
@example("x" * 118 + " . y", ".md")
def test_a_safe_name_is_safe(stem: str, suffix: str) -> None:
    try:
        name = safe_name(stem + suffix)
    except CorpusError:
        return
    safe = PurePath(name)
    assert safe.name == name
    assert safe.stem.strip(" .") == safe.stem != ""
    assert safe.suffix in documents.READERS
    assert len(safe.stem.encode()) <= MAX_STEM
    assert len(f"{safe.stem}-9999{safe.suffix}".encode()) <= 255
    assert not set(name) & set('/\\<>:"|?*')
    assert not {unicodedata.category(character) for character in name} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert unicodedata.is_normalized("NFC", name)
    assert safe_name(name) == name


@pytest.mark.parametrize("name", [safe for _, safe in NAMES])
def test_a_safe_name_is_one_that_is_indexed(corpus: Path, name: str) -> None:
    (corpus / name).write_text("x")
    assert documents.scan(corpus) == ([name], [])


# --- add --------------------------------------------------------------------------------------------------------------


def test_an_upload_is_written_as_it_is(tmp_path: Path) -> None:
    corpus = tmp_path / "not" / "yet" / "there"
    data = "\ufeffAnn\r\n\r\nIt left e\u0301 😀.".encode()
    assert add(corpus, "../Ann?.MD", data) == Added("Ann.md", known=False)
    assert files(corpus) == {"Ann.md": data}
    assert documents.read(corpus, "Ann.md")[0].text.encode() == data


def test_a_taken_name_gets_a_number(corpus: Path) -> None:
    (corpus / "a-3.md").write_text("in the way")
    assert [add(corpus, "a.md", text).source for text in (b"1", b"2", b"3")] == ["a.md", "a-2.md", "a-4.md"]
    assert files(corpus) == {"a.md": b"1", "a-2.md": b"2", "a-3.md": b"in the way", "a-4.md": b"3"}


def test_bytes_that_are_there_are_not_written_again(corpus: Path) -> None:
    (corpus / "news").mkdir()
    (corpus / "news" / "b.txt").write_text(ANN)
    assert add(corpus, "a.md", ANN.encode()) == Added("news/b.txt", known=True)
    assert files(corpus).keys() == {"news/b.txt"}
    (corpus / "news" / "b.txt").write_text(BOB)
    assert add(corpus, "a.md", ANN.encode()) == Added("a.md", known=False)


@pytest.mark.parametrize("target", ["outside.md", "nowhere.md"])
def test_an_upload_follows_no_link(corpus: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "outside.md").write_text("not ours")
    (corpus / "a.md").symlink_to(tmp_path / target)
    assert add(corpus, "a.md", b"ours").source == "a-2.md"
    assert (tmp_path / "outside.md").read_text() == "not ours"
    assert not (tmp_path / "nowhere.md").exists()


def test_what_is_no_article_is_refused(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CorpusError, match=r"^a\.md is not UTF-8 \(byte 3\); save it as UTF-8 and add it again\.$"):
        add(corpus, "x/a.md", b"caf\xe9")
    with pytest.raises(CorpusError, match=r"^a\.md has 20\.1 MB; split it into files of at most 20 MB and add them\.$"):
        add(corpus, "a.md", b"x" * 20_100_000)
    with pytest.raises(CorpusError, match=r"no suffix"):
        add(corpus, "a.doc", b"x")
    assert files(corpus) == {}
    assert add(corpus, "a.jsonl", b"x" * MAX_UPLOAD).source == "a.jsonl"


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_nothing_behind(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CorpusError, match=r"^a\.md cannot be put into .*corpus \(No space left on device\); check "):
        add(corpus, "a.md", b"x")
    assert files(corpus) == {}


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match=r"^a\.md cannot be put into .*file/corpus \(Not a directory\); check "):
        add(tmp_path / "file" / "corpus", "a.md", b"x")


def no_links(*_: object, **__: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


def test_a_disk_without_hard_links_overwrites_nothing_either(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", no_links)
    assert [add(corpus, "a.md", text).source for text in (b"1", b"2")] == ["a.md", "a-2.md"]
    assert remove(corpus, "a.md") == ".removed/a.md"
    assert files(corpus) == {".removed/a.md": b"1", "a-2.md": b"2"}
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(CorpusError, match=r"No space left on device"):
        remove(corpus, "a-2.md")
    assert files(corpus) == {".removed/a.md": b"1", "a-2.md": b"2"}


def at_once(work: Callable[[int], None], threads: int = 8) -> None:
    """Do the same from many threads, begun together."""
    gate = threading.Barrier(threads)

    def wait_and_work(number: int) -> None:
        gate.wait()
        work(number)

    started = [threading.Thread(target=wait_and_work, args=(number,)) for number in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


@pytest.mark.parametrize("locked", [True, False])
def test_uploads_of_one_name_at_once_are_all_kept(corpus: Path, monkeypatch: pytest.MonkeyPatch, locked: bool) -> None:
    if not locked:  # As two servers over one folder are.
        monkeypatch.setattr(lib, "_moving", threading.Semaphore(8))
    found: dict[str, bytes] = {}

    def upload(number: int) -> None:
        data = f"text {number}".encode()
        found[add(corpus, "a.md", data).source] = data

    at_once(upload)
    assert sorted(found) == sorted(["a.md", *(f"a-{number}.md" for number in range(2, 9))])
    assert files(corpus) == found


def test_uploads_of_one_text_at_once_are_written_once(corpus: Path) -> None:
    done: list[Added] = []
    at_once(lambda number: done.append(add(corpus, f"{number}.md", b"the same")))
    assert sorted(added.known for added in done) == [False] + [True] * 7
    assert files(corpus) == {done[0].source: b"the same"}
    assert {added.source for added in done} == {done[0].source}


# --- remove -----------------------------------------------------------------------------------------------------------


def test_a_removed_article_is_kept_out_of_sight(library: Library) -> None:
    library.write("news/a.md", ANN)
    library.write("b.md", BOB)
    library.build()
    assert remove(library.corpus, "news/a.md") == ".removed/news-a.md"
    assert files(library.corpus) == {".removed/news-a.md": ANN.encode(), "b.md": BOB.encode()}
    assert states(shelf(library.corpus, entries(library))) == {"b.md": "current", "news/a.md": "removed"}
    assert library.build().removed == ("news/a.md",)


def test_an_earlier_removed_article_is_not_overwritten(corpus: Path) -> None:
    for text in ("1", "2", "3"):
        add(corpus, "a.md", text.encode())
        remove(corpus, "a.md")
    assert files(corpus) == {".removed/a.md": b"1", ".removed/a-2.md": b"2", ".removed/a-3.md": b"3"}


def test_a_long_path_is_flattened_to_a_name_that_fits(corpus: Path) -> None:
    source = f"{'x' * 200}/{'y' * 200}.md"
    (corpus / source).parent.mkdir()
    (corpus / source).write_text(ANN)
    assert remove(corpus, source) == f".removed/{'x' * MAX_STEM}.md"


OUTSIDE = ["../secret.md", "news/../../secret.md", "folder/secret.md", "link.md"]
UNLISTED = ["README.md", "a.doc", "none.md", ".removed/old.md", "./a.md", "news//b.md", "a.MD", "news"]
ODD = ["", ".", "..", "/", "a.md\x00", "\ud800.md"]


@pytest.mark.parametrize("source", OUTSIDE + UNLISTED + ODD)
def test_only_articles_of_the_folder_are_removed(corpus: Path, tmp_path: Path, source: str) -> None:
    (tmp_path / "secret.md").write_text("not ours")
    for name in ("a.md", "a.doc", "README.md", "news/b.md", ".removed/old.md"):
        (corpus / name).parent.mkdir(exist_ok=True)
        (corpus / name).write_text(name)
    (corpus / "link.md").symlink_to(tmp_path / "secret.md")
    (corpus / "folder").symlink_to(tmp_path)
    before = files(tmp_path)
    for path in (source, str(tmp_path / "secret.md"), str(corpus / "a.md")):
        with pytest.raises(CorpusError, match=r"is no article in .*; load the list anew\.$"):
            remove(corpus, path)
    assert files(tmp_path) == before


def test_of_a_link_only_the_link_is_removed(corpus: Path) -> None:
    (corpus / "a.md").write_text(ANN)
    (corpus / "link.md").symlink_to("a.md")
    assert remove(corpus, "link.md") == ".removed/link.md"
    assert (corpus / ".removed" / "link.md").is_symlink()
    assert (corpus / "a.md").read_text() == ANN
    assert not (corpus / "link.md").exists()


def test_nothing_is_moved_through_a_link(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (corpus / ".removed").symlink_to(tmp_path / "elsewhere")
    (corpus / "a.md").write_text(ANN)
    with pytest.raises(CorpusError, match=r"\.removed is a link; put a folder there, so that articles stay in "):
        remove(corpus, "a.md")
    assert files(tmp_path / "elsewhere") == {}


def test_an_article_that_cannot_be_moved_stays(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (corpus / "a.md").write_text(ANN)
    with monkeypatch.context() as patched:
        unlink = Path.unlink
        patched.setattr(Path, "unlink", lambda path, **how: full() if path.parent == corpus else unlink(path, **how))
        with pytest.raises(CorpusError, match=r"^a\.md cannot be moved to .*\.removed \(No space left on device\); "):
            remove(corpus, "a.md")
    assert files(corpus) == {"a.md": ANN.encode()}
    (corpus / ".removed").rmdir()
    (corpus / ".removed").write_text("")
    with pytest.raises(CorpusError, match=r"\(File exists\); check that both folders can be written, "):
        remove(corpus, "a.md")


def test_removing_one_article_twice_at_once_moves_it_once(corpus: Path) -> None:
    (corpus / "a.md").write_text(ANN)
    went: list[str] = []

    def take(number: int) -> None:
        with suppress(CorpusError):
            went.append(remove(corpus, "a.md"))

    at_once(take)
    assert went == [".removed/a.md"]
    assert files(corpus) == {".removed/a.md": ANN.encode()}


def test_an_index_with_articles_put_in_and_taken_out_equals_a_fresh_one(library: Library) -> None:
    add(library.corpus, "a.md", ANN.encode())
    library.build()
    add(library.corpus, "a.md", BOB.encode())
    remove(library.corpus, "a.md")
    assert library.build().removed == ("a.md",)
    assert ingest.articles(library.corpus) == ["a-2.md"]
    assert states(shelf(library.corpus, entries(library))) == {"a-2.md": "current"}
