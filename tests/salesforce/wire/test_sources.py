"""Files that a worker sends as they are, and that an event loop refuses."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import requests

from airflow_provider_sfjwt.exceptions import TransportError
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Request, Response, Source
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings
from airflow_provider_sfjwt.salesforce.wire.transport import AsyncTransport, Transport
from airflow_provider_sfjwt.salesforce.wire.upload import Upload
from tests.salesforce.wire.local_server import LocalServer

CONTENT = bytes(range(256)) * 9_000  # more than two blocks


@pytest.fixture
def worker() -> Iterator[Transport]:
    transport = Transport(TransportSettings(timeout=5))
    yield transport
    transport.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "part.csv"
    path.write_bytes(CONTENT)
    return path


class Opener:
    """Opens something anew each time, and keeps what it opened."""

    def __init__(self, open_file: Callable[[], BinaryIO]) -> None:
        self.opened: list[BinaryIO] = []
        self._open = open_file

    def __call__(self) -> BinaryIO:
        self.opened.append(self._open())
        return self.opened[-1]


def put(transport: Transport, url: str, source: Source) -> Response:
    return transport.run(flow.send(Request("PUT", url, {"Content-Type": "text/csv"}, source=source)))


def twice(request: Request) -> Flow[Response]:
    try:
        return (yield from flow.send(request))
    except TransportError:
        return (yield from flow.send(request))


def test_a_file_arrives_whole_with_its_length_and_is_closed(worker: Transport, server: LocalServer, file: Path) -> None:
    source = Opener(lambda: file.open("rb"))
    assert put(worker, f"{server.url}/status/201", source).status == 201
    (seen,) = server.seen
    assert seen.body == CONTENT
    assert seen.headers["content-length"] == str(len(CONTENT))
    assert "transfer-encoding" not in seen.headers
    assert seen.headers["content-type"] == "text/csv"
    assert [each.closed for each in source.opened] == [True]


def test_what_is_open_in_memory_is_sent_from_its_beginning(worker: Transport, server: LocalServer) -> None:
    def half_read() -> BinaryIO:
        stream = io.BytesIO(b"a,b\n1,2\n")
        stream.read(4)
        return stream

    put(worker, f"{server.url}/status/201", half_read)
    assert server.seen[0].body == b"a,b\n1,2\n"


def test_an_empty_file_is_sent_with_its_length(worker: Transport, server: LocalServer) -> None:
    put(worker, f"{server.url}/status/201", io.BytesIO)
    assert server.seen[0].headers["content-length"] == "0"
    assert "transfer-encoding" not in server.seen[0].headers


def test_a_file_is_opened_anew_for_every_attempt(worker: Transport, server: LocalServer, file: Path) -> None:
    source = Opener(lambda: file.open("rb"))
    answer = worker.run(twice(Request("PUT", f"{server.url}/cutonce", source=source)))
    assert answer.body == b"whole"
    assert [seen.body for seen in server.seen] == [CONTENT, CONTENT]
    assert [each.closed for each in source.opened] == [True, True]


@pytest.mark.parametrize("path", ["cut", "reset"])
def test_a_lost_answer_says_that_the_file_was_sent(
    worker: Transport, server: LocalServer, file: Path, path: str
) -> None:
    source = Opener(lambda: file.open("rb"))
    with pytest.raises(TransportError) as caught:
        put(worker, f"{server.url}/{path}", source)
    assert caught.value.request_was_sent
    assert source.opened[0].closed


def test_a_server_that_is_not_there_has_not_been_sent_the_file(worker: Transport, file: Path) -> None:
    with pytest.raises(TransportError) as caught:
        put(worker, "http://127.0.0.1:1/", lambda: file.open("rb"))
    assert not caught.value.request_was_sent


@pytest.mark.parametrize("fault", [OSError(5, "Input/output error"), requests.ConnectionError("its own"), ValueError()])
def test_a_file_that_cannot_be_opened_ends_the_flow_and_nothing_is_sent(
    worker: Transport, server: LocalServer, fault: Exception
) -> None:
    def broken() -> BinaryIO:
        raise fault

    with pytest.raises(type(fault)) as caught:
        worker.run(twice(Request("PUT", f"{server.url}/status/201", source=broken)))
    assert caught.value is fault
    assert server.seen == []


class Breaking(io.BytesIO):
    """Fails when its second block is read."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(CONTENT)
        self._fault = fault

    def read(self, size: Any = -1) -> bytes:
        if self.tell():
            raise self._fault
        return super().read(size)


@pytest.mark.parametrize("fault", [OSError(5, "Input/output error"), requests.ConnectionError("its own"), ValueError()])
def test_a_file_that_breaks_while_it_is_sent_ends_the_flow_as_it_is(
    worker: Transport, server: LocalServer, fault: Exception
) -> None:
    source = Opener(lambda: Breaking(fault))
    with pytest.raises(type(fault)) as caught:
        worker.run(twice(Request("PUT", f"{server.url}/status/201", source=source)))
    assert caught.value is fault
    assert [each.closed for each in source.opened] == [True]


def test_a_file_that_became_shorter_is_no_whole_file(worker: Transport, server: LocalServer, file: Path) -> None:
    class Shrinking(io.FileIO):
        def read(self, size: Any = -1) -> bytes:
            os.truncate(file, 100)
            return super().read(size) or b""

    with pytest.raises(OSError, match=f"ended {len(CONTENT) - 100} bytes before its end"):
        put(worker, f"{server.url}/status/201", lambda: Shrinking(file))  # type: ignore[arg-type,return-value]


def test_of_a_file_that_grew_only_what_was_announced_is_sent(file: Path) -> None:
    with file.open("rb") as opened:
        upload = Upload(opened)
        with file.open("ab") as more:
            more.write(b"late")
        assert b"".join(upload) == CONTENT


def test_a_file_goes_in_large_blocks() -> None:
    assert [len(block) for block in Upload(io.BytesIO(CONTENT))] == [2**20, 2**20, len(CONTENT) - 2**21]


def test_a_request_has_a_body_or_a_source() -> None:
    with pytest.raises(TypeError, match="either a body or a source"):
        Request("PUT", "https://a.example.com/", body=b"", source=io.BytesIO)


async def test_an_event_loop_refuses_sources(server: LocalServer) -> None:
    transport = AsyncTransport(TransportSettings())
    with pytest.raises(TypeError, match="belongs in a worker"):
        await transport.run(flow.send(Request("PUT", f"{server.url}/echo", source=io.BytesIO)))
    await transport.close()
    assert server.seen == []
