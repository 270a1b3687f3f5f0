"""Where an index lives: the `Store` protocol of `qa.types`, one file an engine."""

from __future__ import annotations

from qa.store.sqlite import SqliteStore
from qa.types import Database, Place, Store, StoreError, place

__all__ = ["open_store"]


def open_store(where: str | Place) -> Store:
    """The store of that folder or database. Nothing is read yet; it need not exist.

    StoreError for a database when what speaks to one is not installed.
    """
    found = place(where)
    return _database(found) if isinstance(found, Database) else SqliteStore(found)


def _database(found: Database) -> Store:
    try:
        from qa.store.postgres import PostgresStore
    except ImportError as error:
        raise StoreError(
            "QA_STORE names a database and psycopg is not installed; run `.venv/bin/pip install -e '.[postgres]'`."
        ) from error
    return PostgresStore(found)
