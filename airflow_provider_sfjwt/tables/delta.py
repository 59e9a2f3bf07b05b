"""Extracts into Delta tables: each receipt is a transaction id of the commit that holds its rows.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md#transaction-identifiers
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import argument
from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet, data_sets_of
from airflow_provider_sfjwt.salesforce.wire.json_text import decode_json
from airflow_provider_sfjwt.tables.columns import MergeColumns, deletion_columns, merge_columns, of_formulas
from airflow_provider_sfjwt.tables.report import MergeReport
from airflow_provider_sfjwt.tables.spec import RowsSpec

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from deltalake.table import TableMerger

_log = logging.getLogger(__name__)
#: The transaction id whose version is the end of the newest window, in milliseconds since the epoch.
_NEWEST = "sfjwt:newest-window"


@dataclass(frozen=True, kw_only=True)
class DeltaSpec(RowsSpec):
    """What ``SalesforceToDeltaOperator`` is asked to do.

    :param table_uri: the table's folder, e.g. ``s3://conn_id@bucket/tables/accounts`` or ``file:///lake/accounts``.
    :param mode: ``merge`` by key, or ``append`` every row.
    """

    table_uri: str = argument(arguments.folder)
    mode: str = argument(arguments.one_of("merge", "append"), default="merge")


def merge_into_delta(spec: DeltaSpec, uri: str, storage_options: Mapping[str, str]) -> MergeReport:
    """Merge extracts into a Delta table, each exactly once.

    Memory grows with the table: Delta rewrites the files that hold a changed row.

    :param spec: what is asked for.
    :param uri: of the table, as the ``deltalake`` package takes it.
    :param storage_options: of the table's object store.
    :return: what became of the rows.
    :raises ConfigurationError: naming what cannot work; the table was not changed.
    :raises SalesforceError: retryable, when another writer was faster.
    """
    data_sets = data_sets_of(spec.source)
    report = MergeReport(spec.table_uri, data_sets=len(data_sets))
    for data_set in data_sets:
        report = report.plus(_DeltaMerge(spec, uri, dict(storage_options), data_set).run())
    _log.info("%s", report)
    return report


def _version_of_window(data_set: PublishedDataSet) -> int | None:
    """The end of a data set's window as a version, in milliseconds since the epoch."""
    return round(data_set.window_end.timestamp() * 1000) if data_set.window_end else None


