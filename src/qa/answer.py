"""Passages become an `Answer`: sentences are chosen and quoted, or the question is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from qa.aims import Aim, names_anew, numbers, offers
from qa.chunks import sentences
from qa.confidence import Calibration, known_of, signs, speaks_of
from qa.contrasts import contradicted
from qa.conversation import EMPTY
from qa.names import fold, stem, words
from qa.reading import Evidence, read
from qa.search import asks
from qa.segments import comment_author
from qa.types import Answer, Document, Passage, Quote, Reader, Reranker, Span

T = TypeVar("T")

READ = 4
"""Passages whose sentences are weighed."""

NEAR = 6.0
"""A passage is read when its score is at most this much under the best one's."""

PASSAGE_WEIGHT = 0.5
"""What a passage's score adds to the logits of its sentences: a sentence that stands among others that answer is
likelier to answer. See "Choosing sentences" in BENCHMARKS.md, as for READ and KIND_BONUS."""

KIND_BONUS = 1.0
"""What a number adds to a sentence when a number is asked for, a name when a name is: the reranker likes a sentence
that repeats the question better than one that answers it."""

SPREAD = 20
"""Passages from which the articles of a question to several of them are taken."""

NEWS = 2
ECHO_COST = 3.0
"""To a question that wonders what, a sentence with fewer than NEWS words of its own ("Smith offered more than goats.")
says nothing; to keywords, or to a question whether, it does."""

READER_DEPTH = 2
"""Best passages that the reader reads, and that of the best sentence; one or three in "The reader" in BENCHMARKS.md."""

SHORT = -1.0
"""The margin over no answer from which the likeliest few words of the first quote are shown as the short answer; see
"The reader" in BENCHMARKS.md."""

SEEDS = 3
PAIR_COST = 1.0
"""The SEEDS best sentences are also judged together with the sentence before and the one after: what was asked is often
said in two. Such a pair is quoted when its logit is more than PAIR_COST above that of either. See "Pairs of sentences"
in BENCHMARKS.md."""

MAX_QUOTES = 3
"""Quotes of an answer, and closest passages of a refusal."""

MAX_SOURCES = 5
"""Quotes of an answer that several articles give, one each."""

KEEP = 12.0
"""A further sentence is quoted when its score is at most this much under the first one's."""

SAME = 0.8
"""Two sentences are the same story when they share this part of all their words."""

ANSWERED = 0.5
"""The confidence from which a question counts as answered."""

CONTRADICTED = 0.3
"""The confidence when the first quote says otherwise than the question has it: one wrong fact outweighs all that is
right."""

ON_TOPIC = 0.6
"""The least confidence when it is asked what somebody says about a topic, and a passage has all its words: such a
question has no one answer that the reranker could find."""

REFUSAL = "The articles do not answer this."
OTHERWISE = "The closest sentence says otherwise than the question."
"""The note of a refusal whose first quote has a fact of the question otherwise."""

REACH = 1_000
"""Characters before a sentence in which the sentence before it is looked for."""

Around = Callable[[Passage], tuple[Document, Span]]
"""A passage's document, and the segment that the passage stands in."""

_POINTS_BACK = re.compile(r"^[\"“‘'(]*(?:he|she|it|they|his|her|its|their|this|that|these|those)\b", re.I)
_WONDERS = re.compile(r"\b(?:who|whom|whose|what|which|when|where|why|how)\b", re.I)
_MARKDOWN = re.compile(r"[\\`*_\[\]<>#|~@]|(?<=:)/(?=/)|(?<=www)\.|&(?=#?\w+;)|^[-+=]", re.I)
_LIST_NUMBER = re.compile(r"^(\d+)([.)])")


