from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa import Assistant, documents, ingest, segments
from qa.types import CorpusError, StoreError
from tests.conftest import Library, WordEmbedder, WordReranker

ANN = "Ann's ferry\n\nThe ferry left at noon on Monday. It carried salt, flour and forty goats to the island.\n"
BOB = """Bob's bridge

The bridge was closed in March. Engineers found rust on eleven of its bolts.

1 comment

1. Al

Typical!
"""

SOURCES = st.sampled_from(["a.txt", "b.md", "c/d.txt", "e.txt"])
TEXTS = st.sampled_from(
    [ANN, BOB, "", "\r\n", "Ann's ferry\r\n\r\nIt left.\r\nIt came back 😀 e\u0301.", "One line", ANN * 5]
)
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), SOURCES, TEXTS),
        st.tuples(st.just("delete"), SOURCES, st.just("")),
        st.tuples(st.just("rename"), SOURCES, SOURCES),
        st.tuples(st.just("spoil"), SOURCES, st.just("")),
        st.tuples(st.just("build"), st.just(""), st.just("")),
    ),
    max_size=14,
)


def apply(library: Library, edit: tuple[str, str, str]) -> None:
    what, source, other = edit
    path = library.corpus / source
    if what == "write":
        library.write(source, other)
    elif what == "spoil":
        library.write(source, b"not \xff UTF-8")
    elif what == "build":
        try:
            library.build()
        except CorpusError:
            assert not documents.scan(library.corpus)[0]
    elif path.is_file() and what == "delete":
        path.unlink()
    elif path.is_file() and what == "rename":
        target = library.corpus / other
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)


def content(library: Library) -> object:
    """Everything that an index answers from."""
    with library.store.snapshot() as snapshot:
        documents = [(snapshot.document(s), snapshot.segments(s)) for s in snapshot.sources()]
    questions = ("salt and goats", "bolts of the bridge", "typical")
    found = [library.assistant.retrieve(question, 20, include_comments=True) for question in questions]
    return documents, [[(passage.chunk, passage.score) for passage in passages] for passages in found]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(edits=EDITS)
