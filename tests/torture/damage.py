"""Every file of an index damaged in every way, in a process of its own, so that its death is seen too.

`python -m tests.torture.damage FOLDER CASES` names each case on a line of its own before it tries it and tells on the
next what came of it (see `Result`).
"""

from __future__ import annotations

import faulthandler
import json
import logging
import random
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from qa.store import open_store, writer
from qa.types import QAError
from tests.torture import states

DATABASE, WAL, SHARED_MEMORY, DENSE = "index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "dense.faiss"
RIGHT = "right"

Files: TypeAlias = Mapping[str, bytes | None]
"""{name: bytes} of a folder; None stands for a folder of that name."""

Damage: TypeAlias = Callable[[bytearray, int, random.Random], bytes | None]
"""From a file, the size of its pages and chance to what becomes of it."""

STATES = {
    "first": dict.fromkeys(range(7), "first"),
    "second": {n: "first" if n < 3 else "second" for n in range(1, 8)},
    "third": {n: "first" if n < 3 else "third" for n in range(2, 9)},
    "next": {n: "first" if n < 3 else "third" for n in range(2, 10)},
    "other": dict.fromkeys(range(4, 10), "other"),
    "other second": dict.fromkeys(range(5, 11), "other"),
}
"""The corpora; "first" to "next" are generations of one index."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An undamaged folder, and the states that it may answer with when its log is lost, the right one last."""

    files: Files
    holds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A damaged folder, and the states of which one may still be answered with."""

    name: str
    files: Files
    allowed: frozenset[str]
    derived: bool
    """Whether only what is derived was damaged, so that nothing is lost."""


@dataclass(frozen=True, slots=True)
class Result:
    """What reading a damaged index gave, and what then building the next state over it: RIGHT or what else."""

    name: str
    read: str
    built: str
    derived: bool


# --- what is damaged --------------------------------------------------------------------------------------------------


def samples(folder: Path) -> dict[str, Sample]:
    """Folders with and without a log, of two indexes, each as a process that died would have left it."""
    writer.LOG_PATIENCE = 1  # The readers will not leave.
    found: dict[str, Sample] = {}
    for index, generations in {"index": ("first", "second", "third"), "other": ("other", "other second")}.items():
        corpus, store, logged = folder / index / "corpus", folder / index / "store", folder / index / "logged"
        for state in generations:
            states.write(corpus, states.corpus(STATES[state]))
            states.build(corpus, open_store(store))
            found[state] = Sample(_files(store), (state,))
        shutil.copytree(_laid(found[generations[0]].files, folder / index / "again"), logged)
        with open_store(logged).snapshot():
            for state in generations[1:]:
                states.write(corpus, states.corpus(STATES[state]))
                states.build(corpus, open_store(logged))
            found[f"{index} logged"] = Sample(_files(logged), generations)
        _checkpoint(logged)
    corpus = folder / "index" / "corpus"
    found["index written back"] = Sample(_written_back(folder, found["index logged"].files), ("second", "third"))
    states.write(corpus, states.corpus(STATES["next"]))
    return found


def _written_back(folder: Path, logged: Files) -> Files:
    """The log stays beside a database that holds it all already."""
    store = _laid(logged, folder / "written back")
    with open_store(store).snapshot():
        _checkpoint(store)
        return _files(store)


def _checkpoint(store: Path) -> None:
    with closing(sqlite3.connect(store / DATABASE)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _files(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _laid(files: Files, folder: Path) -> Path:
    """The folder, made anew of these files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, data in files.items():
        if data is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(data)
    return folder


# --- how it is damaged ------------------------------------------------------------------------------------------------


def _flip(data: bytearray, page: int, chance: random.Random) -> bytes:
    used = [at for at, byte in enumerate(data) if byte] if chance.random() < 0.8 else range(len(data))
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        data[chance.choice(used)] ^= 1 << chance.randrange(8)
    return bytes(data)


