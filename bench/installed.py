"""What a package brings along: megabytes on disk of each distribution that it needs, extras that are named included.

    python bench/installed.py verbatim-qa          # or another distribution, with the Python it is installed for

needs nothing but Python, so that it runs in any environment. Prints one line of JSON: {distribution: megabytes}.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path


def needed(root: str) -> dict[str, Distribution]:
    """The distribution, and all that it needs here, by name."""
    found: dict[str, Distribution] = {}
    todo = [root]
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # For another system, or an extra that was not asked for.
            continue
        todo += _requirements(found[name])
    return found


def _requirements(of: Distribution) -> Iterator[str]:
    for requirement in of.requires or ():
        if "extra ==" not in requirement:
            yield re.split(r"[\s<>=!~;\[(]", requirement, maxsplit=1)[0]


def megabytes(of: Distribution) -> float:
    """The size of its files."""
    paths = (Path(str(of.locate_file(file))) for file in of.files or ())
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def main() -> None:
    """Print the sizes of what is named, all together."""
    sizes = {name: round(megabytes(of), 1) for root in sys.argv[1:] for name, of in needed(root).items()}
    print(json.dumps(dict(sorted(sizes.items(), key=lambda row: -row[1]))))


if __name__ == "__main__":
    main()
