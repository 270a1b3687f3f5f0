"""Latency of `ask` and `retrieve` over the index of corpus/ on this machine.

.venv/bin/python bench/ask.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import qa
from qa.evaluate import read_cases

ROUNDS = 1


def milliseconds(run: Callable[[str], object], questions: list[str]) -> list[float]:
    """Sorted wall times of every question, some rounds of each."""
    spent = []
    for question in questions * ROUNDS:
        began = time.perf_counter()
        run(question)
        spent.append(1000 * (time.perf_counter() - began))
    return sorted(spent)


def main() -> None:
    """Print one table."""
    questions = [case.question for case in read_cases(Path("eval/questions.jsonl"))]
    with TemporaryDirectory() as store:
        report = qa.build_index("corpus", store)
        assistant = qa.Assistant.open(store)
        print(f"passages {report.chunks}, questions {len(questions)}, rounds {ROUNDS}")
        for name, run in (("ask", assistant.ask), ("retrieve", assistant.retrieve)):
            run(questions[0])
            spent = milliseconds(run, questions)
            print(f"{name:<9} p50 {statistics.median(spent):4.0f} ms   p95 {spent[int(0.95 * len(spent))]:4.0f} ms")


if __name__ == "__main__":
    main()
