"""What the reader would be with less: of the questions, of its layers, of its training, of one kind of row.

    python -m bench.reader.curves FOLDER ROWS.jsonl [--device cuda --at-once 6]

trains a small reader for each, without a teacher and without SQuAD 2.0, and prints a table: how well answered rows are
told from the others on articles that were held out, kind by kind, and how exact the few words are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .recipe import Stage, last, run

LONG = 48_000
"""Rows that each learns from."""
KINDS = ("absent", "other", "question", "passage", "denied", "opposite", "roles", "kept")


def variants() -> list[Stage]:
    """What differs in each."""
    many = ("--rows", str(LONG))
    return [
        Stage("whole", many),
        *(Stage(f"part-{part}", ("--part", part, *many)) for part in ("0.06", "0.125", "0.25", "0.5")),
        *(Stage(f"rows-{rows}", ("--rows", str(rows))) for rows in (LONG // 4, LONG * 4)),
        *(Stage(f"layers-{layers}", ("--layers", layers, *many)) for layers in ("4", "6", "9")),
        Stage("none-frozen", ("--frozen", "0", *many)),
        *(Stage(f"without-{kind}", ("--without", kind, *many)) for kind in KINDS),
    ]


def main() -> None:
    """Train them all and print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("rows", type=Path)
    options.add_argument("--device", default="cpu")
    options.add_argument("--at-once", type=int, default=1)
    given = options.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    run(given.folder, given.rows, variants(), given.device, given.at_once)
    for stage in variants():
        print(f"{stage.name:16} {last(given.folder / f'{stage.name}.log')}")


if __name__ == "__main__":
    main()
