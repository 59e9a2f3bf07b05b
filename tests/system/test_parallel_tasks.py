"""Many tasks of one run over one connection: a sign-in each, and nobody's session ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.stack import LocalAirflow, Run

pytestmark = pytest.mark.timeout(600)

DAG_ID = "parallel_tasks"
REFUSAL = "invalid_grant: login rate exceeded"


@pytest.fixture
def limited(org: SimulatedOrg) -> Iterator[SimulatedOrg]:
    """An org that lets two more sign-ins pass in this hour."""
    org.login_rate = org.logins + 2
    yield org
    org.login_rate = None


def run_of(airflow: LocalAirflow, tasks: int) -> Run:
    """A run with so many mapped tasks, that has ended."""
    run_id = airflow.trigger(DAG_ID, conf={"tasks": tasks})
    return airflow.wait_for_run(DAG_ID, run_id=run_id, may_fail=True)


def mapped(airflow: LocalAirflow, run: Run) -> list[dict[str, Any]]:
    return [each for each in airflow.tasks(DAG_ID, run["dag_run_id"]) if each["task_id"] == "count"]


def log_of(airflow: LocalAirflow, task: dict[str, Any], try_number: int) -> str:
    path = f"dags/{DAG_ID}/dagRuns/{task['dag_run_id']}/taskInstances/count/logs/{try_number}"
    answer = airflow.api("GET", path, params={"map_index": task["map_index"], "full_content": "true"})
    return "\n".join(str(each) for each in answer["content"])


def result_of(airflow: LocalAirflow, task: dict[str, Any]) -> Any:
    path = f"dags/{DAG_ID}/dagRuns/{task['dag_run_id']}/taskInstances/count/xcomEntries/return_value"
    params = {"map_index": task["map_index"], "stringify": "false", "deserialize": "false"}
    return airflow.api("GET", path, params=params)["value"]


def test_twenty_tasks_sign_in_twenty_times_and_keep_their_sessions(airflow: LocalAirflow, org: SimulatedOrg) -> None:
    logins, requests, refusals = org.logins, len(org.requests), len(org.login_history)
    run = run_of(airflow, 20)
    assert run["state"] == "success", airflow.log_tails(DAG_ID, run)

    tasks = mapped(airflow, run)
    assert [(each["state"], each["try_number"]) for each in tasks] == [("success", 1)] * 20
    assert org.logins - logins == 20
    assert set(org.login_history[refusals:]) == {"success"}
    seen = org.requests[requests:]
    assert [each for each in seen if "revoke" in each.path] == []
    # A lost session would show as a 401, also where the task got a new one and went on.
    assert {each.status for each in seen} == {200}
    rows = len([row for row in org.rows("Account") if not row["IsDeleted"]])
    assert [result_of(airflow, each) for each in tasks] == [3 * rows] * 20


def test_a_login_rate_ends_the_try_without_a_storm(airflow: LocalAirflow, limited: SimulatedOrg) -> None:
    history = len(limited.login_history)
    run = run_of(airflow, 6)
    assert run["state"] == "failed"

    tasks = mapped(airflow, run)
    failed = [each for each in tasks if each["state"] == "failed"]
    assert Counter(each["state"] for each in tasks) == {"success": 2, "failed": 4}
    assert {each["try_number"] for each in failed} == {2}
    tries = sum(each["try_number"] for each in failed)
    # Who succeeded at the second try was refused at the first one.
    tries += sum(each["try_number"] - 1 for each in tasks if each["state"] == "success")
    assert Counter(limited.login_history[history:]) == {"success": 2, REFUSAL: tries}
    for each in failed:
        for try_number in (1, 2):
            log = log_of(airflow, each, try_number)
            assert "AuthenticationError" in log
            assert "login rate exceeded" in log
            assert "Wait 15 to 30 minutes, and give tasks a long retry_delay" in log
