"""An extract that is killed, cleared or marked while it runs: what becomes of its job in the org, and of its pages."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pyarrow.parquet
import pytest

from airflow_provider_sfjwt.testing import Fault, LoggedRequest, SimulatedOrg
from tests.local_airflow.data_set import DataSet
from tests.local_airflow.processes import ChildProcess, poll_until, stop_all
from tests.local_airflow.stack import COMPONENTS, LocalAirflow

pytestmark = pytest.mark.timeout(600)

TASK_ID = "extract"
ROWS, PAGE = 600, 100
#: The path of a job itself; ids have 18 characters.
JOB = "*/jobs/query/" + "?" * 18
RESULTS = "*/jobs/query/*/results?locator=*"
#: More polls than any test lasts.
FOREVER = 10**6


def eventually(condition: Callable[[], bool], what: str, seconds: float = 180) -> None:
    """Wait for what must come to hold."""
    assert poll_until(condition, seconds, interval=0.2), f"{what}: not within {seconds:.0f} s"


@dataclass
class Scene:
    """One run of the extract against an org of its own, so that whatever the org has seen is of this run.

    :param name: of the connection, and of the folder of the data set.
    :param dag_id: which of the two DAGs.
    :param org: whose only accounts are the run's.
    :param folder: of the data set.
    """

    airflow: LocalAirflow
    name: str
    dag_id: str
    org: SimulatedOrg
    folder: Path
    run_id: str = field(default="")

    def begin(self) -> None:
        """Start the run."""
        self.airflow.add_connection(self.name, self.org.connection_json())
        self.run_id = self.airflow.trigger(self.dag_id, conf={"conn_id": self.name})

    @property
    def task(self) -> dict[str, Any]:
        """The task instance as the REST API shows it."""
        [task] = self.airflow.tasks(self.dag_id, self.run_id)
        return task

    @property
    def job(self) -> dict[str, Any]:
        """The only job that was ever made in the org."""
        [job] = self.org.jobs.values()
        return job

    def looks(self, job_id: str | None = None) -> int:
        """How often somebody asked how a job is getting on."""
        name = f"/jobs/query/{job_id or self.job['id']}"
        return sum(each.method == "GET" and each.path.endswith(name) for each in self.org.requests)

    def reach(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for what must come to hold before the task has failed."""

        def reached() -> bool:
            if condition():
                return True
            assert self.task["state"] != "failed", self.airflow.log_tails(self.dag_id, {"dag_run_id": self.run_id})
            return False

        eventually(reached, f"{self.name}: {what}")

    def wait_until_deferred(self) -> None:
        """Until the triggerer waits for the job; a trigger that never ran would have nothing to end."""
        self.airflow.wait_for_task(self.dag_id, self.run_id, TASK_ID, "deferred", seconds=180)
        self.reach(lambda: self.looks() > 0, "the trigger looks at the job")

    def wait_until_running(self, try_number: int = 1) -> None:
        """Until a worker waits for the job."""
        self.reach(
            lambda: (self.task["state"], self.task["try_number"]) == ("running", try_number), f"try {try_number} runs"
        )
        looks = self.looks() if self.org.jobs else 0
        self.reach(lambda: bool(self.org.jobs) and self.looks() > looks, "the worker looks at the job")

    def mark_failed(self) -> None:
        """As a user does in the UI."""
        path = f"dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/{TASK_ID}"
        self.airflow.api("PATCH", path, {"new_state": "failed"})

    def clear(self) -> None:
        """As a user does in the UI."""
        order = {"dag_run_id": self.run_id, "task_ids": [TASK_ID], "dry_run": False, "only_failed": False}
        cleared = self.airflow.api("POST", f"dags/{self.dag_id}/clearTaskInstances", order)
        assert cleared["total_entries"] == 1

    def kill_worker(self) -> None:
        """``kill -9`` of the process that runs the task, which must be one of this Airflow's."""
        process = psutil.Process(self.task["pid"])
        assert {each.pid for each in process.parents()} & set(self.airflow.pids)
        process.kill()
        process.wait(30)

    @property
    def triggerer(self) -> int | None:
        """Which triggerer has the trigger, if any."""
        trigger = self.task["trigger"] or {}
        number: int | None = trigger.get("triggerer_id")
        return number

    def hand_over(self, triggerer: int) -> None:
        """What a triggerer does with the triggers of one that was not heard of for 30 s, and that still runs them."""
        with closing(sqlite3.connect(self.airflow.home.database, timeout=60)) as database, database:
            order = "UPDATE trigger SET triggerer_id = ? WHERE id = ?"
            database.execute(order, (triggerer, self.task["trigger"]["id"]))

    def trigger_logs(self) -> str:
        """What the triggers of the task said, in whatever triggerer."""
        folder = self.airflow.home.logs / f"dag_id={self.dag_id}" / f"run_id={self.run_id}"
        return "".join(each.read_text(encoding="utf-8") for each in folder.rglob("*.trigger.*"))

    def link(self) -> str | None:
        """The link to the job, as the UI gets it."""
        path = f"dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/{TASK_ID}/links"
        shown: dict[str, str | None] = self.airflow.api("GET", path)["extra_links"]
        return shown["Salesforce job"]

    def page_of(self, job_id: str) -> str:
        """The address of a job's page under Setup → Bulk Data Load Jobs."""
        return f"{self.org.url}/lightning/setup/AsyncApiJobStatus/page?address={quote('/' + job_id, safe='')}"

    def succeed(self) -> DataSet:
        """Wait for a run that is green, and hold its data set against the org's rows."""
        self.airflow.wait_for_run(self.dag_id, run_id=self.run_id)
        summary = self.airflow.xcom(self.dag_id, self.run_id, TASK_ID)
        data = DataSet.of_receipt(summary["receipt"])
        assert data.folder == self.folder
        # Nothing but the receipt and its parts is left either.
        assert data.check() == ROWS
        assert len(data.parts) == ROWS // PAGE
        rows = [row for part in data.parts for row in pyarrow.parquet.read_table(part).to_pylist()]
        assert rows == [{"Id": row["Id"], "Name": row["Name"]} for row in self.org.rows("Account")]
        return data

    def fail(self) -> None:
        """Wait for a run that is red."""
        run = self.airflow.wait_for_run(self.dag_id, run_id=self.run_id, may_fail=True)
        assert run["state"] == "failed"

    def leave(self) -> None:
        """Let the run not go on behind the tests."""
        run = self.airflow.api("GET", f"dags/{self.dag_id}/dagRuns/{self.run_id}")
        if run["state"] not in ("success", "failed"):
            self.airflow.api("PATCH", f"dags/{self.dag_id}/dagRuns/{self.run_id}", {"state": "failed"})


