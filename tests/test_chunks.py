from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa import chunks, segments
from qa.types import Chunk, Document, Span
from tests.conftest import WordEmbedder, words
from tests.test_documents import TEXTS
from tests.test_segments import LINES

WINDOW = 24
MANY = st.lists(TEXTS | LINES.map("\n".join), max_size=4).map("".join)


def document(text: str, title: str = "") -> Document:
    return Document("a.txt", text, title, "", "", "", "")


def split(text: str, title: str = "", window: int = WINDOW) -> tuple[Chunk, ...]:
    story = document(text, title)
    return chunks.split(story, segments.label(story), words, WordEmbedder().count, window)


@given(text=MANY, title=st.sampled_from(["", "A title of five words"]))
def test_chunks_are_exact_and_lose_nothing_and_fit(text: str, title: str) -> None:
    found = split(text, title)
    left = list(text)
    for number, chunk in enumerate(found):
        assert chunk.number == number
        assert chunk.text == text[chunk.span.start : chunk.span.end]
        assert chunk.text == chunk.text.strip() != ""
        assert WordEmbedder().count(chunk.context) <= WINDOW or len(chunk.text) == 1
        left[chunk.span.start : chunk.span.end] = " " * len(chunk.text)
    for part in segments.label(document(text, title)):
        if part.kind in {"body", "comment"}:
            assert not "".join(left[part.span.start : part.span.end]).strip()
        else:
            assert "".join(left[part.span.start : part.span.end]) == part.span.of(text)


@given(text=MANY)
def test_sentences_are_exact_and_in_order_and_lose_nothing(text: str) -> None:
    spans = chunks.sentences(text)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    outside = [Span(a.end, b.start) for a, b in zip([Span(0, 0), *spans], [*spans, Span(len(text), 0)], strict=True)]
    assert not "".join(span.of(text) for span in outside).strip()
    assert all(span.of(text) == span.of(text).strip() != "" for span in spans)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Gen. Ana Ruiz of the U.S. Army left at 5 p.m. on Monday. “We go,” she said. Nobody did.",
            ["Gen. Ana Ruiz of the U.S. Army left at 5 p.m. on Monday.", "“We go,” she said.", "Nobody did."],
        ),
        ("It cost $1.5 million.\nA new paragraph.", ["It cost $1.5 million.", "A new paragraph."]),
        (
            "They asked for:\n– flour, and\n– salt\n\nA heading\n\nThe ferry left.",
            ["They asked for:", "– flour, and", "– salt", "A heading", "The ferry left."],
        ),
        (
            "The ferry left the quay early on Monday because the water had\nfallen overnight. It came\r\nback.",
            ["The ferry left the quay early on Monday because the water had\nfallen overnight.", "It came\r\nback."],
        ),
        (
            "A headline of more than thirty-five characters\n" + "The story is long. " * 8,
            ["A headline of more than thirty-five characters", *["The story is long."] * 8],
        ),
        (
            "Él llegó. ¿Cuándo? El lunes 😀. E\u0301l se fue.",
            ["Él llegó.", "¿Cuándo?", "El lunes 😀.", "E\u0301l se fue."],
        ),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert [span.of(text) for span in chunks.sentences(text)] == expected


def test_many_wrapped_lines_are_joined_in_time() -> None:
    line = "the ferry left the quay early on Monday because the water had\n"
    (whole,) = chunks.sentences(line * 20_000)
    assert whole.end == len(line) * 20_000 - 1


def test_a_chunk_is_filled_with_whole_sentences() -> None:
    text = "The ferry left at noon on Monday. The river had risen by two metres. Nobody was hurt at all. It came back."
    assert [chunk.text for chunk in split(text)] == [
        "The ferry left at noon on Monday. The river had risen by two metres. Nobody was hurt at all.",
        "It came back.",
    ]


def test_a_sentence_too_long_for_the_window_is_cut_at_blanks() -> None:
    text = " ".join(f"word{n}" for n in range(60)) + "."
    found = split(text)
    assert " ".join(chunk.text for chunk in found) == text
    assert len(found) == 4


def test_a_word_without_blanks_is_cut_too() -> None:
    found = chunks.split(document("ü" * 5000), segments.label(document("ü" * 5000)), len, len, WINDOW)
    assert "".join(chunk.text for chunk in found) == "ü" * 5000
    assert max(len(chunk.text) for chunk in found) <= WINDOW


def test_the_title_is_context_and_never_text() -> None:
    (chunk,) = split("The ferry left.", title="Ferry news")
    assert (chunk.text, chunk.context, chunk.title) == ("The ferry left.", "Ferry news\nThe ferry left.", "Ferry news")


def test_kinds_do_not_share_a_chunk() -> None:
    text = "A title\n\nThe story is told here, and it has an end. It ends.\n\n1 comment\n\n1. Jane\n\nNice.\n"
    assert [(chunk.kind, chunk.text) for chunk in split(text)] == [
        ("body", "The story is told here, and it has an end. It ends."),
        ("comment", "1. Jane\n\nNice."),
    ]


@pytest.mark.parametrize("title", ["Ms.", "Mr.", "Dr.", "Gen.", "Sra.", "Lic."])
def test_a_title_ends_no_sentence(title: str) -> None:
    text = f"He met {title} Smith in town. Then he left."
    assert [span.of(text) for span in chunks.sentences(text)] == [f"He met {title} Smith in town.", "Then he left."]
    assert [span.of(title) for span in chunks.sentences(title)] == [title]
