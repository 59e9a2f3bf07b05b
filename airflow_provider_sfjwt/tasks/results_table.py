"""What became of each row of a query, as a table in the database that the rows came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder, made_up_stem
from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet
from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.files.storage.errors import storage_errors
from airflow_provider_sfjwt.files.storage.paths import storage_path
from airflow_provider_sfjwt.files.values.arrow_arrays import scalar
from airflow_provider_sfjwt.files.values.from_text import arrow_type_of
from airflow_provider_sfjwt.tables.backends import BACKENDS
from airflow_provider_sfjwt.tables.merging import run_merge
from airflow_provider_sfjwt.tables.spec import MergeSpec
from airflow_provider_sfjwt.tasks.row_keys import RowKeys

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_sfjwt.files.storage.receipts import OutputFile, Writer
    from airflow_provider_sfjwt.load.report import LoadReport

#: The columns beside the key.
OUTCOME = ("outcome", "error", "salesforce_id")
#: The kinds of keys: a table tells values of these apart exactly, in every database.
_KEY_TYPES = ("string", "int64", "decimal128", "date32", "bool")
#: Of a results file, by its kind: the places of the columns for the error, or for the record's id.
_ERRORS = {"failed": (3, 4), "skipped": (3, 4)}
_IDS = {"succeeded": 3}
_ROWS_PER_PART = 500_000
_ROWS_AT_ONCE = 20_000
#: Bytes that are parsed at once. A record of Bulk API 2.0 has less than 10 MB.
_SMALL_BLOCK, _LARGE_BLOCK = 2**17, 32 * 2**20


class ResultsTable:
    """The table for the outcomes of one load.

    :param name: of the table.
    :param sql_conn_id: the connection to its database.
    :param row_key: the columns of the query that tell its rows apart.
    :param rows: what the query returned.
    """

    def __init__(self, name: str, sql_conn_id: str, row_key: Sequence[str], rows: PublishedDataSet) -> None:
        self._name = name
        self._sql_conn_id = sql_conn_id
        types = {column["name"].lower(): column for column in rows.receipt.columns}
        self._columns = [types.get(each.lower(), {"name": each}) for each in row_key]
        self._keys = RowKeys(rows, [column["name"] for column in self._columns])
        self._known = [column["name"] for column in rows.receipt.columns]

    def check(self) -> None:
        """See that the rows can be told apart, before any is sent.

        :raises ConfigurationError: naming what is wrong with ``row_key``.
        """
        for column in self._columns:
            fault = None
            if "arrow_type" not in column:
                fault = f"the query has no column {column['name']}; it has {', '.join(self._known)}"
            elif not column["arrow_type"].startswith(_KEY_TYPES):
                fault = f"column {column['name']} is {column['sql_type']}; CAST it to text in the SQL"
            elif column["name"].lower() in OUTCOME:
                fault = f"results_table has a column {column['name']} of its own; give the key another name with AS"
            if fault:
                raise ConfigurationError({"row_key": fault}, subject="the task")
        self._keys.check()

    def write(self, report: LoadReport, folder: str, written_by: Writer | None) -> None:
        """Write the outcomes of a load, in one transaction: newer outcomes replace older ones of the same key.

        :param report: of the load, whose results folder has every row.
        :param folder: for the data set of the outcomes.
        :param written_by: the task instance.
        :raises ConfigurationError: when the table is there and cannot take them.
        :raises SalesforceError: retryable, when the database or the storage fails.
        """
        self._publish(report, folder, written_by)
        spec = MergeSpec(
            source=folder,
            sql_conn_id=self._sql_conn_id,
            table=self._name,
            key=[column["name"] for column in self._columns],
            nul_characters="remove",
        )
        run_merge(spec, written_by)

    def _publish(self, report: LoadReport, path: str, written_by: Writer | None) -> None:
        import pyarrow as pa

        from airflow_provider_sfjwt.files.data_sets.typed_parts import PARQUET, write_parts

        columns = [
            *({name: column[name] for name in ("name", "salesforce_type", "arrow_type")} for column in self._columns),
            *({"name": name, "salesforce_type": "string", "arrow_type": "string"} for name in OUTCOME),
        ]
        schema = pa.schema([pa.field(column["name"], arrow_type_of(column["arrow_type"])) for column in columns])
        folder = DataSetFolder(path, "staging_path")
        folder.prepare(PARQUET, written_by)
        with storage_errors(path, "staging_path"):
            parts = write_parts(folder, made_up_stem("outcome"), self._outcomes(report, schema), schema, _ROWS_PER_PART)
            receipt = Receipt.of_sql_rows(parts, columns, report.seconds, written_by, sobject=report.sobject)
            folder.publish(receipt)
            folder.clear_replaced()

    def _outcomes(self, report: LoadReport, schema: pa.Schema) -> Iterator[pa.Table]:
        """The outcome of every row, a results file at a time; files of one kind are in the order of their rows."""
        import pyarrow as pa

        for part in sorted(report.parts, key=lambda part: part.name):
            # Otherwise the memory of this file comes on top of what Arrow keeps for reuse.
            pa.default_memory_pool().release_unused()
            kind = part.name.partition("-")[0]
            if part.records and kind in (*_IDS, *_ERRORS, "unprocessed"):
                yield from (table.cast(schema) for table in self._outcomes_of(part, kind, report.results_path))

    def _outcomes_of(self, part: OutputFile, kind: str, results_path: str) -> Iterator[pa.Table]:
        import pyarrow.compute as pc

        found = _cells(results_path, part, [0, *_ERRORS.get(kind, ()), *([_IDS[kind]] if kind in _IDS else [])])
        order = pc.sort_indices(found.column(0).cast("int64"))
        for start in range(0, len(order), _ROWS_AT_ONCE):
            yield self._outcomes_of_some(found.take(order.slice(start, _ROWS_AT_ONCE)), kind)

    def _outcomes_of_some(self, found: pa.Table, kind: str) -> pa.Table:
        """The outcomes of rows that are in their order."""
        import pyarrow as pa
        import pyarrow.compute as pc

        keys = self._keys.at(pc.subtract(found.column(0).cast("int64"), scalar(1)).to_pylist())
        nothing = pa.nulls(found.num_rows, pa.string())
        error = pc.binary_join_element_wise(found.column(1), found.column(2), ": ") if kind in _ERRORS else nothing
        record = found.column(1) if kind in _IDS else nothing
        outcome = nothing.fill_null(scalar(kind))
        return pa.Table.from_arrays([*keys.columns, outcome, error, record], names=[*keys.column_names, *OUTCOME])


def check_results_connection(conn_type: str, sql_conn_id: str) -> None:
    """Refuse a database that no table can be merged into, before the query runs.

    :param conn_type: of the connection.
    :param sql_conn_id: its id.
    :raises ConfigurationError: naming it.
    """
    if conn_type not in BACKENDS:
        fault = f"connection '{sql_conn_id}' is of the type '{conn_type}'; a table is written in {', '.join(BACKENDS)}"
        raise ConfigurationError({"results_table": f"{fault}. Take results_path instead"}, subject="the task")


def _cells(results_path: str, part: OutputFile, places: Sequence[int]) -> pa.Table:
    """Some columns of a results file, by their places: a field may have the name of one of them."""
    import pyarrow as pa
    import pyarrow.csv as pv

    names = [f"f{place}" for place in places]
    path = storage_path(results_path) / part.name
    # A row has to fit into a block. Almost every one fits into a small block, which takes less memory.
    for block_size in (_SMALL_BLOCK, _LARGE_BLOCK):
        try:
            with path.fs.open(path.path, "rb") as file:
                return pv.open_csv(
                    file,
                    read_options=pv.ReadOptions(
                        autogenerate_column_names=True, skip_rows=1, block_size=block_size, use_threads=False
                    ),
                    parse_options=pv.ParseOptions(newlines_in_values=True),
                    convert_options=pv.ConvertOptions(
                        column_types=dict.fromkeys(names, pa.string()), include_columns=names, strings_can_be_null=False
                    ),
                ).read_all()
        except pa.ArrowInvalid:
            if block_size == _LARGE_BLOCK:
                raise
    raise ValueError("no size was tried")
