from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg


@pytest.fixture(scope="module")
def private_key() -> str:
    return SimulatedOrg(records={}).private_key


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    """An org with 25 accounts in pages of 10, and the connection to it."""
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    with SimulatedOrg(
        records={"Account": 25}, rest_page_size=10, bulk_page_size=10, bulk_polls=0, private_key=private_key
    ) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running


@pytest.fixture(autouse=True)
def _fresh_masker() -> Iterator[None]:
    """Each test starts with a masker that knows no secret: it slows down with every key it learns."""
    from airflow.sdk._shared.secrets_masker.secrets_masker import _secrets_masker

    yield
    _secrets_masker().reset_masker()
