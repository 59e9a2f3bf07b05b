"""Merging data sets into a table: one transaction, in which a ledger makes every data set count once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt import compat
from airflow_provider_sfjwt.exceptions import ConfigurationError, counted
from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet, data_sets_of
from airflow_provider_sfjwt.files.storage.receipts import Writer
from airflow_provider_sfjwt.tables.backends import opened
from airflow_provider_sfjwt.tables.columns import (
    MergeColumn,
    MergeColumns,
    deletion_columns,
    merge_columns,
    of_formulas,
)
from airflow_provider_sfjwt.tables.database import Database
from airflow_provider_sfjwt.tables.ledger import Ledger
from airflow_provider_sfjwt.tables.report import MergeReport
from airflow_provider_sfjwt.tables.schema import TableSchema
from airflow_provider_sfjwt.tables.spec import MergeSpec, table_parts
from airflow_provider_sfjwt.tables.statements import MergeStatements

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger(__name__)


def merge(receipt: Any, *, sql_conn_id: str, table: str, **arguments: Any) -> MergeReport:
    """Merge an extract into a table, exactly once. What ``SalesforceToSqlOperator`` does, for a ``@task``.

    :param receipt: what an extract returned, its folder or the path of its receipt, or several of these.
    :param sql_conn_id: an Airflow connection of the type ``postgres``, ``duckdb`` or ``sqlite``.
    :param table: its name, with its schema where it has one.
    :param arguments: the other arguments of ``SalesforceToSqlOperator``, with the same defaults.
    :return: what became of the rows.
    :raises ConfigurationError: naming what cannot work; nothing in the table was changed.
    :raises SalesforceError: retryable where a later attempt may succeed; nothing in the table was changed.
    """
    spec = MergeSpec(source=receipt, sql_conn_id=sql_conn_id, table=table, **arguments)
    context = compat.current_context()
    return run_merge(spec, Writer.of(context) if context else None)


def run_merge(spec: MergeSpec, written_by: Writer | None) -> MergeReport:
    """Merge what a spec names.

    :param spec: what is asked for.
    :param written_by: the task instance, or None outside a task.
    """
    from airflow_provider_sfjwt.files.values.arrow_arrays import require_arrow

    spec.check()
    require_arrow()
    data_sets = data_sets_of(spec.source)
    with opened(spec.sql_conn_id, spec.lock_timeout) as database, database.named(f"merging into {spec.table}"):
        database.begin(spec.lock_timeout)
        report = _Merge(database, spec, written_by).run(data_sets)
        database.commit()
    _log.info("%s", report)
    return report


class _Merge:
    """A merge in its transaction.

    :param database: in which the transaction has begun.
    :param spec: what is asked for.
    :param written_by: the task instance, for the ledger.
    """

    def __init__(self, database: Database, spec: MergeSpec, written_by: Writer | None) -> None:
        self._database = database
        self._spec = spec
        self._written_by = written_by
        self._target = database.resolve(table_parts(spec.table))
        names = table_parts(spec.ledger_table)
        beside = names if len(names) > 1 else (*self._target.parts[:-1], *names)
        self._ledger = Ledger(database, database.resolve(beside), self._target)

    def run(self, data_sets: Sequence[PublishedDataSet]) -> MergeReport:
        """Merge data sets one after the other.

        :param data_sets: the older ones first.
        """
        self._database.lock(self._target)
        self._ledger.create()
        report = MergeReport(self._target.name, data_sets=len(data_sets))
        left = self._not_applied(data_sets)
        if left and self._spec.mode == "replace":
            report = report.plus(self._emptied(left))
        for data_set in left:
            # Each is compared with those before it, too, which the ledger has by then.
            self._ledger.check_origin(data_set)
            self._ledger.check_chain(data_set)
            self._check_whole(data_set)
            self._check_formulas(data_set, is_first=data_set is left[0])
            if not self._spec.allow_older and self._spec.mode != "append":
                self._ledger.check_order(data_set)
            report = report.plus(self._merged(data_set))
        return replace(report, already_applied=len(data_sets) - len(left))

    def _check_whole(self, data_set: PublishedDataSet) -> None:
        """Refuse to keep rows that are gone: nothing but the whole table says so, where a chain has no windows."""
        receipt = data_set.receipt
        if receipt.sequence is not None and receipt.kind == "full" and self._spec.mode == "merge":
            fault = (
                f"'merge' would keep rows that {receipt.sobject} no longer has: the sync extracts it whole each time, "
                "and no data set says what is gone. Take mode='replace' with the last receipt"
            )
            raise ConfigurationError({"mode": fault}, subject="the task")

    def _check_formulas(self, data_set: PublishedDataSet, *, is_first: bool) -> None:
        """Refuse to insert rows that have formula fields alone."""
        into_nothing = self._spec.mode == "append" or (self._spec.mode == "replace" and is_first)
        if data_set.receipt.only_formulas and into_nothing:
            fault = (
                f"'{self._spec.mode}' would insert rows of {data_set.path}, which have Id and formula fields alone and "
                "change rows that are there. Take mode='merge', with the receipts of read_sync() in their order"
            )
            raise ConfigurationError({"mode": fault}, subject="the task")

    def _not_applied(self, data_sets: Sequence[PublishedDataSet]) -> list[PublishedDataSet]:
        left = [each for each in data_sets if not self._ledger.applied(each.receipt_sha256)]
        if self._spec.mode == "replace":
            # Another data set may have replaced this one since then: only the last one is in the table.
            last = self._ledger.newest() in {each.receipt_sha256 for each in data_sets}
            return [] if last and not left else list(data_sets)
        return left

    def _emptied(self, data_sets: Sequence[PublishedDataSet]) -> MergeReport:
        """Delete all rows, which keeps the table's grants, views and indexes, and lets readers read on."""
        if not self._spec.allow_empty and not any(each.receipt.records for each in data_sets):
            fault = f"has no rows, and would leave {self._target.name} empty; allow_empty=True does so"
            raise ConfigurationError({"source": fault}, subject="the task")
        if self._database.columns_of(self._target) is None:
            return MergeReport(self._target.name)
        return MergeReport(self._target.name, deleted=self._database.write(f"DELETE FROM {self._target.sql}"))

    def _merged(self, data_set: PublishedDataSet) -> MergeReport:
        receipt = data_set.receipt
        spec = of_formulas(self._spec, receipt.columns) if receipt.only_formulas else self._spec
        columns = merge_columns(spec, receipt.columns, self._database.folds_case)
        schema = TableSchema(self._database, self._target, spec, columns)
        statements = MergeStatements(self._database, self._target, columns)
        added = schema.prepare()
        gone = self._without_deleted(data_set, columns)
        schema.create_stage()
        self._stage(data_set, columns)
        if self._spec.mode != "append" and columns.key:
            self._check_keys(statements, columns)
        schema.fit(statements)
        report = self._updated(statements) if receipt.only_formulas else self._written(statements, columns)
        report = replace(report, deleted=report.deleted + gone, columns_added=tuple(added))
        self._database.run(f"DROP TABLE {self._database.stage_sql}")
        counts: dict[str, Any] = {name: getattr(report, name) for name in ("inserted", "updated", "deleted")}
        counts["columns_added"] = ", ".join(added)
        self._ledger.write(data_set, self._spec.mode, counts, self._written_by)
        return report

    def _without_deleted(self, data_set: PublishedDataSet, columns: MergeColumns) -> int:
        """Delete, or mark, the table's rows that the data set lists as deleted, before its own rows come."""
        if self._spec.mode != "merge" or self._spec.deleted == "ignore" or not data_set.receipt.deleted_parts:
            return 0
        listed = deletion_columns(columns)
        TableSchema(self._database, self._target, self._spec, listed).create_stage()
        self._database.stage(listed.staged, map(_as_deleted_rows, data_set.deletions()))
        statements = MergeStatements(self._database, self._target, listed)
        marked = self._spec.deleted == "mark"
        count = self._database.write(statements.mark_deleted() if marked else statements.delete())
        self._database.run(f"DROP TABLE {self._database.stage_sql}")
        return 0 if marked else count

    def _stage(self, data_set: PublishedDataSet, columns: MergeColumns) -> None:
        tables = data_set.tables([column.source for column in columns.staged])
        if not self._database.stores_nul:
            tables = _without_nul(tables, columns, self._spec.nul_characters, self._database.label)
        self._database.stage(columns.staged, tables)
        ((staged,),) = self._database.run(f"SELECT count(*) FROM {self._database.stage_sql}")
        if staged != data_set.receipt.records:
            fault = (
                f"{data_set.path}: {counted(staged, 'row')} staged, and the receipt says {data_set.receipt.records:,}"
            )
            raise ConfigurationError({"source": fault}, subject="the task")

    def _check_keys(self, statements: MergeStatements, columns: MergeColumns) -> None:
        names = ", ".join(column.source for column in columns.key)
        ((missing,),) = self._database.run(statements.missing_keys())
        if missing:
            raise ConfigurationError(
                {"key": f"{names} is empty in {counted(missing, 'row')} of the extract"}, subject="the task"
            )
        repeated = self._database.run(statements.repeated_keys())
        if repeated:
            shown = ", ".join(" ".join(map(str, row[:-1])) + f" ({row[-1]} times)" for row in repeated)
            fault = f"{names} does not tell the rows of the extract apart: {shown}"
            raise ConfigurationError({"key": fault}, subject="the task")

    def _written(self, statements: MergeStatements, columns: MergeColumns) -> MergeReport:
        report = MergeReport(self._target.name, staged=self._count(statements.count_staged()))
        if self._spec.mode == "append":
            self._database.run(statements.insert(leave_out_deleted=False))
            return replace(report, inserted=report.staged)
        leave_out = self._spec.deleted != "mark"
        rows = self._count(statements.count_staged(leave_out_deleted=leave_out))
        if self._spec.mode == "replace" and not columns.key:
            self._database.run(statements.insert(leave_out_deleted=leave_out))
            return replace(report, inserted=rows)
        deleted = 0
        if self._spec.mode == "merge" and self._spec.deleted == "delete" and columns.deleted is not None:
            deleted = self._database.write(statements.delete())
        inserted, updated = self._database.upsert(
            self._target,
            statements.upsert(leave_out_deleted=leave_out),
            statements.counts_before(leave_out_deleted=leave_out),
        )
        unchanged = rows - inserted - updated
        return replace(report, inserted=inserted, updated=updated, unchanged=unchanged, deleted=deleted)

    def _updated(self, statements: MergeStatements) -> MergeReport:
        """Change the staged columns of rows that are there. A row that is not there is left out."""
        staged, update = self._count(statements.count_staged()), statements.update()
        updated = self._database.write(update) if update else 0
        return MergeReport(self._target.name, staged=staged, updated=updated, unchanged=staged - updated)

    def _count(self, sql: str) -> int:
        ((count,),) = self._database.run(sql)
        return int(count)


