"""Waiting for the ingest jobs of a load in the triggerer, and starting each when its turn comes. It moves no data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.triggers.org_trigger import OrgTrigger

if TYPE_CHECKING:
    from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
    from airflow_provider_sfjwt.salesforce.org.connected_org import AsyncConnectedOrg

__all__ = ["SalesforceBulkLoadTrigger"]


class SalesforceBulkLoadTrigger(OrgTrigger):
    """Fires when all ingest jobs of a load have ended, well or badly, or when their time is up.

    The jobs hold their rows already. At most ``parallel_jobs`` of them work at a time; the trigger lets the next one
    begin when one has ended. The event's payload: ``status`` is ``ended``, ``timeout`` or ``error``; ``ledger`` is what
    the trigger was given, and so is ``began_at``; ``api_calls`` is what the load cost with the waiting. The last two
    have a ``message`` and say whether a retry helps (``retryable``); a ``timeout`` has the ``job`` that had not ended.

    :param salesforce_conn_id: the connection.
    :param jobs: the jobs, each with its id and the API version it was created in, in the order in which they begin.
    :param parallel_jobs: how many work at a time.
    :param ledger: which part each job holds, handed over to the task as it is.
    :param api_calls: what the load cost up to now.
    :param min_api_calls_left: how many API calls of its 24 hours the org must have left when a job begins, or None.
    :param began_at: seconds since the epoch at which the attempt began, handed over to the task as it is.
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
        began_at: float | None = None,
        min_api_calls_left: int | None = None,
        poll_interval: float = 30,
        deadline: float | None = None,
        not_before: float | None = None,
        **_: Any,
    ) -> None:
        # Airflow ends the whole triggerer when this raises, so it takes what an older or newer release serialized.
        super().__init__(salesforce_conn_id, poll_interval=poll_interval, deadline=deadline, not_before=not_before)
        self.jobs = [list(job) for job in jobs]
        self.parallel_jobs = parallel_jobs
        self.ledger = ledger
        self.api_calls = api_calls
        self.began_at = began_at
        self.min_api_calls_left = min_api_calls_left

    def own_arguments(self) -> dict[str, Any]:
        """The jobs, what they hold and what they cost."""
        return {
            "jobs": self.jobs,
            "parallel_jobs": self.parallel_jobs,
            "ledger": self.ledger,
            "api_calls": self.api_calls,
            "began_at": self.began_at,
            "min_api_calls_left": self.min_api_calls_left,
        }

    async def ending(self, org: AsyncConnectedOrg) -> dict[str, Any]:
        """Let the jobs begin in their turn, and wait until all have ended.

        :param org: where they run.
        :return: ``status``.
        """
        from airflow_provider_sfjwt.salesforce.api.ingest_run import run_jobs
        from airflow_provider_sfjwt.salesforce.org.progress import JobProgress

        progress = {ref.id: JobProgress(self.log) for ref in self._refs}
        await org.run(
            run_jobs,
            self._refs,
            parallel_jobs=self.parallel_jobs,
            poll_interval=self.poll_interval,
            remaining=self.remaining,
            min_api_calls_left=self.min_api_calls_left,
            on_progress=lambda job: progress[job.ref.id].tell(job),
        )
        return {"status": "ended"}

    def event(self, ending: dict[str, Any]) -> dict[str, Any]:
        """The event's payload, with what the task handed over.

        :param ending: what came of the waiting.
        """
        calls = self.api_calls + int(ending["api_calls"])
        return {**ending, "ledger": self.ledger, "api_calls": calls, "began_at": self.began_at}

    def unended(self) -> dict[str, Any]:
        """The jobs, of which it is not known how many have ended."""
        ids = [job_id for job_id, _ in self.jobs]
        return {"job": {"id": ids[0], "ids": ids}}

    async def on_kill(self) -> None:
        """Abort the jobs. What they loaded already is in the org and in the ledger."""
        await self.abort(self._refs)

    @property
    def _refs(self) -> list[JobRef]:
        from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef

        return [JobRef(job_id, api_version, "ingest") for job_id, api_version in self.jobs]
