"""What tries to break the index: kills, lost writes, damage, and readers beside rebuilders.

`make torture` runs them at full size, where each prints a line of figures.
"""

from __future__ import annotations

import random
import shutil
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from qa.store import open_store
from tests.conftest import Scale
from tests.torture import forks, states
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
        if not told and not open_store(store).built():
            continue
        with open_store(store).snapshot() as snapshot:
            reached = snapshot.manifest.generation
            texts = {source: snapshot.document(source).text for source in snapshot.sources()}
        assert told <= reached <= told + 1, f"kill {kill}: batch {told} was acknowledged, {reached} is there"
        assert texts == forks.batch(reached), f"kill {kill}: not the articles of batch {reached}"
        assert states.content(open_store(store))
        unsaid += reached > told
    print(f"\nacknowledged: {acknowledged} of {acknowledged} builds kept over {kills} kills ({unsaid} more unsaid)")
    assert acknowledged > kills
