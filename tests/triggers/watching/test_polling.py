from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from airflow_provider_sfjwt.triggers.changes import SalesforceChangesTrigger
from airflow_provider_sfjwt.triggers.watching.payload import moment_of
from airflow_provider_sfjwt.triggers.watching.polling import STATE_KEY
from tests.orgs import private_key, small_org
from tests.triggers.watching.triggerer import Polled, States, Triggerer, triggerer

__all__ = ["private_key", "small_org"]

OBJECTS = ["Account", "Contact", "Lead", "Opportunity", "Case", "Task"]


@pytest.fixture(autouse=True)
def states(org: SimulatedOrg) -> Iterator[States]:
    """An empty state store, and no rows within the overlap."""
    Polled.states = States()
    yield Polled.states


def watcher(sobject: str = "Account", **arguments: Any) -> Polled:
    name = arguments.pop("asset_name", f"salesforce://salesforce_jwt_default/{sobject}/changes")
    return Polled(asset_name=name, sobject=sobject, **{"poll_interval": 0.2, "overlap": 60, **arguments})


def stored(states: States, sobject: str = "Account") -> Any:
    return states.values.get((f"salesforce://salesforce_jwt_default/{sobject}/changes", STATE_KEY))


async def watching(running: Triggerer, *watchers: Polled) -> None:
    """Start watchers, and wait until each has its first mark."""
    running.start(*watchers)
    states = watchers[0].states
    await running.until(lambda: all((each.asset_name, STATE_KEY) in states.values for each in watchers))


def polls(org: SimulatedOrg) -> int:
    return sum(request.path.endswith("/composite") for request in org.requests)


async def test_a_change_fires_once_with_the_window_to_read(org: SimulatedOrg, states: States) -> None:
    async with triggerer() as running:
        await watching(running, watcher())
        before = stored(states)
        (made,) = org.insert("Account", [{"Name": "New"}])
        (event,) = await running.events_of(1)
        (row,) = [each for each in org.rows("Account") if each["Id"] == made]
        assert event["record_ids"] == [made]
        assert (event["kind"], event["sobject"], event["org"], event["count"]) == ("poll", "Account", org.org_id, 1)
        assert moment_of(event["since"]) == row["SystemModstamp"] < moment_of(event["until"])
        assert (event["gap"], event["change_types"], event["changed_fields"]) == (None, None, None)
        await running.until(lambda: stored(states)["until"] >= event["until"])
        assert stored(states)["until"] > before["until"]
        looks = polls(org)
        await running.until(lambda: polls(org) > looks + 2)
        assert len(running.events) == 1


async def test_a_row_that_was_committed_late_fires(org: SimulatedOrg, states: States) -> None:
    async with triggerer() as running:
        await watching(running, watcher())
        (made,) = org.insert("Account", [{"Name": "Late", "SystemModstamp": org.now() - timedelta(seconds=40)}])
        (event,) = await running.events_of(1)
        assert event["record_ids"] == [made]


async def test_an_event_that_is_not_stored_comes_again(org: SimulatedOrg, states: States) -> None:
    async with triggerer(ack_timeout=0.5) as running:
        await watching(running, watcher())
        mark = stored(states)
        running.stores = False
        org.insert("Account", [{"Name": "New"}])
        await running.events_of(1)
        await running.until(lambda: running.ended)  # Airflow gives the event up, and starts the watcher again
        assert stored(states) == mark
    async with triggerer() as again:
        await watching(again, watcher())
        (event,) = await again.events_of(1)
        assert (event["since"], event["record_ids"]) == (running.events[0]["since"], running.events[0]["record_ids"])


async def test_changes_while_nobody_watches_are_one_event(org: SimulatedOrg, states: States) -> None:
    async with triggerer() as running:
        await watching(running, watcher())
        await running.stop()
        for number in range(3):
            org.insert("Account", [{"Name": f"Paused {number}"}])
        await asyncio.sleep(1.1)  # the second that has begun counts at its end
        running.start(watcher())
        (event,) = await running.events_of(1)
        assert event["count"] == 3


async def test_watchers_of_a_connection_share_calls_and_sign_in_once(org: SimulatedOrg, states: States) -> None:
    async with triggerer() as running:
        await watching(running, *(watcher(name, poll_interval=3) for name in OBJECTS))
        before = polls(org)
        await running.until(lambda: polls(org) > before)
        await asyncio.sleep(1.5)  # the look is over, and the next one has not begun
        assert polls(org) - before == 2  # six objects
        org.insert("Lead", [{"LastName": "New", "Company": "A"}])
        (event,) = await running.events_of(1)
        assert event["sobject"] == "Lead"
        assert org.logins == 1
    assert [request for request in org.requests if "/query" in request.path] == []


async def test_one_that_joins_later_begins_at_its_own_mark(org: SimulatedOrg, states: States) -> None:
    async with triggerer() as running:
        await watching(running, watcher())
        await watching(running, watcher("Contact"))
        org.insert("Contact", [{"LastName": "New"}])
        (event,) = await running.events_of(1)
        assert event["sobject"] == "Contact"


