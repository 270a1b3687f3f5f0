"""Trains a reader on the rows that `bench.reader.data` made.

    python -m bench.reader.train RUN ROWS.jsonl --rows 500000 [--network mpnet] [--teacher OTHER/reader.pt]

writes RUN/checkpoint.pt every few minutes and RUN/reader.pt at the end; the same command goes on where it was cut off.
`bench.reader.recipe` has all the commands in their order.

With a teacher it learns half from the rows and half from what the teacher says of them, at TEMPERATURE (Hinton et al.
2015, https://arxiv.org/abs/1503.02531).
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, kl_div, log_softmax, pad, softmax

from bench.judge.figures import Row, auroc, by_kind, lines
from bench.judge.train import (
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

from .network import (
    DROPOUT,
    NEVER,
    Outputs,
    Reader,
    Teacher,
    Tokens,
    loaded,
    outputs,
    starting_reader,
    starting_teacher,
    tokenizer,
    tokens,
)
from .spans import f1, tokens_of

ANSWERABLE, PAIRWISE = 1.0, 0.5
"""Weights of whether a passage answers, and of the order within a group, beside the two ends of the answer."""
TAUGHT, TEMPERATURE = 0.5, 2.0
"""The part of the loss that follows the teacher, and what its logits are divided by."""
RATES, BATCHES = {"marco": 1.7e-4, "mpnet": 4e-5}, {"marco": 192, "mpnet": 64}
LAYERS = 12
CHECKED, LAST, AT_ONCE = 400, 2400, 64
"""Rows that are checked on the way, at the end, and read in one go."""
SQUAD2 = "squad2_part"
SHARE, WHOLE = 0.8, {"new_wiki_v1.0", SQUAD2}
"""The part of the questions over reviews and forum posts that is used: news is written more like an encyclopedia."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a teacher says of a row: logits of both ends, shape (tokens, 2), and that the passage answers."""

    spans: torch.Tensor
    answers: float


def start(network: str, frozen: int, layers: int, dropout: float, rate: float, device: str) -> Run:
    """A run that has not begun."""
    reader = (starting_teacher() if network == "mpnet" else starting_reader(frozen, layers, dropout)).to(device)
    return Run(reader, optimizer_of(reader, (*HEADS, "pooler", "span"), rate, rate * HEAD_RATE / RATE))


def loss_of(said: Outputs, rows: Sequence[Row], lessons: Sequence[Lesson]) -> torch.Tensor:
    """Where the answer begins and ends, whether there is one, and that an answered row of a group scores higher; with
    lessons, half of it what the teacher says instead.
    """
    spans, answers = said
    places = torch.tensor([row["tokens"] for row in rows], device=spans.device)
    ends = (cross_entropy(spans[:, :, 0], places[:, 0]) + cross_entropy(spans[:, :, 1], places[:, 1])) / 2
    labels = torch.tensor([float(row["start"] >= 0) for row in rows], device=spans.device)
    told = ends + ANSWERABLE * binary_cross_entropy_with_logits(answers, labels)
    if lessons:
        told = (1 - TAUGHT) * told + TAUGHT * _distance(said, lessons)
    return told + PAIRWISE * order_loss(answers, labels, rows)


def _distance(said: Outputs, lessons: Sequence[Lesson]) -> torch.Tensor:
    """How far what was said is from what the teacher says."""
    spans, answers = said
    many = spans.shape[1]
    held = [pad(each.spans, (0, 0, 0, many - len(each.spans)), value=NEVER) for each in lessons]
    theirs = softmax(torch.stack(held).to(spans.device) / TEMPERATURE, dim=1)
    mine = log_softmax(spans / TEMPERATURE, dim=1)
    ends = kl_div(mine, theirs, reduction="batchmean") * TEMPERATURE**2 / 2
    told = torch.tensor([each.answers for each in lessons], device=spans.device).sigmoid()
    return ends + ANSWERABLE * binary_cross_entropy_with_logits(answers, told)


def train(
    run: Run,
    rows: Sequence[Row],
    check: Sequence[Row],
    folder: Path,
    many: int,
    teacher: Teacher | Reader | None,
    size: int,
    seed: int,
) -> None:
    """Train on so many rows, the same ones over and over; the rate follows their number."""
    rows, encoded = prepared(rows)
    lessons = taught(teacher, encoded) if teacher else []
    source = batches(encoded, rows, seed=seed, size=size)
    for _ in range(run.batches):
        next(source)
    print(f"{len(rows)} rows, {len(check)} to check with", flush=True)
    saved, recent = time.monotonic(), []
    while run.pairs < many:
        begun = time.monotonic()
        set_rate(run, run.pairs / many)
        taken = next(source)
        said = outputs(run.network, [encoded[row] for row in taken])
        loss = loss_of(said, [rows[row] for row in taken], [lessons[row] for row in taken] if lessons else [])
        recent.append(learn(run, loss, len(taken)))
        run.seconds += time.monotonic() - begun
        if time.monotonic() - saved > SAVE_EVERY:
            save(run, folder / "checkpoint.pt")
            _report(run, recent, check[:CHECKED])
            saved, recent = time.monotonic(), []
    _report(run, recent, check[:LAST])
    torch.save({name: value.cpu() for name, value in run.network.state_dict().items()}, folder / "reader.pt")


