"""`qa doctor`: what it finds in an index that was damaged on purpose, and what `--repair` makes of it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from qa import doctor, ingest, models
from qa.settings import Settings
from qa.store import open_store
from qa.types import CorpusError, StoreError
from tests.conftest import Library, words
from tests.test_ingest import ANN, BOB, content


@pytest.fixture
def mending(library: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Two articles, and a doctor that has the predictable embedder."""
    library.write("a.txt", ANN)
    library.write("b.txt", BOB)
    library.build()
    library.embedder.embedded.clear()
    monkeypatch.setattr(models, "load_embedder", lambda settings: library.embedder)
    monkeypatch.setattr(models, "token_counter", lambda settings: words)
    monkeypatch.setattr(models, "embedder_name", lambda settings: "words")
    return library


def settings(library: Library) -> Settings:
    return Settings(corpus=library.corpus, store=library.store_folder)


def repaired(library: Library) -> list[str]:
    told = list(doctor.repair(settings(library)))
    library.store = open_store(library.store_folder)
    return told


def sql(*statements: str) -> Callable[[Library], None]:
    def damage(library: Library) -> None:
        with closing(sqlite3.connect(library.store_folder / "index.sqlite")) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    return damage


def dense_file_cut(library: Library) -> None:
    path = library.store_folder / "dense.faiss"
    path.write_bytes(path.read_bytes()[:-9])


def dense_file_gone(library: Library) -> None:
    (library.store_folder / "dense.faiss").unlink()


def overwritten(library: Library) -> None:
    path = library.store_folder / "index.sqlite"
    path.write_bytes(b"\0" * 5_000 + path.read_bytes()[5_000:])


def cut(library: Library) -> None:
    path = library.store_folder / "index.sqlite"
    path.write_bytes(path.read_bytes()[:9_000])


DERIVED = {
    "the dense file is cut": (dense_file_cut, "dense.faiss is missing or is not what was written", 0),
    "the dense file is gone": (dense_file_gone, "dense.faiss is missing or is not what was written", 0),
    "a vector is another": (
        sql("UPDATE vector SET value = (SELECT value FROM vector ORDER BY id DESC LIMIT 1) WHERE id = 1"),
        "its vectors are not what was written",
        1,
    ),
    "a vector is gone": (sql("DELETE FROM vector WHERE id = 2"), "its vectors are not what was written", 1),
    "a vector has another width": (
        sql("UPDATE vector SET value = x'00' WHERE id = 2"),
        "its vectors are not what was written",
        1,
    ),
    "words are lost": (
        sql("INSERT INTO lexical (lexical) VALUES ('delete-all')"),
        "its lexical index is not what was written",
        0,
    ),
}
TEXTS = {
    "a text is another": (
        sql("UPDATE document SET text = replace(text, 'salt', 'sand')"),
        "its content is not what was written",
    ),
    "a passage is another": (
        sql("UPDATE chunk SET text = replace(text, 'salt', 'sand')"),
        "its content is not what was written",
    ),
    "a passage has moved": (
        sql("UPDATE chunk SET first = first + 1, last = last + 1 WHERE source = 'a.txt'"),
        "its content is not what was written",
    ),
    "an article is gone with all its parts": (
        sql(*(f"DELETE FROM {table} WHERE source = 'a.txt'" for table in ("document", "segment", "chunk", "name"))),
        "its documents are not those that were written",
    ),
    "the manifest is gone": (sql("DELETE FROM manifest"), "its manifest is not what was written"),
    "a table is gone": (sql("DROP TABLE segment"), "no such table: segment"),
    "the file is overwritten": (overwritten, "file is not a database"),
    "the file is cut": (cut, "malformed"),
}


def test_a_sound_index_is_left_alone(mending: Library) -> None:
    before = (mending.store_folder / "index.sqlite").read_bytes()
    assert repaired(mending) == ["Every check of the index holds; there is nothing to mend."]
    assert (mending.store_folder / "index.sqlite").read_bytes() == before


@pytest.mark.parametrize("name", DERIVED)
def test_what_is_derived_is_made_again_without_the_articles(mending: Library, name: str) -> None:
    damage, says, embedded = DERIVED[name]
    before = content(mending)
    damage(mending)
    shutil.rmtree(mending.corpus)
    mending.embedder.embedded.clear()
    told = repaired(mending)
    assert told[0] == f"Found: {says}."
    assert told[1:] == [
        f"What is derived was made again from the texts in the index; {embedded} passages were embedded."
    ]
    assert content(mending) == before
    assert mending.store.check() == []


