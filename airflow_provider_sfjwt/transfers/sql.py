"""Between Salesforce and SQL databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.tasks.errors import airflow_outcome
from airflow_provider_sfjwt.transfers.merging import MergeOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["SalesforceToSqlOperator"]


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

        with airflow_outcome(self):
            return run_merge(MergeSpec.of(self), Writer.of(context)).summary()
