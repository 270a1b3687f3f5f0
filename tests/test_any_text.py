"""No text breaks it, as an article, a file's name, a question, a filter or a conversation; every place stays exact."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa import Assistant, Filters, Passage, Quote, documents, ingest, models
from qa.readers import TRUSTED
from qa.settings import Settings
from qa.types import Chunk, CorpusError, Kind, QAError
from tests.conftest import SHARED, Library, WordEmbedder

NAUGHTY = SHARED / "eval" / "hostile" / "blns.json"
"""The Big List of Naughty Strings, beside the checkout; it is not copied."""

needs_naughty = pytest.mark.skipif(not NAUGHTY.is_file(), reason="../shared/eval/hostile/blns.json is not here")

KINDS: tuple[Kind, ...] = ("body", "comment")
FERRY = "Ann's ferry\n\nThe ferry left at noon on Monday with forty goats.\n"


def naughty() -> list[str]:
    strings: list[str] = json.loads(NAUGHTY.read_text("utf-8"))
    return strings


def chunks_of(library: Library) -> list[Chunk]:
    """Every chunk of the index."""
    vector = library.embedder.embed_question("ferry")
    with library.store.snapshot() as snapshot:
        return snapshot.chunks([key for key, _ in snapshot.dense(vector, KINDS, max(1, snapshot.size))])


def ink(text: str) -> str:
    """The characters of a text that are not blank; a byte order mark is."""
    return "".join(text.replace("\ufeff", "").split())


def check_exact(library: Library) -> None:
    """Chunks are what stands at their places, in order, and hold every character but blanks of what is searched."""
    found: dict[str, list[Chunk]] = {}
    for chunk in sorted(chunks_of(library), key=lambda chunk: chunk.key):
        found.setdefault(chunk.source, []).append(chunk)
    for source in library.assistant.sources():
        document, parts = library.assistant.labelled(source)
        held = found.get(source, [])
        assert all(chunk.text == chunk.span.of(document.text) for chunk in held)
        assert all(one.span.end <= two.span.start for one, two in pairwise(held))
        searched = "".join(part.span.of(document.text) for part in parts if part.kind in KINDS)
        assert ink("".join(chunk.text for chunk in held)) == ink(searched)


def check_sentence(error: QAError, pattern: str = ".+") -> bool:
    """False, once it is clear that a person can read what an error says."""
    assert re.fullmatch(rf"{pattern}\.", str(error), re.S)
    assert str(error).encode()
    return False


def check_answers(
    assistant: Assistant,
    question: str,
    history: tuple[dict[str, str], ...] = (),
    filters: Filters | None = None,
) -> bool:
    """Whether a question could be asked, of exact passages and quotes; a sentence must say why not."""
    said: list[Passage | Quote] = []
    try:
        said += assistant.retrieve(question, 5, include_comments=True, filters=filters or Filters())
        said += assistant.ask(question, history, include_comments=True, filters=filters or Filters()).quotes
    except QAError as error:
        return check_sentence(error)
    for each in said:
        assert each.text == assistant.document(each.source).text[each.start : each.end]
    return True


# --- naughty strings --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Every naughty string as an article; half of them as Markdown."""
    library = Library(tmp_path_factory.mktemp("naughty"))
    for number, text in enumerate(naughty()):
        library.write(f"{number}.{'md' if number % 2 else 'txt'}", text)
    library.write("ferry.txt", FERRY)
    assert library.build().failed == ()
    return library


@needs_naughty
def test_every_naughty_string_is_an_article(shelf: Library) -> None:
    assert len(shelf.assistant.sources()) == len(naughty()) + 1
    for number, text in enumerate(naughty()):
        assert shelf.assistant.document(f"{number}.{'md' if number % 2 else 'txt'}").text == text
    check_exact(shelf)


@needs_naughty
def test_every_naughty_string_is_a_name(library: Library) -> None:
    texts = {}
    for number, name in enumerate(naughty()):
        file = f"{number} {name.replace('/', '-')}.txt"
        try:
            library.write(file, f"{FERRY}It was number {number}.\n")
        except (OSError, ValueError):  # Too long for the file system, or with a NUL in it.
            continue
        texts[file] = f"{FERRY}It was number {number}.\n"
    report = library.build()
    assert (report.added, report.failed) == (tuple(sorted(texts)), ())
    assert len(texts) > len(naughty()) * 0.9
    assert {source: library.assistant.document(source).text for source in texts} == texts


@needs_naughty
def test_every_naughty_string_is_a_question_a_filter_and_a_message(shelf: Library) -> None:
    assistant, asked = shelf.assistant, 0
    for text in naughty():
        history = ({"role": "user", "content": text}, {"role": "assistant", "content": text})
        asked += check_answers(assistant, text, history)
        assert assistant.ask("Who is it?", history).question.startswith("Who is it?")
        for filters in (Filters(documents=(text,)), Filters(outlets=(text or "none",))):
            assert not check_answers(assistant, "ferry", (), filters)
    assert asked > len(naughty()) / 2


@pytest.mark.slow
@needs_naughty
def test_naughty_strings_are_asked_of_the_real_weights(assistant: Assistant) -> None:
    sample = naughty()[::60]
    assert sum(check_answers(assistant, text, ({"role": "user", "content": text},)) for text in sample) > 4


# --- any text at all --------------------------------------------------------------------------------------------------

ANY = st.text(st.characters(), max_size=60)
"""Halves of surrogate pairs too, as a terminal or a JSON request may send them."""

HEADS = st.sampled_from(
    [
        "",
        "---\ntitle: ",
        "---\ndate: !!",
        "Published on: ",
        "By ",
        "2 comments\n\n1. ",
        "# ",
        "Title\n\n",
        "\ufeff---\n",
    ]
)
WHOLE = st.tuples(HEADS, st.text(st.characters(exclude_categories=["Cs"]), max_size=200)).map("".join)


