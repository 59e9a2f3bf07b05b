"""Between Salesforce and SQL databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_sfjwt.tasks.errors import airflow_outcome

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["SalesforceToSqlOperator"]


class SalesforceToSqlOperator(BaseOperator):
    """Merges an extract into a table of PostgreSQL, DuckDB or SQLite, exactly once.

    Everything happens in one transaction: the rows are staged, counted against the receipt, each part hashed as it is
    read, then merged, and the ledger records the receipt. A task that fails or is killed leaves the table as it was; a
    retry after a lost commit finds the ledger's row and changes nothing.

    :param source: what an extract's task returned, its folder or the path of its receipt, or a list of these; the older
        ones are merged first (templated).
    :param sql_conn_id: an Airflow connection of the type ``postgres``, ``duckdb`` or ``sqlite`` (templated).
    :param table: its name, with its schema where it has one, taken as it is written; created where there is none
        (templated).
    :param mode: ``merge`` inserts and updates by key, ``append`` inserts every row, ``replace`` deletes all rows of the
        table first.
    :param key: the column of the extract, or a list of columns, that tells rows apart.
    :param deleted: what a row with ``IsDeleted`` true does in a merge: ``delete`` removes the table's row, ``mark``
        keeps it with ``IsDeleted`` true, ``ignore`` leaves the table's row as it is.
    :param schema_evolution: ``add`` adds columns that the table lacks and widens a column where that rewrites nothing;
        ``fail`` refuses instead.
    :param naming: ``keep`` Salesforce's names as they are, or ``snake`` for ``owner_name``.
    :param column_mapping: the table's column by the extract's column; None leaves a column out (templated).
    :param columns: only these columns of the extract; None for all (templated).
    :param ledger_table: the table that records what was merged; in the schema of ``table`` unless it names one
        (templated).
    :param lock_timeout: seconds to wait for another merge into the same table.
    :param nul_characters: PostgreSQL cannot store the character U+0000 in text: ``fail``, or ``remove`` it.
    :param allow_older: whether a window that ends before the newest merged one is merged all the same.
    :param allow_empty: whether ``replace`` may leave the table empty.
    """

    template_fields: Sequence[str] = ("source", "sql_conn_id", "table", "column_mapping", "columns", "ledger_table")
    ui_color = "#d8edff"

    def __init__(
        self,
        *,
        source: Any,
        sql_conn_id: str,
        table: str,
        mode: str = "merge",
        key: str | Sequence[str] = "Id",
        deleted: str = "delete",
        schema_evolution: str = "add",
        naming: str = "keep",
        column_mapping: Mapping[str, str | None] | None = None,
        columns: Sequence[str] | None = None,
        ledger_table: str = "sfjwt_ledger",
        lock_timeout: float = 600,
        nul_characters: str = "fail",
        allow_older: bool = False,
        allow_empty: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.sql_conn_id = sql_conn_id
        self.table = table
        self.mode = mode
        self.key = key
        self.deleted = deleted
        self.schema_evolution = schema_evolution
        self.naming = naming
        self.column_mapping = column_mapping
        self.columns = columns
        self.ledger_table = ledger_table
        self.lock_timeout = lock_timeout
        self.nul_characters = nul_characters
        self.allow_older = allow_older
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

        with airflow_outcome(self):
            return run_merge(MergeSpec.of(self), Writer.of(context)).summary()
