"""A file becomes `Document`s: exact text and what each says about itself. One file is one article, but for .jsonl.

A .jsonl file holds one article a line; line 3 of `wire.jsonl` is the source `wire.jsonl#3`. Every other source is the
file's own path below the corpus folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import BinaryIO

from qa.readers import FORMATS as FORMATS
from qa.readers import READERS as READERS
from qa.readers import TRUSTED, isolate
from qa.types import CorpusError, Document, Extract, Segment

VERSION = 4
"""Grows when a reader reads the same file differently; an older index is then built anew."""

MAX_BYTES = 50_000_000
"""Bytes of one article. A PDF of a thousand scanned pages has fewer; what has more would fill the memory."""

MAX_TEXT = 5_000_000
"""Characters of one article; the longest novels have three million."""

HOW = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""How a file is opened. A pipe must not wait for its writer, and a name may have become one since it was scanned."""

LINES = ".jsonl"
"""The suffix of files that hold an article a line."""

_LINE = re.compile(r"(?P<file>.+\.jsonl)#(?P<number>[1-9]\d*)", re.IGNORECASE | re.DOTALL)


# --- the folder -------------------------------------------------------------------------------------------------------


def scan(corpus: Path) -> tuple[list[str], list[str]]:
    """The files of a folder as POSIX paths below it, sorted: those that a reader can read, and the others.

    Hidden files, READMEs, what a browser saved beside a page, and links that lead out of the folder are not looked at.
    CorpusError when there is no folder.
    """
    with _reached():
        if corpus.exists() and not corpus.is_dir():
            raise CorpusError(f"{corpus} is a file; name the folder that it is in with QA_CORPUS and run `qa index`.")
        if not corpus.is_dir():
            raise CorpusError(
                f"There is no folder {corpus}; create it, put .txt, .pdf or other articles in it and run `qa index`."
            )
        readable: list[str] = []
        other: list[str] = []
        for source in sorted(_walk(corpus)):
            (readable if suffix(source) in READERS else other).append(source)
        return readable, other


def is_there(corpus: Path) -> bool:
    """Whether there is anything of that name; CorpusError when that cannot be told."""
    with _reached():
        return corpus.exists()


@contextmanager
def _reached() -> Iterator[None]:
    """A folder may list its names and let nobody at the files, and one above the corpus may let nobody through."""
    try:
        yield
    except OSError as error:
        raise CorpusError(
            f"{error.filename} cannot be reached ({error.strerror}); check its name and the permissions of the folders "
            f"that it is in."
        ) from error


def suffix(source: str) -> str:
    """The suffix that decides who reads a file, in lower case, with its dot."""
    return os.path.splitext(file_of(source))[1].lower()  # noqa: PTH122 - as in _inside


def file_of(source: str) -> str:
    """The file that a source is in: itself, or the .jsonl file that it is a line of."""
    line = _LINE.fullmatch(source)
    return line["file"] if line else source


def _walk(corpus: Path) -> Iterator[str]:
    home = os.path.realpath(corpus)
    for folder, folders, names in os.walk(corpus, onerror=_unreadable_folder):
        folders[:] = [name for name in folders if not name.startswith(".") and not _beside_a_page(name, names)]
        below = Path(folder).relative_to(corpus).as_posix()
        real = os.path.realpath(folder)
        for name in names:
            if name.startswith(".") or os.path.splitext(name)[0].lower() == "readme":  # noqa: PTH122 - see _inside
                continue
            if _inside(real, name, home):
                yield name if below == "." else f"{below}/{name}"


def _inside(folder: str, name: str, home: str) -> bool:
    """Whether a name in a real folder is a file, or a link to one, below `home`.

    A folder of ten thousand articles is listed at every build: as Paths that takes five times as long.
    """
    path = os.path.join(folder, name)  # noqa: PTH118 - as said
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return os.path.isfile(path) and _below(os.path.realpath(path), home)  # noqa: PTH113 - as said
    return stat.S_ISREG(status.st_mode) and _below(path, home)


def _real(folder: str) -> str:
    """Where a folder really is, found once for as long as its name leads to the same."""
    status = os.stat(folder)  # noqa: PTH116 - as in _inside
    return _resolved(folder, status.st_dev, status.st_ino)


@lru_cache(maxsize=64)
def _resolved(folder: str, device: int, inode: int) -> str:
    return os.path.realpath(folder)


def _below(path: str, home: str) -> bool:
    return path.startswith(home.rstrip(os.sep) + os.sep)


def _beside_a_page(folder: str, names: list[str]) -> bool:
    """Whether a folder holds the pictures, scripts and frames of a page that a browser saved whole."""
    page, mark, rest = folder.rpartition("_")
    return bool(mark) and rest in {"files", "archivos"} and not {f"{page}.html", f"{page}.htm"}.isdisjoint(names)


def _unreadable_folder(error: OSError) -> None:
    # Passed over in silence, its articles would count as deleted.
    raise CorpusError(
        f"The folder {error.filename} cannot be read ({error.strerror}); check its permissions."
    ) from error


# --- one file ---------------------------------------------------------------------------------------------------------


