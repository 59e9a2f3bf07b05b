"""A triggerer in a process of its own, which dies at a named point when somebody makes a file of that name."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from airflow.triggers.base import TriggerEvent
from airflow.triggers.shared_stream import SharedStreamProducer

from airflow_provider_sfjwt.triggers.changes import SalesforceChangesTrigger, SalesforceEventsTrigger
from airflow_provider_sfjwt.triggers.watching.polling import Polling
from airflow_provider_sfjwt.triggers.watching.streaming import Topic
from tests.attacks.attempts import FileStore
from tests.processes import processes
from tests.triggers.watching.mortal import MortalPolling, MortalStreaming, dying
from tests.triggers.watching.triggerer import Triggerer

OBJECT = "Contact"


class _Store:
    """The state of an asset in a folder of files, which outlives the process."""

    def __init__(self, folder: Path) -> None:
        self._store = FileStore(folder)

    async def aget(self, key: str) -> Any:
        return self._store.get(key)

    async def aset(self, key: str, value: Any) -> None:
        self._store.set(key, value)


class _Here:
    """Where this process is: its folder."""

    folder = Path()

    @classmethod
    def die(cls, point: str) -> None:
        if (cls.folder / point).exists():
            (cls.folder / point).unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    @classmethod
    def store(cls, name: str) -> _Store:
        return _Store(cls.folder / "state")


class _Polled(SalesforceChangesTrigger):
    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        return MortalPolling(_Here.die, Polling.of(kwargs), store=_Here.store, first_look=0.05)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        async for event in dying(super().filter_shared_stream(shared_stream), "yielded poll", _Here.die):
            yield event


class _Streamed(SalesforceEventsTrigger):
    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        return MortalStreaming(_Here.die, Topic.of(kwargs), store=_Here.store, first_pause=0.05)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        async for event in dying(super().filter_shared_stream(shared_stream), "yielded events", _Here.die):
            yield event


def _watch(environment: dict[str, str], folder: Path, mode: str) -> None:
    os.environ.update(environment)
    os.dup2(os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 1)
    os.dup2(1, 2)
    _Here.folder = folder

    async def for_ever() -> None:
        running = Triggerer(on_stored=_keep)
        running.delay = 0.1
        running.start(
            _Polled("asset", OBJECT, poll_interval=0.2, overlap=60)
            if mode == "poll"
            else _Streamed("asset", OBJECT, f"/data/{OBJECT}ChangeEvent")
        )
        await asyncio.Event().wait()

    asyncio.run(for_ever())


def _keep(event: dict[str, Any]) -> None:
    with (_Here.folder / "events").open("a", encoding="utf-8") as events:
        events.write(json.dumps(event) + "\n")


def begin(environment: dict[str, str], folder: Path, mode: str) -> Any:
    """Start a triggerer with one watcher of contacts.

    :param environment: variables of the process.
    :param folder: of the asset's state and of the events that are stored; those before it had the same.
    :param mode: of the watcher.
    """
    process = processes().Process(target=_watch, args=(environment, folder, mode), daemon=True)
    process.start()
    return process


def stored(folder: Path) -> list[dict[str, Any]]:
    """The events that were stored.

    :param folder: of the triggerers.
    """
    file = folder / "events"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
