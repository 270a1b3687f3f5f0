from __future__ import annotations

import json
import random
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa import Entry, Passage
from qa.store import open_store
from qa.store.snapshot import lexical_query
from qa.types import Kind, QAError, StoreError
from tests.conftest import Engine, Library, on_both_engines, spoilt

STORY = "A ferry\n\nThe ferry number {n} left at noon on Monday. It carried {n} goats.\n"


def filled(library: Library, many: int = 6) -> Library:
    for number in range(many):
        library.write(f"{number}.txt", STORY.format(n=number))
    library.build()
    return library


def answers(library: Library) -> list[Passage]:
    return library.assistant.retrieve("How many goats did the ferry carry?", 10)


def behind_its_back(library: Library, *statements: str) -> None:
    """Change the database without the store."""
    with closing(sqlite3.connect(library.store_folder / "index.sqlite")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_no_index_says_what_to_do(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError, match=r"There is no index in .*; run `qa index` to build one\.$"),
        open_store(tmp_path).snapshot(),
    ):
        pass


def test_a_first_build_that_was_interrupted_left_no_index(library: Library) -> None:
    library.write("a.txt", STORY)
    with library.store.writer(), pytest.raises(StoreError, match="There is no index in"):
        answers(library)
    with pytest.raises(StoreError, match="There is no index in"):
        answers(library)
    assert library.build().added == ("a.txt",)


def test_a_dense_file_that_cannot_be_written_is_done_without(library: Library) -> None:
    library.write("a.txt", STORY)
    library.store_folder.mkdir()
    (library.store_folder / "dense.faiss").mkdir()
    assert library.build().added == ("a.txt",)
    assert answers(library)


def test_a_lexical_index_that_lost_its_words_is_refused(library: Library) -> None:
    filled(library)
    behind_its_back(library, "INSERT INTO lexical (lexical) VALUES ('delete-all')")
    library.store = open_store(library.store_folder)
    with pytest.raises(StoreError, match="its lexical index is not what was written"):
        answers(library)


