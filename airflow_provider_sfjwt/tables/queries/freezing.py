"""Freezing a query: its rows become a data set, whose receipt is written last."""

from __future__ import annotations

import logging
import time
from contextlib import suppress

from airflow_provider_sfjwt import __version__
from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder, made_up_stem
from airflow_provider_sfjwt.files.data_sets.receipt import Counts, Receipt, drift_between, schema_hash
from airflow_provider_sfjwt.files.storage.errors import storage_errors, storage_failures
from airflow_provider_sfjwt.files.storage.receipts import OutputFile, Writer
from airflow_provider_sfjwt.files.values.arrow_arrays import require_arrow
from airflow_provider_sfjwt.tables.queries.opened_query import opened_query
from airflow_provider_sfjwt.tables.queries.spec import QueryColumn, QuerySpec

_log = logging.getLogger(__name__)


def freeze(spec: QuerySpec, output_path: str, written_by: Writer | None, *, argument: str = "output_path") -> Receipt:
    """Write the rows of a query as a data set.

    :param spec: the query; it has been checked.
    :param output_path: the folder of the data set, on any ``ObjectStoragePath``. One that is there is replaced.
    :param written_by: the task instance; None outside a task.
    :param argument: of the task, the one that names the folder.
    :raises ConfigurationError: when the database refuses the query, or naming every column that cannot be kept as it
        is. Nothing was published then.
    :raises SalesforceError: retryable, when the database or the storage fails.
    """
    require_arrow()
    from airflow_provider_sfjwt.files.data_sets.typed_parts import PARQUET, write_parts
    from airflow_provider_sfjwt.tables.queries.exact_values import schema_of

    started = time.monotonic()
    folder = DataSetFolder(output_path, argument)
    folder.prepare(PARQUET, written_by)
    stem = made_up_stem("sql")
    try:
        with opened_query(spec) as query, storage_errors(folder.path, argument):
            parts = write_parts(folder, stem, query.tables(), schema_of(query.columns), spec.rows_per_part)
            columns = query.columns
        receipt = _receipt(spec, folder, columns, parts, written_by, time.monotonic() - started)
        with storage_errors(folder.path, argument):
            folder.publish(receipt)
    except BaseException:
        with suppress(*storage_failures()):  # the first error is the one to report
            folder.discard(stem)
        raise
    with suppress(*storage_failures()):
        folder.clear_replaced()
    _log.info(
        "The query on %s returned %s rows in %.1f s; they are in %s",
        spec.sql_conn_id,
        f"{receipt.records:,}" if receipt.records else "no",
        receipt.seconds,
        folder.path,
    )
    return receipt


def _receipt(
    spec: QuerySpec,
    folder: DataSetFolder,
    columns: tuple[QueryColumn, ...],
    parts: tuple[OutputFile, ...],
    written_by: Writer | None,
    seconds: float,
) -> Receipt:
    records = sum(part.records for part in parts)
    entries = tuple(column.entry() for column in columns)
    return Receipt(
        sobject=None,
        soql=None,
        window=None,
        job_id=None,
        api_version=None,
        records=records,
        counts=Counts(written=records, pages=records, job=None),
        parts=parts,
        columns=entries,
        drift=drift_between(folder.previous_receipt, entries),
        file_format="parquet",
        api_calls=0,
        seconds=round(seconds, 3),
        package_version=__version__,
        transport="sql",
        written_by=written_by,
        kind="full",
        schema_sha256=schema_hash(entries),
        sql={"query": spec.sql, "conn_id": spec.sql_conn_id, "sha256": spec.sha256},
        output_path=folder.path,
    )
