"""One HTTP client for all flows of an event loop that are carried under the same settings.

A triggerer looks at hundreds of jobs. With a client for each, most looks would begin with a handshake, and a thousand
that begin together would block the event loop for all others. No other module imports httpx.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

from airflow_provider_sfjwt.salesforce.wire.echoes import without_echoes
from airflow_provider_sfjwt.salesforce.wire.flow import Request, Response
from airflow_provider_sfjwt.salesforce.wire.outages import PROXY_REFUSED, TIMED_OUT, UNSENDABLE, Outage, transport_error
from airflow_provider_sfjwt.salesforce.wire.pace import SlowAnswerError
from airflow_provider_sfjwt.salesforce.wire.received import HeldBody, PackingError, TooLargeError
from airflow_provider_sfjwt.salesforce.wire.redact import host_of
from airflow_provider_sfjwt.salesforce.wire.secret import asealed
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings, tls_context
from airflow_provider_sfjwt.salesforce.wire.within import within

if TYPE_CHECKING:
    import httpx

#: Requests to one host on their way at once, those not counted that take long. More would only make the loop's turns
#: longer.
MOST_AT_ONCE = 32
#: Connections in all. Each is a file that the process holds open, and slow answers keep theirs.
_MOST_CONNECTIONS = 512
#: Seconds for which an idle connection is kept: longer than between two looks at a job.
_KEPT_FOR = 75.0

_Way = tuple[TransportSettings, str | None]
_clients: WeakKeyDictionary[AbstractEventLoop, dict[_Way, SharedClient]] = WeakKeyDictionary()


class SharedClient:
    """A client and how many use it.

    :param settings: how connections are made.
    :param proxy: address of the proxy through which it sends, or None.
    """

    def __init__(self, settings: TransportSettings, proxy: str | None) -> None:
        self.way = (settings, proxy)
        self.users = 0
        self.http = _new_client(settings, proxy)
        self._turns: dict[str, asyncio.Semaphore] = {}

    async def send(self, request: Request) -> Response:
        """Send a request when its turn comes. A slow answer keeps its turn for a while only.

        :param request: without a sink and without a source.
        :raises TransportError: when no whole answer came back in the time that it may take.
        """
        # Headers and body stand bare in the library's frames.
        return without_echoes(request, await asealed(lambda: self._exchange(request)))

    async def _exchange(self, request: Request) -> Response:
        import httpx

        settings, _ = self.way
        turn = await _Turn.of(self._turns.setdefault(host_of(request.url), asyncio.Semaphore(MOST_AT_ONCE)), settings)
        limit = settings.answer_seconds
        try:
            return await within(limit, self._answer(request))
        except asyncio.TimeoutError:
            slow = SlowAnswerError(f"its answer was not whole after {limit:g} s")
            raise transport_error(request, slow, settings, request_was_sent=True) from None
        # OSError: a fault of TLS after the handshake comes through as ssl.SSLError.
        except (httpx.HTTPError, httpx.InvalidURL, OSError, PackingError, TooLargeError) as error:
            sent, known = _outcome(error)
            raise transport_error(request, error, settings, request_was_sent=sent, known=known) from None
        finally:
            turn.give_back()

    async def _answer(self, request: Request) -> Response:
        headers = dict(request.headers)
        async with self.http.stream(request.method, request.url, headers=headers, content=request.body) as answer:
            head = Response(answer.status_code, {name.lower(): value for name, value in answer.headers.items()})
            body = HeldBody(head.headers, self.way[0].limits, ok=head.ok)
            async with aclosing(cast(AsyncGenerator[bytes, None], answer.aiter_raw())) as arriving:
                async for data in arriving:
                    if not body.add(data):
                        break
            return replace(head, body=body.whole())


class _Turn:
    """The leave to send a request to a host to which many do. It is lent: who takes too long goes on without it.

    :param turns: of the host; one of them is held.
    :param seconds: for how long.
    """

    def __init__(self, turns: asyncio.Semaphore, seconds: float) -> None:
        self._turns: asyncio.Semaphore | None = turns
        self._timer = asyncio.get_running_loop().call_later(seconds, self.give_back)

    @classmethod
    async def of(cls, turns: asyncio.Semaphore, settings: TransportSettings) -> _Turn:
        """Wait for a turn.

        :param turns: of the host.
        :param settings: for how long it is lent.
        """
        await turns.acquire()
        return cls(turns, settings.limits.turn_seconds)

    def give_back(self) -> None:
        """Let the next one have it; nothing when that has happened."""
        self._timer.cancel()
        turns, self._turns = self._turns, None
        if turns is not None:
            turns.release()


def join(settings: TransportSettings, proxy: str | None) -> SharedClient:
    """The client of the running event loop, made by the first who asks.

    :param settings: how connections are made.
    :param proxy: address of the proxy through which it sends, or None.
    """
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    shared = clients.get((settings, proxy))
    if shared is None:
        shared = clients[settings, proxy] = SharedClient(settings, proxy)
    shared.users += 1
    return shared


async def leave(shared: SharedClient) -> None:
    """Close the client when nobody uses it any more.

    :param shared: what :func:`join` returned.
    """
    shared.users -= 1
    if shared.users == 0:
        del _clients[asyncio.get_running_loop()][shared.way]
        await shared.http.aclose()


def _new_client(settings: TransportSettings, proxy: str | None) -> httpx.AsyncClient:
    import httpx

    return httpx.AsyncClient(
        headers=settings.headers,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        verify=tls_context(settings.trust_store),
        proxy=proxy,
        timeout=httpx.Timeout(settings.timeout, connect=settings.connect_timeout),
        limits=httpx.Limits(
            max_connections=_MOST_CONNECTIONS, max_keepalive_connections=MOST_AT_ONCE, keepalive_expiry=_KEPT_FOR
        ),
        follow_redirects=False,
        trust_env=False,  # what the environment says is in the arguments
    )


def _outcome(error: Exception) -> tuple[bool, Outage | None]:
    """Whether a request was sent, and the kind of failure where the type of the error tells it."""
    import httpx

    if isinstance(error, httpx.ProxyError):
        return False, PROXY_REFUSED
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError)):
        return False, UNSENDABLE
    sent = not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
    return sent, TIMED_OUT if isinstance(error, httpx.TimeoutException) else None
