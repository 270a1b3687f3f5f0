"""What the measuring scripts share: an evaluation set, indexed once in a folder that is kept.

A set is a folder with `corpus.jsonl`, `queries.jsonl` and perhaps `unanswerable.jsonl`; `score.py` beside the sets
writes the corpus and says what counts as a hit.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qa


@dataclass(frozen=True, slots=True)
class Set:
    """A set and its index. `names` maps the files of the corpus to the set's own document names."""

    score: Any
    assistant: qa.Assistant
    names: dict[str, str]
    answerable: list[dict[str, Any]]
    unanswerable: list[dict[str, Any]]


def load(score: Path, name: str, work: Path) -> Set:
    """The set `name` beside `score.py`, indexed in `work`."""
    sys.path.insert(0, str(score.parent))
    module = importlib.import_module(score.stem)
    folder = score.parent / "sets" / name
    corpus, store, named = work / name / "corpus", work / name / "store", work / name / "names.json"
    if not named.exists():
        corpus.mkdir(parents=True, exist_ok=True)
        named.write_text(json.dumps(module.write_corpus(folder, corpus)))
    qa.build_index(corpus, store)
    missing = folder / "unanswerable.jsonl"
    return Set(
        module,
        qa.Assistant.open(store),
        json.loads(named.read_text()),
        [q for q in module.rows(folder / "queries.jsonl") if q.get("gold_ids") or q.get("passage_ids")],
        module.rows(missing) if missing.exists() else [],
    )
