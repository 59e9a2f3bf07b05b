"""The two drivers that carry flows: :class:`Transport` in a worker, :class:`AsyncTransport` in the triggerer.

They differ in how they do a step and in nothing else. If a driver needs an ``if`` about Salesforce, it belongs below
the flow, in ``api`` or ``auth``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_sfjwt.exceptions import TransportError
from airflow_provider_sfjwt.salesforce.wire.arriving import Arriving
from airflow_provider_sfjwt.salesforce.wire.echoes import without_echoes
from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Renew, Renewal, Request, Response, Sleep, Step
from airflow_provider_sfjwt.salesforce.wire.outages import (
    PROXY_REFUSED,
    TIMED_OUT,
    UNSENDABLE,
    Outage,
    is_untrusted,
    root_cause,
    transport_error,
    usable_proxy,
)
from airflow_provider_sfjwt.salesforce.wire.pace import Pace, pacing
from airflow_provider_sfjwt.salesforce.wire.proxies import Proxy
from airflow_provider_sfjwt.salesforce.wire.redact import describe_request
from airflow_provider_sfjwt.salesforce.wire.secret import sealed
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings
from airflow_provider_sfjwt.salesforce.wire.shared_client import SharedClient, join, leave
from airflow_provider_sfjwt.salesforce.wire.upload import Upload

if TYPE_CHECKING:
    import requests

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Connections kept open to one host. More parallel pages than this would reconnect for every request.
_POOL_SIZE = 32
_NO_COOKIES = DefaultCookiePolicy(allowed_domains=[])


class _Conversation(Generic[T]):
    """A flow on its way: the step that it asks for, and what it returned in the end.

    :param flow: a fresh flow.
    """

    result: T

    def __init__(self, flow: Flow[T]) -> None:
        self._flow = flow
        self._go_on: Callable[[], Step] = partial(next, flow)

    def next_step(self) -> Step | None:
        """Let the flow go on to its next step; None when it has ended."""
        try:
            return self._go_on()
        except StopIteration as stop:
            self.result = stop.value
            return None

    def answer(self, answer: Any) -> None:
        """Keep the answer to a step for the flow."""
        self._go_on = partial(self._flow.send, answer)

    def fail(self, error: TransportError) -> None:
        """Keep the failure of a step for the flow."""
        self._go_on = partial(self._flow.throw, error)


class Transport:
    """Carries flows on the calling thread, over ``requests``. May be shared by threads: one flow per thread.

    :param settings: how connections are made.
    :param renewal: where a flow's ``Renew`` is answered from; None for flows that need no token.
    :param sleep: what waits for a ``Sleep``; tests pass their own.
    """

    def __init__(
        self,
        settings: TransportSettings,
        renewal: Renewal | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self.renewal = renewal
        self._sleep = sleep
        settings.check_trust_store()
        self._http = requests_session(settings)

    def run(self, flow: Flow[T]) -> T:
        """Carry a flow to its end.

        :param flow: a fresh flow.
        :return: what the flow returns.
        :raises SalesforceError: what the flow or the renewal of its session raises.
        """
        with closing(flow):
            conversation = _Conversation(flow)
            while (step := conversation.next_step()) is not None:
                try:
                    conversation.answer(self._carry(step))
                except TransportError as error:
                    conversation.fail(error)
            return conversation.result

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._http.close()

    def _carry(self, step: Step) -> Any:
        if isinstance(step, Sleep):
            return self._sleep(step.seconds)
        if isinstance(step, Renew):
            return self._renew(step.stale)
        if step.source is None:
            return self._send(step, None)
        # Opened outside of every except clause: its failure is its own and not the transport's.
        with step.source() as file:
            return self._upload(step, Upload(file))

    def _upload(self, request: Request, upload: Upload) -> Response:
        try:
            return self._send(request, upload)
        except TransportError:
            if upload.failure is not None:
                raise upload.failure.with_traceback(upload.trace) from None
            raise

    def _renew(self, stale: Any) -> Any:
        renewal = _required(self.renewal)
        with renewal.thread_lock():
            token = renewal.alive(stale)
            if token is None:
                token = self.run(renewal.make())
                renewal.announce(token)
            return token

    def _send(self, request: Request, upload: Upload | None) -> Response:
        proxy = usable_proxy(request, self.settings, "socks")
        started = time.monotonic()
        with pacing(Pace(self.settings)) as pace, sealed(lambda: self._answer(request, upload, proxy)) as answer:
            response = self._receive(request, answer, pace)
        log.debug("%s -> %s in %.3f s", describe_request(request), response.status, time.monotonic() - started)
        return response

    def _answer(self, request: Request, upload: Upload | None, proxy: Proxy | None) -> requests.Response:
        """Send a request and read the head of its answer. Headers and body stand bare in the library's frames."""
        import requests

        try:
            answer = self._http.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                # requests sends what is empty and streamed in chunks, without the length that Salesforce wants.
                data=upload or request.body,
                stream=True,
                **requests_options(self.settings, proxy),
            )
        except requests.RequestException as error:
            sent, known = _requests_outcome(error)
            raise transport_error(request, error, self.settings, request_was_sent=sent, known=known) from None
        answer.request = None  # type: ignore[assignment]  # it has the token, and is of no use any more
        return answer

    def _receive(self, request: Request, answer: requests.Response, pace: Pace) -> Response:
        head = Response(answer.status_code, _lower_case(answer.headers))
        arriving = Arriving(request, answer, self.settings)
        if request.sink is not None and head.ok:
            pace.stream()
            head = without_echoes(request, head)
            # Outside of any except clause: what a sink raises is its own failure and not the transport's.
            return replace(head, sunk=request.sink(head, arriving.unpacked(head)))
        return without_echoes(request, replace(head, body=sealed(lambda: arriving.held(head))))