@pytest.mark.parametrize("name", TEXTS)
def test_damaged_texts_are_read_again_from_the_articles_and_what_was_damaged_is_kept(
    mending: Library, name: str
) -> None:
    damage, says = TEXTS[name]
    before = content(mending)
    damage(mending)
    told = repaired(mending)
    assert told[0].startswith("Found: ")
    assert says in told[0]
    assert told[1].startswith(f"The damaged index was moved to {mending.store_folder / 'damaged-1'}; ")
    assert told[2].startswith(f"The index was built anew from {mending.corpus}: 2 added, 0 changed, 0 removed")
    assert content(mending) == before
    assert mending.store.check() == []
    assert (mending.store_folder / "damaged-1" / "index.sqlite").is_file()


def test_sound_vectors_of_a_damaged_index_are_not_made_again(mending: Library) -> None:
    sql("UPDATE document SET text = replace(text, 'salt', 'sand')")(mending)
    assert repaired(mending)[2].endswith("0 passages embedded.")
    assert mending.embedder.embedded == []
    cut(mending)
    assert repaired(mending)[2].endswith("3 passages embedded.")


@pytest.mark.parametrize("name", ["a text is another", "the file is overwritten"])
def test_without_articles_a_damaged_index_stays_where_it_is(mending: Library, name: str) -> None:
    TEXTS[name][0](mending)
    damaged = (mending.store_folder / "index.sqlite").read_bytes()
    shutil.rmtree(mending.corpus)
    with pytest.raises(
        CorpusError, match=r"put them there and run `qa doctor --repair`, or `qa import --overwrite FILE`"
    ):
        repaired(mending)
    assert (mending.store_folder / "index.sqlite").read_bytes() == damaged


def test_an_index_in_use_is_not_moved(mending: Library) -> None:
    with mending.store.writer(), pytest.raises(StoreError, match=r"Another build of .* is running; wait until it ends"):
        open_store(mending.store_folder).set_aside()
    assert mending.store.check() == []


def test_damage_is_never_made_the_new_content_by_a_build(mending: Library) -> None:
    sql("UPDATE chunk SET text = replace(text, 'salt', 'sand')")(mending)
    mending.write("c.txt", "Carl's canal\n\nThe canal froze on the second of January.\n")
    mending.build()
    mending.store = open_store(mending.store_folder)
    with pytest.raises(StoreError, match="its content is not what was written"):
        content(mending)


@pytest.mark.parametrize("name", ["words are lost", "a vector is another"])
def test_a_build_beside_a_damaged_part_says_so(mending: Library, name: str) -> None:
    DERIVED[name][0](mending)
    mending.write("c.txt", "Carl's canal\n\nThe canal froze on the second of January.\n")
    with pytest.raises(StoreError, match=r"is damaged \(its .* what was written\); run `qa doctor --repair`\.$"):
        mending.build()


def index_finding(library: Library) -> doctor.Finding:
    (finding,) = [found for found in doctor.examine(settings(library)) if found.about == "index"]
    return finding


def test_the_doctor_says_what_is_damaged_and_what_to_run(mending: Library) -> None:
    sound = index_finding(mending)
    assert sound.ok
    assert sound.says.startswith("2 documents with 3 passages in")
    assert sound.says.endswith("every check holds")
    sql("UPDATE chunk SET text = replace(text, 'salt', 'sand')")(mending)
    damaged = index_finding(mending)
    assert not damaged.ok
    assert damaged.says.endswith("is damaged: its content is not what was written; run `qa doctor --repair`.")


def test_an_index_without_a_passage_is_not_well(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "embedder_name", lambda settings: "words")
    library.write("empty.txt", "\n")
    library.build()
    finding = index_finding(library)
    assert not finding.ok
    assert finding.says.endswith("has no passage; put articles into " + f"{library.corpus} and run `qa index`.")


def test_an_index_by_another_embedder_is_not_mended_with_this_one(mending: Library, tmp_path: Path) -> None:
    mending.embedder.weights = "words-2"
    with pytest.raises(StoreError, match=r"was built with words; run `qa index` to build it anew\.$"):
        ingest.mend(mending.store, mending.embedder)


def test_a_build_over_a_passage_that_is_no_text_any_more_says_so(mending: Library) -> None:
    sql("UPDATE chunk SET text = x'37'", "DELETE FROM vector")(mending)
    mending.write("c.txt", "Carl's canal\n\nThe canal froze on the second of January.\n")
    with pytest.raises(
        StoreError, match=r"is damaged \(its passages are not what was written\); run `qa doctor --repair`"
    ):
        mending.build()
