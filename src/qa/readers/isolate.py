"""Readers of foreign formats run in a child process: a file that was made to break them costs bounded time and memory.

The child (`qa.readers.child`) is kept for many files, because to start one takes up to a quarter of a second. It is not
trusted: whatever it answers is bounded, parsed without running anything and checked, so that a file that takes it over
can make it say wrong text and no more.
"""

from __future__ import annotations

import atexit
import json
import logging
import math
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import IO, Any, TypeAlias, cast, get_args

from qa.readers.child import LENGTHS, MAX_HEAD, OUT_OF_MEMORY, sound
from qa.types import CorpusError, Extract, Kind, Segment, Span

log = logging.getLogger(__name__)

SECONDS = 30
"""Wall time that every file may take."""

SECONDS_PER_MB = 2
"""Wall time that a file may take besides, for each of its megabytes. trafilatura takes 1.0 to 1.4 s for a megabyte of a
page on two cores, a PDF of 1,000 full pages 1.7 s in all; a slow laptop takes four times as long."""

MEMORY = 1_000_000_000
"""Bytes of addresses that a child may have. With every reader loaded it has 145 MB, with a PDF of 1,000 pages 130 MB,
with a page of 4 MB 270 MB and with one of 20 MB 650 MB."""

FILES = 500
"""Files after which a child is replaced, so that what a library loses does not add up: python-docx 0.1 MB a small
file, the others nothing in 2,000. A new child costs 0.1 to 0.25 s."""

MAX_FIELD = 2_000
"""Characters of a title, an author or an address that are kept; browsers send no longer addresses."""

MAX_CLAUSE = 300
"""Characters of what a child says is wrong."""

GRACE = 1
"""Seconds for the thread that talks to a child to notice its end."""

PIECE = 65_536
"""Bytes that a pipe holds."""

