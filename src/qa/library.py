"""The folder of articles beside the index: what stands in which state, and files that are put in or taken out."""

from __future__ import annotations

import os
import re
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import count
from pathlib import Path, PurePath
from typing import Literal, TypeAlias
from uuid import uuid4

from qa import documents, ingest
from qa.ingest import Plan
from qa.types import CorpusError, Entry

State: TypeAlias = Literal["current", "changed", "new", "failed", "removed"]
"""How a file stands to the index:

- `current`: indexed as it is;
- `changed`: indexed with other bytes;
- `new`: not indexed;
- `failed`: cannot be read now;
- `removed`: indexed, and gone from the folder; it answers until the next rebuild.
"""

MAX_UPLOAD = 20_000_000
"""Bytes of one file that is put in: a PDF of some hundred pages with pictures."""

MAX_STEM = 120
"""Bytes of a name without its suffix; file systems take 255, and "-2" and ".removed" want room."""

REMOVED = ".removed"
"""The folder below the corpus that articles are taken out to; `documents.scan` looks at no hidden folder."""

KEPT = 100_000
"""Files whose digest is kept. Fewer than a folder has would keep nothing: the oldest would always be the next asked."""

SETTLED = 2_000_000_000
"""Nanoseconds. A file may be written twice within one tick of its clock; the coarsest (FAT) ticks every two seconds."""

_FORBIDDEN = '<>:"|?*'
_UNSEEN = {"Cc", "Cf", "Cs"}
"""Categories of Unicode: control characters, format characters (bidi and zero width among them), halves of pairs."""

_RESERVED = {"con", "prn", "aux", "nul", "conin$", "conout$", "readme"} | {
    port + number for port in ("com", "lpt") for number in "0123456789¹²³"
}
"""Names that Windows gives to devices, whatever their suffix, and the one that `documents.scan` passes over."""

_moving = threading.Lock()
"""One file at a time is put in or taken out, so that of two of the same at once the second sees the first."""


@dataclass(frozen=True, slots=True)
class Item:
    """An article of the folder or the index.

    Title, date, author and outlet are those of the file as it is now, or of the index where it is gone or cannot be
    read; `passages` and `comments` are what the index answers from. `reason` is the sentence of a failed one; `copies`
    are the indexed articles that tell nearly the same.
    """

    source: str
    title: str
    date: str
    author: str
    outlet: str
    passages: int
    comments: int
    state: State
    reason: str = ""
    copies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Added:
    """Where an upload is in the folder; `known` says that its bytes were there before, perhaps under another name."""

    source: str
    known: bool


# --- what there is ----------------------------------------------------------------------------------------------------


def shelf(corpus: Path, entries: Sequence[Entry]) -> list[Item]:
    """Every article of the folder or of the index (`entries`), by source.

    A folder that is missing or empty has no articles; CorpusError when it is a file, or cannot be listed.
    """
    indexed = {entry.source: entry for entry in entries}
    files = documents.scan(corpus)[0] if documents.is_there(corpus) else []
    here = [item for file in files for item in _in_file(corpus, file, indexed)]
    gone = [_item(indexed[source], "removed") for source in indexed.keys() - {item.source for item in here}]
    return sorted([*here, *gone], key=lambda item: item.source)


def changes(items: Sequence[Item]) -> Plan:
    """What a rebuild would do; an article that was indexed and cannot be read any more is removed by it."""

    def of(state: State) -> tuple[str, ...]:
        return tuple(item.source for item in items if item.state == state)

    lost = [item.source for item in items if item.state == "failed" and item.passages + item.comments]
    return Plan(of("new"), of("changed"), tuple(sorted([*of("removed"), *lost])), len(of("current")))


def _in_file(corpus: Path, file: str, indexed: Mapping[str, Entry]) -> Iterator[Item]:
    """The articles of a file, or the file itself where it cannot be opened."""
    stamp = _stamp(Path(corpus, file))
    try:
        digests = _digests(corpus, file, stamp)
    except CorpusError as error:
        yield _item(indexed.get(file, _nothing(file)), "failed", str(error))
        return
    for source, digest in digests.items():
        yield _seen(corpus, source, digest, stamp, indexed.get(source))


