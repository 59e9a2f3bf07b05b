from __future__ import annotations

from typing import Any

import pytest

from tests.operators.load_task import MortalStore
from tests.orgs import changed_org, items_org, private_key, things_org

__all__ = ["changed_org", "items_org", "private_key", "things_org"]


@pytest.fixture
def context() -> dict[str, Any]:
    return {"task_state_store": MortalStore()}


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repetitions of a request wait for real in these tests, so they wait for milliseconds."""
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
