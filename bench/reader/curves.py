"""What the reader would be with less: of the questions, of its layers, of its training, of one kind of row.

    python -m bench.reader.curves FOLDER ROWS.jsonl [--device cuda --at-once 6] [--only whole without-denied …] […]

trains a reader for each, without a teacher and without SQuAD 2.0, with whatever other options `bench.reader.train` has,
and prints a table: how well answered rows are told from the others on articles that were held out, kind by kind, and
how exact the few words are.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from .recipe import Stage, last, run

LONG = 48_000
"""Rows that each learns from, unless --rows says otherwise."""
KINDS = ("absent", "other", "question", "passage", "denied", "opposite", "roles", "kept")
PARTS, LAYERS, LENGTHS = ("0.06", "0.125", "0.25", "0.5"), ("4", "6", "9"), (12_000, 24_000, 96_000, 192_000)


def variants() -> list[Stage]:
    """What differs in each."""
    return [
        Stage("whole", ()),
        Stage("again", ("--seed", "12")),
        *(Stage(f"part-{part}", ("--part", part)) for part in PARTS),
        *(Stage(f"rows-{rows}", ("--rows", str(rows))) for rows in LENGTHS),
        *(Stage(f"layers-{layers}", ("--layers", layers)) for layers in LAYERS),
        Stage("none-frozen", ("--frozen", "0")),
        *(Stage(f"without-{kind}", ("--without", kind)) for kind in KINDS),
    ]


def main() -> None:
    """Train them all and print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("rows", type=Path)
    options.add_argument("--device", default="cpu")
    options.add_argument("--at-once", type=int, default=1)
    options.add_argument("--only", nargs="+", default=[stage.name for stage in variants()])
    given, others = options.parse_known_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    common = ("--rows", str(LONG), *others)
    made = [replace(stage, options=(*common, *stage.options)) for stage in variants() if stage.name in given.only]
    run(given.folder, given.rows, made, given.device, given.at_once)
    for stage in made:
        print(f"{stage.name:16} {last(given.folder / f'{stage.name}.log')}")


if __name__ == "__main__":
    main()
