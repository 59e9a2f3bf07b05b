"""A killed trigger aborts its job, unless its task is deferred still: Airflow kills triggers that it hands over too.

Airflow says so by ``on_kill``, and before 3.3 by ``cleanup``, which also comes when a triggerer ends. So there a job is
aborted only where the task is known not to be deferred.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse, GetTaskStates, TaskStatesResult

from airflow_provider_sfjwt.compat import discards_task_state_on_clear, has_trigger_on_kill
from airflow_provider_sfjwt.testing import SimulatedOrg
from airflow_provider_sfjwt.triggers.bulk_load import SalesforceBulkLoadTrigger
from tests.triggers.waiting import job_id, polling_org, trigger

__all__ = ["job_id", "polling_org"]


class Supervisor:
    """What the triggerer asks for the states of tasks."""

    def __init__(self, states: dict[str, Any] | None) -> None:
        self._states = states

    def send(self, msg: Any) -> TaskStatesResult:
        asked = GetTaskStates(dag_id="dag", task_ids=["load"], run_ids=["run"], map_index=-1)
        assert msg == asked
        if self._states is None:
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.GENERIC_ERROR))
        return TaskStatesResult(task_states=self._states)


@pytest.mark.parametrize(
    ("states", "aborted"),
    [
        ({"run": {"load": "deferred"}}, discards_task_state_on_clear()),
        ({"run": {"load": "failed"}}, True),
        ({"run": {"load": None}}, True),
        ({}, True),
        (None, has_trigger_on_kill()),
    ],
    ids=["deferred", "failed", "cleared", "gone", "cannot be told"],
)
async def test_only_a_job_that_nobody_waits_for_is_aborted(
    monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg, job_id: str, states: dict[str, Any] | None, aborted: bool
) -> None:
    monkeypatch.setattr("airflow.sdk.execution_time.task_runner.SUPERVISOR_COMMS", Supervisor(states), raising=False)
    killed = trigger(job_id)
    killed.task_instance = SimpleNamespace(dag_id="dag", task_id="load", run_id="run", map_index=-1)
    await (killed.on_kill if has_trigger_on_kill() else killed.cleanup)()
    assert (org.jobs[job_id]["state"] == "Aborted") == aborted


async def test_jobs_of_a_load_go_on_while_their_task_is_deferred_since_a_clear_forgets_no_ledger(
    monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg, job_id: str
) -> None:
    comms = Supervisor({"run": {"load": "deferred"}})
    monkeypatch.setattr("airflow.sdk.execution_time.task_runner.SUPERVISOR_COMMS", comms, raising=False)
    killed = SalesforceBulkLoadTrigger("salesforce_jwt_default", [[job_id, "67.0"]])
    killed.task_instance = SimpleNamespace(dag_id="dag", task_id="load", run_id="run", map_index=-1)
    await (killed.on_kill if has_trigger_on_kill() else killed.cleanup)()
    assert not [request for request in org.requests if request.method == "PATCH"]


async def test_a_trigger_that_fired_leaves_its_job_alone(org: SimulatedOrg, job_id: str) -> None:
    fired = trigger(job_id)
    assert [event.payload["status"] async for event in fired.run()] == ["ended"]
    asked = len(org.requests)
    await fired.cleanup()
    assert len(org.requests) == asked
    assert org.jobs[job_id]["state"] == "JobComplete"


async def test_a_trigger_without_a_task_is_killed_by_a_user_where_airflow_says_so(
    org: SimulatedOrg, job_id: str
) -> None:
    killed = trigger(job_id)
    killed.task_instance = None
    await (killed.on_kill if has_trigger_on_kill() else killed.cleanup)()
    assert (org.jobs[job_id]["state"] == "Aborted") == has_trigger_on_kill()
