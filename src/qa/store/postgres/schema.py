"""The tables in PostgreSQL, the steps that lead from one version of them to the next, and whether they are there.

Everything of a document carries the document's id, by which the tables can be distributed (docs/scaling.md); no key or
constraint spans documents. `born` is the generation in which a row is first seen: what a build has not committed yet is
of the generation after the newest. What a build replaces is deleted in the transaction that makes the new one newest.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from qa.types import StoreError

Connection = psycopg.Connection[tuple[Any, ...]]

MIGRATIONS = (
    """
    CREATE TABLE verbatim.state (
        single boolean PRIMARY KEY DEFAULT true CHECK (single),
        embedder text NOT NULL, dimension integer NOT NULL, weights text NOT NULL, recipe text NOT NULL,
        generation bigint NOT NULL, plan text NOT NULL, chunks bigint NOT NULL, words bigint NOT NULL);
    CREATE TABLE verbatim.document (
        id uuid PRIMARY KEY, source text COLLATE "C" NOT NULL, born bigint NOT NULL, digest text NOT NULL,
        title text NOT NULL, date text NOT NULL, url text NOT NULL, author text NOT NULL, text text NOT NULL,
        pages text NOT NULL, sketch bytea NOT NULL, sum text NOT NULL,
        body integer NOT NULL, comments integer NOT NULL, words bigint NOT NULL);
    CREATE INDEX document_source ON verbatim.document (source, born);
    CREATE TABLE verbatim.segment (
        id uuid NOT NULL REFERENCES verbatim.document ON DELETE CASCADE, number integer NOT NULL, kind text NOT NULL,
        first integer NOT NULL, last integer NOT NULL, PRIMARY KEY (id, number));
    CREATE TABLE verbatim.chunk (
        id uuid NOT NULL REFERENCES verbatim.document ON DELETE CASCADE, number integer NOT NULL, born bigint NOT NULL,
        kind text NOT NULL, first integer NOT NULL, last integer NOT NULL, text text NOT NULL,
        vector bytea NOT NULL, embedding halfvec NOT NULL, PRIMARY KEY (id, number));
    CREATE INDEX chunk_vector ON verbatim.chunk (vector);
    CREATE TABLE verbatim.posting (
        word text COLLATE "C" NOT NULL, id uuid NOT NULL REFERENCES verbatim.document ON DELETE CASCADE,
        number integer NOT NULL, born bigint NOT NULL, kind text NOT NULL, times integer NOT NULL,
        length integer NOT NULL, PRIMARY KEY (word, id, number) INCLUDE (born, kind, times, length));
    CREATE INDEX posting_id ON verbatim.posting (id);
    CREATE TABLE verbatim.name (
        initials text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL,
        id uuid NOT NULL REFERENCES verbatim.document ON DELETE CASCADE, born bigint NOT NULL,
        PRIMARY KEY (initials, name, id));
    CREATE INDEX name_id ON verbatim.name (id);
    """,
    """
    CREATE TABLE verbatim.build (
        single boolean PRIMARY KEY DEFAULT true CHECK (single),
        plan text NOT NULL, weights text NOT NULL, recipe text NOT NULL, born bigint NOT NULL);
    CREATE TABLE verbatim.work (
        source text COLLATE "C" PRIMARY KEY, digest text NOT NULL, done boolean NOT NULL DEFAULT false);
    CREATE INDEX work_left ON verbatim.work (source) WHERE NOT done;
    """,
)
"""Step n leads from version n to n + 1. A step that was released is never changed; what changes is a step more."""

MIGRATING = 0x56455242_0
"""The advisory lock under which the tables are changed."""


def version(connection: Connection) -> int:
    """The version of the tables; 0 where there are none."""
    # Not to_regclass: it answers from what this session remembers, where another has made the tables meanwhile.
    query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'verbatim' AND tablename = 'migration'"
    if one(connection, query) == (0,):
        return 0
    (found,) = one(connection, "SELECT coalesce(max(version), 0) FROM verbatim.migration")
    return int(found)


def migrate(connection: Connection, steps: int = len(MIGRATIONS)) -> None:
    """Bring the tables to the version of this program; the index in them stays. StoreError when they are newer, or
    when the role may not.
    """
    if version(connection) == steps:
        return
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATING,))
            have = version(connection)
            if have > steps:
                raise StoreError("The index in the database is of a newer version; update this program.")
            if not have:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
                connection.execute("CREATE SCHEMA IF NOT EXISTS verbatim")
                connection.execute("CREATE TABLE verbatim.migration (version integer PRIMARY KEY)")
            for number in range(have, steps):
                connection.execute(MIGRATIONS[number])
                connection.execute("INSERT INTO verbatim.migration VALUES (%s)", (number + 1,))
    except psycopg.errors.FeatureNotSupported as error:
        raise StoreError("The database server lacks the extension pgvector; install it and run `qa index`.") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise StoreError(
            "The tables of the index are missing or old, and this role may not make them; run `qa index` once as the "
            "owner of the database (docs/scaling.md)."
        ) from error


def index_vectors(connection: Connection, dimension: int) -> None:
    """Have an HNSW index over vectors of this width (Malkov and Yashunin 2018, https://arxiv.org/abs/1603.09320)."""
    name = f"chunk_embedding_{dimension}"
    query = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'verbatim' AND indexname = %s"
    if one(connection, query, (name,)) == (0,):
        statement = sql.SQL(
            "CREATE INDEX IF NOT EXISTS {name} ON verbatim.chunk "
            "USING hnsw ((embedding::halfvec({width})) halfvec_ip_ops) WHERE vector_dims(embedding) = {width}"
        )
        connection.execute(statement.format(name=sql.Identifier(name), width=sql.Literal(dimension)))


def one(connection: Connection, query: Any, values: Any = None) -> tuple[Any, ...]:
    """The one row that a query gives."""
    row = connection.execute(query, values).fetchone()
    if row is None:
        raise psycopg.DataError("its tables are not what builds left")
    return row