def _cut(data: bytearray, page: int, chance: random.Random) -> bytes:
    end = chance.randrange(len(data))
    return bytes(data[: end // page * page if chance.random() < 0.5 else end])


def _grow(data: bytearray, page: int, chance: random.Random) -> bytes:
    return bytes(data) + chance.choice((bytes(page), chance.randbytes(page), bytes(data)))


def _zero_pages(data: bytearray, page: int, chance: random.Random) -> bytes:
    return _replaced(data, page, chance, lambda size: bytes(size))


def _random_pages(data: bytearray, page: int, chance: random.Random) -> bytes:
    return _replaced(data, page, chance, chance.randbytes)


def _duplicate_pages(data: bytearray, page: int, chance: random.Random) -> bytes:
    good = bytes(data)

    def another(size: int) -> bytes:
        start = chance.randrange(max(1, len(good) // page)) * page
        return good[start : start + size]

    return _replaced(data, page, chance, another)


def _replaced(data: bytearray, page: int, chance: random.Random, new: Callable[[int], bytes]) -> bytes:
    for _ in range(chance.choice((1, 1, 3))):
        start = chance.randrange((len(data) + page - 1) // page) * page
        end = min(start + page, len(data))
        data[start:end] = new(end - start).ljust(end - start, b"\0")
    return bytes(data)


DAMAGES: dict[str, Damage] = {
    "bits flipped": _flip,
    "cut": _cut,
    "grown": _grow,
    "pages zeroed": _zero_pages,
    "pages of noise": _random_pages,
    "pages duplicated": _duplicate_pages,
    "emptied": lambda data, page, chance: b"",
    "a folder": lambda data, page, chance: None,
}
OFTEN = ("bits flipped", "bits flipped", "cut", "pages zeroed", "pages of noise", "pages duplicated")


def cases(good: Mapping[str, Sample], many: int) -> Iterator[Case]:
    """So many: first every damage that leaves nothing to chance, then by chance, a third of them files swapped."""
    chance = random.Random(7)
    bases = ("third", "index logged", "index written back")
    for base in bases:
        for name in good[base].files:
            for damage in ("emptied", "a folder"):
                yield _damaged(good[base], base, name, damage, chance)
                many -= 1
    for number in range(many):
        if number % 3 == 0:
            swapped = (_swapped(good, chance) for _ in range(100))
            yield next(case for case in swapped if all(case.files != sample.files for sample in good.values()))
        else:
            base = chance.choice(bases)
            name = chance.choice([DATABASE, *good[base].files])
            yield _damaged(good[base], base, name, chance.choice((*DAMAGES, *OFTEN, *OFTEN)), chance)


def _damaged(sample: Sample, base: str, name: str, damage: str, chance: random.Random) -> Case:
    data = sample.files[name]
    assert data
    page = {DATABASE: 4096, WAL: 24 + 4096}.get(name, 512)
    files = {**sample.files, name: DAMAGES[damage](bytearray(data), page, chance)}
    if name == DATABASE and chance.random() < 0.8:  # Then the vectors are read from the database too.
        del files[DENSE]
    allowed = sample.holds if name == WAL else sample.holds[-1:]
    return Case(f"{base}: {name} {damage}", files, frozenset(allowed), derived=name in (DENSE, SHARED_MEMORY))


def _swapped(good: Mapping[str, Sample], chance: random.Random) -> Case:
    """Files of up to three folders together, or pages of one in the file of another."""
    base, other = chance.sample(sorted(good), 2)
    files, involved = dict(good[base].files), {base}
    for name in chance.sample((DATABASE, WAL, DENSE, SHARED_MEMORY), chance.choice((1, 1, 2))):
        theirs = good[other].files.get(name)
        if theirs is None:
            files.pop(name, None)
        else:
            files[name] = theirs if chance.random() < 0.6 else _mixed(files.get(name) or b"", theirs, chance)
        involved |= {other} if name != DENSE else set()
    allowed = {state for sample in involved for state in good[sample].holds}
    names = sorted(files.keys() | good[base].files.keys())
    swapped = [name for name in names if files.get(name) != good[base].files.get(name)]
    name = f"{base}: {' and '.join(swapped)} of {other}"
    return Case(name, files, frozenset(allowed), derived={*swapped} <= {DENSE, SHARED_MEMORY})


def _mixed(mine: bytes, theirs: bytes, chance: random.Random) -> bytes:
    """The one file, with some pages of the other: writes that never came, or came to the wrong place."""
    mixed, share = bytearray(mine), chance.choice((0.1, 0.5, 0.9))
    for start in range(0, len(theirs), 512 if chance.random() < 0.3 else 4096):
        if chance.random() < share and start <= len(mixed):
            mixed[start : start + 4096] = theirs[start : start + 4096]
    return bytes(mixed)


# --- what comes of it -------------------------------------------------------------------------------------------------


def main(folder: Path, many: int) -> None:
    good = samples(folder)
    contents: dict[str, object] = {}
    for state, numbers in STATES.items():
        corpus = folder / "whole" / state / "corpus"
        states.write(corpus, states.corpus(numbers))
        states.build(corpus, open_store(corpus.with_name("store")))
        contents[state] = states.content(open_store(corpus.with_name("store")))
    for case in cases(good, many):
        print(case.name, flush=True)
        signal.alarm(60)  # What hangs is killed by it, and named.
        store = _laid(case.files, folder / "damaged")
        read = _tried(partial(states.content, open_store(store)), [contents[state] for state in case.allowed])
        built = _tried(partial(_mended, folder / "index" / "corpus", store), [contents["next"]])
        print(json.dumps(asdict(Result(case.name, read, built, case.derived))), flush=True)


def _tried(read: Callable[[], object], allowed: list[object]) -> str:
    try:
        return RIGHT if read() in allowed else "wrong"
    except QAError as error:
        return f"refused: {error}"
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"


def _mended(corpus: Path, store: Path) -> object:
    """What the index holds after a build, for which the database is removed first where the build asks for it."""
    try:
        states.build(corpus, open_store(store))
    except QAError as error:
        if f"remove {store / DATABASE} and run" not in str(error):
            raise
        (store / DATABASE).unlink()
        states.build(corpus, open_store(store))
    return states.content(open_store(store))


if __name__ == "__main__":
    faulthandler.enable()
    logging.disable()
    main(Path(sys.argv[1]), int(sys.argv[2]))
