"""What changes while a watched DAG is paused. Airflow takes minutes to notice a pause here."""

from __future__ import annotations

import pytest

from airflow_provider_sfjwt.compat.watchers import has_shared_streams
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.processes import poll_until
from tests.local_airflow.stack import LocalAirflow
from tests.system.watching import DAG_ID, looks, told

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not has_shared_streams(), reason="missing: Airflow 3.3, which has shared streams"),
]


def _stands_still(org: SimulatedOrg) -> bool:
    before = looks(org)
    return not poll_until(lambda: looks(org) > before, 12)


def test_what_changes_during_a_pause_starts_a_run_after_it(airflow: LocalAirflow, org: SimulatedOrg) -> None:
    before = len(told(airflow))
    assert poll_until(lambda: _stands_still(org), 180)
    (missed,) = org.insert("Contact", [{"LastName": "While paused"}])
    airflow.unpause(DAG_ID)
    try:
        assert poll_until(lambda: any(missed in each["record_ids"] for each in told(airflow)), 180), told(airflow)
    finally:
        airflow.api("PATCH", f"dags/{DAG_ID}", json={"is_paused": True})
    assert len(told(airflow)) == before + 1
