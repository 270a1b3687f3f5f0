"""Web pages, PDF and Word, written here, read back by their readers."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from hypothesis import given, settings
from hypothesis import strategies as st

from qa import documents
from qa.readers import docx as word
from qa.readers import html, pdf
from qa.types import CorpusError, Extract
from tests.conftest import SHARED, Library

FERRY = "The ferry carried forty goats over the river on Monday, said the ferryman, who had never seen so many of them."
BRIDGE = "Eleven bolts of the bridge were loose when the engineers came, and nobody could say since when they had been."
SALT = "Salt was dear that winter because the road over the pass stayed closed until the last week of the month of May."

PAGE = f"""<!DOCTYPE html><html><head><meta charset="{{charset}}"><title>Ann's ferry | The Harbour Post</title>
<meta property="og:title" content="Ann's ferry"><meta name="author" content="Ana Ruiz">
<meta property="article:published_time" content="2019-11-12T08:00:00Z">
<link rel="canonical" href="https://harbour.example/ferry"><script>alert("goats")</script></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/sport">Sport</a></li></ul></nav>
<article><h1>Ann's ferry</h1><p>{FERRY}</p><p>{BRIDGE} Jos\u00e9 said so.</p><p>{SALT}</p></article>
<section id="comments"><h2>2 comments</h2>
<div class="comment"><p>Goats should pay more than people do, I always said, and I go on saying it here.</p></div>
</section><footer>All rights reserved.</footer></body></html>"""


def bodies(extract: Extract, kind: str = "body") -> list[str]:
    return [part.span.of(extract.text) for part in extract.parts if part.kind == kind]


@pytest.mark.parametrize("charset", ["utf-8", "windows-1252", "utf-16"])
def test_a_page_gives_its_article_and_what_it_says_of_itself(charset: str) -> None:
    extract = html.read(PAGE.format(charset=charset).encode(charset))
    assert bodies(extract) == [FERRY, f"{BRIDGE} José said so.", SALT]
    assert (extract.title, extract.author, extract.date) == ("Ann's ferry", "Ana Ruiz", "2019-11-12")
    assert extract.url == "https://harbour.example/ferry"
    assert bodies(extract, "title") == ["Ann's ferry"]
    assert bodies(extract, "boilerplate") == ["Home", "Sport", "All rights reserved."]
    assert "alert" not in extract.text


def test_what_is_not_the_article_is_shown_and_not_searched(library: Library) -> None:
    library.write("a.html", PAGE.format(charset="utf-8"))
    library.build()
    document, parts = library.assistant.labelled("a.html")
    assert next(part.span.of(document.text) for part in parts if part.kind == "boilerplate") == "Home"
    found = library.assistant.retrieve("All rights reserved at Home: Sport", 20, include_comments=True)
    assert all("rights" not in passage.text and "Sport" not in passage.text for passage in found)


def test_the_rest_of_a_page_is_each_line_once_in_the_order_of_the_page() -> None:
    menu = "<ul><li>First <b>bold</b> item<li>Second<br>line<li>First bold item</ul>"
    page = (
        f"<html><body>{menu}<style>p {{}}</style><!-- unseen --><article><p>{FERRY}<p>{BRIDGE}<p>{SALT}</article>{menu}"
    )
    extract = html.read(f"{page}<p>End &amp; out".encode())
    assert bodies(extract, "boilerplate") == ["First bold item", "Second", "line", "End & out"]
    assert bodies(extract) == [FERRY, BRIDGE, SALT]


def test_a_comment_is_no_part_of_the_article() -> None:
    extract = html.read(PAGE.format(charset="utf-8").encode())
    assert not any("Goats should pay" in body for body in bodies(extract))


DAYS = {"2019-11": "2019-11-01", "12 Nov 44": "2044-11-12", "2098-03-04": "2098-03-04", "3 May 2097": "2097-05-03"}
"""Dates of pages that today would complete, turn to the past or refuse."""


@pytest.mark.parametrize(("said", "day"), DAYS.items())
def test_the_date_of_a_page_does_not_depend_on_today(said: str, day: str) -> None:
    page = PAGE.format(charset="utf-8").replace("2019-11-12T08:00:00Z", said)
    assert html.read(page.encode()).date == day


def test_a_web_archive_is_its_page() -> None:
    page = PAGE.format(charset="utf-8")
    archive = (
        'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="B"\r\n\r\n--B\r\n'
        "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + page + "\r\n--B--\r\n"
    )
    assert html.read_archive(archive.encode()) == html.read(page.encode())
    with pytest.raises(CorpusError, match=r"^holds no page; save it again as one file$"):
        html.read_archive(b"nothing of the kind")


@pytest.mark.parametrize("data", [b"", b"\x00\x01", b"<html></html>", b"<frameset>", b"<div>" * 100_000])
def test_a_page_without_an_article_says_so(data: bytes) -> None:
    with pytest.raises(CorpusError, match=r"^has no article that can be told from its menus; save the page again"):
        html.read(data)


# --- PDF --------------------------------------------------------------------------------------------------------------


def written(pages: Sequence[Sequence[str]], info: str = "") -> bytes:
    """A PDF whose pages have these lines, set one under the other."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for n, lines in enumerate(pages):
        shown = "".join(f"({line.translate({40: None, 41: None, 92: None})}) Tj T* " for line in lines)
        content = f"BT /F1 9 Tf 12 TL 40 740 Td {shown}ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 900 792] /Resources << /Font << /F1 3 0 R >> >> "
            f"/Contents {5 + 2 * n} 0 R >>"
        )
        objects.append(f"<< /Length {len(content.encode('cp1252'))} >>\nstream\n{content}\nendstream")
    objects.append(f"<< {info} >>")
    data, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{each}\nendobj\n".encode("cp1252")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>"
    xref = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n{trailer}\nstartxref\n{len(data)}\n%%EOF"
    return data + xref.encode()


