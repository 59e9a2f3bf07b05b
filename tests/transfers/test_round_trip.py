"""PostgreSQL to Salesforce, extracted again, and merged into PostgreSQL: the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from airflow_provider_sfjwt.transfers.sql import SalesforceToSqlOperator, SqlToSalesforceOperator
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import instance
from tests.tables.databases import PostgreSQL

FIELDS = [
    Field("Key__c", length=40, external_id=True, unique=True),
    Field("Text__c", "textarea", length=32_000),
    Field("Whole__c", "int"),
    Field("Amount__c", "currency", precision=18, scale=2),
    Field("Rate__c", "double", precision=18, scale=8),
    Field("Active__c", "boolean"),
    Field("Day__c", "date"),
    Field("Moment__c", "datetime"),
    Field("Clock__c", "time"),
]
NAMES = ", ".join(f'"{field.name}"' for field in FIELDS)
#: The text traps, and the ends of what Salesforce's fields take. A datetime field keeps whole seconds.
ROWS = """
    ('k1', E'a "quoted"\\nline\\twith, commas; \\\\N', 2147483647, 12345678901234.56, 1300.56172841, true, '2026-02-28', '2026-03-29 01:30:00Z', '23:59:59.999'),
    ('k2', 'NULL', -2147483648, -0.01, 0.00000001, false, '1700-01-01', '1700-01-01 00:00:00Z', '00:00:00'),
    ('k3', 'Zoë 🦊 #N/A', 0, 100, -12.5, true, '2999-12-31', '2999-12-31 23:59:59Z', '12:00'),
    ('k4', NULL, NULL, NULL, NULL, false, NULL, NULL, NULL)
"""


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(bulk_polls=0) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        running.define_object("Thing__c", FIELDS)
        yield running


@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_rows_come_back_as_they_went(database: PostgreSQL, org: SimulatedOrg, tmp_path: Path) -> None:
    database.run(
        'CREATE TABLE thing ("Key__c" text PRIMARY KEY, "Text__c" text, "Whole__c" integer, "Amount__c" numeric(18,2), '
        '"Rate__c" numeric, "Active__c" boolean, "Day__c" date, "Moment__c" timestamptz(3), "Clock__c" time(3))',
        f"INSERT INTO thing VALUES {ROWS}",
    )
    load = SqlToSalesforceOperator(
        task_id="load", sql=f"SELECT {NAMES} FROM thing", sql_conn_id="warehouse", sobject="Thing__c",
        operation="insert", poll_interval=0.001, staging_path=f"file://{tmp_path}/staging", results_table="results",
        row_key="Key__c",
    )  # fmt: skip
    run_to_end(load, instance())
    extract = SalesforceExtractOperator(task_id="extract", sobject="Thing__c", output_path=f"file://{tmp_path}/out")
    back = SalesforceToSqlOperator(
        task_id="back", source=run_to_end(extract, instance(task_id="extract")), sql_conn_id="warehouse",
        table="came_back",
    )  # fmt: skip
    assert run_to_end(back, instance(task_id="back"))["inserted"] == 4

    query = f'SELECT {NAMES} FROM {{}} ORDER BY "Key__c"'
    assert database.run(query.format("came_back")) == database.run(query.format("thing"))
    # The ids that were reported are those of the records.
    ids = 'SELECT "Key__c", {} FROM {} ORDER BY 1'
    assert database.run(ids.format("salesforce_id", "results")) == database.run(ids.format('"Id"', "came_back"))