@dataclass(frozen=True, slots=True)
class Quotable:
    """A span that may be quoted, and the text by which it is judged: its own, or that behind what it points back at."""

    span: Span
    passage: Passage
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence or a pair that may be quoted, the passage it stands in, and its score."""

    span: Span
    passage: Passage
    logit: float
    score: float

    @property
    def text(self) -> str:
        """The sentence; `span` counts from the start of the document."""
        return _text(self.passage, self.span)


def answer(
    question: str,
    said: str,
    aim: Aim,
    passages: Sequence[Passage],
    reranker: Reranker,
    reader: Reader | None,
    judge: Callable[[], Reranker] | None,
    calibration: Calibration,
    searched: int,
    around: Around,
) -> Answer:
    """The answer that passages, found for a standalone question and best first, give to what was `said`.

    Its sentences must answer what was said: what the standalone question carries along would else answer itself.
    `searched` is how many passages those were found among; the judge is loaded where one is needed.
    """
    near = _near(passages)
    several = aim.several and len({_voice(passage) for passage in near}) > 1
    chosen = _one_each(near, _voice)[:MAX_SOURCES] if several else near[:READ]
    deepest = chosen[:READER_DEPTH]
    begun = read(reader, question, deepest)  # It goes on beside the sentences, so that no core waits.
    ranked = rank(said, aim, chosen, reranker)
    candidates = _one_each(ranked, lambda candidate: _voice(candidate.passage)) if several else _near_best(ranked)
    first = [candidate.passage for candidate in candidates[:1] if candidate.passage not in deepest]
    evidence = Evidence(dict([*begun, *read(reader, question, first)]))
    logits = [candidate.logit for candidate in ranked]
    sure = calibration.confidence(signs(question, chosen, logits, searched, evidence.answers)) if ranked else 0.0
    if aim.open and any(speaks_of(said, passage.text) for passage in chosen):
        sure = max(sure, ON_TOPIC)
    quotes = _quotes(candidates, said, aim, around, MAX_SOURCES if several else MAX_QUOTES)
    by_date = aim.over_time and all(quote.date for quote in quotes)
    if by_date:
        quotes.sort(key=lambda quote: (quote.date, quote.source, quote.start))
    exact = bool(quotes) and not aim.open and not several
    known = known_of(candidates[0].passage) if exact else ""
    otherwise = bool(judge and exact and sure >= ANSWERED and contradicted(said, quotes[0].text, known, judge))
    sure = CONTRADICTED if otherwise else sure
    answered = sure >= ANSWERED
    text = " ".join(_cited(quote, number, by_date) for number, quote in enumerate(quotes, 1))
    return Answer(
        question,
        text if answered else REFUSAL,
        answered,
        sure,
        tuple(quotes),
        tuple(passages),
        by_date,
        note=OTHERWISE if otherwise else "",
        short=_short(candidates[0].passage, quotes[0], evidence) if answered and exact else None,
    )


def rank(question: str, aim: Aim, passages: Sequence[Passage], reranker: Reranker) -> list[Candidate]:
    """What may be quoted of passages, best first: sentences, and the best ones in pairs with their neighbours. What
    says the same as a better one is left out.
    """
    found = [Quotable(span, passage, _text(passage, span)) for passage in passages for span in _sentences(passage)]
    alone = _ordered(_judged(question, aim, found, reranker))
    wider = _judged(question, aim, [*_pairs(alone[:SEEDS]), *_resolved(passages)], reranker)
    return _folded(_ordered([*alone, *(replace(each, score=each.score - PAIR_COST) for each in wider)]))


def _judged(question: str, aim: Aim, found: Sequence[Quotable], reranker: Reranker) -> list[Candidate]:
    """The spans with their logits and scores, in the same order."""
    logits = reranker.score(question, [each.text for each in found])
    return [
        Candidate(
            each.span, each.passage, logit, logit + PASSAGE_WEIGHT * each.passage.score + _fit(aim, question, each)
        )
        for each, logit in zip(found, logits, strict=True)
    ]


def _fit(aim: Aim, question: str, each: Quotable) -> float:
    """What a span gains by having the kind of fact that is asked for, and loses by repeating the question."""
    text = _text(each.passage, each.span)
    gain = KIND_BONUS if aim.wanted and offers(aim.wanted, question, text) else 0.0
    echo = _WONDERS.search(question) and len(_content(text) - _content(question)) < NEWS
    return gain - (ECHO_COST if echo else 0.0)


def _content(text: str) -> set[str]:
    """The beginnings of the words that say something, in whatever inflection."""
    return {stem(word) for word in words(text) if fold(word) not in EMPTY}


def _ordered(candidates: Iterable[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda c: (-c.score, c.passage.source, c.span))


def _pairs(seeds: Sequence[Candidate]) -> list[Quotable]:
    """Each sentence of an article with the one before it and with the one after it, where nothing stands between."""
    pairs = [
        (Span(first.start, second.end), seed.passage)
        for seed in seeds
        if seed.passage.kind == "body"
        for first, second in pairwise(_sentences(seed.passage))
        if seed.span in {first, second} and not _text(seed.passage, Span(first.end, second.start)).strip()
    ]
    return [Quotable(span, passage, _text(passage, span)) for span, passage in dict.fromkeys(pairs)]


def _resolved(passages: Sequence[Passage]) -> Iterator[Quotable]:
    """Sentences that open with a pronoun, read behind the last one that names somebody. One that stands right behind it
    makes a pair with it.
    """
    for passage in passages:
        named: tuple[int, str] | None = None
        for number, span in enumerate(_sentences(passage)):
            text = _text(passage, span)
            if not _POINTS_BACK.search(text):
                named = (number, text) if names_anew("", text) else named
            elif named and number - named[0] > 1:
                yield Quotable(span, passage, f"{named[1]} {text}")


def _text(passage: Passage, span: Span) -> str:
    """The characters of a passage in a span of its document."""
    return span.shifted(-passage.start).of(passage.text)


def _voice(passage: Passage) -> object:
    """Who speaks: an article, or a reader."""
    return passage.source if passage.kind == "body" else passage.chunk.key


def _near(passages: Sequence[Passage]) -> list[Passage]:
    return [passage for passage in passages if passage.score >= passages[0].score - NEAR]


def _near_best(ranked: Sequence[Candidate]) -> list[Candidate]:
    return [candidate for candidate in ranked if candidate.score >= ranked[0].score - KEEP]


def _one_each(ranked: Sequence[T], voice: Callable[[T], object]) -> list[T]:
    """The best of every voice."""
    best: dict[object, T] = {}
    for item in ranked:
        best.setdefault(voice(item), item)
    return list(best.values())


def _folded(ranked: Sequence[Candidate]) -> list[Candidate]:
    """Without sentences that repeat a better one: the same wire story in two articles."""
    kept: list[Candidate] = []
    for candidate in ranked:
        if not any(_same(candidate.text, other.text) for other in kept):
            kept.append(candidate)
    return kept


def _same(text: str, other: str) -> bool:
    """Whether two sentences say the same: nearly the same words, and exactly the same numbers."""
    these, those = (set(re.findall(r"\w+", each.lower())) for each in (text, other))
    alike = len(these & those) >= SAME * len(these | those)
    return alike and numbers(text) == numbers(other)


def _sentences(passage: Passage) -> list[Span]:
    """The sentences of a passage; a question, a heading or a stray word only where there is nothing better, and the
    name above a reader's comment never.
    """
    signed = passage.kind == "comment" and comment_author(passage.text)
    written = passage.text.index("\n") if signed else 0
    spans = [span for span in sentences(passage.text) if span.start >= written]
    full = [span for span in spans if _is_sentence(span.of(passage.text))]
    telling = [span for span in full if not asks(span.of(passage.text))]
    return [span.shifted(passage.start) for span in telling or full or spans]


def _is_sentence(text: str) -> bool:
    length = len(text.split())
    return length >= 3 and (
        length >= 8 or bool(re.search(r"[.!?…:;。！？][\"”’»)\]]*$", text)) or text[0] in "-–—•*0123456789"
    )


def _quotes(candidates: Sequence[Candidate], question: str, aim: Aim, around: Around, most: int) -> list[Quote]:
    """At `most` so many quotes, best first; what a better quote has already is not quoted again."""
    quotes: list[Quote] = []
    for candidate in candidates:
        if len(quotes) == most:
            break
        passage = candidate.passage
        document, segment = around(passage)
        text, span = document.text, candidate.span
        if passage.kind == "body" and _needs_antecedent(candidate.text, question, aim):
            longer = _with_antecedent(span, question, text, segment)
            span = span if _quoted(longer, passage.source, quotes) else longer
        if not _quoted(span, passage.source, quotes):
            quotes.append(_quote(span, passage, document, segment))
    return quotes


def _short(passage: Passage, first: Quote, evidence: Evidence) -> Quote | None:
    """The few words of the first quote, which was found in a passage, that answer; None where they are not sure."""
    found = evidence.within(passage, Span(first.start, first.end))
    if found is None or found.margin < SHORT:
        return None
    span = found.span
    return replace(first, text=span.shifted(-first.start).of(first.text), start=span.start, end=span.end)


def _quote(span: Span, passage: Passage, document: Document, segment: Span) -> Quote:
    author = comment_author(segment.of(document.text)) if passage.kind == "comment" else ""
    place = (span.of(document.text), passage.source, span.start, span.end)
    return Quote(*place, passage.title, passage.date, passage.kind, author, document.page(span.start))


def sentences_of(passages: Sequence[Passage], around: Around) -> list[Quote]:
    """The sentences of the passages that are NEAR the best one, those of the best first, none of them twice."""
    found: list[Quote] = []
    for passage in _near(passages):
        document, segment = around(passage)
        for span in _sentences(passage):
            if not _quoted(span, passage.source, found) and not any(_same(_text(passage, span), q.text) for q in found):
                found.append(_quote(span, passage, document, segment))
    return found


def _quoted(span: Span, source: str, quotes: Sequence[Quote]) -> bool:
    """Whether a quote has some of a span already."""
    return any(quote.source == source and quote.start < span.end and span.start < quote.end for quote in quotes)


def _needs_antecedent(sentence: str, question: str, aim: Aim) -> bool:
    """Whether a sentence leaves open whom it means: it opens with a pronoun, or names nobody."""
    missing = aim.wanted == "name" and not offers("name", question, sentence)
    return missing or _POINTS_BACK.search(sentence) is not None or not names_anew("", sentence)


def _with_antecedent(span: Span, question: str, text: str, segment: Span) -> Span:
    """The sentence with the one before it, when that one names somebody whom the question does not."""
    start = max(segment.start, span.start - REACH)
    earlier = [found.shifted(start) for found in sentences(text[start : span.start])]
    if not earlier or earlier[-1].start == start > segment.start:
        return span
    sentence = earlier[-1].of(text)
    return Span(earlier[-1].start, span.end) if names_anew(question, sentence) and not asks(sentence) else span


def _cited(quote: Quote, number: int, dated: bool) -> str:
    date = f"{quote.date}: " if dated else ""
    return f"{date}{escape_markdown(quote.text)} [{number}]"


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no link, no HTML. Line ends become blanks."""
    escaped = _MARKDOWN.sub(lambda found: "\\" + found.group(), " ".join(text.split()))
    return _LIST_NUMBER.sub(r"\1\\\2", escaped)
