"""Waiting for a Bulk API 2.0 job in the triggerer. It holds ids and moves no data."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_sfjwt.api.bulk_job import JobRef, abort_job, wait_for_job
from airflow_provider_sfjwt.exceptions import BulkJobTimeoutError, SalesforceError
from airflow_provider_sfjwt.hooks.connected_org import AsyncConnectedOrg
from airflow_provider_sfjwt.hooks.progress import JobProgress
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.triggers.still_deferred import still_deferred

#: Seconds for which the triggers of one credential share a token. A triggerer outlives every session.
TOKEN_MAX_AGE = 1800.0


class SalesforceBulkJobTrigger(BaseTrigger):
    """Fires when a Bulk API 2.0 job has ended, well or badly, or when its time is up.

    The event's payload: ``status`` is ``ended``, ``timeout`` or ``error``; ``job_id``, ``api_version`` and ``job_type``
    name the job; ``job`` is what Salesforce last said of it; ``api_calls`` is what the waiting cost. The last two have
    a ``message`` and say whether a retry helps (``retryable``).

    :param salesforce_conn_id: the connection.
    :param job_id: the job.
    :param api_version: the version it was created in.
    :param job_type: ``query`` or ``ingest``.
    :param poll_interval: seconds between two looks at most.
    :param deadline: seconds since the epoch at which the waiting ends. It lives here and not in ``defer(timeout=)``,
        which loses the job's id.
    :param not_before: seconds since the epoch before which no event is fired, or None.
    """

    def __init__(
        self,
        salesforce_conn_id: str,
        job_id: str,
        api_version: str,
        job_type: str = "query",
        poll_interval: float = 30,
        deadline: float | None = None,
        not_before: float | None = None,
        **_: Any,
    ) -> None:
        # Airflow ends the whole triggerer when this raises, so it takes what an older or newer release serialized.
        super().__init__()  # type: ignore[no-untyped-call]
        self.salesforce_conn_id = salesforce_conn_id
        self.job_id = job_id
        self.api_version = api_version
        self.job_type = job_type
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.not_before = not_before

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What is stored while the task is deferred: ids and times."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "salesforce_conn_id": self.salesforce_conn_id,
                "job_id": self.job_id,
                "api_version": self.api_version,
                "job_type": self.job_type,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "not_before": self.not_before,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire once."""
        event = await self._wait()
        if self.not_before is not None:
            await asyncio.sleep(max(0.0, self.not_before - time.time()))
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Abort the job: somebody ended the task, and nobody will fetch its result."""
        if await still_deferred(self):
            self.log.info("Job %s goes on, since its task is still deferred", self.job_id)
            return
        async with self._hook().aconnect(token_max_age=TOKEN_MAX_AGE) as org:
            aborted = await org.run(abort_job, self._ref)
        self.log.info("Job %s %s", self.job_id, "was aborted" if aborted else "had already ended")

    async def _wait(self) -> dict[str, Any]:
        event: dict[str, Any] = {"job_id": self.job_id, "api_version": self.api_version, "job_type": self.job_type}
        try:
            async with self._hook().aconnect(token_max_age=TOKEN_MAX_AGE) as org:
                ending = await self._ending(org)
                return {**event, **ending, "api_calls": org.session.usage.calls}
        except SalesforceError as error:
            return {**event, "status": "error", "message": str(error), "retryable": error.retryable}

    async def _ending(self, org: AsyncConnectedOrg) -> dict[str, Any]:
        try:
            job = await org.run(
                wait_for_job,
                self._ref,
                poll_interval=self.poll_interval,
                remaining=self._remaining,
                on_progress=JobProgress(self.log).tell,
            )
        except BulkJobTimeoutError as error:
            return {"status": "timeout", "job": error.job, "message": str(error), "retryable": error.retryable}
        except SalesforceError as error:
            return {"status": "error", "message": str(error), "retryable": error.retryable}
        return {"status": "ended", "job": job.info}

    def _remaining(self) -> float:
        return float("inf") if self.deadline is None else self.deadline - time.time()

    @property
    def _ref(self) -> JobRef:
        return JobRef(self.job_id, self.api_version, self.job_type)

    def _hook(self) -> SalesforceJwtHook:
        return SalesforceJwtHook(self.salesforce_conn_id)