#: The DAG and the polls that a job takes, in the order in which the tests need them.
SCENES = {
    "killed_in_worker": ("extract_in_worker", 1),
    "killed_behind_deferral": ("extract_deferred", 1),
    "failed_in_worker": ("extract_in_worker", FOREVER),
    "failed_at_the_retry": ("extract_in_worker", FOREVER),
    "failed_deferred": ("extract_deferred", FOREVER),
    "cleared_deferred": ("extract_deferred", 1),
    "cleared_success": ("extract_deferred", 1),
    "triggerer_changed": ("extract_deferred", 1),
}


@pytest.fixture(scope="module")
def scenes(airflow: LocalAirflow, output: Path) -> Iterator[dict[str, Scene]]:
    """All runs, begun at once: while one is looked at, the others come to where they wait."""
    with ExitStack() as ends:
        made = {}
        for name, (dag_id, polls) in SCENES.items():
            org = ends.enter_context(SimulatedOrg(records={}, bulk_page_size=PAGE, bulk_polls=polls))
            org.insert("Account", [{"Name": f"Account {number}"} for number in range(ROWS)])
            made[name] = Scene(airflow, name, dag_id, org, output / name)
        for name in ("killed_in_worker", "killed_behind_deferral"):
            # Of six pages three come, and the others hang until the worker is killed.
            made[name].org.add_fault(Fault(method="GET", path=RESULTS, nth=4, times=3, delay=600))
        for name in ("cleared_deferred", "cleared_success", "triggerer_changed"):
            _hold(made[name].org)
        for scene in made.values():
            scene.begin()
            ends.callback(scene.leave)
        yield made


