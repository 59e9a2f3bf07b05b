"""What changes while a watched DAG is paused for five minutes. Airflow takes a minute more to notice a pause here."""

from __future__ import annotations

import time

import pytest

from airflow_provider_sfjwt.compat.watchers import has_shared_streams
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.processes import poll_until
from tests.local_airflow.stack import LocalAirflow
from tests.system.watching import DAG_ID, changed, looks, told

pytestmark = [
    pytest.mark.skipif(not has_shared_streams(), reason="missing: Airflow 3.3, which has shared streams"),
    pytest.mark.soak,
]
PAUSE = 300.0


def _stands_still(org: SimulatedOrg) -> bool:
    before = looks(org)
    return not poll_until(lambda: looks(org) > before, 12)


@pytest.mark.timeout(0)
def test_what_changes_during_a_pause_starts_a_run_after_it(
    airflow: LocalAirflow, org: SimulatedOrg, said: list[str]
) -> None:
    before = looks(org)
    airflow.unpause(DAG_ID)
    try:
        assert poll_until(lambda: looks(org) > before + 1, 180)
        changed(airflow, org, "Before the pause")
        airflow.api("PATCH", f"dags/{DAG_ID}", json={"is_paused": True})
        assert poll_until(lambda: _stands_still(org), 240)
        fired = len(told(airflow))
        missed = []
        for number in range(3):
            missed += org.insert("Contact", [{"LastName": f"Paused {number}"}])
            time.sleep(PAUSE / 3)
        assert len(told(airflow)) == fired
        airflow.unpause(DAG_ID)
        unpaused = time.monotonic()
        assert poll_until(lambda: len(told(airflow)) > fired, 240), told(airflow)
        seconds = time.monotonic() - unpaused
    finally:
        airflow.api("PATCH", f"dags/{DAG_ID}", json={"is_paused": True})
    event = max(told(airflow), key=lambda each: str(each["until"]))
    assert (len(told(airflow)), set(event["record_ids"])) == (fired + 1, set(missed))
    said.append(
        f"A pause of {PAUSE:.0f} s with {len(missed)} changes: one event with all of them, whose run had ended "
        f"{seconds:.0f} s after the unpausing"
    )
