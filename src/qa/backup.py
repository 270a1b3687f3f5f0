"""An index in one file: a zip archive of the database, documents included, and of what people keep beside it."""

from __future__ import annotations

import errno
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path
from tempfile import TemporaryDirectory

from qa import confidence, evaluate
from qa.store import open_store
from qa.types import Manifest, Place, QAError, StoreError, beside

INDEX = "index.sqlite"
"""The database in the archive."""

DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What reading an archive raises when it is none, or no longer what was written."""

BESIDE = (confidence.FILE, evaluate.FEEDBACK)
"""What is kept beside an index and cannot be made again from it."""


def save(store: Place, file: Path, overwrite: bool = False) -> int:
    """Write an index into a new file, seen whole or not at all; returns its bytes.

    StoreError without an index, or when it is damaged; QAError when the file is there already, or cannot be written.
    """
    if file.exists() and not overwrite:
        raise QAError(f"{file} is there already; choose another name, or add --overwrite.")
    with _scratch(file.parent, file) as folder:
        copy, whole = folder / INDEX, folder / "whole"
        open_store(store).copy_to(copy)
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(copy, INDEX)
            for path in (beside(store) / name for name in BESIDE):
                if path.is_file():
                    archive.write(path, path.name)
        _settle(whole)
        size = whole.stat().st_size
        whole.replace(file)
    return size


def load(file: Path, store: Place, overwrite: bool = False) -> Manifest:
    """Make the index in a file that of a store, whole or not at all; returns what it was built with.

    QAError when the store has an index already, or when the file cannot be read or is no archive of ours. Questions
    are answered from the old index until the new one is there.
    """
    there, own = open_store(store), beside(store)
    if not overwrite and there.built():
        raise QAError(f"{store} has an index already; set QA_STORE to another folder, or add --overwrite.")
    own.mkdir(parents=True, exist_ok=True)
    with _scratch(own, own) as folder:
        names = _unpack(file, folder)
        try:
            manifest = there.adopt(folder / INDEX)
        except StoreError as error:
            raise StoreError(f"{file} was not imported. {error}") from error
        for name in names:
            _settle(folder / name)
            (folder / name).replace(own / name)
    return manifest


def _unpack(file: Path, folder: Path) -> list[str]:
    """Put the database of an archive into a folder, and what was kept beside it, whose names are returned."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = [name for name in BESIDE if name in archive.namelist()]
            room, need = shutil.disk_usage(folder).free, sum(archive.getinfo(n).file_size for n in (INDEX, *names))
            if need > room:
                raise QAError(f"{file} needs {need / 1e6:,.0f} MB and the disk has {room / 1e6:,.0f}; make room first.")
            for name in (INDEX, *names):
                with archive.open(name) as packed, (folder / name).open("wb") as plain:
                    shutil.copyfileobj(packed, plain, 1 << 20)
            return names
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # About the disk, not about what the archive says.
        raise QAError(
            f"{file} is no exported index, or is damaged ({error}); export it again with `qa export`."
        ) from error


@contextmanager
def _scratch(folder: Path, about: Path) -> Iterator[Path]:
    """A folder on the same disk, which goes again whatever happens; QAError when something there cannot be written."""
    try:
        with TemporaryDirectory(dir=folder, prefix=".unfinished-") as scratch:
            yield Path(scratch)
    except OSError as error:
        raise QAError(
            f"{error.filename or about} cannot be read or written ({error.strerror or error}); check that it is there, "
            f"its permissions, and that the disk has room."
        ) from error


def _settle(path: Path) -> None:
    """Have a file on the disk before its name says that it is whole."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
