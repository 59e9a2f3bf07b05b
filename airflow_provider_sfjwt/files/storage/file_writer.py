"""Writes one file on any object store: hashed and counted as it is written, and removed if writing fails."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.files.storage.errors import storage_failures

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.storage.paths import StoragePath

#: Bytes that an object store's client buffers before it sends them. With s3fs's default of 50 MiB, each open file costs
#: 172 MB.
BLOCK_SIZE = 8 * 2**20


class FileWriter:
    """A file being written, with the methods that Arrow and gzip call.

    :param raw: the storage's own file.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
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
def writing(path: StoragePath) -> Iterator[FileWriter]:
    """Write a file, which exists afterwards only if the block ended without an error.

    :param path: the file. An existing one is replaced.
    """
    raw = path.fs.open(path.path, "wb", block_size=BLOCK_SIZE)
    try:
        yield FileWriter(raw)
        raw.close()
    except BaseException:
        with suppress(*storage_failures()):  # the first error is the one to report
            _discard(raw, path)
        raise


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