VARIABLES = {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
"""All that a child inherits. numpy's threads would reserve 40 MB of addresses a core, and what a reader makes of a file
must not change with the order of a set."""

OTHERWISE = "save it in another format"

Answer: TypeAlias = tuple[bytes, bytes]
"""What a child sent: JSON, and a text in UTF-8."""


class _EndedError(CorpusError):
    """The child ended before it had answered."""


def extract(suffix: str, data: bytes, most: int) -> Extract:
    """What the reader of `suffix` makes of an article's bytes, in at most `most` characters.

    CorpusError with a clause, such as "cannot be read within 30 seconds; save it in another format", when it cannot.
    """
    return _child.extract(suffix, data, most)


def command(program: str = "serve()") -> tuple[str, ...]:
    """What starts a child: this Python, blind to the folder that it is started in and to PYTHONPATH.

    It finds this very package, wherever it is, and skips its face, which would import all of it: 0.15 s instead of 0.6
    and 100 MB of addresses instead of 500. `program` is run with the names of `qa.readers.child`.
    """
    package = "import sys, types; qa = sys.modules['qa'] = types.ModuleType('qa'); qa.__path__ = [sys.argv[1]]"
    lines = f"{package}\nfrom qa.readers.child import *\n{program}"
    return (sys.executable, "-P", "-B", "-X", "utf8", "-c", lines, str(Path(__file__).parents[1]))


class Child:
    """A process that reads files, one at a time, for any thread. It is started when it is first needed.

    `seconds` is the wall time of an empty file, `memory` the bytes of addresses of the process, which is replaced
    after so many `files`.
    """

    def __init__(
        self, program: Sequence[str], seconds: float = SECONDS, memory: int = MEMORY, files: int = FILES
    ) -> None:
        self._program = program
        self._seconds = seconds
        self._memory = memory
        self._files = files
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._done = 0

    def extract(self, suffix: str, data: bytes, most: int) -> Extract:
        """What the reader of `suffix` makes of `data`, in at most `most` characters; CorpusError with a clause."""
        seconds = math.ceil(self._seconds + SECONDS_PER_MB * len(data) / 1e6)
        request = {"suffix": suffix, "size": len(data), "most": most, "seconds": seconds, "memory": self._memory}
        with self._lock:
            if self._done >= self._files or (self._process and self._process.poll() is not None):
                self.end()
            if self._done:  # It may suffer from the files before: only a new child is believed when it ends.
                with suppress(_EndedError):
                    return self._ask(request, data)
            return self._ask(request, data)

    def end(self) -> int:
        """End the process with all that it started; its exit status, or the signal that ended it as below 0."""
        process, thread = self._process, self._thread
        self._process, self._thread, self._done = None, None, 0
        if process is None:
            return 0
        if process.returncode is None:
            _kill(process)
        status = process.wait()
        if thread:
            thread.join(GRACE)
        for pipe in _pipes(process):
            pipe.close()
        return status

    def _ask(self, request: dict[str, Any], data: bytes) -> Extract:
        try:
            answer = self._exchange(request, data)
        except BaseException:  # Ctrl-C too: what the child says next would be taken for the next answer.
            self.end()
            raise
        self._done += 1
        try:
            return _extract(*answer, request["most"])
        except (TypeError, KeyError, ValueError, RecursionError) as error:
            self.end()
            raise CorpusError(f"made its reader answer nonsense; {OTHERWISE}") from error

    def _exchange(self, request: dict[str, Any], data: bytes) -> Answer:
        """The child's answer, of bounded size; CorpusError when it is late, _EndedError when there is none."""
        self._process = process = self._process or _start(self._program)
        answers: list[Answer] = []

        def talk() -> None:
            with suppress(OSError, EOFError, ValueError):
                answers.append(_talk(process, request, data))

        # A thread, for Windows cannot wait for a pipe a limited time; and not even a process that a child leaves
        # behind, with the pipe in its hand, can hold up the caller.
        self._thread = thread = threading.Thread(target=talk, name="qa-reader", daemon=True)
        thread.start()
        thread.join(request["seconds"])
        if thread.is_alive():
            raise CorpusError(f"cannot be read within {request['seconds']} seconds; {OTHERWISE}")
        if not answers:
            raise _EndedError(_cause(self.end(), self._memory))
        return answers[0]


# --- the process ------------------------------------------------------------------------------------------------------


def _start(program: Sequence[str]) -> subprocess.Popen[bytes]:
    """A child in a session of its own: the terminal's Ctrl-C is its parent's affair."""
    try:
        return subprocess.Popen(  # noqa: S603
            program,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=VARIABLES if os.name == "posix" else None,  # Windows starts nothing without its own.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    except OSError as error:
        raise CorpusError(f"got no process to be read in ({error.strerror}); end other programs") from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        if sys.platform != "win32":
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _cause(status: int, memory: int) -> str:
    if status == OUT_OF_MEMORY:
        return f"needs more than {memory / 1e9:g} GB of memory to be read; {OTHERWISE}"
    # PDFium crashes when it gets no more memory, so that nobody can tell the one from the other.
    return f"made its reader crash or run out of memory; {OTHERWISE}"


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    return cast("tuple[IO[bytes], IO[bytes]]", (process.stdin, process.stdout))


def _talk(process: subprocess.Popen[bytes], request: dict[str, Any], data: bytes) -> Answer:
    """Send a request and receive its answer; EOFError, OSError or ValueError when it is not that of a sane child."""
    requests, answers = _pipes(process)
    for message in (json.dumps(request).encode() + b"\n", data):
        _send(requests, message)
    head, text = LENGTHS.unpack(_receive(answers, LENGTHS.size))
    if head > MAX_HEAD or text > 4 * request["most"]:
        raise ValueError("too long")
    return _receive(answers, head), _receive(answers, text)


def _send(pipe: IO[bytes], message: bytes) -> None:
    rest = memoryview(message)
    while rest:
        rest = rest[pipe.write(rest) :]


def _receive(pipe: IO[bytes], size: int) -> bytes:
    message = bytearray()
    while len(message) < size:
        piece = pipe.read(min(PIECE, size - len(message)))
        if not piece:
            raise EOFError
        message += piece
    return bytes(message)


# --- what it answers --------------------------------------------------------------------------------------------------


def _extract(head: bytes, text: bytes, most: int) -> Extract:
    """An answer, checked; CorpusError where it is a clause, another error where it is none of a sane child."""
    said = json.loads(head)
    if "clause" in said:
        raise CorpusError(_clause(said["clause"]))
    if "failure" in said:
        log.debug("A reader failed: %r", said["detail"])
        raise CorpusError(f"made its reader fail ({_clause(said['failure'])}); {OTHERWISE}")
    whole = sound(text.decode("utf-8"))
    if len(whole) > most:
        raise ValueError("too long")
    return Extract(
        text=whole,
        title=_field(said["title"]),
        date=_day(said["date"]),
        url=_field(said["url"]),
        author=_field(said["author"]),
        parts=_parts(said["parts"], len(whole)),
        pages=_pages(said["pages"], len(whole)),
    )


def _field(value: Any) -> str:
    """A string on one line."""
    if not isinstance(value, str):
        raise TypeError("no string")
    return " ".join(sound(value[:MAX_FIELD]).split())


def _clause(value: Any) -> str:
    """A string that a terminal shows and does not obey."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in _field(value)[:MAX_CLAUSE])


def _day(value: Any) -> str:
    """A day in ISO 8601, or "" for what is none."""
    day = _field(value)
    with suppress(ValueError):
        return date.fromisoformat(day).isoformat() if re.fullmatch(r"\d{4}-\d{2}-\d{2}", day, re.ASCII) else ""
    return ""


def _parts(values: Any, length: int) -> tuple[Segment, ...]:
    parts: list[Segment] = []
    at = 0
    for start, end, kind in values:
        if not (type(start) is type(end) is int and at <= start < end <= length and kind in get_args(Kind)):
            raise ValueError("no part")
        parts.append(Segment(Span(start, end), kind))
        at = end
    return tuple(parts)


def _pages(values: Any, length: int) -> tuple[int, ...]:
    at = 0
    for start in values:
        if not (type(start) is int and at <= start <= length):
            raise ValueError("no page")
        at = start
    return tuple(values)


# --- the one child ----------------------------------------------------------------------------------------------------

_child = Child(command())


def _end() -> None:
    _child.end()


def _forget() -> None:
    """Two processes cannot share a child: one that was forked starts its own."""
    global _child
    _child = Child(command())


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
