from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_sfjwt.assets import salesforce_asset
from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from airflow_provider_sfjwt.testing.event_bus.server import EventBusServer
from airflow_provider_sfjwt.triggers.changes import SalesforceEventsTrigger
from airflow_provider_sfjwt.triggers.watching.payload import moment_of
from airflow_provider_sfjwt.triggers.watching.streaming import STATE_KEY, Place
from tests.orgs import private_key, small_org
from tests.triggers.watching.triggerer import States, Streamed, Triggerer, triggerer

__all__ = ["private_key", "small_org"]

ASSET = "salesforce://salesforce_jwt_default/Contact/changes"


@pytest.fixture(autouse=True)
def states() -> States:
    Streamed.states = States()
    return Streamed.states


@pytest.fixture
def bus(org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventBusServer]:
    """The org's event bus, which says every 50 ms where a stream is."""
    server = org.start_event_bus("Account", "Contact")
    server.faults.keep_alive = 0.05
    connection = org.connection_json(pubsub_endpoint=server.endpoint)
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", connection)
    yield server


def watcher(sobject: str = "Contact", topic: str = "/data/ContactChangeEvent") -> Streamed:
    return Streamed(asset_name=ASSET, sobject=sobject, topic=topic)


def place(states: States) -> Any:
    return states.values.get((ASSET, STATE_KEY))


async def watching(running: Triggerer, states: States, one: Streamed | None = None) -> None:
    """Start a watcher, and wait until it has a place in the stream."""
    running.start(one or watcher())
    await running.until(lambda: (place(states) or {}).get("replay_id"))


async def test_changes_fire_with_ids_types_and_names_of_fields(
    org: SimulatedOrg, bus: EventBusServer, states: States
) -> None:
    async with triggerer() as running:
        await watching(running, states)
        (made,) = org.insert("Contact", [{"LastName": "Neu", "FirstName": "A", "Email": "a@acme.com"}])
        (event,) = await running.events_of(1)
        assert (event["kind"], event["org"], event["count"]) == ("events", org.org_id, 1)
        assert (event["record_ids"], event["change_types"], event["gap"]) == ([made], ["CREATE"], None)
        org.update("Contact", made, {"LastName": "Alt", "Email": None})
        _, event = await running.events_of(2)
        assert event["change_types"] == ["UPDATE"]
        assert {"Name.LastName", "Email"} <= set(event["changed_fields"])
        assert "Name.FirstName" not in event["changed_fields"]
        (row,) = [each for each in org.rows("Contact") if each["Id"] == made]
        assert moment_of(event["since"]) < row["SystemModstamp"] < moment_of(event["until"])
        org.delete("Contact", made)
        *_, event = await running.events_of(3)
        assert event["change_types"] == ["DELETE"]


async def test_a_backlog_is_delivered_whole_and_no_watcher_overflows(
    org: SimulatedOrg, bus: EventBusServer, states: States
) -> None:
    async with triggerer() as running:
        await watching(running, states)
        await running.stop()
        made = org.insert("Contact", [{"LastName": str(number)} for number in range(3_000)])
        running.start(watcher())
        await running.until(lambda: sum(each["count"] for each in running.events) >= 3_000, 60)
        seen = [record for each in running.events for record in each["record_ids"]]
        assert sorted(seen) == sorted(made)
        assert running.ended == []


async def test_no_more_events_are_asked_for_than_may_be_outstanding(
    org: SimulatedOrg, bus: EventBusServer, states: States
) -> None:
    async with triggerer() as running:
        await watching(running, states)
        bus.faults.latency = 1.0
        org.insert("Contact", [{"LastName": str(number)} for number in range(60)])
        await running.events_of(1)
        # They come while the request for more is on its way.
        org.insert("Contact", [{"LastName": str(number)} for number in range(30)])
        await running.until(lambda: sum(each["count"] for each in running.events) == 90)
        await asyncio.sleep(2.5)
        assert (bus.opened, bus.streams) == (1, 1)


async def test_events_that_are_not_stored_come_again(org: SimulatedOrg, bus: EventBusServer, states: States) -> None:
    async with triggerer(ack_timeout=0.5) as running:
        await watching(running, states)
        running.stores = False
        (made,) = org.insert("Contact", [{"LastName": "Lost"}])
        await running.events_of(1)
        await running.until(lambda: running.ended)
    async with triggerer() as again:
        again.start(watcher())
        (event,) = await again.events_of(1)
        assert event["record_ids"] == [made]


