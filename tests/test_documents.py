from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa import documents
from qa.readers.plain import front_matter
from qa.types import CorpusError, Document, Span

TEXTS = st.lists(
    st.sampled_from(
        [
            "\r\n",
            "\n",
            "\r",
            "\t",
            " ",
            "\ufeff",
            "e\u0301",
            "é",
            "😀",
            "👩‍👩‍👧",
            "\u202e",
            "\u200b",
            "\u2028",
            "\x00",
            "\x0c",
            "a",
            "Q.",
            "---\n",
        ]
    )
    | st.text(max_size=8),
    max_size=30,
).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass").decode("utf-8", "replace"))


def written(folder: Path, name: str, data: bytes) -> Document:
    (folder / name).write_bytes(data)
    return documents.read(folder, name)[0]


@given(text=TEXTS, suffix=st.sampled_from([".txt", ".md"]))
def test_the_text_is_the_file_to_the_byte(tmp_path_factory: pytest.TempPathFactory, text: str, suffix: str) -> None:
    document = written(tmp_path_factory.mktemp("corpus"), f"a{suffix}", text.encode())
    assert document.text.encode() == text.encode()


def test_front_matter_gives_title_date_author_and_address(tmp_path: Path) -> None:
    text = (
        "---\r\ntitle: 'Boats: a history'\r\ndate: 2021-03-04\r\nauthor: Ana Ruiz\r\nurl: example.org/b\r\n---\r\nBody."
    )
    document = written(tmp_path, "a.md", b"\xef\xbb\xbf" + text.encode())
    said = (document.title, document.date, document.author, document.url)
    assert said == ("Boats: a history", "2021-03-04", "Ana Ruiz", "example.org/b")
    assert document.text.startswith("\ufeff---\r\n")


@pytest.mark.parametrize(
    "block",
    ["a: [", "title: [1, 2]", "title: &a {x: *a}", "date: 2021-99-99", 'date: !!int ""', "date: !!bool Monday"],
)
def test_odd_front_matter_costs_its_values_and_nothing_else(tmp_path: Path, block: str) -> None:
    document = written(tmp_path, "a.md", f"---\n{block}\n---\nThe story stays.".encode())
    assert (document.title, document.date) == ("", "")
    assert front_matter(document.text) == Span(0, document.text.index("The story"))


def test_a_number_too_long_to_print_stays_the_text_it_is(tmp_path: Path) -> None:
    title = "0x" + "f" * 5000
    assert written(tmp_path, "a.md", f"---\ntitle: {title}\n---\nThe story stays.".encode()).title == title


def test_an_unquoted_colon_costs_nothing(tmp_path: Path) -> None:
    document = written(tmp_path, "a.md", b"---\ntitle: Harbour: the strike is over\ndate: 2020-01-02\n---\nIt is.")
    assert (document.title, document.date) == ("Harbour: the strike is over", "2020-01-02")


def test_a_rule_above_a_paragraph_is_no_front_matter() -> None:
    assert front_matter("---\nThe dam broke at noon: nobody was hurt.\n---\nIt was old.") is None


def test_a_rule_far_below_does_not_close_front_matter() -> None:
    assert front_matter("---\n" + "word " * 10_000 + "\n---\n") is None
    assert front_matter("A line\n---\ntitle: no\n---\n") is None


@pytest.mark.parametrize(
    ("line", "day"),
    [
        ("Published on: Nov 12, 2019 @ 08:05 – The story begins here.", "2019-11-12"),
        ("Published: 3 February 2020", "2020-02-03"),
        ("Date: 2022-12-01", "2022-12-01"),
        ("Updated March 5th, 2019, 10:30 AM", "2019-03-05"),
        ("The law of March 5, 2019 was repealed.", ""),
        ("Published on: the last day of May", ""),
    ],
)
def test_datelines(tmp_path: Path, line: str, day: str) -> None:
    assert written(tmp_path, "a.txt", f"A headline\n\n{line}\n".encode()).date == day


@pytest.mark.parametrize(
    ("line", "author"),
    [
        ("By Ana Ruiz", "Ana Ruiz"),
        ("BY Ana de la Cruz and J. P. Orr", "Ana de la Cruz and J. P. Orr"),
        ("By the sea", ""),
    ],
)
def test_bylines(tmp_path: Path, line: str, author: str) -> None:
    assert written(tmp_path, "a.txt", f"A headline\n{line}\n\nThe story.\n".encode()).author == author


def test_what_is_scanned(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    corpus = tmp_path / "corpus"
    (corpus / "sub").mkdir(parents=True)
    (corpus / ".git").mkdir()
    for name in ("b.txt", "a.md", "sub/c.TXT", "README.md", "sub/readme.txt", ".hidden.txt", ".git/d.txt", "e.doc"):
        (corpus / name).write_text("x")
    (corpus / "link.txt").symlink_to(outside)
    (corpus / "dangling.txt").symlink_to(tmp_path / "nowhere")
    assert documents.scan(corpus) == (["a.md", "b.txt", "sub/c.TXT"], ["e.doc"])


def test_what_a_browser_saved_beside_a_page_is_no_article(tmp_path: Path) -> None:
    for name in ("Ferry.html", "Ferry_files/ad.html", "Paper.htm", "Paper_archivos/menu.htm", "Other_files/a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert documents.scan(tmp_path) == (["Ferry.html", "Other_files/a.txt", "Paper.htm"], [])


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"There is no folder .*; create it.* run `qa index`\.$"):
        documents.scan(tmp_path / "none")


def test_a_corpus_that_is_a_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(CorpusError, match=r"a\.txt is a file; name the folder that it is in with QA_CORPUS"):
        documents.scan(tmp_path / "a.txt")


def test_a_folder_that_cannot_be_read_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    (tmp_path / "closed").mkdir()
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(CorpusError, match=r"closed cannot be read \(Permission denied\); check its permissions\.$"):
        documents.scan(tmp_path)


def test_a_file_that_is_not_utf8_says_where_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"^a\.txt is not UTF-8 \(byte 3\); save it as UTF-8 and index again\.$"):
        written(tmp_path, "a.txt", b"caf\xe9")


