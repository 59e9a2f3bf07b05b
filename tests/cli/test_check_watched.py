"""``airflow-salesforce-jwt check --watch``: whether the user may see the changes of what is watched."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.compat.watchers import has_shared_streams
from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from airflow_provider_sfjwt.testing.event_bus.server import EventBusServer
from tests.cli.conftest import Outcome

Airflow = Callable[..., Outcome]


@pytest.fixture
def bus(org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventBusServer]:
    """The org's event bus, with change events of Account and a platform event."""
    org.define_object("Order_Placed__e", [Field("Number__c", length=10)])
    server = org.start_event_bus("Account", "Order_Placed__e")
    monkeypatch.setenv("AIRFLOW_CONN_SF", org.connection_json(pubsub_endpoint=server.endpoint))
    yield server


def steps(airflow: Airflow, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the findings after those of the connection, by their names."""
    done = airflow("check", "sf", "--json", *arguments)
    return done.code, {each["name"]: each for each in json.loads(done.out)["steps"][8:]}


def test_what_may_be_read_passes(airflow: Airflow, org: SimulatedOrg, bus: EventBusServer) -> None:
    code, found = steps(airflow, "--watch", "Account", "Order_Placed__e", "/data/AccountChangeEvent")
    assert code == 0
    assert {name: each["detail"] for name, each in found.items()} == {
        "AccountChangeEvent": "The user may read /data/AccountChangeEvent",
        "Order_Placed__e": "The user may read /event/Order_Placed__e",
    }
    assert bus.opened == 0


def test_what_may_not_be_read_fails_with_what_to_change(
    airflow: Airflow, org: SimulatedOrg, bus: EventBusServer
) -> None:
    org.view_all_data, bus.faults.forbidden = False, {"/event/Order_Placed__e"}
    code, found = steps(airflow, "--watch", "Account", "Lead", "Order_Placed__e", "Nothing__e", "/data/Sales__chn")
    assert code == 1
    shown = {name: (each["mark"], each["detail"], each["setup_page"]) for name, each in found.items()}
    assert shown == {
        "AccountChangeEvent": (
            "failed",
            "The user may not read the change events of Account: the topic /data/AccountChangeEvent cannot be read",
            "Permission Sets",
        ),
        "LeadChangeEvent": (
            "failed",
            "The org publishes no change events of Lead: the topic /data/LeadChangeEvent cannot be read",
            "Change Data Capture",
        ),
        "Order_Placed__e": (
            "failed",
            "The user may not read Order_Placed__e: the topic /event/Order_Placed__e cannot be read",
            "Permission Sets",
        ),
        "Nothing__e": (
            "failed",
            "The org has no platform event Nothing__e: the topic /event/Nothing__e cannot be read",
            "Platform Events",
        ),
        "Sales__chn": (
            "failed",
            "The org has no channel Sales__chn: the topic /data/Sales__chn cannot be read",
            "",
        ),
    }
    assert "Ensure the topic name is correct" in found["LeadChangeEvent"]["said"]
    assert found["AccountChangeEvent"]["remedy"].startswith("Give the user 'View All Records' on Account")


def test_a_bus_that_is_not_reached(airflow: Airflow, org: SimulatedOrg, bus: EventBusServer) -> None:
    bus.stop()
    code, found = steps(airflow, "--watch", "Account")
    assert code == 1
    assert found["event bus"]["detail"] == f"{bus.endpoint} is not reached"
    assert "through firewall and proxy" in found["event bus"]["remedy"]
    assert found["event bus"]["said"].startswith("UNAVAILABLE: ")


def test_the_extra_is_missing(airflow: Airflow, org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastavro", None)
    code, found = steps(airflow, "--watch", "Account")
    assert code == 1
    assert found["event bus"]["detail"] == "Change events need fastavro, which this machine has not"
    assert "airflow-provider-sfjwt[events]" in found["event bus"]["remedy"]


def test_it_needs_a_connection(airflow: Airflow, org: SimulatedOrg, tmp_path: Path) -> None:
    done = airflow("check", "--dags", str(tmp_path), "--watch", "Account")
    assert (done.code, done.err) == (2, "--watch asks with a connection: give its id.\n")


WATCHED = """
from airflow.sdk import DAG
from airflow_provider_sfjwt.assets import salesforce_asset
watched = [
    salesforce_asset("Account", "sf", mode="events"),
    salesforce_asset("Contact", "sf", where="LastName != null"),
    salesforce_asset("Lead", "sf", where="Nonsense = 1"),
    salesforce_asset("Nowhere__c", "sf"),
    salesforce_asset("Case", "another"),
]
for asset in watched:
    with DAG("on_" + asset.name.split("/")[-2].lower(), schedule=asset):
        pass
"""


@pytest.mark.skipif(not has_shared_streams(), reason="missing: Airflow 3.3, which has shared streams")
def test_the_watched_assets_of_dag_files_are_asked_about(
    airflow: Airflow, org: SimulatedOrg, bus: EventBusServer, tmp_path: Path
) -> None:
    (tmp_path / "watched.py").write_text(WATCHED)
    code, found = steps(airflow, "--dags", str(tmp_path))
    assert code == 1
    assert {name: each["mark"] for name, each in found.items()} == {
        "Contact": "ok",
        "Lead": "failed",
        "Nowhere__c": "failed",
        "AccountChangeEvent": "ok",
    }
    assert found["Lead"]["said"].startswith("INVALID_FIELD: ")
    assert found["Nowhere__c"]["said"].startswith("INVALID_TYPE: ")
