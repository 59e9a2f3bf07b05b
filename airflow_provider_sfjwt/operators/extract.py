"""Rows of any number into files, proved complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_sfjwt.compat import default_deferrable
from airflow_provider_sfjwt.tasks.aborting import abort_each
from airflow_provider_sfjwt.tasks.errors import EXTRACT_ADVICE, airflow_outcome, check_event
from airflow_provider_sfjwt.tasks.lineage.operator import LineageOperator
from airflow_provider_sfjwt.tasks.links import SalesforceJobLink, SalesforceReportLink
from airflow_provider_sfjwt.tasks.report.reporting import reporting

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_sfjwt.arguments import GivenWindow
    from airflow_provider_sfjwt.files.data_sets.receipt import ChainLink
    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
    from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
    from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
    from airflow_provider_sfjwt.tasks.extract_task import ExtractTask
    from airflow_provider_sfjwt.tasks.lineage.moved import Lineage
    from airflow_provider_sfjwt.tasks.report.reporting import Draft

__all__ = ["SalesforceExtractOperator"]


class SalesforceExtractOperator(LineageOperator, BaseOperator):
    """Extracts an object or a query into a folder, and writes a receipt that proves it complete.

    A run that is green has written every row that Salesforce counted; else it fails, and nothing is published. A retry
    resumes the job of the attempt before it. A run of the same folder replaces its own output and nothing else.

    :param output_path: the folder of this run on any ``ObjectStoragePath`` (templated), e.g.
        ``s3://conn_id@bucket/accounts/ds={{ ds }}``. Partition it yourself: one run, one folder.
    :param sobject: the object to extract (templated); or else ``soql``.
    :param soql: the query to extract (templated); or else ``sobject``.
    :param fields: field names, parents' as ``Owner.Name`` (templated); None for every field that Bulk API can return.
    :param where: a SOQL condition without ``WHERE`` (templated).
    :param window: start and end of ``cursor_field``, the end excluded (templated): datetimes with a time zone, or texts
        in ISO 8601, e.g. ``("{{ data_interval_start }}", "{{ data_interval_end }}")``. None for all rows.
    :param file_format: ``parquet`` (typed from the object's description), ``csv`` (as Salesforce sent it) or ``jsonl``.
    :param numbers: how Parquet keeps fractional numbers: ``decimal`` as ``decimal128(38, 18)``, ``float64`` as
        Salesforce's own doubles, ``described`` by precision and scale of the description, where a number that does not
        fit fails the extract.
    :param compression: ``zstd``, ``snappy``, ``gzip`` or ``none`` for Parquet (None is zstd); ``gzip`` or None else.
    :param include_deleted: whether rows in the recycle bin and archived activities are extracted too.
    :param incremental: None for all rows; ``data_interval`` for the run's interval of ``cursor_field``; ``watermark``
        for what changed since the last run, kept with the asset ``salesforce://<conn_id>/<sobject>`` among the inlets.
    :param cursor_field: a date-time field that moves with every change.
    :param commit_lag: seconds for which rows may become visible late. A run waits until its interval is that old; a
        watermark stays that far behind the org's clock.
    :param parallel_pages: how many result pages are fetched at once.
    :param transport: ``bulk``, ``rest`` (2,000 rows a call, without a job) or ``auto``: REST for windows of up to
        20,000 rows and objects that Bulk API 2.0 does not offer, else Bulk API 2.0. The table is the same.
    :param min_api_calls_left: how many API calls of its 24 hours the org must have left. Below that, the task waits
        (deferred) or fails, to be retried. None for no such limit.
    :param verify_job_count: whether the job's own count must equal the rows. False only records the difference.
    :param list_parts: whether the result has ``parts``, the key of each part within its bucket; at most 500.
    :param emit_empty: whether an extract without rows emits an asset event. It is emitted through an ``AssetAlias`` in
        ``outlets``, for the object's asset ``salesforce://<conn_id>/<sobject>``.
    :param deferrable: whether the waiting is done in the triggerer, without a worker's slot. Default:
        ``[operators] default_deferrable``.
    :param poll_interval: seconds between two looks at the job at most; the first ones come sooner.
    :param timeout: seconds that the job may take.
    :param salesforce_conn_id: the connection (templated).
    :param api_version: e.g. ``66.0``; None for the connection's, or else the newest.
    """

    template_fields: Sequence[str] = (
        "output_path", "sobject", "soql", "fields", "where", "window", "cursor_field", "salesforce_conn_id",
        "api_version",
    )  # fmt: skip
    template_ext: Sequence[str] = (".soql",)
    template_fields_renderers = {"soql": "sql"}  # noqa: RUF012  # Airflow declares it so
    ui_color = "#d8edff"
    operator_extra_links = (SalesforceReportLink(), SalesforceJobLink())

    def __init__(
        self,
        *,
        output_path: str,
        sobject: str | None = None,
        soql: str | None = None,
        fields: Sequence[str] | None = None,
        where: str | None = None,
        window: GivenWindow | None = None,
        file_format: str = "parquet",
        compression: str | None = None,
        numbers: str = "decimal",
        include_deleted: bool = False,
        incremental: str | None = None,
        cursor_field: str = "SystemModstamp",
        commit_lag: float = 300,
        parallel_pages: int = 4,
        transport: str = "auto",
        min_api_calls_left: int | None = None,
        verify_job_count: bool = True,
        list_parts: bool = False,
        emit_empty: bool = True,
        deferrable: bool = default_deferrable(),
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
        self.window = window
        self.file_format = file_format
        self.compression = compression
        self.numbers = numbers
        self.include_deleted = include_deleted
        self.incremental = incremental
        self.cursor_field = cursor_field
        self.commit_lag = commit_lag
        self.parallel_pages = parallel_pages
        self.transport = transport
        self.min_api_calls_left = min_api_calls_left
        self.verify_job_count = verify_job_count
        self.list_parts = list_parts
        self.emit_empty = emit_empty
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.salesforce_conn_id = salesforce_conn_id
        self.api_version = api_version
        self.running: JobRef | None = None
        self.killed = False
        self.job_url = ""
        self.link: ChainLink | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the job, or resume that of an earlier attempt, and see it through.

        :param context: Airflow's.
        :return: ``receipt``, ``output_path``, ``records``, ``job_id`` (None over REST) and ``window``; ``parts``
            with ``list_parts``.
        """
        from airflow_provider_sfjwt.extract.spec import ExtractSpec

        with airflow_outcome(self, EXTRACT_ADVICE), self._reporting(context) as draft:
            ExtractSpec.of(self).check()
            with self._hook().connect() as org:
                return self.attempt(context, org, draft).start()

    def execute_after_lag(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Go on when the interval is old enough.

        :param context: Airflow's.
        :param event: of the time trigger; it has no news.
        """
        return self.execute(context)

    def execute_after_budget(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Go on when the org has API calls left again.

        :param context: Airflow's.
        :param event: of :class:`~airflow_provider_sfjwt.triggers.api_calls.SalesforceApiCallsTrigger`.
        """
        with airflow_outcome(self, EXTRACT_ADVICE), reporting(self, context, "extract", on_success=False):
            check_event(event)
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
        with (
            airflow_outcome(self, EXTRACT_ADVICE),
            self._reporting(context) as draft,
            self._hook().connect() as org,
        ):
            return self.attempt(context, org, draft).resume(event, submitted)

    def attempt(self, context: Context, org: ConnectedOrg, draft: Draft) -> ExtractTask:
        """One attempt of the task.

        :param context: Airflow's.
        :param org: where from.
        :param draft: of the task's report.
        """
        from airflow_provider_sfjwt.tasks.extract_task import ExtractTask

        return ExtractTask(self, context, org, draft)

    def on_kill(self) -> None:
        """Abort the job: somebody ended the task, and nobody will fetch its result."""
        # Airflow calls this in the midst of execute(), which then goes on for up to 5 s.
        self.killed = True
        if self.running is not None:
            abort_each(self._hook(), [self.running], self.log)

    def lineage(self) -> Lineage:
        """The object goes into the folder."""
        from airflow_provider_sfjwt.tasks.lineage.moved import extract_lineage

        return extract_lineage(self._hook(), self)

    def _reporting(self, context: Context) -> AbstractContextManager[Draft]:
        return reporting(self, context, "extract")

    def _hook(self) -> SalesforceJwtHook:
        from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

        return SalesforceJwtHook(self.salesforce_conn_id, api_version=self.api_version)
