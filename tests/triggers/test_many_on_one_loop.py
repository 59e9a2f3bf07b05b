"""Many triggers in one triggerer: they sign in once, and keep the event loop that they share free."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_sfjwt.compat.watchers import has_shared_streams
from airflow_provider_sfjwt.testing import SimulatedOrg
from airflow_provider_sfjwt.triggers.query import SalesforceQueryTrigger
from tests.random_tests import SOAK
from tests.triggers.busy_loop import LONGEST, busy_loop

TOKEN = "/services/oauth2/token"
MANY = 200
SENSORS = MANY if SOAK else 50


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedOrg]:
    """An org without records."""
    with SimulatedOrg(records={}) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running


def sign_ins(org: SimulatedOrg) -> int:
    return sum(request.path == TOKEN for request in org.requests)


async def _fired(number: int) -> dict[str, Any]:
    waiting = SalesforceQueryTrigger(
        f"SELECT Id FROM Account WHERE Name != '{number}'", "salesforce_jwt_default", poll_interval=1
    )
    event = await anext(waiting.run())
    payload: dict[str, Any] = event.payload
    return payload


@pytest.mark.soak
async def test_many_sensors_wait_on_one_loop_with_one_sign_in(org: SimulatedOrg) -> None:
    with busy_loop() as busy:
        waiting = [asyncio.create_task(_fired(number)) for number in range(SENSORS)]
        while sum("/query" in request.path for request in org.requests) < 2 * SENSORS:  # noqa: ASYNC110 - the org runs on threads
            await asyncio.sleep(0.05)
        assert not any(each.done() for each in waiting)
        org.insert("Account", [{"Name": "Acme"}])
        payloads = await asyncio.gather(*waiting)
    assert {each["status"] for each in payloads} == {"rows"}
    assert sign_ins(org) == 1
    assert busy.longest < LONGEST, busy.where


@pytest.mark.soak
@pytest.mark.skipif(not has_shared_streams(), reason="missing: Airflow 3.3, which has shared streams")
async def test_many_watched_objects_take_one_stream_with_one_sign_in(
    org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tests.triggers.watching.triggerer import Polled, States, triggerer

    monkeypatch.setattr(Polled, "states", States())
    objects = ("Account", "Contact", "Lead", "Case", "Opportunity")
    watchers = [
        Polled(f"salesforce://crm/{number}/changes", objects[number % len(objects)], poll_interval=5)
        for number in range(MANY)
    ]

    def looks() -> int:
        return sum(request.path.endswith("/composite") for request in org.requests)

    with busy_loop() as busy, caplog.at_level(logging.WARNING):
        async with triggerer() as running:
            running.start(*watchers)
            await running.until(lambda: looks() >= MANY / 5, 60)
            await running.until(lambda: len(Polled.states.values) == MANY, 60)
            assert looks() == MANY / 5
            org.insert("Lead", [{"LastName": "New", "Company": "Acme"}])
            events = await running.events_of(MANY // len(objects))
            assert {each["sobject"] for each in events} == {"Lead"}
            assert running.ended == []
    assert looks() == 2 * MANY / 5
    assert sign_ins(org) == 1
    assert busy.longest < LONGEST, busy.where
    assert not caplog.records