def _as_deleted_rows(deletions: pa.Table) -> pa.Table:
    """Deleted records as rows with ``IsDeleted`` true, which last changed when they were deleted."""
    import pyarrow as pa

    return deletions.append_column("IsDeleted", pa.array([True] * deletions.num_rows, pa.bool_()))


def _without_nul(
    tables: Iterator[pa.Table], columns: MergeColumns, nul_characters: str, label: str
) -> Iterator[pa.Table]:
    """Find U+0000 in text, which the database cannot store."""
    import pyarrow.compute as pc

    from airflow_provider_sfjwt.tables.values import may_hold

    texts = [(place, column) for place, column in enumerate(columns.staged) if column.kind == "text"]
    for table in tables:
        for place, column in texts:
            values = table.column(place)
            if not may_hold(values, b"\0"):
                continue
            found = pc.match_substring(values, "\0")
            if nul_characters == "fail":
                raise _nul_error(table, columns, column, found, label)
            table = table.set_column(place, table.field(place).name, pc.replace_substring(values, "\0", ""))
        yield table


def _nul_error(
    table: pa.Table, columns: MergeColumns, column: MergeColumn, found: pa.ChunkedArray, label: str
) -> ConfigurationError:
    row = table.filter(found).slice(0, 1)
    key = " ".join(str(row.column(columns.staged.index(each))[0].as_py()) for each in columns.key)
    fault = (
        f"column {column.source} of {key or 'a row'} holds the character U+0000, which {label} cannot store; "
        "nul_characters='remove' leaves it out"
    )
    return ConfigurationError({"nul_characters": fault}, subject="the task")
