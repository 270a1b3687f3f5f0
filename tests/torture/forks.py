"""Builds that die. One process imports everything once and forks a child for each build, which it then kills.

`python -m tests.torture.forks` reads one order a line from its input and answers each with one line; `Forks` is the
other side. OpenMP's threads would not outlive a fork, so there are none.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parent.parent.parent
KEPT = 4
"""How many articles a batch leaves in the index: each adds one and takes the oldest away."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a child is to do, and when it is killed (seconds; None: never).

    `first` is the number of the batch to begin with; 0 asks for one build of the corpus as it is.
    """

    corpus: str
    store: str
    delay: float | None = None
    first: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went: whether the child was killed, how long it lived, and the batches that it acknowledged."""

    killed: bool
    seconds: float
    acknowledged: list[int]


class Forks(AbstractContextManager["Forks"]):
    """A running helper process."""

    def __init__(self) -> None:
        alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.forks"],
            cwd=ROOT,
            env=os.environ | alone,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)

    def run(self, order: Order) -> Outcome:
        """Have it done; fails when the child ended by itself with an error."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(asdict(order)), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        assert not answer.pop("failed"), "the child failed; its traceback is above"
        return Outcome(**answer)


def _serve() -> None:
    for line in sys.stdin:
        print(json.dumps(_forked(Order(**json.loads(line)))), flush=True)


def _forked(order: Order) -> dict[str, object]:
    reading, writing = os.pipe()
    began = time.perf_counter()
    child = os.fork()
    if not child:
        _child(lambda: _work(order, writing))
    os.close(writing)
    if order.delay is not None:
        time.sleep(max(0.0, order.delay - (time.perf_counter() - began)))
        os.kill(child, signal.SIGKILL)  # Not yet waited for, so the number is still this child's, ended or not.
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return {
        "killed": code == -signal.SIGKILL,
        "failed": code not in (0, -signal.SIGKILL),
        "seconds": time.perf_counter() - began,
        "acknowledged": [int(number) for number in said.split()],
    }


def _child(work: Callable[[], None]) -> None:
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _work(order: Order, acknowledged: int) -> None:
    from qa.store import open_store
    from tests.torture import states

    corpus, store = Path(order.corpus), open_store(order.store)
    if not order.first:
        states.build(corpus, store)
    number = order.first
    while number:
        states.write(corpus, batch(number))
        states.build(corpus, store)
        os.write(acknowledged, f"{number}\n".encode())
        number += 1


def batch(number: int) -> dict[str, str]:
    """The corpus after so many batches."""
    from tests.torture import states

    return dict(states.corpus(dict.fromkeys(range(max(1, number - KEPT + 1), number + 1), "batch")))


if __name__ == "__main__":
    import tests.torture.states  # noqa: F401 - once, for all the children

    _serve()
