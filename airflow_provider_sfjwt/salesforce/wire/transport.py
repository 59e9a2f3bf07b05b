"""The two drivers that carry flows: :class:`Transport` in a worker, :class:`AsyncTransport` in the triggerer.

They differ in how they do a step and in nothing else. If a driver needs an ``if`` about Salesforce, it belongs below
the flow, in ``api`` or ``auth``.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_sfjwt.exceptions import TransportError
from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Renew, Renewal, Request, Response, Sleep, Step
from airflow_provider_sfjwt.salesforce.wire.redact import describe_request
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings, tls_context
from airflow_provider_sfjwt.salesforce.wire.shared_client import SharedClient, join, leave
from airflow_provider_sfjwt.salesforce.wire.upload import Upload

if TYPE_CHECKING:
    import requests

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Connections kept open to one host. More parallel pages than this would reconnect for every request.
_POOL_SIZE = 32
_NO_COOKIES = DefaultCookiePolicy(allowed_domains=[])


class Transport:
    """Carries flows on the calling thread, over ``requests``. May be shared by threads: one flow per thread.

    :param settings: how connections are made.
    :param renewal: where a flow's ``Renew`` is answered from; None for flows that need no session.
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
        tls_context(settings.trust_store)  # a file that holds no authorities is told at once, as it is in the triggerer
        self._session = requests_session(settings)

    def run(self, flow: Flow[T]) -> T:
        """Carry a flow to its end.

        :param flow: a fresh flow.
        :return: what the flow returns.
        :raises SalesforceError: what the flow or the renewal of its session raises.
        """
        with closing(flow):
            go_on = partial(next, flow)
            while True:
                try:
                    step = go_on()
                except StopIteration as stop:
                    result: T = stop.value
                    return result
                # Outside of the try above: a sink's own StopIteration is not the flow's end.
                try:
                    go_on = partial(flow.send, self._carry(step))
                except TransportError as error:
                    go_on = partial(flow.throw, error)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def _carry(self, step: Step) -> Any:
        if isinstance(step, Sleep):
            return self._sleep(step.seconds)
        if isinstance(step, Renew):
            return self._renew(step.stale)
        if step.source is None:
            return self._send(step, step.body)
        # Opened outside of every except clause: its failure is its own and none of the transport's.
        with step.source() as file:
            return self._upload(step, Upload(file))

    def _upload(self, request: Request, upload: Upload) -> Response:
        try:
            # requests sends what is empty and streamed in chunks, without the length that Salesforce wants.
            return self._send(request, upload if len(upload) else None)
        except TransportError:
            if upload.failure is not None:
                raise upload.failure from None
            raise

    def _renew(self, stale: Any) -> Any:
        renewal = _required(self.renewal)
        with renewal.thread_lock():
            session = renewal.alive(stale)
            return self.run(renewal.make()) if session is None else session

    def _send(self, request: Request, body: bytes | Upload | None) -> Response:
        import requests

        started = time.monotonic()
        try:
            answer = self._session.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                data=body,
                stream=True,
                **requests_options(self.settings, request.url),
            )
        except requests.RequestException as error:
            raise _transport_error(request, error, request_was_sent=_requests_sent(error)) from None
        with answer:
            response = _receive(request, answer)
        log.debug("%s -> %s in %.3f s", describe_request(request), response.status, time.monotonic() - started)
        return response


