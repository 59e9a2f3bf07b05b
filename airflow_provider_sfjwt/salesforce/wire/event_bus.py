"""How the event bus is spoken to: gRPC, with the token in the metadata of each call.

https://developer.salesforce.com/docs/platform/pub-sub-api/guide/supported-auth.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from airflow_provider_sfjwt.exceptions import ApiError, ErrorItem, SessionExpiredError, TransportError
from airflow_provider_sfjwt.salesforce.wire.event_bus_messages import PACKAGE, SERVICE, messages
from airflow_provider_sfjwt.salesforce.wire.secret import Secret
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings
from airflow_provider_sfjwt.salesforce.wire.within import within

#: Seconds for a call with one answer.
_ANSWER = 60.0
_TRAILER = "error-code"
_EXPIRED = "sfdc.platform.eventbus.grpc.service.auth.error"
#: A larger event cannot be published.
#: https://developer.salesforce.com/docs/platform/pub-sub-api/guide/pub-sub-api-limits.html
_LARGEST = 16 * 2**20


class EventBus:
    """An open channel.

    :param channel: gRPC's.
    :param metadata: gives what each call carries: the token, the instance's URL and the org's id.
    """

    def __init__(self, channel: Any, metadata: Callable[[], Secret[tuple[tuple[str, str], ...]]]) -> None:
        self._channel = channel
        self._metadata = metadata

    async def call(self, method: str, request: Any, answer: str) -> Any:
        """Call a method that has one answer.

        :param method: its name.
        :param request: the message.
        :param answer: name of the answer's message.
        :raises ApiError: when Salesforce refuses.
        :raises TransportError: when no answer came.
        """
        call = self._channel.unary_unary(
            f"/{PACKAGE}.{SERVICE}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=messages()[answer].FromString,
        )
        with _errors(method):
            return await call(request, metadata=self._metadata().reveal(), timeout=_ANSWER)

    def subscribe(self) -> Subscription:
        """Open a stream of events."""
        call = self._channel.stream_stream(
            f"/{PACKAGE}.{SERVICE}/Subscribe",
            request_serializer=messages()["FetchRequest"].SerializeToString,
            response_deserializer=messages()["FetchResponse"].FromString,
        )
        return Subscription(call(metadata=self._metadata().reveal()))


class Subscription:
    """A stream of events.

    :param call: gRPC's.
    """

    def __init__(self, call: Any) -> None:
        self._call = call

    async def request(self, message: Any) -> None:
        """Ask for events.

        :param message: a ``FetchRequest``.
        :raises ApiError: when Salesforce has ended the stream with an error.
        :raises TransportError: when the connection is gone.
        """
        with _errors("Subscribe"):
            await self._call.write(message)

    async def response(self, patience: float) -> Any | None:
        """Wait for events.

        :param patience: seconds after which a silent stream is taken for dead.
        :return: a ``FetchResponse``; None where Salesforce has closed the stream.
        :raises ApiError: when Salesforce refuses.
        :raises TransportError: when the connection broke, or nothing came.
        """
        import grpc

        with _errors("Subscribe"):
            try:
                answer = await within(patience, self._call.read())
            except asyncio.TimeoutError:
                message = f"the event bus has sent nothing for {patience:g} s"
                raise TransportError(message, request_was_sent=True, code="silence") from None
        return None if answer is grpc.aio.EOF else answer

    def close(self) -> None:
        """End the stream."""
        self._call.cancel()


@asynccontextmanager
async def event_bus(
    endpoint: str,
    settings: TransportSettings,
    metadata: Callable[[], Secret[tuple[tuple[str, str], ...]]],
    *,
    plain: bool,
) -> AsyncIterator[EventBus]:
    """Open a channel.

    :param endpoint: host and port.
    :param settings: of the connection: CA bundle and proxy.
    :param metadata: what each call carries.
    :param plain: whether it is not encrypted: for an org on this machine alone.
    """
    import grpc

    options: list[tuple[str, int | str]] = [("grpc.max_receive_message_length", _LARGEST)]
    if settings.proxy:
        options.append(("grpc.http_proxy", settings.proxy))
    if plain:
        channel = grpc.aio.insecure_channel(endpoint, options=options)
    else:
        ca = await asyncio.to_thread(_authorities, settings)
        channel = grpc.aio.secure_channel(endpoint, grpc.ssl_channel_credentials(ca), options=options)
    try:
        yield EventBus(channel, metadata)
    finally:
        await channel.close()


def _authorities(settings: TransportSettings) -> bytes:
    """The trusted authorities in PEM; of a folder, those of its files.

    :raises ConfigurationError: when there are none.
    """
    settings.check_trust_store()
    place = Path(settings.trust_store)
    files = sorted(each for each in place.iterdir() if each.is_file()) if place.is_dir() else [place]
    return b"\n".join(each.read_bytes() for each in files)


class _errors:  # noqa: N801  # it reads as a word of the with statement
    """Turns gRPC's errors into ours, without what gRPC shows of the call."""

    def __init__(self, method: str) -> None:
        self._method = method

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        import grpc

        if isinstance(error, grpc.aio.AioRpcError):
            raise _translated(self._method, error) from None
        if isinstance(error, asyncio.InvalidStateError):
            raise TransportError("the stream of the event bus has ended", request_was_sent=True) from None


def _translated(method: str, error: Any) -> ApiError | TransportError:
    import grpc

    trailers = {str(name): value for name, value in (error.trailing_metadata() or ())}
    code, said = str(trailers.get(_TRAILER) or ""), str(error.details() or "")
    status = error.code()
    if not code and status in (
        grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.RESOURCE_EXHAUSTED,
    ):  # fmt: skip
        return TransportError(
            f"the event bus is not reached: {status.name}: {said}", request_was_sent=True, code=status.name, said=said
        )
    kind = SessionExpiredError if code == _EXPIRED or status is grpc.StatusCode.UNAUTHENTICATED else ApiError
    return kind(
        f"the event bus refuses {method}: {code or status.name}: {said}",
        status=int(status.value[0]),
        items=[ErrorItem(code or status.name, said)],
        method=method,
        path=f"{PACKAGE}.{SERVICE}",
    )
