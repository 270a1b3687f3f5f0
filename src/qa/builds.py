"""A rebuild in the background that can be watched and cancelled."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from qa.types import BuildReport, Progress, QAError

log = logging.getLogger(__name__)

CANCELLED = "The rebuild was cancelled; the index is as it was."

Run = Callable[[Progress], BuildReport]


class _CancelledError(Exception):
    """Leaves a build through its writer, which then changes nothing."""


@dataclass(frozen=True, slots=True)
class BuildState:
    """How the last build stands; all empty before the first.

    `seconds` is wall time, `seconds_left` the estimate for the rest of this stage (None until it has advanced).
    When it is over, `report` says what it did, or `error`, a sentence, why it did nothing.
    """

    running: bool = False
    stage: str = ""
    done: int = 0
    total: int = 0
    seconds: float = 0.0
    seconds_left: float | None = None
    report: BuildReport | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Sign:
    """One call of a build's progress, and when it came (seconds of the monotonic clock)."""

    stage: str
    done: int
    total: int
    at: float


class Build:
    """One build at a time, in a thread of its own. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._cancelled = False
        self._began = 0.0
        self._first = self._last = _Sign("", 0, 0, 0.0)
        self._state = BuildState()

    def start(self, run: Run) -> bool:
        """Run a build in the background; False, and nothing is run, when one is running already.

        `run` gets the progress that it must call from time to time: that is where it is cancelled.
        """
        with self._lock:
            if self._state.running:
                return False
            self._cancelled = False
            self._began = time.monotonic()
            self._first = self._last = _Sign("", 0, 0, self._began)
            self._thread = threading.Thread(target=self._work, args=(run,), name="qa-build", daemon=True)
            self._thread.start()
            self._state = BuildState(running=True)
        return True

    @property
    def state(self) -> BuildState:
        """How it stands now."""
        with self._lock:
            if not self._state.running:
                return self._state
            now, last = time.monotonic(), self._last
            left = _seconds_left(self._first, last, now)
            return BuildState(True, last.stage, last.done, last.total, now - self._began, left)

    def cancel(self) -> None:
        """End the running build at its next sign of progress; one that is past its last, and commits, is not ended."""
        with self._lock:
            self._cancelled = True

    def wait(self, timeout: float | None = None) -> BuildState:
        """How it stands when it is over, or after `timeout` seconds."""
        if self._thread:
            self._thread.join(timeout)
        return self.state

    def _work(self, run: Run) -> None:
        report, error = None, ""
        try:
            report = run(self._progress)
        except _CancelledError:
            error = CANCELLED
        except QAError as problem:
            error = str(problem)
        except BaseException as problem:  # Whatever it is: a build that has ended must not count as running.
            log.exception("The rebuild failed.")
            error = f"The rebuild failed ({type(problem).__name__}: {problem}); see the server's log, then rebuild."
        ended = self.state
        with self._lock:
            self._state = replace(ended, running=False, seconds_left=None, report=report, error=error)

    def _progress(self, stage: str, done: int, total: int) -> None:
        sign = _Sign(stage, done, total, time.monotonic())
        with self._lock:
            if self._cancelled:
                raise _CancelledError
            self._first = sign if stage != self._last.stage else self._first
            self._last = sign


def _seconds_left(first: _Sign, last: _Sign, now: float) -> float | None:
    """What is left of a stage at the rate from its first sign to its last, of which some has passed since."""
    if last.done <= first.done:
        return None
    rate = (last.done - first.done) / max(last.at - first.at, 1e-9)
    return max(0.0, (last.total - last.done) / rate - (now - last.at))
