"""Simulated orgs that several folders of tests share; their ``conftest.py`` imports the fixtures that they need."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from airflow_provider_sfjwt.salesforce.auth.token_source import forget_tokens
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.load_task import define_items
from tests.operators.things import define_things

CHANGED = (datetime(2026, 11, 1, tzinfo=timezone.utc), datetime(2026, 11, 11, tzinfo=timezone.utc))


@pytest.fixture(scope="session")
def private_key() -> str:
    """Made once: making a key takes longer than most tests."""
    return SimulatedOrg(records={}).private_key


@pytest.fixture(name="org")
def small_org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    """An org with 25 accounts in pages of 10, and the connection to it."""
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    with SimulatedOrg(
        records={"Account": 25}, rest_page_size=10, bulk_page_size=10, bulk_polls=0, private_key=private_key
    ) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running


@pytest.fixture(name="org")
def changed_org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    """An org with 1,000 accounts, 100 of them changed on each of ten days, in result pages of 300."""
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")  # no supervisor has to notice a deferral
    with SimulatedOrg(
        records={"Account": 1000, "Contact": 5},
        modified_between=CHANGED,
        bulk_page_size=300,
        bulk_polls=0,
        private_key=private_key,
    ) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running


@pytest.fixture
def items_org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    """An org for loads: the object Item__c, without a row, and jobs that are done at the first look."""
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    with SimulatedOrg(records={}, bulk_polls=0, private_key=private_key) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        define_items(running)
        yield running


@pytest.fixture
def things_org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    """An org for loads: the objects Thing__c and Box__c, and a user who may delete for good."""
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
    with SimulatedOrg(records={}, bulk_polls=0, private_key=private_key) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        running.hard_delete_allowed = True
        define_things(running)
        yield running


@pytest.fixture(autouse=True)
def fresh_masker() -> Iterator[None]:
    """Each test starts with a masker that knows no secret: it slows down with every key it learns.

    And without tokens: the port of an earlier org may be this org's, whose token would not be masked again.
    """
    from airflow.sdk._shared.secrets_masker.secrets_masker import _secrets_masker

    yield
    _secrets_masker().reset_masker()
    forget_tokens()
