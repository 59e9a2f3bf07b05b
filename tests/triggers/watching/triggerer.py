"""What a triggerer does with watchers: Airflow's own streams, and a state store in memory."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from airflow.triggers.shared_stream import SharedStreamManager, SharedStreamProducer

from airflow_provider_sfjwt.triggers.changes import SalesforceChangesTrigger, SalesforceEventsTrigger
from airflow_provider_sfjwt.triggers.watching.polling import Polling, PollingProducer
from airflow_provider_sfjwt.triggers.watching.streaming import StreamingProducer, Topic


class States:
    """The state of assets, which outlives a triggerer."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], Any] = {}
        self.fails = 0

    def of(self, name: str) -> AssetState:
        return AssetState(self, name)


class AssetState:
    def __init__(self, states: States, name: str) -> None:
        self._states, self._name = states, name

    async def aget(self, key: str) -> Any:
        self._refuse()
        return self._states.values.get((self._name, key))

    async def aset(self, key: str, value: Any) -> None:
        self._refuse()
        assert value is not None
        assert len(json.dumps(value)) < 65_536
        self._states.values[self._name, key] = json.loads(json.dumps(value))

    def _refuse(self) -> None:
        if self._states.fails > 0:
            from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
            from airflow.sdk.execution_time.comms import ErrorResponse

            self._states.fails -= 1
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.GENERIC_ERROR, detail={"message": "no database"}))


class Polled(SalesforceChangesTrigger):
    """A polling watcher whose state is kept in the test's process, and whose first look comes at once."""

    states = States()

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        return PollingProducer(Polling.of(kwargs), store=cls.states.of, first_look=0.05)


class Triggerer:
    """Runs watchers. While ``stores`` is true, an event that is fired is stored ``delay`` seconds later.

    :param ack_timeout: seconds after which an event that is not stored is given up.
    :param on_stored: gets each event that is stored.
    """

    def __init__(
        self, ack_timeout: float = 300, *, on_stored: Callable[[dict[str, Any]], object] | None = None
    ) -> None:
        self.manager = SharedStreamManager(ack_timeout=ack_timeout)
        self.events: list[dict[str, Any]] = []
        self.delay = 0.0
        self._on_stored = on_stored
        self._waiting: set[asyncio.TimerHandle] = set()
        self.ended: list[BaseException] = []
        self.stores = True
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._number = 0

    def start(self, *watchers: Any) -> None:
        for watcher in watchers:
            self._number += 1
            self._tasks[watcher.asset_name] = asyncio.create_task(self._run(self._number, watcher))

    async def stop(self, *names: str) -> None:
        for name in names or list(self._tasks):
            task = self._tasks.pop(name)
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task

    async def kill(self) -> None:
        """End all at once. Events that are not stored are lost."""
        for handle in self._waiting:
            handle.cancel()
        await self.stop()

    def start_ended(self, *watchers: Any) -> int:
        """Start again those of some watchers that have ended, as Airflow does every two seconds.

        :return: how many.
        """
        ended = [each for each in watchers if (task := self._tasks.get(each.asset_name)) and task.done()]
        self.start(*ended)
        return len(ended)

    async def until(self, condition: Callable[[], Any], seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not in time; events: {self.events}; ended: {self.ended}"
            await asyncio.sleep(0.02)

    async def events_of(self, number: int, sobject: str | None = None) -> list[dict[str, Any]]:
        """The events so far, when there are so many."""

        def of() -> list[dict[str, Any]]:
            return [each for each in self.events if sobject in (None, each["sobject"])]

        await self.until(lambda: len(of()) >= number)
        return of()

    async def _run(self, number: int, watcher: Any) -> None:
        key = watcher.shared_stream_key()
        try:
            events = watcher.filter_shared_stream(self.manager.subscribe(trigger_id=number, trigger=watcher, key=key))
            async for event in events:
                sequence = self.manager.bind_pending_event(trigger_id=number, key=key)
                self.events.append(json.loads(json.dumps(event.payload)))
                self._store(self.events[-1], sequence)
        except Exception as error:
            self.ended.append(error)
            raise
        finally:
            await self.manager.unsubscribe(number, key)

    def _store(self, event: dict[str, Any], sequence: int | None) -> None:
        def store() -> None:
            self._waiting.discard(handle)
            if not self.stores:
                return
            if self._on_stored is not None:
                self._on_stored(event)
            if sequence is not None:
                self.manager.confirm_persisted([sequence])

        handle = asyncio.get_running_loop().call_later(self.delay, store)
        self._waiting.add(handle)


@asynccontextmanager
async def triggerer(ack_timeout: float = 300) -> AsyncIterator[Triggerer]:
    """A triggerer that is ended at the end."""
    running = Triggerer(ack_timeout)
    try:
        yield running
    finally:
        await running.stop()


class Streamed(SalesforceEventsTrigger):
    """A watcher of the event bus whose state is kept in the test's process, and that does not wait long."""

    states = States()
    patience = 10.0

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        return StreamingProducer(Topic.of(kwargs), store=cls.states.of, patience=cls.patience, first_pause=0.05)