def test_a_name_that_is_not_utf8_says_what_to_do(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")).write_text("x")
    (source,), _ = documents.scan(tmp_path)
    with pytest.raises(CorpusError, match="rename the file"):
        documents.digests(tmp_path, source)


# --- an article a line ------------------------------------------------------------------------------------------------

WIRE = (
    b'{"title": "Ann\'s ferry", "date": "2019-11-12T08:00:00Z", "text": "It carried\\nforty goats. \\ud83d\\ude00"}\r\n'
    b"\n"
    b'{"headline": "Bob\'s bridge", "articleBody": "Eleven bolts.", "author": [{"name": "Ana Ruiz"}, "B. Orr"], '
    b'"url": "https://example.org/b", "published": "3 March 2020"}'
)


def test_every_line_is_an_article_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "wire.jsonl").write_bytes(WIRE)
    assert list(documents.digests(tmp_path, "wire.jsonl")) == ["wire.jsonl#1", "wire.jsonl#3"]
    first, second = (documents.read(tmp_path, f"wire.jsonl#{number}")[0] for number in (1, 3))
    assert (first.source, first.text) == ("wire.jsonl#1", "It carried\nforty goats. 😀")
    assert (first.title, first.date) == ("Ann's ferry", "2019-11-12")
    assert (second.text, second.author, second.date) == ("Eleven bolts.", "Ana Ruiz, B. Orr", "2020-03-03")
    assert (second.title, second.url) == ("Bob's bridge", "https://example.org/b")


def test_a_line_that_moved_or_got_another_end_is_the_same_article(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(WIRE)
    (tmp_path / "b.jsonl").write_bytes(b"\n".join(reversed(WIRE.splitlines())))
    a, b = (list(documents.digests(tmp_path, name).values()) for name in ("a.jsonl", "b.jsonl"))
    assert a == b[::-1]
    assert [documents.read(tmp_path, f"b.jsonl#{n}")[0].digest for n in (1, 3)] == b


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", r"is not JSON \(.*\); write one object on a line and index again"),
        (b"[" * 100_000, r"is not JSON \(.*\); write one object"),
        (b"[1]", r"is no object; write one on a line, such as .* and index again"),
        (b'{"title": "x", "text": " "}', r"has no text; put the article's into a field called one of: text, body"),
        (b"caf\xe9", r"is not JSON|is not UTF-8 \(byte 3\); save it as UTF-8 and index again"),
    ],
)
def test_a_line_that_is_no_article_says_why(tmp_path: Path, line: bytes, reason: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(line)
    with pytest.raises(CorpusError, match=rf"^a\.jsonl#1 ({reason})"):
        documents.read(tmp_path, "a.jsonl#1")


def test_half_a_pair_in_a_line_becomes_the_sign_of_replacement(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(rb'{"text": "a \ud800 b \u0000", "title": "\udfff"}')
    document, _ = documents.read(tmp_path, "a.jsonl#1")
    assert (document.text, document.title) == ("a \ufffd b \x00", "\ufffd")


def test_only_the_line_that_is_too_long_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_BYTES", 1_000)
    lines = [b'{"text": "one"}', b'{"text": "' + b"x" * 5_000 + b'"}', b'{"text": "two"}']
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    assert list(documents.digests(tmp_path, "a.jsonl")) == ["a.jsonl#1", "a.jsonl#2", "a.jsonl#3"]
    assert [documents.read(tmp_path, f"a.jsonl#{n}")[0].text for n in (1, 3)] == ["one", "two"]
    with pytest.raises(CorpusError, match=r"^a\.jsonl#2 has 0\.0 MB; split it into files"):
        documents.read(tmp_path, "a.jsonl#2")


@given(texts=st.lists(TEXTS.filter(str.strip), min_size=1, max_size=5), blank=st.booleans())
def test_a_line_gives_its_text_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str], blank: bool) -> None:
    corpus = tmp_path_factory.mktemp("corpus")
    gap = "\n\n" if blank else "\n"
    (corpus / "a.jsonl").write_text(gap.join(json.dumps({"text": text}) for text in texts), newline="")
    sources = documents.digests(corpus, "a.jsonl")
    assert [documents.read(corpus, source)[0].text for source in sources] == texts


def test_what_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(1_000_000_000)
    with pytest.raises(CorpusError, match=r"^a\.txt has 1000\.0 MB; split it into files of at most 50 MB "):
        documents.digests(tmp_path, "a.txt")


def test_a_text_that_is_too_long_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_TEXT", 1_000)
    with pytest.raises(CorpusError, match=r"^a\.txt has 1,001 characters; split it into files of at most 1,000 and"):
        written(tmp_path, "a.txt", b"x" * 1_001)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    assert documents.scan(tmp_path) == ([], [])
    with pytest.raises(CorpusError, match=r"^a\.txt is no regular file; remove it and index again\.$"):
        documents.read(tmp_path, "a.txt")
