"""The example DAGs that load, each run by ``dag.test()``."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.examples.conftest import ExampleAirflow
from tests.examples.outputs import DAY, outcomes
from tests.repository import EXAMPLES


@pytest.mark.parametrize("deferrable", ["False", "True"])
def test_load_round_trip(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, deferrable: str
) -> None:
    org.bulk_polls, org.bulk_batch_rows, org.bulk_page_size = 2, 200, 200
    environment["AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"] = deferrable
    before = org.rows("Opportunity")

    (run,) = in_airflow(
        "run_dag", str(EXAMPLES / "load_round_trip.py"), f"salesforce_load_round_trip@{DAY}", **environment
    )

    assert run["state"] == "success"
    assert run["returned"]["compare"] == 500
    loaded = org.rows("Opportunity")[len(before) :]
    keys = sorted(row["external_id__c"] for row in loaded)
    assert len(set(keys)) == len(keys) == 500
    returned = run["returned"]["load"]
    assert [org.jobs[each]["state"] for each in returned["job_ids"]] == ["JobComplete"]
    assert returned["counts"] == {"read": 500, "sent": 500, "succeeded": 500, "failed": 0, "unprocessed": 0}
    told = outcomes(returned, "succeeded")
    assert {row["sf__Id"]: row["external_id__c"] for row in told} == {
        row["Id"]: row["external_id__c"] for row in loaded
    }
    assert sorted(int(row["row"]) for row in told) == list(range(1, 501))


def test_load_round_trip_fails_where_the_tables_differ(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg
) -> None:
    org.add_fault(Fault("GET", "*/results*", edit_body=lambda body: body.replace(b'"NA"', b'"na"', 1)))
    file = EXAMPLES / "load_round_trip.py"

    (run,) = in_airflow("run_dag", str(file), f"salesforce_load_round_trip@{DAY}", **environment)

    assert run["state"] == "failed"
    assert set(run["returned"]) == {"write_parquet", "load", "extract"}


def test_load_sql_rows(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path
) -> None:
    (known,) = org.insert("Contact", [{"ExternalKey__c": "2", "LastName": "Alt", "Email": "old@example.com"}])
    before = len(org.rows("Contact"))
    customers = [
        (1, 'O\'Neil, "Zoë"', "zoe@example.com", "1980-02-29", org.username, DAY),
        (2, "Neu", None, None, org.username, DAY),
        (3, "yesterday's", None, None, org.username, "2026-11-09"),
    ]
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as database, database:
        database.execute("CREATE TABLE customer (number, last_name, email, birthday, seller, changed_on)")
        database.executemany("INSERT INTO customer VALUES (?, ?, ?, ?, ?, ?)", customers)
    environment["AIRFLOW_CONN_WAREHOUSE"] = json.dumps({"conn_type": "sqlite", "host": f"{tmp_path}/warehouse.db"})

    file = EXAMPLES / "load_sql_rows.py"
    (run,) = in_airflow("run_dag", str(file), f"salesforce_load_sql_rows@{DAY}", **environment)

    assert run["state"] == "success"
    assert run["returned"]["load_customers"]["records"] == 2
    rows = {row["ExternalKey__c"]: row for row in org.rows("Contact") if row["ExternalKey__c"] is not None}
    assert len(org.rows("Contact")) == before + 1
    assert (rows["1"]["LastName"], rows["1"]["Birthdate"]) == ('O\'Neil, "Zoë"', date(1980, 2, 29))
    assert (rows["2"]["Id"], rows["2"]["LastName"], rows["2"]["Email"]) == (known, "Neu", None)
    assert {rows[key]["OwnerId"] for key in "12"} == {org.user_id}
    # So few rows of an upsert cost one call.
    assert org.jobs == {}
    assert [row["sf__Created"] for row in outcomes(run["returned"]["load_customers"], "succeeded")] == ["true", "false"]