async def test_what_salesforce_refuses_is_said_once_and_the_others_go_on(
    org: SimulatedOrg, states: States, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with triggerer() as running:
            running.start(watcher("Nothing__c"))
            await watching(running, watcher(), watcher("Contact", where="LastName != 'Hidden'"))
            org.insert("Contact", [{"LastName": "Hidden"}])
            org.insert("Account", [{"Name": "New"}])
            (event,) = await running.events_of(1)
            looks = polls(org)
            await running.until(lambda: polls(org) > looks + 2)
            assert (event["sobject"], len(running.events), running.ended) == ("Account", 1, [])
    said = [record.getMessage() for record in caplog.records if "Nothing__c" in record.getMessage()]
    assert len(said) == 1
    assert "INVALID_TYPE" in said[0]
    assert said[0].endswith("It is looked at again in 600 s.")


async def test_an_outage_is_waited_out(
    org: SimulatedOrg, states: States, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_ATTEMPTS", "1")
    with caplog.at_level(logging.INFO):
        async with triggerer() as running:
            await watching(running, watcher())
            org.add_fault(Fault(path="*/composite", times=3, status=503))
            org.insert("Account", [{"Name": "New"}])
            (event,) = await running.events_of(1)
            assert (event["count"], running.ended) == (1, [])
            await running.until(lambda: "it works again" in caplog.text)
    assert sum("Nothing is watched" in record.getMessage() for record in caplog.records) == 1


async def test_a_dead_session_is_renewed(org: SimulatedOrg, states: States) -> None:
    async with triggerer() as running:
        await watching(running, watcher())
        org.expire_sessions()
        org.insert("Account", [{"Name": "New"}])
        await running.events_of(1)
        assert org.logins == 2


async def test_a_store_that_fails_costs_a_duplicate_and_loses_nothing(
    org: SimulatedOrg, states: States, caplog: pytest.LogCaptureFixture
) -> None:
    async with triggerer() as running:
        await watching(running, watcher())
        states.fails = 1
        org.insert("Account", [{"Name": "New"}])
        first, second = await running.events_of(2)
        assert first["record_ids"] == second["record_ids"]
        assert running.ended == []


async def test_a_store_that_cannot_be_read_is_asked_again(org: SimulatedOrg, states: States) -> None:
    states.fails = 3
    async with triggerer() as running:
        await watching(running, watcher())
        assert running.ended == []


async def test_an_unreadable_state_begins_anew(org: SimulatedOrg, states: States) -> None:
    name = watcher().asset_name
    states.values[name, STATE_KEY] = {"of": "a later release"}
    async with triggerer() as running:
        running.start(watcher())
        await running.until(lambda: "until" in stored(states))


async def test_another_org_is_a_gap(org: SimulatedOrg, states: States) -> None:
    async with triggerer() as running:
        await watching(running, watcher())
    stored(states)["org"] = "00D000000000001AAA"
    async with triggerer() as running:
        running.start(watcher())
        (event,) = await running.events_of(1)
        assert (event["gap"], event["record_ids"], event["org"]) == ("another org", None, org.org_id)
        await running.until(lambda: stored(states)["org"] == org.org_id)


async def test_more_changes_than_are_told_apart_are_one_window(org: SimulatedOrg, states: States) -> None:
    org.rest_page_size = 2000
    async with triggerer() as running:
        await watching(running, watcher())
        org.insert("Account", [{"Name": str(number)} for number in range(5_001)])
        (event,) = await running.events_of(1)
        assert (event["count"], event["record_ids"]) == (None, None)
        await running.until(lambda: stored(states)["settle"])
        looks = polls(org)
        await running.until(lambda: polls(org) > looks + 2)
        assert len(running.events) == 1


async def test_thousands_of_changes_are_told_apart_over_several_pages(org: SimulatedOrg, states: States) -> None:
    org.rest_page_size = 2000
    async with triggerer() as running:
        await watching(running, watcher())
        org.insert("Account", [{"Name": str(number)} for number in range(4_500)])
        (event,) = await running.events_of(1)
        assert (event["count"], event["record_ids"]) == (4_500, None)


async def test_deleted_rows_fire_where_they_count(org: SimulatedOrg, states: States) -> None:
    async with triggerer() as running:
        await watching(running, watcher(include_deleted=True), watcher("Contact"))
        gone = org.rows("Account")[0]["Id"]
        org.delete("Account", gone)
        (event,) = await running.events_of(1)
        assert event["record_ids"] == [gone]


async def test_it_pauses_while_few_api_calls_are_left(
    org: SimulatedOrg, states: States, caplog: pytest.LogCaptureFixture
) -> None:
    async with triggerer() as running:
        await watching(running, watcher(min_api_calls_left=99_000))
        org.api_calls = 2_000
        await running.until(lambda: "fewer than min_api_calls_left=99000 are left" in caplog.text)
        looks = polls(org)
        await asyncio.sleep(1)
        assert polls(org) == looks


def test_what_is_stored_of_a_watcher_names_its_asset() -> None:
    watching = SalesforceChangesTrigger("one", "Account", poll_interval=30, of_a_later_release=True)
    path, arguments = watching.serialize()
    assert path == "airflow_provider_sfjwt.triggers.changes.SalesforceChangesTrigger"
    assert SalesforceChangesTrigger(**arguments).serialize() == (path, arguments)
    assert SalesforceChangesTrigger("two", "Account", poll_interval=30).serialize() != (path, arguments)


async def test_before_airflow_3_3_it_says_what_is_missing_and_does_not_raise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(anext(SalesforceChangesTrigger("one", "Account").run()), 0.1)
    assert "watchers of Salesforce need Airflow 3.3" in capsys.readouterr().out
