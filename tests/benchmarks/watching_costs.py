"""What watching costs: API calls and sign-ins an hour, and how fast events are read."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from airflow_provider_sfjwt.salesforce.api.event_bus.change_event import EventSchema
from airflow_provider_sfjwt.testing import SimulatedOrg
from airflow_provider_sfjwt.testing.event_bus.server import EventBusServer
from airflow_provider_sfjwt.triggers.org_trigger import TOKEN_MAX_AGE
from airflow_provider_sfjwt.triggers.query import SalesforceQueryTrigger
from tests.benchmarks.runs import Figures, Sample, Section, Verdict, interleaved
from tests.benchmarks.served import PageServer
from tests.triggers.watching.triggerer import Polled, States, Streamed, triggerer

_BACKLOG, _EVENTS = 3_000, 20_000
_COUNTS, _MOST_STREAMS = (20, 200), 20
_VARIABLE = "AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT"
Way = Callable[[SimulatedOrg, int], Awaitable[Sample]]


def measure(server: PageServer, runs: int) -> Section:
    """API calls, sign-ins and events. :param server: unused. :param runs: of the reading of events."""
    reading = interleaved({"events": lambda: asyncio.run(_reading())}, runs)["events"]
    section = Section(
        "What watching costs",
        [
            "Watchers and sensors in one event loop, with Airflow's own streams, against the simulated org. Counted over two "
            f"looks, and scaled to an hour with a look every 60 s. Sign-ins are one at the start; a session is replaced after "
            f"{TOKEN_MAX_AGE / 60:.0f} minutes, so that an hour has two. A stream costs API calls when it is opened, and none after.",
        ],
        ("", "API calls a look", "API calls an hour", "sign-ins, measured", "sign-ins an hour"),
    )
    for count in _COUNTS:
        for title, way in {"polled objects": _polled, "sensors": _sensors, "streams": _streams}.items():
            if way is _streams and count > _MOST_STREAMS:
                continue  # the simulated org asks its database for each stream fifty times a second
            counted = asyncio.run(_counted(way, count))
            section.rows.append((
                f"{count} {title}",
                f"{counted['calls']:.0f}",
                f"{counted['calls'] * 60:,.0f}" if way is not _streams else f"0, and {counted['opening']:.0f} once",
                f"{counted['logins']:.0f}",
                f"{3600 / TOKEN_MAX_AGE:.0f}",
            ))  # fmt: skip
    rate = Figures.of(reading, "events_a_second").median
    backlog = Figures.of(reading, "backlog_seconds").median
    delivered = Figures.of(reading, "delivered").median
    section.verdicts = [
        Verdict("≥ 10,000 change events decoded a second, on one core", f"{rate:,.0f}", rate >= 10_000),
        Verdict(
            f"{_BACKLOG:,} events of backlog are delivered without overflow",
            f"{delivered:,.0f} in {backlog:.1f} s",
            delivered == _BACKLOG,
        ),
    ]
    return section


@contextmanager
def _connected() -> Iterator[SimulatedOrg]:
    """An org, and the default connection to it."""
    before = os.environ.get(_VARIABLE)
    with SimulatedOrg(records={}) as org:
        os.environ[_VARIABLE] = org.connection_json()
        try:
            yield org
        finally:
            os.environ.pop(_VARIABLE)
            if before is not None:
                os.environ[_VARIABLE] = before


def _bus(org: SimulatedOrg, keep_alive: float) -> EventBusServer:
    """The org's event bus. :param org: whose. :param keep_alive: seconds without events after which a stream speaks."""
    bus = org.start_event_bus("Contact")
    os.environ[_VARIABLE] = org.connection_json(pubsub_endpoint=bus.endpoint)
    bus.faults.keep_alive = keep_alive
    return bus


def _requests(org: SimulatedOrg, ending: str) -> int:
    return sum(request.path.endswith(ending) for request in org.requests)


async def _until(org: SimulatedOrg, ending: str, number: int) -> None:
    while _requests(org, ending) < number:  # noqa: ASYNC110 - the org runs on threads
        await asyncio.sleep(0.1)


async def _counted(way: Way, count: int) -> Sample:
    with _connected() as org:
        return await way(org, count) | {"logins": org.logins}


async def _polled(org: SimulatedOrg, count: int) -> Sample:
    Polled.states = States()
    objects = ("Account", "Contact", "Lead", "Case", "Opportunity")
    async with triggerer() as running:
        running.start(
            *(Polled(f"salesforce://crm/{n}/changes", objects[n % len(objects)], poll_interval=5) for n in range(count))
        )
        await running.until(lambda: len(Polled.states.values) == count, 60)
        calls, looks = org.api_calls, _requests(org, "/composite")
        per_look = math.ceil(count / 5)
        await running.until(lambda: _requests(org, "/composite") >= looks + 2 * per_look, 60)
        return {"calls": (org.api_calls - calls) / 2}


async def _sensors(org: SimulatedOrg, count: int) -> Sample:
    async def wait(number: int) -> None:
        soql = f"SELECT Id FROM Account WHERE Name = '{number}'"
        await anext(SalesforceQueryTrigger(soql, "salesforce_jwt_default", poll_interval=10).run())

    waiting = [asyncio.create_task(wait(number)) for number in range(count)]
    await _until(org, "/query", count)
    calls = org.api_calls
    await _until(org, "/query", 3 * count)
    calls = org.api_calls - calls
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return {"calls": calls / 2}


async def _streams(org: SimulatedOrg, count: int) -> Sample:
    bus = _bus(org, 1.0)
    Streamed.states = States()
    async with triggerer() as running:
        running.start(
            *(Streamed(f"salesforce://crm/{n}/changes", "Contact", "/data/ContactChangeEvent") for n in range(count))
        )
        await running.until(lambda: bus.streams == count, 120)
        opening = org.api_calls
        await asyncio.sleep(5)
        return {"calls": org.api_calls - opening, "opening": opening}


async def _reading() -> Sample:
    with _connected() as org:
        bus = _bus(org, 0.05)
        Streamed.states = States()
        name = "salesforce://crm/Contact/changes"
        async with triggerer() as running:
            running.start(Streamed(name, "Contact", "/data/ContactChangeEvent"))
            await running.until(lambda: any((each or {}).get("replay_id") for each in Streamed.states.values.values()))
            await running.stop()
            org.insert("Contact", [{"LastName": str(n), "Email": f"{n}@acme.com"} for n in range(_BACKLOG)])
            began = time.monotonic()
            running.start(Streamed(name, "Contact", "/data/ContactChangeEvent"))
            await running.until(lambda: sum(each["count"] for each in running.events) >= _BACKLOG, 120)
            seconds, delivered = time.monotonic() - began, sum(each["count"] for each in running.events)
            if running.ended:
                raise running.ended[0]
        events = bus.bus.after("/data/ContactChangeEvent", 0, 1_000)
        found = bus.bus.schema(events[0].schema_id)
        schema = EventSchema("" if found is None else found.json)
        began = time.process_time()
        for number in range(_EVENTS):
            event = events[number % len(events)]
            schema.read(event.id, event.payload)
        rate = _EVENTS / (time.process_time() - began)
        return {"events_a_second": rate, "backlog_seconds": seconds, "delivered": delivered}
