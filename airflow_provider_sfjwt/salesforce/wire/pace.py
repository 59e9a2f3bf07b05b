"""How long an answer may take, and how slowly its bytes may come.

A timeout of a socket, and so one of ``requests``, counts from one byte to the next: a server that sends a byte now and
then would keep a worker for ever, in its headers already. So the bytes are counted where they leave the socket.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_current = threading.local()


class SlowAnswerError(TimeoutError):
    """An answer takes too long."""


class Pace:
    """How fast one answer comes.

    :param settings: how fast it must.
    :param clock: seconds that never go back.
    """

    def __init__(self, settings: TransportSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._settings, self._limits = settings, settings.limits
        self._ends: float | None = clock() + settings.answer_seconds
        self._waited, self._bytes = 0.0, 0

    def stream(self) -> None:
        """Let the answer take as long as it likes, since a sink takes its bytes; but they must keep coming."""
        self._ends = None

    def took(self, count: int, seconds: float) -> None:
        """Count bytes.

        :param count: how many came.
        :param seconds: how long they were waited for. The time that a sink takes does not count.
        :raises SlowAnswerError: when the answer is too slow.
        """
        if self._ends is not None:
            if self.clock() > self._ends:
                raise SlowAnswerError(f"its answer was not whole after {self._settings.answer_seconds:g} s")
            return
        self._waited, self._bytes = self._waited + seconds, self._bytes + count
        if self._waited >= self._limits.slow_seconds:
            if self._bytes < self._limits.least_rate * self._waited:
                raise SlowAnswerError(f"{self._bytes:,} bytes in {self._waited:.0f} s")
            self._waited, self._bytes = 0.0, 0


@contextmanager
def pacing(pace: Pace) -> Iterator[Pace]:
    """Count the bytes of the answers to all requests of this thread that are sent within the block.

    :param pace: where they are counted.
    """
    before = getattr(_current, "pace", None)
    _current.pace = pace
    try:
        yield pace
    finally:
        _current.pace = before


class PacedResponse(HTTPResponse):
    """An answer whose bytes are counted from its first header on, where its thread is :func:`pacing`."""

    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        pace: Pace | None = getattr(_current, "pace", None)
        if pace is not None:
            self.fp = io.BufferedReader(_Counted(self.fp.detach(), pace), _BUFFER)


#: Bytes that are asked of a socket at least: a record of TLS.
_BUFFER = 2**14


class _Counted(io.RawIOBase):
    """The bytes of a socket, counted."""

    def __init__(self, raw: io.RawIOBase, pace: Pace) -> None:
        self._raw = raw
        self._pace = pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        begun = self._pace.clock()
        count: int | None = self._raw.readinto(buffer)
        self._pace.took(count or 0, self._pace.clock() - begun)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
