"""Rows from files, an extract or a list into Salesforce, with an outcome for each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_sfjwt.compat import default_deferrable
from airflow_provider_sfjwt.exceptions import BulkJobTimeoutError
from airflow_provider_sfjwt.tasks.aborting import abort_each
from airflow_provider_sfjwt.tasks.errors import LOAD_ADVICE, airflow_outcome, check_event
from airflow_provider_sfjwt.tasks.lineage.operator import LineageOperator
from airflow_provider_sfjwt.tasks.links import SalesforceJobLink, SalesforceReportLink
from airflow_provider_sfjwt.tasks.report.reporting import reporting

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
    from airflow_provider_sfjwt.load.spec import LoadSpec, Source
    from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
    from airflow_provider_sfjwt.tasks.lineage.moved import Lineage
    from airflow_provider_sfjwt.tasks.report.reporting import Draft

__all__ = ["SalesforceLoadOperator"]


class SalesforceLoadOperator(LineageOperator, BaseOperator):
    """Loads rows into an object, and reports the outcome of each.

    A green run loaded every row, or stayed within ``max_failed_records`` and says so. All rows are checked against the
    object's description before any is sent. A retry sends only what Salesforce has not accepted yet.

    :param sobject: the object to load into (templated).
    :param operation: ``insert``, ``update``, ``upsert``, ``delete`` or ``hardDelete``.
    :param source: CSV, JSON lines or Parquet files on any ``ObjectStoragePath``: a path, a glob or a list of them; the
        folder or the receipt of an extract, or what the extract's task returned; or up to 10,000 rows as a list of
        dicts (templated).
    :param external_id_field: the field by which upsert finds records (templated).
    :param column_mapping: the field for a column of the source, None to leave the column out; other columns are fields
        by their own names, parents' as ``Owner.Email`` or ``Parent__r.Ext__c`` (templated).
    :param null_policy: what an empty value does to its field: ``ignore`` leaves it as it is, ``clear`` empties it.
    :param max_failed_records: how many rows may be skipped, rejected or left unprocessed.
    :param max_failed_ratio: the same as a share of all rows, from 0 to 1; the larger of the two counts.
    :param results_path: the folder for every row's outcome, on any ``ObjectStoragePath`` (templated); None for counts
        alone.
    :param parallel_jobs: how many jobs work at a time, and how many are uploaded at once.
    :param row_retries: how often a row is sent again that met a lock or another passing error.
    :param group_by: the column by which rows are kept together, e.g. a parent's id, against lock contention.
    :param transport: ``bulk``, ``rest`` (sObject Collections, up to 2,000 rows) or ``auto``: REST for up to 200 rows of
        an update or upsert, which may be sent again after a lost answer, else Bulk API 2.0.
    :param assignment_rule_id: the assignment rule for leads and cases (templated).
    :param file_format: ``csv``, ``jsonl`` or ``parquet``; None to tell by the files' names.
    :param delimiter: of CSV files, one character; None takes the comma, semicolon, tab or bar that the first line has.
    :param encoding: of CSV and JSON files, as Python names it, e.g. ``cp1252`` or ``utf-16``.
    :param header: the names of the columns of CSV files without a header; None takes the first line.
    :param on_invalid: what faulty rows do: ``fail`` sends nothing, ``skip`` sends the other rows. Skipped rows count as
        failed ones, and ``results_path`` has them with their reason.
    :param timezone: the zone of datetimes that have none, by its IANA name, e.g. ``Europe/Berlin``. None: such a value
        is a fault.
    :param trim: whether white space is taken off the ends of texts, e.g. of ``CHAR(n)`` columns.
    :param min_api_calls_left: how many API calls of its 24 hours the org must have left. Below that, the task waits
        in the triggerer where it is deferrable, and else fails and is retried. None: no such limit.
    :param dry_run: whether the task ends when all rows are checked.
    :param deferrable: whether the waiting is done in the triggerer, without a worker's slot. Default:
        ``[operators] default_deferrable``.
    :param poll_interval: seconds between two looks at a job at most.
    :param timeout: seconds that the jobs may take.
    :param salesforce_conn_id: the connection (templated).
    :param api_version: e.g. ``66.0``; None for the connection's, or else the newest.
    """

    template_fields: Sequence[str] = (
        "sobject", "source", "external_id_field", "column_mapping", "results_path", "assignment_rule_id",
        "salesforce_conn_id", "api_version",
    )  # fmt: skip
    ui_color = "#d8edff"
    operator_extra_links = (SalesforceReportLink(), SalesforceJobLink())

    def __init__(
        self,
        *,
        sobject: str,
        operation: str,
        source: Source,
        external_id_field: str | None = None,
        column_mapping: Mapping[str, str | None] | None = None,
        null_policy: str = "ignore",
        max_failed_records: int = 0,
        max_failed_ratio: float | None = None,
        results_path: str | None = None,
        parallel_jobs: int = 4,
        row_retries: int = 2,
        group_by: str | None = None,
        transport: str = "auto",
        assignment_rule_id: str | None = None,
        file_format: str | None = None,
        delimiter: str | None = None,
        encoding: str = "utf-8",
        header: Sequence[str] | None = None,
        on_invalid: str = "fail",
        timezone: str | None = None,
        trim: bool = False,
        min_api_calls_left: int | None = None,
        dry_run: bool = False,
        deferrable: bool = default_deferrable(),
        poll_interval: float = 30,
        timeout: float = 43_200,
        salesforce_conn_id: str = "salesforce_jwt_default",
        api_version: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sobject = sobject
        self.operation = operation
        self.source = source
        self.external_id_field = external_id_field
        self.column_mapping = column_mapping
        self.null_policy = null_policy
        self.max_failed_records = max_failed_records
        self.max_failed_ratio = max_failed_ratio
        self.results_path = results_path
        self.parallel_jobs = parallel_jobs
        self.row_retries = row_retries
        self.group_by = group_by
        self.transport = transport
        self.assignment_rule_id = assignment_rule_id
        self.file_format = file_format
        self.delimiter, self.encoding, self.header = delimiter, encoding, header
        self.on_invalid, self.timezone, self.trim = on_invalid, timezone, trim
        self.min_api_calls_left = min_api_calls_left
        self.is_dry_run = dry_run  # BaseOperator.dry_run is a method
        self.deferrable = deferrable
        self.poll_interval, self.timeout = poll_interval, timeout
        self.salesforce_conn_id = salesforce_conn_id
        self.api_version = api_version
        self.running: list[JobRef] = []
        self.killed = False
        self.job_url = ""

    def execute(self, context: Context) -> dict[str, Any]:
        """Send what was not accepted in an earlier attempt, and wait for it.

        :param context: Airflow's.
        :return: ``records`` (rows that succeeded), ``counts`` (``read``, ``sent``, ``succeeded``, ``failed``,
            ``unprocessed``, and ``skipped`` with ``on_invalid="skip"``), ``errors`` by code, ``unprocessed_sample``,
            ``job_ids``, ``job_id``, ``results_path`` and ``receipt``.
        """
        return self._run(context, None)

    def execute_after_budget(
        self, context: Context, event: Mapping[str, Any], handed_over: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Go on when the org has API calls left again.

        :param context: Airflow's.
        :param event: of :class:`~airflow_provider_sfjwt.triggers.api_calls.SalesforceApiCallsTrigger`.
        :param handed_over: what the task knew when it began to wait.
        :return: as :meth:`execute`.
        """
        with airflow_outcome(self, LOAD_ADVICE), reporting(self, context, "load", on_success=False):
            check_event(event)
        if handed_over is None:  # it began to wait with an earlier release
            return self.execute(context)
        calls = int(handed_over["api_calls"]) + int(event.get("api_calls") or 0)
        return self._run(context, {**handed_over, "api_calls": calls})

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Resume when the jobs have ended.

        :param context: Airflow's.
        :param event: of :class:`~airflow_provider_sfjwt.triggers.bulk_load.SalesforceBulkLoadTrigger`.
        :return: as :meth:`execute`.
        """
        with airflow_outcome(self, LOAD_ADVICE), reporting(self, context, "load", on_success=False):
            if event["status"] == "timeout":
                raise BulkJobTimeoutError(event["message"], job=event["job"], retryable=event["retryable"])
            check_event(event)
        return self._run(context, event)

    def on_kill(self) -> None:
        """Abort the jobs. What they have loaded stays in the org, and a retry reads it from their results."""
        # Airflow calls this in the middle of execute(), which then continues for up to 5 s.
        self.killed = True
        if self.running:
            abort_each(self._hook(), self.running, self.log)

    def lineage(self) -> Lineage:
        """The files go into the object."""
        from airflow_provider_sfjwt.tasks.lineage.moved import load_lineage

        return load_lineage(self._hook(), self)

    def spec(self) -> LoadSpec:
        """What the task asks for."""
        from airflow_provider_sfjwt.load.spec import LoadSpec

        return LoadSpec.of(self, dry_run=self.is_dry_run)

    def _run(self, context: Context, event: Mapping[str, Any] | None) -> dict[str, Any]:
        with airflow_outcome(self, LOAD_ADVICE), reporting(self, context, "load") as draft:
            return self._load(context, event, draft)

    def _load(
        self,
        context: Context,
        event: Mapping[str, Any] | None,
        draft: Draft,
        on_report: Callable[[], None] | None = None,
    ) -> dict[str, Any]:
        """One attempt, or the rest of it.

        :param draft: of the task's report.
        :param on_report: called when all is loaded and reported, before the ledger forgets it.
        """
        from airflow_provider_sfjwt.files.storage.receipts import Writer

        spec = replace(self.spec(), written_by=Writer.of(context))
        spec.check()
        # It needs pyarrow, which the check has looked for.
        from airflow_provider_sfjwt.tasks.load_task import LoadTask, opened_ledger

        ledger = opened_ledger(context, event, sends=not spec.dry_run)
        with self._hook().connect() as org:
            return LoadTask(self, spec, context, ledger, org, event, draft, on_report).run()

    def _hook(self) -> SalesforceJwtHook:
        from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

        return SalesforceJwtHook(self.salesforce_conn_id, api_version=self.api_version)
