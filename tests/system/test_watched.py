"""A DAG of a real scheduler starts when something has changed, by a watcher in a real triggerer."""

from __future__ import annotations

import pytest

from airflow_provider_sfjwt.compat.watchers import has_shared_streams
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.processes import poll_until
from tests.local_airflow.stack import LocalAirflow
from tests.system.watching import DAG_ID, EVENTS_DAG_ID, changed, looks, told

pytestmark = pytest.mark.skipif(not has_shared_streams(), reason="missing: Airflow 3.3, which has shared streams")


def test_a_dag_starts_when_something_has_changed(airflow: LocalAirflow, org: SimulatedOrg) -> None:
    airflow.wait_for_dag(DAG_ID)
    airflow.unpause(DAG_ID)
    try:
        assert poll_until(lambda: looks(org) > 1, 120)
        changed(airflow, org, "Watched")
    finally:
        airflow.api("PATCH", f"dags/{DAG_ID}", json={"is_paused": True})


def test_a_dag_starts_when_a_change_event_comes(airflow: LocalAirflow, org: SimulatedOrg) -> None:
    bus = org.start_event_bus("Lead")
    airflow.add_connection("salesforce_events", org.connection_json(pubsub_endpoint=bus.endpoint))
    airflow.wait_for_dag(EVENTS_DAG_ID)
    airflow.unpause(EVENTS_DAG_ID)
    try:
        assert poll_until(lambda: bus.streams > 0, 180)
        (made,) = org.insert("Lead", [{"LastName": "Event", "Company": "Acme"}])
        assert poll_until(lambda: any(made in each["record_ids"] for each in told(airflow, EVENTS_DAG_ID)), 120)
    finally:
        airflow.api("PATCH", f"dags/{EVENTS_DAG_ID}", json={"is_paused": True})
    (event,) = told(airflow, EVENTS_DAG_ID)
    assert (event["change_types"], event["gap"]) == (["CREATE"], None)
