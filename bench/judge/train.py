"""Trains the judge on the pairs that `bench.judge.data` made.

    python -m bench.judge.train RUN PAIRS.jsonl --minutes 35

writes RUN/checkpoint.pt every few minutes and RUN/judge.pt at the end; the same command goes on where it was cut off.
`--blind` hides the evidence: what is learnt then is what the statements give away by their form.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from . import figures
from .figures import Row
from .network import logits, starting_network, tokenizer

BATCH = 32
POOL = 40
"""Batches that are sorted by length together."""
RATE = 7e-5
HEAD_RATE = 5e-4
HEADS = ("classifier", "bert.pooler")
"""Beginnings of the names of what comes behind the layers, which learns at HEAD_RATE."""
WARM_UP = 0.05
FROZEN = 3
"""Lowest layers that stay as they are, with the embeddings."""
PAIRWISE = 1.0
"""Weight of the order within a group beside each pair's own truth."""
SAVE_EVERY = 240.0
CHECKED = 700
"""Held-out pairs that are scored on the way."""
OFTEN = {"stitched": 4, "addition": 4, "roles": 2, "plausible": 2, "refusal": 2, "elsewhere": 2, "neighbour": 2}
"""Kinds that are few, and how often their groups are taken for each time that others are."""
SHRINK = 0.25
"""What the reranker's scores, which reach from -11 to 11, are multiplied with to begin with."""


@dataclass(slots=True)
class Run:
    """A network in training, and how far it is."""

    network: Any
    optimizer: torch.optim.Optimizer
    seconds: float = 0.0
    batches: int = 0
    pairs: int = 0


def prepared_network(frozen: int, dropout: float = 0.0) -> Any:
    """The starting network with its scores shrunk; without dropout where no pair is seen twice."""
    network = starting_network()
    for part in network.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = dropout
        if hasattr(part, "dropout_prob"):
            part.dropout_prob = dropout
    network.bert.embeddings.requires_grad_(False)
    for layer in network.bert.encoder.layer[:frozen]:
        layer.requires_grad_(False)
    with torch.no_grad():
        network.classifier.weight *= SHRINK
        network.classifier.bias.fill_(-1.0)
    return network.train()


def start(frozen: int, rate: float) -> Run:
    """A run that has not begun."""
    network = prepared_network(frozen)
    return Run(network, optimizer_of(network, HEADS, rate, HEAD_RATE))


def optimizer_of(network: Any, heads: tuple[str, ...], rate: float, head_rate: float) -> torch.optim.Optimizer:
    """AdamW, by which the parts whose names begin like one of `heads` learn at a rate of their own."""
    head = [p for name, p in network.named_parameters() if name.startswith(heads)]
    known = {id(p) for p in head}
    body = [p for p in network.parameters() if p.requires_grad and id(p) not in known]
    groups = [{"params": body, "lr": rate, "base": rate}, {"params": head, "lr": head_rate, "base": head_rate}]
    return torch.optim.AdamW(groups, weight_decay=0.01, fused=True)