@pytest.mark.parametrize("break_it", ["closed in order", "server restarted", "session dead", "silent"])
async def test_the_stream_is_opened_again_where_it_was(
    org: SimulatedOrg, bus: EventBusServer, states: States, break_it: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Streamed, "patience", 0.5)
    async with triggerer() as running:
        await watching(running, states)
        if break_it == "closed in order":
            bus.close_streams()
        elif break_it == "server restarted":
            bus.stop()
            bus.start()
        elif break_it == "session dead":
            org.expire_sessions()
        else:
            bus.faults.silent = True
        (made,) = org.insert("Contact", [{"LastName": "Meanwhile"}])
        if break_it == "silent":
            opened = bus.opened
            await running.until(lambda: bus.opened > opened)
            bus.faults.silent = False
        (event,) = await running.events_of(1)
        assert (event["record_ids"], event["gap"], running.ended) == ([made], None, [])


@pytest.mark.parametrize("how", ["expired", "corrupted"])
async def test_a_lost_place_is_a_gap_with_the_window_to_read(
    org: SimulatedOrg, bus: EventBusServer, states: States, how: str
) -> None:
    async with triggerer() as running:
        await watching(running, states)
        await running.stop()
    lost = org.insert("Contact", [{"LastName": "Never delivered"}])
    if how == "expired":
        bus.bus.expire()
    else:
        bus.faults.corrupted = True
    async with triggerer() as running:
        running.start(watcher())
        (event, *_) = await running.events_of(1)
        assert (event["gap"], event["record_ids"]) == ("the place in the stream is lost", None)
        (row,) = [each for each in org.rows("Contact") if each["Id"] == lost[0]]
        assert moment_of(event["since"]) < row["SystemModstamp"] < moment_of(event["until"])
        bus.faults.corrupted = False
        (made,) = org.insert("Contact", [{"LastName": "After it"}])
        await running.until(lambda: any(made in (each["record_ids"] or ()) for each in running.events))


async def test_another_org_is_a_gap(org: SimulatedOrg, bus: EventBusServer, states: States) -> None:
    async with triggerer() as running:
        await watching(running, states)
        await running.stop()
    place(states)["org"] = "00D000000000001AAA"
    async with triggerer() as running:
        running.start(watcher())
        (event, *_) = await running.events_of(1)
        assert (event["gap"], event["org"]) == ("another org", org.org_id)


async def test_a_watcher_that_ended_before_its_first_answer_has_a_gap(
    org: SimulatedOrg, bus: EventBusServer, states: States
) -> None:
    bus.faults.silent = True
    async with triggerer() as running:
        running.start(watcher())
        await running.until(lambda: place(states))
        await running.until(lambda: bus.streams)
    bus.faults.silent = False
    async with triggerer() as running:
        running.start(watcher())
        (event, *_) = await running.events_of(1)
        assert event["gap"] == "the stream broke before its first answer"


async def test_what_changes_before_the_first_answer_is_read_where_the_stream_breaks(
    org: SimulatedOrg, bus: EventBusServer, states: States
) -> None:
    bus.faults.keep_alive = 60
    async with triggerer() as running:
        running.start(watcher())
        await running.until(lambda: bus.streams)
        bus.stop()
        (made,) = org.insert("Contact", [{"LastName": "While nobody listened"}])
        bus.faults.keep_alive = 0.05
        bus.start()
        (event,) = await running.events_of(1)
        (row,) = [each for each in org.rows("Contact") if each["Id"] == made]
        assert event["gap"] == "the stream broke before its first answer"
        assert moment_of(event["since"]) < row["SystemModstamp"] < moment_of(event["until"])


@pytest.mark.parametrize(("kind", "ids"), [("GAP_UPDATE", ["0035e0000000001AAA"]), ("GAP_OVERFLOW", None)])
async def test_gaps_that_salesforce_reports(
    org: SimulatedOrg, bus: EventBusServer, states: States, kind: str, ids: list[str] | None
) -> None:
    async with triggerer() as running:
        await watching(running, states)
        bus.bus.gap("Contact", kind, ids or [])
        (event,) = await running.events_of(1)
        assert (event["gap"], event["record_ids"], event["change_types"]) == (kind, ids, [kind])


async def test_a_schema_that_changes_while_the_stream_is_read(
    org: SimulatedOrg, bus: EventBusServer, states: States
) -> None:
    async with triggerer() as running:
        await watching(running, states)
        org.add_field("Contact", Field("Level__c", length=20))
        bus.bus.select(org._schema.get("Contact"))
        (made,) = org.insert("Contact", [{"LastName": "Neu", "Level__c": "Gold"}])
        org.update("Contact", made, {"Level__c": "Silver"})
        await running.until(lambda: any("Level__c" in (each["changed_fields"] or ()) for each in running.events))


