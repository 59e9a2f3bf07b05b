"""What a server may cost: every answer ends, and none takes more memory than it may, whichever transport carries it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
import requests

from airflow_provider_sfjwt.exceptions import TransportError
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Body, Request, Response
from airflow_provider_sfjwt.salesforce.wire.pace import Pace, SlowAnswerError, pacing
from airflow_provider_sfjwt.salesforce.wire.settings import LARGEST_ERROR, Limits, TransportSettings
from airflow_provider_sfjwt.salesforce.wire.shared_client import MOST_AT_ONCE
from airflow_provider_sfjwt.salesforce.wire.transport import AsyncTransport, Transport, requests_session
from tests.salesforce.wire.carriers import Carrier
from tests.salesforce.wire.local_server import LocalServer

MakeCarrier = Callable[..., Carrier]
MB = 2**20


def get(carrier: Carrier, url: str) -> Response:
    return carrier.run(flow.send(Request("GET", url)))


def refused(carrier: Carrier, url: str) -> TransportError:
    with pytest.raises(TransportError) as caught:
        get(carrier, url)
    return caught.value


@pytest.mark.attack(
    "a byte now and then, in the headers or in the body",
    before="no end: a timeout counts from one byte to the next",
    after="ends after max_answer_seconds, retryable",
)
@pytest.mark.parametrize("path", ["drip", "dripheader"])
def test_an_answer_ends_however_its_bytes_drip(carry: MakeCarrier, server: LocalServer, path: str) -> None:
    error = refused(carry(timeout=0.3, limits=Limits(answer_seconds=0.3)), f"{server.url}/{path}")
    assert (error.code, error.retryable, error.request_was_sent) == ("too_slow", True, True)
    assert error.said == "its answer was not whole after 0.3 s"
    assert "max_answer_seconds" in error.remedy
    assert server.left.wait(30)


@pytest.mark.attack(
    "a download of a few bytes a second", before="no end", after="ends below 1 kB/s over 60 s, retryable"
)
def test_a_download_that_drips_ends(server: LocalServer) -> None:
    transport = Transport(TransportSettings(limits=Limits(answer_seconds=0.1, slow_seconds=0.3)))
    taken = bytearray()

    def sink(head: Response, body: Body) -> None:
        buffer = memoryview(bytearray(5))
        while count := body.readinto(buffer):
            taken.extend(buffer[:count])

    with pytest.raises(TransportError) as caught:
        transport.run(flow.send(Request("GET", f"{server.url}/drip", sink=sink)))
    transport.close()
    assert (caught.value.code, caught.value.retryable) == ("too_slow", True)
    assert set(taken) == {ord("x")}
    assert server.left.wait(30)


def test_a_session_of_others_counts_nothing_unless_it_is_paced(server: LocalServer) -> None:
    settings = TransportSettings(timeout=0.3, limits=Limits(answer_seconds=0.3))
    session = requests_session(settings)
    assert session.get(f"{server.url}/echo", timeout=5).ok
    with pytest.raises(requests.ConnectionError), pacing(Pace(settings)):
        session.get(f"{server.url}/drip", timeout=5)
    session.close()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_rate_of_a_download_is_judged_over_a_minute_of_waiting_for_bytes() -> None:
    clock = Clock()
    pace = Pace(TransportSettings(), clock)
    pace.stream()
    clock.now = 10_000  # a sink, or an object store behind it, may take its time
    for _ in range(10):
        pace.took(0, 59)
        pace.took(60_000, 1)
    pace.took(59_000, 59)
    with pytest.raises(SlowAnswerError, match=r"^59,000 bytes in 60 s$"):
        pace.took(0, 1)


def test_an_answer_in_memory_has_a_time_in_all() -> None:
    clock = Clock()
    pace = Pace(TransportSettings(timeout=1, limits=Limits(answer_seconds=30)), clock)
    clock.now = 30
    pace.took(1, 30)
    clock.now = 30.5
    with pytest.raises(SlowAnswerError, match="not whole after 30 s"):
        pace.took(10**9, 0)


@pytest.mark.attack(
    "33 triggers whose answers drip", before="others of the connection starve", after="a turn is lent for 15 s"
)
async def test_slow_answers_do_not_keep_the_turns_of_others(server: LocalServer) -> None:
    transport = AsyncTransport(TransportSettings(limits=Limits(turn_seconds=0.2)))
    slow = [
        asyncio.create_task(transport.run(flow.send(Request("GET", f"{server.url}/hang"))))
        for _ in range(MOST_AT_ONCE + 8)
    ]
    answer = await asyncio.wait_for(transport.run(flow.send(Request("GET", f"{server.url}/echo"))), 30)
    assert answer.ok
    assert not any(each.done() for each in slow)
    for each in slow:
        each.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    await transport.close()


async def test_a_slow_host_takes_no_turn_of_another(server: LocalServer) -> None:
    with LocalServer() as other:
        transport = AsyncTransport(TransportSettings(limits=Limits(turn_seconds=600)))
        slow = [
            asyncio.create_task(transport.run(flow.send(Request("GET", f"{server.url}/hang"))))
            for _ in range(MOST_AT_ONCE)
        ]
        assert await asyncio.to_thread(server.arrived.wait, 30)
        answer = await asyncio.wait_for(transport.run(flow.send(Request("GET", f"{other.url}/echo"))), 30)
        assert answer.ok
        for each in slow:
            each.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        await transport.close()


@pytest.mark.attack(
    "a gzip bomb of 3 GB as an answer", before="more than 2.5 GiB of memory", after="ends at max_answer_bytes"
)
def test_a_bomb_ends_at_what_an_answer_may_hold(carry: MakeCarrier, server: LocalServer) -> None:
    error = refused(carry(limits=Limits(answer_bytes=8 * MB)), f"{server.url}/bomb/3072")
    assert (error.code, error.retryable) == ("too_large", False)
    assert error.said == "more than 8,388,608 bytes"
    assert "max_answer_bytes" in error.remedy


@pytest.mark.attack("a plain answer without an end", before="all memory", after="ends at max_answer_bytes")
def test_an_answer_ends_at_what_it_may_hold(carry: MakeCarrier, server: LocalServer) -> None:
    carrier = carry(limits=Limits(answer_bytes=2 * MB))
    assert len(get(carrier, f"{server.url}/plain/2").body) == 2 * MB
    assert refused(carrier, f"{server.url}/plain/3").code == "too_large"


@pytest.mark.parametrize("kind", ["plain", "bomb"])
def test_of_an_error_only_the_beginning_is_kept(carry: MakeCarrier, server: LocalServer, kind: str) -> None:
    answer = get(carry(), f"{server.url}/{kind}/64/500")
    assert (answer.status, len(answer.body)) == (500, LARGEST_ERROR)


@pytest.mark.attack("a gzip bomb as a result page", before="more than 2.5 GiB of memory", after="a little at a time")
def test_a_bomb_is_unpacked_as_a_sink_takes_it(server: LocalServer) -> None:
    transport = Transport(TransportSettings())

    def sink(head: Response, body: Body) -> int:
        buffer = memoryview(bytearray(2**16))
        return sum(body.readinto(buffer) for _ in range(100))

    assert transport.run(flow.send(Request("GET", f"{server.url}/bomb/3072", sink=sink))).sunk == 100 * 2**16
    transport.close()


@pytest.mark.parametrize("after", ["", "0000000000", "ffeedd"])
def test_members_of_gzip_are_one_body_and_padding_is_dropped(
    carry: MakeCarrier, server: LocalServer, after: str
) -> None:
    assert get(carry(), f"{server.url}/members/{after}").body == b"one, two"


@pytest.mark.parametrize("path", ["nozip", "halfzip", "packed/br", "members/1f8b0800"])
def test_what_cannot_be_unpacked_is_not_taken_for_a_body(carry: MakeCarrier, server: LocalServer, path: str) -> None:
    error = refused(carry(), f"{server.url}/{path}")
    assert (error.code, error.retryable) == ("broken", True)


@pytest.mark.parametrize("path", ["nozip", "halfzip", "packed/br", "members/1f8b0800"])
def test_nor_by_a_sink(server: LocalServer, path: str) -> None:
    def sink(head: Response, body: Body) -> None:
        buffer = memoryview(bytearray(1000))
        while body.readinto(buffer):
            pass

    transport = Transport(TransportSettings())
    with pytest.raises(TransportError) as caught:
        transport.run(flow.send(Request("GET", f"{server.url}/{path}", sink=sink)))
    transport.close()
    assert caught.value.code == "broken"


def test_an_unpacked_body_may_say_so(carry: MakeCarrier, server: LocalServer) -> None:
    assert get(carry(), f"{server.url}/packed/identity").body == b"anything"


def test_time_is_up_at_once_for_a_host_that_never_answers(carry: MakeCarrier, server: LocalServer) -> None:
    begun = time.monotonic()
    error = refused(carry(timeout=0.3, limits=Limits(answer_seconds=0.3)), f"{server.url}/hang")
    assert error.code in ("timeout", "too_slow")
    assert time.monotonic() - begun < 20
