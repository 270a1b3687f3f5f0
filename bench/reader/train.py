"""Trains the reader on the rows that `bench.reader.data` made.

    python -m bench.reader.train RUN ROWS.jsonl --minutes 55

writes RUN/checkpoint.pt every few minutes and RUN/reader.pt at the end; the same command goes on where it was cut off.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from bench.judge.figures import Row, auroc, by_kind, lines
from bench.judge.train import (
    BATCH,
    FROZEN,
    HEAD_RATE,
    HEADS,
    RATE,
    SAVE_EVERY,
    Run,
    batches,
    learn,
    optimizer_of,
    order_loss,
    resume,
    save,
    set_rate,
)
from qa.models import reading_of
from qa.reading import LIMIT, best
from qa.types import Reading

from .network import Reader, outputs, starting_reader, tokenizer
from .spans import f1, tokens_of

ANSWERABLE, PAIRWISE = 1.0, 0.5
"""Weights of whether a passage answers, and of the order within a group, beside the two ends of the answer."""
CHECKED, LAST = 400, 2400
"""Rows that are checked on the way, and at the end."""
SQUAD2 = "squad2_part"
SHARE, WHOLE = 0.8, {"new_wiki_v1.0", SQUAD2}
"""The part of the questions over reviews and forum posts that is used: news is written more like an encyclopedia."""


def start(frozen: int, rate: float) -> Run:
    """A run that has not begun."""
    reader = starting_reader(frozen)
    return Run(reader, optimizer_of(reader, (*HEADS, "span"), rate, rate * HEAD_RATE / RATE))


def loss_of(spans: torch.Tensor, answers: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
    """Where the answer begins and ends, whether there is one, and that an answered row of a group scores higher."""
    ends = sum(cross_entropy(spans[:, :, n], torch.tensor([row["tokens"][n] for row in rows])) for n in (0, 1))
    labels = torch.tensor([float(row["start"] >= 0) for row in rows])
    told = ANSWERABLE * binary_cross_entropy_with_logits(answers, labels)
    return ends / 2 + told + PAIRWISE * order_loss(answers, labels, rows)


def train(run: Run, rows: Sequence[Row], check: Sequence[Row], folder: Path, minutes: float) -> None:
    """Train until the minutes are used up; the rate follows the time."""
    rows, encoded = prepared(rows)
    source = batches(encoded, rows, seed=11)
    for _ in range(run.batches):
        next(source)
    saved, recent = time.monotonic(), []
    while run.seconds < minutes * 60:
        begun = time.monotonic()
        set_rate(run, run.seconds / (minutes * 60))
        taken = next(source)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            spans, answers = outputs(run.network, [encoded[row] for row in taken])
        recent.append(learn(run, loss_of(spans, answers, [rows[row] for row in taken]), len(taken)))
        run.seconds += time.monotonic() - begun
        if time.monotonic() - saved > SAVE_EVERY:
            save(run, folder / "checkpoint.pt")
            _report(run, recent, check[:CHECKED])
            saved, recent = time.monotonic(), []
    _report(run, recent, check[:LAST])
    torch.save(run.network.state_dict(), folder / "reader.pt")


def prepared(rows: Sequence[Row]) -> tuple[list[Row], list[Any]]:
    """The rows with the tokens of their answers, and their encodings; without rows whose answer was cut off."""
    encode = tokenizer()
    encoded = encode.encode_batch([(row["question"], row["passage"]) for row in rows])
    marked = [
        {**row, "tokens": tokens_of(each, row["start"], row["end"])} for row, each in zip(rows, encoded, strict=True)
    ]
    kept = [n for n, row in enumerate(marked) if row["tokens"] is not None]
    return [marked[n] for n in kept], [encoded[n] for n in kept]


def read(reader: Reader, rows: Sequence[Row]) -> list[tuple[float, float, int, int]]:
    """Of each row the answerable logit, the margin of the best span over none, and the span in the passage."""
    encoded = tokenizer().encode_batch([(row["question"], row["passage"]) for row in rows])
    order = sorted(range(len(rows)), key=lambda n: len(encoded[n].ids))
    found: list[tuple[float, float, int, int]] = [(0.0, 0.0, 0, 0)] * len(rows)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        for first in range(0, len(order), BATCH):
            taken = order[first : first + BATCH]
            spans, answers = outputs(reader, [encoded[n] for n in taken])
            for n, span, answer in zip(taken, spans.numpy(), answers.tolist(), strict=True):
                found[n] = found_in(reading_of(encoded[n], span[:, 0], span[:, 1], answer))
    return found


def found_in(reading: Reading) -> tuple[float, float, int, int]:
    """The answerable logit of a reading, the margin of its best span over none, and the span."""
    words = best(reading)
    span = (words.margin, words.span.start, words.span.end) if words else (-LIMIT, 0, 0)
    return reading.answers, *span


def figures(rows: Sequence[Row], found: Sequence[tuple[float, float, int, int]]) -> str:
    """A line: how well answered rows are told apart, by either output, and how exact the spans of those are."""
    true = [n for n, row in enumerate(rows) if row["start"] >= 0]
    false = [n for n, row in enumerate(rows) if row["start"] < 0]
    told = [
        f"{name} {auroc([score(found[n]) for n in true], [score(found[n]) for n in false]):.3f}"
        for name, score in SCORES.items()
    ]
    kinds = by_kind([rows[n]["kind"] for n in false], [SCORES["both"](found[n]) for n in false])
    each = [f"{kind} {auroc([SCORES['both'](found[n]) for n in true], kinds[kind]):.3f}" for kind in sorted(kinds)]
    marked = [
        (rows[n]["passage"][rows[n]["start"] : rows[n]["end"]], rows[n]["passage"][slice(*found[n][2:])]) for n in true
    ]
    exact = sum(f1(one, other) == 1.0 for one, other in marked) / len(marked)
    shared = sum(f1(one, other) for one, other in marked) / len(marked)
    return f"AUROC {' '.join(told)} EM {exact:.3f} F1 {shared:.3f} | {' '.join(each)}"


SCORES: dict[str, Callable[[tuple[float, float, int, int]], float]] = {
    "head": lambda found: found[0],
    "margin": lambda found: found[1],
    "both": lambda found: found[0] + found[1] / 2,
}


def _report(run: Run, recent: Sequence[float], check: Sequence[Row]) -> None:
    found = read(run.network.eval(), check)
    run.network.train()
    print(
        f"{run.seconds / 60:5.1f} min {run.pairs:6} rows {run.pairs / max(run.seconds, 1e-9):5.1f}/s "
        f"loss {sum(recent) / max(len(recent), 1):.3f} {figures(check, found)}",
        flush=True,
    )


def chosen(rows: Sequence[Row], squad2: str) -> tuple[list[Row], list[Row]]:
    """The rows to train on and those to check with. `squad2` says which of the articles that have questions written to
    be unanswerable are learnt from: "none", "all", or "0/2" for all but every second one, which then are checked with.
    """
    titles = sorted({row["article"] for row in rows if row["file"] == SQUAD2})
    if "/" in squad2:
        fold, folds = (int(part) for part in squad2.split("/"))
        away = set(titles[fold::folds])
    else:
        away = set() if squad2 == "all" else set(titles)
    rng = random.Random(3)  # noqa: S311
    lucky = {group for group in sorted({row["group"] for row in rows}) if rng.random() < SHARE}
    used = [row for row in rows if row["file"] in WHOLE or row["group"] in lucky]
    learnt = [row for row in used if (row["article"] not in away if row["file"] == SQUAD2 else not row["held_out"])]
    human = [row for row in rows if row["file"] == SQUAD2 and row["article"] in away]
    human = [row for row in human if row["kind"] in {"answer", "written"}]
    check = human if "/" in squad2 else [row for row in used if row["held_out"] and row["file"] != SQUAD2] + human
    rng.shuffle(check)
    return learnt, check


def main() -> None:
    """Train, or go on with it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("run", type=Path)
    options.add_argument("rows", type=Path)
    options.add_argument("--minutes", type=float, default=55.0)
    options.add_argument("--rate", type=float, default=RATE)
    options.add_argument("--frozen", type=int, default=FROZEN)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--start", type=Path, help="weights of an earlier run to start from")
    options.add_argument("--squad2", default="none", help='"none", "all", or "0/2": see chosen()')
    options.add_argument("--only", type=float, default=1.0, help="the part of the other files that is used")
    given = options.parse_args()
    given.run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(5)
    torch.set_num_threads(given.threads)
    learnt, check = chosen(lines(given.rows), given.squad2)
    learnt = [row for row in learnt if row["file"] == SQUAD2 or row["group"] % 1000 < 1000 * given.only]
    run = start(given.frozen, given.rate)
    if given.start:
        run.network.load_state_dict(torch.load(given.start, weights_only=True))
    if (given.run / "checkpoint.pt").exists():
        resume(run, given.run / "checkpoint.pt")
    train(run, learnt, check, given.run, given.minutes)


if __name__ == "__main__":
    main()
