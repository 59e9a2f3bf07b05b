"""The Pub/Sub API of the simulated org: gRPC on this machine, plain or with TLS.

https://developer.salesforce.com/docs/platform/pub-sub-api/guide/subscribe-rpc-reference.html
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from airflow_provider_sfjwt.testing.event_bus.bus import Bus, BusEvent
from airflow_provider_sfjwt.testing.event_bus.wire_format import bytes_of, decode, encode, number_of, text
from airflow_provider_sfjwt.testing.identity import Identity
from airflow_provider_sfjwt.testing.oauth.sessions import Sessions

_SERVICE = "eventbus.v1.PubSub"
_ERRORS = "sfdc.platform.eventbus.grpc."
_MOST_REQUESTED = 100
_EARLIEST, _CUSTOM = 1, 2
_EVERY = 0.02


@dataclass
class BusFaults:
    """What goes wrong, until it is set back.

    :param silent: streams stay open and send nothing, not even keep-alives.
    :param corrupted: replay ids are refused as corrupted.
    :param forbidden: names of topics that the user may not read: of platform events, whose permission is Read. For
        change events the org's ``view_all_data`` and ``view_all_objects`` count.
    :param latency: seconds that a request for more events travels.
    :param keep_alive: seconds without events after which a stream says where it is.
    """

    silent: bool = False
    corrupted: bool = False
    forbidden: set[str] = field(default_factory=set)
    latency: float = 0.0
    keep_alive: float = 270.0


class EventBusServer:
    """Serves a bus.

    :param bus: what it serves.
    :param sessions: who may ask.
    :param identity: whose org it is.
    :param port: on 127.0.0.1; 0: any free one.
    """

    def __init__(self, bus: Bus, sessions: Sessions, identity: Identity, port: int = 0) -> None:
        self.faults = BusFaults()
        self.streams = self.opened = 0
        self.bus = bus
        self._sessions = sessions
        self._identity = identity
        self._port = port
        self._ends: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None

    @property
    def endpoint(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._port}"

    def start(self, served: str | None = None) -> None:
        """Begin to serve; after a stop, again on the same port.

        :param served: path of a PEM file with certificate and key; None: without TLS.
        """
        ready: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready, served), name="event-bus", daemon=True)
        self._thread.start()
        self._port = ready.result(30)

    def stop(self) -> None:
        """Stop serving: every stream breaks."""
        if self._loop is not None and self._stopping is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(30)
            self._loop = None

    def close_streams(self) -> None:
        """Close every stream in order, as Salesforce does now and then."""
        if self._loop is not None:
            for end in list(self._ends):
                self._loop.call_soon_threadsafe(end.set)

    def _run(self, ready: Future[int], served: str | None) -> None:
        asyncio.run(self._serve(ready, served))

    async def _serve(self, ready: Future[int], served: str | None) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = grpc.aio.server()
        handlers = {
            "GetTopic": grpc.unary_unary_rpc_method_handler(self._topic),
            "GetSchema": grpc.unary_unary_rpc_method_handler(self._schema),
            "Subscribe": grpc.stream_stream_rpc_method_handler(self._subscribe),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
        address = f"127.0.0.1:{self._port}"
        if served is None:
            port = server.add_insecure_port(address)
        else:
            pem = Path(served).read_bytes()  # noqa: ASYNC240 - once, before anybody is served
            port = server.add_secure_port(address, grpc.ssl_server_credentials([(pem, pem)]))
        await server.start()
        ready.set_result(port)
        await self._stopping.wait()
        await server.stop(0)

    async def _checked(self, context: Any) -> None:
        """Refuse a call whose metadata do not name this org and a living session."""
        given = dict(context.invocation_metadata())
        session = self._sessions.find(str(given.get("accesstoken", "")))
        if session is None or given.get("tenantid") != self._identity.org_id or "instanceurl" not in given:
            await self._refuse(context, grpc.StatusCode.UNAUTHENTICATED, "service.auth.error", "Session expired")

    async def _refuse(self, context: Any, status: Any, code: str, message: str) -> None:
        await context.abort(status, message, (("error-code", _ERRORS + code), ("rpc-id", "0")))

    async def _refuse_topic(self, context: Any, name: str) -> None:
        """An object that is not selected has no topic: https://github.com/pozil/pub-sub-api-java-client/issues/2"""
        message = (
            f"The topic information for org CORE/prod/{self._identity.org_id} and topic {name} not found. Ensure the "
            "topic name is correct and that the topic exists."
        )
        await self._refuse(context, grpc.StatusCode.NOT_FOUND, "topic.not.found", message)

    def _may_read(self, topic: str) -> bool:
        """Whether the user has the permission that a topic needs, which is asked for when it is subscribed to.

        https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/cdc_security_perms.htm
        """
        return topic not in self.faults.forbidden and self.bus.may_read(topic)

    async def _topic(self, request: bytes, context: Any) -> bytes:
        await self._checked(context)
        name = text(decode(request), 1)
        schema = self.bus.schema_of(name)
        if schema is None:
            await self._refuse_topic(context, name)
            return b""
        allowed = int(self._may_read(name))
        return encode([(1, name), (2, self._identity.org_id), (4, allowed), (5, schema.id), (6, "0")])

    async def _schema(self, request: bytes, context: Any) -> bytes:
        await self._checked(context)
        found = self.bus.schema(text(decode(request), 1))
        if found is None:
            await self._refuse(context, grpc.StatusCode.NOT_FOUND, "schema.not.found", "Unknown schema")
            return b""
        return encode([(1, found.json), (2, found.id), (3, "0")])

    async def _subscribe(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        await self._checked(context)
        first = decode(await anext(requests.__aiter__()))
        topic = text(first, 1)
        if self.bus.schema_of(topic) is None:
            await self._refuse_topic(context, topic)
        if not self._may_read(topic):
            await self._refuse(context, grpc.StatusCode.PERMISSION_DENIED, "topic.permission", f"No access to {topic}")
        place = await self._begin(first, context)
        wanted = [number_of(first, 4)]
        end = asyncio.Event()
        reader = asyncio.create_task(self._read(requests, wanted))
        self._ends.add(end)
        self.streams += 1
        self.opened += 1
        try:
            async for message in self._events(topic, place, wanted, end, context):
                yield message
        finally:
            self.streams -= 1
            self._ends.discard(end)
            reader.cancel()

    async def _begin(self, first: dict[int, list[int | bytes]], context: Any) -> int:
        preset, replay = number_of(first, 2), bytes_of(first, 3)
        if preset == _EARLIEST:
            return self.bus.oldest
        if preset != _CUSTOM:
            return self.bus.latest
        if self.faults.corrupted or len(replay) != 8:
            code = "subscription.fetch.replayid.corrupted"
            await self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, code, "Corrupted replay id")
        place = int.from_bytes(replay, "big")
        if place < self.bus.oldest:
            code = "subscription.fetch.replayid.validation.failed"
            await self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, code, "The replay id is too old")
        return place

    async def _read(self, requests: AsyncIterator[bytes], wanted: list[int]) -> None:
        async for message in requests:
            await asyncio.sleep(self.faults.latency)
            wanted[0] += number_of(decode(message), 4)

    async def _events(
        self, topic: str, place: int, wanted: list[int], end: asyncio.Event, context: Any
    ) -> AsyncIterator[bytes]:
        said = time.monotonic()
        while not end.is_set():
            await self._checked(context)
            if wanted[0] > _MOST_REQUESTED:
                code = "subscription.fetch.requested.events.limit"
                await self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, code, "More than 100 events requested")
            if self.faults.silent:
                await asyncio.sleep(_EVERY)
                continue
            latest = self.bus.latest  # before the look: what comes later may be of this topic
            found = self.bus.after(topic, place, wanted[0]) if wanted[0] else []
            if found:
                wanted[0] -= len(found)
                place = found[-1].replay
            if found or time.monotonic() - said >= self.faults.keep_alive:
                said = time.monotonic()
                place = place if found or not wanted[0] else max(place, latest)
                yield _fetch_response(found, place, wanted[0])
            else:
                await asyncio.sleep(_EVERY)


def _fetch_response(events: list[BusEvent], place: int, pending: int) -> bytes:
    sent: list[tuple[int, int | bytes | str]] = []
    for event in events:
        inner = encode([(1, event.id), (2, event.schema_id), (3, event.payload)])
        sent.append((1, encode([(1, inner), (2, event.replay.to_bytes(8, "big"))])))
    return encode([*sent, (2, place.to_bytes(8, "big")), (3, "0"), (4, pending)])