class _DeltaMerge:
    """One data set into the table, as one commit.

    :param spec: what is asked for.
    :param uri: of the table.
    :param storage_options: of its object store.
    :param data_set: to be merged.
    """

    def __init__(self, spec: DeltaSpec, uri: str, storage_options: dict[str, str], data_set: PublishedDataSet) -> None:
        self._spec = spec
        self._uri = uri
        self._options = storage_options
        self._data_set = data_set
        self._only_formulas = data_set.receipt.only_formulas
        if self._only_formulas and spec.mode == "append":
            fault = "'append' would insert rows that have Id and formula fields alone: take mode='merge'"
            raise _refused("mode", f"{fault}. They are in {data_set.path}")
        asked = of_formulas(spec, data_set.receipt.columns) if self._only_formulas else spec
        self._columns = merge_columns(asked, data_set.receipt.columns, folds_case=True)
        self._transaction = f"sfjwt:{data_set.receipt_sha256}"

    def run(self) -> MergeReport:
        """Merge it, unless a commit of the table holds it already."""
        from deltalake.exceptions import CommitFailedError, DeltaError, SchemaMismatchError

        table = self._table()
        report = MergeReport(self._spec.table_uri)
        if table.transaction_version(self._transaction) is not None:
            return replace(report, already_applied=1)
        self._check_origin(table)
        self._check_chain(table)
        self._check_deletions()
        self._check_order(table)
        self._check_keys()
        added = self._added(table)
        try:
            counts = self._append(table) if self._spec.mode == "append" else self._merge(table)
        except CommitFailedError as error:
            message = f"another writer changed {self._spec.table_uri} meanwhile: {error}. Nothing was committed."
            raise SalesforceError(message, retryable=True) from error
        except SchemaMismatchError as error:
            raise _refused("table_uri", f"{self._spec.table_uri} cannot take the extract's columns: {error}") from error
        except DeltaError as error:
            raise SalesforceError(f"writing to {self._spec.table_uri} failed: {error}", retryable=True) from error
        return replace(counts, staged=self._data_set.receipt.records, columns_added=tuple(added))

    def _table(self) -> DeltaTable:
        from deltalake import DeltaTable, Schema
        from deltalake.exceptions import DeltaError, TableNotFoundError

        try:
            return DeltaTable(self._uri, storage_options=self._options)
        except TableNotFoundError:
            return DeltaTable.create(
                self._uri,
                Schema.from_arrow(self._schema()),
                mode="ignore",
                description=json.dumps(self._origin()),
                storage_options=self._options,
            )
        except (DeltaError, OSError) as error:
            message = f"{self._spec.table_uri} (table_uri) cannot be opened: {error}"
            raise SalesforceError(message, retryable=True) from error

    def _origin(self) -> dict[str, str | None]:
        """Where the rows come from, which the table's description keeps."""
        return {"sobject": self._data_set.receipt.sobject, "org_id": self._data_set.org_id}

    def _check_origin(self, table: DeltaTable) -> None:
        try:
            found = decode_json(table.metadata().description or "{}")
        except ValueError:  # a table that somebody else made and described
            return
        for name, value in self._origin().items():
            other = found.get(name) if isinstance(found, dict) else None
            if value and other and other != value:
                fault = (
                    f"{self._spec.table_uri} holds rows of {name} {other}, and {self._data_set.path} rows of {value}"
                )
                raise _refused("table_uri", f"{fault}. Give each a table of its own")

    def _check_chain(self, table: DeltaTable) -> None:
        previous = self._data_set.receipt.previous if self._data_set.receipt.kind != "full" else None
        if previous is not None and table.transaction_version(f"sfjwt:{previous['sha256']}") is None:
            raise _refused(
                "source",
                f"{self._data_set.path} is number {self._data_set.receipt.sequence} of its chain, and "
                f"{self._spec.table_uri} lacks the one before it, {previous['receipt']}. Merge the receipts of "
                "read_sync() in their order",
            )

    @property
    def _lists_deleted(self) -> bool:
        """Whether records have to leave the table that are not among the rows."""
        wanted = self._spec.mode == "merge" and self._spec.deleted != "ignore"
        return wanted and bool(self._data_set.receipt.deleted_parts)

    def _check_deletions(self) -> None:
        if not self._lists_deleted:
            return
        deletion_columns(self._columns)
        if self._columns.deleted is None or self._spec.deleted == "mark":
            fault = "must be 'delete' or 'ignore', and IsDeleted a column, for an extract that lists deleted records"
            raise _refused("deleted", fault)

    def _check_order(self, table: DeltaTable) -> None:
        newest, end = table.transaction_version(_NEWEST), _version_of_window(self._data_set)
        if newest is not None and end is not None and end < newest and not self._spec.allow_older:
            raise _refused(
                "source",
                f"{self._data_set.path} ends before the newest window that was merged into {self._spec.table_uri}. "
                "Rows that were deleted since then would come back; allow_older=True merges it all the same",
            )

    def _check_keys(self) -> None:
        """Delta itself inserts a key twice where the table does not have it."""
        if self._spec.mode == "append":
            return
        import pyarrow as pa

        pieces = list(self._data_set.tables([column.source for column in self._columns.key]))
        if not pieces:
            return
        keys = pa.concat_tables(pieces)
        names = ", ".join(keys.column_names)
        counted = keys.group_by(keys.column_names).aggregate([([], "count_all")])
        repeated = counted.filter(pa.compute.field("count_all") > 1)
        if repeated.num_rows:
            shown = repeated.slice(0, 5).to_pylist()
            raise _refused("key", f"{names} does not tell the rows of the extract apart: {shown}")
        if any(column.null_count for column in keys.columns):
            raise _refused("key", f"some rows of the extract have no {names}")

    def _added(self, table: DeltaTable) -> list[str]:
        known = {field.name.lower() for field in table.schema().fields}
        added = [str(column.name) for column in self._columns.table if str(column.name).lower() not in known]
        if added and self._spec.schema_evolution == "fail":
            fault = f"{self._spec.table_uri} lacks {', '.join(added)}, and schema_evolution is 'fail'"
            raise _refused("table_uri", fault)
        return added

    def _commit(self) -> Any:
        """The properties of the commit: a stale writer of the same receipt is refused by them."""
        from deltalake import CommitProperties, Transaction

        transactions = [Transaction(self._transaction, 1)]
        if (end := _version_of_window(self._data_set)) is not None:
            transactions.append(Transaction(_NEWEST, end))
        return CommitProperties(app_transactions=transactions)

    def _append(self, table: DeltaTable) -> MergeReport:
        self._write(table, self._reader())
        return MergeReport(self._spec.table_uri, inserted=self._data_set.receipt.records)

    def _write(self, table: DeltaTable, rows: pa.RecordBatchReader) -> None:
        from deltalake import write_deltalake

        mode: Literal["merge"] | None = "merge" if self._spec.schema_evolution == "add" else None
        write_deltalake(table, rows, mode="append", schema_mode=mode, commit_properties=self._commit())

    def _merge(self, table: DeltaTable) -> MergeReport:
        values = {_quoted(str(column.name)): f"s.{_quoted(str(column.name))}" for column in self._columns.table}
        merger = table.merge(
            self._reader(),
            predicate=" AND ".join(f"t.{name} = s.{name}" for name in self._names(self._columns.key)),
            source_alias="s",
            target_alias="t",
            merge_schema=self._spec.schema_evolution == "add",
            commit_properties=self._commit(),
        )
        metrics = self._changed(merger, values) if self._only_formulas else self._upserted(merger, values)
        if table.transaction_version(self._transaction) is None:
            # Delta commits no merge that changes nothing. The receipt counts all the same.
            self._write(table, self._schema().empty_table().to_reader())
        return MergeReport(
            self._spec.table_uri,
            inserted=metrics["num_target_rows_inserted"],
            updated=metrics["num_target_rows_updated"],
            deleted=metrics["num_target_rows_deleted"],
        )

    def _changed(self, merger: TableMerger, values: dict[str, str]) -> Any:
        """Change these columns of rows that are there, and differ."""
        keys = set(self._names(self._columns.key))
        differs = [f"t.{name} IS DISTINCT FROM {value}" for name, value in values.items() if name not in keys]
        return merger.when_matched_update(values, predicate=" OR ".join(differs) or "false").execute()

    def _upserted(self, merger: TableMerger, values: dict[str, str]) -> Any:
        """Insert, update and delete rows."""
        newer = self._newer()
        deleted = self._deleted_sql()
        kept = None
        if deleted is not None and self._spec.deleted != "mark":
            kept = f"({deleted}) IS NOT TRUE"
            if self._spec.deleted == "delete":
                merger = merger.when_matched_delete(f"{deleted} AND {newer}")
        merger = merger.when_matched_update(values, predicate=newer if kept is None else f"{kept} AND {newer}")
        return merger.when_not_matched_insert(values, predicate=kept).execute()

    def _newer(self) -> str:
        if self._columns.changed is None:
            return "true"
        (name,) = self._names((self._columns.changed,))
        return f"(t.{name} IS NULL OR s.{name} IS NULL OR t.{name} <= s.{name})"

    def _deleted_sql(self) -> str | None:
        deleted = self._columns.deleted
        return None if deleted is None else f"s.{_quoted(deleted.name or deleted.source)}"

    def _names(self, columns: tuple[Any, ...]) -> list[str]:
        return [_quoted(str(column.name)) for column in columns]

    def _schema(self, *, staged: bool = False) -> pa.Schema:
        """The columns as Delta keeps them: it has no time of day, and moments in microseconds."""
        import pyarrow as pa

        from airflow_provider_sfjwt.files.values.from_text import arrow_type_of

        columns = self._columns.staged if staged else self._columns.table
        others = {"time": pa.string(), "timestamp": pa.timestamp("us", tz="UTC")}
        return pa.schema(
            [
                pa.field(column.name or column.source, others.get(column.kind) or arrow_type_of(column.arrow_type))
                for column in columns
            ]
        )

    def _reader(self) -> pa.RecordBatchReader:
        import pyarrow as pa

        # What only decides about a row, such as IsDeleted that is left out of the table, comes along in a merge.
        schema = self._schema(staged=self._spec.mode == "merge" and self._deleted_alone())
        columns = _of_schema(self._columns, schema)
        tables = self._data_set.tables([column.source for column in columns])
        rows = chain((_as_schema(table, schema) for table in tables), self._deletions(schema))
        batches = (batch for table in rows for batch in table.to_batches())
        return pa.RecordBatchReader.from_batches(schema, batches)

    def _deletions(self, schema: pa.Schema) -> Iterator[pa.Table]:
        """The records that the data set lists as deleted, as rows with ``IsDeleted``, less those that came back."""
        import pyarrow as pa

        if not self._lists_deleted or self._columns.deleted is None:
            return
        listed = deletion_columns(self._columns)
        ids = pa.concat_tables(self._data_set.tables(["Id"]))["Id"] if self._data_set.receipt.records else None
        names = {column.source: column.name or column.source for column in (*listed.key, self._columns.deleted)}
        when = self._columns.changed.name if self._columns.changed is not None else None
        for table in self._data_set.deletions():
            alive = table if ids is None else table.filter(pa.compute.invert(pa.compute.is_in(table["Id"], ids)))
            nulls = pa.nulls(alive.num_rows)
            known = {
                names["Id"]: alive["Id"],
                names["IsDeleted"]: pa.array([True] * alive.num_rows),
                when: alive["DeletedDate"],
            }
            yield pa.table({name: known.get(name, nulls) for name in schema.names}).cast(schema)

    def _deleted_alone(self) -> bool:
        return any(column.name is None for column in self._columns.staged)


def _of_schema(columns: MergeColumns, schema: pa.Schema) -> list[Any]:
    names = set(schema.names)
    return [column for column in columns.staged if (column.name or column.source) in names]


def _as_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return table.rename_columns(schema.names).cast(schema)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _refused(argument_name: str, fault: str) -> ConfigurationError:
    return ConfigurationError({argument_name: fault}, subject="the task")
