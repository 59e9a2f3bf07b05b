"""Loads in a real Airflow: the examples, and loads that are killed or marked while they run."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from upath import UPath

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.held_answer import HeldAnswer
from tests.local_airflow.stack import LocalAirflow
from tests.system.load_scenes import INGEST_JOB, LARGE, SMALL, LoadScene
from tests.system.scenes import begun, eventually
from tests.system.survival import SurvivalTable

pytestmark = pytest.mark.timeout(600)

ROUND_TRIPS = {"salesforce_load_round_trip": True, "load_round_trip_in_worker": False}
SQL_ROWS = "salesforce_load_sql_rows"


@pytest.fixture(scope="module")
def runs(airflow: LocalAirflow, running_org: SimulatedOrg, output: Path) -> dict[str, str]:
    """The runs of the examples by their DAGs, begun at once: they are made of tasks that wait for each other."""
    customers = [
        (number, f"Doe {number}", None, "1980-02-29", running_org.username, "2026-11-10") for number in range(300)
    ]
    with closing(sqlite3.connect(output / "warehouse.db")) as database, database:
        database.execute("CREATE TABLE customer (number, last_name, email, birthday, seller, changed_on)")
        database.executemany("INSERT INTO customer VALUES (?, ?, ?, ?, ?, ?)", customers)
    airflow.add_connection("warehouse", json.dumps({"conn_type": "sqlite", "host": f"{output}/warehouse.db"}))
    begun = {}
    for dag_id in ROUND_TRIPS:
        airflow.unpause(dag_id)
        begun[dag_id] = airflow.trigger(dag_id, conf={"rows": 2_500})
        # The example names rows and folders after the second in which its run began.
        _next_second()
    return begun | {SQL_ROWS: airflow.trigger(SQL_ROWS, logical_date="2026-11-10T00:00:00Z")}


def _next_second() -> None:
    second = int(time.time())
    eventually(lambda: int(time.time()) > second, "the next second")


@pytest.mark.parametrize(("dag_id", "defers"), ROUND_TRIPS.items())
def test_a_parquet_file_comes_back_as_it_went(
    airflow: LocalAirflow, org: SimulatedOrg, runs: dict[str, str], dag_id: str, defers: bool
) -> None:
    run_id = runs[dag_id]
    run = airflow.wait_for_run(dag_id, run_id=run_id)
    assert airflow.xcom(dag_id, run_id, "compare") == 2_500
    assert ("DEFERRED" in airflow.task_log(dag_id, run_id, "load")) is defers
    prefix = re.sub("[-:]", "", run["run_after"][:19])
    loaded = [key for row in org.rows("Opportunity") if (key := row["external_id__c"] or "").startswith(f"{prefix}-")]
    assert len(set(loaded)) == len(loaded) == 2_500
    summary = airflow.xcom(dag_id, run_id, "load")
    assert summary["counts"]["succeeded"] == summary["records"] == 2_500
    assert [org.jobs[each]["numberRecordsProcessed"] for each in summary["job_ids"]] == [2_500]


def test_the_rows_of_a_query_are_loaded(airflow: LocalAirflow, org: SimulatedOrg, runs: dict[str, str]) -> None:
    airflow.wait_for_run(SQL_ROWS, run_id=runs[SQL_ROWS])
    loaded = {row["ExternalKey__c"]: row["LastName"] for row in org.rows("Contact")}
    assert loaded == {str(number): f"Doe {number}" for number in range(300)}
    assert len(org.rows("Contact")) == 300


def test_the_round_trips_load_nothing_else(airflow: LocalAirflow, org: SimulatedOrg, runs: dict[str, str]) -> None:
    for dag_id in ROUND_TRIPS:
        airflow.wait_for_run(dag_id, run_id=runs[dag_id])
    assert len(org.rows("Opportunity")) == 2_500 * len(ROUND_TRIPS)


#: The DAG, and the rows.
SCENES = {
    "killed_between_parts": ("load_in_worker", LARGE),
    "killed_in_a_job": ("load_in_worker", SMALL),
    "killed_in_its_results": ("load_deferred", SMALL),
    "cut_by_503s": ("load_in_worker", SMALL),
    "failed_in_worker_load": ("load_in_worker", SMALL),
    "failed_deferred_load": ("load_deferred", LARGE),
}


@pytest.fixture(scope="module")
def scenes(airflow: LocalAirflow, output: UPath, survival: SurvivalTable) -> Iterator[dict[str, LoadScene]]:
    """All runs, each with an org of its own."""
    with ExitStack() as ends:
        made = {}
        for name, (dag_id, rows) in SCENES.items():
            org = ends.enter_context(SimulatedOrg(records={}, bulk_polls=3))
            org.bulk_batch_rows = 10
            made[name] = LoadScene(airflow, name, dag_id, org, output / name)
            made[name].write(*rows)
        between = made["killed_between_parts"]
        between.second_upload = HeldAnswer(between.org, "PUT", "*/batches", nth=2)
        ends.callback(between.second_upload.release)
        made["killed_in_its_results"].org.add_fault(Fault("GET", "*/successfulResults/", delay=600))
        # As often as the first attempt asks; the second one meets none of them, however late it is looked at.
        made["cut_by_503s"].org.add_fault(Fault("GET", INGEST_JOB, times=5, status=503))
        held = json.dumps({"id": "held", "state": "InProgress"})
        for name in ("killed_in_a_job", "failed_in_worker_load", "failed_deferred_load"):
            # After the first look at it, no look brings a job any further.
            made[name].org.add_fault(Fault("GET", INGEST_JOB, nth=2, times=None, status=200, body=held))
        yield begun(made, ends, survival)


def test_a_worker_killed_between_two_parts(scenes: dict[str, LoadScene]) -> None:
    scene = scenes["killed_between_parts"]
    scene.reach(scene.second_upload.is_reached, "the second part is uploaded")
    scene.kill_worker()
    scene.second_upload.release()
    assert scene.states == ["Open", "Open"]

    summary = scene.succeed_once()
    # It is not known what the second one holds. The first has its rows.
    assert scene.states == ["JobComplete", "Aborted", "JobComplete"]
    first, _, third = scene.org.jobs
    assert summary["job_ids"] == [first, third]


def test_a_worker_killed_in_the_middle_of_a_job(scenes: dict[str, LoadScene]) -> None:
    scene = scenes["killed_in_a_job"]
    scene.wait_until_half_done()
    [job] = scene.org.jobs.values()
    assert 0 < job["numberRecordsProcessed"] < 400
    scene.kill_worker()
    scene.org.clear_faults()

    summary = scene.succeed_once()
    assert summary["job_ids"] == list(scene.org.jobs) == [job["id"]]


def test_a_worker_killed_while_it_fetches_results(scenes: dict[str, LoadScene]) -> None:
    scene = scenes["killed_in_its_results"]
    scene.reach(lambda: scene.states == ["JobComplete"] and scene.task["state"] == "running", "the task resumes")
    scene.kill_worker()

    summary = scene.succeed_once()
    assert summary["job_ids"] == list(scene.org.jobs)
    assert len(scene.org.jobs) == 1


def test_a_load_whose_polls_are_cut_by_503s_loads_each_row_once(scenes: dict[str, LoadScene]) -> None:
    scene = scenes["cut_by_503s"]
    summary = scene.succeed_once()
    assert scene.task["try_number"] == 2
    assert summary["job_ids"] == list(scene.org.jobs)
    assert len(scene.org.jobs) == 1


def test_marking_a_running_load_failed_aborts_its_job(scenes: dict[str, LoadScene]) -> None:
    scene = scenes["failed_in_worker_load"]
    scene.wait_until_half_done()
    scene.mark_failed()
    eventually(lambda: scene.states == ["Aborted"], "the job is aborted")
    scene.fail()


def test_marking_a_deferred_load_failed_aborts_its_jobs_and_a_clear_loads_the_rest(
    scenes: dict[str, LoadScene],
) -> None:
    scene = scenes["failed_deferred_load"]
    scene.wait_until_half_done()
    assert scene.task["state"] == "deferred"
    assert scene.states == ["InProgress", "Open"]
    scene.mark_failed()
    eventually(lambda: scene.states == ["Aborted", "Aborted"], "the jobs are aborted")
    scene.fail()
    saved = len(scene.org.rows("Invoice__c"))
    assert 0 < saved < 300

    scene.org.clear_faults()
    scene.clear()
    summary = scene.succeed_once()
    assert scene.states == ["Aborted", "Aborted", "JobComplete", "JobComplete"]
    assert len(summary["job_ids"]) == 4