async def test_platform_events_fire_too(org: SimulatedOrg, bus: EventBusServer, states: States) -> None:
    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

    org.define_object("Order__e", [Field("Number__c", length=10)])
    org.start_event_bus("Order__e")
    async with triggerer() as running:
        await watching(running, states, watcher("Order__e", "/event/Order__e"))
        SalesforceJwtHook().publish("Order__e", [{"Number__c": "1"}])
        (event,) = await running.events_of(1)
        assert (event["sobject"], event["change_types"], event["record_ids"]) == ("Order__e", None, [])


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        (
            "/data/LeadChangeEvent",
            "the org publishes no change events of Lead: the topic /data/LeadChangeEvent cannot be read (The topic "
            "information for org ",
        ),
        ("/data/LeadChangeEvent", "Select Lead in Setup → Change Data Capture. An object that is not listed there has"),
        ("/event/Nothing__e", "the org has no platform event Nothing__e"),
        ("/data/Sales__chn", "the org has no channel Sales__chn"),
    ],
)
async def test_a_topic_that_is_not_there_is_said_once_and_nothing_raises(
    org: SimulatedOrg, bus: EventBusServer, states: States, caplog: pytest.LogCaptureFixture, topic: str, said: str
) -> None:
    with caplog.at_level(logging.WARNING):
        async with triggerer() as running:
            running.start(watcher("Lead", topic))
            await running.until(lambda: said in caplog.text)
            assert running.ended == []
    assert "opened again in 600 s" in caplog.text


@pytest.mark.parametrize("topic", ["/data/ContactChangeEvent", "/event/Order__e"])
async def test_so_is_a_missing_permission(
    org: SimulatedOrg, bus: EventBusServer, states: States, caplog: pytest.LogCaptureFixture, topic: str
) -> None:
    org.define_object("Order__e", [Field("Number__c", length=10)])
    org.start_event_bus("Order__e")
    org.view_all_data, bus.faults.forbidden = False, {"/event/Order__e"}
    async with triggerer() as running:
        running.start(watcher("Contact", topic))
        expected = {
            "/data/ContactChangeEvent": "Give the user 'View All Records' on Contact",
            "/event/Order__e": "Give the user Read on Order__e",
        }
        await running.until(lambda: expected[topic] in caplog.text)
        assert running.ended == []


async def test_view_all_on_the_object_is_enough(org: SimulatedOrg, bus: EventBusServer, states: States) -> None:
    org.view_all_data, org.view_all_objects = False, ["contact"]
    async with triggerer() as running:
        await watching(running, states)


async def test_a_government_org_is_told_to_poll(
    org: SimulatedOrg, states: States, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    connection = {**json.loads(org.connection_json()), "host": "https://acme.my.salesforce.mil", "port": None}
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", json.dumps(connection))
    async with triggerer() as running:
        running.start(watcher())
        await running.until(lambda: "mode='poll'" in caplog.text)


async def test_a_store_that_fails_at_the_beginning_is_asked_again(
    org: SimulatedOrg, bus: EventBusServer, states: States
) -> None:
    states.fails = 2
    async with triggerer() as running:
        await watching(running, states)
        assert running.ended == []


async def test_an_unreadable_place_begins_anew(org: SimulatedOrg, bus: EventBusServer, states: States) -> None:
    states.values[ASSET, STATE_KEY] = {"of": "a later release"}
    async with triggerer() as running:
        await watching(running, states)


async def test_no_token_is_in_what_is_stored_or_logged(
    org: SimulatedOrg, bus: EventBusServer, states: States, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with triggerer() as running:
            await watching(running, states)
            bus.stop()
            await running.until(lambda: "not reached" in caplog.text)
            bus.start()
    tokens = [each.token for each in org._services.sessions._sessions.values()]
    assert tokens
    assert not any(token in caplog.text or token in str(states.values) for token in tokens)


def test_what_is_stored_of_a_watcher() -> None:
    (made,) = salesforce_asset("Invoice__c", "crm", mode="events").watchers
    path, arguments = made.trigger.serialize()
    assert path == "airflow_provider_sfjwt.triggers.changes.SalesforceEventsTrigger"
    assert arguments["topic"] == "/data/Invoice__ChangeEvent"
    assert SalesforceEventsTrigger(**arguments, of_a_later_release=1).serialize() == (path, arguments)
    for sobject, topic in {"Account": "/data/AccountChangeEvent", "Order__e": "/event/Order__e"}.items():
        assert salesforce_asset(sobject, mode="events").watchers[0].trigger.topic == topic
    assert (
        salesforce_asset("Account", mode="events", topic="/data/Sales__chn").watchers[0].trigger.topic
        == "/data/Sales__chn"
    )


@pytest.mark.parametrize("stored", [None, {}, {"org": "00D", "replay_id": "xyz", "committed": "2026-11-26T12:00:00Z"}])
def test_anything_else_is_not_a_place(stored: object) -> None:
    with pytest.raises(ValueError):
        Place.of(stored)
