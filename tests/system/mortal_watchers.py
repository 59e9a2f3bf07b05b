"""Watchers in whose triggerer somebody can pull the plug at a named point, by making a file of that name."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, AssetWatcher
from airflow.triggers.base import TriggerEvent
from airflow.triggers.shared_stream import SharedStreamProducer

from airflow_provider_sfjwt.assets.watched import changes_uri
from airflow_provider_sfjwt.salesforce.api.event_bus.topics import topic_of
from airflow_provider_sfjwt.triggers.changes import SalesforceChangesTrigger, SalesforceEventsTrigger
from airflow_provider_sfjwt.triggers.watching.polling import Polling
from airflow_provider_sfjwt.triggers.watching.streaming import Topic
from tests.triggers.watching.mortal import MortalPolling, MortalStreaming, dying

#: The variable that names the folder of these files, and of what runs leave there.
FOLDER = "SFJWT_KILLED_WATCHERS"
CONN_ID = "salesforce_killed"
POLLED, STREAMED = "Contact", "Lead"


def _die_at(point: str) -> None:
    """Kill the triggerer and its supervisor, where this point was chosen."""
    try:
        (Path(os.environ[FOLDER]) / point).unlink()
    except FileNotFoundError:
        return
    for pid in (os.getsid(0), os.getpid()):
        os.kill(pid, signal.SIGKILL)


class MortalChangesTrigger(SalesforceChangesTrigger):
    """A polling watcher."""

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        return MortalPolling(_die_at, Polling.of(kwargs))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        async for event in dying(super().filter_shared_stream(shared_stream), "yielded poll", _die_at):
            yield event


class MortalEventsTrigger(SalesforceEventsTrigger):
    """A watcher of the event bus."""

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        return MortalStreaming(_die_at, Topic.of(kwargs))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        async for event in dying(super().filter_shared_stream(shared_stream), "yielded events", _die_at):
            yield event


def mortal_asset(mode: str) -> Asset:
    """An asset as ``salesforce_asset`` makes it, with such a watcher.

    :param mode: ``poll`` or ``events``.
    """
    sobject = POLLED if mode == "poll" else STREAMED
    uri = changes_uri(CONN_ID, sobject)
    trigger: Any = (
        MortalChangesTrigger(uri, sobject, CONN_ID, poll_interval=5, overlap=60)
        if mode == "poll"
        else MortalEventsTrigger(uri, sobject, topic_of(sobject), CONN_ID)
    )
    return Asset(name=uri, uri=uri, watchers=[AssetWatcher(name=uri, trigger=trigger)])
