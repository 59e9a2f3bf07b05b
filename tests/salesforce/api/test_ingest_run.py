"""Bulk API 2.0 ingest: jobs that are closed a few at a time and waited for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import BulkJobTimeoutError
from airflow_provider_sfjwt.salesforce.api import ingest_run
from airflow_provider_sfjwt.salesforce.api.bulk_job import Job
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from tests.salesforce.api.ingest_answers import GONE, PAST_IT, ref, said
from tests.salesforce.api.scripted import Script, ok


class Jobs:
    """Salesforce's side of some jobs: each ends at a look of its own."""

    def __init__(self, looks: Sequence[int], states: Sequence[str] = ()) -> None:
        self.looks = dict(enumerate(looks, 1))
        self.states = dict(enumerate(states or ["Open"] * len(looks), 1))
        self.log: list[str] = []
        self.at_once = 0

    def answer(self, method: str, number: int) -> Response:
        self.log.append(f"{method} {number}")
        state = self.states[number]
        if method == "PATCH":
            if state != "Open":
                return PAST_IT
            state = "UploadComplete"
        elif state in ("UploadComplete", "InProgress"):
            self.looks[number] -= 1
            state = "InProgress" if self.looks[number] else "JobComplete"
        self.states[number] = state
        self.at_once = max(self.at_once, [*self.states.values()].count("UploadComplete"), self._running())
        return said(state, number)

    def _running(self) -> int:
        return sum(state in ("UploadComplete", "InProgress") for state in self.states.values())


class Driver(Script):
    """Carries a flow to these jobs, and lets its time pass."""

    def __init__(self, jobs: Jobs, seconds: float = 1e9) -> None:
        super().__init__()
        self.jobs, self.seconds = jobs, seconds

    def _answer(self, request: Any) -> Any:
        self.requests.append(request)
        return self.jobs.answer(request.method, int(request.url.rpartition("750")[2]))

    def remaining(self) -> float:
        return self.seconds - sum(self.slept)


def run(session: Session, driver: Driver, *, parallel_jobs: int = 2, **options: Any) -> list[Job]:
    refs = [ref(number) for number in driver.jobs.states]
    options = {"poll_interval": 30.0, "remaining": driver.remaining, **options}
    return driver.run(ingest_run.run_jobs(session, refs, parallel_jobs=parallel_jobs, **options))


@pytest.mark.parametrize("parallel_jobs", [1, 2, 3, 7])
def test_only_some_jobs_are_processed_at_once_and_all_end(session: Session, parallel_jobs: int) -> None:
    jobs = Jobs([3, 1, 2, 5, 1])
    told: list[str] = []
    ended = run(session, Driver(jobs), parallel_jobs=parallel_jobs, on_progress=lambda job: told.append(job.ref.id))
    assert [job.ref for job in ended] == [ref(number) for number in range(1, 6)]
    assert {job.state for job in ended} == {"JobComplete"}
    assert jobs.at_once == min(parallel_jobs, 5)
    assert [line for line in jobs.log if line.startswith("PATCH")] == [f"PATCH {number}" for number in range(1, 6)]
    assert len(told) == len(jobs.log) == 5 + 12


def test_no_jobs_are_no_work(session: Session) -> None:
    assert run(session, Driver(Jobs([]))) == []


def test_a_job_is_looked_at_less_often_the_longer_it_takes(session: Session) -> None:
    driver = Driver(Jobs([7]))
    run(session, driver, poll_interval=4.0)
    assert driver.slept == [1, 1.5, 2.25, 3.375, 4, 4, 4]


def test_each_job_is_looked_at_in_its_own_time(session: Session) -> None:
    driver = Driver(Jobs([4, 1, 2]))
    run(session, driver)
    # 1: at 1, 2.5, 4.75, 8.125. 2: at 1. 3 is closed at 1, looked at at 2 and 3.5.
    assert driver.slept == [1, 1, 0.5, 1, 1.25, 3.375]
    assert driver.jobs.log == [
        "PATCH 1", "PATCH 2", "GET 1", "GET 2", "PATCH 3", "GET 3", "GET 1", "GET 3", "GET 1", "GET 1",
    ]  # fmt: skip


def test_no_pause_is_no_endless_loop(session: Session) -> None:
    driver = Driver(Jobs([3, 3]))
    run(session, driver, poll_interval=0.0)
    assert driver.slept == [0, 0, 0]


