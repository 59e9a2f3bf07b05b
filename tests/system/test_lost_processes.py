"""A worker, a triggerer and a scheduler that are lost at once while tasks run on them: ``kill -9`` of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest
from upath import UPath

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.local_airflow.executors import WORKERS
from tests.local_airflow.stack import LocalAirflow
from tests.system.load_scenes import INGEST_JOB, SMALL, LoadScene
from tests.system.scenes import JOB, PAGE, RESULTS, ROWS, Scene, begun
from tests.system.survival import SurvivalTable
from tests.system.sync_scenes import QUERY_OF, SyncScene, filled_org, sync_scene

FIRST, SECOND = WORKERS
HELD = json.dumps({"id": "held", "state": "InProgress"})


@pytest.fixture(scope="module")
def scenes(airflow: LocalAirflow, output: UPath, survival: SurvivalTable) -> Iterator[dict[str, Scene]]:
    """All runs, each with an org of its own, each in the middle of its work: on the first worker, or deferred."""
    airflow.kill(SECOND)  # so that the first one gets all tasks
    with ExitStack() as ends:
        made: dict[str, Scene] = {}
        for name, dag_id in (
            ("worker_lost_extract", "extract_in_worker"),
            ("triggerer_lost_extract", "extract_deferred"),
        ):
            org = ends.enter_context(SimulatedOrg(records={}, bulk_page_size=PAGE, bulk_polls=1))
            org.insert("Account", [{"Name": f"Account {number}"} for number in range(ROWS)])
            made[name] = Scene(airflow, name, dag_id, org, output / name)
        made["worker_lost_extract"].org.add_fault(Fault("GET", RESULTS, nth=4, times=3, delay=600))
        made["triggerer_lost_extract"].org.add_fault(Fault("GET", JOB, times=None, status=200, body=HELD))

        org = ends.enter_context(SimulatedOrg(records={}, bulk_polls=3))
        org.bulk_batch_rows = 10
        org.add_fault(Fault("GET", INGEST_JOB, nth=2, times=None, status=200, body=HELD))
        load = made["worker_lost_load"] = LoadScene(
            airflow, "worker_lost_load", "load_in_worker", org, output / "worker_lost_load"
        )
        load.write(*SMALL)

        sync = made["worker_lost_sync"] = sync_scene(
            airflow, "worker_lost_sync", ends.enter_context(filled_org()), output
        )
        sync.org.add_fault(Fault("GET", QUERY_OF.format("Lead"), delay=600))
        yield begun(made, ends, survival)


@pytest.fixture(scope="module")
def lost(airflow: LocalAirflow, scenes: dict[str, Scene]) -> dict[str, Scene]:
    """The scenes, after all that ran them is gone and its like has taken its place."""
    extract, load, sync = (scenes[f"worker_lost_{each}"] for each in ("extract", "load", "sync"))
    assert isinstance(load, LoadScene)
    assert isinstance(sync, SyncScene)
    scenes["triggerer_lost_extract"].wait_until_deferred()
    extract.reach(lambda: len(list(extract.folder.glob("_page-*.json"))) == 3, "half of the pages are finished")
    load.wait_until_half_done()
    sync.reach(lambda: sync.has_begun("Lead"), "the last object's turn comes")
    for scene in (extract, load, sync):
        assert airflow.child(FIRST).pid in {each.pid for each in psutil.Process(scene.task["pid"]).parents()}
    for name in (FIRST, "triggerer", "scheduler"):
        airflow.kill(name)
    for name in (SECOND, "triggerer"):
        airflow.begin(name)
    load.org.clear_faults()
    scenes["triggerer_lost_extract"].org.clear_faults()
    return scenes


def test_another_worker_fetches_the_missing_pages_of_the_same_job(lost: dict[str, Scene]) -> None:
    scene = lost["worker_lost_extract"]
    data = scene.succeed()
    assert scene.task["try_number"] == 2
    assert data.receipt["job_id"] == scene.job["id"]
    results = [each.query for each in scene.org.requests if each.path.endswith("/results")]
    # Three came before; those that hung were asked for by the worker that is gone.
    assert len(set(results)) == ROWS // PAGE


def test_another_worker_loads_each_row_once_by_the_same_job(lost: dict[str, Scene]) -> None:
    scene = lost["worker_lost_load"]
    assert isinstance(scene, LoadScene)
    summary = scene.succeed_once()
    assert scene.task["try_number"] == 2
    assert summary["job_ids"] == list(scene.org.jobs) == [scene.job["id"]]


def test_another_worker_asks_for_the_objects_alone_that_are_missing(lost: dict[str, Scene]) -> None:
    scene = lost["worker_lost_sync"]
    assert isinstance(scene, SyncScene)
    scene.succeed_once()
    assert scene.task["try_number"] == 2
    assert scene.queries() == {"Contact": 1, "Lead": 1}
    assert len(scene.org.jobs) == 1


def test_another_triggerer_waits_for_the_same_job(lost: dict[str, Scene]) -> None:
    scene = lost["triggerer_lost_extract"]
    data = scene.succeed()
    assert scene.task["try_number"] == 1
    assert data.receipt["job_id"] == scene.job["id"]
    assert {each.method for each in scene.org.requests} == {"GET", "POST"}
