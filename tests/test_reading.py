"""The few words that answer: which ones they are, where they stand, and that they are left out where none are sure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa import Assistant
from qa.answer import READER_DEPTH
from qa.reading import LONGEST, WIDER, Evidence, best, read
from qa.types import Reading, Span
from tests.conftest import CORPUS, ROOT, Library

LOGITS = st.floats(-8, 8, width=32)
SURE = 8.0


def reading(begins: Sequence[float], ends: Sequence[float], none: float = 0.0) -> Reading:
    """Tokens of two characters with a blank behind each."""
    tokens = tuple(Span(3 * n, 3 * n + 2) for n in range(len(begins)))
    return Reading(tokens, np.array(begins, np.float32), np.array(ends, np.float32), none, 0.0)


@given(
    data=st.lists(st.tuples(LOGITS, LOGITS), min_size=1, max_size=45),
    part=st.tuples(st.integers(0, 140), st.integers(0, 140)),
)
def test_the_likeliest_words_are_found_in_any_part(data: list[tuple[float, float]], part: tuple[int, int]) -> None:
    within = Span(min(part), max(part))
    read_ = reading([b for b, _ in data], [e for _, e in data], none=1.5)
    inside = [n for n in range(len(data)) if within.start <= 3 * n and 3 * n + 2 <= within.end]
    sums = {
        (a, b): float(read_.begins[a]) + float(read_.ends[b]) for a in inside for b in inside if a <= b < a + LONGEST
    }
    found = best(read_, within)
    if not sums:
        assert found is None
        return
    assert found is not None
    assert found.margin == pytest.approx(max(sums.values()) - 1.5, abs=1e-5)
    first, last = found.span.start // 3, (found.span.end - 2) // 3
    likely = {place for place, total in sums.items() if total >= max(sums.values()) - WIDER - 1e-4}
    assert (first, last) in likely
    assert any(first <= a and b <= last and sums[a, b] >= max(sums.values()) - 1e-4 for a, b in likely)
    wider = {(a, b) for a, b in likely if a <= first and last <= b} - {(first, last)}
    assert all(sums[place] < max(sums.values()) - WIDER + 1e-4 for place in wider), "nothing wider is as likely"


class Marking:
    """Reads as the answer whatever of a text stands first in `words`, with a margin of SURE; else sees none."""

    name = "marking"

    def __init__(self, *words: str) -> None:
        self.words = words

    def read(self, question: str, texts: Sequence[str]) -> Iterator[Reading]:
        return (self._read(text) for text in texts)

    def _read(self, text: str) -> Reading:
        tokens, at = [], 0
        for word in text.split():
            at = text.index(word, at)
            tokens.append(Span(at, at + len(word)))
            at += len(word)
        found = next((text.find(words) for words in self.words if words in text), -1)
        length = next((len(words) for words in self.words if words in text), 0)
        begins = np.array([SURE if token.start == found else 0.0 for token in tokens], np.float32)
        ends = np.array([SURE if token.end == found + length else 0.0 for token in tokens], np.float32)
        return Reading(tuple(tokens), begins, ends, SURE, SURE if found >= 0 else -SURE)


def with_reader(library: Library, *words: str) -> Assistant:
    whole = library.assistant
    return Assistant(library.store, library.embedder, whole._reranker, reader=Marking(*words))


TITLED = "---\ntitle: Goats of the north\n---\n\nThe farm  is old. It has forty goats and\na hen. The farm was sold.\n"


def test_the_few_words_stand_in_the_first_quote_at_their_place_in_the_file(library: Library) -> None:
    library.write("goats.md", TITLED)
    library.build()
    answer = with_reader(library, "forty goats").ask("forty goats has it?")
    assert answer.short is not None
    first, short = answer.quotes[0], answer.short
    assert short.text == "forty goats"
    assert TITLED[short.start : short.end] == "forty goats"
    assert first.start <= short.start < short.end <= first.end
    assert replace(short, text=first.text, start=first.start, end=first.end) == first, "all else is the quote's"


def test_words_in_a_title_or_in_another_sentence_are_no_short_answer(library: Library) -> None:
    library.write("goats.md", TITLED)
    library.build()
    for words in ("Goats of", "The farm was sold."):
        assert with_reader(library, words).ask("forty goats has it?").short is None


def test_the_title_before_a_later_passage_is_no_part_of_what_stands_there_in_the_file(library: Library) -> None:
    text = "The farm is old, and it has forty goats. " + "Salt was dear in that year of the long frost. " * 12
    library.write("goats.md", f"---\ntitle: Nobody saw a hen\n---\n\n{text}")
    library.build()
    assistant = with_reader(library, "Nobody saw", "Salt was")
    passages = assistant.retrieve("forty goats farm has it old?")
    late = max(passages, key=lambda passage: passage.start)
    evidence = Evidence(dict(read(assistant._reader, "?", [late])))
    assert late.start > len(text) / 3
    assert evidence.within(late, Span(late.start - 30, late.start)) is None
    found = evidence.within(late, Span(late.start - 30, late.end))
    assert found
    assert late.start <= found.span.start < found.span.end <= late.end


def test_the_two_best_passages_are_read_and_no_more(library: Library) -> None:
    for number, words in enumerate(("goats and hens", "goats and", "goats"), 1):
        library.write(f"{number}.md", f"The {words} were sold in spring {number}.\n")
    library.build()
    assistant = library.assistant
    seen: list[str] = []

    class Watching(Marking):
        def read(self, question: str, texts: Sequence[str]) -> Iterator[Reading]:
            seen.extend(texts)
            return super().read(question, texts)

    watched = Assistant(library.store, library.embedder, assistant._reranker, reader=Watching("hens"))
    watched.ask("goats and hens?")
    assert seen == [passage.chunk.context for passage in assistant.retrieve("goats and hens?")[:READER_DEPTH]]
    assert len(seen) == READER_DEPTH == 2


def test_what_is_refused_has_no_short_answer(library: Library) -> None:
    library.write("goats.md", TITLED)
    library.build()
    answer = with_reader(library, "forty goats").ask("zebras quagga okapi tapir")
    assert not answer.answered
    assert answer.short is None


def test_without_a_reader_nothing_is_marked(library: Library) -> None:
    library.write("goats.md", TITLED)
    library.build()
    assert library.assistant.ask("forty goats has it?").short is None
    assert Evidence(dict(read(None, "forty?", []))).answers is None


@pytest.mark.slow
def test_questions_with_one_changed_fact_are_told_apart(assistant: Assistant) -> None:
    """The floors of eval/changed.jsonl; BENCHMARKS.md has the table and the target."""
    rows = [json.loads(line) for line in (ROOT / "eval" / "changed.jsonl").read_text("utf-8").splitlines()]
    pairs = [(assistant.ask(row["question"]), assistant.ask(row["changed"])) for row in rows]
    assert len(pairs) >= 60
    assert sum(true.confidence > changed.confidence for true, changed in pairs) / len(pairs) >= 0.94
    assert sum(true.answered and not changed.answered for true, changed in pairs) / len(pairs) >= 0.73
    for answer in chain(*pairs):
        if answer.short:
            text = assistant.document(answer.short.source).text
            first = answer.quotes[0]
            assert answer.short.text == text[answer.short.start : answer.short.end]
            assert first.start <= answer.short.start < answer.short.end <= first.end


def test_the_pairs_quote_the_articles() -> None:
    texts = " ".join(" ".join(path.read_text("utf-8").split()) for path in CORPUS.glob("*.md"))
    rows = [json.loads(line) for line in (ROOT / "eval" / "changed.jsonl").read_text("utf-8").splitlines()]
    assert all(words in texts for row in rows for words in row["expected"])
    assert len({row["changed"] for row in rows} | {row["question"] for row in rows}) == 2 * len(rows)
    assert {row["kind"] for row in rows} == {"number", "name", "date", "negation", "opposite", "role"}
