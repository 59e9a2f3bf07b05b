"""Rows of files, of an extract or of a list into Salesforce, each of them accounted for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_sfjwt.compat import default_deferrable
from airflow_provider_sfjwt.exceptions import BulkJobTimeoutError, ConfigurationError
from airflow_provider_sfjwt.tasks.errors import LOAD_ADVICE, airflow_outcome, check_event
from airflow_provider_sfjwt.tasks.links import SalesforceJobLink

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
    from airflow_provider_sfjwt.load.spec import LoadOrder, Source
    from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef

__all__ = ["SalesforceLoadOperator"]


class SalesforceLoadOperator(BaseOperator):
    """Loads rows into an object, and knows what became of each.

    A run that is green loaded every row, or stayed within ``max_failed_records`` and says so. All rows are checked
    against the object's description before any is sent. A retry sends only what Salesforce has not accepted yet.

    :param sobject: the object to load into (templated).
    :param operation: ``insert``, ``update``, ``upsert``, ``delete`` or ``hardDelete``.
    :param source: CSV, JSON lines or Parquet files on any ``ObjectStoragePath``: a path, a glob or a list of them; the
        folder or the receipt of an extract, or what the extract's task returned; or up to 10,000 rows as a list of
        dicts (templated).
    :param external_id_field: what upsert matches rows by (templated).
    :param column_mapping: the field for a column of the source, None to leave the column out; other columns are fields
        by their own names, parents' as ``Owner.Email`` or ``Parent__r.Ext__c`` (templated).
    :param null_policy: what an empty value does to its field: ``ignore`` leaves it as it is, ``clear`` empties it.
    :param max_failed_records: how many rows may be rejected or left unprocessed.
    :param max_failed_ratio: the same as a part of all rows, from 0 to 1; the larger of the two counts.
    :param results_path: the folder for every row's outcome, on any ``ObjectStoragePath`` (templated); None for counts.
    :param parallel_jobs: how many jobs work at a time, and how many are uploaded at once.
    :param row_retries: how often rows are sent again that met a lock or another passing error.
    :param group_by: the column by which rows are kept together, e.g. a parent's id, against lock contention.
    :param transport: ``bulk``, ``rest`` (sObject Collections, up to 2,000 rows) or ``auto``: REST for up to 200 rows of
        an update or upsert, which may be sent again after a lost answer, else Bulk API 2.0.
    :param assignment_rule_id: the assignment rule for leads and cases (templated).
    :param file_format: ``csv``, ``jsonl`` or ``parquet``; None to tell by the files' names.
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
    operator_extra_links = (SalesforceJobLink(),)

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
        self.only_check = dry_run
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.salesforce_conn_id = salesforce_conn_id
        self.api_version = api_version
        self.running: list[JobRef] = []
        self.killed = False
        self.job_url = ""

    def execute(self, context: Context) -> dict[str, Any]:
        """Send what was not accepted by an earlier try, and see it through.

        :param context: Airflow's.
        :return: ``records`` (rows that succeeded), ``counts`` (``read``, ``sent``, ``succeeded``, ``failed``,
            ``unprocessed``), ``errors`` by code, ``unprocessed_sample``, ``job_ids``, ``job_id``, ``results_path`` and
            ``receipt``.
        """
        return self._go_on(context, None)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Go on when the jobs have ended.

        :param context: Airflow's.
        :param event: of :class:`~airflow_provider_sfjwt.triggers.bulk_load.SalesforceBulkLoadTrigger`.
        :return: as :meth:`execute`.
        """
        with airflow_outcome(self, LOAD_ADVICE):
            if event["status"] == "timeout":
                raise BulkJobTimeoutError(event["message"], job=event["job"], retryable=event["retryable"])
            check_event(event)
        return self._go_on(context, event)

    def on_kill(self) -> None:
        """Abort the jobs. What they loaded already is in the org, and a retry takes it from their results."""
        from airflow_provider_sfjwt.salesforce.api.bulk_job import abort_job

        # Airflow calls this in the midst of execute(), which then goes on for up to 5 s.
        self.killed = True
        if not self.running:
            return
        with self._hook().connect() as org:
            for ref in self.running:
                aborted = org.run(abort_job, ref)
                self.log.info("Job %s %s", ref.id, "was aborted" if aborted else "had already ended")

    def order(self) -> LoadOrder:
        """What the task asks for."""
        from airflow_provider_sfjwt.load.spec import LoadOrder

        return LoadOrder(
            sobject=self.sobject,
            operation=self.operation,
            source=self.source,
            external_id_field=self.external_id_field,
            column_mapping=self.column_mapping,
            null_policy=self.null_policy,
            max_failed_records=self.max_failed_records,
            max_failed_ratio=self.max_failed_ratio,
            results_path=self.results_path,
            parallel_jobs=self.parallel_jobs,
            row_retries=self.row_retries,
            group_by=self.group_by,
            transport=self.transport,
            assignment_rule_id=self.assignment_rule_id,
            file_format=self.file_format,
            dry_run=self.only_check,
            poll_interval=self.poll_interval,
            timeout=self.timeout,
        )

    def _go_on(self, context: Context, event: Mapping[str, Any] | None) -> dict[str, Any]:
        from airflow_provider_sfjwt.arguments import flag
        from airflow_provider_sfjwt.tasks.load_task import LoadRun

        with airflow_outcome(self, LOAD_ADVICE):
            if fault := flag(self.deferrable):
                raise ConfigurationError({"deferrable": fault}, subject="the task")
            self.order().check()
            with self._hook().connect() as org:
                return LoadRun(self, context, org, event).go_on()

    def _hook(self) -> SalesforceJwtHook:
        from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

        return SalesforceJwtHook(self.salesforce_conn_id, api_version=self.api_version)