def test_a_foreign_database_is_left_alone(library: Library) -> None:
    library.store_folder.mkdir()
    path = library.store_folder / "index.sqlite"
    behind_its_back(library, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    library.write("a.txt", STORY)
    for use in (library.build, lambda: answers(library)):
        with pytest.raises(StoreError, match=r"is not an index of this program; set QA_STORE to another folder"):
            use()
    assert path.read_bytes() == before


def test_an_index_of_another_format_is_built_anew(library: Library) -> None:
    filled(library)
    before = answers(library)
    behind_its_back(library, "PRAGMA user_version = 77", "DROP TABLE segment")
    with pytest.raises(StoreError, match="of another version; run `qa index`"):
        answers(library)
    assert len(library.build().added) == 6
    assert answers(library) == before


def test_two_builds_at_once_the_second_is_told(library: Library) -> None:
    filled(library)
    with (
        library.store.writer(),
        pytest.raises(StoreError, match=r"Another build of .* is running; wait until it ends and run `qa index` again"),
        library.store.writer(),
    ):
        pass


@on_both_engines
def test_a_reader_keeps_its_generation_while_a_build_commits(library: Library) -> None:
    filled(library)
    with library.store.snapshot() as old:
        library.write("0.txt", STORY.format(n="ninety"))
        library.build()
        assert "ninety" not in old.document("0.txt").text
        assert all("ninety" not in chunk.text for chunk in old.chunks([("0.txt", 0)]))
        with library.store.snapshot() as new:
            assert "ninety" in new.document("0.txt").text
            assert new.manifest.generation == old.manifest.generation + 1
        key = ("0.txt", 0)
        assert key not in [found for found, _ in old.lexical("ninety", ("body",), 5)]


@on_both_engines
def test_a_running_assistant_sees_a_new_index(library: Library) -> None:
    filled(library)
    assistant = library.assistant
    assert "ninety" not in assistant.ask("ferry number ninety goats").text
    library.write("new.txt", STORY.format(n="ninety"))
    library.build()
    assert assistant.ask("ferry number ninety goats").quotes[0].source == "new.txt"


@on_both_engines
def test_questions_from_many_threads_are_answered_as_from_one(library: Library) -> None:
    filled(library)
    assistant = library.assistant
    expected = assistant.retrieve("goats on ferry 3")
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(20):
            wrong.extend(p for p in [assistant.retrieve("goats on ferry 3")] if p != expected)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("damage", ["missing", "cut", "flipped", "of another index", "not ours"])
def test_a_dense_file_that_is_not_the_right_one_is_not_believed(library: Library, tmp_path: Path, damage: str) -> None:
    filled(library)
    expected = answers(library)
    path = library.store_folder / "dense.faiss"
    good = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(good[:-100])
    elif damage == "flipped":
        path.write_bytes(good[:-50] + bytes([good[-50] ^ 1]) + good[-49:])
    elif damage == "of another index":
        other = filled(Library(tmp_path / "other"), many=7)
        shutil.copy(other.store_folder / "dense.faiss", path)
    else:
        path.write_bytes(json.dumps({"stamp": 1}).encode() + b"\n" + good)
    library.store = open_store(library.store_folder)
    assert answers(library) == expected


def test_a_damaged_database_is_refused_or_answers_the_same(library: Library) -> None:
    filled(library, many=20)
    expected = answers(library)
    behind_its_back(library, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = library.store_folder / "index.sqlite"
    good = path.read_bytes()
    chance = random.Random(5)
    refused = unharmed = 0
    for _ in range(120):
        path.write_bytes(spoilt(good, chance, cuts=0.2))
        library.store = open_store(library.store_folder)
        try:
            found = answers(library)
        except QAError as error:
            refused += str(error).endswith(("run `qa index`.", "to build it anew.", "run `qa doctor --repair`."))
        else:
            assert found == expected
            unharmed += 1
    assert refused + unharmed == 120
    assert refused > 30


def test_text_that_was_changed_behind_our_back_is_refused(library: Library) -> None:
    filled(library)
    behind_its_back(library, "UPDATE chunk SET text = replace(text, 'noon', 'dawn')")
    library.store = open_store(library.store_folder)
    with pytest.raises(StoreError, match=r"is damaged .*; run `qa doctor --repair`\.$"):
        answers(library)


def test_every_word_of_a_question_is_quoted() -> None:
    assert lexical_query('NEAR(a OR "b") AND c* -d text:e') == '"near" OR "b" OR "c" OR "d" OR "text" OR "e"'
    assert lexical_query("Who was it?") == '"who" OR "was" OR "it"'
    assert lexical_query("?!") == ""


@on_both_engines
@pytest.mark.parametrize("question", ['"', "a AND", "NEAR(", "*", "x:y", "💣 OR", "\x00null", "')--", "été Łódź"])
def test_no_question_is_read_as_an_operator(library: Library, question: str) -> None:
    filled(library)
    with library.store.snapshot() as snapshot:
        assert isinstance(snapshot.lexical(question, ("body",), 5), list)


@on_both_engines
def test_words_are_found_without_accents_and_in_other_forms(library: Library) -> None:
    library.write("a.txt", "Uno\n\nEl señor López llegó a Culiacán, y los soldados dispararon en la calle.\n")
    library.write("b.txt", "Two\n\nThe soldiers were shooting in the street all night, and nobody slept at all.\n")
    library.build()
    with library.store.snapshot() as snapshot:
        first = {q: snapshot.lexical(q, ("body",), 1)[0][0][0] for q in ("Lopez en Culiacan", "a soldier shoots")}
    assert first == {"Lopez en Culiacan": "a.txt", "a soldier shoots": "b.txt"}


FERRY = """---
title: The ferry
date: 2024-03-05
url: https://www.example.com/ferry
author: Jane Doe
---

The ferry left at noon on Monday, and nobody was hurt at all on the way over.

2 comments

1. Jane

Forty goats were seasick!

2. Al

No more goats.
"""


@on_both_engines
def test_the_catalogue_lists_every_document_with_its_counts(library: Library) -> None:
    library.write("news/ferry.md", FERRY)
    library.write("empty.txt", "\n")
    library.write("b.txt", STORY)
    library.build()
    with library.store.snapshot() as snapshot:
        digests = [snapshot.document(source).digest for source in snapshot.sources()]
        assert snapshot.entries() == [
            Entry("b.txt", "A ferry", "", "", "", digests[0], 1, 0),
            Entry("empty.txt", "", "", "", "", digests[1], 0, 0),
            Entry(
                "news/ferry.md",
                "The ferry",
                "2024-03-05",
                "https://www.example.com/ferry",
                "Jane Doe",
                digests[2],
                1,
                2,
            ),
        ]
        assert sum(entry.passages + entry.comments for entry in snapshot.entries()) == snapshot.size


@on_both_engines
def test_the_catalogue_is_gathered_once_a_generation(library: Library) -> None:
    filled(library, many=2)
    with library.store.snapshot() as one, library.store.snapshot() as other:
        assert one.entries() is other.entries()
        assert len(one.entries()) == 2
        library.write("new.txt", STORY)
        library.build()
        with library.store.snapshot() as new:
            assert [entry.source for entry in new.entries()] == ["0.txt", "1.txt", "new.txt"]
        assert [entry.source for entry in one.entries()] == ["0.txt", "1.txt"]


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Library:
    """Articles that share most words, two of them twins, some with comments, one without any text."""
    library = Library(tmp_path_factory.mktemp("harbour"), engine())
    told = "The ferry number {n} left at noon. It carried {goats}.\n"
    for number in range(8):
        text = "".join(told.format(n=number + part, goats="goats " * (part % 3) + "hay") for part in range(9))
        library.write(
            f"ü/{number}.txt", f"A ferry\n\n{text}\n2 comments\n\n1. Jane\n\nGoats {number}!\n\n2. Al\n\nHay.\n"
        )
    for twin in ("twin.txt", "tw\"in'.txt"):
        library.write(twin, STORY)
    library.write("empty.txt", "\n")
    library.build()
    return library


SOURCES = [*(f"ü/{number}.txt" for number in range(8)), "twin.txt", "tw\"in'.txt", "empty.txt", "unknown.txt"]
ALL_KINDS: tuple[Kind, ...] = ("body", "comment")


@on_both_engines
@settings(deadline=None)
@given(
    question=st.lists(st.sampled_from("ferry number 3 5 noon goats hay Jane left".split()), min_size=1).map(" ".join),
    kinds=st.lists(st.sampled_from(ALL_KINDS), min_size=1, unique=True),
    k=st.integers(1, 60),
    sources=st.lists(st.sampled_from(SOURCES)),
)
def test_with_sources_the_best_are_those_of_brute_force(
    harbour: Library, question: str, kinds: list[Kind], k: int, sources: list[str]
) -> None:
    vector = harbour.embedder.embed_question(question)
    with harbour.store.snapshot() as snapshot:
        every = snapshot.chunks([key for key, _ in snapshot.dense(vector, ALL_KINDS, snapshot.size)])
        assert len(every) == snapshot.size
        among = [chunk for chunk in every if chunk.source in sources and chunk.kind in kinds]
        cosines = harbour.embedder.embed([chunk.context for chunk in among]) @ vector
        own = {chunk.key: float(cosine) for chunk, cosine in zip(among, cosines, strict=True)}
        nearest = snapshot.dense(vector, kinds, k, sources)
        near = 5e-4  # Vectors are kept in half precision, which has 11 bits.
        # Equal chunks may stand for one another, so the scores are compared, and each with its own chunk's.
        assert [score for _, score in nearest] == pytest.approx(sorted(own.values(), reverse=True)[:k], abs=near)
        assert {key: own[key] for key, _ in nearest} == pytest.approx(dict(nearest), abs=near)
        assert len(dict(nearest)) == len(nearest)
        ranked = snapshot.lexical(question, kinds, snapshot.size)
        assert snapshot.lexical(question, kinds, k, sources) == [hit for hit in ranked if hit[0] in own][:k]


@on_both_engines
def test_no_sources_are_not_all_of_them(harbour: Library) -> None:
    vector = harbour.embedder.embed_question("ferry goats")
    with harbour.store.snapshot() as snapshot:
        for none in ((), ("unknown.txt",), ("empty.txt",)):
            assert snapshot.dense(vector, ALL_KINDS, 5, none) == []
            assert snapshot.lexical("ferry goats", ALL_KINDS, 5, none) == []
        everything = snapshot.sources()
        assert snapshot.dense(vector, ALL_KINDS, 50, everything) == snapshot.dense(vector, ALL_KINDS, 50)
        assert snapshot.lexical("ferry", ALL_KINDS, 50, everything) == snapshot.lexical("ferry", ALL_KINDS, 50)
