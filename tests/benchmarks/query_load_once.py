"""The rows of a query loaded in a fresh process, as a task does it: prints JSON with times, memory and what became of them."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import airflow.sdk  # noqa: F401

from airflow_provider_sfjwt.transfers.sql import SqlToSalesforceOperator
from tests.benchmarks.load_rows import NAMES, SOBJECT
from tests.benchmarks.resources import cpu_seconds, peak_bytes

#: Before anything else is imported: what a worker has in memory before the task begins.
IMPORTED = peak_bytes()
_CONTEXT: Any = {
    "ti": SimpleNamespace(dag_id="bench", run_id="run", task_id="load", map_index=-1, xcom_push=lambda **_: None)
}


def _by_operator(sql: str, folder: str, results: bool) -> dict[str, float]:
    """What a DAG's author writes."""
    operator = SqlToSalesforceOperator(
        task_id="load",
        sql=sql,
        sql_conn_id="warehouse",
        sobject=SOBJECT,
        operation="insert",
        column_mapping={"n": None},
        poll_interval=0.01,
        staging_path=f"file://{folder}",
        **({"results_table": "results", "row_key": "n"} if results else {}),
    )
    began = time.perf_counter()
    frozen: list[float] = []
    from airflow_provider_sfjwt.tasks import sql_load

    freeze = sql_load.SqlLoad.freeze

    def timed(load: Any) -> Any:
        found = freeze(load)
        frozen.append(time.perf_counter() - began)
        return found

    sql_load.SqlLoad.freeze = timed  # type: ignore[method-assign]
    returned = operator.execute(_CONTEXT)
    return {"frozen_seconds": frozen[0], "records": returned["records"]}


def _by_hand(sql: str, folder: str) -> dict[str, float]:
    """COPY into a CSV file by psycopg, then a load of it."""
    import psycopg
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

    began, path = time.perf_counter(), Path(folder, "rows.csv")
    connection: Any = PostgresHook("warehouse").get_conn()
    assert isinstance(connection, psycopg.Connection)
    copied = f"COPY ({sql}) TO STDOUT WITH (FORMAT csv, HEADER)"
    with connection, connection.cursor() as cursor, path.open("wb") as file, cursor.copy(copied) as copy:
        for row in copy:
            file.write(row)
    frozen = time.perf_counter() - began
    report = SalesforceJwtHook().load(
        sobject=SOBJECT,
        operation="insert",
        source=f"file://{path}",
        column_mapping={"n": None},
        timezone="UTC",
        poll_interval=0.01,
    )
    return {"frozen_seconds": frozen, "records": report.counts["succeeded"]}


def main() -> None:
    """Load once."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("table")
    parser.add_argument("--results", action="store_true", help="write every row's outcome into a table")
    parser.add_argument("--by-hand", action="store_true", help="COPY into a CSV file, then load that")
    arguments = parser.parse_args()
    names = ", ".join(f'"{name}"' for name in NAMES)
    with tempfile.TemporaryDirectory() as folder:
        started, computed = time.perf_counter(), cpu_seconds()
        if arguments.by_hand:
            # In the form that a load reads: booleans and moments are not so by themselves.
            shown = {"IsActive__c": '"IsActive__c"::text AS "IsActive__c"', "LastVisit__c": _MOMENT}
            written = ", ".join(shown.get(name, f'"{name}"') for name in NAMES)
            measured = _by_hand(f"SELECT n, {written} FROM {arguments.table}", folder)
        else:
            measured = _by_operator(f"SELECT n, {names} FROM {arguments.table}", folder, arguments.results)
        measured |= {
            "seconds": time.perf_counter() - started,
            "cpu_seconds": cpu_seconds() - computed,
            "imported_bytes": IMPORTED,
            "peak_bytes": peak_bytes(),
            "above_bytes": peak_bytes() - IMPORTED,
        }
    print(json.dumps(measured))


_MOMENT = """to_char("LastVisit__c" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "LastVisit__c\""""

if __name__ == "__main__":
    main()
