"""The table of outcomes, from results files of any kind of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.load.spec import LoadSpec
from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from airflow_provider_sfjwt.transfers.sql import SqlToSalesforceOperator
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import instance
from tests.tables.databases import SQLite


class InSmallParts(SqlToSalesforceOperator):
    """The operator, whose jobs get a few rows each."""

    def spec(self) -> LoadSpec:
        return replace(super().spec(), part_bytes=2_000)


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(bulk_polls=0) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        fields = [Field("Group__c", length=40), Field("Text__c", "textarea", length=131_072), Field("Number__c", "int")]
        running.define_object("Item__c", fields)
        yield running


def test_rows_in_groups_many_parts_and_long_texts_keep_their_keys(
    org: SimulatedOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = SQLite("warehouse", tmp_path / "warehouse.db")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", database.connection_json())
    rows = [(n, f"g{n % 7}", "x\n" * (60_000 if n == 50 else 40)) for n in range(100)]
    database.run("CREATE TABLE item (n integer, g text, said text)")
    values = ", ".join(f"({n}, '{group}', '{said}')" for n, group, said in rows)
    database.run(f"INSERT INTO item VALUES {values}")
    arguments: dict[str, Any] = {
        "sql": "SELECT 'key ' || n AS number, n AS \"Number__c\", g AS \"Group__c\", said AS \"Text__c\" FROM item",
        "sql_conn_id": "warehouse", "sobject": "Item__c", "operation": "insert", "transport": "bulk",
        "poll_interval": 0.001, "staging_path": f"file://{tmp_path}/staging", "results_table": "results",
        "row_key": ["number", "Group__c"], "column_mapping": {"number": None}, "group_by": "Group__c",
    }  # fmt: skip
    returned = run_to_end(InSmallParts(task_id="load", **arguments), instance())
    assert len(returned["job_ids"]) > 3
    found = database.run('SELECT number, "Group__c", outcome, salesforce_id FROM results')
    there = {row["Number__c"]: row["Id"] for row in org.rows("Item__c")}
    assert sorted(found) == sorted((f"key {n}", group, "succeeded", there[n]) for n, group, _ in rows)
