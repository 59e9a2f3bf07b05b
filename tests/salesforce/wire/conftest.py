"""A server, and both transports to reach it with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_sfjwt.salesforce.wire.flow import Renewal
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings
from airflow_provider_sfjwt.testing.oauth.certificates import write_tls_files
from tests.salesforce.wire.carriers import CARRIERS, Carrier
from tests.salesforce.wire.local_server import LocalServer

MakeCarrier = Callable[..., Carrier]
_FROM_ENVIRONMENT = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_TRUST_STORES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine says about proxies and authorities is none of a test's business."""
    for name in _FROM_ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in _TRUST_STORES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=sorted(CARRIERS))
def carry(request: pytest.FixtureRequest) -> Iterator[MakeCarrier]:
    """Makes a carrier: over the worker's transport, and in another run of the test over the triggerer's."""
    made: list[Carrier] = []

    def make(renewal: Renewal | None = None, **settings: object) -> Carrier:
        made.append(CARRIERS[request.param](TransportSettings(**settings), renewal))
        return made[-1]

    yield make
    for carrier in made:
        carrier.close()


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A private authority, and a server's certificate by it."""
    return write_tls_files(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_server(tls_files: tuple[Path, Path]) -> Iterator[LocalServer]:
    with LocalServer(tls_files[1]) as running:
        yield running
