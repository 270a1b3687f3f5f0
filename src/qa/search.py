"""A question becomes passages: dense and lexical rankings, fused, then reranked."""

from __future__ import annotations

from collections.abc import Sequence

from qa.types import ChunkKey, Embedder, Kind, Passage, Reranker, Snapshot

CANDIDATES = 100
"""Chunks taken from each ranking."""

RRF_K = 60
"""Reciprocal rank fusion's constant (Cormack, Clarke and Büttcher 2009, https://doi.org/10.1145/1571941.1572114)."""

RERANKED = 20
"""Fused candidates that the reranker reads, at the least; see "Rerank depth" in BENCHMARKS.md."""


def search(
    snapshot: Snapshot,
    embedder: Embedder,
    reranker: Reranker,
    question: str,
    k: int,
    include_comments: bool = False,
) -> list[Passage]:
    """The `k` best passages, best first; equal scores stand in the order of source and position.

    The score is the reranker's logit. Readers' comments are left out unless they are asked for.
    """
    kinds: tuple[Kind, ...] = ("body", "comment") if include_comments else ("body",)
    vector = embedder.embed([question])[0]
    dense = [key for key, _ in snapshot.dense(vector, kinds, CANDIDATES)]
    lexical = [key for key, _ in snapshot.lexical(question, kinds, CANDIDATES)]
    fused = fuse(dense, lexical)[: max(k, RERANKED)]
    chunks = snapshot.chunks([key for key, _ in fused])
    scores = reranker.score(question, [chunk.context for chunk in chunks])
    passages = [Passage(chunk, score) for chunk, score in zip(chunks, scores, strict=True)]
    return sorted(passages, key=lambda passage: (-passage.score, passage.chunk.key))[:k]


def fuse(*rankings: Sequence[ChunkKey]) -> list[tuple[ChunkKey, float]]:
    """Reciprocal rank fusion: a chunk's score is the sum of 1 / (RRF_K + rank) over the rankings that have it."""
    scores: dict[ChunkKey, float] = {}
    for ranking in rankings:
        for rank, key in enumerate(ranking, 1):
            scores[key] = scores.get(key, 0.0) + 1 / (RRF_K + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
