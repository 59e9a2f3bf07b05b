"""How long callbacks keep an event loop busy: a triggerer has one, which all triggers share."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

#: Seconds from which Airflow says that something blocked its loop, less what a machine that shares its cores adds.
LONGEST = 0.1


class BusyLoop:
    """What its callbacks took, in seconds of the thread's own CPU: what else the machine does counts for nothing.

    Python's collections of garbage do not count either: they take as long as the process is large.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self.where = ""
        self._collecting = self.collected = 0.0

    def collects(self, phase: str, info: object) -> None:
        """Python begins or ends to collect garbage. :param phase: which. :param info: not needed."""
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            self.collected += time.thread_time() - self._collecting

    def note(self, seconds: float, callback: Any) -> None:
        """Remember the longest one. :param seconds: that it took. :param callback: what ran."""
        if seconds > self.longest:
            self.longest, self.where = seconds, _where(callback)


@contextmanager
def busy_loop() -> Iterator[BusyLoop]:
    """Measure each callback of the event loops of this thread."""
    measured, run = BusyLoop(), asyncio.Handle._run

    def timed(handle: Any) -> None:
        began = time.thread_time() - measured.collected
        run(handle)
        measured.note(time.thread_time() - measured.collected - began, handle._callback)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.Handle, "_run", timed)
        gc.callbacks.append(measured.collects)
        try:
            yield measured
        finally:
            gc.callbacks.remove(measured.collects)


def _where(callback: Any) -> str:
    """The innermost places of what ran."""
    task = getattr(callback, "__self__", None)
    return f"{task.get_stack(limit=3)}" if isinstance(task, asyncio.Task) else repr(callback)
