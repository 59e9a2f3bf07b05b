"""An error tracker that sends the locals of every frame gets no secret, whatever goes wrong and wherever it strikes."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api.org import limits
from airflow_provider_sfjwt.salesforce.auth.token_source import forget_tokens
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.canaries.walk import Walk
from tests.orgs import fresh_masker, private_key, small_org

__all__ = ["fresh_masker", "private_key", "small_org"]

pytestmark = pytest.mark.attack(
    "an error tracker that sends the locals of frames",
    before="key, consumer secret, passphrase, Bearer and assertion in them",
    after="0 canaries",
)
FAULTY: dict[str, dict[str, Any]] = {
    "a wrong timeout": {"http_timeout": "soon"},
    "a needless passphrase": {},
    "a key in the wrong field": {"certificate": "the key"},
    "a key that is cut off": {"private_key": "a part"},
    "a wrong domain": {"instance_domains": "https://acme.com"},
}


def connect(monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg, password: str | None, **extra: Any) -> None:
    known = {"the key": org.private_key, "a part": org.private_key[: len(org.private_key) // 2]}
    secrets = {"consumer_secret": "canary-of-the-app", **extra}
    content = json.loads(org.connection_json(**{name: known.get(str(each), each) for name, each in secrets.items()}))
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", json.dumps(content | {"password": password}))
    forget_tokens()


def walked(org: SimulatedOrg, call: Callable[[], Any], kind: type[BaseException] = SalesforceError) -> Walk:
    lines = [line for line in org.private_key.splitlines() if not line.startswith("-")]
    walk = Walk({f"line {number} of the key": line for number, line in enumerate(lines[:-1])})
    with pytest.raises(kind) as caught:
        call()
    walk.error(caught.value)
    return walk


@pytest.mark.parametrize("extra", FAULTY.values(), ids=FAULTY)
def test_a_connection_with_a_fault(monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg, extra: dict[str, Any]) -> None:
    connect(monkeypatch, org, "canary-passphrase", **extra)
    walk = walked(org, SalesforceJwtHook().limits)
    assert walk.found == []
    assert walk.frames > 3


async def waiting() -> Any:
    async with SalesforceJwtHook().aconnect() as connected:
        return await connected.run(limits)


FAULTS = {
    "the sign-in is refused": Fault(path="*/token", times=None, status=400, body='{"error": "invalid_grant"}'),
    "the sign-in breaks": Fault(path="*/token", times=None, reset=True),
    "a request breaks": Fault(path="*/limits*", times=None, reset=True),
    "an answer is cut": Fault(path="*/limits*", times=None, cut_at=0.5),
    "a request is refused": Fault(path="*/limits*", times=None, status=403, body="[]"),
    "an answer is not JSON": Fault(path="*/limits*", times=None, status=200, body="<html>"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_request_that_fails(monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg, fault: Fault) -> None:
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_ATTEMPTS", "1")
    connect(monkeypatch, org, None)
    org.add_fault(fault)
    for call in (SalesforceJwtHook().limits, lambda: asyncio.run(waiting())):
        walk = walked(org, call)
        assert walk.found == []
        assert walk.frames > 3


@pytest.mark.parametrize("path", ["*/token", "*/limits*"])
def test_a_task_whose_time_is_up_within_a_request(
    monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg, path: str
) -> None:
    """The signal strikes in a frame of the HTTP library, which has the headers and the body bare."""

    def out_of_time(*_: Any) -> None:
        raise AirflowTaskTimeout("execution_timeout")

    connect(monkeypatch, org, None)
    org.add_fault(Fault(path=path, times=None, delay=3))
    previous = signal.signal(signal.SIGALRM, out_of_time)
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    try:
        walk = walked(org, SalesforceJwtHook().limits, AirflowTaskTimeout)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert walk.found == []
    assert walk.frames > 3
