"""Waiting for the ingest jobs of a load in the triggerer, and starting each when its turn comes. It moves no data."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_sfjwt.api.bulk_ingest import run_jobs
from airflow_provider_sfjwt.api.bulk_job import JobRef, abort_job
from airflow_provider_sfjwt.exceptions import BulkJobTimeoutError, SalesforceError
from airflow_provider_sfjwt.hooks.connected_org import AsyncConnectedOrg
from airflow_provider_sfjwt.hooks.progress import JobProgress
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.triggers.bulk_job import TOKEN_MAX_AGE
from airflow_provider_sfjwt.triggers.still_deferred import still_deferred


class SalesforceBulkLoadTrigger(BaseTrigger):
    """Fires when all ingest jobs of a load have ended, well or badly, or when their time is up.

    The jobs hold their rows already. At most ``parallel_jobs`` of them work at a time; the trigger lets the next one
    begin when one has ended. The event's payload: ``status`` is ``ended``, ``timeout`` or ``error``; ``ledger`` is what
    the trigger was given; ``api_calls`` is what the load cost with the waiting. The last two have a ``message`` and say
    whether a retry helps (``retryable``); a ``timeout`` has the ``job`` that had not ended.

    :param salesforce_conn_id: the connection.
    :param jobs: the jobs, each with its id and the API version it was created in, in the order in which they begin.
    :param parallel_jobs: how many work at a time.
    :param ledger: which part each job holds, handed over to the task as it is.
    :param api_calls: what the load cost up to now.
    :param poll_interval: seconds between two looks at a job at most.
    :param deadline: seconds since the epoch at which the waiting ends.
    :param not_before: seconds since the epoch before which no event is fired, or None.
    """

    def __init__(
        self,
        salesforce_conn_id: str,
        jobs: Sequence[Sequence[str]],
        parallel_jobs: int = 4,
        ledger: Mapping[str, Any] | None = None,
        api_calls: int = 0,
        poll_interval: float = 30,
        deadline: float | None = None,
        not_before: float | None = None,
        **_: Any,
    ) -> None:
        # Airflow ends the whole triggerer when this raises, so it takes what an older or newer release serialized.
        super().__init__()  # type: ignore[no-untyped-call]
        self.salesforce_conn_id = salesforce_conn_id
        self.jobs = [list(job) for job in jobs]
        self.parallel_jobs = parallel_jobs
        self.ledger = ledger
        self.api_calls = api_calls
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.not_before = not_before

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What is stored while the task is deferred: ids, numbers and times."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "salesforce_conn_id": self.salesforce_conn_id,
                "jobs": self.jobs,
                "parallel_jobs": self.parallel_jobs,
                "ledger": self.ledger,
                "api_calls": self.api_calls,
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
        yield TriggerEvent({**event, "ledger": self.ledger})  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Abort the jobs: somebody ended the task. What they loaded already is in the org and in the ledger."""
        if await still_deferred(self):
            self.log.info("The jobs go on, since their task is still deferred")
            return
        async with self._hook().aconnect(token_max_age=TOKEN_MAX_AGE) as org:
            for ref in self._refs:
                aborted = await org.run(abort_job, ref)
                self.log.info("Job %s %s", ref.id, "was aborted" if aborted else "had already ended")

    async def _wait(self) -> dict[str, Any]:
        try:
            async with self._hook().aconnect(token_max_age=TOKEN_MAX_AGE) as org:
                ending = await self._ending(org)
                return {**ending, "api_calls": self.api_calls + org.session.usage.calls}
        except SalesforceError as error:
            failed = {"status": "error", "message": str(error), "retryable": error.retryable}
            return {**failed, "api_calls": self.api_calls}

    async def _ending(self, org: AsyncConnectedOrg) -> dict[str, Any]:
        progress = {ref.id: JobProgress(self.log) for ref in self._refs}
        try:
            await org.run(
                run_jobs,
                self._refs,
                parallel_jobs=self.parallel_jobs,
                poll_interval=self.poll_interval,
                remaining=self._remaining,
                on_progress=lambda job: progress[job.ref.id].tell(job),
            )
        except BulkJobTimeoutError as error:
            return {"status": "timeout", "job": error.job, "message": str(error), "retryable": error.retryable}
        except SalesforceError as error:
            return {"status": "error", "message": str(error), "retryable": error.retryable}
        return {"status": "ended"}

    def _remaining(self) -> float:
        return float("inf") if self.deadline is None else self.deadline - time.time()

    @property
    def _refs(self) -> list[JobRef]:
        return [JobRef(job_id, api_version, "ingest") for job_id, api_version in self.jobs]

    def _hook(self) -> SalesforceJwtHook:
        return SalesforceJwtHook(self.salesforce_conn_id)
