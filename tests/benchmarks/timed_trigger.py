"""Our trigger, which notes when it began to wait and when it fired; and one that only sleeps, to compare it with."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator

from airflow.triggers.base import TriggerEvent

from airflow_provider_sfjwt.triggers.bulk_job import SalesforceBulkJobTrigger


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
