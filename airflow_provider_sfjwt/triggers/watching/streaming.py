"""A stream of an object's change events, or of a platform event, from Salesforce's event bus.

It never raises for what happens in Salesforce: Airflow would start its watcher again every two seconds.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

from airflow_provider_sfjwt.compat import AirflowException, AirflowRuntimeError
from airflow_provider_sfjwt.compat.watchers import AssetStore, asset_store
from airflow_provider_sfjwt.exceptions import SalesforceError, SessionExpiredError
from airflow_provider_sfjwt.triggers.watching.payload import moment_of, moment_text, payload
from airflow_provider_sfjwt.triggers.watching.registry import Occurrence, Registry, Watch
from airflow_provider_sfjwt.triggers.watching.said_once import SaidOnce

if TYPE_CHECKING:
    from airflow_provider_sfjwt.hooks.event_stream import EventStream, Received

log = logging.getLogger(__name__)

#: The key under which an asset's place in the stream is stored.
STATE_KEY = "salesforce_jwt.streamed"
#: Responses that Airflow has not stored yet. It gives up a watcher that has more than 1,024 events before it.
_MOST_UNSTORED = 8
#: Seconds before a stream is opened again; doubled for each further attempt, up to the longest. A fault that somebody
#: has to mend is looked at again after more.
_FIRST_PAUSE, _LONGEST_PAUSE, _MENDING = 1.0, 60.0, 600.0
#: How long before its commit a record may be stamped.
_OVERLAP = timedelta(seconds=300)
#: By how much the org's clock may be ahead of what is known of it: its answers say seconds, and take time to arrive.
_BEHIND = timedelta(seconds=10)
#: Ids of events that are known: Salesforce may send an event again after a reconnect.
_KNOWN_EVENTS = 20_000


@dataclass(frozen=True)
class Topic:
    """What a stream is about. Each asset has one of its own, since each has its own place in it.

    :param asset_name: of the asset.
    :param salesforce_conn_id: the connection.
    :param sobject: the object.
    :param name: of the topic, e.g. ``/data/AccountChangeEvent``.
    :param api_version: of the REST API, or None for the connection's.
    """

    asset_name: str
    salesforce_conn_id: str
    sobject: str
    name: str
    api_version: str | None

    @property
    def key(self) -> Hashable:
        """By which the watcher finds its stream."""
        return ("sfjwt-events", self.salesforce_conn_id, self.name, self.asset_name, self.api_version)

    @classmethod
    def of(cls, kwargs: Mapping[str, Any]) -> Topic:
        """Read it from the arguments of a watcher.

        :param kwargs: as the watcher stores them.
        """
        return cls(
            kwargs["asset_name"],
            kwargs["salesforce_conn_id"],
            kwargs["sobject"],
            kwargs["topic"],
            kwargs["api_version"],
        )


@dataclass(frozen=True)
class Place:
    """How far a topic has been read.

    :param org: id of the org.
    :param replay_id: of the last event; empty before the first answer.
    :param committed: until when all changes are known.
    """

    org: str | None
    replay_id: bytes
    committed: datetime

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {"org": self.org, "replay_id": self.replay_id.hex(), "committed": moment_text(self.committed)}

    @classmethod
    def of(cls, stored: Any) -> Place:
        """Read what :meth:`as_json` made.

        :param stored: decoded JSON.
        :raises ValueError: for anything else.
        """
        try:
            return cls(stored["org"], bytes.fromhex(stored["replay_id"]), moment_of(stored["committed"]))
        except (TypeError, KeyError) as fault:
            raise ValueError(f"not a watcher's place: {fault!r}") from None


#: The streaming watchers of this process.
STREAMED: Registry[Topic] = Registry()
Event = Occurrence[Topic, Place]


class StreamingProducer(SharedStreamProducer):
    """The stream.

    :param topic: what it is about.
    :param store: gives an asset's state by the asset's name.
    :param patience: seconds of silence after which the stream is opened again. Salesforce says where it is every 270 s.
    :param first_pause: seconds before the stream is opened again.
    """

    def __init__(
        self,
        topic: Topic,
        *,
        store: Callable[[str], AssetStore] = asset_store,
        patience: float = 300.0,
        first_pause: float = _FIRST_PAUSE,
    ) -> None:
        self._topic = topic
        self._store = store(topic.asset_name)
        self._patience = patience
        self._first_pause = first_pause
        self._said = SaidOnce(log)
        self._unstored = asyncio.Semaphore(_MOST_UNSTORED)
        self._known: OrderedDict[str, None] = OrderedDict()
        self._place: Place | None = None
        self._begins = False
        self._failures = 0

    async def open_stream(self) -> AsyncIterator[tuple[Event, Event]]:
        """Read the topic, connection after connection.

        :return: events, each beside itself.
        """
        streams = await asyncio.to_thread(import_module, "airflow_provider_sfjwt.hooks.event_stream")
        subject = f"asset '{self._topic.asset_name}'"
        while True:
            opened = time.monotonic()
            try:
                await asyncio.to_thread(streams.warm_up)
                await self._remember()
                async with streams.event_stream(
                    self._topic.salesforce_conn_id, self._topic.api_version, self._topic.name, self._patience
                ) as stream:
                    async for event in self._read(stream):
                        self._failures = 0
                        self._said.right(subject)
                        await self._unstored.acquire()
                        yield event, event
                pause = self._pause()  # Salesforce closed the stream in order
            except ImportError as missing:
                pause = _MENDING
                self._said.wrong(
                    subject, f"{missing}: install 'airflow-provider-sfjwt[events]'.", "Nothing is watched."
                )
            except (SalesforceError, AirflowException, AirflowRuntimeError) as error:
                pause = self._pause() if _passes(error) else _MENDING
                if time.monotonic() - opened < _LONGEST_PAUSE or not _passes(error):
                    self._said.wrong(subject, str(error), f"The stream is opened again in {pause:.0f} s.")
            self._begins = False  # what has changed since the beginning is missed unless it is read
            await asyncio.sleep(pause)

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Store the place after events that Airflow has. Where it has one not, the stream begins again at its place.

        :param batch: events whose watcher is done with them.
        :raises RuntimeError: for an event that Airflow has not stored: the events after it must not be committed.
        """
        for item in batch:
            event: Event = item.broker_payload
            self._unstored.release()
            outcome = item.outcome
            if not (event.taken and outcome.acked > 0 and not outcome.failed and not outcome.rejected):
                raise RuntimeError(f"an event of {self._topic.name} was not stored; the stream begins again")
        await self._store.aset(STATE_KEY, batch[-1].broker_payload.commit.as_json())

    async def _remember(self) -> None:
        """Read the stored place, once. Where there is none, begin now, and store that."""
        if self._place is not None:
            return
        stored = await self._store.aget(STATE_KEY)
        if stored is not None:
            try:
                self._place = Place.of(stored)
            except ValueError as fault:
                subject = f"asset '{self._topic.asset_name}'"
                self._said.wrong(subject, f"its state is unreadable ({fault}).", "It is watched from now on.")
        if self._place is None:
            begin = Place(None, b"", datetime.now(timezone.utc).replace(microsecond=0))
            await self._store.aset(STATE_KEY, begin.as_json())
            self._place, self._begins = begin, True

    async def _read(self, stream: EventStream) -> AsyncIterator[Event]:
        """The events of one connection: first of a gap, where there is one."""
        place = self._place
        gap = None
        if place is None or self._begins:
            responses = stream.responses(None)
        elif place.org not in (None, stream.org_id):
            gap, responses = "another org", stream.responses(None)
        elif not place.replay_id:
            gap, responses = "the stream broke before its first answer", stream.responses(None)
        else:
            responses = stream.responses(place.replay_id)
        async for received in responses:
            reason = gap or received.gap
            gap = None
            told = self._told(stream, received)
            if reason is not None and place is not None:
                # The stream is open by now: what changes from here on comes by itself.
                told = self._gap(stream, place, reason)
            yield self._occurrence(stream, received, told)

    def _gap(self, stream: EventStream, place: Place, reason: str) -> dict[str, Any]:
        since, until = place.committed - _OVERLAP, stream.now() + _BEHIND
        return payload("events", self._topic.sobject, org=stream.org_id, since=since, until=until, ids=None, gap=reason)

    def _told(self, stream: EventStream, received: Received) -> dict[str, Any] | None:
        """What a response says, without events that are known; None for a sign of life."""
        new = [event for event in received.events if event.id not in self._known]
        for event in new:
            self._known[event.id] = None
        while len(self._known) > _KNOWN_EVENTS:
            self._known.popitem(last=False)
        if not new:
            return None
        commits = [datetime.fromtimestamp(each.committed / 1000, timezone.utc) for each in new if each.committed]
        since, until = (min(commits), max(commits)) if commits else (stream.now(), stream.now())
        ids = tuple(dict.fromkeys(record for each in new for record in each.record_ids))
        gaps = sorted({each.change_type for each in new if each.is_gap and each.change_type})
        unknown = any(each.is_gap and not each.record_ids for each in new)
        kinds = [each.change_type for each in new if each.change_type]
        return payload(
            "events",
            self._topic.sobject,
            org=stream.org_id,
            since=since - _OVERLAP,
            until=until + timedelta(seconds=1),
            ids=None if unknown else ids,
            change_types=kinds or None,
            changed_fields=[name for each in new for name in each.changed_fields],
            gap=", ".join(gaps) or None,
        )

    def _occurrence(self, stream: EventStream, received: Received, told: dict[str, Any] | None) -> Event:
        commits = [each.committed for each in received.events if each.committed]
        now = datetime.fromtimestamp(max(commits) / 1000, timezone.utc) if commits else stream.now()
        self._place = Place(stream.org_id, received.replay_id, now)
        watch = next(iter(STREAMED.of(self._topic.key)), None) or Watch(self._topic.asset_name, self._topic)
        return Occurrence(watch, told, self._place)

    def _pause(self) -> float:
        """Seconds before the stream is opened again, so that many do not come back at once."""
        self._failures += 1
        longest = min(self._first_pause * 2 ** (self._failures - 1), _LONGEST_PAUSE)
        return random.uniform(longest / 2, longest)


def _passes(error: Exception) -> bool:
    """Whether a fault may be gone in a minute; else somebody has to mend it."""
    if not isinstance(error, SalesforceError) or isinstance(error, SessionExpiredError):
        return True  # a session that has died is renewed when the stream is opened again
    return error.retryable
