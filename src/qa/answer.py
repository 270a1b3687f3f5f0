"""Passages become an `Answer`: sentences are chosen and quoted, or the question is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from qa.chunks import sentences
from qa.types import Answer, Passage, Quote, Reranker, Span

READ = 4
"""Passages whose sentences are weighed."""

PASSAGE_WEIGHT = 1.0
"""What a passage's logit adds to those of its sentences: a sentence that stands among others that answer is likelier to
answer. See "Choosing sentences" in BENCHMARKS.md, as for READ."""

MAX_QUOTES = 3
"""Quotes of an answer, and closest passages of a refusal."""

KEEP = 10.0
"""A further sentence is quoted when its score is at most this much under the first one's."""

ANSWERED = 0.5
"""The confidence from which a question counts as answered."""

CALIBRATION = (1.167, -2.92)
"""Slope and offset of the logistic that turns the best passage's logit into a confidence. The slope is fitted on
realtimeqa_mid_A; even odds stand at the logit under which 2% of its answerable questions fall. See "Refusal" in
BENCHMARKS.md."""

REFUSAL = "The articles do not answer this."

_MARKDOWN = re.compile(r"[\\`*_\[\]<>#|~@]|(?<=:)/(?=/)|(?<=www)\.|&(?=#?\w+;)|^[-+=]", re.I)
_LIST_NUMBER = re.compile(r"^(\d+)([.)])")


def answer(question: str, said: str, passages: Sequence[Passage], reranker: Reranker) -> Answer:
    """The answer that passages, found for a standalone question and best first, give to what was `said`.

    In a conversation the two differ. Then a passage must answer both: one that answers the question before it would
    else answer every follow-up.
    """
    if said != question:
        passages = _agreed(said, passages[:READ], reranker)
    confidence = calibrated(passages[0].score) if passages else 0.0
    answered = confidence >= ANSWERED
    quotes = choose(said, passages[:READ], reranker)
    text = " ".join(f"{escape_markdown(quote.text)} [{n}]" for n, quote in enumerate(quotes, 1))
    return Answer(question, text if answered else REFUSAL, answered, confidence, quotes)


def _agreed(said: str, passages: Sequence[Passage], reranker: Reranker) -> list[Passage]:
    """The passages by the mean of their logits for the standalone question and for the follow-up itself."""
    logits = reranker.score(said, [passage.chunk.context for passage in passages])
    both = [Passage(p.chunk, (p.score + logit) / 2) for p, logit in zip(passages, logits, strict=True)]
    return sorted(both, key=lambda passage: (-passage.score, passage.chunk.key))


def choose(question: str, passages: Sequence[Passage], reranker: Reranker) -> tuple[Quote, ...]:
    """The sentences to quote, best first, none of them twice."""
    candidates = [(quote, passage.score) for passage in passages for quote in _candidates(passage)]
    logits = reranker.score(question, [quote.text for quote, _ in candidates])
    scored = [(logit + PASSAGE_WEIGHT * of, quote) for (quote, of), logit in zip(candidates, logits, strict=True)]
    chosen: dict[str, Quote] = {}
    best = max((score for score, _ in scored), default=0.0)
    for score, quote in sorted(scored, key=lambda pair: (-pair[0], pair[1].source, pair[1].start)):
        if score >= best - KEEP and len(chosen) < MAX_QUOTES:
            chosen.setdefault(" ".join(re.findall(r"\w+", quote.text.lower())), quote)
    return tuple(chosen.values())


def calibrated(logit: float) -> float:
    """The probability that a question is answered whose best passage has this logit. (Platt 1999)"""
    slope, offset = CALIBRATION
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, slope * logit + offset))))


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no link, no HTML. Line ends become blanks."""
    escaped = _MARKDOWN.sub(lambda found: "\\" + found.group(), " ".join(text.split()))
    return _LIST_NUMBER.sub(r"\1\\\2", escaped)


def _candidates(passage: Passage) -> list[Quote]:
    """The sentences of a passage; a heading or a stray word only where there is nothing better."""
    spans = sentences(passage.text)
    full = [span for span in spans if _is_sentence(span.of(passage.text))]
    return [_quote(passage, span) for span in full or spans]


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
