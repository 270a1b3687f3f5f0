from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from qa import builds
from qa.builds import CANCELLED, Build, BuildState
from qa.types import BuildReport, CorpusError, Progress, QAError
from tests.conftest import Library
from tests.test_ingest import ANN, BOB, content

REPORT = BuildReport((), (), (), 0, (), 0, 0.0)
SOON = 20.0


class Steps:
    """A build that stops at every step until it is told to go on."""

    def __init__(self, *steps: tuple[str, int, int]) -> None:
        self._steps = steps
        self._go = threading.Semaphore(0)
        self._said = threading.Semaphore(0)

    def __call__(self, progress: Progress) -> BuildReport:
        for step in self._steps:
            self._go.acquire(timeout=SOON)
            progress(*step)
            self._said.release()
        self._go.acquire(timeout=SOON)
        return REPORT

    def step(self) -> None:
        """Say the next step."""
        self._go.release()
        assert self._said.acquire(timeout=SOON)

    def go(self) -> None:
        """Go on, and do not wait for it."""
        self._go.release()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(builds, "time", made)
    return made


def ended(build: Build) -> BuildState:
    state = build.wait(SOON)
    assert not state.running
    return state


def test_a_build_is_watched_from_beginning_to_end(clock: Clock) -> None:
    build, run = Build(), Steps(("reading", 0, 2), ("reading", 2, 2), ("embedding", 0, 100), ("embedding", 20, 100))
    assert build.state == BuildState()
    assert build.start(run)
    assert build.state == BuildState(running=True)
    clock.now += 1
    run.step()
    assert build.state == BuildState(True, "reading", 0, 2, 1.0, None)
    clock.now += 2
    run.step()
    assert build.state == BuildState(True, "reading", 2, 2, 3.0, 0.0)
    run.step()
    assert build.state == BuildState(True, "embedding", 0, 100, 3.0, None)
    clock.now += 4
    run.step()
    assert build.state == BuildState(True, "embedding", 20, 100, 7.0, 16.0)  # 20 took four seconds, 80 take sixteen.
    clock.now += 6
    assert build.state == BuildState(True, "embedding", 20, 100, 13.0, 10.0)
    clock.now += 60
    assert build.state.seconds_left == 0.0
    run.go()
    assert ended(build) == BuildState(False, "embedding", 20, 100, 73.0, None, REPORT)
    clock.now += 5
    assert build.state.seconds == 73.0


def test_a_second_build_is_told_that_one_runs() -> None:
    build, first = Build(), Steps()
    assert build.start(first)
    assert not build.start(lambda progress: pytest.fail("ran beside the first"))
    first.go()
    assert ended(build).report is REPORT
    second = BuildReport(("a",), (), (), 0, (), 1, 0.0)
    assert build.start(lambda progress: second)
    assert ended(build) == BuildState(report=second, seconds=build.state.seconds)


def test_of_many_starts_at_once_one_runs() -> None:
    build, run, gate = Build(), Steps(), threading.Barrier(8)
    started: list[bool] = []

    def start() -> None:
        gate.wait()
        started.append(build.start(run))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.go()
    ended(build)
    assert sorted(started) == [False] * 7 + [True]


@pytest.mark.parametrize("stage", ["reading", "embedding"])
def test_a_cancelled_build_leaves_the_index_exactly_as_it_was(library: Library, stage: str) -> None:
    library.write("a.txt", ANN)
    library.build()
    before = content(library)
    library.write("a.txt", BOB)
    library.write("b.txt", ANN + "And salt.")
    build = Build()
    reached: list[tuple[str, int, int]] = []

    def run(progress: Progress) -> BuildReport:
        def watched(*step: object) -> None:
            reached.append(step)  # type: ignore[arg-type]
            if step[0] == stage:
                build.cancel()
            progress(*step)  # type: ignore[arg-type]

        return library.build(watched)

    assert build.start(run)
    state = ended(build)
    assert (state.report, state.error) == (None, "The rebuild was cancelled; the index is as it was.")
    assert reached[-1][0] == stage
    assert content(library) == before
    assert build.start(library.build)
    report = ended(build).report
    assert report is not None
    assert (report.added, report.changed) == (("b.txt",), ("a.txt",))


def test_a_cancel_before_the_start_ends_nothing() -> None:
    build, run = Build(), Steps(("reading", 1, 1))
    build.cancel()
    build.start(run)
    run.step()
    run.go()
    assert ended(build).report is REPORT
    build.cancel()
    assert build.state.report is REPORT


def test_a_cancelled_build_that_runs_is_still_running() -> None:
    build, run = Build(), Steps(("reading", 0, 1))
    build.start(run)
    build.cancel()
    assert build.wait(0.01).running
    assert not build.start(run)
    run.go()
    assert ended(build).error == CANCELLED


def failing(error: BaseException) -> Callable[[Progress], BuildReport]:
    def run(progress: Progress) -> BuildReport:
        progress("reading", 0, 3)
        raise error

    return run


def test_what_a_person_can_mend_is_said(caplog: pytest.LogCaptureFixture) -> None:
    for error in (QAError("Mend it."), CorpusError("Mend the folder.")):
        build = Build()
        build.start(failing(error))
        state = ended(build)
        assert state == BuildState(False, "reading", 0, 3, state.seconds, error=str(error))
    assert not caplog.records


@pytest.mark.parametrize("error", [ValueError("odd"), SystemExit(3)])
def test_any_other_failure_is_logged_and_said(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    build = Build()
    with caplog.at_level(logging.ERROR, "qa.builds"):
        build.start(failing(error))
        said = ended(build).error
    assert said == f"The rebuild failed ({type(error).__name__}: {error}); see the server's log, then rebuild."
    assert [record.exc_info is not None and record.exc_info[1] for record in caplog.records] == [error]
    assert build.start(lambda progress: REPORT)
    assert ended(build).report is REPORT


def test_waiting_for_nothing_ends_at_once() -> None:
    assert Build().wait() == BuildState()
