"""Measures judges on statements that people wrote about the articles, true and false, and on held-out pairs.

    python -m bench.judge.measure [JUDGE_FOLDER] [--pairs PAIRS.jsonl]

prints a table for the packaged reranker, for the judge of a folder (model.onnx, tokenizer.json; src/qa/judge is the
program's own), and for both: AUROC of the supported statements against each kind of false ones, and how many supported
ones pass a threshold that lets a given share of the altered ones through. With `--pairs` thresholds that held-out pairs
set are tried too.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from qa.models import OnnxReranker, load_embedder, load_reranker
from qa.settings import Settings
from qa.types import Reranker

from . import figures
from .export import FLOAT
from .figures import Row

STATEMENTS = Path(__file__).parents[2] / "eval" / "statements.jsonl"
ALTERED = ("number", "negation", "name")
SYNTHETIC = ("number", "negation", "name", "refusal", "roles", "opposite")
SHARES = (0.0, 0.02, 0.05)
CHECKED = 1000
BESIDE = 0.25
"""The weight of the reranker beside the judge: what its scores were multiplied with before training. Never fitted."""

Score = Callable[[str, str], float]
"""Of evidence and statement."""


def scoring(model: Reranker) -> Score:
    """A model's logit of a statement before its evidence, each computed once."""
    return cache(lambda text, statement: model.score(statement, [text])[0])


def evidence(row: Row) -> str:
    """The cited sentences."""
    return " ".join(sentence for _, sentence in row["cites"])


def table(rows: Sequence[Row], scores: Sequence[float]) -> list[str]:
    """AUROC of all and by kind, and what passes."""
    kinds = figures.by_kind([row["kind"] for row in rows], scores)
    supported = kinds.pop("supported")
    made = [("all", figures.auroc(supported, [s for each in kinds.values() for s in each]))]
    made += [(kind, figures.auroc(supported, kinds[kind])) for kind in sorted(kinds)]
    altered = [score for kind in ALTERED for score in kinds[kind]]
    made += [("altered", figures.auroc(supported, altered))]
    for share in SHARES:
        line = figures.threshold(altered, share)
        made.append((f"pass at {share:.0%}", figures.passing(supported, line)))
    return [f"{name:16} {value:.3f}" for name, value in made]


def transferred(
    rows: Sequence[Row], scores: Sequence[float], pairs: Sequence[Row], known: Sequence[float]
) -> list[str]:
    """What passes at thresholds that held-out pairs set."""
    kinds = figures.by_kind([row["kind"] for row in rows], scores)
    altered = [score for kind in ALTERED for score in kinds[kind]]
    false = [s for pair, s in zip(pairs, known, strict=True) if not pair["label"] and pair["kind"] in SYNTHETIC]
    true = [s for pair, s in zip(pairs, known, strict=True) if pair["label"]]
    made = []
    for share in (0.02, 0.05, 0.1, 0.2):
        line = figures.threshold(false, share)
        each = " ".join(f"{kind} {figures.passing(found, line):.3f}" for kind, found in sorted(kinds.items()))
        made.append(
            f"{share:.0%} of false pairs, {figures.passing(true, line):.3f} of true ones pass {line:.2f}: "
            f"altered {figures.passing(altered, line):.3f} | {each}"
        )
    return made


def measured(name: str, score: Score, pairs: Sequence[Row]) -> None:
    """Print one judge's table."""
    rows = figures.lines(STATEMENTS)
    begun = time.perf_counter()
    scores = [score(evidence(row), row["statement"]) for row in rows]
    each = (time.perf_counter() - begun) / len(rows)
    print(f"{name}, {each * 1000:.0f} ms a statement", *table(rows, scores), sep="\n  ")
    if pairs:
        known = [score(pair["evidence"], pair["statement"]) for pair in pairs]
        print("  held out:", figures.held_out(pairs, known))
        print(*transferred(rows, scores, pairs, known), sep="\n  ")


def sample(paths: Sequence[Path]) -> list[Row]:
    """Held-out groups of a file of pairs, the same at each call."""
    pairs: list[Any] = [pair for pair in figures.pairs_of(paths) if pair["held_out"]]
    groups = sorted({pair["group"] for pair in pairs})
    random.Random(17).shuffle(groups)  # noqa: S311
    chosen = set(groups[: CHECKED // 2])
    return [pair for pair in pairs if pair["group"] in chosen]


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("judge", type=Path, nargs="?")
    options.add_argument("--pairs", type=Path, nargs="*", default=[])
    options.add_argument("--alone", action="store_true", help="the judge only")
    options.add_argument("--float", action="store_true", help="the judge in float32")
    given = options.parse_args()
    pairs = sample(given.pairs)
    settings = Settings.load()
    relevance = scoring(load_reranker(settings, load_embedder(settings)))
    if not given.judge:
        measured("reranker", relevance, pairs)
        return
    judge = scoring(OnnxReranker(given.judge / FLOAT if given.float else given.judge))
    measured("judge", judge, pairs)
    if not given.alone:
        measured("reranker", relevance, pairs)
        measured("both", lambda text, statement: judge(text, statement) + BESIDE * relevance(text, statement), pairs)


if __name__ == "__main__":
    main()