def test_a_pdf_gives_whole_paragraphs_and_where_its_pages_begin() -> None:
    first, second = FERRY[:60], FERRY[60:].strip()
    info = "/Title (Ann's ferry) /Author (Ana Ruiz) /CreationDate (D:20191112080000Z)"
    extract = pdf.read(written([[first, second, "", SALT], [BRIDGE]], info))
    assert f"{first} {second}" in extract.text
    assert (extract.title, extract.author, extract.date) == ("Ann's ferry", "Ana Ruiz", "2019-11-12")
    assert extract.pages == (0, extract.text.index(BRIDGE))


def test_a_quote_from_a_pdf_names_its_page(library: Library) -> None:
    counted = "Ann Orr, the engineer, counted eleven loose bolts in the bridge over the river Mell."
    library.write("ferry.pdf", written([["it was dark, and nobody had seen any of it."], [], [counted]]))
    assert library.build().failed == ()
    quote = library.assistant.ask("How many loose bolts did Ann Orr count in the bridge?").quotes[0]
    assert (quote.text, quote.page) == (counted, 3)
    assert library.assistant.document("ferry.pdf").text[quote.start : quote.end] == quote.text


def test_a_title_that_a_program_made_up_is_none() -> None:
    assert pdf.read(written([[FERRY]], "/Title (Microsoft Word - ferry.doc)")).title == ""


@settings(max_examples=30, deadline=None)
@given(pages=st.lists(st.lists(st.text("abcdefgh .,é", min_size=1, max_size=40), max_size=4), min_size=1, max_size=4))
def test_the_pages_of_a_pdf_hold_their_own_words(pages: list[list[str]]) -> None:
    said = [" ".join(lines).split() for lines in pages]
    if not any(said):
        return
    extract = pdf.read(written(pages))
    ends = [*extract.pages[1:], len(extract.text)]
    found = [extract.text[start:end].split() for start, end in zip(extract.pages, ends, strict=True)]
    assert ["".join(words) for words in found] == ["".join(words) for words in said]


def test_a_pdf_without_text_or_with_damage_says_what_to_do() -> None:
    with pytest.raises(CorpusError, match=r"^has no text, only pictures; run it through text recognition \(OCR\)$"):
        pdf.read(written([[]]))
    with pytest.raises(CorpusError, match=r"^cannot be read as PDF \(.*\); save it again$"):
        pdf.read(b"%PDF-1.4 and nothing more")


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder with the hostile files is not here")
def test_odd_pdfs_are_read_or_named_and_the_rest_is_indexed(library: Library) -> None:
    files = sorted((SHARED / "eval" / "hostile" / "pdf").glob("*.pdf"))
    for file in files:
        library.write(file.name, file.read_bytes())
    library.write("a.txt", FERRY)
    report = library.build()
    failed = dict(report.failed)
    assert len(report.added) + len(failed) == len(files) + 1
    assert "a.txt" in report.added
    assert "005-libreoffice-writer-password.pdf is encrypted; save it without a password and index again." in set(
        failed.values()
    )
    assert all(reason.startswith(source) and reason.endswith(" and index again.") for source, reason in failed.items())