class AsyncTransport:
    """Carries flows on an event loop, over ``httpx``. It waits and never moves data: it refuses sinks and sources.

    :param settings: how connections are made.
    :param renewal: where a flow's ``Renew`` is answered from; None for flows that need no token.
    :param sleep: what waits for a ``Sleep``; tests pass their own.
    """

    def __init__(
        self,
        settings: TransportSettings,
        renewal: Renewal | None = None,
        *,
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self.settings = settings
        self.renewal = renewal
        self._sleep = sleep
        settings.check_trust_store()
        #: The clients in use, by the proxy through which they send.
        self._clients: dict[str | None, SharedClient] = {}

    async def run(self, flow: Flow[T]) -> T:
        """Carry a flow to its end.

        :param flow: a fresh flow.
        :return: what the flow returns.
        :raises SalesforceError: what the flow or the renewal of its session raises.
        """
        with closing(flow):
            conversation = _Conversation(flow)
            while (step := conversation.next_step()) is not None:
                try:
                    conversation.answer(await self._carry(step))
                except TransportError as error:
                    conversation.fail(error)
            return conversation.result

    async def close(self) -> None:
        """Close the connections that are kept open, unless others of the same event loop use them."""
        while self._clients:
            await leave(self._clients.popitem()[1])

    async def _carry(self, step: Step) -> Any:
        if isinstance(step, Sleep):
            return await self._sleep(step.seconds)
        if isinstance(step, Renew):
            return await self._renew(step.stale)
        return await self._send(step)

    async def _renew(self, stale: Any) -> Any:
        renewal = _required(self.renewal)
        async with renewal.task_lock():
            token = renewal.alive(stale)
            if token is None:
                token = await self.run(renewal.make())
                await renewal.aannounce(token)
            return token

    async def _send(self, request: Request) -> Response:
        if request.sink is not None or request.source is not None:
            raise TypeError("the event loop moves no data: a request with a sink or a source belongs in a worker")
        client = self._client_for(request)
        started = time.monotonic()
        response = await client.send(request)
        log.debug("%s -> %s in %.3f s", describe_request(request), response.status, time.monotonic() - started)
        return response

    def _client_for(self, request: Request) -> SharedClient:
        proxy = usable_proxy(request, self.settings, "socksio")
        url = None if proxy is None else proxy.url
        if url not in self._clients:
            self._clients[url] = join(self.settings, url)
        return self._clients[url]


def requests_session(settings: TransportSettings, kind: type[requests.Session] | None = None) -> requests.Session:
    """A ``requests`` session that takes nothing from the machine but what :class:`TransportSettings` says.

    :param settings: how connections are made.
    :param kind: the session's class; None for ``requests.Session``.
    """
    import requests

    from airflow_provider_sfjwt.salesforce.wire.paced_adapter import PacedAdapter

    session = (kind or requests.Session)()
    # Otherwise requests reads ~/.netrc over our Authorization header and lets REQUESTS_CA_BUNDLE win over the form.
    session.trust_env = False
    session.headers.clear()
    session.headers.update(settings.headers)
    session.cookies.set_policy(_NO_COOKIES)
    # Even a redirect that it does not follow is resolved by requests, which fails on a Location that is not a URL.
    session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]
    for scheme in ("https://", "http://"):
        session.mount(scheme, PacedAdapter(pool_maxsize=_POOL_SIZE))
    return session


def requests_options(settings: TransportSettings, proxy: Proxy | None) -> dict[str, Any]:
    """What every request over such a session is sent with.

    :param settings: how connections are made.
    :param proxy: through which the request goes, or None.
    """
    return {
        "timeout": (settings.connect_timeout, settings.timeout),
        "verify": settings.trust_store,
        "proxies": {} if proxy is None else {"http": proxy.url, "https": proxy.url},
        "allow_redirects": False,
    }


def _lower_case(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _required(renewal: Renewal | None) -> Renewal:
    if renewal is None:
        raise TypeError("this transport was made for flows that need no token")
    return renewal


def _requests_outcome(error: Exception) -> tuple[bool, Outage | None]:
    """Whether a request was sent, and the kind of failure where the type of the error tells it."""
    import requests
    import urllib3

    if isinstance(error, requests.exceptions.SSLError):
        # Any other fault of TLS may come from a connection that has already taken the request.
        return not is_untrusted(error), None
    if isinstance(error, requests.exceptions.ProxyError):
        # The proxy's own answer is an error of the system without a number.
        cause = root_cause(error)
        answered = isinstance(cause, OSError) and not isinstance(cause, TimeoutError) and cause.errno is None
        return False, PROXY_REFUSED if answered else None
    if isinstance(error, requests.Timeout):
        return not isinstance(error, requests.ConnectTimeout), TIMED_OUT
    if isinstance(error, requests.ConnectionError):
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        return not isinstance(reason, urllib3.exceptions.NewConnectionError), None
    return False, UNSENDABLE  # what is left are faults of the URL
