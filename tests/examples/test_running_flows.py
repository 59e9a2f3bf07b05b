from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.examples import running_flows


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={}, daily_api_requests=1000) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running


def test_from_a_thread(org: SimulatedOrg) -> None:
    assert running_flows.calls_left() == 1000 - org.api_calls


async def test_from_an_event_loop(org: SimulatedOrg) -> None:
    assert await running_flows.acalls_left() == 1000 - org.api_calls