def _hold(org: SimulatedOrg) -> None:
    """Let no look at a job bring it nearer to its end, until the org's faults are cleared."""
    held = json.dumps({"id": "held", "state": "InProgress"})
    org.add_fault(Fault(method="GET", path=JOB, times=None, status=200, body=held))


def pages_asked_for(requests: list[LoggedRequest]) -> Counter[str]:
    """How often each result page was asked for, by its locator."""
    return Counter(each.query for each in requests if each.path.endswith("/results"))


@pytest.mark.parametrize("name", ["killed_in_worker", "killed_behind_deferral"])
def test_a_retry_of_a_killed_worker_fetches_the_missing_pages_of_the_same_job(
    scenes: dict[str, Scene], name: str
) -> None:
    scene = scenes[name]
    scene.reach(lambda: len(list(scene.folder.glob("_page-*.json"))) == 3, "half of the pages are finished")
    before = scene.org.requests
    scene.kill_worker()
    assert pages_asked_for(before).total() == 3
    assert not (scene.folder / "_receipt.json").exists()

    data = scene.succeed()
    assert scene.task["try_number"] == 2
    assert data.receipt["job_id"] == scene.job["id"]
    asked = pages_asked_for(scene.org.requests)
    assert asked == dict.fromkeys(asked, 1)
    assert len(asked) == 6
    assert scene.link() == scene.page_of(scene.job["id"])


def test_marking_a_running_task_failed_aborts_its_job(scenes: dict[str, Scene]) -> None:
    scene = scenes["failed_in_worker"]
    scene.wait_until_running()
    assert scene.job["state"] == "InProgress"
    assert scene.link() == scene.page_of(scene.job["id"])
    scene.mark_failed()
    eventually(lambda: scene.job["state"] == "Aborted", "the job is aborted")
    scene.fail()
    assert scene.link() == scene.page_of(scene.job["id"])


def test_marking_a_retry_failed_aborts_the_job_that_it_picked_up(scenes: dict[str, Scene]) -> None:
    scene = scenes["failed_at_the_retry"]
    scene.wait_until_running()
    scene.kill_worker()
    scene.wait_until_running(try_number=2)
    assert scene.job["state"] == "InProgress"
    worker = psutil.Process(scene.task["pid"])
    scene.mark_failed()
    eventually(lambda: not worker.is_running(), "the worker ends")
    # A try whose job is aborted by others begins a new one; this one was told to end.
    assert scene.job["state"] == "Aborted"
    scene.fail()


def test_marking_a_deferred_task_failed_aborts_its_job(scenes: dict[str, Scene]) -> None:
    scene = scenes["failed_deferred"]
    scene.wait_until_deferred()
    assert scene.job["state"] == "InProgress"
    scene.mark_failed()
    eventually(lambda: scene.job["state"] == "Aborted", "the job is aborted")
    scene.fail()


def test_clearing_a_deferred_task_leaves_one_live_job(scenes: dict[str, Scene]) -> None:
    scene = scenes["cleared_deferred"]
    scene.wait_until_deferred()
    first = scene.job["id"]
    scene.clear()
    # The new try picks the job up. Whether it is deferred before Airflow ends the old trigger is a matter of luck.
    endings = (f"Job {first} was aborted", f"Job {first} goes on")
    eventually(lambda: any(each in scene.trigger_logs() for each in endings), "the old trigger ends")
    scene.org.clear_faults()
    data = scene.succeed()
    [live] = [job for job in scene.org.jobs.values() if job["state"] != "Aborted"]
    assert live["id"] == data.receipt["job_id"]


