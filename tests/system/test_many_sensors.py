"""Two hundred sensors in one triggerer: none holds a worker, and all share one sign-in."""

from __future__ import annotations

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.processes import poll_until
from tests.local_airflow.stack import LocalAirflow

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

#: Runs of a DAG with ten sensors: Airflow gives the triggerer the whole DAG with each.
DAG_ID, RUNS, SENSORS = "many_sensors", 20, 200


def test_two_hundred_sensors_hold_no_worker(airflow: LocalAirflow, org: SimulatedOrg, said: list[str]) -> None:
    for dag_id in (DAG_ID, "beside_sensors"):
        airflow.unpause(dag_id)
    before = len(org.requests)
    for _ in range(RUNS):
        airflow.trigger(DAG_ID)

    def count(state: str) -> int:
        found = airflow.api("GET", f"dags/{DAG_ID}/dagRuns/~/taskInstances", params={"state": state, "limit": "1"})
        return int(found["total_entries"])

    def queries() -> int:
        return sum("/query" in each.path for each in org.requests[before:])

    assert poll_until(lambda: count("deferred") == SENSORS, 600, interval=2), count("deferred")
    assert poll_until(lambda: queries() >= SENSORS, 600, interval=2), queries()
    # A worker is free all the while.
    beside = airflow.trigger("beside_sensors")
    airflow.wait_for_run("beside_sensors", run_id=beside)
    assert count("deferred") == SENSORS
    sign_ins = sum(each.path.endswith("/token") for each in org.requests[before:])
    assert sign_ins <= 1
    org.insert("Task", [{"Subject": "Here"}])
    assert poll_until(lambda: count("success") == SENSORS, 900, interval=2), count("success")
    calls = sum(each.path.startswith("/services/data") for each in org.requests[before:])
    blocked = (airflow.home.logs / "components" / "triggerer.log").read_text(errors="replace").count("was blocked")
    said.append(
        f"{SENSORS} sensors in one triggerer: {sign_ins} sign-in, {calls} API calls, and {blocked} warnings of a blocked "
        "event loop in all that the triggerer did"
    )
