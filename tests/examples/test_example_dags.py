"""All example DAGs together, and those that neither extract nor load."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.examples.conftest import ExampleAirflow
from tests.examples.outputs import DAY, data_set
from tests.repository import EXAMPLES

FILES = sorted(EXAMPLES.glob("*.py"))
#: It extracts an interval, which a run without a logical date does not have.
NEEDS_A_DATE = "scheduled_extract"
#: Other tests run these without a logical date.
RUN_BY_OTHER_TESTS = (
    *("salesforce_big_object", "salesforce_own_tasks", "salesforce_watermark_mapped"),
    *(
        "salesforce_org_in_step",
        "salesforce_objects_in_step",
        "salesforce_watched_accounts",
        "salesforce_change_events",
    ),
)


def test_every_example_is_short() -> None:
    lines = {file.name: len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert max(lines.values()) <= 60, lines


def test_examples_parse_without_io_and_survive_serialization(in_airflow: ExampleAirflow) -> None:
    found = in_airflow("inspect_dags", *map(str, FILES))

    assert found["io"] == {str(file): [] for file in FILES}
    assert found["errors"] == {}
    assert len(found["dags"]) >= len(FILES)
    assert all(dag["before"] == dag["after"] for dag in found["dags"].values())
    assert all(dag["before"] and "salesforce" in dag["tags"] for dag in found["dags"].values())


def test_every_example_runs_without_a_logical_date(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as database, database:
        database.execute(
            "CREATE TABLE customer (number, last_name, email, birthday, seller, changed_on, salesforce_id)"
        )
        database.execute("INSERT INTO customer VALUES (1, 'Neu', NULL, NULL, ?, ?, NULL)", (org.username, DAY))
    environment["AIRFLOW_CONN_WAREHOUSE"] = json.dumps({"conn_type": "sqlite", "host": f"{tmp_path}/warehouse.db"})
    source = "".join(file.read_text(encoding="utf-8") for file in FILES)
    dag_ids = re.findall(r'DAG\(\s*(?:dag_id=)?"(\w+)"', source)
    assert len(dag_ids) == source.count("with DAG(")
    dag_ids = [dag_id for dag_id in dag_ids if dag_id not in (NEEDS_A_DATE, *RUN_BY_OTHER_TESTS)]
    accounts = len(org.rows("Account"))  # some examples add more, after the first extract

    runs = in_airflow("run_dag", str(EXAMPLES), *(f"{dag_id}!{DAY}" for dag_id in dag_ids), **environment)

    assert {dag_id: run["state"] for dag_id, run in zip(dag_ids, runs, strict=True)} == dict.fromkeys(
        dag_ids, "success"
    )
    assert (tmp_path / "output/watermark/accounts/run=20261110T000000/_receipt.json").exists()
    first, _ = data_set(tmp_path / "lake/accounts/20261110T000000")  # of first_extract.py
    assert (first["written_by"]["dag_id"], first["records"]) == ("first_extract", accounts)
    assert not [path for path in (tmp_path / "output").rglob("*") if "None" in path.name]


def test_own_tasks(in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg) -> None:
    accounts = [row for row in org.rows("Account") if row["BillingCountry"] == "Germany"]

    (run,) = in_airflow("run_dag", str(EXAMPLES / "own_tasks.py"), f"salesforce_own_tasks!{DAY}", **environment)

    assert run["state"] == "success"
    objects = ("Account", "Contact", "Lead", "Opportunity")
    assert run["returned"]["rows_of_each"] == {name: len(org.rows(name)) for name in objects}
    found = {row["Id"]: row["Name"] for row in accounts}
    assert run["returned"]["name_of"] == found[run["returned"]["an_account_in"]]


def test_failures(in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path) -> None:
    org.hide_field("Opportunity", "IsClosed")

    (run,) = in_airflow("run_dag", str(EXAMPLES / "failures.py"), f"salesforce_failures!{DAY}", **environment)

    assert run["state"] == "failed"
    # The policy let the task fail at once, although it has five retries.
    assert sum("/query" in request.path for request in org.requests) == 1
    notice = (tmp_path / "output/notices/salesforce_failures.open_deals.txt").read_text()
    assert notice.startswith("ApiError in open_deals: ")
    assert "INVALID_FIELD" in notice
    assert "field-level security" in notice.splitlines()[-1]


def test_rest_calls(in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg) -> None:
    before = len(org.rows("Account"))

    (run,) = in_airflow("run_dag", str(EXAMPLES / "rest_calls.py"), f"salesforce_rest_calls@{DAY}", **environment)

    assert run["state"] == "success"
    assert run["returned"]["calls_left"] == org.daily_api_requests - 1
    made = [row["Id"] for row in org.rows("Account")[before:]]
    assert [each["id"] for each in run["returned"]["new_accounts"]] == made
    assert len(made) == 2
    assert run["returned"]["book"] == {"booked": True, "accounts": made}
    paths = [request.path for request in org.requests if "apexrest" in request.path]
    assert len(paths) == 1


def test_query_to_xcom(in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg) -> None:
    stages = [row["StageName"] for row in org.rows("Opportunity")]

    (run,) = in_airflow("run_dag", str(EXAMPLES / "query_to_xcom.py"), f"salesforce_query_to_xcom@{DAY}", **environment)

    assert run["state"] == "success"
    counted = {row["StageName"]: row["opportunities"] for row in run["returned"]["by_stage"]}
    assert counted == {stage: stages.count(stage) for stage in stages}
    assert counted[run["returned"]["busiest_stage"]] == max(counted.values())


def test_hook_in_task(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path
) -> None:
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


def test_a_whole_org_in_step(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path
) -> None:
    group, in_task = (
        in_airflow("run_dag", str(EXAMPLES / file), f"{dag_id}!{DAY}", **environment)[0]
        for file, dag_id in (
            ("org_in_step.py", "salesforce_org_in_step"),
            ("org_in_step_in_task.py", "salesforce_objects_in_step"),
        )
    )

    assert (group["state"], in_task["state"]) == ("success", "success")
    (summary,) = (tmp_path / "output/org/_runs").glob("*/summary.json")
    content = json.loads(summary.read_text())
    told = {each["sobject"]: each for each in content["outcomes"]}
    assert {told[name]["status"] for name in ("Account", "Contact", "Opportunity")} == {"published"}
    # Rows of the last minutes may still become visible, and come with the next run.
    end = datetime.fromisoformat(content["end"])
    old_enough = [row for row in org.rows("Account") if row["SystemModstamp"] < end]
    assert told["Account"]["records"] == len(old_enough)
    receipts = in_task["returned"]["in_step"]
    assert sorted(receipts) == ["Account", "Contact", "Opportunity"]
    assert json.loads(Path(receipts["Account"].removeprefix("file://")).read_text())["records"] == len(old_enough)


def test_dags_that_start_with_changes_extract_everything_when_started_by_hand(
    in_airflow: ExampleAirflow, environment: dict[str, str], org: SimulatedOrg, tmp_path: Path
) -> None:
    for file, dag_id, folder, sobject in (
        ("watched_accounts.py", "salesforce_watched_accounts", "watched/accounts", "Account"),
        ("change_events.py", "salesforce_change_events", "events/contacts", "Contact"),
    ):
        (run,) = in_airflow("run_dag", str(EXAMPLES / file), f"{dag_id}!{DAY}", **environment)
        assert run["state"] == "success"
        (receipt,) = (tmp_path / "output" / folder).glob("run=*/_receipt.json")
        assert json.loads(receipt.read_text())["records"] == len(org.rows(sobject))