def test_jobs_in_any_state_are_taken_up(session: Session) -> None:
    jobs = Jobs([1, 1, 2, 1, 1], ["JobComplete", "Aborted", "InProgress", "Failed", "Open"])
    ended = run(session, Driver(jobs), parallel_jobs=1)
    assert [job.state for job in ended] == ["JobComplete", "Aborted", "JobComplete", "Failed", "JobComplete"]
    assert jobs.log[-2:] == ["PATCH 5", "GET 5"]


def test_when_time_is_up_all_are_looked_at_once_more_and_the_rest_is_named(session: Session) -> None:
    driver = Driver(Jobs([2, 9, 9, 9]), seconds=3)
    with pytest.raises(BulkJobTimeoutError, match="3 of 4 jobs have not ended.*7502, 7503, 7504; job 7502") as caught:
        run(session, driver)
    assert caught.value.retryable
    assert caught.value.job["id"] == "7502"
    assert caught.value.job["ids"] == ["7502", "7503", "7504"]
    assert driver.slept == [1, 1.5, 0.5]
    assert driver.jobs.log[-2:] == ["GET 2", "GET 3"]
    assert driver.jobs.states[4] == "Open"


def test_the_last_look_may_still_find_the_end(session: Session) -> None:
    driver = Driver(Jobs([2]), seconds=1.2)
    assert run(session, driver)[0].state == "JobComplete"
    assert sum(driver.slept) == pytest.approx(1.2)


def test_no_job_is_begun_when_time_is_up(session: Session) -> None:
    jobs = Jobs([1, 1, 1], ["JobComplete", "InProgress", "Open"])
    with pytest.raises(BulkJobTimeoutError, match="1 of 3 jobs.*7503; job 7503 is still Open"):
        run(session, Driver(jobs, seconds=0))
    assert jobs.log == ["GET 1", "GET 2", "GET 3"]
    jobs = Jobs([1, 1], ["JobComplete", "InProgress"])
    assert len(run(session, Driver(jobs, seconds=0))) == 2


def test_of_many_jobs_some_are_named_and_all_are_kept(session: Session) -> None:
    with pytest.raises(BulkJobTimeoutError, match="12 of 12 jobs.*75010, …;") as caught:
        run(session, Driver(Jobs([9] * 12), seconds=0))
    assert len(caught.value.job["ids"]) == 12


def test_a_job_that_is_gone_is_left_out(session: Session) -> None:
    refs, options = [ref(1), ref(2), ref(3)], {"parallel_jobs": 1, "poll_interval": 1.0, "remaining": lambda: 60.0}
    # The first is gone at the second look, and the second one when it is to be closed.
    script = Script(said("UploadComplete"), GONE, GONE, said("JobComplete"))
    [job] = script.run(ingest_run.run_jobs(session, refs, **options))
    assert job.ref == ref(3)


def test_no_job_is_begun_while_others_run_and_too_few_calls_are_left(session: Session) -> None:
    class Spending(Driver):
        """An org whose calls are used up by the first job, until that has ended."""

        def _answer(self, request: Any) -> Any:
            answer = super()._answer(request)
            session.usage.allowed, session.usage.used = 100, 10 if self.jobs.states[1] == "JobComplete" else 95
            return answer

    session.usage.allowed, session.usage.used = 100, 10
    jobs = Jobs([2, 1])
    ended = run(session, Spending(jobs), min_api_calls_left=50)
    assert [job.state for job in ended] == ["JobComplete", "JobComplete"]
    assert jobs.log == ["PATCH 1", "GET 1", "GET 1", "PATCH 2", "GET 2"]


def test_where_calls_run_out_a_job_is_closed_once_there_are_some_again(session: Session) -> None:
    session.usage.learn(990, 1_000, 0.0)
    jobs = Jobs([1, 1])
    left = iter([10, 200])

    class Limited(Driver):
        def _answer(self, request: Any) -> Any:
            if request.url.endswith("/limits"):
                jobs.log.append("limits")
                return ok({"DailyApiRequests": {"Max": 1_000, "Remaining": next(left)}})
            return super()._answer(request)

    run(session, Limited(jobs), parallel_jobs=1, min_api_calls_left=100)
    assert jobs.log == ["limits", "limits", "PATCH 1", "GET 1", "PATCH 2", "GET 2"]
