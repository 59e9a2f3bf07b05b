"""Both transports behind one face, so that one suite holds them to one contract."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, TypeVar

from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Renewal
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings
from airflow_provider_sfjwt.salesforce.wire.transport import AsyncTransport, Transport

T = TypeVar("T")


class Carrier(Protocol):
    """Carries flows; what its transport slept is in ``slept``."""

    slept: list[float]

    def run(self, flow: Flow[T]) -> T: ...

    def close(self) -> None: ...


class WorkerCarrier:
    """A worker's transport."""

    def __init__(self, settings: TransportSettings, renewal: Renewal | None = None) -> None:
        self.slept: list[float] = []
        self._transport = Transport(settings, renewal, sleep=self.slept.append)

    def run(self, flow: Flow[T]) -> T:
        return self._transport.run(flow)

    def close(self) -> None:
        self._transport.close()


class TriggererCarrier:
    """The triggerer's transport, on an event loop of its own."""

    def __init__(self, settings: TransportSettings, renewal: Renewal | None = None) -> None:
        self.slept: list[float] = []
        self._loop = asyncio.new_event_loop()
        self._transport = self._loop.run_until_complete(self._make(settings, renewal))

    async def _make(self, settings: TransportSettings, renewal: Renewal | None) -> AsyncTransport:
        async def sleep(seconds: float) -> Any:
            self.slept.append(seconds)

        return AsyncTransport(settings, renewal, sleep=sleep)

    def run(self, flow: Flow[T]) -> T:
        return self._loop.run_until_complete(self._transport.run(flow))

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self._loop.run_until_complete(self._transport.close())
        self._loop.close()


CARRIERS: dict[str, type[WorkerCarrier] | type[TriggererCarrier]] = {
    "worker": WorkerCarrier,
    "triggerer": TriggererCarrier,
}
