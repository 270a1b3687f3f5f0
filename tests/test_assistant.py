from __future__ import annotations

import math
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import qa
from qa import Assistant, CorpusError, Filters, Passage, QAError, Quote, StoreError
from qa.assistant import MAX_QUESTION
from qa.confidence import CALIBRATION, Calibration, write_calibration
from qa.store.snapshot import SqliteSnapshot
from qa.types import NO_FILTERS
from tests.conftest import CORPUS, Library, WordReranker
from tests.test_documents import TEXTS
from tests.test_segments import LINES

QUESTIONS = (
    "How many grenade launchers did the army seize?",
    "Who rejected the offer?",
    "Which helicopter may be assembled in Mexico?",
    "neutrality constitution 1939",
    "What happened in Culiacán?",
    "¿Quién rechazó las tropas?",
    "How much did the helicopters cost?",
)


def verify(assistant: Assistant, question: str) -> None:
    """Every span is the document's own text."""
    passages = assistant.retrieve(question, 20, include_comments=True)
    items: list[Passage | Quote] = [*passages, *assistant.ask(question, include_comments=True).quotes]
    for item in items:
        assert assistant.document(item.source).text[item.start : item.end] == item.text


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_span_is_verbatim(assistant: Assistant, question: str) -> None:
    verify(assistant, question)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(st.lists(TEXTS | LINES.map("\r\n".join)).map("".join), min_size=1, max_size=3))