def _seen(corpus: Path, source: str, digest: str, stamp: tuple[int, ...], known: Entry | None) -> Item:
    old = known or _nothing(source)
    if digest == old.digest:
        return _item(old, "current")
    try:
        now = _read(corpus, source, stamp)
    except CorpusError as error:
        return _item(old, "failed", str(error))
    return _item(
        replace(now, passages=old.passages, comments=old.comments, copies=old.copies), "changed" if known else "new"
    )


def _nothing(source: str) -> Entry:
    return Entry(source, "", "", "", "", "", 0, 0)


def _item(entry: Entry, state: State, reason: str = "") -> Item:
    source = entry.source.encode("utf-8", "replace").decode()  # A name that is not UTF-8 could be sent to no page.
    about = (entry.title, entry.date, entry.author, entry.outlet)
    return Item(source, *about, entry.passages, entry.comments, state, reason, entry.copies)


def _stamp(path: Path) -> tuple[int, ...]:
    """What is another when a file's bytes are; a file that was written just now gets one that nothing else has."""
    now = time.time_ns()
    try:
        status = path.stat()
    except OSError:  # Reading it will say why.
        return (now,)
    times = (status.st_mtime_ns, status.st_ctime_ns)
    settled = all(abs(now - changed) > SETTLED for changed in times)
    return (status.st_size, status.st_ino, *times, 0 if settled else now)


@lru_cache(maxsize=KEPT)
def _digests(corpus: Path, file: str, stamp: tuple[int, ...]) -> dict[str, str]:
    """{source: digest} of a file, kept while its stamp is the same: a page view must not read every article."""
    return documents.digests(corpus, file)


@lru_cache(maxsize=KEPT)
def _read(corpus: Path, source: str, stamp: tuple[int, ...]) -> Entry:
    """What a file that is not indexed says about itself; kept as digests are."""
    document, _ = ingest.read_labelled(corpus, source)
    return Entry(source, document.title, document.date, document.url, document.author, document.digest, 0, 0)


# --- putting in -------------------------------------------------------------------------------------------------------


def add(corpus: Path, name: str, data: bytes) -> Added:
    """Put a new file into the folder, which is made where it is missing; nothing is overwritten.

    It is called `safe_name(name)`, or "…-2", "…-3" and so on where that is taken. Bytes that an article has already
    are not written again. CorpusError when the name or the data are no article's, or when it cannot be written.
    """
    safe = safe_name(name)
    _check(safe, data)
    try:
        with _moving:
            if not corpus.exists():
                corpus.mkdir(parents=True, exist_ok=True)
            known = _known(corpus, data)
            return Added(known or _write(corpus, safe, data), bool(known))
    except OSError as error:
        reason = error.strerror or error
        raise CorpusError(
            f"{safe} cannot be put into {corpus} ({reason}); check that the folder can be written and that its disk "
            f"has room, and add it again."
        ) from error


def safe_name(name: str) -> str:
    """The last part of a name as one that every file system takes and `documents.scan` lists; its own safe name.

    No separator, no character that is unseen or that Windows forbids, no dot or blank at either end of the stem, at
    most MAX_STEM bytes before the suffix. CorpusError when no reader reads the suffix, or when nothing is left.
    """
    last = re.split(r"[/\\]", name)[-1]
    seen = "".join(_kept(character) for character in last)
    stem, dot, suffix = " ".join(unicodedata.normalize("NFC", seen).split()).rpartition(".")
    if (dot + suffix).lower() not in documents.READERS:
        raise CorpusError(f"{last[:MAX_STEM]!r} has no suffix that can be read; save it as one of {documents.FORMATS}.")
    stem = stem.strip(" .")
    if not stem:
        raise CorpusError(f"Nothing is left of the name {last[:MAX_STEM]!r}; give the file a name and add it again.")
    if stem.split(".")[0].strip().lower() in _RESERVED:
        stem = f"_{stem}"
    return _cut(stem).rstrip(" .") + dot + suffix.lower()


