"""What tries to break the index: kills, lost writes, damage, and readers beside rebuilders.

`make torture` runs them at full size, where each prints a line of figures.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from qa.store import open_store
from qa.types import StoreError
from tests.conftest import ROOT, Scale
from tests.torture import disk, forks, serving, states
from tests.torture.damage import RIGHT, Result
from tests.torture.disk import Disk, Event, read_log
from tests.torture.forks import Forks, Order

OLD = dict.fromkeys(range(24), "old")
NEW = {number: "old" if number < 8 else "new" for number in (*range(16), *range(24, 32))}
"""Eight articles stay, eight change, eight go and eight come."""


@pytest.fixture(scope="module")
def helper() -> Iterator[Forks]:
    with Forks() as running:
        yield running


@dataclass(frozen=True)
class Update:
    """An index of OLD, and the corpus of NEW that is to be built over it."""

    corpus: Path
    old_store: Path
    old: object
    new: object


@pytest.fixture(scope="module")
def update(tmp_path_factory: pytest.TempPathFactory) -> Update:
    folder = tmp_path_factory.mktemp("update")
    corpus, old_store, new_store = folder / "corpus", folder / "old", folder / "new"
    states.write(corpus, states.corpus(OLD))
    states.build(corpus, open_store(old_store))
    shutil.copytree(old_store, new_store)
    states.write(corpus, states.corpus(NEW))
    states.build(corpus, open_store(new_store))
    return Update(corpus, old_store, states.content(open_store(old_store)), states.content(open_store(new_store)))


@pytest.mark.slow
def test_a_killed_build_leaves_the_old_index_or_the_new_one(
    helper: Forks, update: Update, tmp_path: Path, scale: Scale
) -> None:
    kills, store, chance = scale(70, 200), tmp_path / "store", random.Random(1)
    order = Order(str(update.corpus), str(store))

    def restored(delay: float | None) -> forks.Outcome:
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(update.old_store, store)
        return helper.run(Order(order.corpus, order.store, delay))

    whole = statistics.median(restored(None).seconds for _ in range(5))
    seen: Counter[str] = Counter()
    for kill in range(kills):
        # A third near the end, where the commit and dense.faiss are written.
        early = 0.0 if kill % 3 else 0.75
        outcome = restored(chance.uniform(early, 1.05) * whole)
        seen["writing dense.faiss"] += any(store.glob("dense.*-*"))
        seen["wal"] += (store / "index.sqlite-wal").exists()
        found = states.content(open_store(store))
        assert found in (update.old, update.new), f"kill {kill}: neither the old index nor the new one"
        seen["old" if found == update.old else "new"] += 1
        seen["killed"] += outcome.killed
        helper.run(order)
        assert states.content(open_store(store)) == update.new, f"kill {kill}: the next build did not complete it"
    print(
        f"\nkills: {seen['old'] + seen['new']} of {kills} whole (old {seen['old']}, new {seen['new']}), "
        f"{seen['killed']} while it ran, {seen['wal']} left a WAL, {seen['writing dense.faiss']} died writing "
        f"dense.faiss; a build takes {whole * 1000:.0f} ms"
    )
    assert seen["old"]
    assert seen["new"]


@pytest.mark.slow
def test_a_build_that_was_acknowledged_outlives_a_kill(helper: Forks, tmp_path: Path, scale: Scale) -> None:
    kills, chance = scale(25, 100), random.Random(2)
    corpus, store = tmp_path / "corpus", tmp_path / "store"
    reached = acknowledged = unsaid = 0
    for kill in range(kills):
        outcome = helper.run(Order(str(corpus), str(store), chance.uniform(0.02, 0.4), reached + 1))
        assert outcome.killed
        told = max(outcome.acknowledged, default=reached)
        acknowledged += len(outcome.acknowledged)
        try:
            with open_store(store).snapshot() as snapshot:
                reached = snapshot.manifest.generation
                texts = {source: snapshot.document(source).text for source in snapshot.sources()}
        except StoreError as error:
            if told or not is_no_index(error):
                raise
            continue
        assert told <= reached <= told + 1, f"kill {kill}: batch {told} was acknowledged, {reached} is there"
        assert texts == forks.batch(reached), f"kill {kill}: not the articles of batch {reached}"
        assert states.content(open_store(store))
        unsaid += reached > told
    print(f"\nacknowledged: {acknowledged} of {acknowledged} builds kept over {kills} kills ({unsaid} more unsaid)")
    assert acknowledged


BATCHES = 16
SHARED_MEMORY = "index.sqlite-shm"
"""Lives in memory, and is made again from the rest."""


@dataclass(frozen=True)
class Recording:
    """What a run of builds did to its folder, and what the index was after each."""

    events: list[Event]
    folder: Path
    contents: dict[int, object]

    def survived(self, files: dict[str, bytes]) -> int | str:
        """The generation that is whole in a folder of these files, 0 for none yet, or what is wrong."""
        folder = self.folder.with_name("survivors")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in files.keys() - {SHARED_MEMORY}:
            (folder / name).write_bytes(files[name])
        store, generation = open_store(folder), 0
        try:
            generation = states.generation(store)
            if states.content(store) != self.contents[generation]:
                return f"not the content of generation {generation}"
        except StoreError as error:
            if not is_no_index(error):
                return str(error)
        states.build(self.folder.with_name("corpus"), store)
        if states.content(store) != self.contents[BATCHES]:
            return f"generation {generation} is not completed by the next build"
        return generation


def is_no_index(error: StoreError) -> bool:
    return str(error).startswith("There is no index in")


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if not compiler or not sys.platform.startswith("linux"):
        pytest.skip("there is no C compiler (cc) for Linux to make the recorder of writes with")
    library = tmp_path_factory.mktemp("recorder") / "recorder.so"
    source = Path(disk.__file__).with_name("recorder.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl", "-lpthread"], check=True)
    return library


@pytest.fixture(scope="module")
def recording(recorder: Path, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return recorded(recorder, tmp_path_factory.mktemp("recorded"))


def recorded(recorder: Path, folder: Path, *more: str) -> Recording:
    """A run of builds in a process of its own; its log must lead to the very files that it left."""
    corpus, store, log = folder / "corpus", folder / "store", folder / "log"
    store.mkdir()
    environment = os.environ | {"LD_PRELOAD": str(recorder), "RECORD_FOLDER": str(store), "RECORD_LOG": str(log)}
    command = [sys.executable, "-m", "tests.torture.batches", str(corpus), str(store), str(BATCHES), *more]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=120)
    events, drive = read_log(log), Disk()
    for event in events:
        drive.play(event)
    left = {path.name: path.read_bytes() for path in store.iterdir() if path.name not in (disk.ACK, SHARED_MEMORY)}
    assert {name: data for name, data in drive.files().items() if name != SHARED_MEMORY} == left
    assert drive.acknowledged == BATCHES
    return Recording(events, store, reference(folder / "reference"))


def reference(folder: Path) -> dict[int, object]:
    """{batch: content} of builds that nothing happened to."""
    store, found = open_store(folder / "store"), {}
    for number in range(1, BATCHES + 1):
        states.write(folder / "corpus", forks.batch(number))
        states.build(folder / "corpus", store)
        found[number] = states.content(store)
    return found


def played(events: list[Event], instants: list[int]) -> Iterator[Disk]:
    """The disk at these instants, each the number of events that have happened, in order."""
    drive, done = Disk(), 0
    for instant in instants:
        for event in events[done:instant]:
            drive.play(event)
        done = instant
        yield drive


@pytest.mark.slow
def test_a_kill_after_any_write_leaves_the_last_index_or_the_next(recording: Recording, scale: Scale) -> None:
    instants = list(range(1, len(recording.events), scale(7, 1)))
    wrong = []
    for instant, drive in zip(instants, played(recording.events, instants), strict=True):
        found = recording.survived(drive.files())
        if found not in (drive.acknowledged, drive.acknowledged + 1):
            wrong.append((instant, drive.acknowledged, found))
    print(f"\nkills after a write: {len(instants) - len(wrong)} of {len(instants)} whole, in {BATCHES} builds")
    assert wrong == []


def test_a_first_build_that_is_killed_in_its_first_write_left_no_index(recording: Recording, tmp_path: Path) -> None:
    (end,) = [n for n, event in enumerate(recording.events) if (event.operation, event.name[-8:]) == ("U", "-journal")]
    (drive,) = played(recording.events, [end])
    for name, data in drive.files().items():
        (tmp_path / name).write_bytes(data)
    store = open_store(tmp_path)
    with pytest.raises(StoreError, match="There is no index in"), store.snapshot():
        pass
    assert not store.built()


def power_failures(recording: Recording, many: int, seed: int) -> list[tuple[int, int | str]]:
    """(acknowledged, what survived) at so many instants, half of them soon after an acknowledgement."""
    chance, events = random.Random(seed), recording.events
    told = [n for n, event in enumerate(events) if event.name == disk.ACK and event.operation == "W"]
    near = [chance.choice(told) + chance.randint(1, 4) for _ in range(many // 2)]
    instants = sorted(near + [chance.randint(1, len(events)) for _ in range(many - many // 2)])
    return [
        (drive.acknowledged, recording.survived(drive.survivors(chance)))
        for drive in played(recording.events, instants)
    ]


@pytest.mark.slow
def test_a_build_that_was_acknowledged_outlives_a_power_failure(recording: Recording, scale: Scale) -> None:
    many = scale(60, 300)
    results = power_failures(recording, many, seed=3)
    wrong = [(told, found) for told, found in results if found not in (told, told + 1)]
    print(f"\npower failures: {many - len(wrong)} of {many} whole with every build that was acknowledged")
    assert wrong == []


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_a_store_that_does_not_wait_for_the_disk_is_caught(
    recorder: Path, tmp_path: Path, scale: Scale, synchronous: str
) -> None:
    many = scale(40, 300)
    results = power_failures(recorded(recorder, tmp_path, synchronous), many, seed=4)
    damaged = sum(isinstance(found, str) for _, found in results)
    lost = sum(isinstance(found, int) and found < told for told, found in results)
    print(f"\npower failures with synchronous={synchronous}: {lost} of {many} lost a build, {damaged} left damage")
    assert lost
    assert synchronous == "OFF" or not damaged


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory, scale: Scale) -> list[Result]:
    """What came of every case of damage; a process that dies of one fails here, and is told which it was."""
    command = [
        sys.executable,
        "-m",
        "tests.torture.damage",
        str(tmp_path_factory.mktemp("damage")),
        str(scale(400, 3000)),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    lines = done.stdout.splitlines()  # The name of a case, and what came of it, in turn.
    assert done.returncode == 0, f"{lines[-1:]} ended the process ({done.returncode}): {done.stderr[-2000:]}"
    return [Result(**json.loads(line)) for line in lines[1::2]]


def instructs(outcome: str) -> bool:
    """Whether it was refused with a sentence that ends with what to do."""
    return bool(
        re.match(
            r"refused: .*run `qa (index|doctor|doctor --repair)`( again| to build (one|it anew))?\.$",
            outcome,
            re.DOTALL,
        )
    )


@pytest.mark.slow
def test_a_damaged_file_of_the_index_is_seen_or_does_no_harm(damaged: list[Result]) -> None:
    right = sum(result.read == RIGHT for result in damaged)
    wrong = [r for r in damaged if r.read != RIGHT and (r.derived or not instructs(r.read))]
    refused = len(damaged) - right - len(wrong)
    print(f"\ndamage: {len(damaged)} cases, {right} read right, {refused} refused, {len(wrong)} wrong")
    assert wrong == []
    assert right > len(damaged) // 4
    assert refused > len(damaged) // 10


def test_a_dense_file_of_brackets_does_no_harm(update: Update, tmp_path: Path) -> None:
    shutil.copy(update.old_store / "index.sqlite", tmp_path)
    (tmp_path / "dense.faiss").write_bytes(b"[" * 100_000)
    assert states.content(open_store(tmp_path)) == update.old


def test_a_build_over_a_damaged_index_mends_it_or_is_refused(damaged: list[Result]) -> None:
    right = sum(result.built == RIGHT for result in damaged)
    wrong = [r for r in damaged if r.built != RIGHT and not instructs(r.built)]
    refused = len(damaged) - right - len(wrong)
    print(f"\nbuilds over damage: {len(damaged)} cases, {right} mended, {refused} refused, {len(wrong)} signed it")
    assert wrong == []


def test_a_build_does_not_make_damage_the_truth(tmp_path: Path) -> None:
    corpus, folder = tmp_path / "corpus", tmp_path / "store"
    states.write(corpus, states.corpus({1: "true"}))
    states.build(corpus, open_store(folder))
    database = folder / "index.sqlite"
    database.write_bytes(database.read_bytes().replace(b"in true 1", b"in sham 1"))
    states.write(corpus, states.corpus({1: "true", 2: "true"}))
    with suppress(StoreError):
        states.build(corpus, open_store(folder))
    with suppress(StoreError), open_store(folder).snapshot() as snapshot:
        assert "sham" not in snapshot.document("1/1.txt").text


def test_what_a_killed_build_left_is_gone_after_the_next(helper: Forks, update: Update, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(update.old_store, store)
    left = store / "dense.99999999-1"  # No process has such a number.
    left.write_bytes(b"half an index")
    os.utime(left, (0, 0))
    helper.run(Order(str(update.corpus), str(store)))
    assert sorted(path.name for path in store.iterdir()) == ["dense.faiss", "index.sqlite"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[serving.State, serving.State]:
    folder = tmp_path_factory.mktemp("both")
    return serving.known(folder / "a", serving.A), serving.known(folder / "b", serving.B)


@pytest.fixture(scope="module")
def seen(
    both: tuple[serving.State, serving.State], tmp_path_factory: pytest.TempPathFactory, scale: Scale
) -> serving.Counts:
    store = tmp_path_factory.mktemp("served")
    states.build(both[0].corpus, open_store(store))
    return serving.Scene(store, both).play(readers=30, rebuilders=2, seconds=scale(6, 60))


@pytest.mark.slow
def test_thirty_readers_see_one_state_or_the_other_while_two_rebuild(seen: serving.Counts) -> None:
    print(
        f"\nserving: {seen.answers} answers ({seen.quotes} quotes), {seen.documents} documents, {seen.absent} absent, "
        f"{seen.catalogues} catalogues during {seen.committed} builds; {seen.waited} builds told that another runs, "
        f"{seen.locked_out} reads told so; {len(seen.wrong)} wrong"
    )
    assert seen.wrong == []
    assert seen.quotes > seen.answers
    assert seen.committed > 2
    assert seen.waited


def test_no_reader_is_told_that_a_build_is_running(
    seen: serving.Counts, both: tuple[serving.State, serving.State], tmp_path: Path, scale: Scale
) -> None:
    """Nor is one that is alone: when the last one leaves, the log is taken away, and nobody may come in."""
    states.build(both[0].corpus, open_store(tmp_path))
    builds, told, read = scale(60, 300), Counter[str](), 0
    ended = threading.Event()

    def rebuild() -> None:
        for number in range(builds):
            with suppress(StoreError):
                states.build(both[number % 2].corpus, open_store(tmp_path))
        ended.set()

    rebuilder, store = threading.Thread(target=rebuild), open_store(tmp_path)
    rebuilder.start()
    while not ended.is_set():
        try:
            with store.snapshot() as snapshot:
                read += bool(snapshot.sources())
        except StoreError as error:
            told[str(error)] += 1
    rebuilder.join()
    print(f"\na lone reader: {read} snapshots read beside {builds} builds, {told.total()} refused")
    assert told == {}
    assert seen.locked_out == 0
