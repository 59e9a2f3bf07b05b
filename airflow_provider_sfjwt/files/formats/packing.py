"""Files in gzip, bzip2 or Zstandard, read as what is in them."""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Bytes that are unpacked at once.
_BLOCK_SIZE = 2**18


#: First bytes of files that are given the name of a text by mistake.
_OTHER_KINDS = {
    b"\x1f\x8b": "gzip (.gz)",
    b"BZh": "bzip2 (.bz2)",
    b"\x28\xb5\x2f\xfd": "Zstandard (.zst)",
    b"PAR1": "Parquet (.parquet)",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
}


def other_kind(start: bytes) -> str | None:
    """What a file is that should hold text and does not, by its first bytes; None for what may be text.

    :param start: of the file.
    """
    return next((kind for mark, kind in _OTHER_KINDS.items() if start.startswith(mark)), None)


class DamagedError(Exception):
    """Why a file cannot be unpacked."""


@contextmanager
def unpacked(stream: BinaryIO, packing: str) -> Iterator[BinaryIO]:
    """Open what is in a packed file.

    :param stream: the file.
    :param packing: one of ``PACKINGS``.
    :raises DamagedError: if it is damaged, at the first read that meets the damage.
    """
    try:
        with PACKINGS[packing](stream) as inside:
            yield inside
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DamagedError(str(error)) from None


def _gzip(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream, mode="rb"))


def _bzip2(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(_Bzip2(stream), _BLOCK_SIZE))


def _zstandard(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(_Zstandard(stream), _BLOCK_SIZE))


class _Bzip2(io.RawIOBase):
    """``bz2.BZ2File`` raises the error of a failing disk and that of damaged data as the same type."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._inside = bz2.BZ2Decompressor()
        self._begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        into = memoryview(buffer).cast("B")
        data = b""
        while not data:
            packed = b""
            if self._inside.eof:  # several files one after another are one
                packed, self._inside, self._begun = self._inside.unused_data, bz2.BZ2Decompressor(), False
            if not packed and self._inside.needs_input:
                packed = self._stream.read(_BLOCK_SIZE)
                if not packed:
                    if self._begun:
                        raise DamagedError("it ends before its end mark")
                    return 0
            self._begun = True
            try:
                data = self._inside.decompress(packed, len(into))
            except OSError as error:
                raise DamagedError(str(error)) from None
        into[: len(data)] = data
        return len(data)


class _Zstandard(io.RawIOBase):
    def __init__(self, stream: BinaryIO) -> None:
        import pyarrow as pa

        self._source = _Watched(stream)
        self._inside = pa.CompressedInputStream(pa.PythonFile(self._source, mode="r"), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        into = memoryview(buffer).cast("B")
        try:
            data = self._inside.read(len(into))
        except OSError as error:
            if self._source.failed:
                raise
            raise DamagedError(str(error)) from None
        into[: len(data)] = data
        return len(data)


class _Watched:
    """A file that remembers whether reading it failed: Arrow raises this as it does damage."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.failed = False

    def close(self) -> None:
        """Leave the file open: who opened it closes it."""

    def read(self, size: int = -1) -> bytes:
        """Read on.

        :param size: bytes at most; negative for all.
        """
        try:
            return self._stream.read(size)
        except BaseException:
            self.failed = True
            raise


#: By the name of the compression.
PACKINGS: Mapping[str, Callable[[BinaryIO], BinaryIO]] = MappingProxyType(
    {"gzip": _gzip, "bz2": _bzip2, "zstd": _zstandard}
)
