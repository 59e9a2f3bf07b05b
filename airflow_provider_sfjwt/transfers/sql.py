"""Between Salesforce and SQL databases, in both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator
from airflow_provider_sfjwt.tasks.errors import airflow_outcome
from airflow_provider_sfjwt.tasks.lineage.operator import LineageOperator
from airflow_provider_sfjwt.tasks.links import SalesforceReportLink
from airflow_provider_sfjwt.tasks.report.reporting import reporting
from airflow_provider_sfjwt.transfers.merging import MergeOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_sfjwt.load.spec import LoadSpec
    from airflow_provider_sfjwt.tasks.lineage.moved import DataSet, Lineage
    from airflow_provider_sfjwt.tasks.report.reporting import Draft
    from airflow_provider_sfjwt.tasks.sql_load import SqlLoad

__all__ = ["SalesforceToSqlOperator", "SqlToFilesOperator", "SqlToSalesforceOperator"]


class SalesforceToSqlOperator(MergeOperator):
    """Merges an extract into a table of PostgreSQL, DuckDB or SQLite, exactly once.

    Everything happens in one transaction: the rows are staged, counted against the receipt, each part hashed as it is
    read, then merged, and the ledger records the receipt. A task that fails or is killed leaves the table as it was; a
    retry after a lost commit finds the ledger's row and changes nothing. ``mode="replace"`` deletes all rows of the
    table first; ``schema_evolution="add"`` also widens a column where that rewrites nothing.

    :param sql_conn_id: an Airflow connection of the type ``postgres``, ``duckdb`` or ``sqlite`` (templated).
    :param table: its name, with its schema where it has one, taken as it is written; created where there is none
        (templated).
    :param ledger_table: the table that records what was merged; in the schema of ``table`` unless it names one
        (templated).
    :param lock_timeout: seconds to wait for another merge into the same table.
    :param nul_characters: PostgreSQL cannot store the character U+0000 in text: ``fail``, or ``remove`` it.
    :param allow_empty: whether ``replace`` may leave the table empty.
    :param kwargs: the arguments of :class:`~airflow_provider_sfjwt.transfers.merging.MergeOperator`.
    """

    template_fields: Sequence[str] = (*MergeOperator.template_fields, "sql_conn_id", "table", "ledger_table")

    def __init__(
        self,
        *,
        sql_conn_id: str,
        table: str,
        ledger_table: str = "sfjwt_ledger",
        lock_timeout: float = 600,
        nul_characters: str = "fail",
        allow_empty: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql_conn_id = sql_conn_id
        self.table = table
        self.ledger_table = ledger_table
        self.lock_timeout = lock_timeout
        self.nul_characters = nul_characters
        self.allow_empty = allow_empty

    def execute(self, context: Context) -> dict[str, Any]:
        """Merge the extract.

        :param context: Airflow's.
        :return: ``table``, ``data_sets``, ``already_applied``, ``columns_added``, and the counts of rows ``staged``,
            ``inserted``, ``updated``, ``unchanged`` and ``deleted``.
        """
        from airflow_provider_sfjwt.files.storage.receipts import Writer
        from airflow_provider_sfjwt.tables.merging import run_merge
        from airflow_provider_sfjwt.tables.spec import MergeSpec

        with airflow_outcome(self), reporting(self, context, "merge") as draft:
            draft.merge = run_merge(MergeSpec.of(self), Writer.of(context))
            return draft.merge.summary()

    def _target(self) -> DataSet:
        from airflow_provider_sfjwt.tasks.lineage.tables import table_data_set

        return table_data_set(self.sql_conn_id, self.table)


class SqlToFilesOperator(LineageOperator, BaseOperator):
    """Writes the rows of a query as a data set: typed Parquet parts, and a receipt that proves them complete.

    What it returns is a ``source`` of :class:`SalesforceLoadOperator`. A retry of that load reads the same rows, also
    where the database has other ones by then. A run that is repeated replaces the data set as a whole.

    :param sql: one statement that returns rows and changes nothing, or the path of a ``.sql`` file (templated).
    :param sql_conn_id: an Airflow connection to a database (templated).
    :param output_path: the run's own folder on any ``ObjectStoragePath`` (templated).
    :param parameters: the values of the query's placeholders, as the database's driver takes them: a list, or a dict by
        names (templated).
    """

    template_fields: Sequence[str] = ("sql", "sql_conn_id", "output_path", "parameters")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "parameters": "json"}
    ui_color = "#d8edff"
    operator_extra_links = (SalesforceReportLink(),)

    def __init__(
        self,
        *,
        sql: str,
        sql_conn_id: str,
        output_path: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.output_path = output_path
        self.parameters = parameters

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the rows.

        :param context: Airflow's.
        :return: ``receipt`` (its path), ``output_path``, ``records``, and ``job_id`` and ``window``, which are None.
        """
        from airflow_provider_sfjwt.files.storage.receipts import Writer
        from airflow_provider_sfjwt.tables.queries.freezing import freeze
        from airflow_provider_sfjwt.tables.queries.spec import QueryToFilesSpec

        with airflow_outcome(self), reporting(self, context, "freeze") as draft:
            spec = QueryToFilesSpec.of(self)
            spec.check()
            draft.receipt = freeze(spec, spec.output_path, Writer.of(context))
            return draft.receipt.summary()

    def lineage(self) -> Lineage:
        """The tables of the query go into the folder."""
        from airflow_provider_sfjwt.tasks.lineage.tables import query_lineage

        return query_lineage(self)


