"""A killed trigger aborts its job, unless its task is deferred still: Airflow kills triggers that it hands over too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse, GetTaskStates, TaskStatesResult

from airflow_provider_sfjwt.testing import SimulatedOrg
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
        ({"run": {"load": "deferred"}}, False),
        ({"run": {"load": "failed"}}, True),
        ({"run": {"load": None}}, True),
        ({}, True),
        (None, True),
    ],
    ids=["deferred", "failed", "cleared", "gone", "cannot be told"],
)
async def test_only_a_job_that_nobody_waits_for_is_aborted(
    monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg, job_id: str, states: dict[str, Any] | None, aborted: bool
) -> None:
    monkeypatch.setattr("airflow.sdk.execution_time.task_runner.SUPERVISOR_COMMS", Supervisor(states), raising=False)
    killed = trigger(job_id)
    killed.task_instance = SimpleNamespace(dag_id="dag", task_id="load", run_id="run", map_index=-1)
    await killed.on_kill()
    assert (org.jobs[job_id]["state"] == "Aborted") == aborted
