"""A few places for many threads, first come, first served; whoever no longer wants one leaves the line."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock

POLL = 0.05
"""Seconds between two looks at whether what is waited for is still wanted; less than a person notices."""


class Turns:
    """`places` of them. A semaphore of Python's own serves whoever happens to be awake: of twenty who waited for four
    places, the last had to wait half as long again.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._line: deque[Event] = deque()
        self._lock = Lock()

    @contextmanager
    def taken(self, stopped: Callable[[], bool]) -> Iterator[bool]:
        """Hold a place; False when `stopped()` became true before there was one."""
        mine = self._wait(stopped)
        try:
            yield mine
        finally:
            if mine:
                self._release()

    def _wait(self, stopped: Callable[[], bool]) -> bool:
        turn = Event()
        with self._lock:
            self._line.append(turn)
            self._call()
        while not turn.wait(POLL):
            if stopped():
                return self._leave(turn)
        return True

    def _leave(self, turn: Event) -> bool:
        """Whether the turn came in the moment of leaving."""
        with self._lock:
            if not turn.is_set():
                self._line.remove(turn)
            return turn.is_set()

    def _release(self) -> None:
        with self._lock:
            self._free += 1
            self._call()

    def _call(self) -> None:
        while self._free and self._line:
            self._free -= 1
            self._line.popleft().set()
