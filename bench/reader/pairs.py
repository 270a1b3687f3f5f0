"""How often a question is told from the same question with one fact changed, which the articles do not answer.

    python -m bench.reader.pairs [eval/changed.jsonl]

indexes corpus/ in a folder that is thrown away. *higher*: the true question has the higher confidence. *outcome*: it is
answered, and the changed one refused.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import qa
from bench.judge.figures import lines
from qa.types import Answer

FILE = Path("eval/changed.jsonl")


@dataclass(frozen=True, slots=True)
class Pair:
    """What became of a question and of its changed form."""

    kind: str
    true: Answer
    changed: Answer

    @property
    def higher(self) -> bool:
        """Whether the program is surer of the true one."""
        return self.true.confidence > self.changed.confidence

    @property
    def outcome(self) -> bool:
        """Whether the true one is answered and the changed one refused."""
        return self.true.answered and not self.changed.answered


def asked(assistant: qa.Assistant, file: Path = FILE) -> list[Pair]:
    """Ask both forms of every question."""
    return [Pair(row["kind"], assistant.ask(row["question"]), assistant.ask(row["changed"])) for row in lines(file)]


def table(pairs: Sequence[Pair]) -> str:
    """A line for each kind of change, and for all."""
    kinds = {kind: [pair for pair in pairs if pair.kind == kind] for kind in sorted({pair.kind for pair in pairs})}
    rows = [f"{'':10} pairs higher outcome answered refused"]
    for kind, some in {**kinds, "all": list(pairs)}.items():
        figures = (
            sum(pair.higher for pair in some),
            sum(pair.outcome for pair in some),
            sum(pair.true.answered for pair in some),
            sum(not pair.changed.answered for pair in some),
        )
        rows.append(f"{kind:10} {len(some):5} {' '.join(f'{count / len(some):7.3f}' for count in figures)}")
    return "\n".join(rows)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as store:
        qa.build_index("corpus", store)
        print(table(asked(qa.Assistant.open(store), Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)))


if __name__ == "__main__":
    main()
