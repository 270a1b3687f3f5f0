from __future__ import annotations

import os
import random
import shutil
import zipfile
from pathlib import Path

import pytest

from qa import backup
from qa.confidence import CALIBRATION, read_calibration, write_calibration
from qa.evaluate import FEEDBACK, Case, append_case, read_cases
from qa.store import open_store
from qa.types import QAError, StoreError
from tests.conftest import Library, spoilt
from tests.test_ingest import ANN, BOB, content


def filled(folder: Path, *texts: str) -> Library:
    library = Library(folder)
    for number, text in enumerate(texts):
        library.write(f"{number}.txt", text)
    library.build()
    return library


def test_an_index_moves_in_one_file_with_its_documents_and_what_people_keep(tmp_path: Path) -> None:
    here, there = filled(tmp_path / "here", ANN, BOB), Library(tmp_path / "there")
    write_calibration(here.store_folder, CALIBRATION.rescaled(2, 1))
    append_case(here.store_folder / FEEDBACK, Case("Who carried salt?", ("salt",)), {})
    file = tmp_path / "moved.zip"
    assert backup.save(here.store_folder, file) == file.stat().st_size
    shutil.rmtree(here.corpus)
    manifest = backup.load(file, there.store_folder)
    assert manifest.embedder == "words"
    assert content(there) == content(here)
    assert read_calibration(there.store_folder) == CALIBRATION.rescaled(2, 1)
    assert read_cases(there.store_folder / FEEDBACK)[0].question == "Who carried salt?"
    assert there.store.check() == []
    assert sorted(path.name for path in there.store_folder.iterdir() if "sqlite-" not in path.name) == [
        "calibration.json",
        "dense.faiss",
        FEEDBACK,
        "index.sqlite",
    ], "nothing is left lying about"


def test_a_build_goes_on_from_what_was_imported(tmp_path: Path) -> None:
    here, there = filled(tmp_path / "here", ANN, BOB), Library(tmp_path / "there")
    backup.save(here.store_folder, tmp_path / "moved.zip")
    backup.load(tmp_path / "moved.zip", there.store_folder)
    there.write("0.txt", ANN)
    there.write("2.txt", ANN.replace("Ann", "Eve"))
    report = there.build()
    assert (report.added, report.removed, report.unchanged, report.embedded) == (("2.txt",), ("1.txt",), 1, 1)


def test_a_running_assistant_answers_from_what_was_imported(tmp_path: Path) -> None:
    here, there = filled(tmp_path / "here", ANN), filled(tmp_path / "there", BOB)
    backup.save(here.store_folder, tmp_path / "moved.zip")
    assistant = there.assistant
    assert "rust" in assistant.retrieve("rust on bolts", 1)[0].text
    with there.store.snapshot() as old:
        backup.load(tmp_path / "moved.zip", there.store_folder, overwrite=True)
        assert "bridge" in old.document("0.txt").text, "who reads keeps reading the old one"
    assert "forty goats" in assistant.retrieve("forty goats", 1)[0].text
    assert "ferry" in assistant.document("0.txt").text


def test_nothing_is_overwritten_unless_it_is_said(tmp_path: Path) -> None:
    here, there = filled(tmp_path / "here", ANN), filled(tmp_path / "there", BOB)
    file = tmp_path / "moved.zip"
    file.write_bytes(b"theirs")
    with pytest.raises(QAError, match=r"moved\.zip is there already; choose another name, or add --overwrite\.$"):
        backup.save(here.store_folder, file)
    assert file.read_bytes() == b"theirs"
    backup.save(here.store_folder, file, overwrite=True)
    before = content(there)
    with pytest.raises(QAError, match=r"has an index already; set QA_STORE to another folder, or add --overwrite\.$"):
        backup.load(file, there.store_folder)
    assert content(there) == before


def test_no_index_and_no_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"There is no index in .*; run `qa index` to build one\.$"):
        backup.save(tmp_path / "none", tmp_path / "moved.zip")
    with pytest.raises(QAError, match=r"nothing\.zip cannot be read or written \(No such file or directory\); check"):
        backup.load(tmp_path / "nothing.zip", tmp_path / "store")
    here = filled(tmp_path / "here", ANN)
    with pytest.raises(QAError, match=r"cannot be read or written \(No such file or directory\); check"):
        backup.save(here.store_folder, tmp_path / "no folder" / "moved.zip")


def test_an_archive_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    there = filled(tmp_path / "there", BOB)
    before = content(there)
    foreign = tmp_path / "foreign.zip"
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr("../index.sqlite", "x")
    (tmp_path / "text.zip").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("index.sqlite", os.urandom(5_000))
    for name in ("foreign.zip", "text.zip", "other.zip"):
        with pytest.raises(QAError, match=f"{name}.*export it again"):
            backup.load(tmp_path / name, there.store_folder, overwrite=True)
    assert content(there) == before
    assert not (tmp_path / "index.sqlite").exists()


def test_a_damaged_archive_is_refused_and_the_old_index_stays(tmp_path: Path) -> None:
    here, there = filled(tmp_path / "here", ANN, BOB), filled(tmp_path / "there", BOB)
    file = tmp_path / "moved.zip"
    backup.save(here.store_folder, file)
    good, before, wanted = file.read_bytes(), content(there), content(here)
    chance = random.Random(8)
    refused = harmless = 0
    for _ in range(60):
        file.write_bytes(spoilt(good, chance, cuts=0.3))
        try:
            backup.load(file, there.store_folder, overwrite=True)
        except QAError as error:
            refused += str(error).endswith(("`qa export`.", "export it again.", "with this version."))
            assert content(there) == before
        else:  # A bit that nothing hangs on, such as a time in the archive's list.
            assert content(there) == wanted
            before, harmless = wanted, harmless + 1
    assert refused + harmless == 60
    assert refused > 40


def test_an_archive_of_damage_is_not_written(tmp_path: Path) -> None:
    here = filled(tmp_path / "here", ANN, BOB)
    path = here.store_folder / "index.sqlite"
    data = path.read_bytes()
    path.write_bytes(data.replace(b"salt", b"sand"))
    assert path.read_bytes() != data
    with pytest.raises(StoreError, match=r"is damaged .*; run `qa doctor --repair`\.$"):
        backup.save(here.store_folder, tmp_path / "moved.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here"]


def test_an_import_waits_for_no_build(tmp_path: Path) -> None:
    here, there = filled(tmp_path / "here", ANN), filled(tmp_path / "there", BOB)
    backup.save(here.store_folder, tmp_path / "moved.zip")
    before = content(there)
    with (
        open_store(there.store_folder).writer(),
        pytest.raises(StoreError, match=r"Another build of .* is running; wait until it ends"),
    ):
        backup.load(tmp_path / "moved.zip", there.store_folder, overwrite=True)
    assert content(there) == before
