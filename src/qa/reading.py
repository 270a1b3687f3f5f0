"""Where a reader sees the answer to a question: the likeliest few words in a part of a passage.

(Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 4.3)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qa.types import ChunkKey, Passage, Reader, Reading, Span, title_context

LONGEST = 30
"""Tokens of a short answer, at most."""

WIDER = 0.5
"""Around the likeliest words the widest span is taken whose logit is at most so much less: "Russian helicopters" where
"Russian" is hardly likelier. See "The reader" in BENCHMARKS.md."""

LIMIT = 12.0
"""A logit beyond it says no more."""


@dataclass(frozen=True, slots=True)
class Found:
    """The few words that answer, as a span, and how much likelier they are than no answer, as a logit."""

    span: Span
    margin: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a reader made of passages; without a reader, of none."""

    readings: Mapping[ChunkKey, Reading]

    @property
    def answers(self) -> float | None:
        """The logit that one of the passages answers, within limits; None where none was read."""
        most = max((reading.answers for reading in self.readings.values()), default=None)
        return None if most is None else max(-LIMIT, min(LIMIT, most))

    def within(self, passage: Passage, span: Span) -> Found | None:
        """The likeliest answer in a span of the passage's document; None where nothing there was read."""
        reading = self.readings.get(passage.chunk.key)
        if reading is None:
            return None
        before = passage.start - len(title_context(passage.title))
        inside = Span(max(span.start, passage.start), min(span.end, passage.end))  # Not the title before it.
        found = best(reading, inside.shifted(-before))
        return Found(found.span.shifted(before), found.margin) if found else None


def read(reader: Reader | None, question: str, passages: Sequence[Passage]) -> Iterator[tuple[ChunkKey, Reading]]:
    """Begin to read passages, each behind the title of its article; without a reader, none."""
    if reader is None:
        return iter(())
    keys = [passage.chunk.key for passage in passages]
    return zip(keys, reader.read(question, [passage.chunk.context for passage in passages]), strict=True)


def best(reading: Reading, within: Span | None = None) -> Found | None:
    """The likeliest answer in a part of the text that was read, with what is about as likely around it; None where no
    token lies in it.
    """
    part = within or Span(0, max((token.end for token in reading.tokens), default=0))
    inside = [n for n, token in enumerate(reading.tokens) if part.start <= token.start and token.end <= part.end]
    if not inside:
        return None
    first, many = inside[0], len(inside)
    total = reading.begins[first : first + many, None] + reading.ends[None, first : first + many]
    length = np.arange(many)[None, :] - np.arange(many)[:, None]
    total = np.where((length >= 0) & (length < LONGEST), total, -np.inf)
    begin, end = divmod(int(total.argmax()), many)
    most = float(total[begin, end])
    around = np.where(total[: begin + 1, end:] >= most - WIDER, length[: begin + 1, end:], -1)
    earlier, later = divmod(int(around.argmax()), many - end)
    span = Span(reading.tokens[first + earlier].start, reading.tokens[first + end + later].end)
    return Found(span, most - reading.none)
