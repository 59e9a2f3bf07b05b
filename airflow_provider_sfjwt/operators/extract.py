"""Rows of any number into files, proved complete."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.configuration import conf

from airflow_provider_sfjwt.exceptions import (
    BulkJobTimeoutError,
    ConfigurationError,
    NotFoundError,
    ProtocolError,
    SalesforceError,
)
from airflow_provider_sfjwt.operators.job_memory import JobMemory, SubmittedJob
from airflow_provider_sfjwt.operators.outcome import airflow_outcome
from airflow_provider_sfjwt.operators.windows import Watermark, Window, run_interval

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_sfjwt.api.bulk_job import Job, JobRef
    from airflow_provider_sfjwt.hooks.connected_org import ConnectedOrg
    from airflow_provider_sfjwt.hooks.extract import Extraction, ExtractOrder
    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

#: What decides which rows and columns a job has, and where they go.
_ORDER = (
    "salesforce_conn_id", "output_path", "sobject", "soql", "fields", "where", "include_deleted", "incremental",
    "cursor_field",
)  # fmt: skip


class SalesforceExtractOperator(BaseOperator):
    """Extracts an object or a query over Bulk API 2.0 into a folder, and writes a receipt that proves it complete.

    A run that is green has written every row that Salesforce counted; else it fails, and nothing is published. A retry
    picks up the job of the try before it. A run of the same folder replaces its own output and nothing else.

    :param output_path: the folder of this run on any ``ObjectStoragePath`` (templated), e.g.
        ``s3://conn_id@bucket/accounts/ds={{ ds }}``. Partition it yourself: one run, one folder.
    :param sobject: the object to extract (templated); or else ``soql``.
    :param soql: the query to extract (templated); or else ``sobject``.
    :param fields: field names, parents' as ``Owner.Name`` (templated); None for every field that Bulk API can return.
    :param where: a SOQL condition without ``WHERE`` (templated).
    :param file_format: ``parquet`` (typed from the object's description), ``csv`` (as Salesforce sent it) or ``jsonl``.
    :param compression: ``zstd``, ``snappy``, ``gzip`` or ``none`` for Parquet (None is zstd); ``gzip`` or None else.
    :param include_deleted: whether rows in the recycle bin and archived activities are extracted too.
    :param incremental: None for all rows; ``data_interval`` for the run's interval of ``cursor_field``; ``watermark``
        for what came since the last run, kept with the asset ``salesforce://<conn_id>/<sobject>`` among the outlets.
    :param cursor_field: a date-time field that moves with every change.
    :param commit_lag: seconds for which rows may become visible late. A run waits until its interval is that old; a
        watermark stays that far behind the org's clock.
    :param parallel_pages: how many result pages are fetched at once.
    :param verify_job_count: whether the job's own count must equal the rows. False only records the difference.
    :param deferrable: whether the waiting is done in the triggerer, without a worker's slot. Default:
        ``[operators] default_deferrable``.
    :param poll_interval: seconds between two looks at the job at most; the first ones come sooner.
    :param timeout: seconds that the job may take.
    :param salesforce_conn_id: the connection (templated).
    :param api_version: e.g. ``66.0``; None for the connection's, or else the newest.
    """

    template_fields: Sequence[str] = (
        "output_path", "sobject", "soql", "fields", "where", "cursor_field", "salesforce_conn_id", "api_version",
    )  # fmt: skip
    template_ext: Sequence[str] = (".soql",)
    template_fields_renderers = {"soql": "sql"}  # noqa: RUF012  # Airflow declares it so
    ui_color = "#d8edff"

    def __init__(
        self,
        *,
        output_path: str,
        sobject: str | None = None,
        soql: str | None = None,
        fields: Sequence[str] | None = None,
        where: str | None = None,
        file_format: str = "parquet",
        compression: str | None = None,
        include_deleted: bool = False,
        incremental: str | None = None,
        cursor_field: str = "SystemModstamp",
        commit_lag: float = 300,
        parallel_pages: int = 4,
        verify_job_count: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float = 30,
        timeout: float = 43_200,
        salesforce_conn_id: str = "salesforce_jwt_default",
        api_version: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_path = output_path
        self.sobject = sobject
        self.soql = soql
        self.fields = fields
        self.where = where
        self.file_format = file_format
        self.compression = compression
        self.include_deleted = include_deleted
        self.incremental = incremental
        self.cursor_field = cursor_field
        self.commit_lag = commit_lag
        self.parallel_pages = parallel_pages
        self.verify_job_count = verify_job_count
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.salesforce_conn_id = salesforce_conn_id
        self.api_version = api_version
        self._running: JobRef | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the job, or pick up that of an earlier try, and see it through.

        :param context: Airflow's.
        :return: ``receipt``, ``output_path``, ``records``, ``job_id`` and ``window``.
        """
        with airflow_outcome(self), self._hook().connect() as org:
            self._check()
            job = self._earlier_job(context)
            window = job.moments if job else self._new_window(context, org)
            extraction = self._extraction(org, window)
            extraction.prepare()
            if job is not None and job.soql == extraction.plan.soql and self._is_alive(org, job):
                job = replace(job, reattached=True)
                JobMemory(context).remember(job)
            else:
                self._let_commits_settle(org, window)
                job = self._submit(org, extraction, window, context)
            return self._wait(org, extraction, job, context)

    def execute_after_lag(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Go on when the interval is old enough.

        :param context: Airflow's.
        :param event: of the time trigger; it says nothing new.
        """
        return self.execute(context)

    def execute_complete(
        self, context: Context, event: Mapping[str, Any], submitted: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Publish the result of the job that the triggerer waited for.

        :param context: Airflow's.
        :param event: of :class:`~airflow_provider_sfjwt.triggers.bulk_job.SalesforceBulkJobTrigger`.
        :param submitted: the job as it was submitted. `dag.test()` of Airflow 3.3 loses it; then it is recalled.
        :return: ``receipt``, ``output_path``, ``records``, ``job_id`` and ``window``.
        """
        from airflow_provider_sfjwt.api.bulk_job import get_job

        with airflow_outcome(self), self._hook().connect() as org:
            if event["status"] == "timeout":
                raise BulkJobTimeoutError(event["message"], job=event["job"], retryable=event["retryable"])
            job = SubmittedJob.from_json(submitted) or JobMemory(context).recall() or self._job_of(org, event, context)
            extraction = self._extraction(org, job.moments) if job else None
            if job is None or extraction is None or not self._is_ours(job, event, extraction):
                self.log.info("Job %s is not what this task asks for any more; starting a new one", event["job_id"])
                JobMemory(context).forget()
                return self.execute(context)
            # Asked again here, so that what went wrong in the triggerer is raised by its own type.
            found = org.run(get_job, job.ref)
            if not found.ended:
                message = event.get("message") or f"the triggerer stopped waiting for job {job.job_id}"
                raise SalesforceError(message, retryable=True)
            earlier_calls = job.api_calls + int(event.get("api_calls") or 0)
            return self._settle(org, extraction, job, found, context, earlier_calls)

    def on_kill(self) -> None:
        """Abort the job: somebody ended the task, and nobody will fetch its result."""
        from airflow_provider_sfjwt.api.bulk_job import abort_job

        if self._running is None:
            return
        with self._hook().connect() as org:
            aborted = org.run(abort_job, self._running)
        self.log.info("Job %s %s", self._running.id, "was aborted" if aborted else "had already ended")

    # -- the steps, in the order in which they come ------------------------------------------------------------------

    def _check(self) -> None:
        faults = {}
        if self.incremental not in (None, "watermark", "data_interval"):
            faults["incremental"] = f"'{self.incremental}' is neither 'watermark' nor 'data_interval' nor None"
        if self.incremental and not self.sobject:
            faults["incremental"] = "needs sobject; in soql, write the condition yourself"
        for name in ("poll_interval", "timeout"):
            if getattr(self, name) <= 0:
                faults[name] = "must be more than 0 seconds"
        if self.commit_lag < 0:
            faults["commit_lag"] = "must be at least 0 seconds"
        if faults:
            raise ConfigurationError(faults, subject="the task")

    def _earlier_job(self, context: Mapping[str, Any]) -> SubmittedJob | None:
        """The job of an earlier try, where this task still asks for the same, and soon after."""
        job = JobMemory(context).recall()
        if job is None or job.order != self._order_fingerprint() or time.time() - job.created_at > self.timeout:
            return None
        return job if self.incremental != "data_interval" or job.moments == run_interval(context) else None

    def _job_of(self, org: ConnectedOrg, event: Mapping[str, Any], context: Mapping[str, Any]) -> SubmittedJob | None:
        """The event's job, where nothing was remembered and the run alone says which rows it has."""
        if self.incremental == "watermark":
            return None
        window = run_interval(context) if self.incremental else None
        soql = self._extraction(org, window).plan.soql
        return self._submitted(event["job_id"], event["api_version"], soql, window, 0)

    def _is_ours(self, job: SubmittedJob, event: Mapping[str, Any], extraction: Extraction) -> bool:
        same_order = job.order == self._order_fingerprint() and job.soql == extraction.plan.soql
        return same_order and job.job_id == event["job_id"]

    def _order_fingerprint(self) -> str:
        """Changes with whatever decides which rows and columns a job has, and where they go."""
        asked = {name: getattr(self, name) for name in _ORDER}
        return sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()

    def _new_window(self, context: Mapping[str, Any], org: ConnectedOrg) -> Window | None:
        from airflow_provider_sfjwt.api.org import server_time

        if self.incremental == "data_interval":
            return run_interval(context)
        if self.incremental == "watermark":
            window = self._watermark(context).window(org.run(server_time), self.commit_lag)
            return self._with_replaced_rows(window)
        return None

    def _with_replaced_rows(self, window: Window) -> Window:
        """A cleared run of a watermark replaces its own data set, so it must fetch those rows again as well."""
        from airflow_provider_sfjwt.storage.folder import DataSetFolder

        replaced = DataSetFolder(self.output_path).previous_receipt
        if replaced is None or replaced.window is None:
            return window
        return min(window[0], datetime.fromisoformat(replaced.window[0])), window[1]

    def _let_commits_settle(self, org: ConnectedOrg, window: Window | None) -> None:
        """Wait until the interval is old enough for every row of it to be visible."""
        from airflow_provider_sfjwt.api.org import server_time

        if window is None or self.incremental != "data_interval":
            return
        left = (window[1] + timedelta(seconds=self.commit_lag) - org.run(server_time)).total_seconds()
        if left <= 0:
            return
        self.log.info("Waiting %.0f s, so that rows that are committed late are seen (commit_lag)", left)
        if self.deferrable:
            from airflow.providers.standard.triggers.temporal import DateTimeTrigger

            moment = datetime.now(timezone.utc) + timedelta(seconds=max(left, _settling_time()))
            self.defer(trigger=DateTimeTrigger(moment), method_name="execute_after_lag")
        org.sleep(left)

    def _is_alive(self, org: ConnectedOrg, job: SubmittedJob) -> bool:
        """Whether an earlier try's job can still bring this task's rows."""
        from airflow_provider_sfjwt.api.bulk_job import get_job

        try:
            found = org.run(get_job, job.ref)
        except NotFoundError:
            return False
        if found.state in ("Failed", "Aborted"):
            return False
        self.log.info("Picking up job %s of an earlier try; it is %s", job.job_id, found.state)
        return True

    def _submit(
        self, org: ConnectedOrg, extraction: Extraction, window: Window | None, context: Mapping[str, Any]
    ) -> SubmittedJob:
        ref = extraction.submit()
        self._running = ref
        job = self._submitted(ref.id, ref.api_version, extraction.plan.soql, window, org.session.usage.calls)
        JobMemory(context).remember(job)
        return job

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

    def _wait(
        self, org: ConnectedOrg, extraction: Extraction, job: SubmittedJob, context: Mapping[str, Any]
    ) -> dict[str, Any]:
        self._running = job.ref
        if self.deferrable:
            from airflow_provider_sfjwt.triggers.bulk_job import SalesforceBulkJobTrigger

            trigger = SalesforceBulkJobTrigger(
                salesforce_conn_id=self.salesforce_conn_id,
                job_id=job.job_id,
                api_version=job.api_version,
                poll_interval=self.poll_interval,
                deadline=time.time() + self.timeout,
                not_before=time.time() + _settling_time(),
            )
            self._running = None  # from here on the trigger's on_kill aborts it
            self.defer(trigger=trigger, method_name="execute_complete", kwargs={"submitted": job.to_json()})
        found = extraction.wait(job.ref, poll_interval=self.poll_interval, timeout=self.timeout)
        return self._settle(org, extraction, job, found, context, 0)

    def _settle(
        self,
        org: ConnectedOrg,
        extraction: Extraction,
        job: SubmittedJob,
        found: Job,
        context: Mapping[str, Any],
        earlier_calls: int,
    ) -> dict[str, Any]:
        """The one end of both ways to wait."""
        if found.state == "Aborted" and job.reattached:
            # Clearing a deferred task starts the new try before the old trigger aborts the job.
            self.log.info("Job %s was aborted while an earlier try ended; starting a new one", job.job_id)
            return self._wait(org, extraction, self._submit(org, extraction, job.moments, context), context)
        try:
            receipt = extraction.finish(found, earlier_calls=earlier_calls)
        except ProtocolError:
            # Its result cannot be trusted, today or on a retry: the next try gets a new job.
            JobMemory(context).forget()
            raise
        self._running = None
        summary = receipt.summary()
        if self.incremental == "watermark" and job.moments is not None:
            self._watermark(context).advance(job.moments, summary)
        JobMemory(context).forget()
        return summary

    def _watermark(self, context: Mapping[str, Any]) -> Watermark:
        return Watermark(
            context,
            self.outlets,
            conn_id=self.salesforce_conn_id,
            sobject=self.sobject or "",
            owner=f"{self.dag_id}.{self.task_id}.{self.cursor_field}",
            condition={"where": self.where, "include_deleted": self.include_deleted},
        )

    def _extraction(self, org: ConnectedOrg, window: Window | None) -> Extraction:
        from airflow_provider_sfjwt.hooks.extract import Extraction

        return Extraction(org, self._order(window))

    def _order(self, window: Window | None) -> ExtractOrder:
        from airflow_provider_sfjwt.hooks.extract import ExtractOrder

        return ExtractOrder(
            output_path=self.output_path,
            sobject=self.sobject,
            soql=self.soql,
            fields=tuple(self.fields) if self.fields is not None else None,
            where=self.where,
            window=window,
            cursor_field=self.cursor_field,
            file_format=self.file_format,
            compression=self.compression,
            include_deleted=self.include_deleted,
            parallel_pages=self.parallel_pages,
            verify_job_count=self.verify_job_count,
        )

    def _hook(self) -> SalesforceJwtHook:
        from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

        return SalesforceJwtHook(self.salesforce_conn_id, api_version=self.api_version)


def _settling_time() -> float:
    """Seconds for which a deferred task stays deferred.

    A worker's supervisor may notice only at its next heartbeat that the task has deferred. If the task runs again by
    then, the scheduler of Airflow 3.3 takes that for the end of the new run, and fails it.
    """
    heartbeat: float = conf.getfloat("workers", "min_heartbeat_interval", fallback=5.0)
    return 1.2 * heartbeat