def batches(encoded: Sequence[Any], pairs: Sequence[Row], seed: int, size: int = BATCH) -> Iterator[list[int]]:
    """Rows for a step each: whole groups, of about the same length, in random order, without end."""
    rng = random.Random(seed)  # noqa: S311
    groups: dict[int, list[int]] = {}
    for row, pair in enumerate(pairs):
        groups.setdefault(pair["group"], []).append(row)
    order = [rows for rows in groups.values() for _ in range(max(OFTEN.get(pairs[row]["kind"], 1) for row in rows))]
    while True:
        rng.shuffle(order)
        for first in range(0, len(order), size // 2 * POOL):
            pool = order[first : first + size // 2 * POOL]
            pool.sort(key=lambda rows: max(len(encoded[row].ids) for row in rows))
            made = list(_filled(pool, size))
            rng.shuffle(made)
            yield from made


def _filled(groups: Sequence[list[int]], size: int) -> Iterator[list[int]]:
    batch: list[int] = []
    for rows in groups:
        batch += rows
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


def loss_of(scores: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
    """Each pair's own truth, and that the true pair of a group scores higher than the false one."""
    labels = torch.tensor([float(row["label"]) for row in rows])
    return binary_cross_entropy_with_logits(scores, labels) + PAIRWISE * order_loss(scores, labels, rows)


def order_loss(scores: torch.Tensor, labels: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
    """How far the true ones of each group are from scoring higher than its false ones; 0 where no group has both."""
    groups = torch.tensor([row["group"] for row in rows], device=scores.device)
    true_over_false = (groups[:, None] == groups[None, :]) & (labels[:, None] > labels[None, :])
    apart = (scores[:, None] - scores[None, :])[true_over_false]
    return softplus(-apart).mean() if len(apart) else torch.zeros((), device=scores.device)


def learn(run: Run, loss: torch.Tensor, pairs: int) -> float:
    """One step by the loss of so many pairs, which is returned as a number."""
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.network.parameters(), 1.0)
    run.optimizer.step()
    run.optimizer.zero_grad()
    run.batches, run.pairs = run.batches + 1, run.pairs + pairs
    return loss.item()


def train(run: Run, pairs: Sequence[Row], check: Sequence[Row], folder: Path, minutes: float, *, blind: bool) -> None:
    """Train until the minutes are used up; the rate follows the time."""
    encode = tokenizer()
    encoded = encode.encode_batch([_texts(pair, blind) for pair in pairs])
    source = batches(encoded, pairs, seed=11)
    for _ in range(run.batches):
        next(source)
    saved, checked, recent = time.monotonic(), run.seconds, []
    while run.seconds < minutes * 60:
        begun = time.monotonic()
        set_rate(run, run.seconds / (minutes * 60))
        rows = next(source)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = logits(run.network, [encoded[row] for row in rows]).float()
        recent.append(learn(run, loss_of(scores, [pairs[row] for row in rows]), len(rows)))
        run.seconds += time.monotonic() - begun
        if run.seconds - checked > SAVE_EVERY:
            checked = run.seconds
            _report(run, recent, check, blind)
            recent = []
        if time.monotonic() - saved > SAVE_EVERY:
            saved = time.monotonic()
            save(run, folder / "checkpoint.pt")
    _report(run, recent, check, blind)
    torch.save(run.network.state_dict(), folder / "judge.pt")


def score(network: Any, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """The logits of statements with their evidence, in float32 sums of bfloat16 products."""
    encoded = tokenizer().encode_batch(list(pairs))
    order = sorted(range(len(encoded)), key=lambda row: len(encoded[row].ids))
    found = [0.0] * len(encoded)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            for row, value in zip(rows, logits(network, [encoded[row] for row in rows]).tolist(), strict=True):
                found[row] = value
    return found


def _texts(pair: Row, blind: bool) -> tuple[str, str]:
    return pair["statement"], "" if blind else pair["evidence"]


def set_rate(run: Run, done: float) -> None:
    """The rate rises at first, then falls in a line to the end."""
    factor = min(done / WARM_UP, (1 - done) / (1 - WARM_UP))
    for group in run.optimizer.param_groups:
        group["lr"] = group["base"] * max(factor, 0.01)


def _report(run: Run, recent: Sequence[float], check: Sequence[Row], blind: bool) -> None:
    scores = score(run.network, [_texts(pair, blind) for pair in check])
    speed = run.pairs / max(run.seconds, 1e-9)
    print(
        f"{run.seconds / 60:5.1f} min {run.pairs:6} pairs {speed:5.1f}/s loss {sum(recent) / max(len(recent), 1):.3f} "
        f"{figures.held_out(check, scores)}",
        flush=True,
    )


def save(run: Run, path: Path) -> None:
    """Keep a run, so that it can go on."""
    state = {"network": run.network.state_dict(), "optimizer": run.optimizer.state_dict()}
    progress = {"seconds": run.seconds, "batches": run.batches, "pairs": run.pairs}
    unfinished = path.with_suffix(".part")
    torch.save({**state, **progress}, unfinished)
    unfinished.replace(path)


def resume(run: Run, path: Path) -> None:
    """Go on where a run was kept."""
    held = torch.load(path, weights_only=True)
    run.network.load_state_dict(held["network"])
    run.optimizer.load_state_dict(held["optimizer"])
    run.seconds, run.batches, run.pairs = held["seconds"], held["batches"], held["pairs"]


def main() -> None:
    """Train, or go on with it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("run", type=Path)
    options.add_argument("pairs", type=Path, nargs="+")
    options.add_argument("--minutes", type=float, default=35.0)
    options.add_argument("--rate", type=float, default=RATE)
    options.add_argument("--frozen", type=int, default=FROZEN)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--start", type=Path, help="weights of an earlier run to start from")
    options.add_argument("--blind", action="store_true")
    given = options.parse_args()
    given.run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(5)
    torch.set_num_threads(given.threads)
    pairs = figures.pairs_of(given.pairs)
    check = [pair for pair in pairs if pair["held_out"]]
    random.Random(3).shuffle(groups := sorted({pair["group"] for pair in check}))  # noqa: S311
    chosen = set(groups[: CHECKED // 2])
    run = start(given.frozen, given.rate)
    if given.start:
        run.network.load_state_dict(torch.load(given.start, weights_only=True))
    if (given.run / "checkpoint.pt").exists():
        resume(run, given.run / "checkpoint.pt")
    train(
        run,
        [pair for pair in pairs if not pair["held_out"]],
        [pair for pair in check if pair["group"] in chosen],
        given.run,
        given.minutes,
        blind=given.blind,
    )


if __name__ == "__main__":
    main()
