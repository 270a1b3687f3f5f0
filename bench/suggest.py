"""Whether suggested questions are answered, and with something new: `.venv/bin/python bench/suggest.py STORE FILE`.

FILE holds questions as `qa eval` reads them; the suggestions after each are asked in their turn.
"""

from __future__ import annotations

import sys
from pathlib import Path

import qa
from qa.evaluate import read_cases, share
from qa.suggest import next_questions


def main(store: str, file: str) -> None:
    """Ask, ask what is suggested, and count."""
    assistant = qa.Assistant.open(store)
    answered: list[bool] = []
    new: list[bool] = []
    questions = [case.question for case in read_cases(Path(file)) if not case.history]
    for question in questions:
        first = assistant.ask(question)
        for suggestion in next_questions(first):
            then = assistant.ask(suggestion)
            answered.append(then.answered)
            new.append(then.answered and then.quotes[0].text not in {quote.text for quote in first.quotes})
    print(f"{len(answered)} suggestions after {len(questions)} questions: answered {share(answered).value:.3f}, "
          f"with another first quote {share(new).value:.3f}")  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
