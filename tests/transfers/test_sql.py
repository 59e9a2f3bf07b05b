from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.tables.spec import MergeSpec
from airflow_provider_sfjwt.transfers.sql import SalesforceToSqlOperator
from tests.tables.data_sets import item, publish
from tests.tables.databases import SQLite

CONTEXT: Any = {"ti": SimpleNamespace(dag_id="crm", run_id="r1", task_id="merge", map_index=-1)}


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SQLite:
    found = SQLite("warehouse", tmp_path / "warehouse.db")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", found.connection_json())
    return found


def operator(**arguments: Any) -> SalesforceToSqlOperator:
    return SalesforceToSqlOperator(**{"task_id": "merge", "sql_conn_id": "warehouse", "table": "items", **arguments})


def test_it_merges_and_says_what_it_did(database: SQLite, tmp_path: Path) -> None:
    task = operator(source=publish(tmp_path / "1", [item(1), item(2)]))
    returned = task.execute(CONTEXT)
    assert json.loads(json.dumps(returned)) == {
        "table": "main.items", "data_sets": 1, "already_applied": 0, "staged": 2, "inserted": 2, "updated": 0,
        "unchanged": 0, "deleted": 0, "columns_added": [],
    }  # fmt: skip
    assert database.run("SELECT dag_id, run_id, task_id, map_index FROM sfjwt_ledger") == [("crm", "r1", "merge", -1)]


def test_a_retry_is_green_and_says_that_it_was_applied(
    database: SQLite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = operator(source=publish(tmp_path / "1", [item(1)]))
    task.execute(CONTEXT)
    with caplog.at_level("INFO"):
        assert task.execute(CONTEXT)["already_applied"] == 1
    assert "main.items: already applied, nothing to do" in caplog.text


def test_what_no_retry_mends_ends_the_task(database: SQLite, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match="^mode: 'upsert' is not one of merge"):
        operator(source=publish(tmp_path / "1", [item(1)]), mode="upsert").execute(CONTEXT)


def test_what_may_pass_is_retried(database: SQLite, tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(database.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SalesforceError, match="merging into items failed in SQLite: database is locked") as caught:
            operator(source=publish(tmp_path / "1", [item(1)]), lock_timeout=0.1).execute(CONTEXT)
        other.rollback()
    assert caught.value.retryable


def test_the_operator_has_the_arguments_and_defaults_of_the_spec() -> None:
    task = operator(source="file:///x")
    assert MergeSpec.of(task) == MergeSpec(source="file:///x", sql_conn_id="warehouse", table="items")
    assert set(SalesforceToSqlOperator.template_fields) <= set(vars(task))
