"""Figures of a judge: how well its scores keep supported statements apart from the others, kind by kind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]


def lines(path: Path) -> list[Row]:
    """The objects of a file with one a line."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def pairs_of(paths: Sequence[Path]) -> list[Row]:
    """The pairs of several files, their groups numbered on."""
    found: list[Row] = []
    for path in paths:
        first = found[-1]["group"] + 1 if found else 0
        found += [{**pair, "group": pair["group"] + first} for pair in lines(path)]
    return found


def auroc(supported: Sequence[float], others: Sequence[float]) -> float:
    """How often a supported statement scores higher than another one; a draw counts half."""
    low = np.sort(np.asarray(others, np.float64))
    high = np.asarray(supported, np.float64)
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(below.mean() / (2 * len(low)))


def threshold(altered: Sequence[float], share: float) -> float:
    """The lowest score above which no more than `share` of the altered statements lie."""
    ranked = sorted(altered, reverse=True)
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)]


def passing(scores: Sequence[float], line: float) -> float:
    """The share of the scores above a line."""
    return float(np.mean(np.asarray(scores) > line))


def by_kind(kinds: Sequence[str], scores: Sequence[float]) -> dict[str, list[float]]:
    """The scores of each kind."""
    found: dict[str, list[float]] = {}
    for kind, score in zip(kinds, scores, strict=True):
        found.setdefault(kind, []).append(score)
    return found


def held_out(pairs: Sequence[Row], scores: Sequence[float]) -> str:
    """One line: AUROC over all held-out pairs, and of all true ones against each false kind."""
    true = [score for pair, score in zip(pairs, scores, strict=True) if pair["label"]]
    false = [(pair["kind"], score) for pair, score in zip(pairs, scores, strict=True) if not pair["label"]]
    kinds = by_kind([kind for kind, _ in false], [score for _, score in false])
    each = " ".join(f"{kind} {auroc(true, kinds[kind]):.3f}" for kind in sorted(kinds))
    groups: dict[int, dict[int, float]] = {}
    for pair, score in zip(pairs, scores, strict=True):
        groups.setdefault(pair["group"], {})[pair["label"]] = score
    both = [group[1] > group[0] for group in groups.values() if len(group) == 2]
    return f"all {auroc(true, [score for _, score in false]):.3f} in pairs {np.mean(both):.3f} | {each}"
