"""Who shares a token, when it is replaced, and how long a failed sign-in is remembered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import AuthenticationError, SalesforceError, TransportError
from airflow_provider_sfjwt.salesforce.auth.credentials import Credentials, read_connection
from airflow_provider_sfjwt.salesforce.auth.diagnosis import OUTAGE_MEMORY, RATE_LIMIT_MEMORY, REFUSAL_MEMORY
from airflow_provider_sfjwt.salesforce.auth.token import Token
from airflow_provider_sfjwt.salesforce.auth.token_source import TokenSource, forget_tokens, token_in_use
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Flow
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings
from airflow_provider_sfjwt.salesforce.wire.transport import AsyncTransport, Transport
from airflow_provider_sfjwt.testing.oauth.certificates import shared_private_key

REFUSED = AuthenticationError(code="invalid_grant", description="user hasn't approved this consumer", hint="approve")
INTEGRATION = AuthenticationError(code="invalid_grant", description="no such integration", hint="mend")
RATE = AuthenticationError(code="invalid_grant", description="Login Rate Exceeded", hint="wait", retryable=True)
RATE_CODE = AuthenticationError(code="rate_limit_exceeded", description="later", hint="wait", retryable=True)
OUTAGE = TransportError("login.salesforce.com: no answer in time", request_was_sent=True)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    forget_tokens()
    yield
    forget_tokens()


@pytest.fixture(scope="module")
def credentials() -> Credentials:
    extra = {"consumer_key": "3MVG9abc", "private_key": shared_private_key()}
    return read_connection(login="user@acme.com", password=None, host=None, port=None, extra=extra).credentials


class SignIns:
    """An exchange that counts, and fails while ``fault`` is set. The clock is ``now``."""

    def __init__(self) -> None:
        self.count = 0
        self.now = 1000.0
        self.fault: SalesforceError | None = None

    def clock(self) -> float:
        return self.now

    def exchange(self) -> Flow[Token]:
        self.count += 1
        yield from flow.pause(0.01)  # lets others come in between, were they not kept out
        if self.fault is not None:
            raise self.fault
        return Token(f"token-{self.count}", "https://acme.my.example.com")

    def source(self, credentials: Credentials, **options: Any) -> TokenSource:
        return TokenSource(credentials, self.exchange, clock=self.clock, **options)


def renew(source: TokenSource, stale: Token | None = None) -> str:
    token: Token = Transport(TransportSettings(), source, sleep=lambda seconds: None).run(flow.renew(stale))
    return token.value


def test_a_process_shares_a_token_among_equal_credentials(credentials: Credentials) -> None:
    ours = SignIns()
    equal = replace(credentials, consumer_secret="of no matter")
    assert [renew(ours.source(each)) for each in (credentials, credentials, equal)] == ["token-1"] * 3
    assert renew(ours.source(replace(credentials, username="other@acme.com"))) == "token-2"
    assert renew(ours.source(replace(credentials, audience="https://test.salesforce.com"))) == "token-3"


def test_each_new_token_is_announced_once(credentials: Credentials) -> None:
    ours, announced = SignIns(), []

    async def aannounce(token: Token) -> None:
        announced.append(f"{token.value} in a loop")

    source = ours.source(credentials, announce=lambda token: announced.append(token.value), aannounce=aannounce)
    renew(source)
    renew(source)
    transport = AsyncTransport(TransportSettings(), source)
    asyncio.run(transport.run(flow.renew(source.alive(None))))
    assert announced == ["token-1", "token-2 in a loop"]


def test_a_source_may_keep_its_token_to_itself(credentials: Credentials) -> None:
    ours = SignIns()
    assert renew(ours.source(credentials)) == "token-1"
    assert renew(ours.source(credentials, shared=False)) == "token-2"
    assert renew(ours.source(credentials)) == "token-1"


def test_the_token_in_use_is_known_without_a_sign_in(credentials: Credentials) -> None:
    ours = SignIns()
    assert token_in_use(credentials) is None
    assert ours.count == 0
    renew(ours.source(credentials))
    found = token_in_use(credentials)
    assert found is not None
    assert (found.value, ours.count) == ("token-1", 1)


def test_forgotten_tokens_are_made_anew(credentials: Credentials) -> None:
    ours = SignIns()
    assert renew(ours.source(credentials)) == "token-1"
    forget_tokens()
    assert renew(ours.source(credentials)) == "token-2"


def test_a_stale_token_is_replaced_once(credentials: Credentials) -> None:
    ours = SignIns()
    source = ours.source(credentials)
    renew(source)
    dead = source.alive(None)
    assert renew(source, dead) == "token-2"
    assert renew(source, dead) == "token-2"
    assert renew(source) == "token-2"


@pytest.mark.parametrize(("age", "value"), [(1799, "token-1"), (1800, "token-2")])
def test_a_token_of_great_age_is_replaced_where_asked(credentials: Credentials, age: float, value: str) -> None:
    ours = SignIns()
    source = ours.source(credentials, max_age=1800)
    renew(source)
    ours.now += age
    assert renew(source) == value
    assert renew(ours.source(credentials)) == value


def fails(source: TokenSource, stale: Token | None = None) -> SalesforceError:
    with pytest.raises(SalesforceError) as caught:
        renew(source, stale)
    return caught.value


@pytest.mark.parametrize(
    ("fault", "memory"),
    [
        (REFUSED, REFUSAL_MEMORY),
        (INTEGRATION, REFUSAL_MEMORY),
        (RATE, RATE_LIMIT_MEMORY),
        (RATE_CODE, RATE_LIMIT_MEMORY),
        (OUTAGE, OUTAGE_MEMORY),
    ],
    ids=lambda value: getattr(value, "description", str(value)),
)
@pytest.mark.parametrize("asker", ["trigger", "thread with a dead session"])
def test_a_failed_sign_in_is_remembered_for_a_while(
    credentials: Credentials, fault: SalesforceError, memory: float, asker: str
) -> None:
    ours = SignIns()
    source = ours.source(credentials, max_age=1800 if asker == "trigger" else None)
    stale = None if asker == "trigger" else Token("dead", "https://acme.my.example.com")
    ours.fault = fault
    assert str(fails(source, stale)) == str(fault)
    ours.now += memory - 1
    again = fails(source, stale)
    assert (type(again), str(again), again.retryable) == (type(fault), str(fault), fault.retryable)
    assert ours.count == 1
    ours.now += 1
    ours.fault = None
    assert renew(source, stale) == "token-2"


def test_a_new_task_asks_again_after_a_refusal(credentials: Credentials) -> None:
    ours = SignIns()
    ours.fault = REFUSED
    fails(ours.source(credentials))
    ours.fault = None
    assert renew(ours.source(credentials)) == "token-2"


def test_a_refusal_forgets_the_token_that_it_ends(credentials: Credentials) -> None:
    ours = SignIns()
    source = ours.source(credentials)
    renew(source)
    ours.fault = REFUSED
    fails(source, source.alive(None))
    assert source.alive(None) is None


def threads_meet(renew_one: Callable[[threading.Barrier], Any]) -> list[Any]:
    barrier = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        return [each.result() for each in [pool.submit(renew_one, barrier) for _ in range(4)]]


@pytest.mark.parametrize("fault", [None, REFUSED, OUTAGE], ids=["works", "refused", "unreachable"])
def test_four_threads_that_meet_one_dead_session_sign_in_once(
    credentials: Credentials, fault: SalesforceError | None
) -> None:
    ours = SignIns()
    transport = Transport(TransportSettings(), ours.source(credentials))
    dead = transport.run(flow.renew())
    ours.fault = fault

    def meet(barrier: threading.Barrier) -> str:
        barrier.wait(30)
        try:
            return str(transport.run(flow.renew(dead)).value)
        except SalesforceError as error:
            return str(error)

    assert threads_meet(meet) == ["token-2" if fault is None else str(fault)] * 4
    assert ours.count == 2


@pytest.mark.parametrize("fault", [None, REFUSED, OUTAGE], ids=["works", "refused", "unreachable"])
def test_fifty_tasks_that_meet_one_dead_session_sign_in_once(
    credentials: Credentials, fault: SalesforceError | None
) -> None:
    ours = SignIns()

    async def meet() -> list[Any]:
        transport = AsyncTransport(TransportSettings(), ours.source(credentials, max_age=1800))
        dead = await transport.run(flow.renew())
        ours.fault = fault
        ended = await asyncio.gather(*(transport.run(flow.renew(dead)) for _ in range(50)), return_exceptions=True)
        await transport.close()
        return ended

    ended = asyncio.run(meet())
    assert [getattr(each, "value", str(each)) for each in ended] == ["token-2" if fault is None else str(fault)] * 50
    assert ours.count == 2


def test_a_token_outlives_the_event_loop_that_made_it(credentials: Credentials) -> None:
    ours = SignIns()

    async def meet(stale: Token | None) -> list[Token]:
        transport = AsyncTransport(TransportSettings(), ours.source(credentials))
        tokens = await asyncio.gather(*(transport.run(flow.renew(stale)) for _ in range(3)))
        await transport.close()
        return tokens

    first = asyncio.run(meet(None))
    second = asyncio.run(meet(first[0]))
    assert [token.value for token in first + second] == ["token-1"] * 3 + ["token-2"] * 3
