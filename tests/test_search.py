from __future__ import annotations

import pytest

from qa.search import RRF_K, fuse, readable, search
from qa.types import Chunk, Span
from tests.conftest import Library, WordReranker

A, B, C = ("a.txt", 0), ("a.txt", 1), ("b.txt", 0)


def test_fusion_sums_reciprocal_ranks() -> None:
    keys, scores = zip(*fuse([A, B], [C, A]), strict=True)
    assert keys == (A, C, B)
    assert scores == pytest.approx((1 / (RRF_K + 1) + 1 / (RRF_K + 2), 1 / (RRF_K + 1), 1 / (RRF_K + 2)))


def test_equal_scores_stand_in_the_order_of_source_and_position() -> None:
    assert [key for key, _ in fuse([C], [B], [A])] == [A, B, C]
    assert fuse([], []) == []


def test_equal_passages_stand_in_the_order_of_source(library: Library) -> None:
    for name in ("z", "m", "a"):
        library.write(f"{name}.txt", "Same\n\nThe very same ferry left at noon on Monday.\n")
    library.build()
    assert [passage.source for passage in library.assistant.retrieve("same ferry")] == ["a.txt", "m.txt", "z.txt"]


def test_comments_are_found_only_when_they_are_asked_for(library: Library) -> None:
    story = "A ferry\n\nThe ferry left at noon on Monday, and nobody was hurt at all on the way over.\n"
    library.write("a.txt", f"{story}\n2 comments\n\n1. Jane\n\nForty goats were seasick!\n\n2. Al\n\nGoats again.\n")
    library.build()
    assistant = library.assistant
    assert {p.kind for p in assistant.retrieve("forty goats seasick")} == {"body"}
    assert not assistant.ask("forty goats seasick").answered
    best = assistant.retrieve("forty goats seasick", include_comments=True)[0]
    assert (best.kind, best.text) == ("comment", "1. Jane\n\nForty goats were seasick!")
    quote = assistant.ask("goats were seasick", include_comments=True).quotes[0]
    assert (quote.kind, quote.text) == ("comment", "Forty goats were seasick!")


def test_only_comments_are_searched_when_there_is_nothing_else(library: Library) -> None:
    library.write("a.txt", "\n")
    library.build()
    assert library.assistant.retrieve("anything") == []
    assert library.assistant.ask("anything").quotes == ()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("It left. Who knows?", "It left."),
        ("Who left? Who stayed? Nobody knows.", "Who stayed? Nobody knows."),
        ("How long is it? Ten years.", "How long is it? Ten years."),
        ("Who left?\n\nA. Jane\n\nB. Al", "A. Jane B. Al"),
        ("It left.", "It left."),
        ("Why?", ""),
    ],
)
def test_questions_that_nobody_answers_are_not_read(text: str, read: str) -> None:
    chunk = Chunk("a.txt", 0, Span(0, len(text)), text, "body", "A ferry", "")
    assert readable(chunk) == f"A ferry\n{read}"


def test_an_exact_word_of_the_question_counts_beside_the_reranker(library: Library) -> None:
    library.write("a.txt", "Boats\n\nA vessel sailed to an isle at dawn.\n")
    library.write("b.txt", "Boats\n\nThe ferry number 4711 sailed at dawn.\n")
    library.build()
    passages = library.assistant.retrieve("ferry 4711", k=2)
    assert [(p.source, p.ranks.lexical) for p in passages] == [("b.txt", 1), ("a.txt", 0)]
    assert passages[0].score == pytest.approx(passages[0].ranks.logit + 2.0)
    assert passages[1].score == passages[1].ranks.logit


def test_both_rankings_are_of_the_sources_that_are_asked(library: Library) -> None:
    for name, load in (("a", "goats"), ("b", "goats and hay"), ("c", "hay")):
        library.write(f"{name}.txt", f"A ferry\n\nThe ferry carried {load} to the island at noon.\n")
    library.build()
    with library.store.snapshot() as snapshot:

        def found(sources: tuple[str, ...] | None) -> list[tuple[str, int, int]]:
            passages = search(snapshot, library.embedder, WordReranker(), "goats", 10, sources=sources)
            return [(passage.source, passage.ranks.dense, passage.ranks.lexical) for passage in passages]

        assert found(None) == [("a.txt", 1, 1), ("b.txt", 2, 2), ("c.txt", 3, 0)]
        assert found(("b.txt", "c.txt")) == [("b.txt", 1, 1), ("c.txt", 2, 0)]
        assert found(("c.txt",)) == [("c.txt", 1, 0)]
        assert found(()) == []
