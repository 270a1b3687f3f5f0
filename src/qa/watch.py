"""Follow a folder: build whenever its files have changed and come to rest.

It looks again and again instead of being told by the system, which works on every disk, network and container alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TypeAlias

from qa import documents
from qa.types import CorpusError

PAUSE = 1.0
"""Seconds between two looks at the least."""

SHARE = 20
"""A look takes one part in so many of the time: 10,000 files need 0.2 s, so they are looked at every four seconds."""

Look: TypeAlias = dict[str, tuple[int, int, int]]


def watch(corpus: Path, build: Callable[[], bool], stop: Event, pause: float = PAUSE) -> None:
    """Call `build` at once and after every change, until `stop` is set.

    A change is waited for to end: the folder must look the same twice. A build that returns False is tried again.
    What it raises ends the watch.
    """
    seen = look(corpus)
    while not stop.is_set():
        built = seen if build() else None  # Seen before the build, so what changed meanwhile is built again.
        while not stop.wait(pause):
            began, before = time.monotonic(), seen
            seen = look(corpus)
            if seen == before != built:
                break
            stop.wait(SHARE * (time.monotonic() - began))


def look(corpus: Path) -> Look:
    """{file: (inode, size, time of change)} of a folder's articles, {} while it cannot be listed."""
    try:
        files = documents.scan(corpus)[0]
    except CorpusError:
        return {}
    found: Look = {}
    for file in files:
        try:
            status = (corpus / file).stat()
            found[file] = (status.st_ino, status.st_size, status.st_mtime_ns)
        except OSError:
            found[file] = (0, 0, 0)
    return found
