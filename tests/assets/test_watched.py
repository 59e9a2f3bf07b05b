from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset

from airflow_provider_sfjwt.assets import changed_window, salesforce_asset
from airflow_provider_sfjwt.compat.watchers import has_shared_streams
from airflow_provider_sfjwt.exceptions import ConfigurationError

needs_watchers = pytest.mark.skipif(not has_shared_streams(), reason="missing: Airflow 3.3, which has shared streams")
URI = "salesforce://crm/Account/changes"


@needs_watchers
def test_it_has_its_watcher_and_a_uri_of_its_own() -> None:
    asset = salesforce_asset("Account", "crm", poll_interval=30, where="Type = 'Customer'")
    assert (asset.name, asset.uri) == (URI, URI)
    (watcher,) = asset.watchers
    path, arguments = watcher.trigger.serialize()
    assert path == "airflow_provider_sfjwt.triggers.changes.SalesforceChangesTrigger"
    assert arguments == {
        "asset_name": URI,
        "sobject": "Account",
        "salesforce_conn_id": "crm",
        "where": "Type = 'Customer'",
        "poll_interval": 30,
        "overlap": 300,
        "include_deleted": False,
        "min_api_calls_left": None,
        "api_version": None,
    }


@needs_watchers
def test_a_dag_with_it_survives_serialization() -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("watched", schedule=salesforce_asset("Account")) as dag:
        pass
    again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert "SalesforceChangesTrigger" in str(DagSerialization.to_dict(dag))
    assert again.timetable.asset_condition is not None


@needs_watchers
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"sobject": "Account; DROP"}, "sobject: 'Account; DROP' is not the API name of an object"),
        ({"sobject": ""}, "sobject: is empty"),
        ({"salesforce_conn_id": "{{ var.value.x }}"}, "templates are not rendered"),
        ({"mode": "push"}, "mode: 'push' is not one of poll"),
        ({"mode": "events", "topic": "Account"}, "topic: 'Account' is not a topic; give e.g. /data/AccountChangeEvent"),
        ({"mode": "events", "topic": ""}, "topic: is empty"),
        ({"mode": "events", "where": "x = 1"}, "where: is not an argument of mode 'events'"),
        ({"poll_interval": 1}, "poll_interval: must be between 5 and 86400"),
        ({"poll_interval": "60"}, "poll_interval: must be a number of seconds"),
        ({"overlap": -1}, "overlap: must be between 0 and 86400"),
        ({"include_deleted": 1}, "include_deleted: must be True or False"),
        ({"min_api_calls_left": 0}, "min_api_calls_left: must be at least 1"),
        ({"where": 5}, "where: must be text"),
        ({"api_version": "new"}, "api_version: 'new' is not an API version"),
        ({"interval": 60}, "interval: is not an argument of mode 'poll', which takes .*poll_interval"),
    ],
    ids=str,
)
def test_faulty_arguments_are_refused_when_the_dag_is_parsed(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        salesforce_asset(**{"sobject": "Account", **arguments})


def test_before_airflow_3_3_it_names_the_version_and_the_sensor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("airflow.triggers.base.BaseEventTrigger.create_shared_stream_producer", raising=False)
    with pytest.raises(ConfigurationError, match=r"need Airflow 3\.3 or newer, and this is 3\..*SalesforceQuerySensor"):
        salesforce_asset("Account")


def events(*payloads: Any) -> dict[Any, list[Any]]:
    return {Asset("x"): [SimpleNamespace(extra=each) for each in payloads]}


def test_the_window_covers_every_event_of_the_run() -> None:
    first = {"since": "2026-11-26T08:00:00.500Z", "until": "2026-11-26T08:01:00Z"}
    second = {"since": "2026-11-26T08:00:00Z", "until": "2026-11-26T08:00:59.500Z"}
    told = events({"from_trigger": True, "payload": first}, {"from_trigger": True, "payload": second})
    assert changed_window(told) == ("2026-11-26T08:00:00Z", "2026-11-26T08:01:00Z")


class Stored:
    """What Airflow has stored for an asset, as a task that has it in its inlets gets it."""

    def __init__(self, *events: Any) -> None:
        self._events = events

    def after(self, moment: str) -> list[Any]:
        return [each for each in self._events if each.timestamp >= datetime.fromisoformat(moment)]


def test_the_window_covers_events_that_airflow_stored_while_the_run_waited_to_be_made() -> None:
    def event(second: int, since: str, until: str) -> Any:
        window = {"since": f"2026-11-26T{since}Z", "until": f"2026-11-26T{until}Z"}
        at = datetime(2026, 11, 26, 9, 0, second, tzinfo=timezone.utc)
        return SimpleNamespace(extra={"from_trigger": True, "payload": window}, timestamp=at)

    done, first, second = (
        event(1, "06:00:00", "08:00:00"),
        event(2, "08:00:00", "08:01:00"),
        event(3, "07:00:00", "08:02:00"),
    )
    by_hand = SimpleNamespace(extra={}, timestamp=second.timestamp)
    watched = Asset("x")
    given = {watched: [first]}
    assert changed_window(given, {watched: Stored(done, first, second, by_hand)}) == (
        "2026-11-26T07:00:00Z",
        "2026-11-26T08:02:00Z",
    )
    assert changed_window(given, {watched: Stored(done, first)}) == changed_window(given)
    assert changed_window({}, {watched: Stored(done, first, second)}) is None


def test_a_run_that_no_watcher_started_has_no_window() -> None:
    assert changed_window({}) is None
    assert changed_window(events(None, {"receipt": "x"}, {"payload": "x"})) is None


@needs_watchers
def test_events_without_their_packages_are_refused_when_the_dag_is_parsed() -> None:
    script = (
        "import sys\n"
        "sys.modules['fastavro'] = None\n"
        "from airflow_provider_sfjwt.assets import salesforce_asset\n"
        "salesforce_asset('Account', mode='events')\n"
    )
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False)
    assert "install 'airflow-provider-sfjwt[events]'" in ended.stderr
