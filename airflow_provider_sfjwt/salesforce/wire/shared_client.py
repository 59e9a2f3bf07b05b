"""One HTTP client for all flows of an event loop that are carried under the same settings.

A triggerer looks at hundreds of jobs. With a client for each, most looks would begin with a handshake, and a thousand
that begin together would block the event loop for all others. No other module imports httpx.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_provider_sfjwt.salesforce.wire.flow import Request, Response
from airflow_provider_sfjwt.salesforce.wire.outages import PROXY_REFUSED, TIMED_OUT, UNSENDABLE, Outage, transport_error
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings, tls_context

if TYPE_CHECKING:
    import httpx

#: Requests on their way at once. More would only make the loop's turns longer.
MOST_AT_ONCE = 32
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
        self._turn = asyncio.Semaphore(MOST_AT_ONCE)

    async def send(self, request: Request) -> Response:
        """Send a request when its turn comes.

        :param request: without a sink and without a source.
        :raises TransportError: when no whole answer came back.
        """
        import httpx

        try:
            async with self._turn:
                answer = await self.http.request(
                    request.method, request.url, headers=dict(request.headers), content=request.body
                )
        # OSError: a fault of TLS after the handshake comes through as ssl.SSLError.
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            sent, known = _outcome(error)
            raise transport_error(request, error, self.way[0], request_was_sent=sent, known=known) from None
        return Response(
            answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.content
        )


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
            max_connections=MOST_AT_ONCE, max_keepalive_connections=MOST_AT_ONCE, keepalive_expiry=_KEPT_FOR
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
