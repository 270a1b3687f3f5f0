"""What each part of answering is worth: one at a time is switched off.

.venv/bin/python -m bench.ablation SETS/score.py WORK realtimeqa_small_A

WORK is a folder for the index, which is kept.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.sets import Set, load
from qa import answer, assistant, search
from qa.types import Chunk


def _context(chunk: Chunk) -> str:
    return chunk.context


PARTS: dict[str, tuple[Any, str, Any]] = {
    "everything": (answer, "READ", answer.READ),
    "no BM25 beside the logit": (search, "LEXICAL_WEIGHT", 0.0),
    "open questions read too": (search, "readable", _context),
    "no title before a passage": (search, "readable", lambda chunk: chunk.text),
    "all 20 candidates reranked": (search, "ENOUGH", 1e9),
    "sentences without their passage": (answer, "PASSAGE_WEIGHT", 0.0),
    "no pairs of sentences": (answer, "SEEDS", 0),
    "pronouns read alone": (answer, "_resolved", lambda _: ()),
    "sentences may repeat the question": (answer, "ECHO_COST", 0.0),
    "no bonus for the kind of fact": (answer, "KIND_BONUS", 0.0),
    "no antecedent": (answer, "_needs_antecedent", lambda *_: False),
    "questions as they are typed": (assistant, "worded", lambda question, *_: question),
}


@contextmanager
def _without(module: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def _quoted(loaded: Set, query: dict[str, Any]) -> tuple[bool, bool, float]:
    """Whether the first, and whether any of three quotes has the answer, and the seconds it took."""
    start = time.perf_counter()
    quotes = loaded.assistant.ask(query["text"]).quotes
    spent = time.perf_counter() - start
    normal: Callable[[str], str] = loaded.score.normal
    wanted = [normal(text) for text in query.get("selected_sentences") or query.get("answers") or []]
    said = [normal(quote.text) for quote in quotes]
    hits = [any(w and (w in s or (len(s) > 40 and s in w)) for w in wanted) for s in said]
    return any(hits[:1]), any(hits[:3]), spent


def main() -> None:
    """Print a line for every part that is off."""
    score, work, name = sys.argv[1:]
    loaded = load(Path(score), name, Path(work))
    checks = loaded.score.Checks(loaded.assistant)
    print(f"{'':34} R@1   MRR   first three p50 ms")
    for part, (module, attribute, value) in PARTS.items():
        with _without(module, attribute, value):
            golds = [(q["text"], set(q.get("gold_ids") or q["passage_ids"])) for q in loaded.answerable]
            ranks = [loaded.score.ranks(loaded.assistant, checks, text, gold, loaded.names) for text, gold in golds]
            quoted = [_quoted(loaded, q) for q in loaded.answerable]
        first, three, spent = zip(*quoted, strict=True)
        shares = [sum(r == 1 for r in ranks) / len(ranks), sum(1 / r for r in ranks if r) / len(ranks)]
        shares += [statistics.mean(first), statistics.mean(three)]
        print(
            f"{part:34} {' '.join(f'{share:.3f}' for share in shares)} {1000 * statistics.median(spent):.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
