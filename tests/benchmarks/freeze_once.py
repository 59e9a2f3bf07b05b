"""The rows of a query into files, in a fresh process, as a task does it: prints JSON with times and memory."""

from __future__ import annotations

import argparse
import json
import tempfile
import time

import airflow.sdk  # noqa: F401

from airflow_provider_sfjwt.transfers.sql import SqlToFilesOperator  # noqa: F401
from tests.benchmarks.resources import cpu_seconds, peak_bytes

IMPORTED = peak_bytes()


def main() -> None:
    """Freeze once."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("sql")
    sql = parser.parse_args().sql
    from airflow_provider_sfjwt.tables.queries.freezing import freeze
    from airflow_provider_sfjwt.tables.queries.spec import QuerySpec

    started, computed = time.perf_counter(), cpu_seconds()
    with tempfile.TemporaryDirectory() as folder:
        receipt = freeze(QuerySpec(sql=sql, sql_conn_id="warehouse"), f"file://{folder}/rows", None)
        measured = {
            "seconds": time.perf_counter() - started,
            "cpu_seconds": cpu_seconds() - computed,
            "records": receipt.records,
            "above_bytes": peak_bytes() - IMPORTED,
        }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
