"""One try of an extract task: which job it has, waiting for it, and what is remembered for the next try."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.compat import settling_time
from airflow_provider_sfjwt.exceptions import BulkJobTimeoutError, NotFoundError, ProtocolError, SalesforceError
from airflow_provider_sfjwt.tasks.deferral import let_commits_settle, spare_api_calls
from airflow_provider_sfjwt.tasks.job_memory import JobMemory, SubmittedJob
from airflow_provider_sfjwt.tasks.links import SalesforceJobLink
from airflow_provider_sfjwt.tasks.windows import Watermark, Window, run_interval

if TYPE_CHECKING:
    from airflow_provider_sfjwt.extract.extraction import Extraction
    from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
    from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
    from airflow_provider_sfjwt.salesforce.api.bulk_job import Job, JobRef
    from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

#: What decides which rows and columns a job has, and where they go.
_ORDER = (
    "salesforce_conn_id", "output_path", "sobject", "soql", "fields", "where", "include_deleted", "incremental",
    "cursor_field", "transport",
)  # fmt: skip
#: Seconds behind the task's timeout for which a job that was never published is still taken for the task's own.
_STALE_AFTER = 86_400


class ExtractRun:
    """One try of an extract task, or what is left of it after a deferral.

    :param task: the operator.
    :param context: Airflow's.
    :param org: where from.
    """

    def __init__(self, task: SalesforceExtractOperator, context: Mapping[str, Any], org: ConnectedOrg) -> None:
        self._task = task
        self._context = context
        self._org = org
        self._memory = JobMemory(context)

    def start(self) -> dict[str, Any]:
        """Create the job, or pick up that of an earlier try, and see it through.

        :return: what the task returns.
        """
        task = self._task
        job = self._earlier_job()
        earlier_calls = job.api_calls if job else 0
        with self._counting(job, earlier_calls):
            window = job.moments if job else self._new_window()
            extraction = self._extraction(window)
            extraction.prepare()
            spare_api_calls(task, extraction.budget, method_name="execute_after_budget")
            ours = job is not None and job.soql == extraction.plan.soql
            if not ours and (unwanted := self._memory.recall()) is not None:
                self._abort_unwanted(unwanted.ref)
            alive = job if job is not None and ours and self._is_alive(job) else None
            if alive is None and window is not None and task.incremental == "data_interval":
                let_commits_settle(task, self._org, window[1], method_name="execute_after_lag")
        if alive is not None:
            return self._wait(extraction, replace(alive, reattached=True), earlier_calls)
        return self._begin(extraction, window, earlier_calls)

    def resume(self, event: Mapping[str, Any], submitted: Mapping[str, Any] | None) -> dict[str, Any]:
        """Publish the result of the job that the triggerer waited for.

        :param event: of the trigger.
        :param submitted: the job as it was submitted, or None where that was lost.
        :return: what the task returns.
        """
        from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef, get_job

        job = SubmittedJob.from_json(submitted) or self._memory.recall() or self._job_of(event)
        earlier_calls = (job.api_calls if job else 0) + int(event.get("api_calls") or 0)
        extraction = self._extraction(job.moments) if job else None
        with self._counting(job, earlier_calls):
            ours = job is not None and extraction is not None and self._is_ours(job, event, extraction)
        if job is None or extraction is None or not ours:
            self._abort_unwanted(JobRef(event["job_id"], event["api_version"]))
            self._memory.forget()
            return self.start()
        self._attend(job)
        with self._remembering(job, earlier_calls):
            if event["status"] == "timeout":
                raise BulkJobTimeoutError(event["message"], job=event["job"], retryable=event["retryable"])
            # Asked again here, so that what went wrong in the triggerer is raised by its own type.
            found = self._unless_gone(job, lambda: self._org.run(get_job, job.ref))
            if found is not None and not found.ended:
                message = event.get("message") or f"the triggerer stopped waiting for job {job.job_id}"
                raise SalesforceError(message, retryable=True)
        return self._settle(extraction, job, found, earlier_calls)

    # -- the steps, in the order in which they come ------------------------------------------------------------------

    def _earlier_job(self) -> SubmittedJob | None:
        """The job of an earlier try, where this task still asks for the same, and not too long after."""
        job = self._memory.recall()
        if job is None or job.order != self._order_fingerprint():
            return None
        if time.time() - job.created_at > self._task.timeout + _STALE_AFTER:
            return None
        same_rows = self._task.incremental != "data_interval" or job.moments == run_interval(self._context)
        return job if same_rows else None

    def _is_alive(self, job: SubmittedJob) -> bool:
        """Whether an earlier try's job can still bring this task's rows."""
        from airflow_provider_sfjwt.salesforce.api.bulk_job import get_job

        try:
            found = self._org.run(get_job, job.ref)
        except NotFoundError:
            return False
        if found.state in ("Failed", "Aborted"):
            return False
        self._task.log.info("Picking up job %s of an earlier try; it is %s", job.job_id, found.state)
        return True

    def _abort_unwanted(self, ref: JobRef) -> None:
        """End the job of an earlier try whose result nobody will fetch, since the task was changed meanwhile."""
        from airflow_provider_sfjwt.salesforce.api.bulk_job import abort_job

        self._task.log.info("Job %s is not what this task asks for any more; starting a new one", ref.id)
        try:
            self._org.run(abort_job, ref)
        except SalesforceError as error:
            self._task.log.warning("Job %s goes on in Salesforce, since it could not be aborted: %s", ref.id, error)

    def _begin(self, extraction: Extraction, window: Window | None, earlier_calls: int) -> dict[str, Any]:
        self._end_if_killed()
        with self._counting(self._memory.recall(), earlier_calls):
            ref = extraction.submit()
        if ref is None:
            return self._conclude(extraction.over_rest(earlier_calls=earlier_calls), window)
        self._task.running = ref
        calls = earlier_calls + self._org.session.usage.calls
        job = self._submitted(ref.id, ref.api_version, extraction.plan.soql, window, calls)
        self._memory.remember(job)
        return self._wait(extraction, job, earlier_calls)

    def _wait(self, extraction: Extraction, job: SubmittedJob, earlier_calls: int) -> dict[str, Any]:
        task = self._task
        self._attend(job)
        if task.deferrable:
            self._defer(replace(job, api_calls=earlier_calls + self._org.session.usage.calls))
        self._memory.remember(job)
        with self._remembering(job, earlier_calls):
            wait = partial(extraction.wait, job.ref, poll_interval=task.poll_interval, timeout=task.timeout)
            found = self._unless_gone(job, wait)
        return self._settle(extraction, job, found, earlier_calls)

    def _unless_gone(self, job: SubmittedJob, look: Callable[[], Job]) -> Job | None:
        """The job, or None where an earlier try's job has gone in the meantime."""
        try:
            return look()
        except NotFoundError:
            if not job.reattached:
                raise
            return None

    def _defer(self, job: SubmittedJob) -> None:
        from airflow_provider_sfjwt.triggers.bulk_job import SalesforceBulkJobTrigger

        task = self._task
        self._memory.remember(job)
        trigger = SalesforceBulkJobTrigger(
            salesforce_conn_id=task.salesforce_conn_id,
            job_id=job.job_id,
            api_version=job.api_version,
            poll_interval=task.poll_interval,
            deadline=time.time() + task.timeout,
            not_before=time.time() + settling_time(),
        )
        task.running = None  # from here on the trigger's on_kill aborts it
        task.defer(trigger=trigger, method_name="execute_complete", kwargs={"submitted": job.to_json()})

    def _settle(
        self, extraction: Extraction, job: SubmittedJob, found: Job | None, earlier_calls: int
    ) -> dict[str, Any]:
        """The one end of both ways to wait."""
        if found is None or (found.state in ("Aborted", "Failed") and job.reattached):
            # Clearing a deferred task starts the new try before the old trigger aborts the job.
            fate = found.state if found else "gone"
            self._task.log.info("Job %s, which this try picked up, is %s; starting a new one", job.job_id, fate)
            return self._begin(extraction, job.moments, earlier_calls)
        with self._remembering(job, earlier_calls):
            receipt = extraction.finish(found, earlier_calls=earlier_calls, resumable=self._memory.lasts)
        return self._conclude(receipt, job.moments)

    def _conclude(self, receipt: Receipt, window: Window | None) -> dict[str, Any]:
        self._task.running = None
        summary = receipt.summary()
        if self._task.incremental == "watermark" and window is not None:
            self._watermark().advance(window, summary)
        self._memory.forget()
        return summary

    # -- what is known and remembered --------------------------------------------------------------------------------

    @contextmanager
    def _remembering(self, job: SubmittedJob, earlier_calls: int) -> Iterator[None]:
        """Tell the next try what this one cost, or let it begin anew where the result cannot be trusted."""
        try:
            with self._counting(job, earlier_calls):
                yield
        except ProtocolError:
            self._memory.forget()
            raise

    @contextmanager
    def _counting(self, job: SubmittedJob | None, earlier_calls: int) -> Iterator[None]:
        """Tell the next try what this one cost, where there is a job for it to pick up."""
        try:
            yield
        except SalesforceError:
            if job is not None:
                self._memory.remember(replace(job, api_calls=earlier_calls + self._org.session.usage.calls))
            raise

    def _attend(self, job: SubmittedJob) -> None:
        """From now on the job is aborted when the task is killed, and its page is linked."""
        self._task.running = job.ref
        self._end_if_killed()
        SalesforceJobLink().show(self._task, self._context, self._org.token().instance_url, job.job_id)

    def _end_if_killed(self) -> None:
        """Leave no job behind where the task was killed while it had none, or while it took an aborted one's place."""
        if self._task.killed:
            self._task.on_kill()
            raise SalesforceError("the task was killed, so its job was aborted; nothing was published", retryable=True)

    def _job_of(self, event: Mapping[str, Any]) -> SubmittedJob | None:
        """The event's job, where nothing was remembered and the run alone says which rows it has."""
        if self._task.incremental == "watermark":
            return None
        window = run_interval(self._context) if self._task.incremental else None
        soql = self._extraction(window).plan.soql
        return self._submitted(event["job_id"], event["api_version"], soql, window, 0)

    def _is_ours(self, job: SubmittedJob, event: Mapping[str, Any], extraction: Extraction) -> bool:
        same_order = job.order == self._order_fingerprint() and job.soql == extraction.plan.soql
        return same_order and job.job_id == event["job_id"]

    def _submitted(
        self, job_id: str, api_version: str, soql: str, window: Window | None, api_calls: int
    ) -> SubmittedJob:
        return SubmittedJob(
            job_id=job_id,
            api_version=api_version,
            soql=soql,
            order=self._order_fingerprint(),
            window=(window[0].isoformat(), window[1].isoformat()) if window else None,
            api_calls=api_calls,
            created_at=time.time(),
        )

    def _order_fingerprint(self) -> str:
        """Changes with whatever decides which rows and columns a job has, and where they go."""
        asked = {name: getattr(self._task, name) for name in _ORDER}
        return sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()

    def _new_window(self) -> Window | None:
        from airflow_provider_sfjwt.salesforce.api.org import server_time

        if self._task.incremental == "data_interval":
            return run_interval(self._context)
        if self._task.incremental == "watermark":
            window = self._watermark().window(self._org.run(server_time), self._task.commit_lag)
            return self._with_replaced_rows(window)
        return None

    def _with_replaced_rows(self, window: Window) -> Window:
        """A cleared run of a watermark replaces its own data set, so it must fetch those rows again as well."""
        from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder

        replaced = DataSetFolder(self._task.output_path).previous_receipt
        if replaced is None or replaced.window is None:
            return window
        return min(window[0], datetime.fromisoformat(replaced.window[0])), window[1]

    def _watermark(self) -> Watermark:
        task = self._task
        # Without a suffix for a task that is not mapped, whose watermark may be older than that of mapped ones.
        index = getattr(self._context.get("ti"), "map_index", None)
        instance = "" if index is None or index < 0 else f".{index}"
        return Watermark(
            self._context,
            task.outlets,
            conn_id=task.salesforce_conn_id,
            sobject=task.sobject or "",
            owner=f"{task.dag_id}.{task.task_id}.{task.cursor_field}{instance}",
            condition={"where": task.where, "include_deleted": task.include_deleted},
        )

    def _extraction(self, window: Window | None) -> Extraction:
        from airflow_provider_sfjwt.extract.extraction import Extraction

        return Extraction(self._org, self._task.order(window, self._context))
