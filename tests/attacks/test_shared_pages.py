"""Workers that are lost while they fetch a share of the pages, and a group that is killed: whole, and nothing runs on."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.attacks.attempts import Attempt
from tests.attacks.tasks import faults_of_data_set, fetching, files_in, planning
from tests.held_answer import HeldAnswer
from tests.operators.broken_store import BUCKET, broken_store
from tests.operators.shared_group import SharedGroup

RESULTS = "*/results*"


@pytest.fixture
def org(private_key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={"Account": 60}, bulk_page_size=10, bulk_polls=0, private_key=private_key) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running


class Worker:
    """Makes attempts of one task, in processes of their own."""

    def __init__(self, org: SimulatedOrg, home: Path, make: Any, **arguments: Any) -> None:
        home.mkdir()
        self._arguments = (make, arguments, {"AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT": org.connection_json()}, home)
        self._tries = 0

    def attempt(self) -> Attempt:
        self._tries += 1
        return Attempt(*self._arguments, self._tries)


def until(condition: Any, seconds: float = 60) -> None:
    """Wait for something that must come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def fetched(org: SimulatedOrg) -> int:
    return sum("/results?" in request.path or request.path.endswith("/results") for request in org.requests)


@pytest.mark.attack(
    "a worker is lost while it fetches its share of the pages",
    before="no such task",
    after="its share alone is fetched again, without the finished pages; exact, one job, no stray file",
)
def test_a_lost_worker_costs_its_unfinished_page(org: SimulatedOrg, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    group = SharedGroup(folder, shares=2, parallel_pages=1)
    shares = group.plan()
    assert group.fetch(1)["pages"] == 3
    worker = Worker(org, tmp_path / "worker", fetching, path=f"file://{folder}", share=shares[0])
    page = HeldAnswer(org, "GET", RESULTS, nth=2)
    first = worker.attempt()
    page.wait_until_reached()
    first.signal(signal.SIGKILL)
    assert first.ends() == {"killed": True}
    page.release()
    second = worker.attempt().ends()
    assert second.get("result", second)["pages"] == 3
    assert fetched(org) == 7  # 3 of the other share, 1 finished, 1 lost, 2 of the second attempt
    assert group.commit()["records"] == 60
    assert faults_of_data_set(files_in(folder), org) == []
    assert len(org.jobs) == 1


@pytest.mark.attack(
    "a share stops, another attempt fetches it, the data set is published, and the first attempt goes on",
    before="no such task",
    after="the receipt true, no stray file",
)
def test_an_attempt_that_goes_on_after_the_commit_leaves_nothing(org: SimulatedOrg, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    group = SharedGroup(folder, shares=1, parallel_pages=1)
    (share,) = group.plan()
    worker = Worker(org, tmp_path / "worker", fetching, path=f"file://{folder}", share=share)
    page = HeldAnswer(org, "GET", RESULTS, nth=3)
    first = worker.attempt()
    page.wait_until_reached()
    first.signal(signal.SIGSTOP)
    page.release()
    assert group.fetch(0)["pages"] == 6
    assert group.commit()["records"] == 60
    first.signal(signal.SIGCONT)
    ended = first.ends()
    assert "were published" in ended.get("message", ""), ended
    assert faults_of_data_set(files_in(folder), org) == []


@pytest.mark.attack(
    "two attempts of each share are at work at once, on S3, which replaces an object without a word",
    before="no such task",
    after="names of their own, the receipt true, no stray object",
)
def test_two_attempts_of_each_share_on_an_object_store(org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    with broken_store() as store:
        monkeypatch.setenv("AIRFLOW_CONN_SHARED_S3", store.connection)
        group = SharedGroup(f"s3://shared_s3@{BUCKET}/out", parallel_pages=2)
        shares = range(len(group.plan()))
        threads = [threading.Thread(target=group.fetch, args=(share,)) for share in (*shares, *shares)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert group.commit()["records"] == 60
        found = store.client.list_objects_v2(Bucket=BUCKET, Prefix="out/")["Contents"]
        files = {
            each["Key"].rpartition("/")[2]: store.client.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
            for each in found
        }
        assert faults_of_data_set(files, org) == []


@pytest.mark.attack(
    "all tasks of a group are killed while its job runs",
    before="no such task",
    after="no job runs on; the next run is exact",
)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_a_killed_group_leaves_no_job(org: SimulatedOrg, tmp_path: Path, how: signal.Signals) -> None:
    org.bulk_polls = 10**6
    folder = tmp_path / "out"
    worker = Worker(org, tmp_path / "worker", planning, path=f"file://{folder}")
    plan = worker.attempt()
    until(lambda: len(org.jobs) == 1 and org.requests[-1].method == "GET" and "/jobs/query/" in org.requests[-1].path)
    plan.signal(how)
    if how == signal.SIGTERM:
        until(lambda: [job["state"] for job in org.jobs.values()] == ["Aborted"])
    plan.signal(signal.SIGKILL)
    plan.ends()
    group = SharedGroup(folder)
    [(job_id, job)] = org.jobs.items()
    # The plan's XCom, which a process of tests cannot push.
    group.xcoms["big.plan", "salesforce_running_job"] = {"job_id": job_id, "api_version": str(job["apiVersion"])}
    group.abort()
    assert [job["state"] for job in org.jobs.values()] == ["Aborted"]
    assert files_in(folder) == {}
    org.bulk_polls = 0
    assert group.run()["records"] == 60
    assert faults_of_data_set(files_in(folder), org) == []
