"""How well the bodies of real web pages are found: F1 of runs of four words, and of words, against marked bodies.

.venv/bin/python bench/pages.py FOLDER, where FOLDER has ground-truth.json and a .html.gz for each of its pages
"""

from __future__ import annotations

import gzip
import json
import re
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

from qa.readers import html
from qa.types import CorpusError


def runs(text: str, length: int) -> Counter[tuple[str, ...]]:
    """How often each run of so many words stands in a text."""
    words = re.findall(r"\w+", text)
    return Counter(tuple(words[n : n + length]) for n in range(max(1, len(words) - length + 1)))


def body(data: bytes) -> str:
    """The body of a page; "" when none is found."""
    try:
        extract = html.read(data)
    except CorpusError:
        return ""
    return "\n".join(part.span.of(extract.text) for part in extract.parts if part.kind == "body")


def scores(found: str, marked: str, length: int) -> tuple[float, float]:
    """Precision and recall of one page."""
    ours, theirs = runs(found, length), runs(marked, length)
    both = sum((ours & theirs).values())
    return both / max(1, sum(ours.values())), both / max(1, sum(theirs.values()))


def main(folder: Path) -> None:
    """Print one table."""
    truth = json.loads((folder / "ground-truth.json").read_text("utf-8"))
    spent, found = [], {}
    for page in truth:
        data = gzip.decompress((folder / f"{page}.html.gz").read_bytes())
        began = time.perf_counter()
        found[page] = body(data)
        spent.append(time.perf_counter() - began)
    for length in (4, 1):
        pairs = [scores(found[page], truth[page]["articleBody"], length) for page in truth]
        precision, recall = (statistics.mean(side) for side in zip(*pairs, strict=True))
        f1 = 2 * precision * recall / (precision + recall)
        print(f"runs of {length}: precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}")
    print(f"{len(truth)} pages, {statistics.median(spent):.3f} s a page (median), {max(spent):.3f} s at most")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
