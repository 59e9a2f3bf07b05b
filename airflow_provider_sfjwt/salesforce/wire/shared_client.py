"""One HTTP client for all flows of an event loop that are carried under the same settings.

A triggerer looks at hundreds of jobs. With a client for each, most looks would begin with a handshake, and a thousand
that begin together would block the event loop for all others.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

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
        self.http = _new_client(settings, proxy)
        self.turn = asyncio.Semaphore(MOST_AT_ONCE)
        self.users = 0


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
