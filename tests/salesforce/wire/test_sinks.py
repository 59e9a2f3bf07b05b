"""Bodies that a worker takes as they arrive, and that an event loop refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from airflow_provider_sfjwt.exceptions import TransportError
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Body, Flow, Request, Response, Sink
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings
from airflow_provider_sfjwt.salesforce.wire.transport import AsyncTransport, Transport
from tests.salesforce.wire.local_server import LocalServer


@pytest.fixture
def worker() -> Iterator[Transport]:
    transport = Transport(TransportSettings(timeout=0.5))
    yield transport
    transport.close()


class Collector:
    """A sink that begins anew each time it is called, in small bites."""

    def __init__(self, bite: int = 7) -> None:
        self.attempts: list[bytearray] = []
        self.heads: list[Response] = []
        self._bite = bite

    def __call__(self, head: Response, body: Body) -> bytes:
        self.heads.append(head)
        self.attempts.append(bytearray())
        buffer = bytearray(self._bite)
        while size := body.readinto(memoryview(buffer)):
            self.attempts[-1] += buffer[:size]
        return bytes(self.attempts[-1])


def twice(request: Request) -> Flow[Response]:
    try:
        return (yield from flow.send(request))
    except TransportError:
        return (yield from flow.send(request))


def test_a_sink_takes_the_decoded_body(worker: Transport, server: LocalServer) -> None:
    sink = Collector()
    answer = worker.run(flow.send(Request("GET", f"{server.url}/gzip", sink=sink)))
    assert answer.sunk == b"squeezed " * 1000
    assert (answer.status, answer.body) == (200, b"")
    assert (sink.heads[0].status, sink.heads[0].headers["content-encoding"]) == (200, "gzip")


def test_a_sink_begins_anew_for_every_attempt(worker: Transport, server: LocalServer) -> None:
    sink = Collector()
    answer = worker.run(twice(Request("GET", f"{server.url}/cutonce", sink=sink)))
    assert answer.sunk == b"whole"
    assert [bytes(each) for each in sink.attempts] == [b"only this", b"whole"]


@pytest.mark.parametrize("path", ["cut", "chunkcut", "nozip", "stall"])
def test_a_body_that_breaks_under_the_sink_is_a_transport_error(
    worker: Transport, server: LocalServer, path: str
) -> None:
    with pytest.raises(TransportError) as caught:
        worker.run(flow.send(Request("GET", f"{server.url}/{path}", sink=Collector())))
    assert (caught.value.request_was_sent, caught.value.retryable) == (True, True)


@pytest.mark.parametrize("status", [302, 400, 401, 404, 503])
def test_a_sink_is_spared_anything_but_success(worker: Transport, server: LocalServer, status: int) -> None:
    sink = Collector()
    answer = worker.run(flow.send(Request("GET", f"{server.url}/status/{status}", sink=sink)))
    assert (answer.status, answer.body, answer.sunk) == (status, f"status {status}".encode(), None)
    assert sink.heads == []


@pytest.mark.parametrize(
    "fault",
    [OSError(28, "No space left on device"), requests.ConnectionError("the sink's own"), ValueError(), StopIteration()],
)
def test_a_sinks_own_failure_ends_the_flow_as_it_is(worker: Transport, server: LocalServer, fault: Exception) -> None:
    def failing(head: Response, body: Body) -> Any:
        raise fault

    with pytest.raises(type(fault)) as caught:
        worker.run(twice(Request("GET", f"{server.url}/status/200", sink=failing)))
    assert caught.value is fault
    assert len(server.seen) == 1


def test_a_sink_may_leave_the_body_unread(worker: Transport, server: LocalServer) -> None:
    unread: Sink = lambda head, body: "enough"  # noqa: E731
    first = worker.run(flow.send(Request("GET", f"{server.url}/gzip", sink=unread)))
    second = worker.run(flow.send(Request("GET", f"{server.url}/status/200")))
    assert (first.sunk, second.body) == ("enough", b"status 200")


async def test_an_event_loop_refuses_sinks(server: LocalServer) -> None:
    transport = AsyncTransport(TransportSettings())
    with pytest.raises(TypeError, match="belongs in a worker"):
        await transport.run(flow.send(Request("GET", f"{server.url}/gzip", sink=Collector())))
    await transport.close()
    assert server.seen == []


async def test_a_cancelled_flow_is_closed(server: LocalServer) -> None:
    ends = []

    def waiting() -> Flow[None]:
        try:
            yield from flow.send(Request("GET", f"{server.url}/hang"))
        finally:
            ends.append("closed")

    transport = AsyncTransport(TransportSettings())
    task = asyncio.create_task(transport.run(waiting()))
    assert await asyncio.to_thread(server.arrived.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await transport.close()
    assert ends == ["closed"]


def test_an_interrupted_sleep_closes_the_flow() -> None:
    ends = []

    def sleepy() -> Flow[None]:
        try:
            yield from flow.pause(60)
        finally:
            ends.append("closed")

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Transport(TransportSettings(), sleep=interrupted).run(sleepy())
    assert ends == ["closed"]


def test_a_transport_sleeps_for_real_unless_told_otherwise() -> None:
    Transport(TransportSettings()).run(flow.pause(0))
    asyncio.run(AsyncTransport(TransportSettings()).run(flow.pause(0)))
