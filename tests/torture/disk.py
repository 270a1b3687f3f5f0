"""A disk that may lose what was not synced: the log of recorder.c, played up to the instant when the power fails."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""

ACK = "ack"
"""The file to which a build's number is written when the build has returned."""

_HEAD = struct.Struct("=cQII")


@dataclass(frozen=True, slots=True)
class Event:
    """One record of the log; see recorder.c for the operations."""

    operation: str
    number: int
    name: str
    data: bytes


def read_log(path: Path) -> list[Event]:
    """The records, in order."""

    def events(log: bytes) -> Iterator[Event]:
        at = 0
        while at < len(log):
            operation, number, name, length = _HEAD.unpack_from(log, at)
            start = at + _HEAD.size
            at = start + name + length
            yield Event(operation.decode(), number, log[start : start + name].decode(), log[start + name : at])

    return list(events(path.read_bytes()))


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes at an offset; without bytes the file ends there from then on."""

    offset: int
    data: bytes | None


@dataclass(eq=False, slots=True)
class File:
    """What is safe of a file, and what has been written to it since."""

    safe: bytearray = field(default_factory=bytearray)
    pending: list[Write] = field(default_factory=list)

    def whole(self) -> bytes:
        """The file as the running system sees it."""
        seen = bytearray(self.safe)
        for write in self.pending:
            _apply(seen, write)
        return bytes(seen)

    def sync(self) -> None:
        """Make it all safe."""
        self.safe = bytearray(self.whole())
        self.pending.clear()

    def survivor(self, chance: random.Random, lost: float) -> bytes:
        """The file after the power failed: every write since the last sync is there, is lost or is torn."""
        kept = bytearray(self.safe)
        for write in self.pending:
            if chance.random() < lost:
                if write.data and chance.random() < 0.3:  # The length is known, but what is there was not written.
                    _grow(kept, write.offset + len(write.data), chance)
            elif write.data is None or chance.random() < 0.7:
                _apply(kept, write, chance)
            else:
                for part in _sectors(write):
                    if chance.random() < 0.5:
                        _apply(kept, part, chance)
        return bytes(kept)


@dataclass(frozen=True, slots=True)
class Change:
    """A name in the folder that stands for a file from now on, or for none (file: None); `old` is the name it had."""

    name: str
    file: File | None
    old: str = ""


class Disk:
    """A folder on that disk, without folders in it."""

    def __init__(self) -> None:
        self.names: dict[str, File] = {}
        self.acknowledged = 0
        self._safe_names: dict[str, File] = {}
        self._pending: list[Change] = []

    def play(self, event: Event) -> None:
        """Let one thing happen."""
        if event.name == ACK:
            if event.operation == "W":
                self.acknowledged = int(event.data)
        elif event.operation in "WT":
            written = event.data if event.operation == "W" else None
            self.names[event.name].pending.append(Write(event.number, written))
        elif event.operation == "S":
            self._sync(event.name)
        elif event.operation == "O":
            self._open(event.name, emptied=bool(event.number))
        elif event.operation == "U":
            self._change(Change(event.name, None))
        elif event.operation == "R":
            self._change(Change(event.data.decode(), self.names[event.name], old=event.name))
        else:
            raise ValueError(f"The log cannot tell what happened: {event}")

    def files(self) -> dict[str, bytes]:
        """The files as the running system sees them: what a kill leaves."""
        return {name: file.whole() for name, file in self.names.items()}

    def survivors(self, chance: random.Random) -> dict[str, bytes]:
        """The files after the power failed at this instant."""
        names = dict(self._safe_names)
        # A journal keeps the order of what happens to names; a file system without one keeps what it happens to.
        happened = self._pending[: chance.randint(0, len(self._pending))]
        if chance.random() < 0.5:
            happened = [change for change in self._pending if chance.random() < 0.5]
        for change in happened:
            _rename(names, change)
        lost = chance.choice((0.1, 0.5, 0.9, 1.0))
        return {name: file.survivor(chance, lost) for name, file in names.items()}

    def _open(self, name: str, emptied: bool) -> None:
        if name not in self.names:
            self._change(Change(name, File()))
        elif emptied:
            self.names[name].pending.append(Write(0, None))

    def _sync(self, name: str) -> None:
        """Make the folder safe (""), or a file and the name that it was made with."""
        if not name:
            for change in self._pending:
                _rename(self._safe_names, change)
            self._pending.clear()
            return
        file = self.names[name]
        file.sync()
        for change in [change for change in self._pending if change.file is file and not change.old]:
            earlier = self._pending[: self._pending.index(change) + 1]
            later = self._pending[len(earlier) :]
            self._pending = [other for other in earlier if other.name != change.name] + later
            self._safe_names[change.name] = file

    def _change(self, change: Change) -> None:
        self._pending.append(change)
        _rename(self.names, change)


def _rename(names: dict[str, File], change: Change) -> None:
    if change.old and names.get(change.old) is change.file:
        del names[change.old]
    if change.file is None:
        names.pop(change.name, None)
    else:
        names[change.name] = change.file


def _apply(content: bytearray, write: Write, chance: random.Random | None = None) -> None:
    if write.data is None:
        del content[write.offset :]
        _grow(content, write.offset)
    else:
        _grow(content, write.offset, chance)
        content[write.offset : write.offset + len(write.data)] = write.data


def _grow(content: bytearray, size: int, chance: random.Random | None = None) -> None:
    """Make it that long; what nobody wrote is zeros, or after a power failure whatever was on the disk."""
    missing = max(0, size - len(content))
    content += chance.randbytes(missing) if chance and chance.random() < 0.5 else bytes(missing)


def _sectors(write: Write) -> Iterator[Write]:
    assert write.data is not None
    at, end = write.offset, write.offset + len(write.data)
    while at < end:
        then = min(end, (at // SECTOR + 1) * SECTOR)
        yield Write(at, write.data[at - write.offset : then - write.offset])
        at = then
