"""A sync's group in a real Airflow: one failing object of many, large windows, and another metadata database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.examples.conftest import ExampleAirflow

DAG_FILE = Path(__file__).parent / "dags" / "synced_objects.py"
OBJECTS = [f"Thing{number}__c" for number in range(40)]
BROKEN = "Thing17__c"


@pytest.fixture
def things(org: SimulatedOrg, environment: dict[str, str]) -> dict[str, str]:
    """Forty objects with three rows each, all of them old enough for the next run."""
    for name in OBJECTS:
        org.define_object(name, [])
        org.insert(name, [{"Name": f"row {row}"} for row in range(3)])
    org.clock_offset = 2
    return environment | {
        "SFJWT_TEST_OBJECTS": " ".join(OBJECTS),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAG_FILE.parent),
        "AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY": "0.001",
    }


def test_of_forty_objects_one_fails_and_the_retry_asks_for_that_one_alone(
    in_airflow: ExampleAirflow, things: dict[str, str], org: SimulatedOrg, tmp_path: Path
) -> None:
    org.add_fault(Fault(path=f"*/sobjects/{BROKEN}/describe", times=None, status=500))
    (run,) = in_airflow("run_dag", str(DAG_FILE), "synced_objects!2026-11-10T00:00:00+00:00", **things)

    assert run["state"] == "failed"
    others = [name for name in OBJECTS if name != BROKEN]
    receipts = sorted(path.parent.parent.name for path in tmp_path.glob("output/salesforce/*/w=*/_receipt.json"))
    assert receipts == sorted(others)
    assert sorted(event["uri"] for event in run["events"]) == sorted(
        f"salesforce://salesforce_jwt_default/{name}" for name in others
    )
    described = [request.path.split("/")[-2] for request in org.requests if request.path.endswith("/describe")]
    assert sorted(set(described)) == sorted(OBJECTS)
    assert all(described.count(name) == 1 for name in others)
    assert set(described[-5:]) == {BROKEN}  # the attempts of the retry's only call
    (path,) = tmp_path.glob("output/salesforce/_runs/*/summary.json")
    summary = json.loads(path.read_text())
    assert (summary["objects"], summary["published"], summary["failed"], summary["records"]) == (40, 39, 1, 117)
    assert summary["outcomes"][0]["sobject"] == BROKEN


def test_another_dag_with_another_database_extracts_only_what_is_new(
    in_airflow: ExampleAirflow, things: dict[str, str], org: SimulatedOrg
) -> None:
    org.rest_page_size = 40
    org.insert("Thing0__c", [{"Name": f"one of many {row}"} for row in range(100)])
    org.clock_offset += 2
    objects = OBJECTS[:4]
    things |= {"SFJWT_TEST_OBJECTS": " ".join(objects)}
    (first,) = in_airflow("run_dag", str(DAG_FILE), "synced_objects!2026-11-10T00:00:00+00:00", **things)
    assert first["state"] == "success"
    assert records_of(first) == {"Thing0__c": 103, "Thing1__c": 3, "Thing2__c": 3, "Thing3__c": 3}
    assert [job["object"] for job in org.jobs.values()] == ["Thing0__c"]  # the large window, and no other

    org.insert("Thing0__c", [{"Name": "new"}])
    org.insert("Thing3__c", [{"Name": "new"}, {"Name": "newer"}])
    org.clock_offset += 2
    in_airflow.reset()
    things |= {"SFJWT_TEST_OBJECTS": " ".join(reversed(objects)), "SFJWT_TEST_DAG": "in_step"}
    (second,) = in_airflow("run_dag", str(DAG_FILE), "in_step!2026-11-10T00:00:00+00:00", **things)
    assert second["state"] == "success"
    assert records_of(second) == {"Thing0__c": 1, "Thing3__c": 2}
    assert second["returned"]["salesforce.summary"]["records"] == 3


def records_of(run: Any) -> dict[str, int]:
    """The rows that the events of a run announce, by object."""
    return {event["uri"].rpartition("/")[2]: event["extra"]["records"] for event in run["events"]}
