from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa import Assistant, documents, ingest, segments
from qa.types import CorpusError, StoreError
from tests.conftest import Engine, Library, WordEmbedder, WordReranker, on_both_engines

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


@on_both_engines
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(edits=EDITS)
def test_an_updated_index_equals_a_fresh_one(
    tmp_path_factory: pytest.TempPathFactory, engine: Engine, edits: list[tuple[str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("library")
    updated, fresh = Library(folder / "updated", engine()), Library(folder / "fresh", engine())
    for edit in [*edits, ("write", "a.txt", BOB), ("build", "", "")]:
        apply(updated, edit)
    for source in documents.scan(updated.corpus)[0]:
        fresh.write(source, (updated.corpus / source).read_bytes())
    fresh.build()
    assert content(updated) == content(fresh)


@on_both_engines
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


@on_both_engines
def test_a_renamed_or_copied_file_needs_no_embedding(library: Library) -> None:
    library.write("a.txt", ANN)
    library.build()
    (library.corpus / "a.txt").rename(library.corpus / "z.txt")
    library.write("copy.txt", ANN)
    report = library.build()
    assert (report.added, report.removed, report.embedded, report.chunks) == (("copy.txt", "z.txt"), ("a.txt",), 0, 2)
    assert [p.source for p in library.assistant.retrieve("forty goats", 2)] == ["copy.txt", "z.txt"]


@on_both_engines
def test_a_deleted_article_is_gone(library: Library) -> None:
    library.write("a.txt", ANN)
    library.write("b.txt", BOB)
    library.build()
    (library.corpus / "a.txt").unlink()
    assert library.build().removed == ("a.txt",)
    assert {p.source for p in library.assistant.retrieve("forty goats on the ferry", 10)} == {"b.txt"}
    with pytest.raises(StoreError, match=r"No document 'a\.txt'"):
        library.assistant.document("a.txt")


@on_both_engines
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


@on_both_engines
def test_an_empty_folder_keeps_the_old_index(library: Library) -> None:
    library.write("a.txt", ANN)
    library.build()
    (library.corpus / "a.txt").unlink()
    with pytest.raises(CorpusError, match=r"has no article \(\.txt, \.md, .*\); put some there and run `qa index`\.$"):
        library.build()
    assert library.assistant.retrieve("goats", 1)[0].source == "a.txt"


@on_both_engines
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


@on_both_engines
def test_progress_counts_up_to_the_whole(library: Library) -> None:
    for number in range(5):
        library.write(f"{number}.txt", f"{ANN} Number {number}.")
    seen: list[tuple[str, int, int]] = []
    library.build(lambda *step: seen.append(step))
    assert [step for step in seen if step[0] == "reading"] == [("reading", n, 5) for n in range(6)]
    assert seen[-1] == ("embedding", 5, 5)


@on_both_engines
def test_the_longest_texts_are_embedded_first(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "EMBED_BATCH", 2)
    for words, source in ((5, "a.txt"), (9, "b.txt"), (7, "c.txt"), (3, "d.txt"), (8, "e.txt")):
        library.write(source, f"{source}\n\nIt had {'very ' * words}old bolts.\n")
    seen: list[tuple[str, int, int]] = []
    assert library.build(lambda *step: seen.append(step)).embedded == 5
    assert [text.count("very") for text in library.embedder.embedded] == [9, 8, 7, 5, 3]
    assert [done for stage, done, _ in seen if stage == "embedding"] == [0, 2, 4, 5]


@on_both_engines
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


@on_both_engines
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


def interrupted(library: Library, after: int) -> None:
    """A build that dies after so many embedded texts."""

    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "embedding" and done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.build(interrupt)


def many(library: Library, count: int = 10) -> None:
    for number in range(count):
        library.write(f"{number}.txt", f"Story {number}\n\nThe ferry number {number} left at noon with forty goats.\n")


@pytest.mark.parametrize("first", [True, False])
def test_an_interrupted_build_goes_on_where_it_stopped(
    library: Library, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    monkeypatch.setattr(ingest, "EMBED_BATCH", 2)
    if not first:
        library.write("before.txt", ANN)
        library.build()
    many(library)
    interrupted(library, 4)
    library.embedder.embedded.clear()
    interrupted(library, 2)
    assert len(library.embedder.embedded) == 2
    library.embedder.embedded.clear()
    assert library.build().embedded == len(library.embedder.embedded) == 4
    fresh = Library(library.corpus.parent / "fresh")
    fresh.corpus.rmdir()
    library.corpus.rename(fresh.corpus)
    fresh.build()
    assert content(library) == content(fresh)
    assert not (library.store_folder / "unfinished.vectors").exists()


@pytest.mark.parametrize("damage", ["torn", "flipped", "emptied", "header"])
def test_what_is_damaged_of_an_interrupted_build_is_embedded_again(
    library: Library, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(ingest, "EMBED_BATCH", 2)
    many(library)
    interrupted(library, 6)
    path = library.store_folder / "unfinished.vectors"
    data = path.read_bytes()
    record = (len(data) - data.index(b"\n") - 1) // 6
    spoiled = {
        "torn": data[:-5],
        "flipped": data[: -record - 20] + bytes([data[-record - 20] ^ 4]) + data[-record - 19 :],
        "emptied": b"",
        "header": data[5:],
    }
    path.write_bytes(spoiled[damage])
    assert library.build().embedded == {"torn": 5, "flipped": 6, "emptied": 10, "header": 10}[damage]
    assert library.store.check() == []


def test_vectors_of_other_weights_are_not_gone_on_with(library: Library) -> None:
    many(library)
    interrupted(library, 10)
    library.embedder = WordEmbedder()
    library.embedder.weights = "words-2"
    assert library.build().embedded == 10


def test_what_an_interrupted_build_kept_holds_no_text(library: Library) -> None:
    many(library)
    interrupted(library, 10)
    data = (library.store_folder / "unfinished.vectors").read_bytes()
    assert b"ferry" not in data
    assert b"goats" not in data


@on_both_engines
def test_near_copies_are_told_when_they_come_and_are_in_the_catalogue(library: Library) -> None:
    story = "A long ferry\n\n" + " ".join(f"Ferry number {n} left harbour {n * 7} at noon." for n in range(30))
    library.write("paper/one.txt", story)
    library.write("other.txt", ANN)
    assert library.build().alike == ()
    library.write("wire/two.txt", story.replace("Ferry number 3 left", "Ferry number 3 departed") + " More soon.")
    report = library.build()
    assert report.alike == (("paper/one.txt", "wire/two.txt"),)
    assert report.copies == ()
    with library.store.snapshot() as snapshot:
        assert {entry.source: entry.copies for entry in snapshot.entries()} == {
            "other.txt": (),
            "paper/one.txt": ("wire/two.txt",),
            "wire/two.txt": ("paper/one.txt",),
        }
    assert library.build().alike == (), "told once"


SECRET = "Quetzalwhimbrel Zylophontic"


@pytest.mark.parametrize("how", ["deleted", "changed", "unreadable"])
def test_deleted_is_gone_to_the_last_byte(library: Library, how: str) -> None:
    many(library, 40)
    text = f"{SECRET} met in secret. Nobody but {SECRET} knew of the xylographicistic goats, and nobody told.\n"
    library.write("secret.txt", f"{SECRET}'s ferry\n\n{text}")
    library.build()
    held = b"".join(path.read_bytes() for path in library.store_folder.iterdir())
    assert b"whimbrel" in held
    path = library.corpus / "secret.txt"
    if how == "deleted":
        path.unlink()
    elif how == "changed":
        library.write("secret.txt", ANN)
    else:
        library.write("secret.txt", b"\xff")
    library.build()
    for file in library.store_folder.iterdir():
        data = file.read_bytes().lower()
        # Parts of words, as the full-text index stores of each word only what differs from the one before.
        for part in (
            "whimbrel",
            "alwhim",
            "lophonti",
            "ographici",
            "secret.txt" if how == "deleted" else "met in secret",
        ):
            assert part.encode() not in data, f"{part} is in {file.name}"
    with library.store.snapshot() as snapshot:
        assert snapshot.occurrences("zylophontic") == 0
        assert "zylophontic" not in snapshot.vocabulary()
        assert snapshot.names("qz") == []
    found = library.assistant.retrieve(f"Who is {SECRET}?", 50, include_comments=True)
    assert all("Quetzal" not in passage.text for passage in found)


def test_deleted_is_gone_though_questions_are_being_answered(library: Library) -> None:
    many(library)
    library.write("secret.txt", f"{SECRET} met in secret on the xylographicistic ferry, and nobody told.\n")
    library.build()
    (library.corpus / "secret.txt").unlink()
    with library.store.snapshot() as old:
        assert "secret.txt" in old.sources()
        library.build()
    library.assistant.retrieve("goats", 1)
    library.write("next.txt", ANN)
    library.build()
    assert all(b"whimbrel" not in path.read_bytes().lower() for path in library.store_folder.iterdir())
