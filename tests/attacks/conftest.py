from __future__ import annotations

from typing import Any

import pytest

from tests.operators.airflow_run import StateStore
from tests.orgs import changed_org, private_key, things_org

__all__ = ["changed_org", "private_key", "things_org"]


@pytest.fixture
def context() -> dict[str, Any]:
    return {"task_state_store": StateStore()}
