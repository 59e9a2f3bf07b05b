from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_provider_sfjwt.compat import AirflowSensorTimeout, AirflowSkipException
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api.bulk_query import create_query_job
from airflow_provider_sfjwt.sensors.bulk_job import SalesforceBulkJobSensor
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from airflow_provider_sfjwt.triggers.bulk_job import SalesforceBulkJobTrigger
from tests.operators.airflow_run import event_of


@pytest.fixture(params=[False, True], ids=["on the worker", "in the triggerer"])
def deferrable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
    return bool(request.param)


@pytest.fixture
def job_id(org: SimulatedOrg) -> str:
    org.bulk_polls = 2
    with SalesforceJwtHook().connect() as connected:
        return connected.run(create_query_job, "SELECT Id FROM Account").ref.id


def waited(job_id: str, **arguments: Any) -> Any:
    defaults = {"task_id": "wait", "poke_interval": 0.05, "timeout": 20}
    task = SalesforceBulkJobSensor(job_id=job_id, **{**defaults, **arguments})
    try:
        return task.execute({})
    except TaskDeferred as deferred:
        arguments = {"event": event_of(deferred.trigger), **(deferred.kwargs or {})}
        return task.resume_execution(deferred.method_name, arguments, {})


def test_the_job_is_waited_for(org: SimulatedOrg, job_id: str, deferrable: bool) -> None:
    job = waited(job_id, deferrable=deferrable)
    assert (job["id"], job["state"], job["numberRecordsProcessed"]) == (job_id, "JobComplete", 25)


def test_in_any_version_of_the_api(org: SimulatedOrg, job_id: str, deferrable: bool) -> None:
    assert waited(job_id, deferrable=deferrable, api_version="66")["state"] == "JobComplete"
    assert any(f"/v66.0/jobs/query/{job_id}" in request.path for request in org.requests)


@pytest.mark.parametrize("state", ["Failed", "Aborted"])
def test_a_job_that_ended_badly_fails_for_good(org: SimulatedOrg, job_id: str, deferrable: bool, state: str) -> None:
    reason = "QUERY_TIMEOUT: the query took too long"
    bad = {"state": state, "errorMessage": reason}
    org.add_fault(Fault(path=f"*/{job_id}", times=None, edit_json=lambda job: {**job, **bad}))
    with pytest.raises(AirflowFailException, match=f"job {job_id} on Account (failed: QUERY_TIMEOUT|was aborted)"):
        waited(job_id, deferrable=deferrable)
    with pytest.raises(AirflowSkipException):
        waited(job_id, deferrable=deferrable, soft_fail=True)


def test_time_is_up(org: SimulatedOrg, job_id: str, deferrable: bool) -> None:
    org.add_fault(Fault(path=f"*/{job_id}", times=None, edit_json=lambda job: {**job, "state": "InProgress"}))
    with pytest.raises(AirflowSensorTimeout):
        waited(job_id, deferrable=deferrable, timeout=0.1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"job_id": "None"}, "job_id: is the text 'None'"),
        ({"job_id": "../limits"}, r"job_id: '../limits' is not the id of a job"),
        ({"job_id": 750}, "job_id: must be text"),
        ({"job_type": "load"}, "job_type: 'load' is not one of query, ingest"),
    ],
)
def test_wrong_arguments_are_named(org: SimulatedOrg, deferrable: bool, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(AirflowFailException, match=said):
        waited(**{"job_id": "7505e0000000001AAA", "deferrable": deferrable, **arguments})
    assert not org.requests


def test_the_job_of_somebody_else_is_never_aborted(org: SimulatedOrg, job_id: str) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        SalesforceBulkJobSensor(task_id="wait", job_id=job_id, deferrable=True).execute({})
    killed = deferred.value.trigger
    assert isinstance(killed, SalesforceBulkJobTrigger)
    asyncio.run(killed.on_kill())
    asyncio.run(killed.cleanup())
    assert not [request for request in org.requests if request.method == "PATCH"]


def test_the_scheduler_may_start_it_in_the_triggerer(org: SimulatedOrg, job_id: str) -> None:
    task = SalesforceBulkJobSensor(task_id="wait", job_id=job_id, poke_interval=0.05, start_from_trigger=True)
    start = task.start_trigger_args
    assert start is not None
    trigger = SalesforceBulkJobTrigger(**start.trigger_kwargs)
    assert all(name in start.trigger_kwargs and hasattr(trigger, name) for name in task.template_fields)
    assert task.resume_execution("execute_complete", {"event": event_of(trigger)}, {})["id"] == job_id
