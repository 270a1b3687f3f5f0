"""How well readers do on articles that they did not learn from: SQuAD 2.0 questions, whole paragraphs, in folds.

    python -m bench.reader.measure RUN0/reader.pt RUN1/reader.pt … [--file ../shared/training/squad2_part.json]

The first reader is measured on the articles that `--squad2 0/N` left out of its training, the second on those of 1/N,
and so on, N being how many are given; with one reader, on all. A .onnx file is read as the program reads it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bench.judge.figures import Row, auroc, passing
from qa import models
from qa.types import Reader

from .network import loaded
from .spans import f1, normalised
from .squad import FOLDER, paragraphs
from .train import SCORES, found_in, read

Found = tuple[float, float, int, int]


def asked(file: Path) -> list[Row]:
    """The questions of a file with their whole paragraphs and every answer that people marked."""
    return [
        {
            "question": each.question,
            "passage": paragraph.text,
            "article": title,
            "gold": [paragraph.text[start:end] for start, end in each.spans],
        }
        for title, found in paragraphs(file)
        for paragraph in found
        for each in paragraph.asked
    ]


def read_by(reader: Reader, rows: Sequence[Row]) -> list[Found]:
    """The same as `bench.reader.train.read`, by a reader as the program has it."""
    return [found_in(reading) for row in rows for reading in reader.read(row["question"], [row["passage"]])]


def report(rows: Sequence[Row], found: Sequence[Found]) -> str:
    """AUROC of answered against not, by each score; exact match and F1 against the nearest marked answer."""
    true = [n for n, row in enumerate(rows) if row["gold"]]
    false = [n for n, row in enumerate(rows) if not row["gold"]]
    told = []
    for name, score in SCORES.items():
        high, low = ([score(found[n]) for n in side] for side in (true, false))
        line = sorted(high)[len(high) // 10]
        told.append(f"{name} {auroc(high, low):.3f} ({passing(low, line):.2f} answered at .10 refused)")
    said = [(rows[n]["passage"][slice(*found[n][2:])], rows[n]["gold"]) for n in true]
    exact = [any(normalised(words) == normalised(gold) for gold in golds) for words, golds in said]
    shared = [max(f1(words, gold) for gold in golds) for words, golds in said]
    spans = f"EM {sum(exact) / len(exact):.3f} F1 {sum(shared) / len(shared):.3f}"
    return f"{len(true)} + {len(false)} questions: AUROC {', '.join(told)}; {spans}"


def main() -> None:
    """Print the figures over all folds together."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("readers", type=Path, nargs="+")
    options.add_argument("--device", default="cpu")
    options.add_argument("--file", type=Path, default=FOLDER / "squad2_part.json")
    given = options.parse_args()
    rows = asked(given.file)
    titles = sorted({row["article"] for row in rows})
    every: list[Row] = []
    found: list[Found] = []
    for fold, path in enumerate(given.readers):
        mine = set(titles[fold :: len(given.readers)])
        here = [row for row in rows if row["article"] in mine]
        found += _found(path, here, given.device)
        every += here
    print(report(every, found))


def _found(path: Path, rows: Sequence[Row], device: str) -> list[Found]:
    if path.suffix != ".onnx":
        return read(loaded(path).to(device), rows)
    folder = models.packaged_folder(models.MARCO)
    if folder is None:
        raise SystemExit(f"The reranker is not installed; {models.INSTALL}.")
    return read_by(models.OnnxReader(folder, path), rows)


if __name__ == "__main__":
    main()
