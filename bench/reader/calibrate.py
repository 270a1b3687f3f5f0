"""How much each sign should weigh for an answer or a refusal, by articles that the reader did not learn from.

    python -m bench.reader.calibrate WORK ROWS.jsonl [--folder ../shared/training]

indexes the encyclopedia of the training texts in WORK, without a third of the paragraphs of the held-out articles, and
asks:

    there     questions about a paragraph that is there: to be answered
    gone      questions about a paragraph that is not there, but its article is
    changed   questions with one fact changed, a "not" more or less, or the roles exchanged
    far       questions about something else, from reviews and forum posts

Each kind that is to be refused weighs the same, and all of them together as much as `there`. Prints a logistic
regression (Cox 1958) over the signs, and the AUROC of each kind against `there` with it, by folds, and as it is now.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import qa
from bench.judge.figures import Row, auroc, lines
from qa.confidence import CALIBRATION, MOST_READ, Signs

from .squad import FOLDER, paragraphs

FILE = "new_wiki_v1.0"
GONE = 3
"""Of so many paragraphs one is left out of the index."""
FAR = 300
STRENGTH = 1.0
"""How strongly large weights are avoided, as C of the regression."""
NAMES = ("passage", "sentence", "cosine", "missing", "read", "doubt")
Asked = tuple[str, str, Signs]


@dataclass(slots=True)
class Recorder:
    """Stands where the calibration does, and keeps the signs."""

    last: Signs | None = None

    def confidence(self, signs: Signs) -> float:
        """Keep them."""
        self.last = signs
        return 0.5


def write_articles(folder: Path, target: Path, held_out: set[str]) -> set[str]:
    """Write the articles; the paragraphs that were left out."""
    gone: set[str] = set()
    for number, (title, found) in enumerate(paragraphs(folder / f"{FILE}.json")):
        texts = [paragraph.text for paragraph in found]
        if title in held_out:
            gone |= set(texts[::GONE])
        kept = [text for text in texts if text not in gone]
        (target / f"{number:02}.txt").write_text(f"{title}\n\n" + "\n\n".join(kept) + "\n", "utf-8")
    return gone


def questions(rows: Sequence[Row], gone: set[str]) -> list[tuple[str, str]]:
    """Questions with their kinds."""
    mine = [row for row in rows if row["held_out"] and row["file"] == FILE]
    true = {row["group"]: row for row in mine if row["kind"] == "answer"}
    found = []
    for row in mine:
        first = true.get(row["group"])
        if first is None or row["kind"] in {"kept", "absent", "other", "passage"}:
            continue
        away = any(first["passage"].split("\n")[-1] in text for text in gone)
        if row is first:
            found.append(("gone" if away else "there", row["question"]))
        elif not away and row["question"] != first["question"]:
            found.append(("changed", row["question"]))
    elsewhere = sorted({r["question"] for r in rows if r["held_out"] and r["file"] != FILE and r["kind"] == "answer"})
    return found + [("far", each) for each in elsewhere[:: max(1, len(elsewhere) // FAR)]]


def asked(store: Path, listed: Sequence[tuple[str, str]], kept: Path) -> list[Asked]:
    """The signs of every question; those asked before are read from a file."""
    known = {row["question"]: Signs(**row["signs"]) for row in lines(kept)} if kept.exists() else {}
    assistant, recorder = qa.Assistant.open(store), Recorder()
    assistant.calibration = recorder  # type: ignore[assignment]
    with kept.open("a", encoding="utf-8") as file:
        for _, question in listed:
            if question not in known:
                assistant.ask(question)
                if recorder.last is not None:
                    known[question] = recorder.last
                    file.write(json.dumps({"question": question, "signs": asdict(recorder.last)}) + "\n")
    return [(kind, question, known[question]) for kind, question in listed if question in known]


def table(signs: Sequence[Signs]) -> np.ndarray[Any, Any]:
    """A row of numbers each, as NAMES says; `size` is the same for all and left out."""
    return np.array(
        [[s.passage, s.sentence, s.cosine, min(s.missing, 2), min(s.read, MOST_READ), s.doubt] for s in signs]
    )


def main() -> None:
    """Print the weights and what they do."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("work", type=Path)
    options.add_argument("rows", type=Path)
    options.add_argument("--folder", type=Path, default=FOLDER)
    given = options.parse_args()
    rows = lines(given.rows)
    held_out = {row["article"] for row in rows if row["held_out"] and row["file"] == FILE}
    (given.work / "articles").mkdir(parents=True, exist_ok=True)
    gone = write_articles(given.folder, given.work / "articles", held_out)
    qa.build_index(given.work / "articles", given.work / "store")
    found = asked(given.work / "store", questions(rows, gone), given.work / "signs.jsonl")
    kinds = np.array([kind for kind, _, _ in found])
    count = {kind: int((kinds == kind).sum()) for kind in ("there", "gone", "changed", "far")}
    print(count)
    weight = np.array([(3.0 if kind == "there" else 1.0) / count[kind] for kind in kinds]) * len(kinds) / 6
    values, labels = table([signs for _, _, signs in found]), kinds == "there"
    model = LogisticRegression(C=STRENGTH, max_iter=1000)
    model.fit(values, labels, sample_weight=weight)
    print(
        dict(zip(("passage", "sentence", "cosine", "missing", "read", "doubt"), model.coef_[0].round(3), strict=True))
    )
    print("offset", model.intercept_.round(3))
    by = {"cv": 5, "method": "decision_function", "params": {"sample_weight": weight}}
    fresh = cross_val_predict(model, values, labels, **by)
    now = np.array([CALIBRATION.confidence(signs) for _, _, signs in found])
    for name, score, line in (("fitted", fresh, 0.0), ("as it is", now, 0.5)):
        each = [f"{kind} {auroc(score[labels], score[kinds == kind]):.3f}" for kind in count if kind != "there"]
        passed = [f"{kind} {(score[kinds == kind] >= line).mean():.3f}" for kind in count]
        print(f"{name:9} AUROC {' '.join(each)} | answered {' '.join(passed)}")


if __name__ == "__main__":
    main()
