"""The hook: a Salesforce JWT connection, ready to use in a task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt import compat
from airflow_provider_sfjwt.hooks.configuration import retry_policy
from airflow_provider_sfjwt.hooks.connections import find_settings
from airflow_provider_sfjwt.hooks.form import with_form
from airflow_provider_sfjwt.hooks.lineage import HookLineage
from airflow_provider_sfjwt.hooks.query import QuerySpec, query_rows
from airflow_provider_sfjwt.hooks.signed_in import SignedInHook
from airflow_provider_sfjwt.load.spec import LoadSpec
from airflow_provider_sfjwt.salesforce.api import org as org_api
from airflow_provider_sfjwt.salesforce.api.resource import call_resource, fetch_record
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.api.sign_in import introspect, revoke

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from simple_salesforce.api import Salesforce

    from airflow_provider_sfjwt.arguments import GivenWindow
    from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
    from airflow_provider_sfjwt.files.storage.receipts import Writer
    from airflow_provider_sfjwt.load.report import LoadReport
    from airflow_provider_sfjwt.load.spec import Source
    from airflow_provider_sfjwt.sync.outcome import SyncReport

__all__ = ["SalesforceJwtHook"]


def _writer() -> Writer | None:
    """The task instance that uses the hook, or None outside a task."""
    from airflow_provider_sfjwt.files.storage.receipts import Writer

    context = compat.current_context()
    return None if context is None else Writer.of(context)


@with_form
class SalesforceJwtHook(SignedInHook):
    """Signs in to Salesforce with a JWT bearer assertion, once per task run, and speaks to its API.

    :param salesforce_conn_id: a connection of the type ``salesforce_jwt``.
    :param api_version: e.g. ``66.0``; None for the connection's, or else for the newest that the org and this package
        both know.
    :raises ConfigurationError: when ``api_version`` is not an API version.
    """

    # -- Salesforce, for a DAG's author ------------------------------------------------------------------------------

    def get_conn(self) -> Salesforce:
        """A ``simple_salesforce.Salesforce`` that is signed in.

        It shares the hook's token: an expired session is renewed under it, in its Bulk API too.

        :raises ConfigurationError: when the connection cannot work.
        :raises AuthenticationError: when Salesforce refuses the sign-in.
        """
        return self._client

    def query(self, soql: str, include_deleted: bool = False) -> Iterator[dict[str, Any]]:
        """Run a query over REST and iterate over its rows, a page in memory at a time.

        :param soql: the query. ``SELECT COUNT() FROM …`` gives one row, ``{"expr0": n}``.
        :param include_deleted: whether rows in the recycle bin and archived activities are returned too.
        :return: rows by field name; a parent's fields are a dict of their own, a sub-query's rows a list.
        :raises ConfigurationError: for arguments of another kind.
        :raises ApiError: for SOQL that Salesforce refuses.
        :raises ProtocolError: after the last row, when there were fewer or more than Salesforce counted.
        """
        (spec := QuerySpec(soql=soql, include_deleted=include_deleted)).check()
        yield from HookLineage(self).watched(soql, query_rows(self._org, spec))

    def query_arrow(self, soql: str, include_deleted: bool = False, transport: str = "rest") -> pa.Table:
        """Run a query and return its rows as an Arrow table, typed as an extract's Parquet files are.

        :param soql: a query of plain fields; aggregates and sub-queries are for :meth:`query`.
        :param include_deleted: whether rows in the recycle bin and archived activities are returned too.
        :param transport: ``rest``, or ``bulk`` for many rows.
        """
        from airflow_provider_sfjwt.extract.in_memory import arrow_table

        with self.connect() as org:
            table = arrow_table(org, soql, include_deleted, transport)
        HookLineage(self).queried(soql)
        return table

    def query_pandas(self, soql: str, include_deleted: bool = False, transport: str = "rest") -> pd.DataFrame:
        """Run a query and return its rows as a pandas data frame whose columns keep Arrow's exact types.

        :param soql: and the other arguments: as :meth:`query_arrow` has them.
        """
        from airflow_provider_sfjwt.extract.in_memory import data_frame

        return data_frame(self.query_arrow(soql, include_deleted, transport))

    def record(self, sobject: str, record_id: str, fields: Sequence[str] | None = None) -> dict[str, Any]:
        """One record by its id.

        :param fields: names of fields; None for all that the user may read.
        :raises NotFoundError: when there is no such record, or the user may not see it.
        """
        return self._org.run(fetch_record, sobject, record_id, fields)

    def field_names(self, sobject: str) -> list[str]:
        """The names of an object's fields that the user may see, compound fields included."""
        return [str(field["name"]) for field in self.describe(sobject)["fields"]]

    def describe(self, sobject: str) -> dict[str, Any]:
        """Describe an object and its fields.

        :param sobject: the object's API name, e.g. ``Account``.
        :return: Salesforce's description, with ``fields``.
        :raises ConfigurationError: when the org has no such object, or the user may not see it.
        """
        return self._org.run(org_api.describe, sobject)

    def limits(self) -> dict[str, dict[str, Any]]:
        """The org's limits.

        :return: by their names, e.g. ``DailyApiRequests``, each with ``Max`` and ``Remaining``.
        """
        return self._org.run(org_api.limits)

    def request(self, method: str, resource: str, params: Mapping[str, Any] | None = None, json: Any = None) -> Any:
        """Call any REST resource.

        :param method: the HTTP method. Only GET, HEAD, PUT and DELETE are repeated after an unclear end.
        :param resource: what follows the API version (``limits``), a whole path (``/services/data/v66.0/limits``), or a
            URL of the connection's own org.
        :param params: for the query string.
        :param json: what to send as JSON.
        :return: the decoded JSON; text or bytes where Salesforce answers with text or a file; None for an empty body.
        :raises ConfigurationError: for a URL of another host.
        :raises ApiError: when Salesforce answers with an error.
        """
        verb = method.upper()
        return self._org.run(
            call_resource, verb, resource, params=params, json_body=json, idempotent=verb not in ("POST", "PATCH")
        )

    def extract(
        self,
        *,
        output_path: str,
        sobject: str | None = None,
        soql: str | None = None,
        fields: Sequence[str] | None = None,
        where: str | None = None,
        window: GivenWindow | None = None,
        cursor_field: str = "SystemModstamp",
        file_format: str = "parquet",
        compression: str | None = None,
        numbers: str = "decimal",
        include_deleted: bool = False,
        parallel_pages: int = 4,
        transport: str = "auto",
        min_api_calls_left: int | None = None,
        verify_job_count: bool = True,
        poll_interval: float = 30,
        timeout: float = 43_200,
    ) -> Receipt:
        """Extract rows into files, and prove that they are all there.

        What ``SalesforceExtractOperator`` does, for a ``@task``; the operator adds deferral and state.

        :param output_path: the folder of this run, on any ``ObjectStoragePath``.
        :param sobject: the object to extract; or else ``soql``.
        :param soql: the query to extract; or else ``sobject``.
        :param fields: field names, parents' as ``Owner.Name``; None for every field that Bulk API can return.
        :param where: a SOQL condition, without ``WHERE``.
        :param window: start and end of ``cursor_field``, the end excluded: datetimes with a time zone, or texts in ISO
            8601; None for all rows.
        :param cursor_field: a date-time field.
        :param file_format: ``parquet``, ``csv`` or ``jsonl``.
        :param numbers: ``decimal``, ``float64`` or ``described``: how Parquet keeps fractional numbers.
        :param compression: None for the format's default.
        :param include_deleted: whether rows in the recycle bin are extracted too.
        :param parallel_pages: how many result pages are fetched at once.
        :param transport: ``bulk``, ``rest`` (2,000 rows a call, without a job), or ``auto``: REST for windows of up to
            20,000 rows and objects that Bulk API 2.0 does not offer, else Bulk API 2.0.
        :param min_api_calls_left: how many API calls of its 24 hours the org must have left, or the extract ends with
            ``RequestLimitError``; None for no such limit.
        :param verify_job_count: whether the job's own count must equal the rows; false records it only.
        :param poll_interval: seconds between two looks at the job at most.
        :param timeout: seconds that the job may take.
        :return: the receipt.
        :raises SalesforceError: and nothing is published.
        """
        asked = {name: value for name, value in locals().items() if name != "self"}  # by name, whatever is added above
        from airflow_provider_sfjwt.extract.extraction import Extraction
        from airflow_provider_sfjwt.extract.spec import ExtractSpec

        spec = ExtractSpec(**asked, salesforce_conn_id=self.salesforce_conn_id, written_by=_writer())
        spec.check()
        with self.connect() as org:
            return HookLineage(self).extracted(Extraction(org, spec).run())

    def load(
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
        poll_interval: float = 30,
        timeout: float = 43_200,
    ) -> LoadReport:
        """Load rows, and report the outcome of each.

        What ``SalesforceLoadOperator`` does, for a ``@task``; the arguments are the operator's. The operator adds
        deferral, and a ledger by which a retry sends only what was not accepted: without it, prefer upsert.

        :return: the report.
        :raises ConfigurationError: for rows and arguments that cannot be loaded; nothing was sent then.
        :raises RecordsFailedError: when more rows failed than are tolerated.
        """
        asked = {name: value for name, value in locals().items() if name != "self"}  # by name, whatever is added above
        asked |= {"salesforce_conn_id": self.salesforce_conn_id, "api_version": self.api_version}
        (spec := LoadSpec(**asked, written_by=_writer())).check()
        from airflow_provider_sfjwt.load.load import run_load  # needs pyarrow, which the check has looked for

        with self.connect() as org:
            return HookLineage(self).loaded(spec, run_load(org, spec))

    def sync(
        self,
        objects: Sequence[str],
        output_path: str,
        *,
        exclude: Sequence[str] = (),
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        deletes: str | None = "recycle_bin",
        deletes_every: float = 86_400,
        refresh_formulas: float | None = None,
        on_schema_change: str = "evolve",
        commit_lag: float = 300,
        file_format: str = "parquet",
        numbers: str = "decimal",
        compression: str | None = None,
        rest_rows: int = 20_000,
        rest_cells: int = 2_000_000,
        threads: int = 8,
        max_failed_objects: int = 0,
        min_api_calls_left: int | None = None,
        parallel_pages: int = 4,
        poll_interval: float = 30,
        timeout: float = 43_200,
    ) -> SyncReport:
        """Extract what is new in many objects, with one sign-in, some at once, each with a state of its own.

        The arguments are those of ``SalesforceSyncGroup``, which adds deferral for large windows. An object that fails
        does not stop the others, and another attempt of the same task run takes only what is missing.

        :param objects: names of objects, and patterns with ``*`` and ``?`` over those that can be queried.
        :param output_path: the sync's root, on any ``ObjectStoragePath``; not a run's folder.
        :param timeout: seconds that a job may take, and after which another run may write to the root.
        :return: what became of each object, and the path of the summary.
        :raises ObjectsFailedError: when more than ``max_failed_objects`` objects failed; the others stand.
        :raises SalesforceError: when the run could not begin, as where another one writes to the root.
        """
        asked = {name: value for name, value in locals().items() if name != "self"}  # by name, whatever is added above
        asked |= {"salesforce_conn_id": self.salesforce_conn_id, "api_version": self.api_version}
        from airflow_provider_sfjwt.sync.run import run_sync
        from airflow_provider_sfjwt.sync.spec import SyncSpec

        (spec := SyncSpec(**asked, written_by=_writer())).check()
        with self.connect() as org:
            report = run_sync(org, spec)
        HookLineage(self).synced(report.receipts)
        return report

    def publish(
        self, event: str, events: Sequence[Mapping[str, Any]], id_field: str | None = None
    ) -> list[dict[str, Any]]:
        """Publish platform events, each at least once; see ``SalesforcePublishOperator``.

        :param event: the API name of the platform event, e.g. ``Order__e``.
        :param events: the events, each a dict of its fields.
        :param id_field: a text field of the event that takes an id by which subscribers know it again; None: no id.
        :return: of each event ``accepted``, ``uuid``, ``id`` and ``errors``; refused events raise nothing.
        """
        from airflow_provider_sfjwt.hooks.publish import PublishSpec, published

        (spec := PublishSpec(event=event, events=events, id_field=id_field)).check()
        with self.connect() as org:
            return published(org, spec)

    def read_receipt(self, output_path: str) -> Receipt:
        """Read the receipt of an extract.

        :param output_path: the extract's folder.
        :raises FileNotFoundError: when there is none, so that nothing in the folder may be read.
        :raises ProtocolError: when it cannot be understood, or is the report of a load.
        """
        from airflow_provider_sfjwt.files.data_sets.receipt import read_receipt
        from airflow_provider_sfjwt.files.storage.paths import storage_path
        from airflow_provider_sfjwt.files.storage.receipts import RECEIPT_NAME

        receipt = read_receipt(storage_path(output_path.rstrip("/")))
        if receipt is None:
            raise FileNotFoundError(f"{output_path} holds no {RECEIPT_NAME}: no extract was published there")
        return receipt

    def part_keys(self, result: Any) -> list[str]:
        """The parts of an extract as loaders of object stores take them: the key of each within its bucket.

        :param result: what the extract's task returned, its folder or its receipt, or a list of these.
        """
        from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet, folders_of, part_keys

        return [key for folder in folders_of(result) for key in part_keys(PublishedDataSet(folder).receipt)]

    def test_connection(self) -> tuple[bool, str]:
        """Examine the connection as ``airflow-salesforce-jwt check`` does, signing in anew; what the Test button shows.

        :return: whether it worked; and who signed in where, or in one sentence what is wrong and what to change.
        """
        from airflow_provider_sfjwt.doctor.checkup import Checkup

        # The Test button tries a connection under an id that it draws.
        read = partial(find_settings, self, self.salesforce_conn_id, subject="the connection")
        return Checkup(read, retry_policy(), api_version=self.api_version).verdict()

    def introspect(self) -> dict[str, Any]:
        """Ask Salesforce what the hook's token is worth.

        :return: ``active``, ``scope``, ``username``, ``exp`` (seconds since the epoch) and more.
        :raises ConfigurationError: when the connection holds no Consumer secret, which nothing else needs.
        """
        return self._org.transport.run(introspect(self._org.token(), self.settings.credentials, retry_policy()))

    def revoke(self) -> None:
        """End the hook's session. Nothing does so by itself: every task of the same user and app may share it.

        :raises ApiError: when the session has ended already.
        """
        self._org.transport.run(revoke(self._org.token(), retry_policy()))

    @compat.cached_property
    def _client(self) -> Salesforce:
        from simple_salesforce.api import Salesforce

        from airflow_provider_sfjwt.hooks.client_session import ClientSession

        token = self._org.token()
        return Salesforce(
            session_id=token.value,
            instance_url=token.instance_url,
            version=self._org.run(Session.api_version),
            session=ClientSession.of(self._org),
        )
