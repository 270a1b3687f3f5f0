"""Passages become an `Answer`: sentences are chosen and quoted, or the question is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from qa.chunks import sentences
from qa.types import Answer, Passage, Quote, Reranker, Span, title_context

READ = 5
"""Passages whose sentences are weighed; see "Passages read" in BENCHMARKS.md."""

MAX_QUOTES = 3
"""Quotes of an answer, and closest passages of a refusal."""

KEEP = 0.25
"""A further sentence is quoted when its probability is at least this part of the first one's."""

ANSWERED = 0.5
"""The confidence from which a question counts as answered."""

CALIBRATION = (1.0, 0.0)
"""Slope and offset of the logistic that turns a sentence's logit into a confidence; see "Refusal" in BENCHMARKS.md."""

REFUSAL = "The articles do not answer this."

_MARKDOWN = re.compile(r"[\\`*_\[\]<>#|~@]|(?<=:)/(?=/)|(?<=www)\.|&(?=#?\w+;)|^(?:[-+=]|\d+[.)])", re.I)


def answer(question: str, passages: Sequence[Passage], reranker: Reranker | None) -> Answer:
    """The answer that these passages, best first, give to a standalone question."""
    quotes = choose(question, passages, reranker)
    confidence = max((calibrated(score) for _, score in quotes), default=0.0)
    answered = confidence >= ANSWERED
    kept = tuple(quote for quote, _ in quotes)
    text = " ".join(f"{escape_markdown(quote.text)} [{n}]" for n, quote in enumerate(kept, 1))
    return Answer(question, text if answered else REFUSAL, answered, confidence, kept)


def choose(question: str, passages: Sequence[Passage], reranker: Reranker | None) -> list[tuple[Quote, float]]:
    """The sentences to quote with their logits, best first, no sentence twice."""
    candidates = _candidates(passages[:READ])
    if reranker:
        scores = reranker.score(question, [title_context(quote.title) + quote.text for quote in candidates])
    else:
        scores = [0.0] * len(candidates)
    ranked = sorted(zip(candidates, scores, strict=True), key=lambda pair: -pair[1])
    chosen: list[tuple[Quote, float]] = []
    for quote, score in ranked:
        repeated = any(_words(quote.text) == _words(other.text) for other, _ in chosen)
        best = calibrated(chosen[0][1]) if chosen else 0.0
        weak = best >= ANSWERED and calibrated(score) < KEEP * best
        if not repeated and not weak and len(chosen) < MAX_QUOTES:
            chosen.append((quote, score))
    return chosen


def calibrated(logit: float) -> float:
    """A logit as a probability that the sentence answers."""
    slope, offset = CALIBRATION
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, slope * logit + offset))))


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no link, no HTML. Line ends become blanks."""
    return _MARKDOWN.sub(lambda found: "\\" + found.group(), " ".join(text.split()))


def _candidates(passages: Sequence[Passage]) -> list[Quote]:
    """The sentences of passages; a heading or a stray word is quoted only where a passage has nothing better."""
    quotes: list[Quote] = []
    for passage in passages:
        spans = sentences(passage.text)
        full = [span for span in spans if _is_sentence(span.of(passage.text))]
        quotes += [_quote(passage, span) for span in full or spans]
    return quotes


def _is_sentence(text: str) -> bool:
    words = len(text.split())
    return words >= 3 and (
        words >= 8 or bool(re.search(r"[.!?…:;。！？][\"”’»)\]]*$", text)) or text[0] in "-–—•*0123456789"
    )


def _quote(passage: Passage, span: Span) -> Quote:
    place = span.shifted(passage.start)
    return Quote(
        text=span.of(passage.text),
        source=passage.source,
        start=place.start,
        end=place.end,
        title=passage.title,
        date=passage.date,
        kind=passage.kind,
    )


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
