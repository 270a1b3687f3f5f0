"""The child's side of `qa.readers.isolate`: a program that reads one file after another, under limits it cannot lift.

On stdin come requests: a line of JSON (`suffix`, `size` and `memory` in bytes, `most` in characters, `seconds`), then
the file's bytes. On stdout go answers: two lengths, then that many bytes of JSON and of the text in UTF-8. JSON and
plain bytes cannot run code, whoever wrote them.
"""

from __future__ import annotations

import json
import os
import re
import select
import struct
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, BinaryIO

from qa.readers import READERS, Reader
from qa.types import CorpusError, Extract

if sys.platform != "win32":
    import fcntl
    import resource

LENGTHS = struct.Struct(">QQ")
"""Bytes of an answer's JSON, bytes of its text."""

MAX_HEAD = 8_000_000
"""Bytes of an answer's JSON. 300,000 parts take the parent 100 MB, the worst that fits 200."""

OUT_OF_MEMORY = 77
"""The exit status that says so: to exit needs no memory, to answer does."""

IDLE = 60
"""Seconds without a request after which the child ends and gives its 40 to 80 MB back; a new one is ready in 0.25."""

OPEN_FILES = 64
"""Importing the readers opens one file at a time; reading opens none."""

_UNSOUND = re.compile("[\x00\ud800-\udfff]")


def sound(text: str) -> str:
    """What no file can hold (halves of surrogate pairs) or no store should (NUL) becomes U+FFFD, one for one."""
    return _UNSOUND.sub("\ufffd", text)


def serve(readers: Mapping[str, Reader] = READERS) -> None:
    """Answer requests until no more come. A file that needs too much memory ends the process (OUT_OF_MEMORY)."""
    requests, answers = _take_pipes()
    _limit_process()
    try:
        while _answer_next(readers, requests, answers):
            pass
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the parent, moved away from where a library that prints would write into them."""
    requests, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    return os.fdopen(requests, "rb"), os.fdopen(answers, "wb")


def _answer_next(readers: Mapping[str, Reader], requests: BinaryIO, answers: BinaryIO) -> bool:
    """Whether there was a request, which is now answered."""
    line = requests.readline() if _comes(requests) else b""
    if not line:
        return False
    request = json.loads(line)
    data = requests.read(request["size"])
    if len(data) < request["size"]:
        return False
    _limit_file(request["memory"], request["seconds"])
    _end_with_parent(requests, True)
    head, text = _answer(readers[request["suffix"]], data, request["most"])
    _end_with_parent(requests, False)
    for piece in (LENGTHS.pack(len(head), len(text)), head, text):
        answers.write(piece)
    answers.flush()
    return True


def _answer(reader: Reader, data: bytes, most: int) -> tuple[bytes, bytes]:
    """The JSON and the text of an answer: an extract, a clause for people, or the exception that a reader met."""
    said: dict[str, Any]
    try:
        return _packed(reader(data), most)
    except MemoryError:
        raise
    except CorpusError as error:
        said = {"clause": str(error)}
    except ModuleNotFoundError as error:
        said = {"clause": f"needs the package {error.name}, which is not installed; run `make install`"}
    except Exception as error:
        said = {"failure": type(error).__name__, "detail": traceback.format_exc(limit=-20)}
    return json.dumps(said).encode(), b""


def _packed(extract: Extract, most: int) -> tuple[bytes, bytes]:
    length = len(extract.text)
    if length > most:
        raise CorpusError(f"has {length:,} characters; split it into files of at most {most:,}")
    said = {name: getattr(extract, name) for name in ("title", "date", "url", "author", "pages")}
    parts = [(part.span.start, part.span.end, part.kind) for part in extract.parts]
    head = json.dumps(said | {"parts": parts}).encode()
    if len(head) > MAX_HEAD:
        raise CorpusError(f"has too many parts and pages ({len(parts) + len(extract.pages):,}); split it into files")
    return head, sound(extract.text).encode()


# --- limits -----------------------------------------------------------------------------------------------------------


def _limit_process() -> None:
    """Write no file, leave no core dump, open few files, start no process (which no system forbids its root)."""
    if sys.platform != "win32":
        for kind, most in (
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_NOFILE, OPEN_FILES),
            (resource.RLIMIT_NPROC, 0),
        ):
            _limit(kind, most, for_good=True)


def _limit_file(memory: int, seconds: int) -> None:
    """Take at most so many bytes of addresses, and of the processor so many seconds from now.

    The parent ends a child by the clock; the limit on the processor ends one whose parent cannot.
    """
    if sys.platform != "win32":
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_AS, memory, for_good=True)
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + seconds + 1, for_good=False)


def _limit(kind: int, most: int, for_good: bool) -> None:
    if sys.platform != "win32":
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):  # macOS does not know them all; the parent's clock holds there.
            resource.setrlimit(kind, (most, most if for_good else hard))


def _comes(requests: BinaryIO) -> bool:
    """Whether a request, or the end, comes within IDLE seconds. Windows cannot wait for a pipe with a limit."""
    return sys.platform == "win32" or bool(select.select([requests], [], [], IDLE)[0])


def _end_with_parent(requests: BinaryIO, so: bool) -> None:
    """While a file is read, end as soon as the parent does, even in the midst of foreign code.

    Linux sends SIGIO, which ends a process, when the other end of a pipe closes. A file is whole by then, so nothing
    else can come through it. (PR_SET_PDEATHSIG would not do: it tells of the end of the thread that was the parent's.)
    """
    if sys.platform == "linux":
        flags = fcntl.fcntl(requests, fcntl.F_GETFL) & ~fcntl.FASYNC
        fcntl.fcntl(requests, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(requests, fcntl.F_SETFL, flags | (fcntl.FASYNC if so else 0))
        if so and select.select([requests], [], [], 0)[0]:
            os._exit(0)  # It closed before anybody watched.
