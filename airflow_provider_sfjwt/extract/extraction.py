"""An extract from order to receipt: plan, submit, wait, download, prove, publish."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from airflow_provider_sfjwt import __version__, arguments
from airflow_provider_sfjwt.exceptions import ApiError, ConfigurationError, ProtocolError, SalesforceError
from airflow_provider_sfjwt.extract.bulk_route import Result, ResultDownload
from airflow_provider_sfjwt.extract.columns import check_flat, columns_of_query, columns_of_sobject
from airflow_provider_sfjwt.extract.rest_route import RestDownload
from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder
from airflow_provider_sfjwt.files.data_sets.receipt import Counts, Receipt, column_entry, drift_between
from airflow_provider_sfjwt.files.formats.registry import FileFormat
from airflow_provider_sfjwt.files.storage.errors import storage_errors, storage_failures
from airflow_provider_sfjwt.files.storage.receipts import Writer
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.api import bulk_job, bulk_query, soql
from airflow_provider_sfjwt.salesforce.api.bulk_job import Job, JobRef
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.org.api_budget import ApiBudget
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.org.progress import DownloadProgress, JobProgress

log = logging.getLogger(__name__)

Window = tuple[datetime, datetime]

_KINDS = {
    "output_path": arguments.folder,
    "sobject": arguments.optional(arguments.name),
    "soql": arguments.optional(arguments.name),
    "fields": arguments.optional(arguments.names),
    "where": arguments.optional(arguments.condition),
    "window": arguments.optional(arguments.window),
    "cursor_field": arguments.name,
    "file_format": arguments.text,
    "compression": arguments.optional(arguments.text),
    "include_deleted": arguments.flag,
    "parallel_pages": arguments.whole_number(1),
    "transport": arguments.one_of("auto", "bulk", "rest"),
    "min_api_calls_left": arguments.optional(arguments.whole_number(0)),
    "verify_job_count": arguments.flag,
}


@dataclass(frozen=True)
class ExtractOrder:
    """What is to be extracted, and where to. The fields are those of ``SalesforceJwtHook.extract``.

    :param written_by: the task instance that extracts, or None where there is none.
    """

    output_path: str
    sobject: str | None = None
    soql: str | None = None
    fields: Sequence[str] | None = None
    where: str | None = None
    window: Window | None = None
    cursor_field: str = "SystemModstamp"
    file_format: str = "parquet"
    compression: str | None = None
    include_deleted: bool = False
    parallel_pages: int = 4
    transport: str = "auto"
    min_api_calls_left: int | None = None
    verify_job_count: bool = True
    written_by: Writer | None = None

    @property
    def format(self) -> FileFormat:
        """How parts are written."""
        return FileFormat(self.file_format, self.compression)

    def check(self) -> None:
        """See that the order makes sense, before anything is done.

        :raises ConfigurationError: with everything that is wrong, by the names of the arguments.
        """
        if faults := self.faults():
            raise ConfigurationError(faults, subject="the task")

    def faults(self) -> dict[str, str]:
        """What is wrong, by the names of the arguments; empty when all is well."""
        faults = arguments.faults_of(self, _KINDS)
        if not faults.keys() & {"file_format", "compression"}:
            faults |= self.format.faults()
        if (self.sobject is None) == (self.soql is None):
            faults["sobject"] = "give either sobject or soql"
        if self.soql and (self.fields or self.where or self.window):
            faults["soql"] = (
                "a whole query takes no fields, where or incremental beside it: write them into the query, e.g. "
                "WHERE SystemModstamp >= {{ data_interval_start | ts }} …, or give sobject instead"
            )
        return faults


@dataclass(frozen=True)
class Plan:
    """What an order comes to in this org.

    :param soql: the query.
    :param sobject: the object it reads, or None where it cannot be told.
    :param columns: what is known of the columns, in order.
    """

    soql: str
    sobject: str | None
    columns: tuple[Column, ...]


class Extraction:
    """One extract. Its steps may run in different processes: all that must be carried over is the job.

    :param org: where from.
    :param order: what, and where to.
    """

    def __init__(self, org: ConnectedOrg, order: ExtractOrder) -> None:
        self._org = org
        self._order = order
        self._started = time.monotonic()

    def prepare(self) -> None:
        """See that everything is in order before Salesforce is given work.

        :raises ConfigurationError: for an order that cannot be carried out, naming what to change.
        """
        self._order.check()
        self._folder.prepare(self._order.format, self._order.written_by)
        log.info("Extract: %s", self.plan.soql)

    @cached_property
    def plan(self) -> Plan:
        """What the order comes to in this org, asked of it once."""
        order = self._order
        if order.soql:
            return Plan(order.soql, soql.sobject_of(order.soql), columns_of_query(self._org, order.soql))
        sobject, columns = columns_of_sobject(
            self._org, order.sobject or "", order.fields, order.cursor_field if order.window else None
        )
        conditions = [f"({order.where})"] if order.where else []
        if order.window:
            conditions.append(soql.within(order.cursor_field, *order.window))
        text = soql.select(sobject, [column.name for column in columns], " AND ".join(conditions))
        return Plan(text, sobject, columns)

    def submit(self) -> JobRef | None:
        """Create the job.

        :return: enough to find it again; None where the extract goes over REST, which has no jobs.
        :raises ConfigurationError: for a query that Bulk API 2.0 refuses.
        """
        if self._order.transport == "rest":
            return None
        try:
            job = self._org.run(
                bulk_query.create_query_job, self.plan.soql, include_deleted=self._order.include_deleted
            )
        except ApiError as refusal:
            if self._order.transport == "bulk" or not bulk_query.is_not_offered(refusal):
                raise
            log.info("Bulk API 2.0 does not offer %s; extracting it over REST", self.plan.sobject)
            return None
        log.info("Created Bulk API 2.0 query job %s (API %s)", job.ref.id, job.ref.api_version)
        return job.ref

    def wait(self, ref: JobRef, *, poll_interval: float, timeout: float) -> Job:
        """Wait on this thread until the job has ended.

        :param ref: the job.
        :param poll_interval: seconds between two looks at most.
        :param timeout: seconds that it may take from now on.
        :raises BulkJobTimeoutError: when time is up.
        """
        deadline = time.monotonic() + timeout
        return self._org.run(
            bulk_job.wait_for_job,
            ref,
            poll_interval=poll_interval,
            remaining=lambda: deadline - time.monotonic(),
            on_progress=JobProgress().tell,
        )

    def finish(self, job: Job, *, earlier_calls: int = 0, resumable: bool = False) -> Receipt:
        """Fetch the result of a job that ended, prove that it is whole, and publish it.

        :param job: an ended job.
        :param earlier_calls: API calls that this extract made in other processes.
        :param resumable: whether a retry will come back to this job: what is finished then stays for it.
        :return: the receipt.
        :raises SalesforceError: and nothing is published.
        """
        bulk_job.completed(job)
        return self._concluded(self._published_before(job.ref) or self._download(job, earlier_calls, resumable))

    def over_rest(self, *, earlier_calls: int = 0) -> Receipt:
        """Fetch the rows over REST, prove that they are all there, and publish them.

        :param earlier_calls: API calls that this extract made in other processes.
        :return: the receipt; it names no job.
        :raises ConfigurationError: for a query whose rows are no table.
        :raises SalesforceError: and nothing is published.
        """
        check_flat(self.plan.soql, self.plan.columns)
        name = f"rest{uuid.uuid4().hex[:12]}"
        download = RestDownload(
            self._org,
            self.plan.soql,
            self._order.include_deleted,
            self._folder,
            self._order.format,
            self.plan.columns,
            progress=DownloadProgress("Query over REST", None),
            before_page=self.budget.check,
        )
        with self._all_or_nothing(name, resumable=False):
            result, total = download.fetch(name)
            receipt = self._proved(result, total, None, earlier_calls)
            self._folder.publish(receipt)
        return self._concluded(receipt)

    def _concluded(self, receipt: Receipt) -> Receipt:
        """Clear away what a published receipt replaces."""
        try:
            self._folder.clear_replaced()
        except storage_failures(ValueError) as error:
            # The receipt is written, so the data set stands; readers that follow it never see what is left.
            log.warning("Old parts are left in %s: %s", self._folder.path, error)
        log.info(
            "Published %s: %d records in %d parts, as many as its pages declared and %s counted; %d API calls, %.1f s",
            *(self._folder.path, receipt.records, len(receipt.parts)),
            *("its job" if receipt.job_id else "its query", receipt.api_calls, receipt.seconds),
        )
        return receipt

    def _published_before(self, ref: JobRef) -> Receipt | None:
        """The receipt of a try that got as far as the commit point and broke off behind it."""
        receipt = self._folder.previous_receipt
        if receipt is None or receipt.job_id != ref.id or receipt.file_format != self._order.file_format:
            return None
        same_files = all(part.name.endswith(f".{self._order.format.extension}") for part in receipt.parts)
        return receipt if same_files and self._folder.holds(receipt) else None

    def _download(self, job: Job, earlier_calls: int, resumable: bool) -> Receipt:
        progress = DownloadProgress(f"Job {job.ref.id}", job.records_processed)
        download = ResultDownload(
            self._org,
            job.ref,
            self._folder,
            self._order.format,
            self.plan.columns,
            progress=progress,
            before_page=self.budget.check,
            resumable=resumable,
        )
        with self._all_or_nothing(job.ref.id, resumable=resumable):
            result = download.fetch(parallel_pages=self._order.parallel_pages)
            log.info("%s", progress.line())
            receipt = self._proved(result, job.records_processed, job.ref, earlier_calls)
            self._folder.publish(receipt)
        return receipt

    @contextmanager
    def _all_or_nothing(self, job_id: str, *, resumable: bool) -> Iterator[None]:
        """Leave a published data set, or what a retry can go on from, or nothing."""
        try:
            with storage_errors(self._folder.path):
                yield
        except BaseException as error:
            hopeless = isinstance(error, SalesforceError) and not error.retryable
            if hopeless or not resumable:
                try:
                    self._folder.discard(job_id)
                except storage_failures(ValueError) as left:
                    log.warning("Parts of %s are left in %s: %s", job_id, self._folder.path, left)
            raise

    @cached_property
    def budget(self) -> ApiBudget:
        """The API calls that this extract leaves to the org's other users."""
        return ApiBudget(self._org, self._order.min_api_calls_left)

    @cached_property
    def _folder(self) -> DataSetFolder:
        return DataSetFolder(self._order.output_path)

    def _proved(self, result: Result, total: int | None, ref: JobRef | None, earlier_calls: int) -> Receipt:
        """The receipt of a result that is complete."""
        counts = Counts(sum(part.records for part in result.parts), result.declared, total)
        self._prove(f"job {ref.id}" if ref else "the query", counts, result.columns)
        entries = tuple(column_entry(column) for column in result.columns)
        window = self._order.window
        return Receipt(
            sobject=self.plan.sobject,
            soql=self.plan.soql,
            window=(window[0].isoformat(), window[1].isoformat()) if window else None,
            job_id=ref.id if ref else None,
            api_version=ref.api_version if ref else self._org.run(Session.api_version),
            records=counts.written,
            counts=counts,
            parts=result.parts,
            columns=entries,
            drift=drift_between(self._folder.previous_receipt, entries),
            file_format=self._order.file_format,
            api_calls=earlier_calls + self._org.session.usage.calls,
            seconds=round(time.monotonic() - self._started, 3),
            package_version=__version__,
            output_path=self._folder.path,
            transport="bulk" if ref else "rest",
            written_by=self._order.written_by,
        )

    def _prove(self, name: str, counts: Counts, columns: Sequence[Column]) -> None:
        """Green means complete: the three counts agree and the columns are those asked for, or nothing is published."""
        asked = [column.name.lower() for column in self.plan.columns]
        if self._order.sobject and asked != [column.name.lower() for column in columns]:
            raise ProtocolError(
                f"the result of {name} has other columns than the query: {[column.name for column in columns]}. "
                "Nothing was published; clear the task to run it anew."
            )
        job_agrees = counts.job == counts.written or not self._order.verify_job_count
        if counts.written != counts.pages or not job_agrees:
            itself = "the job itself processed" if name.startswith("job") else "Salesforce itself counted"
            raise ProtocolError(
                f"{name} is not complete: {counts.written} rows were written, its pages declared {counts.pages}, "
                f"{itself} {counts.job}. Nothing was published. Clear the task to run it anew; if "
                "Salesforce's own figure is known to differ for this query, verify_job_count=False records it instead."
            )
