"""Fixtures for tests of your own DAGs.

Put ``pytest_plugins = ["airflow_provider_sfjwt.testing.pytest_plugin"]`` into your ``conftest.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_sfjwt.testing.org import SimulatedOrg

__all__ = ["salesforce_jwt_connection", "simulated_org"]


@pytest.fixture
def simulated_org() -> Iterator[SimulatedOrg]:
    """A running org with a few sample rows, new for each test."""
    with SimulatedOrg() as org:
        yield org


@pytest.fixture
def salesforce_jwt_connection(simulated_org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> SimulatedOrg:
    """The org, with the connection ``salesforce_jwt_default`` in this test's environment."""
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", simulated_org.connection_json())
    return simulated_org
