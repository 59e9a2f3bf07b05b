"""Example DAGs that move rows between Salesforce and databases."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.examples.conftest import ExampleAirflow
from tests.repository import EXAMPLES
from tests.tables import postgres_server
from tests.tables.databases import PostgreSQL
from tests.transfers import lakes

DAY, LATER = "2026-11-10T00:00:00+00:00", "2026-11-11T00:00:00+00:00"


def settled(org: SimulatedOrg) -> list[dict[str, Any]]:
    """The accounts that a watermark covers by now: it stays behind the org's clock."""
    hour_ago = datetime.now(timezone.utc) - timedelta(hours=1)
    return [row for row in org.rows("Account") if row["SystemModstamp"] < hour_ago]


def test_extract_to_postgres_keeps_a_table_in_step(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg
) -> None:
    if postgres_server.programs() is None:
        pytest.skip("missing: PostgreSQL (initdb on the PATH, or in /usr/lib/postgresql)")
    org.delete("Account", org.rows("Account")[0]["Id"])
    accounts = settled(org)
    dag = "salesforce_extract_to_postgres"

    with postgres_server.running() as port:
        database = PostgreSQL("warehouse", port, "postgres")
        environment["AIRFLOW_CONN_WAREHOUSE"] = database.connection_json()
        runs = in_airflow(
            "run_dag",
            str(EXAMPLES / "extract_to_postgres.py"),
            *(f"{dag}@{day}" for day in (DAY, LATER)),
            **environment,
        )
        names = dict(database.rows("accounts", ["id", "name"], order="id"))
        ledger = database.run("SELECT target, dag_id, task_id FROM sfjwt_ledger")

    assert [run["state"] for run in runs] == ["success", "success"]
    assert runs[0]["returned"]["merge_accounts"]["inserted"] == len(accounts)
    assert runs[0]["returned"]["merge_contacts"] == len(org.rows("Contact"))
    assert names == {row["Id"]: row["Name"] for row in accounts}
    assert set(ledger) == {("public.accounts", dag, "merge_accounts"), ("public.contacts", dag, "merge_contacts")}
    assert len(ledger) == 4


def test_extract_to_delta_keeps_a_table_on_s3_in_step(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg
) -> None:
    deltalake = pytest.importorskip("deltalake", reason="missing: the Python package deltalake")
    accounts = settled(org)

    with lakes.running() as lake:
        environment |= {
            "AIRFLOW_CONN_AWS_LAKE": lake.connection_json,
            "SFJWT_EXAMPLE_OUTPUT": "s3://aws_lake@lake/example",
        }
        (run,) = in_airflow(
            "run_dag", str(EXAMPLES / "extract_to_delta.py"), f"salesforce_extract_to_delta@{DAY}", **environment
        )
        uri = "s3://lake/example/to_delta/tables/account"
        table = deltalake.DeltaTable(uri, storage_options=lake.options).to_pyarrow_table(columns=["Id", "Name"])

    assert run["state"] == "success"
    assert {row["Id"]: row["Name"] for row in table.to_pylist()} == {row["Id"]: row["Name"] for row in accounts}


def test_nightly_objects_keeps_a_table_for_each_object(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path
) -> None:
    """In the second night one object cannot be read: the run is red, and all tables are merged."""
    environment["AIRFLOW_CONN_WAREHOUSE"] = json.dumps({"conn_type": "sqlite", "host": f"{tmp_path}/warehouse.db"})
    expected = {name: len(org.rows(name)) for name in ("Contact", "Lead", "Opportunity")}
    expected["Account"] = len(settled(org))

    def night(day: str) -> tuple[str, dict[str, int]]:
        dag = f"salesforce_nightly_objects@{day}"
        (run,) = in_airflow("run_dag", str(EXAMPLES / "nightly_objects.py"), dag, **environment)
        with closing(sqlite3.connect(tmp_path / "warehouse.db")) as database:
            count = {name: database.execute(f'SELECT count(*) FROM "{name}"') for name in expected}
            return run["state"], {name: rows.fetchone()[0] for name, rows in count.items()}

    assert night(DAY) == ("success", expected)
    refusal = '[{"errorCode": "INSUFFICIENT_ACCESS", "message": "no access to Contact"}]'
    org.add_fault(Fault(method="GET", path="*FROM*Contact*", status=403, body=refusal, times=None))
    assert night(LATER) == ("failed", expected)


def test_postgres_to_salesforce_brings_the_outcomes_back(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path
) -> None:
    """In SQLite here, as above."""
    environment["AIRFLOW_CONN_WAREHOUSE"] = json.dumps({"conn_type": "sqlite", "host": f"{tmp_path}/warehouse.db"})
    customers = [(str(n), f"Name {n}", None, "1980-02-29", DAY[:10] if n else "2026-11-01") for n in range(300)]
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as database, database:
        database.execute("CREATE TABLE customer (number TEXT, last_name, email, birthday, changed_on, salesforce_id)")
        database.executemany("INSERT INTO customer VALUES (?, ?, ?, ?, ?, NULL)", customers)

    (run,) = in_airflow(
        "run_dag",
        str(EXAMPLES / "postgres_to_salesforce.py"),
        f"salesforce_postgres_to_salesforce@{DAY}",
        **environment,
    )

    assert run["state"] == "success"
    assert run["returned"]["customers"]["records"] == 299
    assert run["returned"]["all_customers"]["records"] == 300
    loaded = {row["ExternalKey__c"]: row["Id"] for row in org.rows("Contact") if str(row["ExternalKey__c"]).isdigit()}
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as database:
        remembered = database.execute("SELECT number, salesforce_id FROM customer WHERE salesforce_id IS NOT NULL")
        assert dict(remembered.fetchall()) == loaded
    assert len(loaded) == 299
    assert not list((tmp_path / "output/staging").rglob("*.parquet"))
