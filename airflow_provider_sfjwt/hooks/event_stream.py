"""A topic of the event bus, read with a connection."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import import_module
from typing import Any

from airflow_provider_sfjwt.exceptions import ApiError, ConfigurationError, ProtocolError, SessionExpiredError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api.event_bus.change_event import EventSchema, ReceivedEvent
from airflow_provider_sfjwt.salesforce.api.event_bus.topics import PACKAGES, check_topic, explained
from airflow_provider_sfjwt.salesforce.auth.token import Token
from airflow_provider_sfjwt.salesforce.org.agreed_time import agreed_time
from airflow_provider_sfjwt.salesforce.org.connected_org import AsyncConnectedOrg
from airflow_provider_sfjwt.salesforce.org.event_bus import check_is_offered, open_event_bus
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.event_bus import EventBus
from airflow_provider_sfjwt.salesforce.wire.event_bus_messages import CUSTOM, EARLIEST, LATEST, messages

log = logging.getLogger(__name__)

#: Events that may be outstanding, and how many must have come before more are asked for.
#: https://developer.salesforce.com/docs/platform/pub-sub-api/guide/flow-control.html
_WINDOW = 100
#: Why a place in the stream is refused: it is older than 72 hours, or of another org.
_LOST_PLACE = ("fetch.replayid.validation.failed", "fetch.replayid.corrupted")
_TOKEN_MAX_AGE = 1800.0
#: The change type of an event that cannot be read. Nothing is known of it but that something changed.
UNREADABLE = "GAP_UNREADABLE"


def warm_up() -> None:
    """Import what a stream needs, which takes up to half a second, and build the messages. Not on an event loop.

    :raises ImportError: when packages of the extra ``events`` are missing.
    """
    for name in PACKAGES:
        import_module(name)
    messages()


@dataclass(frozen=True)
class Received:
    """What came at once.

    :param events: none where Salesforce only says where the stream is.
    :param replay_id: of the last one.
    :param gap: why events before it may be missing, or None.
    """

    events: tuple[ReceivedEvent, ...]
    replay_id: bytes
    gap: str | None = None


class EventStream:
    """A topic that is read.

    :param bus: the open channel.
    :param topic: its name.
    :param org: that it is of.
    :param org_id: its id.
    :param patience: seconds of silence after which the stream is taken for dead.
    """

    def __init__(self, bus: EventBus, topic: str, org: AsyncConnectedOrg, org_id: str, patience: float) -> None:
        self._bus = bus
        self._topic = topic
        self._org = org
        self.org_id = org_id
        self._patience = patience
        self._schemas: dict[str, EventSchema] = {}

    def now(self) -> datetime:
        """The org's clock."""
        return self._org.session.server_now() or datetime.now(timezone.utc)

    async def responses(self, replay_id: bytes | None) -> AsyncGenerator[Received, None]:
        """Read on after an event, or from now on.

        Where Salesforce does not know the place any more, the first answer says so: then the oldest events that it has
        follow.

        :param replay_id: of the last event that is known, or None.
        :raises SalesforceError: when the stream broke, or is refused.
        """
        preset = LATEST if replay_id is None else CUSTOM
        gap: str | None = None
        while True:
            try:
                async with aclosing(self._responses(preset, replay_id or b"", gap)) as found:
                    async for received in found:
                        yield received
                return
            except ApiError as refusal:
                code = refusal.items[0].code if refusal.items else ""
                if preset != CUSTOM or not code.endswith(_LOST_PLACE):
                    raise explained(self._topic, refusal) from None
                preset, replay_id, gap = EARLIEST, None, "the place in the stream is lost"

    async def _responses(self, preset: int, replay_id: bytes, gap: str | None) -> AsyncGenerator[Received, None]:
        request = messages()["FetchRequest"]
        subscription = self._bus.subscribe()
        try:
            await subscription.request(
                request(topic_name=self._topic, replay_preset=preset, replay_id=replay_id, num_requested=_WINDOW)
            )
            # What an answer says is outstanding does not count what was asked for while it travelled.
            outstanding = _WINDOW
            while (answer := await subscription.response(self._patience)) is not None:
                events = [await self._event(each.event) for each in answer.events]
                yield Received(tuple(events), bytes(answer.latest_replay_id), gap)
                gap = None
                outstanding -= len(answer.events)
                if outstanding <= _WINDOW // 2:
                    await subscription.request(request(topic_name=self._topic, num_requested=_WINDOW - outstanding))
                    outstanding = _WINDOW
        finally:
            subscription.close()

    async def check(self) -> None:
        """Ask whether the user may read the topic.

        :raises SalesforceError: when the org has no such topic, or the user may not read it.
        """
        await check_topic(self._bus, self._topic)

    async def _event(self, event: Any) -> ReceivedEvent:
        if event.schema_id not in self._schemas:
            asked = messages()["SchemaRequest"](schema_id=event.schema_id)
            info = await self._bus.call("GetSchema", asked, "SchemaInfo")
            self._schemas[event.schema_id] = EventSchema(info.schema_json)
        try:
            return self._schemas[event.schema_id].read(event.id, event.payload)
        except ProtocolError as fault:
            log.warning("%s: %s. Its window is to be read", self._topic, fault)
            return ReceivedEvent(event.id, None, (), UNREADABLE, (), None)


@asynccontextmanager
async def event_stream(
    conn_id: str, api_version: str | None, topic: str, patience: float
) -> AsyncIterator[EventStream]:
    """Sign in, and open the event bus.

    :param conn_id: the connection.
    :param api_version: of the REST API, or None for the connection's.
    :param topic: e.g. ``/data/AccountChangeEvent``.
    :param patience: seconds of silence after which the stream is taken for dead.
    :raises SalesforceError: when that fails.
    """
    hook = SalesforceJwtHook(conn_id, api_version=api_version)
    async with hook.aconnect(token_max_age=_TOKEN_MAX_AGE) as org:
        check_is_offered(hook.settings, f"connection '{conn_id}'")
        await org.run(agreed_time)
        token = await org.run(_token, None)
        for _ in range(2):
            async with open_event_bus(hook.settings, token) as bus:
                stream = EventStream(bus, topic, org, token.org_id or "", patience)
                try:
                    await stream.check()
                except SessionExpiredError:
                    token = await _renewed(org, token)
                    continue
                yield stream
                return
        raise ConfigurationError({"Username": "the event bus refuses the session"}, subject=f"connection '{conn_id}'")


async def _renewed(org: AsyncConnectedOrg, token: Token) -> Token:
    return await org.run(_token, token)


def _token(session: object, stale: Token | None) -> Any:
    """The flow that gets a token that works."""
    token = yield from flow.renew(stale)
    return token
