"""What a small model makes of real questions: `.venv/bin/python -m bench.model_answers STORE`.

It is SmolLM2, as the tests run it; with `--url URL --model NAME` any other. Each statement is printed with its fate, so
that a person can read whether that is right, then how many were struck and why.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tests.llm import smollm

from qa import Assistant
from qa.assistant import language_model
from qa.generate import Endpoint
from qa.settings import Settings

QUESTIONS = Path(__file__).parent.parent / "eval" / "model-questions.txt"


def served(url: str, model: str) -> AbstractContextManager[Endpoint]:
    """The server to ask."""
    return nullcontext(Endpoint(url, model)) if url else smollm(context=4096, threads=2)


def main() -> None:
    """Ask every question, and count what becomes of the statements."""
    parser = argparse.ArgumentParser()
    parser.add_argument("store", type=Path)
    parser.add_argument("--url", default="")
    parser.add_argument("--model", default="")
    options = parser.parse_args()
    fates: Counter[str] = Counter()
    refused = standing = 0
    questions = [line for line in QUESTIONS.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    with served(options.url, options.model) as endpoint:
        model = language_model(Settings().set_to(llm_url=endpoint.url, llm_model=endpoint.model))
        assistant = Assistant.open(options.store).with_model(model)
        for question in questions:
            began = time.monotonic()
            answer = assistant.ask(question)
            refused += not answer.answered
            standing += any(not said.struck for said in answer.statements)
            print(
                f"\n{question}  ({time.monotonic() - began:.1f} s)  {answer.note or ('' if answer.answered else '–')}"
            )
            for said in answer.statements:
                fates[said.struck or "stands"] += 1
                cited = "".join(f"[{number}]" for number in said.cites)
                print(f"  {said.struck or 'STANDS'}: {said.text} {cited}")
    print(f"\n{len(questions)} questions, {refused} refused before the model was asked; of {fates.total()} statements: "
          f"{', '.join(f'{name} {times}' for name, times in fates.most_common())}; "
          f"{standing} answers have one that stands")  # fmt: skip


if __name__ == "__main__":
    main()
