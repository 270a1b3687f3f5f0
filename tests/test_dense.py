"""The derived dense index alone: what half precision keeps, and that a patched index is a fresh one."""

from __future__ import annotations

import faiss
import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.store import dense
from qa.types import ChunkKey, Kind, Vectors

WIDTH = 32


def unit(rows: npt.NDArray[np.float32]) -> Vectors:
    found: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def vectors_of(texts: list[str]) -> Vectors:
    """One a text, the same for the same text."""
    rows = [np.random.default_rng([*text.encode(), 1]).standard_normal(WIDTH, np.float32) for text in texts]
    return unit(np.array(rows, np.float32)) if rows else np.empty((0, WIDTH), np.float32)


Documents = dict[str, list[str]]
DOCUMENTS = st.dictionaries(
    st.sampled_from(["a", "b", "c/d", "é", "z"]), st.lists(st.sampled_from("uvwxyz"), max_size=4), max_size=5
)


def laid_out(documents: Documents) -> tuple[list[ChunkKey], list[Kind], list[str]]:
    keys = [(source, number) for source in sorted(documents) for number in range(len(documents[source]))]
    return keys, ["body"] * len(keys), [documents[source][number] for source, number in keys]


@settings(deadline=None)
@given(before=DOCUMENTS, after=DOCUMENTS)
def test_a_patched_index_is_to_the_byte_the_one_made_anew(before: Documents, after: Documents) -> None:
    old_keys, old_kinds, old_texts = laid_out(before)
    keys, kinds, texts = laid_out(after)
    old = dense.build("old", old_keys, old_kinds, vectors_of(old_texts))
    fresh = dense.build("new", keys, kinds, vectors_of(texts))
    same = {source for source in before if before[source] == after.get(source)}
    stays = np.array([source in same for source, _ in old_keys], np.bool_)
    new = np.array([source not in same for source, _ in keys], np.bool_)
    changed = vectors_of([text for text, is_new in zip(texts, new, strict=True) if is_new])
    patched = dense.patch(old.index, stays, "new", keys, kinds, new, changed)
    assert patched is not None
    assert faiss.serialize_index(patched.index).tobytes() == faiss.serialize_index(fresh.index).tobytes()
    assert (patched.stamp, patched.keys) == (fresh.stamp, fresh.keys)
    assert np.array_equal(patched.kinds, fresh.kinds)


def test_rows_that_do_not_add_up_are_not_patched() -> None:
    keys, kinds, texts = laid_out({"a": ["u", "v"], "b": ["w"]})
    old = dense.build("old", keys, kinds, vectors_of(texts)).index
    yes, no = np.ones(3, np.bool_), np.zeros(3, np.bool_)
    nothing = vectors_of([])
    assert dense.patch(old, yes[:2], "new", keys, kinds, no, nothing) is None
    assert dense.patch(old, no, "new", keys, kinds, no, nothing) is None
    assert dense.patch(old, yes, "new", keys, kinds, no, vectors_of(["x"])) is None
    assert dense.patch(old, yes, "new", keys, kinds, no, nothing) is not None


def test_half_precision_finds_the_ten_nearest() -> None:
    chance = np.random.default_rng(3)
    centres = unit(chance.standard_normal((400, 384), np.float32))

    def near(many: int) -> Vectors:  # Cosines of about .74 within a group, as passages on one subject have.
        noise = unit(chance.standard_normal((many, 384), np.float32))
        return unit(centres[chance.integers(0, len(centres), many)] + np.float32(0.6) * noise)

    rows, asked = near(20_000), near(100)
    keys = [(f"{number:05d}", 0) for number in range(len(rows))]
    index = dense.build("", keys, ["body"] * len(keys), rows)
    exact = np.argsort(-(asked @ rows.T), axis=1)[:, :10]
    found = [[int(source) for (source, _), _ in index.search(vector, ("body",), 10)] for vector in asked]
    kept = sum(len(set(a) & set(b)) for a, b in zip(found, exact.tolist(), strict=True))
    assert kept >= 0.99 * exact.size