def taught(teacher: Teacher | Reader, encoded: Sequence[Tokens]) -> list[Lesson]:
    """What a teacher says of every row."""
    found: dict[int, Lesson] = {}
    order = sorted(range(len(encoded)), key=lambda n: len(encoded[n].ids))
    with torch.inference_mode():
        for first in range(0, len(order), AT_ONCE):
            taken = order[first : first + AT_ONCE]
            spans, answers = (each.cpu() for each in outputs(teacher, [encoded[n] for n in taken]))
            for n, span, answer in zip(taken, spans, answers.tolist(), strict=True):
                found[n] = Lesson(span[: len(encoded[n].ids)].clone(), answer)
    return [found[n] for n in range(len(encoded))]


def prepared(rows: Sequence[Row]) -> tuple[list[Row], list[Tokens]]:
    """The rows with the tokens of their answers, and their tokens; without rows whose answer was cut off."""
    encode = tokenizer()
    encoded = encode.encode_batch([(row["question"], row["passage"]) for row in rows])
    marked = [
        {**row, "tokens": tokens_of(each, row["start"], row["end"])} for row, each in zip(rows, encoded, strict=True)
    ]
    kept = [n for n, row in enumerate(marked) if row["tokens"] is not None]
    return [marked[n] for n in kept], [tokens(encoded[n]) for n in kept]


def read(reader: Reader | Teacher, rows: Sequence[Row]) -> list[tuple[float, float, int, int]]:
    """Of each row the answerable logit, the margin of the best span over none, and the span in the passage."""
    encoded = tokenizer().encode_batch([(row["question"], row["passage"]) for row in rows])
    return [
        found_in(reading_of(each, lesson.spans[:, 0].numpy(), lesson.spans[:, 1].numpy(), lesson.answers))
        for each, lesson in zip(encoded, taught(reader, [tokens(each) for each in encoded]), strict=True)
    ]


def found_in(reading: Reading) -> tuple[float, float, int, int]:
    """The answerable logit of a reading, the margin of its best span over none, and the span."""
    words = best(reading)
    span = (words.margin, words.span.start, words.span.end) if words else (-LIMIT, 0, 0)
    return reading.answers, *span


def figures(rows: Sequence[Row], found: Sequence[tuple[float, float, int, int]]) -> str:
    """A line: how well answered rows are told apart, by either output, and how exact the spans of those are."""
    true = [n for n, row in enumerate(rows) if row["start"] >= 0]
    plain = [n for n in true if rows[n]["kind"] == "answer"]
    false = [n for n, row in enumerate(rows) if row["start"] < 0]
    told = [
        f"{name} {auroc([score(found[n]) for n in true], [score(found[n]) for n in false]):.3f}"
        for name, score in SCORES.items()
    ]
    kinds = by_kind([rows[n]["kind"] for n in false], [SCORES["both"](found[n]) for n in false])
    each = [f"{kind} {auroc([SCORES['both'](found[n]) for n in true], kinds[kind]):.3f}" for kind in sorted(kinds)]
    marked = [
        (rows[n]["passage"][rows[n]["start"] : rows[n]["end"]], rows[n]["passage"][slice(*found[n][2:])]) for n in plain
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


def thinned(rows: Sequence[Row], part: float, without: Sequence[str]) -> list[Row]:
    """The rows of a part of the questions, those of SQuAD 2.0 whole, and none of some kinds."""
    kept = [row for row in rows if row["file"] == SQUAD2 or row["group"] % 1000 < 1000 * part]
    return [row for row in kept if row["kind"] not in without]


def main() -> None:
    """Train, or go on with it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("run", type=Path)
    options.add_argument("rows", type=Path)
    options.add_argument("--rows", dest="many", type=int, required=True, help="rows to learn from, one again and again")
    options.add_argument("--network", choices=sorted(RATES), default="marco")
    options.add_argument("--layers", type=int, default=LAYERS)
    options.add_argument("--frozen", type=int, default=FROZEN)
    options.add_argument("--dropout", type=float, default=DROPOUT, help="of the reader's; 0 where no row is seen twice")
    options.add_argument("--rate", type=float)
    options.add_argument("--batch", type=int, help="rows a step")
    options.add_argument("--device", default="cpu")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--seed", type=int, default=11, help="of the order of the rows")
    options.add_argument("--start", type=Path, help="weights of an earlier run to start from")
    options.add_argument("--teacher", type=Path, help="weights of an earlier run to learn from")
    options.add_argument("--squad2", default="none", help='"none", "all", or "0/2": see chosen()')
    options.add_argument("--part", type=float, default=1.0, help="the part of the other files' questions that is used")
    options.add_argument("--without", nargs="*", default=[], help="kinds of rows that are left out")
    given = options.parse_args()
    given.run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(5)
    torch.set_num_threads(given.threads)
    learnt, check = chosen(lines(given.rows), given.squad2)
    rate = given.rate or RATES[given.network]
    run = start(given.network, given.frozen, given.layers, given.dropout, rate, given.device)
    if given.start:
        run.network.load_state_dict(torch.load(given.start, weights_only=True, map_location=given.device))
    if (given.run / "checkpoint.pt").exists():
        resume(run, given.run / "checkpoint.pt")
    teacher = loaded(given.teacher).to(given.device) if given.teacher else None
    learnt = thinned(learnt, given.part, given.without)
    train(run, learnt, check, given.run, given.many, teacher, given.batch or BATCHES[given.network], given.seed)


if __name__ == "__main__":
    main()
