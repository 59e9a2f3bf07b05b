"""Streams whose process can be killed right after Airflow has stored an event, before they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from airflow.triggers.base import TriggerEvent
from airflow.triggers.shared_stream import AdvanceItem

from airflow_provider_sfjwt.triggers.watching.polling import PollingProducer
from airflow_provider_sfjwt.triggers.watching.streaming import StreamingProducer

#: Ends the process where the point of that name was chosen.
Die = Callable[[str], None]


class MortalPolling(PollingProducer):
    """A stream of polled objects.

    :param die: is asked at each point.
    """

    def __init__(self, die: Die, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._die = die

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        self._die("persisted poll")
        await super().advance(batch)


class MortalStreaming(StreamingProducer):
    """A stream of change events.

    :param die: is asked at each point.
    """

    def __init__(self, die: Die, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._die = die

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        if any(item.broker_payload.payload for item in batch):  # not for a sign of life
            self._die("persisted events")
        await super().advance(batch)


async def dying(events: AsyncIterator[TriggerEvent], point: str, die: Die) -> AsyncIterator[TriggerEvent]:
    """Fire events, and ask after each whether to die.

    :param events: of a watcher.
    :param point: its name.
    :param die: is asked.
    """
    async for event in events:
        yield event
        die(point)
