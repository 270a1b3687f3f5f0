"""Cases, measures and floors: how well an index answers questions whose answers are known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qa.types import Answer, QAError

Ask = Callable[[str, Sequence[Mapping[str, str]]], Answer]


@dataclass(frozen=True, slots=True)
class Case:
    """A question and the words its first quote must contain; no words mean that it must be refused."""

    question: str
    expected: tuple[str, ...]
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a case; `first` and `any` say whether the expected words stand in the first, or in any quote."""

    case: Case
    answer: Answer
    first: bool
    any: bool

    @property
    def right(self) -> bool:
        """Answered with the right quote first, or rightly refused."""
        return self.answer.answered and self.first if self.case.expected else not self.answer.answered


def read_cases(path: Path) -> list[Case]:
    """The cases of a file of JSON lines: {"question", "expected": [words, …] or "unanswerable", "history": […]}."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise QAError(f"{path} cannot be read ({error}); name a file of questions in UTF-8.") from error
    return [_case(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def read_floors(path: Path) -> dict[str, float]:
    """The least values of a JSON file {"measure": value, …}."""
    try:
        return {str(name): float(value) for name, value in json.loads(path.read_text("utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise QAError(f'{path} cannot be read ({error}); write {{"answer in first quote": 0.8}}.') from error


def _case(path: Path, number: int, line: str) -> Case:
    try:
        row: dict[str, Any] = json.loads(line)
        expected = row["expected"]
        if expected != "unanswerable" and not (isinstance(expected, list) and expected and all(expected)):
            raise ValueError("neither a list of words nor unanswerable")
        words = () if expected == "unanswerable" else tuple(map(str, expected))
        return Case(str(row["question"]), words, tuple(map(str, row.get("history", ()))))
    except (ValueError, KeyError, TypeError) as error:
        raise QAError(
            f'{path}, line {number} is no case; write {{"question": "…", "expected": ["…"]}} or "unanswerable".'
        ) from error


def run(cases: Sequence[Case], ask: Ask) -> list[Result]:
    """Ask every question, in order."""
    return [_result(case, ask(case.question, [{"role": "user", "content": q} for q in case.history])) for case in cases]


def _result(case: Case, answer: Answer) -> Result:
    hits = [any(words in quote.text for words in case.expected) for quote in answer.quotes]
    return Result(case, answer, first=any(hits[:1]), any=any(hits))


def measures(results: Sequence[Result]) -> dict[str, float]:
    """Shares between 0 and 1: answers in the first and in any quote, questions rightly answered and rightly refused."""
    answerable = [result for result in results if result.case.expected]
    missing = [result for result in results if not result.case.expected]
    return {
        "answer in first quote": _share(result.first for result in answerable),
        "answer in any quote": _share(result.any for result in answerable),
        "answerable answered": _share(result.answer.answered for result in answerable),
        "unanswerable refused": _share(not result.answer.answered for result in missing),
    }


def below(measured: Mapping[str, float], floors: Mapping[str, float]) -> list[str]:
    """A sentence for every measure that fell under its floor."""
    return [
        f"{name} is {measured.get(name, math.nan):.3f}, under its floor of {floor:.3f}"
        for name, floor in floors.items()
        if not measured.get(name, math.nan) >= floor
    ]


def _share(values: Any) -> float:
    counted = [bool(value) for value in values]
    return sum(counted) / len(counted) if counted else math.nan
