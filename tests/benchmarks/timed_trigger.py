"""Our trigger, which notes when it began to wait and when it fired."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator

from airflow.triggers.base import TriggerEvent

from airflow_provider_sfjwt.triggers.bulk_job import SalesforceBulkJobTrigger


class TimedTrigger(SalesforceBulkJobTrigger):
    """Adds a line to the file ``BENCH_EVENTS`` for its beginning, and one for its event."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait and fire once, as it would without the notes."""
        self._note("waiting")
        async for event in super().run():
            self._note(str(event.payload["status"]))
            yield event

    def _note(self, what: str) -> None:
        # Unbuffered and of one piece: other triggers write, too.
        file = os.open(os.environ["BENCH_EVENTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, f"{what} {self.job_id} {time.time()}\n".encode())
        finally:
            os.close(file)
