"""Connections to PostgreSQL: a pool for questions, one for each build, retries, and its errors as sentences."""

from __future__ import annotations

import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg
from psycopg_pool import ConnectionPool

from qa.store.postgres.schema import Connection
from qa.types import Database, StoreError

POOL = 8
"""Connections that questions share; as many questions are read for at once as there are cores (`assistant.py`)."""

CONNECT_SECONDS = 5
"""How long one server is waited for; an address may name several, which are tried in turn."""

ASK_TIMEOUT = "30s"
BUILD_TIMEOUT = "15min"
"""What one statement may take."""

HUNG = "10min"
"""How long a build may hold its share of the articles without a sign of life, before others take it over."""

SEARCHED = 200
"""Candidates of the HNSW index, twice those that are taken; the default, 40, would lose half of them."""

WAITS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
"""Seconds before a lost transaction is tried again, half of it by chance: a standby that takes over needs some."""

LOST = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction)
"""What a server that goes away raises, or one that is only a standby now. In a transaction nothing was kept."""

FINAL = (psycopg.errors.QueryCanceled, psycopg.errors.InsufficientPrivilege, psycopg.errors.DiskFull)
"""What would only happen again."""

Result = TypeVar("Result")


class Gate:
    """The connections of one store. Every method may be called from any thread."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._pool: ConnectionPool[Connection] | None = None
        self._lock = threading.Lock()

    def connect(self) -> Connection:
        """A connection of one's own, for a build."""
        connection = psycopg.connect(
            self.database.url,
            autocommit=True,
            prepare_threshold=None,  # A pooler between may hand the next statement to another server process.
            connect_timeout=CONNECT_SECONDS,
            application_name="qa index",
        )
        for name, value in (
            ("statement_timeout", BUILD_TIMEOUT),
            ("idle_in_transaction_session_timeout", HUNG),
            ("tcp_keepalives_idle", "30"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "3"),
        ):
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        return connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection inside a transaction that sees one generation, whatever is committed meanwhile."""
        pool = self._opened()
        with self.guarded():
            connection = retried(pool.getconn)
            try:
                connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                yield connection
            finally:
                with suppress(psycopg.Error):
                    connection.rollback()
                pool.putconn(connection)

    def _opened(self) -> ConnectionPool[Connection]:
        with self._lock:
            if self._pool is None:
                with self.guarded():  # What never worked is told at once, and why.
                    self.connect().close()
                self._pool = ConnectionPool(
                    self.database.url,
                    kwargs={
                        "autocommit": True,
                        "prepare_threshold": None,
                        "connect_timeout": CONNECT_SECONDS,
                        "application_name": "qa",
                    },
                    min_size=0,
                    max_size=POOL,
                    timeout=CONNECT_SECONDS,
                    configure=_configure,
                    check=ConnectionPool.check_connection,
                    open=True,
                )
                weakref.finalize(self, self._pool.close)
        return self._pool

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Map the database's errors, once, to a sentence that says what to do."""
        try:
            yield
        except psycopg.Error as error:
            raise StoreError(self._says(error)) from error

    def _says(self, error: psycopg.Error) -> str:
        said = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, psycopg.errors.QueryCanceled):
            return f"The database {self.database} took longer than it may ({said}); ask again, or look at its load."
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            return f"The role may not do that in {self.database} ({said}); docs/scaling.md has the rights it needs."
        if isinstance(error, LOST):
            return f"The database {self.database} cannot be reached ({said}); check QA_STORE and that the server runs."
        return f"The index in {self.database} cannot be used ({said}); run `qa doctor`."


def retried(act: Callable[[], Result], waits: tuple[float, ...] = WAITS) -> Result:
    """What `act` returns, tried again with growing pauses while the database is lost."""
    for wait in waits:
        try:
            return act()
        except FINAL:
            raise
        except LOST:
            time.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret; all come back at different times
    return act()


def _configure(connection: Connection) -> None:
    for name, value in (
        ("statement_timeout", ASK_TIMEOUT),
        ("idle_in_transaction_session_timeout", HUNG),
        ("hnsw.ef_search", str(SEARCHED)),
        ("hnsw.iterative_scan", "strict_order"),
    ):
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
