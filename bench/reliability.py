"""How far confidence can be taken at its word, on sets with questions that their articles do not answer.

.venv/bin/python -m bench.reliability SETS/score.py WORK clapnq_a realtimeqa_small_A

WORK is a folder for the indexes, which are kept.
"""

from __future__ import annotations

import statistics
import sys
from itertools import pairwise
from pathlib import Path

from bench.sets import load

BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def main() -> None:
    """Print, for every fifth of the scale, how many questions fell there and how many of them can be answered."""
    score, work, *names = sys.argv[1:]
    for name in names:
        loaded = load(Path(score), name, Path(work))
        judged = [
            (loaded.assistant.ask(q["text"]).confidence, known)
            for known, questions in ((True, loaded.answerable), (False, loaded.unanswerable))
            for q in questions
        ]
        print(f"{name}\n  confidence   questions   mean confidence   answerable")
        for low, high in pairwise(BINS):
            here = [(sure, known) for sure, known in judged if low <= sure < high or sure == high == 1.0]
            if here:
                mean, share = (statistics.mean(column) for column in zip(*here, strict=True))
                print(f"  {low:.1f} to {high:.1f}   {len(here):9}   {mean:15.2f}   {share:10.2f}")


if __name__ == "__main__":
    main()
