"""Sessions that do not wait, and answers of real orgs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_sfjwt.salesforce.api.retry import RetryPolicy
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.salesforce.api.clients import Client, settings_of
from tests.salesforce.wire.carriers import CARRIERS


@pytest.fixture
def policy() -> RetryPolicy:
    """Three attempts, always after the longest delay."""
    return RetryPolicy(attempts=3, first_delay=1.0, longest_delay=60.0, jitter=lambda longest: longest)


@pytest.fixture
def session(policy: RetryPolicy) -> Session:
    return Session("66.0", policy)


@pytest.fixture
def recording() -> Callable[[str], bytes]:
    """Reads an answer of a real org; they lie beside the checkout, where at all."""

    def read(name: str) -> bytes:
        folder = os.environ.get("SFJWT_RECORDINGS")
        if not folder:
            missing = pytest.fail if os.environ.get("SFJWT_NO_SKIP") == "1" else pytest.skip
            missing("SFJWT_RECORDINGS names no folder of recorded answers")
        return (Path(str(folder)) / name).read_bytes()

    return read


@pytest.fixture(params=sorted(CARRIERS))
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """A session with a simulated org, ``client.org``, carried by either transport."""
    with SimulatedOrg() as running:
        made = Client(CARRIERS[request.param], settings_of(running))
        made.org = running
        yield made
        made.carrier.close()