def digests(corpus: Path, file: str) -> dict[str, str]:
    """{source: SHA-256 of its bytes, hexadecimal} of the articles in one file; CorpusError when it cannot be read."""
    if suffix(file) != LINES:
        return {file: hashlib.sha256(_bytes(corpus, file)).hexdigest()}
    with opened(corpus, file) as lines:
        return {f"{file}#{number}": hashlib.sha256(line).hexdigest() for number, _, line in _lines(lines)}


def read(corpus: Path, source: str) -> tuple[Document, tuple[Segment, ...]]:
    """The document of one source, and its labelled parts where the format tells them apart, else ().

    CorpusError, naming the source, when it cannot be read.
    """
    data = _bytes(corpus, source)
    try:
        extract = extracted(suffix(source), data)
    except CorpusError as error:
        raise CorpusError(f"{source} {error} and index again.") from error
    document = Document(
        source=source,
        text=extract.text,
        title=extract.title,
        date=extract.date,
        url=extract.url,
        author=extract.author,
        digest=hashlib.sha256(data).hexdigest(),
        pages=extract.pages,
    )
    return document, extract.parts


def extracted(suffix: str, data: bytes) -> Extract:
    """What the reader of a suffix makes of an article's bytes.

    CorpusError with a clause such as "is encrypted; save it without a password" when it can make nothing of them.
    """
    if len(data) > MAX_BYTES:
        raise CorpusError(_too_large(len(data)))
    extract = READERS[suffix](data) if suffix in TRUSTED else isolate.extract(suffix, data, MAX_TEXT)
    if len(extract.text) > MAX_TEXT:
        raise CorpusError(f"has {len(extract.text):,} characters; split it into files of at most {MAX_TEXT:,}")
    return extract


def _too_large(size: int) -> str:
    return f"has {size / 1e6:.1f} MB; split it into files of at most {MAX_BYTES // 1_000_000} MB"


def _bytes(corpus: Path, source: str) -> bytes:
    line = _LINE.fullmatch(source)
    with opened(corpus, file_of(source)) as file:
        status = os.fstat(file.fileno())
        if line:
            stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
            file.seek(_line_starts(corpus, line["file"], stamp).get(int(line["number"]), status.st_size))
        elif status.st_size > MAX_BYTES:
            raise CorpusError(f"{source} {_too_large(status.st_size)} and index again.")
        data = file.readline(MAX_BYTES + 1).rstrip(b"\r\n") if line else _whole(file, status.st_size)
        if len(data) > MAX_BYTES:
            raise CorpusError(f"{source} {_too_large(len(data))} and index again.")
        return data


def _whole(file: BinaryIO, size: int) -> bytes:
    """A file of this size, or more of it where it grows; asked for the most at once, it makes room for all."""
    data = file.read(size + 1)
    return data if len(data) <= size else data + file.read(MAX_BYTES + 1 - len(data))


def opened(corpus: Path, file: str) -> BinaryIO:
    """A regular file of the folder, open for reading; CorpusError, naming it, when it is none or cannot be opened."""
    try:
        file.encode("utf-8")
        handle = os.open(os.path.join(corpus, file), HOW)  # noqa: PTH118 - as in _inside
        try:
            _check_opened(corpus, file, os.fstat(handle))
        except BaseException:
            os.close(handle)
            raise
        return os.fdopen(handle, "rb")
    except UnicodeEncodeError as error:
        raise CorpusError(f"{file!r} has a name that is not UTF-8; rename the file and index again.") from error
    except OSError as error:
        reason = error.strerror or error
        raise CorpusError(f"{file} cannot be read ({reason}); check its permissions and index again.") from error


def _check_opened(corpus: Path, file: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise CorpusError(f"{file} is no regular file; remove it and index again.")
    # Since it was scanned it, or a folder above it, may have become a link: what was opened must be what is here.
    folder, name = os.path.split(os.path.join(corpus, file))  # noqa: PTH118 - as in _inside
    home = _real(str(corpus))
    place = os.path.join(home if folder == str(corpus) else _real(folder), name)  # noqa: PTH118
    here = os.lstat(place)
    if stat.S_ISLNK(here.st_mode):
        place = os.path.realpath(place)
        here = os.lstat(place)
    if not (_below(place, home) and os.path.samestat(here, status)):
        raise CorpusError(f"{file} leads out of {corpus}; put the file itself there and index again.")


@lru_cache(maxsize=4)
def _line_starts(corpus: Path, file: str, stamp: tuple[int, ...]) -> dict[int, int]:
    """{number: offset in bytes} of a file's lines, found once for as long as the file is the same."""
    with opened(corpus, file) as lines:
        return {number: start for number, start, _ in _lines(lines)}


def _lines(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """(number from 1, offset, the line without its end) of the lines that are not blank."""
    for number in count(1):
        start = file.tell()
        line = file.readline(MAX_BYTES + 1)
        if not line:
            return
        if line.strip():
            yield number, start, line.rstrip(b"\r\n")
        while line and not line.endswith(b"\n"):  # The rest of one that is too long; `read` will say so.
            line = file.readline(MAX_BYTES)