def test_an_updated_index_equals_a_fresh_one(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("library")
    updated, fresh = Library(folder / "updated"), Library(folder / "fresh")
    for edit in [*edits, ("write", "a.txt", BOB), ("build", "", "")]:
        apply(updated, edit)
    for source in documents.scan(updated.corpus)[0]:
        fresh.write(source, (updated.corpus / source).read_bytes())
    fresh.build()
    assert content(updated) == content(fresh)


def test_only_what_changed_is_embedded_again(library: Library) -> None:
    library.write("a.txt", ANN)
    library.write("b.txt", BOB)
    first = library.build()
    assert (first.added, first.embedded, first.chunks) == (("a.txt", "b.txt"), 3, 3)
    library.embedder.embedded.clear()
    assert library.build().embedded == 0
    library.write("b.txt", BOB.replace("eleven", "twelve"))
    library.write("c.txt", "Carl's canal\n\nThe canal froze on the second of January.\n")
    report = library.build()
    assert (report.added, report.changed, report.removed, report.unchanged) == (("c.txt",), ("b.txt",), (), 1)
    assert [text.split("\n")[0] for text in library.embedder.embedded] == ["Bob's bridge", "Carl's canal"]
    assert all("ferry" not in text for text in library.embedder.embedded)


def test_a_renamed_or_copied_file_needs_no_embedding(library: Library) -> None:
    library.write("a.txt", ANN)
    library.build()
    (library.corpus / "a.txt").rename(library.corpus / "z.txt")
    library.write("copy.txt", ANN)
    report = library.build()
    assert (report.added, report.removed, report.embedded, report.chunks) == (("copy.txt", "z.txt"), ("a.txt",), 0, 2)
    assert [p.source for p in library.assistant.retrieve("forty goats", 2)] == ["copy.txt", "z.txt"]


def test_a_deleted_article_is_gone(library: Library) -> None:
    library.write("a.txt", ANN)
    library.write("b.txt", BOB)
    library.build()
    (library.corpus / "a.txt").unlink()
    assert library.build().removed == ("a.txt",)
    assert {p.source for p in library.assistant.retrieve("forty goats on the ferry", 10)} == {"b.txt"}
    with pytest.raises(StoreError, match=r"No document 'a\.txt'"):
        library.assistant.document("a.txt")


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_indexed(library: Library) -> None:
    library.write("a.txt", ANN)
    library.write("b.txt", b"caf\xe9")
    report = library.build()
    assert report.added == ("a.txt",)
    assert report.failed == (("b.txt", "b.txt is not UTF-8 (byte 3); save it as UTF-8 and index again."),)
    with library.store.snapshot() as snapshot:
        assert snapshot.manifest.generation == 1
    assert library.build().failed == report.failed
    with library.store.snapshot() as snapshot:
        assert snapshot.manifest.generation == 1, "a file that still fails is no change"


def test_an_empty_folder_keeps_the_old_index(library: Library) -> None:
    library.write("a.txt", ANN)
    library.build()
    (library.corpus / "a.txt").unlink()
    with pytest.raises(CorpusError, match=r"has no article \(\.txt, \.md, .*\); put some there and run `qa index`\.$"):
        library.build()
    assert library.assistant.retrieve("goats", 1)[0].source == "a.txt"


def test_an_interrupted_build_keeps_the_old_index(library: Library) -> None:
    library.write("a.txt", ANN)
    library.build()
    before = content(library)
    library.write("a.txt", BOB)

    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "embedding":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.build(interrupt)
    assert content(library) == before
    assert library.build().changed == ("a.txt",)


def test_what_a_first_build_that_was_interrupted_left_is_no_index_to_a_plan(library: Library) -> None:
    library.write("a.txt", ANN)

    def interrupt(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.build(interrupt)
    assert ingest.plan(library.corpus, library.store, "words") == ingest.Plan(("a.txt",), (), (), 0)
    library.build()
    assert ingest.plan(library.corpus, library.store, "words") == ingest.Plan((), (), (), 1)


def test_progress_counts_up_to_the_whole(library: Library) -> None:
    for number in range(5):
        library.write(f"{number}.txt", f"{ANN} Number {number}.")
    seen: list[tuple[str, int, int]] = []
    library.build(lambda *step: seen.append(step))
    assert [step for step in seen if step[0] == "reading"] == [("reading", n, 5) for n in range(6)]
    assert seen[-1] == ("embedding", 5, 5)


def test_the_longest_texts_are_embedded_first(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "EMBED_BATCH", 2)
    for words, source in ((5, "a.txt"), (9, "b.txt"), (7, "c.txt"), (3, "d.txt"), (8, "e.txt")):
        library.write(source, f"{source}\n\nIt had {'very ' * words}old bolts.\n")
    seen: list[tuple[str, int, int]] = []
    assert library.build(lambda *step: seen.append(step)).embedded == 5
    assert [text.count("very") for text in library.embedder.embedded] == [9, 8, 7, 5, 3]
    assert [done for stage, done, _ in seen if stage == "embedding"] == [0, 2, 4, 5]


def test_another_embedder_embeds_everything_again_and_says_so(library: Library) -> None:
    library.write("a.txt", ANN)
    library.build()
    other = WordEmbedder()
    other.name, other.weights = "other", "other-1"
    with pytest.raises(StoreError, match=r"built with words and other is set; run `qa index` to build it anew\.$"):
        Assistant(library.store, other, WordReranker()).ask("goats?")
    library.embedder = other
    report = library.build()
    assert report.note == "The index was built with words; every article is embedded again with other."
    assert report.embedded == 1
    assert library.assistant.ask("goats?").quotes


def test_another_recipe_reads_everything_again_and_keeps_vectors(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.write("a.txt", ANN)
    library.build()
    monkeypatch.setattr(segments, "VERSION", 99)
    report = library.build()
    assert (report.note, report.embedded, report.chunks) == (
        "The index was built by another version; every article is read again.",
        0,
        1,
    )


def test_the_same_text_in_another_order_of_files_gives_the_same_index(tmp_path: Path) -> None:
    names = ["z.txt", "m.txt", "a.txt"]
    libraries = [Library(tmp_path / "one"), Library(tmp_path / "two")]
    for library, order in zip(libraries, (names, names[::-1]), strict=True):
        for name in order:
            library.write(name, ANN)
            library.build()
    assert content(libraries[0]) == content(libraries[1])
