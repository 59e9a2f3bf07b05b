"""Result pages in memory, delivered as raggedly as a network does."""

from __future__ import annotations

import io
from collections.abc import Sequence


class ChunkedBody:
    """A body that arrives in pieces of a given size.

    :param data: the whole page.
    :param chunk: bytes that arrive at once at most.
    """

    def __init__(self, data: bytes, chunk: int = 1 << 20) -> None:
        self._stream = io.BytesIO(data)
        self._chunk = chunk

    def readinto(self, buffer: memoryview) -> int:
        data = self._stream.read(min(len(buffer), self._chunk))
        buffer[: len(data)] = data
        return len(data)


def salesforce_csv(rows: Sequence[Sequence[str]]) -> bytes:
    """CSV as Salesforce writes it: every cell quoted, quotes doubled, LF."""
    quoted = (['"' + cell.replace('"', '""') + '"' for cell in row] for row in rows)
    return "".join(",".join(row) + "\n" for row in quoted).encode("utf-8")
