"""Watchers: triggers that fire for ever, each time something has changed in Salesforce. They need Airflow 3.3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

if TYPE_CHECKING:
    from airflow.triggers.shared_stream import SharedStreamProducer

    from airflow_provider_sfjwt.triggers.watching.polling import PolledObject
    from airflow_provider_sfjwt.triggers.watching.registry import Watch
    from airflow_provider_sfjwt.triggers.watching.streaming import Topic

__all__ = ["SalesforceChangesTrigger", "SalesforceEventsTrigger"]


class SalesforceChangesTrigger(BaseEventTrigger):
    """Fires when rows of an object were made or changed, by polling. Made by ``salesforce_asset(…)``.

    All watchers of a connection that poll at the same interval share one stream: it asks for five objects in one API
    call. An event comes at least once; its payload has ``since`` and ``until``, the window of ``SystemModstamp`` to
    extract, and up to 200 ids.

    :param asset_name: the name of the asset whose watcher it is. Its state is kept with the asset.
    :param sobject: the object's API name.
    :param salesforce_conn_id: the connection.
    :param where: a SOQL condition on the rows that count, or None.
    :param poll_interval: seconds from one look to the next.
    :param overlap: seconds after its stamp within which a row may be committed.
    :param include_deleted: whether rows in the recycle bin count too.
    :param min_api_calls_left: API calls that the org must have left for a look, or None.
    :param api_version: the version to ask in, or None for the connection's.
    """

    def __init__(
        self,
        asset_name: str,
        sobject: str,
        salesforce_conn_id: str = "salesforce_jwt_default",
        where: str | None = None,
        poll_interval: float = 60,
        overlap: float = 300,
        include_deleted: bool = False,
        min_api_calls_left: int | None = None,
        api_version: str | None = None,
        **_: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.asset_name = asset_name
        self.sobject = sobject
        self.salesforce_conn_id = salesforce_conn_id
        self.where = where
        self.poll_interval = poll_interval
        self.overlap = overlap
        self.include_deleted = include_deleted
        self.min_api_calls_left = min_api_calls_left
        self.api_version = api_version
        self._watch: Watch[PolledObject] | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What is stored of the watcher. The asset's name makes it another one than that of any other asset."""
        arguments = {
            "asset_name": self.asset_name,
            "sobject": self.sobject,
            "salesforce_conn_id": self.salesforce_conn_id,
            "where": self.where,
            "poll_interval": self.poll_interval,
            "overlap": self.overlap,
            "include_deleted": self.include_deleted,
            "min_api_calls_left": self.min_api_calls_left,
            "api_version": self.api_version,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    def shared_stream_key(self) -> Hashable:
        """Join the stream: Airflow asks for the key right before it subscribes the watcher."""
        from airflow_provider_sfjwt.triggers.watching.polling import POLLED, PolledObject, Polling
        from airflow_provider_sfjwt.triggers.watching.registry import Watch

        polled = PolledObject(self.sobject, self.where or None, timedelta(seconds=self.overlap), self.include_deleted)
        self._watch = Watch(self.asset_name, polled)
        self._key = Polling.of(self.serialize()[1]).key
        POLLED.join(self._key, self._watch)
        return self._key

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """Make the stream.

        :param kwargs: the arguments of any of its watchers.
        """
        from airflow_provider_sfjwt.triggers.watching.polling import Polling, PollingProducer

        return PollingProducer(Polling.of(kwargs))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Fire the events that are this watcher's own.

        :param shared_stream: the events of all watchers of the stream.
        """
        from airflow_provider_sfjwt.triggers.watching.polling import POLLED

        try:
            async for event in shared_stream:
                if event.watch is self._watch:
                    event.taken = True
                    yield TriggerEvent(event.payload)  # type: ignore[no-untyped-call]
        finally:
            if self._watch is not None:
                POLLED.leave(self._key, self._watch)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Say that this Airflow has no shared streams. Before 3.3 nothing tells when an event is stored."""
        await _say_that_nothing_is_watched(self)
        yield TriggerEvent(None)  # type: ignore[no-untyped-call]  # makes it a generator


class SalesforceEventsTrigger(BaseEventTrigger):
    """Fires when Salesforce sends change events, or a platform event. Made by ``salesforce_asset(…, mode="events")``.

    Each watcher has a stream of its own over the Pub/Sub API, which needs the packages of the extra ``events``. An
    event comes at least once; its payload has ``since`` and ``until``, the window of ``SystemModstamp`` to extract, up
    to 200 ids, the change types and the names of the fields that changed.

    :param asset_name: the name of the asset whose watcher it is. Its place in the stream is kept with the asset.
    :param sobject: the object's API name, or that of a platform event.
    :param topic: what to subscribe to, e.g. ``/data/AccountChangeEvent``.
    :param salesforce_conn_id: the connection.
    :param api_version: of the REST API, or None for the connection's.

    https://developer.salesforce.com/docs/platform/pub-sub-api/guide/intro.html
    """

    def __init__(
        self,
        asset_name: str,
        sobject: str,
        topic: str,
        salesforce_conn_id: str = "salesforce_jwt_default",
        api_version: str | None = None,
        **_: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.asset_name = asset_name
        self.sobject = sobject
        self.topic = topic
        self.salesforce_conn_id = salesforce_conn_id
        self.api_version = api_version
        self._watch: Watch[Topic] | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What is stored of the watcher."""
        arguments = {
            "asset_name": self.asset_name,
            "sobject": self.sobject,
            "topic": self.topic,
            "salesforce_conn_id": self.salesforce_conn_id,
            "api_version": self.api_version,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    def shared_stream_key(self) -> Hashable:
        """Join the stream: Airflow asks for the key right before it subscribes the watcher."""
        from airflow_provider_sfjwt.triggers.watching.registry import Watch
        from airflow_provider_sfjwt.triggers.watching.streaming import STREAMED, Topic

        topic = Topic.of(self.serialize()[1])
        self._watch = Watch(self.asset_name, topic)
        STREAMED.join(topic.key, self._watch)
        return topic.key

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """Make the stream.

        :param kwargs: the arguments of its watcher.
        """
        from airflow_provider_sfjwt.triggers.watching.streaming import StreamingProducer, Topic

        return StreamingProducer(Topic.of(kwargs))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Fire the events of the stream; those that only say where it is fire nothing.

        :param shared_stream: the events.
        """
        from airflow_provider_sfjwt.triggers.watching.streaming import STREAMED

        try:
            async for event in shared_stream:
                event.taken = True
                if event.payload is not None:
                    yield TriggerEvent(event.payload)  # type: ignore[no-untyped-call]
        finally:
            if self._watch is not None:
                STREAMED.leave(self._watch.what.key, self._watch)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Say that this Airflow has no shared streams. Before 3.3 nothing tells when an event is stored."""
        await _say_that_nothing_is_watched(self)
        yield TriggerEvent(None)  # type: ignore[no-untyped-call]  # makes it a generator


async def _say_that_nothing_is_watched(watcher: SalesforceChangesTrigger | SalesforceEventsTrigger) -> None:
    """Say it once, and wait for ever: Airflow would start a watcher again that ends."""
    watcher.log.error(
        "The watcher of asset '%s' does nothing: watchers of Salesforce need Airflow 3.3. Before, use "
        "SalesforceQuerySensor",
        watcher.asset_name,
    )
    await asyncio.Event().wait()
