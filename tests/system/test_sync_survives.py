"""A sync's group that is killed or marked while it runs: what is read again, and what becomes of its job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from upath import UPath

from airflow_provider_sfjwt.testing import Fault
from tests.local_airflow.stack import LocalAirflow
from tests.system.scenes import JOB, begun, eventually
from tests.system.survival import SurvivalTable
from tests.system.sync_scenes import QUERY_OF, SyncScene, filled_org, sync_scene

SCENES = ("small_killed_sync", "large_marked_failed_sync")


@pytest.fixture(scope="module")
def scenes(airflow: LocalAirflow, output: UPath, survival: SurvivalTable) -> Iterator[dict[str, SyncScene]]:
    """All runs, each with an org of its own."""
    with ExitStack() as ends:
        made = {name: sync_scene(airflow, name, ends.enter_context(filled_org()), output) for name in SCENES}
        made["small_killed_sync"].org.add_fault(Fault("GET", QUERY_OF.format("Lead"), delay=600))
        held = json.dumps({"id": "held", "state": "InProgress"})
        made["large_marked_failed_sync"].org.add_fault(Fault("GET", JOB, times=None, status=200, body=held))
        yield begun(made, ends, survival)


def test_a_killed_task_asks_again_for_the_objects_alone_that_are_missing(scenes: dict[str, SyncScene]) -> None:
    scene = scenes["small_killed_sync"]
    scene.reach(lambda: scene.has_begun("Lead"), "the last object's turn comes")
    assert scene.published_objects() == {"Contact"}
    scene.kill_worker()
    scene.succeed_once()
    assert scene.task["try_number"] == 2
    assert scene.queries() == {"Contact": 1, "Lead": 1}
    assert len(scene.org.jobs) == 1


def test_marking_a_large_window_failed_aborts_its_job_and_a_clear_publishes_it(scenes: dict[str, SyncScene]) -> None:
    scene = scenes["large_marked_failed_sync"]
    path = f"dags/{scene.dag_id}/dagRuns/{scene.run_id}/taskInstances/sync.large/0"
    scene.reach(lambda: bool(scene.org.jobs) and scene.looks() > 0, "the job is looked at")
    eventually(lambda: scene.airflow.api("GET", path)["state"] == "deferred", "the window waits for its job")
    scene.airflow.api("PATCH", path, {"new_state": "failed"})
    scene.wait_until_aborted()
    scene.fail()
    assert scene.published_objects() == {"Contact", "Lead"}
    assert not (scene.folder / "_lease.json").exists()

    scene.org.clear_faults()
    tasks = {"dag_run_id": scene.run_id, "dry_run": False, "only_failed": True}
    scene.airflow.api("POST", f"dags/{scene.dag_id}/clearTaskInstances", tasks)
    scene.succeed_once()
    assert [job["state"] for job in scene.org.jobs.values()] == ["Aborted", "JobComplete"]
    assert scene.queries() == {"Contact": 1, "Lead": 1}
