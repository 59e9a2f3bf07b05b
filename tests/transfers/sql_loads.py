"""Loads of a query against a simulated org, as several tests run them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.testing import SimulatedOrg
from airflow_provider_sfjwt.transfers.sql import SqlToSalesforceOperator
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import define_items
from tests.tables.databases import TestDatabase

SQL = 'SELECT n, code AS "Key__c", amount AS "Number__c", said AS "Text__c" FROM customer ORDER BY n'
RESULTS = {"results_table": "results", "row_key": "n", "column_mapping": {"n": None}}


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(bulk_polls=0) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        define_items(running)
        yield running


def fill(database: TestDatabase, rows: int = 20) -> None:
    """The table ``customer``; its texts have what breaks careless CSV."""
    values = ", ".join(f"({n}, 'k{n:05d}', {n}, 'a \"quoted\", {n}\nline')" for n in range(1, rows + 1))
    database.run(
        "CREATE TABLE customer (n integer PRIMARY KEY, code text, amount integer, said text)",
        f"INSERT INTO customer VALUES {values}",
    )


def load(tmp_path: Path, **arguments: Any) -> SqlToSalesforceOperator:
    wanted = {
        "sql": SQL, "sql_conn_id": "warehouse", "sobject": "Item__c", "operation": "insert", "transport": "bulk",
        "poll_interval": 0.001, "staging_path": f"file://{tmp_path}/staging", **RESULTS, **arguments,
    }  # fmt: skip
    return SqlToSalesforceOperator(task_id="load", **wanted)


def results(database: TestDatabase) -> list[tuple[Any, ...]]:
    return database.rows("results", ["n", "outcome", "error", "salesforce_id"], order="n")


def left(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "staging").rglob("*") if path.is_file()]


def break_off(org: SimulatedOrg, tmp_path: Path, context: dict[str, Any]) -> None:
    """An attempt that has sent its rows and does not see what becomes of them."""
    org.bulk_polls = 1_000
    with pytest.raises(SalesforceError):
        run_to_end(load(tmp_path, timeout=0.01), context)
    org.bulk_polls = 0