def test_every_span_is_verbatim_whatever_the_files_hold(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    library = Library(tmp_path_factory.mktemp("library"))
    for number, text in enumerate(texts):
        library.write(f"{number}.{'md' if number % 2 else 'txt'}", text)
    library.build()
    for question in ("the river rose by two metres", "a story of boats and a", "Q 😀 é"):
        verify(library.assistant, question)
    for number, text in enumerate(texts):
        assert library.assistant.document(f"{number}.{'md' if number % 2 else 'txt'}").text == text


def test_passages_come_best_first_and_as_many_as_asked(assistant: Assistant) -> None:
    passages = assistant.retrieve("weapons of the cartels", k=7)
    assert len(passages) == 7
    assert [p.score for p in passages] == sorted((p.score for p in passages), reverse=True)
    assert assistant.retrieve("weapons of the cartels", k=3) == passages[:3]


def test_the_module_functions_take_the_store_and_answer_alike(assistant: Assistant, corpus_store: Path) -> None:
    question = "Who rejected the offer?"
    assert qa.retrieve(question, k=3, store=corpus_store) == assistant.retrieve(question, k=3)
    assert qa.ask(question, store=corpus_store) == assistant.ask(question)
    text, source = "a report about it in the wall street journal was true", "2025-05-04-no-us-troops.md"
    assert qa.verify_quote(text, source, corpus_store) == assistant.verify_quote(text, source)
    assert [verdict.found for verdict in assistant.verify_quote(text, source)] == ["exact"]


def test_the_settings_name_the_default_store(corpus_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_STORE", str(corpus_store))
    assert qa.retrieve("helicopters", k=1)[0].source == "2018-10-31-helicopter-assembly.md"


@pytest.mark.parametrize("question", ["", "   \n", "?!", "…"])
def test_an_empty_question_says_what_to_do(assistant: Assistant, question: str) -> None:
    for use in (assistant.ask, assistant.retrieve):
        with pytest.raises(QAError, match=r"^The question is empty; type at least one word\.$"):
            use(question)


def test_a_question_of_100_000_characters_says_what_to_do(assistant: Assistant) -> None:
    with pytest.raises(QAError, match=r"^The question has 100,000 characters; shorten it to at most 2,000\.$"):
        assistant.ask("a" * 100_000)
    assert assistant.ask("a" * MAX_QUESTION).quotes


@pytest.mark.parametrize("k", [0, -1, 101])
def test_an_odd_number_of_passages_says_what_to_do(assistant: Assistant, k: int) -> None:
    with pytest.raises(QAError, match=r"ask for a number from 1 to 100\.$"):
        assistant.retrieve("goats", k=k)


def test_an_index_by_another_embedder_says_what_to_do(corpus_store: Path) -> None:
    other = qa.Settings(embedder="somebody/else")
    with pytest.raises(
        StoreError, match=r"all-MiniLM-L6-v2 and somebody/else is set; run `qa index` to build it anew\.$"
    ):
        Assistant.open(corpus_store, other)


def test_no_folder_and_no_article_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="There is no folder"):
        qa.build_index(tmp_path / "none", tmp_path / "store")
    with pytest.raises(CorpusError, match=r"has no article \(\.txt, \.md, "):
        qa.build_index(tmp_path, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def user(*questions: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question} for question in questions]


@pytest.mark.parametrize("question", ["What did it cost?", "And who is Taylor Swift?", "And the capital of Brazil?"])
def test_the_question_before_does_not_answer_a_follow_up(assistant: Assistant, question: str) -> None:
    earlier = user("How many grenade launchers did the army seize?")
    assert assistant.ask(earlier[0]["content"]).answered
    assert not assistant.ask(question, earlier).answered


def test_a_question_that_stands_alone_is_answered_alone(assistant: Assistant) -> None:
    earlier = user("How many grenade launchers did the army seize?")
    for question in (
        "Who said that Mexico is nobody's colony?",
        "Who rejected US troops?",
        "Is there a Russian helicopter?",
    ):
        assert assistant.ask(question, earlier) == assistant.ask(question)


@pytest.mark.parametrize(
    ("question", "searched"),
    [
        ("How many granade launchers did the army seize?", "How many grenade launchers did the army seize?"),
        ("What did Claudia Sheinbam reject?", "What did Claudia Sheinbaum reject?"),
        ("Why did AMLO refuse?", "Why did AMLO (Andrés Manuel López Obrador) refuse?"),
        ("¿Quién rechazó la oferta?", "who rejected the offer?"),
    ],
)
def test_people_may_use_their_own_words(assistant: Assistant, question: str, searched: str) -> None:
    assert assistant.ask(question).question == searched


def test_one_question_asks_several_articles(assistant: Assistant) -> None:
    answer = assistant.ask("What do the articles say about Ken Salazar?")
    sources = [quote.source for quote in answer.quotes]
    assert answer.answered
    assert {"2022-03-28-salazar-and-koronelli.md", "2024-01-26-army-weapons-with-cartels.md"} <= set(sources)
    assert len(set(sources)) == len(sources), "one quote of each"


def test_where_one_article_alone_speaks_of_a_topic_it_says_more(assistant: Assistant) -> None:
    answer = assistant.ask("What do the articles say about Russian spies?")
    assert answer.answered
    assert {quote.source for quote in answer.quotes} == {"2022-03-28-salazar-and-koronelli.md"}
    assert len(answer.quotes) > 1


def test_an_account_over_time_goes_from_the_oldest_to_the_newest(library: Library) -> None:
    for year, goats in ((2021, "forty"), (2019, "ten"), (2023, "sixty")):
        library.write(
            f"{2030 - year}.md",
            f"---\ndate: {year}-05-01\n---\n\n# The ferry\n\nThe ferry and its goats carried {goats} people over.\n",
        )
    library.build()
    answer = library.assistant.ask("How has the ferry and its goats changed over time?")
    assert answer.by_date
    assert [quote.date for quote in answer.quotes] == ["2019-05-01", "2021-05-01", "2023-05-01"]
    assert answer.text.startswith("2019-05-01: The ferry and its goats carried ten people over. [1]")


def test_readers_speak_when_they_are_asked_for(library: Library) -> None:
    library.write(
        "a.txt",
        "A ferry\n\nThe ferry left at noon on Monday, and nobody was hurt at all on the way over.\n\n"
        "2 comments\n\n1. Jane Doe\n\nThe ferry should carry more goats!\n\n2. Al\n\nNo more goats.\n",
    )
    library.build()
    answer = library.assistant.ask("What do readers say about the ferry?")
    assert {quote.kind for quote in answer.quotes} == {"comment"}
    assert (answer.quotes[0].text, answer.quotes[0].author) == ("The ferry should carry more goats!", "Jane Doe")
    library.write("a.txt", "A ferry\n\nThe ferry left at noon on Monday, and nobody was hurt at all on the way over.\n")
    library.build()
    assert {quote.kind for quote in library.assistant.ask("What do readers say about the ferry?").quotes} == {"body"}


def test_why_a_passage_stands_where_it_does(assistant: Assistant) -> None:
    passages = assistant.retrieve("How many grenade launchers did the army seize?", k=5)
    assert [passage.ranks.reranked for passage in passages] == [1, 2, 3, 4, 5]
    assert (passages[0].ranks.dense, passages[0].ranks.lexical) == (1, 1)
    assert passages[0].ranks.logit > 5 > passages[-1].ranks.logit
    assert passages[0].ranks.cosine > passages[-1].ranks.cosine
    assert assistant.ask("How many grenade launchers did the army seize?").passages[0] == passages[0]


def test_a_calibration_beside_the_index_decides_what_is_answered(corpus_store: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(corpus_store, store)
    question = "How many grenade launchers did the army seize?"
    assert Assistant.open(store, qa.Settings()).ask(question).answered
    write_calibration(store, CALIBRATION.rescaled(1.0, -20.0))
    strict = Assistant.open(store, qa.Settings()).ask(question)
    assert not strict.answered
    assert strict.quotes
    (store / "calibration.json").write_text("{")
    with pytest.raises(QAError, match=r"cannot be read .*; remove it, or run `qa eval --calibrate`\.$"):
        Assistant.open(store, qa.Settings())


@pytest.mark.parametrize("question", ["字 " * 600, "a b c d e f g h " * 120])
def test_a_question_of_too_many_tokens_says_what_to_do(assistant: Assistant, question: str) -> None:
    for use in (assistant.ask, assistant.retrieve):
        with pytest.raises(QAError, match=r"^The question is longer than the 254 tokens that are read; shorten it\.$"):
            use(question)


def test_a_question_as_long_as_can_be_is_answered(assistant: Assistant) -> None:
    assert assistant.ask("weapon " * 250).quotes
    assert assistant.ask("and it " * 126, user("weapons " * 200)).question == ("and it " * 126).strip()
    assert assistant.ask("army \udcff number").question == "army ? number"


def test_the_answer_says_which_question_was_searched(assistant: Assistant) -> None:
    answer = assistant.ask("And what did she offer instead?", user("Who rejected Trump's offer of troops?"))
    assert answer.question == "And what did she offer instead? (rejected Trump troops)"
    assert answer.quotes[0].source == "2025-05-04-no-us-troops.md"


def test_the_corpus_is_not_touched_by_building(tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in CORPUS.rglob("*")}
    qa.build_index(CORPUS, tmp_path / "store")
    assert {path: path.read_bytes() for path in CORPUS.rglob("*")} == before


@pytest.mark.parametrize(
    ("filters", "admitted"),
    [
        (Filters(since="2024"), {"2024-01-26", "2024-01-27", "2025-05-04"}),
        (Filters(since="2022-03", until="2022-03-29"), {"2022-03-28"}),
        (Filters(until="2018"), {"2018-10-31"}),
        (Filters(documents=("2022-03-30-neutrality.md", "2025-05-04-no-us-troops.md")), {"2022-03-30", "2025-05-04"}),
        (Filters(since="2025", documents=("2022-03-30-neutrality.md", "2025-05-04-no-us-troops.md")), {"2025-05-04"}),
    ],
)
def test_only_admitted_documents_are_found_and_all_of_them(
    assistant: Assistant, filters: Filters, admitted: set[str]
) -> None:
    assert {p.date for p in assistant.retrieve("Mexico", 100, filters=filters)} == admitted
    answer = assistant.ask("How many grenade launchers did the army seize?", filters=filters)
    assert set() < {quote.date for quote in answer.quotes} <= {passage.date for passage in answer.passages} <= admitted
    assert answer.answered == ("2024-01-26" in admitted)


def test_a_filtered_retrieve_has_the_best_of_what_is_admitted(assistant: Assistant) -> None:
    filters = Filters(until="2022")
    every = assistant.retrieve("weapons", 100)
    expected = {(p.source, p.start): p.ranks.logit for p in every if p.date < "2023"}
    found = assistant.retrieve("weapons", 100, filters=filters)
    assert {(p.source, p.start): p.ranks.logit for p in found} == pytest.approx(expected)
    assert assistant.retrieve("weapons", 2, filters=filters) == found[:2]


def test_a_follow_up_keeps_to_the_filters(assistant: Assistant) -> None:
    question, earlier = "And who is the ambassador?", user("What do the articles say about Russian spies?")
    filters = Filters(documents=("2022-03-28-salazar-and-koronelli.md",))
    answer = assistant.ask(question, earlier, False, filters)
    assert {quote.source for quote in answer.quotes} == set(filters.documents)
    assert {passage.source for passage in answer.passages} == set(filters.documents)
    assert answer.question == assistant.ask(question, earlier).question


def test_filters_that_all_pass_change_nothing(assistant: Assistant, corpus_store: Path) -> None:
    question, everything = "What do the articles say about Ken Salazar?", Filters(since="2018", until="2025")
    assert assistant.ask(question, filters=everything) == assistant.ask(question)
    assert assistant.retrieve(question, 5, True, everything) == assistant.retrieve(question, 5, True)
    assert qa.ask(question, (), corpus_store, False, everything) == assistant.ask(question)
    assert qa.retrieve(question, 5, corpus_store, True, everything) == assistant.retrieve(question, 5, True)


def test_without_filters_no_catalogue_is_read(assistant: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(SqliteSnapshot, "entries")
    for filters in (NO_FILTERS, Filters()):
        assert assistant.retrieve("helicopters", 1, filters=filters)
        assert assistant.ask("Who rejected the offer?", filters=filters).answered


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        (
            Filters(documents=("ferry.txt",)),
            "The index has no document 'ferry.txt'; check how it is written, or run `qa index` to add what is new.",
        ),
        (
            Filters(documents=("2022-03-30-neutrality.md", "ferry.txt"), outlets=("example.com", "\udcff")),
            r"The index has no document 'ferry.txt' and no outlet 'example.com' and no outlet '\udcff'; "
            "check how it is written, or run `qa index` to add what is new.",
        ),
        (Filters(since="2031"), "No article passes all of the filters; widen the dates, or leave a filter out."),
        (
            Filters(until="2021", documents=("2022-03-30-neutrality.md",)),
            "No article passes all of the filters; widen the dates, or leave a filter out.",
        ),
    ],
)
def test_filters_that_none_passes_say_what_to_do(assistant: Assistant, filters: Filters, sentence: str) -> None:
    for use in (assistant.ask, assistant.retrieve):
        with pytest.raises(QAError) as raised:
            use("Who rejected the offer?", filters=filters)
        assert str(raised.value) == sentence


def mixed(library: Library) -> Library:
    """Dated and undated articles of a host and of two folders, one with comments and one with an odd address."""
    for source, date, url in (
        ("a.md", "2023-05-01", "https://www.example.com/a"),
        ("boats/b.md", "2024-05-01", ""),
        ("boats/c.md", "", "http://[odd"),
        ("goats/d.md", "2024-06-01", "https://example.com/d"),
        ("goats/e.md", "", ""),
    ):
        comments = (
            "\n2 comments\n\n1. Jane\n\nForty goats were seasick!\n\n2. Al\n\nNo more goats.\n"
            if "d.md" in source
            else ""
        )
        story = f"# The ferry\n\nThe ferry of {source} carried forty goats on Monday.\n{comments}"
        library.write(source, f"---\ndate: {date}\nurl: {url}\n---\n\n{story}")
    library.build()
    return library


@pytest.mark.parametrize(
    ("filters", "admitted"),
    [
        (Filters(outlets=("example.com",)), {"a.md", "goats/d.md"}),
        (Filters(outlets=("boats",)), {"boats/b.md", "boats/c.md"}),
        (Filters(outlets=("goats", "boats")), {"boats/b.md", "boats/c.md", "goats/e.md"}),
        (Filters(since="0001"), {"a.md", "boats/b.md", "goats/d.md"}),
        (Filters(until="9999", outlets=("boats",)), {"boats/b.md"}),
        (Filters(documents=("goats/e.md", "boats/c.md", "none.md")), {"goats/e.md", "boats/c.md"}),
    ],
)
def test_outlets_are_hosts_or_folders_and_the_undated_are_in_no_range(
    library: Library, filters: Filters, admitted: set[str]
) -> None:
    assistant = mixed(library).assistant
    assert {p.source for p in assistant.retrieve("ferry goats", filters=filters)} == admitted
    answer = assistant.ask("What do the articles say about the ferry?", filters=filters)
    assert set() < {quote.source for quote in answer.quotes} <= admitted


def test_readers_of_admitted_articles_alone_speak(library: Library) -> None:
    assistant = mixed(library).assistant
    kinds = {
        source: {quote.kind for quote in assistant.ask("What do readers say about goats?", filters=chosen).quotes}
        for source in ("a.md", "goats/d.md")
        for chosen in [Filters(documents=(source,))]
    }
    assert kinds == {"a.md": {"body"}, "goats/d.md": {"comment"}}


def test_an_admitted_article_without_a_passage_answers_nothing(library: Library) -> None:
    library.write("empty.txt", "\n")
    assistant = mixed(library).assistant
    alone = Filters(documents=("empty.txt",))
    assert assistant.retrieve("goats", filters=alone) == []
    answer = assistant.ask("goats", filters=alone)
    assert (answer.answered, answer.quotes) == (False, ())


def test_the_confidence_knows_how_many_passages_were_searched(library: Library) -> None:
    mixed(library)
    by_size = Calibration(offset=0, passage=0, sentence=0, cosine=0, missing=0, size=1)
    assistant = Assistant(library.store, library.embedder, WordReranker(), by_size)
    sizes = {
        Filters(): 7,
        Filters(documents=("goats/d.md",)): 3,
        Filters(outlets=("example.com",)): 4,
        Filters(documents=("a.md",)): 1,
    }
    for filters, size in sizes.items():
        confidence = assistant.ask("ferry goats", filters=filters).confidence
        assert confidence == pytest.approx(1 / (1 + math.exp(-math.log10(size))))


def test_the_catalogue_is_that_of_the_newest_index(library: Library) -> None:
    assistant = mixed(library).assistant
    listed = [(entry.source, entry.outlet, entry.passages, entry.comments) for entry in assistant.entries()]
    assert listed == [
        ("a.md", "example.com", 1, 0),
        ("boats/b.md", "boats", 1, 0),
        ("boats/c.md", "boats", 1, 0),
        ("goats/d.md", "example.com", 1, 2),
        ("goats/e.md", "goats", 1, 0),
    ]
    assistant.entries().pop()
    assert [entry.source for entry in assistant.entries()] == assistant.sources()
    library.write("f.md", "The ferry\n\nThe ferry left at noon.\n")
    with pytest.raises(QAError, match=r"^The index has no document 'f\.md'; .* run `qa index` to add what is new\.$"):
        assistant.retrieve("ferry", filters=Filters(documents=("f.md",)))
    library.build()
    assert [p.source for p in assistant.retrieve("ferry", filters=Filters(documents=("f.md",)))] == ["f.md"]


def test_an_index_outlives_its_last_article_and_it_is_said(tmp_path: Path) -> None:
    corpus, store = tmp_path / "corpus", tmp_path / "store"
    corpus.mkdir()
    with pytest.raises(CorpusError, match=r"run `qa index`\.$"):
        qa.build_index(corpus, store)
    (corpus / "a.txt").write_text("The ferry left at noon on Monday with forty goats.", "utf-8")
    qa.build_index(corpus, store)
    (corpus / "a.txt").unlink()
    told = rf"run `qa index`; the index in {re.escape(str(store))} answers as before, until you remove that folder\.$"
    with pytest.raises(CorpusError, match=told):
        qa.build_index(corpus, store)
    assert Assistant.open(store).sources() == ["a.txt"]
