"""A window is asked for over REST first: small ones stay there, and a job takes over from large ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ApiError, ConfigurationError
from airflow_provider_sfjwt.extract.extraction import Extraction
from airflow_provider_sfjwt.extract.route import RestLimits
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg

WINDOW = ("1999-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
TIMEOUT = json.dumps([{"errorCode": "QUERY_TIMEOUT", "message": "Your query request was running for too long."}])


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    with SimulatedOrg(records={"Account": 25}, rest_page_size=10, bulk_polls=0, private_key=private_key) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running


@pytest.fixture
def connected(org: SimulatedOrg) -> Iterator[ConnectedOrg]:
    with SalesforceJwtHook().connect() as connected:
        yield connected


def extract(connected: ConnectedOrg, folder: Path, limits: RestLimits | None = None, **arguments: Any) -> Receipt:
    asked: dict[str, Any] = {"sobject": "Account", "fields": ["Id", "Name"], "window": WINDOW, **arguments}
    spec = ExtractSpec(output_path=f"file://{folder}", file_format="csv", poll_interval=0.05, **asked)
    return Extraction(connected, spec, rest_limits=limits).run()


def calls(org: SimulatedOrg) -> list[str]:
    """What was asked, in short: the method and the resource."""
    paths = [(request.method, request.path.partition("?")[0].split("/")[4:]) for request in org.requests]
    return [f"{method} {path[0]}" for method, path in paths if path and path[0] not in ("token", "")]


def test_an_empty_window_costs_one_query_and_no_job(org: SimulatedOrg, connected: ConnectedOrg, tmp_path: Path) -> None:
    receipt = extract(connected, tmp_path, window=(WINDOW[1], "2099-01-02T00:00:00Z"))
    assert (receipt.records, receipt.transport, receipt.job_id) == (0, "rest", None)
    assert calls(org) == ["GET sobjects", "GET query"]
    assert receipt.api_calls == 2


def test_a_small_window_stays_with_rest(org: SimulatedOrg, connected: ConnectedOrg, tmp_path: Path) -> None:
    receipt = extract(connected, tmp_path)
    assert (receipt.records, receipt.transport) == (25, "rest")
    assert calls(org) == ["GET sobjects", *["GET query"] * 3]


@pytest.mark.parametrize(
    ("limits", "transport"),
    [
        (RestLimits(25, 50), "rest"),
        (RestLimits(24, 50), "bulk"),
        (RestLimits(25, 49), "bulk"),
    ],
    ids=["at the limits", "more rows", "more cells"],
)
def test_a_job_takes_over_beyond_the_limits(
    connected: ConnectedOrg, tmp_path: Path, limits: RestLimits, transport: str
) -> None:
    receipt = extract(connected, tmp_path, limits)
    assert (receipt.records, receipt.transport) == (25, transport)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["_receipt.json", *(part.name for part in receipt.parts)]


def test_the_page_that_shows_it_is_the_only_call_more(
    org: SimulatedOrg, connected: ConnectedOrg, tmp_path: Path
) -> None:
    extract(connected, tmp_path, RestLimits(rows=24))
    assert calls(org)[:3] == ["GET sobjects", "GET query", "POST jobs"]
    assert calls(org).count("GET query") == 1


def test_a_first_page_with_all_rows_is_never_thrown_away(connected: ConnectedOrg, tmp_path: Path) -> None:
    receipt = extract(connected, tmp_path, RestLimits(rows=0), where="Name = 'there is none'")
    assert (receipt.records, receipt.transport) == (0, "rest")


def test_a_query_that_is_too_long_for_a_url_becomes_a_job_at_once(
    org: SimulatedOrg, connected: ConnectedOrg, tmp_path: Path
) -> None:
    receipt = extract(connected, tmp_path, where=f"Name != '{'x' * 16_000}'")
    assert (receipt.records, receipt.transport) == (25, "bulk")
    assert "GET query" not in calls(org)


@pytest.mark.parametrize("status", [414, 431])
def test_a_url_that_is_refused_as_too_long_becomes_a_job(
    org: SimulatedOrg, connected: ConnectedOrg, tmp_path: Path, status: int
) -> None:
    org.add_fault(Fault(path="*/query?*", status=status))
    assert extract(connected, tmp_path).transport == "bulk"


def test_a_query_that_takes_too_long_for_rest_becomes_a_job(
    org: SimulatedOrg, connected: ConnectedOrg, tmp_path: Path
) -> None:
    org.add_fault(Fault(path="*/query?*", status=400, body=TIMEOUT))
    assert extract(connected, tmp_path).transport == "bulk"
    with pytest.raises(ApiError, match="QUERY_TIMEOUT"):
        org.add_fault(Fault(path="*/query?*", status=400, body=TIMEOUT))
        extract(connected, tmp_path, transport="rest")


def test_rest_has_no_limit_for_an_object_that_bulk_api_does_not_offer(
    org: SimulatedOrg, connected: ConnectedOrg, tmp_path: Path
) -> None:
    org.rest_page_size = 2
    receipt = extract(connected, tmp_path, RestLimits(rows=1), sobject="CaseStatus", fields=["Id"])
    assert (receipt.records, receipt.transport) == (4, "rest")
    assert [each for each in calls(org) if each.startswith("POST")] == ["POST jobs"]


def test_a_job_takes_over_where_the_rows_are_not_counted(
    org: SimulatedOrg, connected: ConnectedOrg, tmp_path: Path
) -> None:
    org.uncounted_objects = {"Account"}
    receipt = extract(connected, tmp_path)
    assert receipt.transport == "bulk"


def test_whoever_names_rest_gets_rest(connected: ConnectedOrg, tmp_path: Path) -> None:
    assert extract(connected, tmp_path, RestLimits(rows=1), transport="rest").transport == "rest"
    with pytest.raises(ConfigurationError, match="too long for REST"):
        extract(connected, tmp_path, transport="rest", where=f"Name != '{'x' * 16_000}'")


def test_all_rows_of_an_object_are_a_job_as_before(org: SimulatedOrg, connected: ConnectedOrg, tmp_path: Path) -> None:
    assert extract(connected, tmp_path, window=None).transport == "bulk"
    assert "GET query" not in calls(org)
