"""Cases, measures and floors: how well an index answers questions whose answers are known."""

from __future__ import annotations

import errno
import io
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qa.confidence import Calibration
from qa.types import Answer, QAError

Z95 = 1.959964
"""Standard deviations of a normal distribution to either side that hold 95% of it."""

FEEDBACK = "feedback.jsonl"
"""The file beside an index that thumbs-down cases go into."""

FEWEST = 10
"""Questions of either class from which a calibration is fitted."""

Ask = Callable[[str, Sequence[Mapping[str, str]]], Answer]


@dataclass(frozen=True, slots=True)
class Case:
    """A question and the words its first quote must contain; no words mean that it must be refused. `short` are the
    short answers that will do, () where none does, None where nobody has said.
    """

    question: str
    expected: tuple[str, ...]
    history: tuple[str, ...] = ()
    short: tuple[str, ...] | None = None

    @property
    def bare(self) -> bool:
        """Whether no short answer is to be shown."""
        return not self.expected or self.short == ()


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total` cases."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        """Between 0 and 1; not a number without cases."""
        return self.hits / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies with a confidence of 95%. (Wilson 1927, https://doi.org/10.2307/2276774)"""
        if not self.total:
            return (0.0, 1.0)
        spread = Z95 * math.sqrt(self.value * (1 - self.value) / self.total + Z95**2 / (4 * self.total**2))
        middle, scale = self.value + Z95**2 / (2 * self.total), 1 + Z95**2 / self.total
        return (max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale))


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

    @property
    def short(self) -> bool:
        """Whether the short answer is one that will do; where none is to be shown, whether none is."""
        shown = self.answer.short
        return bare(shown.text) in map(bare, self.case.short or ()) if shown else not self.case.short


def read_cases(path: Path) -> list[Case]:
    """The cases of a file of JSON lines: {"question", "expected": [words, …] or "unanswerable", "history": […],
    "short": […]}, of which the last two may be missing.

    Other keys are for people to read.
    """
    try:
        lines = path.read_text("utf-8").split("\n")  # Not splitlines(), which also cuts at U+2028 inside a question.
    except (OSError, UnicodeDecodeError) as error:
        raise QAError(f"{path} cannot be read ({error}); name a file of questions in UTF-8.") from error
    return [_case(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def append_case(path: Path, case: Case, note: Mapping[str, str]) -> None:
    """Add a case to a file that `read_cases` reads, with a note in keys of its own; the folder is made where missing.

    The line is appended whole, also beside other writers. QAError when it cannot be written.
    """
    row = {"question": case.question, "history": case.history, "expected": case.expected or "unanswerable"}
    line = json.dumps({**row, **note, **row}, ensure_ascii=False) + "\n"  # A note takes no key of the case.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+", buffering=0) as file:  # Unbuffered: one write, which "a" (O_APPEND) puts at the end.
            data = (_line_break(file) + line).encode("utf-8", "replace")
            if file.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
    except OSError as error:
        raise QAError(f"{path} cannot be written ({error.strerror}); make its folder writable.") from error


def _line_break(file: io.FileIO) -> str:
    """What ends the last line of a file, where an editor has not."""
    if not file.tell():
        return ""
    file.seek(-1, os.SEEK_END)
    return "" if file.read() == b"\n" else "\n"


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
        short = tuple(map(str, row["short"])) if "short" in row else None
        return Case(str(row["question"]), words, tuple(map(str, row.get("history", ()))), short)
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


def measures(results: Sequence[Result]) -> dict[str, Share]:
    """Answers in the first and in any quote, questions rightly answered and rightly refused, follow-ups alone, and
    short answers that are right, or rightly left out.
    """
    answerable = [result for result in results if result.case.expected]
    missing = [result for result in results if not result.case.expected]
    return {
        "answer in first quote": share(result.first for result in answerable),
        "answer in any quote": share(result.any for result in answerable),
        "answerable answered": share(result.answer.answered for result in answerable),
        "unanswerable refused": share(not result.answer.answered for result in missing),
        "follow-ups right": share(result.right for result in results if result.case.history),
        "short answer right": share(result.short for result in results if result.case.short),
        "short answer left out": share(result.short for result in results if result.case.bare),
    }


def bare(text: str) -> str:
    """A short answer as it is compared: in lower case, without articles and what is no word or number.
    (Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250)
    """
    return " ".join(re.findall(r"\w+", re.sub(r"\b(?:a|an|the)\b", " ", text.lower())))


def share(values: Iterable[bool]) -> Share:
    """How many of the values are true."""
    counted = [bool(value) for value in values]
    return Share(sum(counted), len(counted))


def below(measured: Mapping[str, Share], floors: Mapping[str, float]) -> list[str]:
    """A sentence for every measure that fell under its floor, and for every floor that nothing measures."""
    values = {name: measured[name].value if name in measured else math.nan for name in floors}
    return [
        f"{name} is {values[name]:.3f}, under its floor of {floor:.3f}"
        for name, floor in floors.items()
        if not values[name] >= floor
    ]


def calibrated(results: Sequence[Result], used: Calibration) -> Calibration:
    """A calibration under which the confidence of these answers fits what became of them. (Platt 1999)

    It shifts and stretches the one that was `used`, no more: a few dozen questions tell that much and not the weight of
    every sign. QAError with fewer than FEWEST questions of either class.
    """
    from sklearn.linear_model import LogisticRegression

    known = [bool(result.case.expected) for result in results]
    if min(known.count(True), known.count(False)) < FEWEST:
        raise QAError(
            f"Calibrating needs {FEWEST} questions with an answer and {FEWEST} without; add some to the file."
        )
    odds = [[_log_odds(result.answer.confidence)] for result in results]
    fitted = LogisticRegression(class_weight="balanced").fit(odds, known)
    return used.rescaled(float(fitted.coef_[0][0]), float(fitted.intercept_[0]))


def _log_odds(confidence: float) -> float:
    bounded = min(1 - 1e-9, max(1e-9, confidence))
    return math.log(bounded / (1 - bounded))


# --- the last run -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """What differs from the run before: questions that became right, and that became wrong."""

    mended: tuple[str, ...]
    broken: tuple[str, ...]


def compare(results: Sequence[Result], last: Mapping[str, bool]) -> Change:
    """The questions of both runs whose outcome changed, in order."""
    both = [(_name(result.case), result.right) for result in results if _name(result.case) in last]
    return Change(
        mended=tuple(name for name, right in both if right and not last[name]),
        broken=tuple(name for name, right in both if last[name] and not right),
    )


def read_outcomes(path: Path) -> dict[str, bool]:
    """{question: right} of the run before; nothing when there was none."""
    try:
        return {str(name): bool(right) for name, right in json.loads(path.read_text("utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def write_outcomes(path: Path, results: Sequence[Result]) -> None:
    """Keep {question: right} for the next run."""
    outcomes = {_name(result.case): result.right for result in results}
    try:
        path.write_text(json.dumps(outcomes, ensure_ascii=False, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise QAError(f"{path} cannot be written ({error.strerror}); make its folder writable.") from error


def _name(case: Case) -> str:
    return " – ".join((*case.history, case.question))
