"""An extract that is killed, cleared or marked while it runs: what becomes of its job in the org, and of its pages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest
from upath import UPath

from airflow_provider_sfjwt.testing import Fault, LoggedRequest, SimulatedOrg
from tests.local_airflow.data_set import DataSet
from tests.local_airflow.processes import ChildProcess, stop_all
from tests.local_airflow.stack import COMPONENTS, LocalAirflow
from tests.system.scenes import FOREVER, JOB, PAGE, RESULTS, ROWS, Scene, begun, eventually
from tests.system.survival import SurvivalTable

pytestmark = pytest.mark.timeout(600)


#: The DAG and the polls that a job takes, in the order in which the tests need them.
SCENES = {
    "killed_in_worker": ("extract_in_worker", 1),
    "killed_after_deferral": ("extract_deferred", 1),
    "failed_in_worker": ("extract_in_worker", FOREVER),
    "failed_at_the_retry": ("extract_in_worker", FOREVER),
    "failed_deferred": ("extract_deferred", FOREVER),
    "cleared_deferred": ("extract_deferred", 1),
    "cleared_success": ("extract_deferred", 1),
    "triggerer_changed": ("extract_deferred", 1),
}


@pytest.fixture(scope="module")
def scenes(airflow: LocalAirflow, output: UPath, survival: SurvivalTable) -> Iterator[dict[str, Scene]]:
    """All runs, each with an org of its own."""
    with ExitStack() as ends:
        made = {}
        for name, (dag_id, polls) in SCENES.items():
            if name == "triggerer_changed" and survival.executor != "LocalExecutor":
                continue  # elsewhere a triggerer is killed: test_lost_processes.py
            org = ends.enter_context(SimulatedOrg(records={}, bulk_page_size=PAGE, bulk_polls=polls))
            org.insert("Account", [{"Name": f"Account {number}"} for number in range(ROWS)])
            made[name] = Scene(airflow, name, dag_id, org, output / name)
        for name in ("killed_in_worker", "killed_after_deferral"):
            # Of six pages three come, and the others hang until the worker is killed.
            made[name].org.add_fault(Fault(method="GET", path=RESULTS, nth=4, times=3, delay=600))
        for name in ("cleared_deferred", "cleared_success", "triggerer_changed"):
            if name in made:
                _hold(made[name].org)
        yield begun(made, ends, survival)


def _hold(org: SimulatedOrg) -> None:
    """Let no look at a job bring it nearer to its end, until the org's faults are cleared."""
    held = json.dumps({"id": "held", "state": "InProgress"})
    org.add_fault(Fault(method="GET", path=JOB, times=None, status=200, body=held))


def pages_asked_for(requests: list[LoggedRequest]) -> Counter[str]:
    """How often each result page was asked for, by its locator."""
    return Counter(each.query for each in requests if each.path.endswith("/results"))


@pytest.mark.parametrize("name", ["killed_in_worker", "killed_after_deferral"])
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
    scene.wait_until_aborted()
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
    scene.wait_until_aborted()
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
    # From 3.4 on Airflow tells a trigger that was handed over from one whose task was touched, and does not ask it.
    endings = ("goes on, since its task is still deferred", "Trigger reassigned to another triggerer")
    eventually(lambda: any(each in scene.trigger_logs() for each in endings), "the first one ends")
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
