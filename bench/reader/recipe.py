"""Everything that makes src/qa/reader.onnx, in its order; what is there already is not made again.

    python -m bench.reader.recipe FOLDER [--device cuda --at-once 4]

A teacher learns from all rows; then it, and with its help the reader, learn from them and from questions that people
wrote to mislead: of two halves of the articles each, to be measured on the other half, and of all.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PARTS = {"0": "0/2", "1": "1/2", "all": "all"}
"""The articles with written questions that are learnt from, as `bench.reader.train` names them."""
TEACHER, TEACHER_TUNED = 140_000, 16_000
READER, READER_TUNED = 170_000, 26_000
"""Rows to learn from."""
TUNED = ("--part", "0.15")


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of training: what it is called, the options, and the runs that it needs."""

    name: str
    options: tuple[str, ...]
    needs: tuple[str, ...] = ()


def stages(folder: Path) -> list[Stage]:
    """All runs, those that others need before them."""

    def weights(name: str) -> str:
        return str(folder / name / "reader.pt")

    made = [
        Stage("teacher", ("--network", "mpnet", "--rows", str(TEACHER))),
        Stage("reader", ("--teacher", weights("teacher"), "--rows", str(READER)), ("teacher",)),
    ]
    for name, part in PARTS.items():
        teacher = ("--network", "mpnet", "--start", weights("teacher"), "--rate", "2e-5", "--squad2", part, *TUNED)
        made.append(Stage(f"teacher-{name}", (*teacher, "--rows", str(TEACHER_TUNED)), ("teacher",)))
    for name, part in PARTS.items():
        reader = ("--start", weights("reader"), "--rate", "6e-5", "--squad2", part, *TUNED)
        taught = ("--teacher", weights(f"teacher-{name}"), "--rows", str(READER_TUNED))
        made.append(Stage(f"reader-{name}", (*reader, *taught), ("reader", f"teacher-{name}")))
    return made


def run(folder: Path, rows: Path, made: Sequence[Stage], device: str, at_once: int) -> None:
    """Run what is not there yet, so many at once, each as soon as what it needs is there."""
    waiting = [stage for stage in made if not (folder / stage.name / "reader.pt").exists()]
    running: dict[str, subprocess.Popen[bytes]] = {}
    while waiting or running:
        for name in [name for name, process in running.items() if process.poll() is not None]:
            if code := running.pop(name).returncode:
                for process in running.values():
                    process.terminate()  # They go on from their checkpoints.
                raise SystemExit(f"{name} ended with {code}; see {folder / name}.log.")
            print(f"{time.strftime('%H:%M:%S')} {name}: {last(folder / f'{name}.log')}", flush=True)
        for stage in list(waiting):
            ready = all((folder / name / "reader.pt").exists() and name not in running for name in stage.needs)
            if ready and len(running) < at_once:
                waiting.remove(stage)
                running[stage.name] = _started(stage, folder, rows, device)
        time.sleep(1)


def last(log: Path) -> str:
    """The last line of a file."""
    return (log.read_text("utf-8").splitlines() or [""])[-1]


def _started(stage: Stage, folder: Path, rows: Path, device: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.reader.train", str(folder / stage.name), str(rows), "--device", device]
    with (folder / f"{stage.name}.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603
            [*command, *stage.options], stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "OMP_NUM_THREADS": "2"}
        )


def main() -> None:
    """Make the rows, run the stages, measure, and write the file."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--device", default="cpu")
    options.add_argument("--at-once", type=int, default=1)
    given = options.parse_args()
    rows = given.folder / "rows.jsonl"
    given.folder.mkdir(parents=True, exist_ok=True)
    if not rows.exists():
        _call("data", str(rows))
    run(given.folder, rows, stages(given.folder), given.device, given.at_once)
    for name in ("teacher", "reader"):
        _call(
            "measure", *(str(given.folder / f"{name}-{fold}" / "reader.pt") for fold in "01"), "--device", given.device
        )
    _call("export", str(given.folder / "reader-all" / "reader.pt"))


def _call(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", f"bench.reader.{module}", *arguments], check=True)  # noqa: S603


if __name__ == "__main__":
    main()
