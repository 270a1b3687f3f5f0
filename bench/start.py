"""From `make chat` typed to the first answer, everything being installed and built; and what the page keeps in memory.

.venv/bin/python bench/start.py
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

ROUNDS = 5
QUESTION = "Who rejected the offer to send troops?"


def free_port() -> int:
    """A port of this machine that nobody has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def asked(port: int) -> dict[str, object]:
    """The first answer, waited for."""
    body = json.dumps({"question": QUESTION}).encode()
    address = f"http://127.0.0.1:{port}/api/ask"
    while True:
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        with suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(request) as answer:  # noqa: S310
            found: dict[str, object] = json.load(answer)
            return found
        time.sleep(0.02)


def resident(group: int) -> float:
    """Megabytes of the largest process of a group, which is the page."""
    sizes = [0]
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, StopIteration):
            if os.getpgid(int(folder.name)) == group:
                rows = (folder / "status").read_text().splitlines()
                sizes.append(next(int(row.split()[1]) for row in rows if row.startswith("VmRSS")))
    return max(sizes) / 1e3


def main() -> None:
    """Print medians."""
    spent, sizes = [], []
    for _ in range(ROUNDS + 1):
        port = free_port()
        began = time.perf_counter()
        process = subprocess.Popen(
            ["make", "chat"],  # noqa: S607 - the command that people type
            env=os.environ | {"QA_PORT": str(port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            answer = asked(port)
            spent.append(time.perf_counter() - began)
            if not answer["answered"]:
                raise SystemExit(f"not answered: {answer}")
            sizes.append(resident(process.pid))
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
    print(f"first answer after {statistics.median(spent[1:]):.2f} s ({min(spent[1:]):.2f} to {max(spent[1:]):.2f})")
    print(f"resident memory of the page {statistics.median(sizes):.0f} MB")


if __name__ == "__main__":
    main()
