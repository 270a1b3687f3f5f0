from __future__ import annotations

import errno
import json
import math
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from qa.confidence import CALIBRATION, Signs
from qa.evaluate import (
    Case,
    Change,
    Share,
    append_case,
    below,
    calibrated,
    compare,
    measures,
    read_cases,
    read_outcomes,
    run,
    write_outcomes,
)
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
        "answer in first quote": Share(2, 3),
        "answer in any quote": Share(3, 3),
        "answerable answered": Share(2, 3),
        "unanswerable refused": Share(1, 2),
        "follow-ups right": Share(0, 0),
        "short answer right": Share(0, 0),
        "short answer left out": Share(2, 2),
    }


def test_short_answers_are_compared_as_words() -> None:
    said = {
        "right": replace(
            answer("right", True, "the forty  Goats."), short=Quote("forty goats", "a", 4, 15, "", "", "body")
        ),
        "other": replace(answer("other", True, "forty goats"), short=Quote("goats", "a", 6, 11, "", "", "body")),
        "none": answer("none", True, "forty goats"),
        "open": answer("open", True, "forty goats"),
        "unsaid": answer("unsaid", True, "forty goats"),
    }
    wanted = {"right": ("The forty-goats",), "other": ("forty goats",), "none": ("forty goats",), "open": ()}
    results = run([Case(q, ("goats",), (), wanted.get(q)) for q in said], lambda question, _: said[question])
    found = measures(results)
    assert found["short answer right"] == Share(1, 3)
    assert found["short answer left out"] == Share(1, 1)


@pytest.mark.parametrize(
    ("share", "value", "low", "high"),
    [
        (Share(8, 10), 0.8, 0.490, 0.943),  # Wilson's interval, worked out by hand
        (Share(10, 10), 1.0, 0.722, 1.0),
        (Share(0, 10), 0.0, 0.0, 0.278),
    ],
)
def test_a_share_has_its_interval(share: Share, value: float, low: float, high: float) -> None:
    assert share.value == value
    assert share.interval == pytest.approx((low, high), abs=5e-4)


def confident(question: str, confidence: float) -> Answer:
    return replace(answer(question, confidence >= 0.5, "x"), confidence=confidence)


def test_a_calibration_moves_even_odds_between_the_classes() -> None:
    cases = [Case(f"{n}", ("x",)) for n in range(12)] + [Case(f"no {n}", ()) for n in range(12)]
    # An index on which everything looks too good: what it cannot answer gets .6 to .7, what it can .9 and more.
    results = run(cases, lambda q, history: confident(q, 0.6 + len(q) / 100 if "no" in q else 0.9 + len(q) / 100))
    fitted = calibrated(results, CALIBRATION)
    signs = Signs(passage=8.0, sentence=7.0, cosine=0.6, missing=0, size=3.0)
    odds = math.log(CALIBRATION.confidence(signs) / (1 - CALIBRATION.confidence(signs)))
    moved = CALIBRATION.rescaled(fitted.passage / CALIBRATION.passage, 0.0)
    slope, shift = fitted.passage / CALIBRATION.passage, fitted.offset - moved.offset
    below, above = (slope * math.log(p / (1 - p)) + shift for p in (0.65, 0.92))
    assert below < 0 < above
    assert fitted.confidence(signs) == pytest.approx(1 / (1 + math.exp(-(slope * odds + shift))))
    with pytest.raises(
        QAError, match=r"^Calibrating needs 10 questions with an answer and 10 without; add some to the file\.$"
    ):
        calibrated(results[:15], CALIBRATION)


def test_what_changed_since_the_last_run(tmp_path: Path) -> None:
    cases = [Case("a", ("x",)), Case("b", ("x",)), Case("c", (), ("before",)), Case("new", ("x",))]
    first = run(cases[:3], lambda question, history: answer(question, question == "a", "x"))
    kept = tmp_path / "eval.json"
    assert read_outcomes(kept) == {}
    write_outcomes(kept, first)
    assert read_outcomes(kept) == {"a": True, "b": False, "before – c": True}
    with pytest.raises(QAError, match=r"cannot be written \(.*\); make its folder writable\.$"):
        write_outcomes(tmp_path / "none" / "eval.json", first)
    second = run(cases, lambda question, history: answer(question, question != "a", "x"))
    assert compare(second, read_outcomes(kept)) == Change(mended=("b",), broken=("a", "before – c"))