class AsyncTransport:
    """Carries flows on an event loop, over ``httpx``. It waits and never moves data: it refuses sinks and sources.

    :param settings: how connections are made.
    :param renewal: where a flow's ``Renew`` is answered from; None for flows that need no session.
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
        tls_context(settings.trust_store)
        self._shared: SharedClient | None = None

    async def run(self, flow: Flow[T]) -> T:
        """Carry a flow to its end.

        :param flow: a fresh flow.
        :return: what the flow returns.
        :raises SalesforceError: what the flow or the renewal of its session raises.
        """
        with closing(flow):
            go_on = partial(next, flow)
            while True:
                try:
                    step = go_on()
                except StopIteration as stop:
                    result: T = stop.value
                    return result
                try:
                    go_on = partial(flow.send, await self._carry(step))
                except TransportError as error:
                    go_on = partial(flow.throw, error)

    async def close(self) -> None:
        """Close the connections that are kept open, unless others of the same event loop use them."""
        if self._shared is not None:
            shared, self._shared = self._shared, None
            await leave(self.settings, shared)

    async def _carry(self, step: Step) -> Any:
        if isinstance(step, Sleep):
            return await self._sleep(step.seconds)
        if isinstance(step, Renew):
            return await self._renew(step.stale)
        return await self._send(step)

    async def _renew(self, stale: Any) -> Any:
        renewal = _required(self.renewal)
        async with renewal.task_lock():
            session = renewal.alive(stale)
            return await self.run(renewal.make()) if session is None else session

    async def _send(self, request: Request) -> Response:
        import httpx

        if request.sink is not None or request.source is not None:
            raise TypeError("the event loop moves no data: a request with a sink or a source belongs in a worker")
        shared = self._shared = self._shared or join(self.settings)
        started = time.monotonic()
        try:
            async with shared.turn:
                answer = await shared.client.request(
                    request.method, request.url, headers=dict(request.headers), content=request.body
                )
        # OSError: a fault of TLS after the handshake comes through as ssl.SSLError.
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise _transport_error(request, error, request_was_sent=_httpx_sent(error)) from None
        response = Response(answer.status_code, _lower_case(answer.headers), answer.content)
        log.debug("%s -> %s in %.3f s", describe_request(request), response.status, time.monotonic() - started)
        return response


class _ResponseBody:
    """The decoded bytes of a ``requests`` answer while they arrive."""

    def __init__(self, request: Request, answer: requests.Response) -> None:
        self._request = request
        self._raw = answer.raw
        # urllib3 then decodes by Content-Encoding, which requests leaves to iter_content otherwise. Without one, that
        # would only copy.
        self._raw.decode_content = "content-encoding" in answer.headers

    def readinto(self, buffer: memoryview) -> int:
        import urllib3

        try:
            data: bytes = self._raw.read(len(buffer))
        # Reading the raw stream raises urllib3's errors, which requests translates only in iter_content.
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _transport_error(self._request, error, request_was_sent=True) from None
        buffer[: len(data)] = data
        return len(data)


def _receive(request: Request, answer: requests.Response) -> Response:
    import requests

    head = Response(answer.status_code, _lower_case(answer.headers))
    if request.sink is not None and head.ok:
        # Outside of any except clause: what a sink raises is its own failure and none of the transport's.
        return replace(head, sunk=request.sink(head, _ResponseBody(request, answer)))
    try:
        return replace(head, body=answer.content)
    except requests.RequestException as error:
        raise _transport_error(request, error, request_was_sent=True) from None


def requests_session(settings: TransportSettings, kind: type[requests.Session] | None = None) -> requests.Session:
    """A ``requests`` session that takes nothing from the machine but what :class:`TransportSettings` says.

    :param settings: how connections are made.
    :param kind: the session's class; None for ``requests.Session``.
    """
    import requests
    from requests.adapters import HTTPAdapter

    session = (kind or requests.Session)()
    # Otherwise requests reads ~/.netrc over our Authorization header and lets REQUESTS_CA_BUNDLE win over the form.
    session.trust_env = False
    session.headers.clear()
    session.headers.update(settings.headers)
    session.cookies.set_policy(_NO_COOKIES)
    # Even a redirect that it does not follow is resolved by requests, which falls over a Location that is no URL.
    session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=_POOL_SIZE))
    return session


def requests_options(settings: TransportSettings, url: str) -> dict[str, Any]:
    """What every request over such a session is sent with.

    :param settings: how connections are made.
    :param url: where the request goes, since the environment may exempt hosts from its proxy.
    """
    from requests.utils import get_environ_proxies

    proxy = settings.proxy
    return {
        "timeout": (settings.connect_timeout, settings.timeout),
        "verify": settings.trust_store,
        "proxies": get_environ_proxies(url) if proxy is None else {"http": proxy, "https": proxy},
        "allow_redirects": False,
    }


def _lower_case(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _required(renewal: Renewal | None) -> Renewal:
    if renewal is None:
        raise TypeError("this transport was made for flows that need no session")
    return renewal


def _requests_sent(error: Exception) -> bool:
    import requests
    import urllib3

    if isinstance(error, requests.exceptions.SSLError):
        # Any other fault of TLS may come from a connection that has already taken the request.
        return not _is_untrusted(_root_cause(error))
    if isinstance(error, (requests.ConnectTimeout, requests.exceptions.ProxyError)):
        return False
    if isinstance(error, (requests.ConnectionError, requests.exceptions.ReadTimeout)):
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        return not isinstance(reason, urllib3.exceptions.NewConnectionError)
    return False  # what is left are faults of the URL


def _httpx_sent(error: Exception) -> bool:
    import httpx

    never_sent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
    unusable = (httpx.UnsupportedProtocol, httpx.InvalidURL)
    return not isinstance(error, never_sent + unusable)


def _transport_error(request: Request, error: Exception, *, request_was_sent: bool) -> TransportError:
    cause = _root_cause(error)
    return TransportError(
        f"{describe_request(request)}: {_in_words(error, cause)}",
        request_was_sent=request_was_sent,
        retryable=not _is_untrusted(cause),  # a certificate that is not trusted will not be trusted in a minute
    )


def _is_untrusted(cause: BaseException) -> bool:
    return isinstance(cause, ssl.SSLCertVerificationError)


def _root_cause(error: BaseException) -> BaseException:
    """The innermost error: what the libraries wrap around it repeats URLs, and a proxy's URL may hold a password."""
    # A host of several addresses fails as a group of errors.
    group = getattr(error, "exceptions", ())
    nested = (getattr(error, "reason", None), *error.args, *group, error.__cause__, error.__context__)
    inner = next((each for each in nested if isinstance(each, BaseException) and each is not error), None)
    return error if inner is None else _root_cause(inner)


def _in_words(error: Exception, cause: BaseException) -> str:
    import requests

    kind, root = type(error).__name__, type(cause).__name__
    if "Timeout" in kind or isinstance(cause, TimeoutError):
        return "no answer in time"
    # Of the libraries' own texts only the proxy's answer is shown: others repeat URLs and headers, a token among them.
    system = isinstance(cause, OSError) and not isinstance(cause, requests.RequestException)
    if system or kind == "ProxyError":
        return f"{getattr(cause, 'strerror', None) or ''.join(map(str, cause.args[-1:]))} ({root})"
    return f"{kind} ({root})" if cause is not error else kind
