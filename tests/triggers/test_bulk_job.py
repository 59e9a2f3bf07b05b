from __future__ import annotations

import asyncio
import json
import time

import pytest
from airflow.sdk import serde

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import event_of, rebuilt
from tests.triggers.waiting import event_without_a_last_look, job_id, needs_on_kill, polling_org, trigger

__all__ = ["job_id", "polling_org"]


def test_fires_when_the_job_has_ended(org: SimulatedOrg, job_id: str) -> None:
    event = event_of(trigger(job_id))
    assert (event["status"], event["job_id"], event["api_version"]) == ("ended", job_id, "67.0")
    assert event["job"]["numberRecordsProcessed"] == 25
    assert event["api_calls"] == 3


def test_what_is_stored_survives_airflows_serialization(job_id: str) -> None:
    path, arguments = trigger(job_id, deadline=1.5).serialize()
    assert serde.deserialize(serde.serialize(arguments)) == arguments
    assert rebuilt(trigger(job_id, deadline=1.5)).serialize() == (path, arguments)


def test_what_is_stored_holds_ids_and_no_secret(org: SimulatedOrg, job_id: str) -> None:
    stored = json.dumps(trigger(job_id).serialize())
    assert not any(line in stored for line in org.private_key.splitlines())
    assert org.consumer_key not in stored


def test_another_releases_arguments_do_not_take_down_the_triggerer() -> None:
    assert trigger("750", of_a_later_release=True).job_id == "750"


def test_time_runs_out_in_the_trigger(org: SimulatedOrg, job_id: str) -> None:
    org.add_fault(Fault(path=f"*/{job_id}", times=None, edit_json=lambda job: {**job, "state": "InProgress"}))
    event = event_of(trigger(job_id, deadline=0))
    assert (event["status"], event["job"]["id"], event["retryable"]) == ("timeout", job_id, True)


@pytest.mark.attack(
    "a trigger's answer that never ends",
    before="33 of 33 triggers wait on after their deadline",
    after="a timeout event 10 s after it",
)
def test_time_runs_out_while_an_answer_is_waited_for(org: SimulatedOrg, job_id: str) -> None:
    org.add_fault(Fault(path=f"*/{job_id}", times=None, delay=4))
    event = event_without_a_last_look(trigger(job_id, deadline=time.time()))
    assert (event["status"], event["job"], event["retryable"]) == ("timeout", {"id": job_id}, True)
    assert event["message"].startswith("the time is up, and Salesforce's last answer has not come for 0.2 s")


def test_errors_travel_as_sentences(org: SimulatedOrg) -> None:
    event = event_of(trigger("7505e0000000009AAA"))
    assert (event["status"], event["retryable"]) == ("error", False)
    assert "NOT_FOUND" in event["message"]


def test_so_does_a_connection_that_was_broken_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", '{"conn_type": "salesforce_jwt", "login": "a@acme.com"}')
    event = event_of(trigger("7505e0000000001AAA"))
    assert (event["status"], event["job_id"], event["retryable"]) == ("error", "7505e0000000001AAA", False)
    assert event["api_calls"] == 0
    assert "Private key" in event["message"]


async def test_many_triggers_sign_in_once(org: SimulatedOrg, job_id: str) -> None:
    async def wait() -> None:
        assert [event.payload["status"] async for event in trigger(job_id).run()] == ["ended"]

    logins = org.logins
    await asyncio.gather(*(wait() for _ in range(50)))
    assert org.logins == logins  # the test itself signed in with the same credentials


@needs_on_kill
async def test_killing_the_task_aborts_the_job(org: SimulatedOrg, job_id: str) -> None:
    await trigger(job_id).on_kill()
    assert org.jobs[job_id]["state"] == "Aborted"
    await trigger(job_id).on_kill()  # once more does no harm


@needs_on_kill
async def test_a_job_that_cannot_be_aborted_is_named_in_the_log(
    monkeypatch: pytest.MonkeyPatch, job_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", '{"conn_type": "salesforce_jwt", "login": "a@acme.com"}')
    await trigger(job_id).on_kill()
    assert f"Job {job_id} could not be aborted and may run on: " in capsys.readouterr().out


async def test_an_event_is_held_back_until_airflow_is_ready_for_it(org: SimulatedOrg, job_id: str) -> None:
    soon = time.time() + 0.5
    assert [event async for event in trigger(job_id, not_before=soon).run()]
    assert time.time() >= soon
