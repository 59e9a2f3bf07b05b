from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.examples.conftest import Run
from tests.repository import EXAMPLES

FILES = sorted(EXAMPLES.glob("*.py"))
DAY, NEXT_DAY = "2026-11-10T00:00:00+00:00", "2026-11-11T00:00:00+00:00"


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(bulk_polls=0) as running:
        yield running


@pytest.fixture
def environment(org: SimulatedOrg, tmp_path: Path) -> dict[str, str]:
    return {
        "AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT": org.connection_json(),
        "SFJWT_EXAMPLE_OUTPUT": f"file://{tmp_path}/output",
    }


def data_set(path: Path) -> tuple[dict[str, Any], list[bytes]]:
    """The receipt of a folder and its parts' bytes, which must be those that the receipt proves."""
    receipt = json.loads((path / "_receipt.json").read_text(encoding="utf-8"))
    contents = [(path / part["name"]).read_bytes() for part in receipt["parts"]]
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    assert digests == [part["sha256"] for part in receipt["parts"]]
    assert {each.name for each in path.iterdir()} == {"_receipt.json", *(part["name"] for part in receipt["parts"])}
    assert receipt["counts"] == dict.fromkeys(("written", "pages", "job"), receipt["records"])
    return receipt, contents


def test_every_example_is_short() -> None:
    lines = {file.name: len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert max(lines.values()) <= 60, lines


def test_examples_parse_without_io_and_survive_serialization(in_airflow: Run) -> None:
    found = in_airflow("inspect_dags", *map(str, FILES))

    assert found["io"] == {str(file): [] for file in FILES}
    assert found["errors"] == {}
    assert len(found["dags"]) >= len(FILES)
    assert all(dag["before"] == dag["after"] for dag in found["dags"].values())
    assert all(dag["before"] and "salesforce" in dag["tags"] for dag in found["dags"].values())


def test_every_example_runs_without_a_logical_date(
    in_airflow: Run, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as database, database:
        database.execute("CREATE TABLE customer (number, last_name, email, birthday, seller, changed_on)")
        database.execute("INSERT INTO customer VALUES (1, 'Neu', NULL, NULL, ?, ?)", (org.username, DAY))
    environment["AIRFLOW_CONN_WAREHOUSE"] = json.dumps({"conn_type": "sqlite", "host": f"{tmp_path}/warehouse.db"})
    source = "".join(file.read_text(encoding="utf-8") for file in FILES)
    dag_ids = re.findall(r'DAG\(\s*(?:dag_id=)?"(\w+)"', source)
    # It extracts an interval, which a run without a logical date does not have.
    dag_ids.remove("scheduled_extract")
    assert len(dag_ids) == len(FILES)

    runs = in_airflow("run_dag", str(EXAMPLES), *(f"{dag_id}!{DAY}" for dag_id in dag_ids), **environment)

    assert {dag_id: run["state"] for dag_id, run in zip(dag_ids, runs, strict=True)} == dict.fromkeys(
        dag_ids, "success"
    )
    assert (tmp_path / "output/watermark/accounts/run=20261110T000000/_receipt.json").exists()
    assert not [path for path in (tmp_path / "output").rglob("*") if "None" in path.name]


def test_query_to_xcom(in_airflow: Run, environment: dict[str, str], org: SimulatedOrg) -> None:
    stages = [row["StageName"] for row in org.rows("Opportunity")]

    (run,) = in_airflow("run_dag", str(EXAMPLES / "query_to_xcom.py"), f"salesforce_query_to_xcom@{DAY}", **environment)

    assert run["state"] == "success"
    counted = {row["StageName"]: row["opportunities"] for row in run["returned"]["by_stage"]}
    assert counted == {stage: stages.count(stage) for stage in stages}
    assert counted[run["returned"]["busiest_stage"]] == max(counted.values())


def test_hook_in_task(in_airflow: Run, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path) -> None:
    org.update("Contact", org.rows("Contact")[0]["Id"], {"Email": "Upper.Case@Example.com"})
    contacts = org.rows("Contact")

    (run,) = in_airflow("run_dag", str(EXAMPLES / "hook_in_task.py"), f"salesforce_hook_in_task@{DAY}", **environment)

    assert run["state"] == "success"
    assert run["returned"]["contacts_without_email"] == [row["Id"] for row in contacts if row["Email"] is None]
    assert run["returned"]["newest_account"] == org.rows("Account")[-1]["Name"]
    assert run["returned"]["extract_contacts"] == len(contacts)
    data_set(tmp_path / "output/hook/contacts")
    table = pq.read_table(next((tmp_path / "output/hook/contacts").glob("part-*.parquet")))
    assert table.column("LastName").to_pylist() == [row["LastName"] for row in contacts]
    emails = {row["Id"]: row["Email"].lower() for row in contacts if row["Email"] is not None}
    assert run["returned"]["lower_emails"] == len(emails) > 0
    assert {row["Id"]: row["Email"] for row in org.rows("Contact") if row["Email"] is not None} == emails


@pytest.mark.parametrize("deferrable", ["False", "True"])
def test_extract_formats(
    in_airflow: Run, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path, deferrable: str
) -> None:
    org.bulk_polls = 2
    environment["AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"] = deferrable
    file = EXAMPLES / "extract_formats.py"

    (run,) = in_airflow("run_dag", str(file), f"salesforce_extract_formats@{DAY}", **environment)

    assert run["state"] == "success"
    folder = tmp_path / "output/csv/accounts/ds=2026-11-10"
    receipt, (content,) = data_set(folder)
    wanted = [row for row in org.rows("Account") if row["Industry"] is not None]
    assert receipt["records"] == len(wanted)
    assert gzip.decompress(content).decode().splitlines()[0] == '"Id","Name","Industry","Owner.Name"'
    assert run["returned"]["accounts_csv"] == {
        "receipt": f"file://{folder}/_receipt.json",
        "output_path": f"file://{folder}",
        "records": len(wanted),
        "job_id": receipt["job_id"],
        "window": None,
    }
    _, (content,) = data_set(tmp_path / "output/jsonl/contacts/ds=2026-11-10")
    names = {row["Id"]: row["Name"] for row in org.rows("Account")}
    assert [json.loads(line) for line in content.decode().splitlines()] == [
        {"Id": row["Id"], "LastName": row["LastName"], "Account.Name": names[row["AccountId"]]}
        for row in org.rows("Contact")
        if row["AccountId"] is not None
    ]
    for index, sobject in enumerate(("Lead", "Opportunity")):
        receipt, _ = data_set(tmp_path / f"output/mapped/ds=2026-11-10/small_objects/{index}")
        assert (receipt["sobject"], receipt["records"]) == (sobject, len(org.rows(sobject)))
        assert (receipt["written_by"]["task_id"], receipt["written_by"]["map_index"]) == ("small_objects", index)
    # The triggerer signs in by itself; in dag.test() it is the same process and shares the token.
    assert org.logins == 1


def test_scheduled_extract(in_airflow: Run, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path) -> None:
    org.insert("Account", [{"Name": "changed", "SystemModstamp": datetime(2026, 11, 9, 12, tzinfo=timezone.utc)}])
    org.insert("Account", [{"Name": "changed later", "SystemModstamp": datetime(2026, 11, 10, tzinfo=timezone.utc)}])
    day = ["2026-11-09T00:00:00+00:00", DAY]

    (run,) = in_airflow("run_dag", str(EXAMPLES / "scheduled_extract.py"), f"scheduled_extract@{DAY}", **environment)

    assert run["state"] == "success"
    assert run["returned"]["extract_accounts"]["window"] == day
    receipt, _ = data_set(tmp_path / "output/account/day=2026-11-09")
    assert receipt["window"] == day
    table = pq.read_table(next((tmp_path / "output/account/day=2026-11-09").glob("part-*.parquet")))
    stamps = [row["SystemModstamp"] for row in org.rows("Account")]
    assert "changed" in table.column("Name").to_pylist()
    assert table.num_rows == sum(day[0] <= stamp.isoformat() < day[1] for stamp in stamps)


def test_watermark_extract(in_airflow: Run, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path) -> None:
    accounts = org.rows("Account")

    dag_id, consumer = "salesforce_watermark_extract", "salesforce_on_changed_accounts"
    runs = (f"{dag_id}@{DAY}", f"{dag_id}@{NEXT_DAY}", f"{consumer}@{NEXT_DAY}")
    first, second, by_hand = in_airflow("run_dag", str(EXAMPLES / "watermark_extract.py"), *runs, **environment)

    assert (first["state"], second["state"], by_hand["state"]) == ("success", "success", "success")
    assert by_hand["returned"] == {"receipts": []}  # dag.test() gives a run no triggering events
    begun, continued = (run["returned"]["changed_accounts"] for run in (first, second))
    assert begun["window"][0] == "1999-01-01T00:00:00+00:00"
    assert begun["window"][1] == continued["window"][0]
    # What changed within the last commit_lag seconds is left to the next run.
    settled = [row for row in accounts if row["SystemModstamp"].isoformat() < begun["window"][1]]
    assert begun["records"] == len(settled)
    data_set(tmp_path / "output/watermark/accounts/run=20261110T000000")
    for run, returned in ((first, begun), (second, continued)):
        assert run["events"] == [{"uri": "salesforce://salesforce_jwt_default/Account", "extra": returned}]


def test_sparing_extract(in_airflow: Run, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path) -> None:
    org.bulk_page_size, org.bulk_polls = 5, 2
    opportunities = org.rows("Opportunity")
    file = EXAMPLES / "sparing_extract.py"

    (run,) = in_airflow("run_dag", str(file), f"salesforce_sparing_extract@{DAY}", **environment)

    assert run["state"] == "success"
    receipt, parts = data_set(tmp_path / "output/sparing/opportunities/ds=2026-11-10")
    assert (receipt["transport"], receipt["records"]) == ("bulk", len(opportunities))
    assert len(parts) == -(-len(opportunities) // 5) > 1
    receipt, (content,) = data_set(tmp_path / "output/sparing/case_statuses/ds=2026-11-10")
    assert (receipt["transport"], receipt["job_id"]) == ("rest", None)
    assert len(content.splitlines()) == len(org.rows("CaseStatus")) > 0
    assert len(org.jobs) == 1
    amounts = run["returned"]["amount_by_stage"]
    assert set(amounts) == {row["StageName"] for row in opportunities}
    assert sum(map(Decimal, amounts.values())) == sum(Decimal(str(row["Amount"] or 0)) for row in opportunities)


def outcomes(summary: dict[str, Any], kind: str) -> list[dict[str, str]]:
    """The rows of the results files of one kind, whose bytes must be those that the receipt names."""
    folder = Path(summary["results_path"].removeprefix("file://"))
    parts = json.loads((folder / "_receipt.json").read_text(encoding="utf-8"))["parts"]
    rows: list[dict[str, str]] = []
    for part in parts:
        content = (folder / part["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == part["sha256"]
        if part["name"].startswith(kind):
            rows += csv.DictReader(content.decode().splitlines(keepends=True))
    return rows


@pytest.mark.parametrize("deferrable", ["False", "True"])
def test_load_round_trip(in_airflow: Run, environment: dict[str, str], org: SimulatedOrg, deferrable: str) -> None:
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
    in_airflow: Run, environment: dict[str, str], org: SimulatedOrg
) -> None:
    org.add_fault(Fault("GET", "*/results*", edit_body=lambda body: body.replace(b'"NA"', b'"na"', 1)))
    file = EXAMPLES / "load_round_trip.py"

    (run,) = in_airflow("run_dag", str(file), f"salesforce_load_round_trip@{DAY}", **environment)

    assert run["state"] == "failed"
    assert set(run["returned"]) == {"write_parquet", "load", "extract"}


def test_load_sql_rows(in_airflow: Run, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path) -> None:
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
