"""A fresh process state, an org and a key for each report."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_sfjwt.salesforce.auth.key_pair import KeyPair, make_key_pair
from airflow_provider_sfjwt.salesforce.auth.token_source import forget_tokens
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.salesforce.wire import tls_certificates
from tests.salesforce.wire.tls_certificates import Authority


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    forget_tokens()
    yield
    forget_tokens()


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={}) as running:
        yield running


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    return make_key_pair()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return tls_certificates.authority(tmp_path_factory.mktemp("authority"))
