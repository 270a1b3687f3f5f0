"""Draws docs/growth.png from what bench/growth.py wrote.

    python bench/plot.py GROWTH.json ...

needs `pip install matplotlib` in an environment of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path("docs/growth.png")

PANELS = (
    ("milliseconds of a question", (("ask", "whole answer, p50"), ("lexical", "by words"), ("dense", "by meaning"))),
    ("seconds", (("build", "build, without embedding"), ("one more", "one article more"), ("open", "opened first"))),
    ("megabytes", (("disk", "on disk"), ("memory", "in memory, without the page"))),
)


def value(row: dict[str, Any], name: str) -> float:
    """A figure in the unit of its panel."""
    found = row[name][0] if isinstance(row[name], list) else row[name]
    return float(found) / (1e6 if name in {"disk", "memory"} else 1)


def main() -> None:
    """Draw three panels with logarithmic axes."""
    import matplotlib.pyplot as plt

    rows = [row for path in sys.argv[1:] for row in json.loads(Path(path).read_text("utf-8"))]
    rows.sort(key=lambda row: int(row["served"]))
    sizes = [row["served"] for row in rows]
    figure, axes = plt.subplots(1, len(PANELS), figsize=(12, 3.6), dpi=110)
    for axis, (unit, lines) in zip(axes, PANELS, strict=True):
        for name, label in lines:
            axis.plot(sizes, [value(row, name) for row in rows], marker="o", label=label)
        axis.set(xscale="log", yscale="log", xlabel="passages", title=unit)
        axis.grid(True, which="major", alpha=0.3)
        axis.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(TARGET)


if __name__ == "__main__":
    main()