# --- Word -------------------------------------------------------------------------------------------------------------


def document(*paragraphs: str) -> bytes:
    made = docx.Document()
    for paragraph in paragraphs:
        made.add_paragraph(paragraph)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def test_a_word_document_gives_paragraphs_and_tables_in_their_order() -> None:
    made = docx.Document()
    made.add_paragraph("Ann's ferry", style="Title")
    made.add_paragraph(FERRY)
    table = made.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "Goats", "forty"
    made.add_paragraph(SALT)
    made.core_properties.author = "Ana Ruiz"
    file = io.BytesIO()
    made.save(file)
    extract = word.read(file.getvalue())
    assert extract.text.split("\n\n") == ["Ann's ferry", FERRY, "Goats | forty", SALT]
    assert (extract.title, extract.author) == ("Ann's ferry", "Ana Ruiz")


def test_a_tracked_change_is_read_as_accepted() -> None:
    made = docx.Document()
    paragraph = made.add_paragraph("Ann did ")
    for change in (
        "<w:ins %s w:id='1' w:author='x'><w:r><w:t xml:space='preserve'>not </w:t></w:r></w:ins>",
        "<w:del %s w:id='2' w:author='x'><w:r><w:delText xml:space='preserve'>always </w:delText></w:r></w:del>",
        "<w:moveFrom %s w:id='3' w:author='x'><w:r><w:t xml:space='preserve'>gladly </w:t></w:r></w:moveFrom>",
    ):
        paragraph._p.append(parse_xml(change % nsdecls("w")))
    paragraph.add_run("attend the\tnon\u2011stop\nfeast.")
    file = io.BytesIO()
    made.save(file)
    assert word.read(file.getvalue()).text == "Ann did not attend the non\u2011stop feast."


@settings(max_examples=20, deadline=None)
@given(said=st.lists(st.text("abc é😀.", min_size=1, max_size=30).filter(str.strip), min_size=1, max_size=5))
def test_a_word_document_gives_every_word_back(said: list[str]) -> None:
    assert word.read(document(*said)).text.split() == " ".join(said).split()


def test_a_word_document_that_is_none_says_what_to_do() -> None:
    with pytest.raises(CorpusError, match=r"^cannot be read as \.docx \(BadZipFile\); save it again as \.docx$"):
        word.read(b"PK and nothing more")
    with pytest.raises(CorpusError, match=r"^has no text; write some, or remove it$"):
        word.read(document())


def with_part(data: bytes, name: str, content: bytes) -> bytes:
    """The document with one of its parts exchanged, or one more."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            if part.filename != name:
                new.writestr(part.filename, old.read(part))
        new.writestr(name, content)
    return made.getvalue()


def test_bombs_are_named_and_the_rest_is_indexed(library: Library) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = (
        f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e0 "ha">{entities}]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:body><w:p><w:r><w:t>&e9;</w:t></w:r></w:p></w:body></w:document>"
    )
    library.write("a.txt", FERRY)
    library.write("laughs.docx", with_part(document(FERRY), "word/document.xml", bomb.encode()))
    library.write("zip.docx", with_part(document(FERRY), "word/media/x.bin", bytes(300_000_000)))
    library.write("deep.html", "<div>" * 200_000 + FERRY)
    with (library.corpus / "line.txt").open("wb") as file:
        file.truncate(1_000_000_000)
    report = library.build()
    failed = dict(report.failed)
    assert "a.txt" in report.added
    assert (
        {"laughs.docx", "zip.docx", "line.txt"} <= failed.keys() <= {"laughs.docx", "zip.docx", "line.txt", "deep.html"}
    )
    assert failed["zip.docx"].startswith("zip.docx would be 30")


def test_a_reader_runs_in_a_process_of_its_own(library: Library) -> None:
    library.write("lines.jsonl", json.dumps({"text": FERRY}))
    library.write("a.html", PAGE.format(charset="utf-8"))
    assert library.build().failed == ()
    assert library.assistant.document("lines.jsonl#1").text == FERRY
    assert documents.extracted(".html", PAGE.format(charset="utf-8").encode()).author == "Ana Ruiz"
