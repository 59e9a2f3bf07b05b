"""Writes one file on any object store: hashed and counted as it is written, visible only when it is whole."""

from __future__ import annotations

import gzip
import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.files.storage.errors import storage_failures
from airflow_provider_sfjwt.files.storage.paths import is_local

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.storage.paths import StoragePath

#: Bytes that an object store's client buffers before it sends them. With s3fs's default of 50 MiB, each open file costs
#: 172 MB.
BLOCK_SIZE = 8 * 2**20


class FileWriter:
    """A file being written, with the methods that Arrow and gzip call.

    :param raw: the storage's own file.
    :param name: of the file, once it is whole.
    """

    def __init__(self, raw: Any, name: str) -> None:
        self._raw = raw
        self.name = name
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Write bytes.

        :param data: anything with the buffer protocol.
        :return: how many bytes.
        """
        view = memoryview(data)
        self._raw.write(view)
        self._hash.update(view)
        self.bytes += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        """How many bytes have been written."""
        return self.bytes

    def flush(self) -> None:
        """Do nothing: a file becomes visible only when it is whole."""

    @property
    def sha256(self) -> str:
        """The SHA-256 of all bytes so far, in hex."""
        return self._hash.hexdigest()

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False  # an upload goes forward only


@contextmanager
def writing(path: StoragePath, *, new_word: str | None = None) -> Iterator[FileWriter]:
    """Write a file, which exists afterwards only if the block ended without an error.

    Nobody sees it before it is whole: a local file is written under another name first, and an object store shows an
    object only when all of it has arrived.

    :param path: the file.
    :param new_word: what is added to the name where a local file has it already: ``a.csv`` becomes ``a_<word>.csv``. An
        existing file is then never replaced, whoever wrote it, and whenever. None replaces an existing file.
    """
    target = _draft_of(path) if is_local(path) else path
    raw = target.fs.open(target.path, "wb", block_size=BLOCK_SIZE)
    try:
        file = FileWriter(raw, path.name)
        yield file
        raw.close()
        if target is not path:
            file.name = _named(Path(target.path), Path(path.path), new_word)
    except BaseException:
        with suppress(*storage_failures()):  # the first error is the one to report
            _discard(raw, target)
        raise


def _draft_of(path: StoragePath) -> StoragePath:
    """Where a local file is written before it gets its name."""
    return path.parent / f".{path.name}-{uuid.uuid4().hex}"


def _named(draft: Path, path: Path, new_word: str | None) -> str:
    """Give a whole local file its name: the one that was wanted, or where it is taken, one with a word of its own.

    :return: the name.
    """
    if new_word is None:
        draft.replace(path)
        return path.name
    stem, dot, ending = path.name.partition(".")
    own = path.with_name(f"{stem}_{new_word}{dot}{ending}")
    for wanted in (path, own, path.with_name(f"{stem}_{uuid.uuid4().hex[:8]}{dot}{ending}")):
        try:
            # Unlike a renaming, a link never replaces a file, also not one that comes into being at this moment.
            wanted.hardlink_to(draft)
        except FileExistsError:
            continue
        except OSError:  # a file system without links
            draft.replace(own)
            return own.name
        draft.unlink()
        return wanted.name
    raise FileExistsError(f"{own} is there already")


@contextmanager
def compressed(file: FileWriter, compression: str | None) -> Iterator[Callable[[Any], Any]]:
    """A function that writes bytes into a file, gzip around them if wanted.

    :param file: an open file.
    :param compression: ``gzip``, or None.
    """
    if compression != "gzip":
        yield file.write
        return
    # No time and no name in the header, so that equal data gives equal bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed:
        yield packed.write


def _discard(raw: Any, path: StoragePath) -> None:
    """Leave no file. Closing an fsspec file commits it even after an error, so an upload is aborted instead."""
    from fsspec.spec import AbstractBufferedFile

    if isinstance(raw, AbstractBufferedFile):
        raw.discard()
        raw.closed = True
    else:
        with suppress(OSError):  # a full disk fails here once more
            raw.close()
        path.unlink(missing_ok=True)
