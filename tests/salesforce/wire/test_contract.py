"""What a flow may rely on, whichever transport carries it: requests, answers, steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import AuthenticationError, ProtocolError, TransportError
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Request, Response
from tests.salesforce.wire.carriers import Carrier
from tests.salesforce.wire.local_server import LocalServer

MakeCarrier = Callable[..., Carrier]


def get(carrier: Carrier, url: str, **fields: Any) -> Response:
    return carrier.run(flow.send(Request(fields.pop("method", "GET"), url, **fields)))


@pytest.mark.parametrize("status", [200, 204, 300, 400, 401, 404, 429, 500, 503])
def test_every_status_is_an_answer_with_headers_in_lower_case(
    carry: MakeCarrier, server: LocalServer, status: int
) -> None:
    answer = get(carry(), f"{server.url}/status/{status}")
    assert answer.status == status
    assert answer.ok is (status < 300)
    assert answer.headers["x-odd-case"] == "Kept"
    assert answer.body == (b"" if status == 204 else f"status {status}".encode())
    assert answer.sunk is None


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_method_headers_and_body_arrive_as_given(carry: MakeCarrier, server: LocalServer, method: str) -> None:
    body = None if method == "GET" else b"Gr\xc3\xbc\xc3\x9fe"
    get(carry(user_agent="tested"), f"{server.url}/echo?a=1", method=method, headers={"X-Mine": "yes"}, body=body)
    (seen,) = server.seen
    assert (seen.method, seen.target, seen.body) == (method, "/echo?a=1", body or b"")
    ours = {name: seen.headers[name] for name in ("x-mine", "user-agent", "accept", "accept-encoding")}
    assert ours == {"x-mine": "yes", "user-agent": "tested", "accept": "application/json", "accept-encoding": "gzip"}


def test_a_requests_own_header_wins(carry: MakeCarrier, server: LocalServer) -> None:
    get(carry(), f"{server.url}/echo", headers={"Accept": "text/csv"})
    assert server.seen[0].headers["accept"] == "text/csv"


def test_gzip_is_decoded(carry: MakeCarrier, server: LocalServer) -> None:
    assert get(carry(), f"{server.url}/gzip").body == b"squeezed " * 1000


@pytest.mark.parametrize("path", ["/redirect", "/nowhere"])
def test_a_redirect_is_an_answer_and_not_followed(carry: MakeCarrier, server: LocalServer, path: str) -> None:
    answer = get(carry(), server.url + path)
    assert (answer.status, answer.body) == (302, b"moved")
    assert [seen.target for seen in server.seen] == [path]


def test_netrc_is_not_read(
    carry: MakeCarrier, server: LocalServer, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    get(carry(), f"{server.url}/echo", headers={"Authorization": "Bearer ours"})
    get(carry(), f"{server.url}/echo")
    assert [seen.headers.get("authorization") for seen in server.seen] == ["Bearer ours", None]


def test_cookies_are_not_kept(carry: MakeCarrier, server: LocalServer) -> None:
    carrier = carry()
    get(carrier, f"{server.url}/cookie")
    get(carrier, f"{server.url}/echo")
    assert "cookie" not in server.seen[1].headers


def test_a_flow_returns_what_it_made_of_its_answers(carry: MakeCarrier, server: LocalServer) -> None:
    def two_calls() -> Flow[list[int]]:
        first = yield from flow.send(Request("GET", f"{server.url}/status/201"))
        second = yield from flow.send(Request("GET", f"{server.url}/status/404"))
        return [first.status, second.status]

    assert carry().run(two_calls()) == [201, 404]


def test_a_connection_is_kept_until_the_transport_is_closed(carry: MakeCarrier, server: LocalServer) -> None:
    carrier = carry()
    get(carrier, f"{server.url}/status/200")
    get(carrier, f"{server.url}/status/200")
    assert server.connections == 1
    assert not server.left.is_set()
    carrier.close()
    assert server.left.wait(30)


def test_a_flow_that_asks_for_nothing_returns_at_once(carry: MakeCarrier) -> None:
    def nothing() -> Flow[str]:
        return "done"
        yield from flow.pause(1)

    assert carry().run(nothing()) == "done"


def test_a_sleep_is_left_to_the_transport(carry: MakeCarrier) -> None:
    def naps() -> Flow[str]:
        yield from flow.pause(0.5)
        yield from flow.pause(90)
        return "awake"

    carrier = carry()
    assert carrier.run(naps()) == "awake"
    assert carrier.slept == [0.5, 90]


def test_a_flows_own_error_passes(carry: MakeCarrier, server: LocalServer) -> None:
    def judge() -> Flow[None]:
        answer = yield from flow.send(Request("GET", f"{server.url}/status/418"))
        raise ProtocolError(f"unheard of: {answer.status}")

    with pytest.raises(ProtocolError, match="unheard of: 418"):
        carry().run(judge())


def test_a_transport_error_is_thrown_into_the_flow_which_may_go_on(carry: MakeCarrier, server: LocalServer) -> None:
    def second_try() -> Flow[str]:
        try:
            yield from flow.send(Request("GET", f"{server.url}/reset"))
        except TransportError as error:
            answer = yield from flow.send(Request("GET", f"{server.url}/status/200"))
            return f"{type(error).__name__}, then {answer.status}"
        return "no error"

    assert carry().run(second_try()) == "TransportError, then 200"


class Renewals:
    """Sessions that are numbers, made by flows that ask the server."""

    def __init__(self, url: str, refusal: Exception | None = None) -> None:
        self.made: list[int] = []
        self.announced: list[int] = []
        self.locked = 0
        self._url, self._refusal = url, refusal

    def alive(self, stale: Any) -> Any:
        assert self.locked == 1
        return self.made[-1] if self.made and self.made[-1] != stale else None

    def make(self) -> Flow[int]:
        answer = yield from flow.send(Request("GET", self._url))
        if self._refusal is not None:
            raise self._refusal
        self.made.append(len(self.made) + answer.status)
        return self.made[-1]

    def announce(self, token: int) -> None:
        assert self.locked == 1
        self.announced.append(token)

    async def aannounce(self, token: int) -> None:
        self.announce(token)

    @contextmanager
    def thread_lock(self) -> Iterator[None]:
        self.locked += 1
        yield
        self.locked -= 1

    def task_lock(self) -> Any:
        renewals = self

        class Lock:
            async def __aenter__(self) -> None:
                renewals.locked += 1

            async def __aexit__(self, *error: object) -> None:
                renewals.locked -= 1

        return Lock()


def test_a_session_is_made_once_and_anew_when_it_is_stale(carry: MakeCarrier, server: LocalServer) -> None:
    def sessions() -> Flow[list[int]]:
        first = yield from flow.renew()
        again = yield from flow.renew()
        second = yield from flow.renew(first)
        late = yield from flow.renew(first)
        return [first, again, second, late]

    renewals = Renewals(f"{server.url}/status/200")
    assert carry(renewals).run(sessions()) == [200, 200, 201, 201]
    assert renewals.made == renewals.announced == [200, 201]
    assert renewals.locked == 0


def test_a_renewal_that_cannot_reach_its_server_is_told_to_the_flow(carry: MakeCarrier, server: LocalServer) -> None:
    def careful() -> Flow[str]:
        try:
            yield from flow.renew()
        except TransportError:
            return "told"
        return "not told"

    assert carry(Renewals(f"{server.url}/reset")).run(careful()) == "told"


def test_a_refused_renewal_ends_the_flow(carry: MakeCarrier, server: LocalServer) -> None:
    closed = []

    def unlucky() -> Flow[None]:
        try:
            yield from flow.renew()
        finally:
            closed.append(True)

    refusal = AuthenticationError(code="invalid_grant", description="no", hint="change it")
    with pytest.raises(AuthenticationError) as caught:
        carry(Renewals(f"{server.url}/status/400", refusal)).run(unlucky())
    assert caught.value is refusal
    assert closed == [True]


def test_a_flow_that_needs_a_session_is_refused_without_a_renewal(carry: MakeCarrier) -> None:
    with pytest.raises(TypeError, match="need no token"):
        carry().run(flow.renew())


def test_an_answers_body_arrives_byte_for_byte(carry: MakeCarrier, server: LocalServer) -> None:
    assert get(carry(), f"{server.url}/bytes").body == bytes(range(256)) * 3
