"""A trigger that waits for a job, and the org that runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_sfjwt.compat import has_trigger_on_kill
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api.bulk_query import create_query_job
from airflow_provider_sfjwt.testing import SimulatedOrg
from airflow_provider_sfjwt.triggers.bulk_job import SalesforceBulkJobTrigger
from airflow_provider_sfjwt.triggers.org_trigger import OrgTrigger

#: Before Airflow 3.3 a trigger learns of its task's end otherwise: see tests/compat/test_killed_triggers.py.
needs_on_kill = pytest.mark.skipif(not has_trigger_on_kill(), reason="missing: Airflow 3.3, which calls on_kill")


@pytest.fixture(name="org")
def polling_org(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedOrg]:
    """An org with 25 accounts, whose jobs are done at the third look."""
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    with SimulatedOrg(records={"Account": 25}, bulk_polls=2) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running


@pytest.fixture
def job_id(org: SimulatedOrg) -> str:
    """A job that has just been created."""
    with SalesforceJwtHook().connect() as connected:
        return connected.run(create_query_job, "SELECT Id FROM Account").ref.id


def trigger(job_id: str, **arguments: Any) -> SalesforceBulkJobTrigger:
    """A trigger that waits for a job, with short pauses."""
    defaults = {"salesforce_conn_id": "salesforce_jwt_default", "api_version": "67.0", "poll_interval": 0.01}
    return SalesforceBulkJobTrigger(job_id=job_id, **{**defaults, **arguments})


async def _first_event(waiting: OrgTrigger) -> dict[str, Any]:
    event = await anext(waiting.run())
    payload: dict[str, Any] = event.payload
    return payload


def event_without_a_last_look(waiting: OrgTrigger) -> dict[str, Any]:
    """What a trigger fires that waits no longer than a fifth of a second for Salesforce's last answer."""
    waiting.last_look = 0.2
    return asyncio.run(_first_event(waiting))