def test_history_reaches_the_assistant_as_messages() -> None:
    seen: list[object] = []

    def ask(question: str, history: Sequence[Mapping[str, str]]) -> Answer:
        seen.append((question, list(history)))
        return answer(question, False)

    run([Case("And?", (), ("Who?", "What?"))], ask)
    assert seen == [("And?", [{"role": "user", "content": "Who?"}, {"role": "user", "content": "What?"}])]


def test_a_measure_under_its_floor_is_named() -> None:
    floors = {"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.5}
    fallen = below({"a": Share(1, 2), "b": Share(49, 100), "c": Share(0, 0)}, floors)
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


KEPT = [
    Case("¿Who left\u2028at noon? \x85 😀", ("forty goats", 'the "ferry"\n')),
    Case("And the harbour?", (), ("Who left?", "When?")),
]


def test_a_case_that_is_added_is_read_again_and_its_note_stands_beside(tmp_path: Path) -> None:
    file = tmp_path / "eval" / "mine" / "q.jsonl"
    append_case(
        file, KEPT[0], {"reason": "wrong quote", "said": "salt ☃", "question": "not this", "history": "nor this"}
    )
    append_case(file, KEPT[1], {})
    assert read_cases(file) == KEPT
    first, second = (json.loads(line) for line in file.read_bytes().split(b"\n")[:-1])
    assert (first["reason"], first["said"]) == ("wrong quote", "salt ☃")
    assert second == {"question": "And the harbour?", "history": ["Who left?", "When?"], "expected": "unanswerable"}
    assert "☃" in file.read_text("utf-8")


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_an_added_case_has_a_line_of_its_own(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_bytes(b'{"question": "a", "expected": ["b"]}' + ending.encode())
    append_case(file, KEPT[1], {"said": "\udcff"})
    assert read_cases(file) == [Case("a", ("b",)), KEPT[1]]
    assert file.read_bytes().count(b"\n") == 2


def test_cases_added_at_once_are_all_kept(tmp_path: Path) -> None:
    cases = [Case(f"{number} " + "x" * 5_000, ()) for number in range(40)]
    threads = [threading.Thread(target=append_case, args=(tmp_path / "q.jsonl", case, {})) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(case.question for case in read_cases(tmp_path / "q.jsonl")) == sorted(c.question for c in cases)


def test_a_case_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(QAError, match=r"q\.jsonl cannot be written \(Not a directory\); make its folder writable\.$"):
        append_case(tmp_path / "file" / "sub" / "q.jsonl", KEPT[0], {})
    with pytest.raises(QAError, match=r"cannot be written \(Is a directory\)"):
        append_case(tmp_path, KEPT[0], {})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(QAError, match=r"cannot be written \(No space left on device\); make its folder writable\.$"):
        append_case(tmp_path / "q.jsonl", KEPT[0], {})


def full(_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_projects_cases_quote_its_articles() -> None:
    texts = "\n".join(path.read_text("utf-8") for path in ROOT.joinpath("corpus").glob("*.md"))
    cases = read_cases(ROOT / "eval" / "questions.jsonl")
    assert all(words in texts for case in cases for words in case.expected)
    evened = " ".join(texts.split())
    assert all(case.short is not None for case in cases if case.expected), (
        "somebody has said which short answers will do"
    )
    assert all(words in evened for case in cases for words in case.short or ())
    assert sum(bool(case.short) for case in cases) >= 60
    assert len({(case.question, case.history) for case in cases}) == len(cases)
    assert len(cases) >= 80
    assert sum(not case.expected for case in cases) >= len(cases) / 3
    assert sum(bool(case.history) for case in cases) >= len(cases) / 6
    floors = json.loads((ROOT / "eval" / "floors.json").read_text())
    assert floors.keys() == measures([]).keys()
