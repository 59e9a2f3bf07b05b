from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.airflow_run import StateStore
from tests.orgs import fresh_masker, private_key, things_org

__all__ = ["fresh_masker", "private_key", "things_org"]


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    """An org with an account, a contact of it, a task about both, and an opportunity."""
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
    records = {"Account": 25, "Task": 0, "Case": 0, "Opportunity": 1}
    with SimulatedOrg(records=records, rest_page_size=10, bulk_polls=0, private_key=private_key) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        account = running.rows("Account")[0]["Id"]
        [contact] = running.insert("Contact", [{"LastName": "Noether", "AccountId": account, "Title": "Dr"}])
        running.insert(
            "Task", [{"Subject": "Call", "Status": "Open", "WhoId": contact, "WhatId": account}, {"Subject": "Email"}]
        )
        running.insert("Case", [{"Status": "Working", "Subject": "a", "AccountId": account}])
        yield running


@pytest.fixture
def context() -> dict[str, Any]:
    return {"task_state_store": StateStore()}
