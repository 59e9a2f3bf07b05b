"""A file on its way to Salesforce, as ``requests`` takes it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO

#: Bytes that are handed over at a time. urllib3 asks for 16 KiB, which makes a load slow over TLS.
_BLOCK = 2**20


class Upload:
    """Sends a file whole, in large blocks, and never more or less than was announced.

    :param file: what to send, from its beginning to its present end. It must be able to seek.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        self._left = self._size
        #: What went wrong with the file itself. The libraries take an OSError of it for one of the connection.
        self.failure: BaseException | None = None
        #: Where it went wrong, without the frames of the library that read: they hold the request's headers.
        self.trace: TracebackType | None = None
        file.seek(0)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """Tell ``requests`` that this is a stream: it looks for this method and then reads."""
        while block := self.read():
            yield block

    def read(self, size: int = -1) -> bytes:
        """Return the next block.

        :param size: is ignored: whoever sends takes what comes.
        :return: the bytes, empty at the end.
        :raises OSError: when the file cannot be read or has become shorter.
        """
        try:
            block = self._file.read(min(_BLOCK, self._left))
            if self._left and not block:
                raise OSError(f"the file to send ended {self._left} bytes before its end: it was changed meanwhile")
        except BaseException as failure:
            self.failure, self.trace = failure, failure.__traceback__
            raise
        self._left -= len(block)
        return block
