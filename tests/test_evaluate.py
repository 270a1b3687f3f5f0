from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from qa.evaluate import Case, below, measures, read_cases, run
from qa.types import Answer, QAError, Quote
from tests.conftest import ROOT


def answer(question: str, answered: bool, *texts: str) -> Answer:
    quotes = tuple(Quote(text, "a.txt", 0, len(text), "", "", "body") for text in texts)
    return Answer(question, "", answered, 0.5, quotes)


def test_measures_by_value() -> None:
    said = {
        "right": answer("right", True, "forty goats", "salt"),
        "second": answer("second", True, "salt", "forty goats"),
        "refused": answer("refused", False, "forty goats"),
        "missing": answer("missing", False, "salt"),
        "invented": answer("invented", True, "salt"),
    }
    cases = [Case(q, ("forty goats", "40 goats")) for q in ("right", "second", "refused")]
    cases += [Case(q, ()) for q in ("missing", "invented")]
    results = run(cases, lambda question, history: said[question])
    assert [result.right for result in results] == [True, False, False, True, False]
    assert measures(results) == {
        "answer in first quote": 2 / 3,
        "answer in any quote": 1.0,
        "answerable answered": 2 / 3,
        "unanswerable refused": 0.5,
    }


def test_history_reaches_the_assistant_as_messages() -> None:
    seen: list[object] = []

    def ask(question: str, history: Sequence[Mapping[str, str]]) -> Answer:
        seen.append((question, list(history)))
        return answer(question, False)

    run([Case("And?", (), ("Who?", "What?"))], ask)
    assert seen == [("And?", [{"role": "user", "content": "Who?"}, {"role": "user", "content": "What?"}])]


def test_a_measure_under_its_floor_is_named() -> None:
    floors = {"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.5}
    fallen = below({"a": 0.5, "b": 0.49, "c": math.nan}, floors)
    assert [sentence.split(" is ")[0] for sentence in fallen] == ["b", "c", "d"]
    assert fallen[0] == "b is 0.490, under its floor of 0.500"


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"question": "a"}',
        '{"expected": ["a"]}',
        '{"question": "a", "expected": 3}',
        '{"question": "a", "expected": "zebra"}',
        '{"question": "a", "expected": [""]}',
    ],
)
def test_a_line_that_is_no_case_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"question": "a", "expected": "unanswerable"}\n\n' + line)
    with pytest.raises(QAError, match=r"q\.jsonl, line 3 is no case; write "):
        read_cases(file)


def test_the_projects_cases_quote_its_articles() -> None:
    texts = "\n".join(path.read_text("utf-8") for path in ROOT.joinpath("corpus").glob("*.md"))
    cases = read_cases(ROOT / "eval" / "questions.jsonl")
    assert all(words in texts for case in cases for words in case.expected)
    assert len({case.question for case in cases}) == len(cases)
    floors = json.loads((ROOT / "eval" / "floors.json").read_text())
    assert floors.keys() == measures([]).keys()
