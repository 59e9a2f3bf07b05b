"""The bytes of an answer as they come: unpacked a little at a time, and never more of them than an answer may have.

Both transports ask for gzip alone and unpack it here. A library that unpacks whole blocks makes 64 MB of 64 KB that
are meant to do harm.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

from airflow_provider_sfjwt.salesforce.wire.settings import LARGEST_ERROR, Limits

#: Bytes that are unpacked at once.
_PIECE = 2**18


class PackingError(Exception):
    """An answer is packed in a way that was not asked for, or is damaged."""


class TooLargeError(Exception):
    """An answer is larger than one may be."""


class Unpacking:
    """What comes out of packed bytes, piece by piece.

    :param encoding: the answer's ``Content-Encoding``.
    :raises PackingError: when it is another one than gzip.

    https://www.rfc-editor.org/rfc/rfc9110#section-8.4
    """

    def __init__(self, encoding: str) -> None:
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise PackingError(f"it is packed as {encoding[:40]!r} where gzip was asked for")
        self._gzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if "gzip" in encoding else None
        self._packed = b""
        self._begun = self._padding = False
        self._members = 0

    @property
    def plain(self) -> bool:
        """Whether the bytes are not packed at all."""
        return self._gzip is None

    def add(self, packed: bytes) -> None:
        """Take more packed bytes.

        :param packed: as they came.
        """
        self._packed = self._packed + packed if self._packed else packed

    def take(self, most: int) -> bytes:
        """The next bytes.

        :param most: of them at once, at least 1.
        :return: empty when all that came is unpacked.
        :raises PackingError: when it is damaged.
        """
        if self._gzip is None:
            data, self._packed = self._packed[:most], self._packed[most:]
            return data
        while self._packed:
            if self._gzip.eof:  # several members one after another are one body
                self._gzip, self._members = zlib.decompressobj(zlib.MAX_WBITS | 16), self._members + 1
            try:
                data = self._gzip.decompress(self._packed, most)
            except zlib.error as error:
                self._packed = b""
                if self._members:
                    self._padding = True
                    return b""
                raise PackingError(f"it is not gzip: {error}") from None
            self._packed = self._gzip.unused_data if self._gzip.eof else self._gzip.unconsumed_tail
            self._begun = True
            if data:
                return data
        return b""

    def end(self) -> None:
        """Say that no more bytes come.

        :raises PackingError: when what came is not whole.
        """
        if self._gzip is not None and self._begun and not self._gzip.eof and not self._padding:
            raise PackingError("it ends before its end mark")


class HeldBody:
    """The body of an answer that is held in memory.

    :param headers: of the answer, by their names in lower case.
    :param ok: whether it is a success. Of an error only the beginning is kept.
    :param limits: how large it may be.
    :raises PackingError: when it is packed in a way that was not asked for.
    """

    def __init__(self, headers: Mapping[str, str], limits: Limits, *, ok: bool) -> None:
        self._unpacking = Unpacking(headers.get("content-encoding", ""))
        self._most = limits.answer_bytes if ok else min(limits.answer_bytes, LARGEST_ERROR)
        self._ok = ok
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, packed: bytes) -> bool:
        """Take bytes as they come.

        :param packed: not empty.
        :return: whether more are wanted.
        :raises TooLargeError: when there are too many.
        :raises PackingError: when they are damaged.
        """
        self._unpacking.add(packed)
        for piece in self._unpacked():
            self._size += len(piece)
            self._pieces.append(piece)
            if self._size > self._most:
                if self._ok:
                    raise TooLargeError(f"more than {self._most:,} bytes")
                return False
        return True

    def whole(self) -> bytes:
        """The body, when no more bytes come.

        :raises PackingError: when it is not whole.
        """
        if self._size <= self._most:
            self._unpacking.end()
        return b"".join(self._pieces)[: self._most]

    def _unpacked(self) -> Iterator[bytes]:
        while piece := self._unpacking.take(_PIECE):
            yield piece
