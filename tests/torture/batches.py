"""Builds that tell each time that they are done, for a power failure to be tried at every instant of them.

`python -m tests.torture.batches CORPUS STORE BATCHES [SYNCHRONOUS]`; the recorder is preloaded. The last word is
what the store is made to say for its own "PRAGMA synchronous = FULL".
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from qa.store import writer
from qa.store.sqlite import SqliteStore
from tests.torture import states
from tests.torture.disk import ACK
from tests.torture.forks import batch


class CarelessStore(SqliteStore):
    """Waits less for the disk than it should."""

    def __init__(self, folder: Path, synchronous: str) -> None:
        super().__init__(folder)

        class Careless(sqlite3.Connection):
            def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
                return super().execute(statement.replace("= FULL", f"= {synchronous}"), *parameters)

        self._factory = Careless

    def _connect(self, mode: str) -> sqlite3.Connection:
        address = f"{self._path.resolve().as_uri()}?mode={mode}"
        return sqlite3.connect(address, uri=True, isolation_level=None, timeout=0, factory=self._factory)


def main(corpus: Path, store: SqliteStore, batches: int) -> None:
    """Some builds have a reader beside them, so that the log outlives them and is not written back whole."""
    writer.LOG_PATIENCE = 1  # The readers will not leave.
    acknowledged = os.open(store.folder / ACK, os.O_WRONLY | os.O_CREAT)
    with ExitStack() as readers:
        for number in range(1, batches + 1):
            if number % 5 == 0:
                readers.close()
            if number % 5 == 1 and number > 1:
                readers.enter_context(store.snapshot())
            states.write(corpus, batch(number))
            states.build(corpus, store)
            os.pwrite(acknowledged, f"{number:9}".encode(), 0)


if __name__ == "__main__":
    folder, careless = Path(sys.argv[2]), sys.argv[4:]
    main(Path(sys.argv[1]), CarelessStore(folder, careless[0]) if careless else SqliteStore(folder), int(sys.argv[3]))
