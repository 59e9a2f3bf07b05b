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

_clients: WeakKeyDictionary[AbstractEventLoop, dict[TransportSettings, SharedClient]] = WeakKeyDictionary()


class SharedClient:
    """A client and how many use it.

    :param settings: how connections are made.
    """

    def __init__(self, settings: TransportSettings) -> None:
        self.client = _new_client(settings)
        self.turn = asyncio.Semaphore(MOST_AT_ONCE)
        self.users = 0


def join(settings: TransportSettings) -> SharedClient:
    """The client of the running event loop, made by the first who asks.

    :param settings: how connections are made.
    """
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    shared = clients.get(settings)
    if shared is None:
        shared = clients[settings] = SharedClient(settings)
    shared.users += 1
    return shared


async def leave(settings: TransportSettings, shared: SharedClient) -> None:
    """Close the client when nobody uses it any more.

    :param settings: as for :func:`join`.
    :param shared: what it returned.
    """
    shared.users -= 1
    if shared.users == 0:
        del _clients[asyncio.get_running_loop()][settings]
        await shared.client.aclose()


def _new_client(settings: TransportSettings) -> httpx.AsyncClient:
    import httpx

    return httpx.AsyncClient(
        headers=settings.headers,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        verify=tls_context(settings.trust_store),
        proxy=settings.proxy,
        timeout=httpx.Timeout(settings.timeout, connect=settings.connect_timeout),
        limits=httpx.Limits(
            max_connections=MOST_AT_ONCE, max_keepalive_connections=MOST_AT_ONCE, keepalive_expiry=_KEPT_FOR
        ),
        follow_redirects=False,
        # Only the proxies of the environment are left to it: the TLS context is given, and httpx reads no .netrc.
        trust_env=settings.proxy is None,
    )
