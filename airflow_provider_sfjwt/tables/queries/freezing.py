"""Freezing a query: its rows become a data set, whose receipt is written last."""

from __future__ import annotations

import logging
import time
from contextlib import suppress

from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder, made_up_stem
from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.files.storage.errors import storage_errors, storage_failures
from airflow_provider_sfjwt.files.storage.receipts import Writer
from airflow_provider_sfjwt.files.values.arrow_arrays import require_arrow
from airflow_provider_sfjwt.tables.queries.opened_query import opened_query
from airflow_provider_sfjwt.tables.queries.spec import QuerySpec

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
        receipt = Receipt.of_sql_rows(
            parts,
            [column.entry() for column in columns],
            time.monotonic() - started,
            written_by,
            sql={"query": spec.sql, "conn_id": spec.sql_conn_id, "sha256": spec.sha256},
            folder=folder.path,
            replaced=folder.previous_receipt,
        )
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
