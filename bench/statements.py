"""What becomes of statements whose truth is known: `.venv/bin/python bench/statements.py`.

eval/statements.jsonl has them with the sentences that they cite. Printed are the statements of each kind that are taken
for supported, and the reasons why the others are struck.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from qa import models
from qa.evaluate import share
from qa.support import struck

FILE = Path(__file__).parent.parent / "eval" / "statements.jsonl"


def main() -> None:
    """Check every statement, and count."""
    judge = models.load_judge()
    found: dict[str, list[str]] = {}
    for line in FILE.read_text("utf-8").splitlines():
        said = json.loads(line)
        kind = f"{said['kind']}, Spanish" if said.get("language") else said["kind"]
        cited = [sentence for _, sentence in said["cites"]]
        found.setdefault(kind, []).append(struck(said["statement"], cited, judge))
    for kind, reasons in found.items():
        passed = share([not reason for reason in reasons])
        why = ", ".join(f"{reason} {times}" for reason, times in Counter(filter(None, reasons)).most_common())
        print(f"{kind:<24} {passed.hits:>3} of {passed.total:>3} pass ({passed.value:.3f})   struck: {why or '–'}")


if __name__ == "__main__":
    main()
