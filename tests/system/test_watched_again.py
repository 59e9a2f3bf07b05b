"""Watchers that Airflow ends and starts again: for a DAG that was deleted, and for assets that two files name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from airflow_provider_sfjwt.compat.watchers import has_shared_streams
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.processes import poll_until
from tests.local_airflow.stack import LocalAirflow
from tests.system.watching import told

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not has_shared_streams(), reason="missing: Airflow 3.3, which has shared streams"),
]


#: By which the org tells their watchers apart.
VERSIONS = {"Case": "64.0", "Opportunity": "65.0"}


def asked(org: SimulatedOrg, sobject: str) -> int:
    """How often a watcher has looked at an object."""
    return sum(each.path.endswith(f"/v{VERSIONS[sobject]}/composite") for each in org.requests)


def watched(org: SimulatedOrg, sobject: str) -> bool:
    """Whether the object is looked at again."""
    before = asked(org, sobject)
    return poll_until(lambda: asked(org, sobject) > before + 1, 180)


def stands_still(org: SimulatedOrg, sobject: str) -> bool:
    """Whether the object is not looked at for two intervals."""
    before = asked(org, sobject)
    return not poll_until(lambda: asked(org, sobject) > before, 12)


def covered(airflow: LocalAirflow, dag_id: str, record: str) -> bool:
    return any(record in (each["record_ids"] or ()) for each in told(airflow, dag_id))


@pytest.fixture
def start(airflow: LocalAirflow) -> Iterator[Callable[..., None]]:
    """Unpauses DAGs, which are paused at the end."""
    started: list[str] = []

    def unpause(*dag_ids: str) -> None:
        started.extend(dag_ids)
        for dag_id in dag_ids:
            airflow.wait_for_dag(dag_id)
            airflow.unpause(dag_id)

    yield unpause
    for dag_id in started:
        airflow.api("PATCH", f"dags/{dag_id}", json={"is_paused": True})


def test_two_files_may_share_an_asset(airflow: LocalAirflow, org: SimulatedOrg, start: Callable[..., None]) -> None:
    dag_ids = ("on_changed_cases", "also_on_changed_cases")
    start(*dag_ids)
    assert watched(org, "Case")
    (made,) = org.insert("Case", [{"Subject": "Seen by both"}])
    for dag_id in dag_ids:
        assert poll_until(partial(covered, airflow, dag_id, made), 120), told(airflow, dag_id)
        assert sum(made in each["record_ids"] for each in told(airflow, dag_id)) == 1


def test_a_dag_that_was_deleted_and_made_again_sees_what_changes_then(
    airflow: LocalAirflow, org: SimulatedOrg, start: Callable[..., None], said: list[str]
) -> None:
    dag_id = "on_changed_opportunities"
    start(dag_id)
    assert watched(org, "Opportunity")
    (before,) = org.insert("Opportunity", [{"Name": "Before", "StageName": "New", "CloseDate": "2026-12-31"}])
    assert poll_until(lambda: covered(airflow, dag_id, before), 120), told(airflow, dag_id)
    airflow.api("DELETE", f"dags/{dag_id}")
    assert poll_until(lambda: stands_still(org, "Opportunity"), 180)
    (meanwhile,) = org.insert("Opportunity", [{"Name": "Meanwhile", "StageName": "New", "CloseDate": "2026-12-31"}])
    start(dag_id)  # the file was still there, so that Airflow has made the DAG again
    assert watched(org, "Opportunity")
    (after,) = org.insert("Opportunity", [{"Name": "After", "StageName": "New", "CloseDate": "2026-12-31"}])
    assert poll_until(lambda: covered(airflow, dag_id, after), 120), told(airflow, dag_id)
    seen = "seen" if covered(airflow, dag_id, meanwhile) else "not seen"
    said.append(f"A DAG deleted and made again: what changed meanwhile was {seen}")
