"""Our trigger, which notes when it began to wait and when it fired; and one that only sleeps, to compare it with.

Long collections of garbage are noted as well: they stop the event loop, whatever runs on it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_sfjwt.triggers.bulk_job import SalesforceBulkJobTrigger

#: Seconds that a collection takes at least to be noted. Airflow warns of a loop that was blocked for 0.1 s and more.
_LONG = 0.1


class TimedTrigger(SalesforceBulkJobTrigger):
    """Adds a line to the file ``BENCH_EVENTS`` for its beginning, and one for its event."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait and fire once, as it would without the notes."""
        _note("waiting", self.job_id)
        async for event in super().run():
            _note(str(event.payload["status"]), self.job_id)
            yield event


class SleepingTrigger(TimedTrigger):
    """Asks nobody and never fires: what is measured of it is Airflow's own."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep."""
        _note("waiting", self.job_id)
        await asyncio.sleep(86_400)
        yield TriggerEvent({"status": "ended"})


def _note(what: str, job_id: str) -> None:
    # Unbuffered and of one piece: other triggers write, too.
    file = os.open(os.environ["BENCH_EVENTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, f"{what} {job_id} {time.time()}\n".encode())
    finally:
        os.close(file)


class _Collections:
    """Python's collections of garbage in this process, while a triggerer is measured."""

    def __init__(self) -> None:
        self._began = 0.0

    def __call__(self, phase: str, info: Any) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        elif time.perf_counter() - self._began > _LONG:
            _note("collected", f"generation-{info['generation']}-{time.monotonic_ns()}")


if "BENCH_EVENTS" in os.environ:
    gc.callbacks.append(_Collections())
