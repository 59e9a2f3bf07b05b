"""Waiting for a Bulk API 2.0 job in the triggerer. It holds ids and moves no data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.arguments import api_version_of
from airflow_provider_sfjwt.triggers.org_trigger import OrgTrigger

if TYPE_CHECKING:
    from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
    from airflow_provider_sfjwt.salesforce.org.connected_org import AsyncConnectedOrg

__all__ = ["SalesforceBulkJobTrigger"]


class SalesforceBulkJobTrigger(OrgTrigger):
    """Fires when a Bulk API 2.0 job has ended, well or badly, or when its time is up.

    The event's payload: ``status`` is ``ended``, ``timeout`` or ``error``; ``job_id``, ``api_version`` and ``job_type``
    name the job; ``job`` is what Salesforce last said of it; ``api_calls`` is what the waiting cost. The last two have
    a ``message`` and say whether a retry helps (``retryable``).

    :param salesforce_conn_id: the connection.
    :param job_id: the job.
    :param api_version: the version it was created in, or None for the connection's.
    :param job_type: ``query`` or ``ingest``.
    :param poll_interval: seconds between two looks at most.
    :param deadline: seconds since the epoch at which the waiting ends. It lives here and not in ``defer(timeout=)``,
        which loses the job's id.
    :param not_before: seconds since the epoch before which no event is fired, or None.
    :param abort_on_kill: whether the job is the task's own, and is aborted when somebody ends the task.
    """

    jobs_outlive_clear = False

    def __init__(
        self,
        salesforce_conn_id: str,
        job_id: str,
        api_version: str | None,
        job_type: str = "query",
        poll_interval: float = 30,
        deadline: float | None = None,
        not_before: float | None = None,
        abort_on_kill: bool = True,
        **_: Any,
    ) -> None:
        super().__init__(
            salesforce_conn_id,
            api_version=api_version,
            poll_interval=poll_interval,
            deadline=deadline,
            not_before=not_before,
        )
        self.job_id = job_id
        self.job_type = job_type
        self.abort_on_kill = abort_on_kill

    def own_arguments(self) -> dict[str, Any]:
        """The job, and whether it is the task's own."""
        return {**self._named(), "abort_on_kill": self.abort_on_kill}

    def _named(self) -> dict[str, Any]:
        return {"job_id": self.job_id, "api_version": self.api_version, "job_type": self.job_type}

    async def ending(self, org: AsyncConnectedOrg) -> dict[str, Any]:
        """Wait until the job has ended.

        :param org: where it runs.
        :return: ``status`` and ``job``.
        """
        from airflow_provider_sfjwt.salesforce.api.bulk_job import wait_for_job
        from airflow_provider_sfjwt.salesforce.org.progress import JobProgress

        progress = JobProgress(self.log)
        job = await org.run(
            wait_for_job,
            self._ref,
            poll_interval=self.poll_interval,
            remaining=self.remaining,
            on_progress=progress.tell,
        )
        return {"status": "ended", "job": job.info}

    def event(self, ending: dict[str, Any]) -> dict[str, Any]:
        """The event's payload, which names the job.

        :param ending: what came of the waiting.
        """
        return {**self._named(), **ending}

    def unended(self) -> dict[str, Any]:
        """The job, of which nothing else is known."""
        return {"job": {"id": self.job_id}}

    async def on_kill(self) -> None:
        """Abort the job, where it is the task's own."""
        if self.abort_on_kill:
            await self.abort([self._ref])

    @property
    def _ref(self) -> JobRef:
        from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef

        return JobRef(self.job_id, api_version_of(self.api_version) or "", self.job_type)
