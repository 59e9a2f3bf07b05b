"""A DAG that is scheduled on a watched asset, in a running Airflow."""

from __future__ import annotations

from typing import Any

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.processes import poll_until
from tests.local_airflow.stack import LocalAirflow

DAG_ID, EVENTS_DAG_ID = "on_changed_contacts", "on_lead_events"


def told(airflow: LocalAirflow, dag_id: str = DAG_ID) -> list[dict[str, Any]]:
    """The payloads that the runs so far were started with."""
    ended = [run for run in airflow.runs(dag_id) if run["state"] == "success"]
    return [each for run in ended for each in airflow.xcom(dag_id, run["dag_run_id"], "payloads")]


def looks(org: SimulatedOrg) -> int:
    """How often the watcher has looked."""
    return sum(request.path.endswith("/composite") for request in org.requests)


def changed(airflow: LocalAirflow, org: SimulatedOrg, name: str) -> None:
    """Change something, and wait for a run that was started by it."""
    (made,) = org.insert("Contact", [{"LastName": name}])
    assert poll_until(lambda: any(made in each["record_ids"] for each in told(airflow)), 120), told(airflow)
