"""Answers as tokens and as words: where one stands, and how near two are to each other."""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import Any


def tokens_of(encoding: Any, start: int, end: int) -> tuple[int, int] | None:
    """The first and the last token of the characters of a passage; (0, 0) for none, None when they were cut off."""
    if start < 0:
        return 0, 0
    inside = [
        n
        for n, (first, last) in enumerate(encoding.offsets)
        if encoding.type_ids[n] == 1 and not encoding.special_tokens_mask[n] and first < end and last > start
    ]
    whole = bool(inside) and encoding.offsets[inside[-1]][1] >= end - 1
    return (inside[0], inside[-1]) if whole else None


def normalised(text: str) -> list[str]:
    """The words of an answer as SQuAD compares them (Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250)."""
    bare = "".join(each for each in text.lower() if each not in string.punctuation)
    return re.sub(r"\b(?:a|an|the)\b", " ", bare).split()


def f1(one: str, other: str) -> float:
    """The share of words in common."""
    these, those = normalised(one), normalised(other)
    if not these or not those:
        return float(these == those)
    common = sum((Counter(these) & Counter(those)).values())
    return 2 * common / (len(these) + len(those))