class SqlToSalesforceOperator(SalesforceLoadOperator):
    """Loads the rows of a query into an object, each once, and reports the outcome of each to a table.

    The rows are frozen before any is sent, so that a retry reads the same ones. Then it is a
    :class:`SalesforceLoadOperator`: its other arguments, its checks, its ledger and what it returns.

    :param sql: one statement that returns rows and changes nothing, or the path of a ``.sql`` file (templated).
    :param sql_conn_id: an Airflow connection to a database (templated).
    :param parameters: the values of the query's placeholders, as the database's driver takes them: a list, or a dict by
        names (templated).
    :param staging_path: the folder for the frozen rows, on any ``ObjectStoragePath`` that all workers reach; None for
        one on the worker, where a task always runs on the same one (templated).
    :param keep_staged: whether the rows stay there when all are loaded.
    :param results_table: a table in the same database for every row's outcome, error and record id; created where there
        is none (templated).
    :param row_key: the column of the query, or a list of columns, that tells its rows apart in ``results_table``.
    :param kwargs: the arguments of :class:`SalesforceLoadOperator`, such as ``sobject`` and ``operation``, except
        ``source`` and others about files.
    """

    template_fields: Sequence[str] = (
        "sql", "sql_conn_id", "parameters", "staging_path", "results_table",
        *(name for name in SalesforceLoadOperator.template_fields if name != "source"),
    )  # fmt: skip
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "parameters": "json"}

    def __init__(
        self,
        *,
        sql: str,
        sql_conn_id: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        staging_path: str | None = None,
        keep_staged: bool = False,
        results_table: str | None = None,
        row_key: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(source=(), **kwargs)
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.parameters = parameters
        self.staging_path = staging_path
        self.keep_staged = keep_staged
        self.results_table = results_table
        self.row_key = row_key
        self._sql_load: SqlLoad | None = None

    def lineage(self) -> Lineage:
        """The tables of the query go into the object. The frozen rows between them are the task's own."""
        from airflow_provider_sfjwt.tasks.lineage.tables import with_query

        return with_query(self, replace(super().lineage(), sources=()))

    def spec(self) -> LoadSpec:
        """What the load of the frozen rows asks for."""
        own = self._sql_load
        return super().spec() if own is None else replace(super().spec(), results_path=own.results_path)

    def _load(
        self,
        context: Context,
        event: Mapping[str, Any] | None,
        draft: Draft,
        on_report: Callable[[], None] | None = None,
    ) -> dict[str, Any]:
        from airflow_provider_sfjwt.tasks.sql_load import opened_sql_load

        load = self._sql_load = opened_sql_load(self, self.spec(), context, event)
        if (loaded := load.ended()) is None:
            self.source = load.freeze()
            loaded = load.concluded()
        if loaded is not None:
            draft.rows, draft.counts = loaded["records"], loaded["counts"]
            return loaded
        with load.settling():
            loaded = super()._load(context, event, draft, load.conclude)
        load.clear()
        return load.summary(loaded)
