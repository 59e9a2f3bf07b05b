"""A conversation as a generator: what it yields is what must be done, what it receives is the answer.

A flow is written once and carried by two drivers (:mod:`airflow_provider_sfjwt.salesforce.wire.transport`): over
``requests`` in a worker, over ``httpx`` in the triggerer. It yields one of three steps:

======================  ==========================  =====================================================
step                    the driver answers with     and throws into the flow
======================  ==========================  =====================================================
:class:`Request`        a :class:`Response`         ``TransportError`` when no whole answer came back
:class:`Sleep`          nothing                     nothing
:class:`Renew`          the token, see there        ``TransportError`` when the renewal met one
======================  ==========================  =====================================================

Any other error of a step ends the flow: a refused sign-in, a sink that failed.

This is the only module with a bare ``yield``: everywhere else a flow is joined with ``yield from``, so that a
conversation reads like the protocol's text.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn, Protocol, TypeVar

from airflow_provider_sfjwt.salesforce.wire.secret import hidden

T = TypeVar("T")


class Body(Protocol):
    """The bytes of an answer while they arrive.

    A break of the connection surfaces as ``TransportError`` from :meth:`readinto`, never as a short body.
    """

    def readinto(self, buffer: memoryview) -> int:
        """Fill ``buffer`` from the front.

        :param buffer: where the bytes go; at least one byte long.
        :return: how many bytes were written, 0 at the end of the body.
        :raises TransportError: when the connection broke before the end of the body.
        """
        ...


#: Takes the head of a successful answer and its body. It is called anew for every attempt, so it must begin anew.
Sink = Callable[["Response", Body], Any]
#: Opens a file to send, anew for every attempt; whoever sends it closes it. The file must be able to seek.
Source = Callable[[], BinaryIO]


class _NoHeaders(Mapping[str, str]):
    """The default of headers: dataclasses ask that a default has a hash, and is not a dict before Python 3.11."""

    __hash__ = object.__hash__

    def __getitem__(self, name: str) -> str:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True)
class Request:
    """One HTTP request, with an absolute URL.

    :param method: the HTTP method in capitals.
    :param url: absolute, with its query string.
    :param headers: what to send beside the transport's own headers. May hold a token: only ``redact`` formats it.
    :param body: the bytes to send, or None.
    :param secrets: the secrets in headers and body, which are struck out of an answer that repeats them.
    :param sink: takes the body of a 2xx answer as it arrives instead of collecting it in memory. Its own failure
        ends the flow: a full disk is not a transport failure. Only the worker's transport has sinks.
    :param source: opens the file to send instead of ``body``; it is sent whole and piece by piece. Its own failure ends
        the flow, as a sink's does. Only the worker's transport has sources.
    :raises TypeError: when both ``body`` and ``source`` are given.
    """

    method: str
    url: str
    headers: hidden[Mapping[str, str]] = hidden(_NoHeaders())
    body: hidden[bytes | None] = hidden(None)
    sink: Sink | None = None
    source: Source | None = None
    secrets: hidden[tuple[str, ...]] = hidden(())

    def __post_init__(self) -> None:
        if self.body is not None and self.source is not None:
            raise TypeError("a request sends either a body or a source")

    def __repr__(self) -> str:
        # Neither headers nor body nor query string: each may carry a secret. redact.py formats requests for people.
        return f"Request({self.method} {self.url.partition('?')[0]})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a request is never serialized: it may carry a secret")


@dataclass(frozen=True)
class Response:
    """The answer to a :class:`Request`.

    :param status: the HTTP status.
    :param headers: by their names in lower case.
    :param body: the decoded bytes; empty when a sink took them.
    :param sunk: what the sink returned, else None.
    """

    status: int
    headers: Mapping[str, str]
    body: hidden[bytes] = hidden(b"")
    sunk: Any = None

    @property
    def ok(self) -> bool:
        """Whether the status is one of 2xx."""
        return 200 <= self.status < 300

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes)"  # the token endpoint's body is a secret

    def __reduce__(self) -> NoReturn:
        raise TypeError("an answer is never serialized: it may carry a secret")


@dataclass(frozen=True)
class Sleep:
    """Do nothing for a while.

    :param seconds: how long, at least 0.
    """

    seconds: float


@dataclass(frozen=True, repr=False)
class Renew:
    """Ask for a token that works: the driver makes sure that many who ask at once cause one renewal.

    :param stale: the token that was refused, or None to get the current one (made on first use).
    """

    stale: Any = None


Step = Request | Sleep | Renew
Flow = Generator[Step, Any, T]


class Renewal(Protocol):
    """Where a driver gets tokens from. It hands them to the flow and looks at nothing in them."""

    def alive(self, stale: Any) -> Any | None:
        """Look for a token other than ``stale`` without any I/O.

        :param stale: the token that was refused, or None.
        :return: the token, or None when one has to be made.
        :raises SalesforceError: when a recent refusal makes another attempt useless.
        """
        ...

    def make(self) -> Flow[Any]:
        """Make a new token and keep it for :meth:`alive`."""
        ...

    def announce(self, token: Any) -> None:
        """Let those know of a new token who must know it before anybody has it.

        :param token: that was just made.
        """
        ...

    async def aannounce(self, token: Any) -> None:
        """The same from an event loop, which it does not hold up.

        :param token: that was just made.
        """
        ...

    def thread_lock(self) -> Any:
        """The lock under which threads renew, shared by all who share the token."""
        ...

    def task_lock(self) -> Any:
        """The asyncio lock under which tasks of the running event loop renew."""
        ...


def send(request: Request) -> Flow[Response]:
    """Send a request.

    :param request: what to send.
    :return: the answer, whatever its status.
    :raises TransportError: when no whole answer came back.
    """
    response: Response = yield request
    return response


def pause(seconds: float) -> Flow[None]:
    """Wait without holding a thread where the driver can.

    :param seconds: how long, at least 0.
    """
    yield Sleep(seconds)


def renew(stale: Any = None) -> Flow[Any]:
    """Get a token that works.

    :param stale: the token that was refused, or None to get the current one.
    :return: the token.
    """
    token = yield Renew(stale)
    return token
