from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.orgs import private_key
from tests.sync.syncs import Syncs

__all__ = ["private_key"]


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    with SimulatedOrg(
        records={"Account": 25, "Contact": 30, "Case": 0}, bulk_polls=0, private_key=private_key
    ) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        running.clock_offset = 2  # the sample rows are older than a first run's end
        yield running


@pytest.fixture
def syncs(org: SimulatedOrg, tmp_path: Path) -> Syncs:
    return Syncs(org, tmp_path / "salesforce")
