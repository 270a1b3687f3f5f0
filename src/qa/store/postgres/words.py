"""Words as SQLite's full-text index cuts and stems them, so that BM25 in PostgreSQL gives the same figures.

PostgreSQL's own ranking does not know how rare a word is, and its stemmer is another one.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing

from qa.store.writer import LEXICAL

LONGEST = 100
"""Characters of a word that are kept; an index entry has room for about 2,700 bytes."""


def counted(texts: Sequence[tuple[str, str]]) -> list[Counter[str]]:
    """How often each word stands in each (title, text)."""
    found: list[Counter[str]] = [Counter() for _ in texts]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(LEXICAL)
        connection.execute("CREATE VIRTUAL TABLE word USING fts5vocab(lexical, instance)")
        connection.executemany(
            "INSERT INTO lexical (rowid, title, text) VALUES (?, ?, ?)",
            [(row, title, text) for row, (title, text) in enumerate(texts)],
        )
        for row, word, times in connection.execute("SELECT doc, term, count(*) FROM word GROUP BY doc, term"):
            found[row][word[:LONGEST]] += times
    return found


def asked(telling: Sequence[str]) -> dict[str, int]:
    """{word: how often it is asked for} of the words of a question."""
    return dict(counted([("", " ".join(telling))])[0]) if telling else {}
