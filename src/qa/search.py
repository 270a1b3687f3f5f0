"""A question becomes passages: dense and lexical rankings, fused, then reranked."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from qa.chunks import sentences
from qa.types import Chunk, ChunkKey, Embedder, Kind, Passage, Ranks, Reranker, Snapshot, title_context

CANDIDATES = 100
"""Chunks taken from each ranking."""

RRF_K = 60
"""Reciprocal rank fusion's constant (Cormack, Clarke and Büttcher 2009, https://doi.org/10.1145/1571941.1572114)."""

RERANKED = 20
"""Fused candidates that the reranker reads, at the least; see "Rerank depth" in BENCHMARKS.md."""

FIRST = 10
ENOUGH = 6.0
"""An answer needs the best passages only: when one of the FIRST candidates has a logit of ENOUGH, it does without the
others. That halves the wait for most questions; see "Rerank depth" in BENCHMARKS.md."""

LEXICAL_WEIGHT = 2.0
"""What BM25, as a share of the best chunk's, adds to a logit: the reranker tells topics apart better than the exact
names and numbers of a question. See "Ablation" in BENCHMARKS.md."""

ARTICLES: tuple[Kind, ...] = ("body",)
COMMENTS: tuple[Kind, ...] = ("comment",)
BOTH: tuple[Kind, ...] = ("body", "comment")

_ASKS = re.compile(r"[?？][\"”’»)\]]*$")
_SAYS = re.compile(r"[.!…。！][\"”’»)\]]*$")


def search(
    snapshot: Snapshot,
    embedder: Embedder,
    reranker: Reranker,
    question: str,
    k: int,
    kinds: tuple[Kind, ...] = ARTICLES,
    early: bool = False,
    sources: Collection[str] | None = None,
) -> list[Passage]:
    """The `k` best passages of `sources` (None: of all), best first; equal scores stand in the order of source and
    position.

    The score is the reranker's logit and what BM25 adds to it. With `early`, reranking ends when it has found enough.
    """
    vector = embedder.embed_question(question)
    cosines = dict(snapshot.dense(vector, kinds, CANDIDATES, sources))
    bm25 = dict(snapshot.lexical(question, kinds, CANDIDATES, sources))
    dense, lexical = list(cosines), list(bm25)
    chunks = snapshot.chunks([key for key, _ in fuse(dense, lexical)[: max(k, RERANKED)]])
    logits = _judged(reranker, question, [readable(chunk) for chunk in chunks], early)
    chunks = chunks[: len(logits)]
    best = max(bm25.values(), default=0.0) or 1.0
    scores = [logit + LEXICAL_WEIGHT * bm25.get(c.key, 0.0) / best for c, logit in zip(chunks, logits, strict=True)]
    order = sorted(zip(scores, logits, chunks, strict=True), key=lambda row: (-row[0], row[2].key))[:k]
    farthest = min(cosines.values(), default=0.0)
    return [
        Passage(c, score, Ranks(_rank(c.key, dense), _rank(c.key, lexical), n, cosines.get(c.key, farthest), logit))
        for n, (score, logit, c) in enumerate(order, 1)
    ]


def _judged(reranker: Reranker, question: str, texts: Sequence[str], early: bool) -> list[float]:
    """The logits of the texts, in order; with `early` only of the first ones, when they are enough."""
    logits = reranker.score(question, texts[:FIRST])
    if early and max(logits, default=0.0) >= ENOUGH:
        return logits
    return logits + reranker.score(question, texts[FIRST:])


def fuse(*rankings: Sequence[ChunkKey]) -> list[tuple[ChunkKey, float]]:
    """Reciprocal rank fusion: a chunk's score is the sum of 1 / (RRF_K + rank) over the rankings that have it."""
    scores: dict[ChunkKey, float] = {}
    for ranking in rankings:
        for rank, key in enumerate(ranking, 1):
            scores[key] = scores.get(key, 0.0) + 1 / (RRF_K + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def asks(sentence: str) -> bool:
    """Whether a sentence of an article is itself a question."""
    return _ASKS.search(sentence) is not None


def readable(chunk: Chunk) -> str:
    """What the reranker reads: the title, then the text without the questions that it leaves open.

    A newsletter's quiz, or a story's rhetorical question, repeats what was asked and answers nothing. A question that a
    statement follows stays: that is how interviews and explainers are written.
    """
    found = [span.of(chunk.text) for span in sentences(chunk.text)]
    following = [*found[1:], ""]
    kept = [s for s, after in zip(found, following, strict=True) if not asks(s) or _SAYS.search(after)]
    return chunk.context if len(kept) == len(found) else title_context(chunk.title) + " ".join(kept)


def _rank(key: ChunkKey, ranking: Sequence[ChunkKey]) -> int:
    return ranking.index(key) + 1 if key in ranking else 0
