"""One file of a data set on any object storage: hashed and counted as it is written, and gone if writing it fails."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.files.storage.errors import storage_failures

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Bytes that an object store's client holds before it sends them. s3fs's own default of 50 MiB costs 172 MB for each
#: open file.
BLOCK_SIZE = 8 * 2**20
_LOCAL = frozenset({"file", "local", ""})


class PartFile:
    """A file being written. It is what Arrow and gzip take for one.

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
        """Nothing: what is written becomes visible when the file is whole."""

    @property
    def sha256(self) -> str:
        """The SHA-256 of all bytes so far, in hex."""
        return self._hash.hexdigest()

    def readable(self) -> bool:
        """It is not."""
        return False

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is not: an upload goes forward only."""
        return False


@contextmanager
def writing(path: ObjectStoragePath) -> Iterator[PartFile]:
    """Write a file that exists afterwards if, and only if, the block ended well.

    :param path: the file. One of that name is replaced.
    """
    raw = path.fs.open(path.path, "wb", block_size=BLOCK_SIZE)
    try:
        yield PartFile(raw)
        raw.close()
    except BaseException:
        with suppress(*storage_failures()):  # what went wrong first is what is told
            _discard(raw, path)
        raise


def is_local(path: ObjectStoragePath) -> bool:
    """Whether a path is on this machine's own file system.

    :param path: any path.
    """
    return path.protocol in _LOCAL


def _discard(raw: Any, path: ObjectStoragePath) -> None:
    """Leave nothing. Closing an fsspec file commits it even after an error, so an upload is aborted instead."""
    from fsspec.spec import AbstractBufferedFile

    if isinstance(raw, AbstractBufferedFile):
        raw.discard()
        raw.closed = True
    else:
        with suppress(OSError):  # a full disk is told of again
            raw.close()
        path.unlink(missing_ok=True)