def _kept(character: str) -> str:
    """What a name has for a character: itself, a blank, or nothing."""
    if character.isspace() or character in _FORBIDDEN:
        return " "
    return "" if unicodedata.category(character) in _UNSEEN else character


def _cut(stem: str) -> str:
    return stem.encode("utf-8", "ignore")[:MAX_STEM].decode("utf-8", "ignore")


def _check(name: str, data: bytes) -> None:
    if len(data) > MAX_UPLOAD:
        size, most = len(data) / 1e6, MAX_UPLOAD // 1_000_000
        raise CorpusError(f"{name} has {size:.1f} MB; split it into files of at most {most} MB and add them.")
    try:
        if documents.suffix(name) != documents.LINES:  # A line that cannot be read is named when it is indexed.
            documents.extracted(documents.suffix(name), data)
    except CorpusError as error:
        raise CorpusError(f"{name} {error} and add it again.") from error


def _known(corpus: Path, data: bytes) -> str:
    """The file that has these bytes, or ""."""
    for file in documents.scan(corpus)[0]:
        # What cannot be read is not known to be the same.
        with suppress(CorpusError, OSError), documents.opened(corpus, file) as there:
            if os.fstat(there.fileno()).st_size == len(data) and there.read() == data:
                return file
    return ""


def _write(corpus: Path, name: str, data: bytes) -> str:
    """A new file, whole or not at all; returns its name."""
    hidden = corpus / f".{uuid4().hex}.part"
    try:
        with hidden.open("xb") as file:  # "x" (O_EXCL) neither overwrites nor follows a link.
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return _place(hidden, corpus, name)
    finally:
        hidden.unlink(missing_ok=True)


# --- taking out -------------------------------------------------------------------------------------------------------


def remove(corpus: Path, source: str) -> str:
    """Move an article into the hidden folder REMOVED; returns where it is now, as a POSIX path below the corpus.

    "news/a.md" becomes "news-a.md" there, or "news-a-2.md" where that is taken. CorpusError when `source` is none that
    `documents.scan` lists as an article, when it is one line of a file, or when it cannot be moved.
    """
    if documents.file_of(source) != source:
        raise CorpusError(f"{source[:MAX_STEM]!r} is one line of a file; delete the line there, then rebuild.")
    try:
        with _moving:
            if source not in documents.scan(corpus)[0]:
                raise CorpusError(f"{source[:MAX_STEM]!r} is no article in {corpus}; load the list anew.")
            return f"{REMOVED}/{_place(Path(corpus, source), _removed(corpus), _flat(source))}"
    except OSError as error:
        raise CorpusError(
            f"{source} cannot be moved to {corpus / REMOVED} ({error.strerror or error}); check that both folders can "
            f"be written, and remove it again."
        ) from error


def _removed(corpus: Path) -> Path:
    folder = corpus / REMOVED
    if folder.is_symlink():
        raise CorpusError(f"{folder} is a link; put a folder there, so that articles stay in {corpus}.")
    folder.mkdir(exist_ok=True)
    return folder


def _flat(source: str) -> str:
    name = PurePath(source.replace("/", "-"))
    return _cut(name.stem) + name.suffix


def _place(here: Path, folder: Path, name: str) -> str:
    """Move a file into a folder, to the first of "name.md", "name-2.md", … that is free; returns which one it is."""
    stem, suffix = PurePath(name).stem, PurePath(name).suffix
    for number in count(1):
        there = folder / (f"{stem}-{number}{suffix}" if number > 1 else name)
        with suppress(FileExistsError):
            _move(here, there)
            break
    return there.name


def _move(here: Path, there: Path) -> None:
    """Rename a file, or a link itself, but never over another: FileExistsError when there is one."""
    finish: Callable[[], object] = partial(here.unlink, missing_ok=True)
    try:
        os.link(here, there, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # No hard links on this disk: an empty file claims the name.
        there.open("xb").close()
        finish = partial(here.replace, there)
    try:
        finish()
    except OSError:
        there.unlink()
        raise
