from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk import serde

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api.bulk_ingest import IngestOrder, fill_job
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from airflow_provider_sfjwt.triggers.bulk_load import SalesforceBulkLoadTrigger
from tests.operators.airflow_run import event_of, rebuilt
from tests.triggers.waiting import event_without_a_last_look, needs_on_kill

LEDGER = {
    "0": {"sha256": "abc", "jobs": [{"id": "750", "api_version": "67.0", "rows": 2, "retry": 0, "uploaded": True}]}
}


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedOrg]:
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    with SimulatedOrg(records={}, bulk_polls=2) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running


@pytest.fixture
def jobs(org: SimulatedOrg, tmp_path: Any) -> list[list[str]]:
    """Three jobs that hold two accounts each, and that nobody has begun."""
    file = tmp_path / "part.csv"
    file.write_text("Name\na\nb\n")
    order = IngestOrder("Account", "insert")
    with SalesforceJwtHook().connect() as connected:
        made = [connected.run(fill_job, order, lambda: file.open("rb")) for _ in range(3)]
    return [[job.ref.id, job.ref.api_version] for job in made]


def trigger(jobs: list[list[str]], **arguments: Any) -> SalesforceBulkLoadTrigger:
    defaults = {"salesforce_conn_id": "salesforce_jwt_default", "poll_interval": 0.01, "ledger": LEDGER}
    return SalesforceBulkLoadTrigger(jobs=jobs, **{**defaults, **arguments})


def test_fires_when_all_jobs_have_ended(org: SimulatedOrg, jobs: list[list[str]]) -> None:
    before = org.api_calls
    event = event_of(trigger(jobs, api_calls=7))
    assert (event["status"], event["ledger"]) == ("ended", LEDGER)
    assert event["api_calls"] == 7 + org.api_calls - before
    assert {job["state"] for job in org.jobs.values()} == {"JobComplete"}
    assert len(org.rows("Account")) == 6


def test_so_many_jobs_work_at_a_time_as_the_task_says(org: SimulatedOrg, jobs: list[list[str]]) -> None:
    most = []

    def look(answer: Any) -> Any:
        working = [job for job in org.jobs.values() if job["state"] in ("UploadComplete", "InProgress")]
        most.append(len(working))
        return answer

    org.add_fault(Fault(times=None, edit_json=look))
    assert event_of(trigger(jobs, parallel_jobs=2))["status"] == "ended"
    assert max(most) == 2


def test_a_job_that_was_aborted_has_ended_as_well(org: SimulatedOrg, jobs: list[list[str]]) -> None:
    org.add_fault(Fault("GET", f"*/{jobs[1][0]}", times=None, edit_json=lambda job: {**job, "state": "Aborted"}))
    assert event_of(trigger(jobs))["status"] == "ended"


def test_what_is_stored_survives_airflows_serialization(jobs: list[list[str]]) -> None:
    path, arguments = trigger(jobs, deadline=1.5).serialize()
    assert serde.deserialize(serde.serialize(arguments)) == arguments
    assert rebuilt(trigger(jobs, deadline=1.5)).serialize() == (path, arguments)


def test_what_is_stored_holds_ids_and_no_secret(org: SimulatedOrg, jobs: list[list[str]]) -> None:
    stored = json.dumps(trigger(jobs).serialize())
    assert jobs[0][0] in stored
    assert not any(line in stored for line in org.private_key.splitlines())
    assert org.consumer_key not in stored
    assert org.issue_session() not in stored


def test_another_releases_arguments_do_not_take_down_the_triggerer() -> None:
    assert trigger([], of_a_later_release=True).jobs == []


def test_time_runs_out_in_the_trigger(org: SimulatedOrg, jobs: list[list[str]]) -> None:
    event = event_of(trigger(jobs, deadline=0))
    assert (event["status"], event["retryable"], event["ledger"]) == ("timeout", True, LEDGER)
    assert event["job"]["ids"] == [job_id for job_id, _ in jobs]
    assert {job["state"] for job in org.jobs.values()} == {"Open"}  # none is begun that nobody waits for


def test_time_runs_out_while_an_answer_is_waited_for(org: SimulatedOrg, jobs: list[list[str]]) -> None:
    org.add_fault(Fault(path="*/jobs/ingest/*", times=None, delay=4))
    event = event_without_a_last_look(trigger(jobs, deadline=time.time()))
    ids = [job_id for job_id, _ in jobs]
    assert (event["status"], event["job"], event["retryable"]) == ("timeout", {"id": ids[0], "ids": ids}, True)


def test_errors_travel_as_sentences(org: SimulatedOrg, jobs: list[list[str]]) -> None:
    org.add_fault(Fault("PATCH", status=403, body=b'[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]'))
    event = event_of(trigger(jobs))
    assert (event["status"], event["retryable"], event["ledger"]) == ("error", False, LEDGER)
    assert "INSUFFICIENT_ACCESS" in event["message"]


def test_a_job_that_is_gone_ends_with_the_others(org: SimulatedOrg, jobs: list[list[str]]) -> None:
    event = event_of(trigger([*jobs, ["7505e0000000009AAA", "67.0"]]))
    assert event["status"] == "ended"
    assert {job["state"] for job in org.jobs.values()} == {"JobComplete"}


def test_a_refused_sign_in_is_an_event_too(org: SimulatedOrg, jobs: list[list[str]]) -> None:
    org.user_active = False
    org.expire_sessions()
    event = event_of(trigger(jobs, api_calls=3))
    assert event["status"] == "error"
    assert event["api_calls"] >= 3


@needs_on_kill
async def test_killing_the_task_aborts_the_jobs(org: SimulatedOrg, jobs: list[list[str]]) -> None:
    await trigger(jobs).on_kill()
    assert {job["state"] for job in org.jobs.values()} == {"Aborted"}
    assert org.rows("Account") == []
    await trigger(jobs).on_kill()  # once more does no harm


@needs_on_kill
async def test_a_job_that_cannot_be_aborted_keeps_no_other_running_and_is_named(
    org: SimulatedOrg, jobs: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    stubborn = jobs[0][0]
    refused = b'[{"errorCode":"UNKNOWN_EXCEPTION","message":"not now"}]'
    org.add_fault(Fault("PATCH", f"*/{stubborn}", times=None, status=400, body=refused))
    await trigger(jobs).on_kill()
    assert [org.jobs[job]["state"] for job, _ in jobs] == ["Open", "Aborted", "Aborted"]
    (warning,) = (line for line in capsys.readouterr().out.splitlines() if "could not be aborted" in line)
    assert stubborn in warning


async def test_an_event_is_held_back_until_airflow_is_ready_for_it(org: SimulatedOrg, jobs: list[list[str]]) -> None:
    soon = time.time() + 0.5
    assert [event async for event in trigger(jobs, not_before=soon).run()]
    assert time.time() >= soon