@pytest.fixture(scope="module")
def links_of_a_success(scenes: dict[str, Scene]) -> tuple[str | None, str | None, DataSet]:
    """A run that succeeded: its link while it was deferred and afterwards, and its data set."""
    scene = scenes["cleared_success"]
    scene.wait_until_deferred()
    deferred = scene.link()
    scene.org.clear_faults()
    data = scene.succeed()
    return deferred, scene.link(), data


def test_the_job_is_linked_while_the_task_is_deferred_and_afterwards(
    scenes: dict[str, Scene], links_of_a_success: tuple[str | None, str | None, DataSet]
) -> None:
    deferred, afterwards, data = links_of_a_success
    assert deferred == afterwards == scenes["cleared_success"].page_of(data.receipt["job_id"])


def test_clearing_a_task_that_had_succeeded_starts_a_new_job(
    scenes: dict[str, Scene], links_of_a_success: tuple[str | None, str | None, DataSet]
) -> None:
    scene = scenes["cleared_success"]
    _, _, before = links_of_a_success
    first = before.receipt["job_id"]
    scene.org.update("Account", scene.org.rows("Account")[0]["Id"], {"Name": "Renamed"})
    scene.clear()
    after = scene.succeed()
    assert set(scene.org.jobs) == {first, after.receipt["job_id"]}
    assert after.receipt["job_id"] != first
    assert not any(part.exists() for part in before.parts)
    assert scene.link() == scene.page_of(after.receipt["job_id"])


@pytest.fixture
def second_triggerer(airflow: LocalAirflow, scenes: dict[str, Scene]) -> Iterator[tuple[ChildProcess, int]]:
    """Another triggerer of the same Airflow, which the first one has left nothing to do, and its id."""
    scenes["triggerer_changed"].wait_until_deferred()
    before = triggerers(airflow)
    log = airflow.home.logs / "components" / "second_triggerer.log"
    started = ChildProcess("triggerer", airflow.home.command(*COMPONENTS["triggerer"]), env=airflow.home.env, log=log)
    try:
        eventually(lambda: len(triggerers(airflow) - before) == 1, "the second triggerer starts")
        yield started, (triggerers(airflow) - before).pop()
    finally:
        if started.running():
            stop_all([started])


def triggerers(airflow: LocalAirflow) -> set[int]:
    """The triggerers that are alive."""
    jobs = airflow.api("GET", "jobs", params={"job_type": "TriggererJob", "job_state": "running", "is_alive": "true"})
    return {job["id"] for job in jobs["jobs"]}


def test_a_job_is_waited_for_whatever_becomes_of_the_triggerer(
    scenes: dict[str, Scene], second_triggerer: tuple[ChildProcess, int]
) -> None:
    scene = scenes["triggerer_changed"]
    process, second = second_triggerer
    first = scene.triggerer
    scene.hand_over(second)
    # The worker and each triggerer have a token of their own.
    eventually(lambda: scene.org.logins == 3, "the second triggerer waits for the job")
    eventually(lambda: "goes on, since its task is still deferred" in scene.trigger_logs(), "the first one ends")
    stop_all([process])
    eventually(lambda: scene.triggerer == first, "the triggerer that is left takes the trigger")
    looks = scene.looks()
    eventually(lambda: scene.looks() > looks, "the job is waited for again")
    scene.org.clear_faults()
    data = scene.succeed()
    assert data.receipt["job_id"] == scene.job["id"]
    assert scene.task["try_number"] == 1
    # Aborting it would have been a PATCH.
    assert {each.method for each in scene.org.requests} == {"GET", "POST"}
