"""Where an index lives: the `Store` protocol of `qa.types`, one file an engine."""

from __future__ import annotations

from pathlib import Path

from qa.store.sqlite import SqliteStore
from qa.types import Store

__all__ = ["open_store"]


def open_store(where: str | Path) -> Store:
    """The store of that folder. Nothing is read yet; the folder need not exist."""
    return SqliteStore(Path(where))
