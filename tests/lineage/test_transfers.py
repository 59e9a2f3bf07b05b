"""Between Salesforce, tables and files: which data sets the transfers name, before they run and after."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.testing import SimulatedOrg
from airflow_provider_sfjwt.transfers.delta import SalesforceToDeltaOperator
from airflow_provider_sfjwt.transfers.sql import SalesforceToSqlOperator, SqlToFilesOperator, SqlToSalesforceOperator

ORG = "salesforce://127.0.0.1"
QUERY = 'SELECT c.ext AS "Ext__c", upper(c.name) AS "Name" FROM customers c JOIN vip ON vip.id = c.id'


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={"Account": 5}, bulk_polls=0, private_key=private_key) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file of SQLite with two tables; its path."""
    path = str(tmp_path / "warehouse.db")
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (id integer, ext text, name text)")
        connection.execute("CREATE TABLE vip (id integer)")
        connection.execute("INSERT INTO customers VALUES (1, 'x', 'Acme')")
        connection.execute("INSERT INTO vip VALUES (1)")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": path}))
    return path


@pytest.fixture
def extracted(org: SimulatedOrg, tmp_path: Path) -> dict[str, Any]:
    """What the task of an extract returned."""
    extract = SalesforceExtractOperator(
        task_id="extract", sobject="Account", fields=["Id", "OwnerId"], output_path=f"file://{tmp_path}/accounts",
        poll_interval=0.05,
    )  # fmt: skip
    return extract.execute({})  # type: ignore[arg-type]


def graph(lineage: Any) -> tuple[list[str], list[str]]:
    def named(data_sets: list[Any]) -> list[str]:
        return [f"{each.namespace} {each.name}" for each in data_sets]

    return named(lineage.inputs), named(lineage.outputs)


def columns(lineage: Any) -> dict[str, list[str]]:
    fields = lineage.outputs[0].facets["columnLineage"].fields
    return {target: [f"{each.name}.{each.field}" for each in made_of.inputFields] for target, made_of in fields.items()}


def test_a_merge_reads_the_folder_of_the_extract_and_writes_the_table(
    extracted: dict[str, Any], database: str, tmp_path: Path
) -> None:
    merge = SalesforceToSqlOperator(
        task_id="merge", source=extracted, sql_conn_id="warehouse", table="accounts", naming="snake"
    )
    wanted = ([f"file {tmp_path}/accounts"], [f"sqlite://{database} main.accounts"])
    assert graph(merge.get_openlineage_facets_on_start()) == wanted
    merge.execute({})  # type: ignore[arg-type]
    complete = merge.get_openlineage_facets_on_complete(None)
    assert graph(complete) == wanted
    assert columns(complete) == {"id": [f"{tmp_path}/accounts.Id"], "owner_id": [f"{tmp_path}/accounts.OwnerId"]}
    assert complete.outputs[0].outputFacets["outputStatistics"].rowCount == 5
    assert [each.name for each in complete.outputs[0].facets["schema"].fields] == ["id", "owner_id"]


def test_a_merge_into_a_delta_table_writes_its_folder(extracted: dict[str, Any], tmp_path: Path) -> None:
    merge = SalesforceToDeltaOperator(task_id="merge", source=extracted, table_uri=f"file://{tmp_path}/table")
    wanted = ([f"file {tmp_path}/accounts"], [f"file {tmp_path}/table"])
    assert graph(merge.get_openlineage_facets_on_failure(None)) == wanted
    merge.execute({})  # type: ignore[arg-type]
    assert graph(merge.get_openlineage_facets_on_complete(None)) == wanted


def test_tables_of_postgresql_are_named_with_their_server(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "postgres", "host": "db.acme.com", "schema": "crm"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    merge = SalesforceToSqlOperator(
        task_id="merge", source="s3://aws@lake/accounts/", sql_conn_id="warehouse", table="sales.accounts"
    )
    wanted = (["s3://lake accounts"], ["postgres://db.acme.com:5432 crm.sales.accounts"])
    assert graph(merge.get_openlineage_facets_on_start()) == wanted


def test_a_query_frozen_into_files_reads_its_tables(database: str, tmp_path: Path) -> None:
    freeze = SqlToFilesOperator(
        task_id="freeze", sql=QUERY, sql_conn_id="warehouse", output_path=f"file://{tmp_path}/rows"
    )
    tables = [f"sqlite://{database} main.customers", f"sqlite://{database} main.vip"]
    assert graph(freeze.get_openlineage_facets_on_start()) == (tables, [f"file {tmp_path}/rows"])
    freeze.execute({})  # type: ignore[arg-type]
    complete = freeze.get_openlineage_facets_on_complete(None)
    assert graph(complete) == (tables, [f"file {tmp_path}/rows"])
    assert columns(complete) == {"Ext__c": ["main.customers.ext"], "Name": ["main.customers.name"]}
    assert complete.job_facets["sql"].query == QUERY
    assert complete.job_facets["sql"].dialect == "sqlite"


def test_a_query_loaded_into_an_object_reads_its_tables(org: SimulatedOrg, database: str) -> None:
    load = SqlToSalesforceOperator(
        task_id="load", sql=QUERY, sql_conn_id="warehouse", sobject="Account", operation="insert"
    )
    tables = [f"sqlite://{database} main.customers", f"sqlite://{database} main.vip"]
    assert graph(load.get_openlineage_facets_on_start()) == (tables, [f"{ORG} Account"])


def test_without_a_sign_in_an_org_that_the_connection_does_not_name_is_left_out(
    monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg
) -> None:
    connection = {**json.loads(org.connection_json()), "host": "https://login.salesforce.com", "port": None}
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", json.dumps(connection))
    extract = SalesforceExtractOperator(task_id="extract", sobject="Account", output_path="gs://google@lake/a/b/")
    assert graph(extract.get_openlineage_facets_on_start()) == ([], ["gs://lake a/b"])
    connection["host"] = "https://acme--dev.sandbox.my.salesforce.com"
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", json.dumps(connection))
    wanted = (["salesforce://acme--dev.sandbox.my.salesforce.com Account"], ["gs://lake a/b"])
    assert graph(extract.get_openlineage_facets_on_start()) == wanted