@pytest.fixture(scope="module")
def ferry(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    library = Library(tmp_path_factory.mktemp("ferry"))
    library.write("ferry.txt", FERRY)
    library.write(
        "news/bridge.md", "---\nurl: https://paper.example/b\n---\nThe bridge was closed.\n\n1 comment\n\n1. Al\nOh!"
    )
    library.build()
    return library.assistant


@settings(deadline=None)
@given(question=ANY, messages=st.lists(ANY, max_size=3), name=ANY)
def test_any_text_can_be_asked(ferry: Assistant, question: str, messages: list[str], name: str) -> None:
    history = tuple(
        {"role": role, "content": text} for role, text in zip(["user", "assistant"] * 2, messages, strict=False)
    )
    check_answers(ferry, question, history)
    assert check_answers(ferry, f"Who left the ferry, {question[:40]}?", history)
    check_answers(ferry, "ferry", (), Filters(documents=(name,), outlets=("paper.example",)))
    with pytest.raises(QAError, match=r"\.$"):
        ferry.document(f"{name}.none")


@settings(deadline=None, max_examples=60)
@given(texts=st.lists(WHOLE, min_size=1, max_size=4))
def test_any_text_can_be_indexed(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    library = Library(tmp_path_factory.mktemp("any"))
    for number, text in enumerate(texts):
        library.write(f"{number}.{'md' if number % 2 else 'txt'}", text)
    library.write("lines.jsonl", "\n".join(json.dumps({"text": f"{text}.", "title": text}) for text in texts))
    assert library.build().failed == ()
    for number, text in enumerate(texts):
        assert library.assistant.document(f"{number}.{'md' if number % 2 else 'txt'}").text == text
        assert library.assistant.document(f"lines.jsonl#{number + 1}").text == f"{text}."
    check_exact(library)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY, lambda inner: st.lists(inner, max_size=3)
)
RECORDS = st.dictionaries(st.sampled_from(["text", "title", "date", "author", "url", "Body", "x"]), VALUES)
BYTES = st.binary(max_size=300) | WHOLE.map(str.encode) | RECORDS.map(json.dumps).map(str.encode)


@settings(deadline=None, max_examples=200)
@given(data=BYTES, suffix=st.sampled_from(sorted(TRUSTED)))
def test_any_bytes_are_an_article_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str
) -> None:
    corpus = tmp_path_factory.mktemp("bytes")
    (corpus / f"a{suffix}").write_bytes(data)
    for source in documents.digests(corpus, f"a{suffix}"):
        try:
            document, parts = ingest.read_labelled(corpus, source)
        except CorpusError as error:
            check_sentence(error, f"{re.escape(source)} .* and index again")
            continue
        if suffix != documents.LINES:
            assert document.text.encode() == data
        assert ink("".join(part.span.of(document.text) for part in parts)) == ink(document.text)


# --- long texts -------------------------------------------------------------------------------------------------------

SECONDS = 30
"""What an article of the longest texts may take on a slow machine; the slowest takes four here."""

LONG = {
    "words of 100,000 characters": lambda: " ".join(letter * 100_000 for letter in "abc"),
    "a line without a blank": lambda: "ferry,goats;" * 83_334,
    "a line of one letter": lambda: "山" * 100_000,
    "blank lines": lambda: "The ferry left.\n" + "\r\n" * 100_000 + "The goats stayed.",
    "sentences of one letter": lambda: "A. " * 50_000,
    "lines of one letter": lambda: "A.\n" * 10_000,
    "combining marks": lambda: "\u0301" * 100_000,
    "bidi marks": lambda: "\u202e\u2066\u2069\u200f" * 25_000,
    "zero width": lambda: "\u200b\u200d\ufeff\u2060" * 25_000,
    "marks on letters": lambda: ("a" + "\u0301\u0316" * 50) * 1_000,
    "titles of people": lambda: "Sra. " * 30_000,
    "headings of comments": lambda: f"{FERRY}\n" + "Comments\n\n" * 20_000,
    "comments": lambda: f"{FERRY}\n3 comments\n\n" + "1. Al\n\nOh!\n\n" * 10_000,
    "names": lambda: "Ann " * 50_000,
}
"""Texts of up to a million characters that a careless splitter would take hours for."""


@pytest.fixture(scope="module")
def real() -> tuple[WordEmbedder, Callable[[str], int]]:
    """The real tokenizers, with predictable vectors: to embed this much would take minutes."""
    counting = models.load_embedder(Settings())

    class Counting(WordEmbedder):
        window = counting.window

        def count(self, text: str) -> int:
            return counting.count(text)

    return Counting(), models.token_counter(Settings())


@pytest.mark.parametrize("name", LONG)
def test_a_long_text_takes_bounded_time_and_keeps_its_places(
    library: Library, real: tuple[WordEmbedder, Callable[[str], int]], name: str
) -> None:
    text = LONG[name]()
    library.embedder, tokens = real
    library.write("long.txt", text)
    library.write("ferry.txt", FERRY)
    began = time.perf_counter()
    assert ingest.build(library.corpus, library.store, library.embedder, tokens).failed == ()
    for question in (text, text[:2_000]):
        check_answers(library.assistant, question)
    assert check_answers(library.assistant, "Who is it?", ({"role": "user", "content": text},))
    assert time.perf_counter() - began < SECONDS
    assert library.assistant.document("long.txt").text == text
    check_exact(library)
    assert all(library.embedder.count(chunk.context) <= library.embedder.window for chunk in chunks_of(library))
