"""From one route to another: what the first one wrote is gone, and the rows are published once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_sfjwt.extract.extraction import Extraction
from airflow_provider_sfjwt.extract.rest_route import QueryRows, RestRoute
from airflow_provider_sfjwt.extract.route import Fetch, HandOver, Origin, Result
from airflow_provider_sfjwt.extract.routes import ROUTES
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.testing import SimulatedOrg


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={"Account": 25}, bulk_page_size=10, bulk_polls=0, private_key=private_key) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running


@pytest.fixture
def connected(org: SimulatedOrg) -> Iterator[ConnectedOrg]:
    with SalesforceJwtHook().connect() as connected:
        yield connected


class OnlyOnePage:
    """Rows that write a part and then find that there are too many for their route."""

    def __init__(self, fetch: Fetch) -> None:
        self._rows = QueryRows(fetch)

    @property
    def origin(self) -> Origin:
        return self._rows.origin

    def fetch(self) -> Result | HandOver:
        result = self._rows.fetch()
        return HandOver("bulk", f"{result.counted} rows are too many for one page")


class FirstPageRoute:
    """Like REST, for as long as one page is enough."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def ask(self) -> OnlyOnePage:
        return OnlyOnePage(self._fetch)


def spec(folder: Path, **arguments: str) -> ExtractSpec:
    return ExtractSpec(
        output_path=f"file://{folder}",
        sobject="Account",
        fields=["Id"],
        file_format="csv",
        poll_interval=0.05,
        **arguments,
    )


def test_a_route_may_hand_over_after_its_first_page(
    connected: ConnectedOrg, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        extraction = Extraction(connected, spec(tmp_path, transport="rest"), {**ROUTES, "rest": FirstPageRoute})
        extraction.prepare()
        begun = extraction.begin()
    assert isinstance(begun, JobRef)
    assert list(tmp_path.iterdir()) == []
    assert "25 rows are too many for one page; extracting it over bulk" in caplog.messages
    receipt = extraction.finish(extraction.wait(begun))
    assert (receipt.transport, receipt.job_id, receipt.records) == ("bulk", begun.id, 25)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["_receipt.json", *(part.name for part in receipt.parts)]


@pytest.mark.parametrize("transport", ["auto", "bulk", "rest"])
def test_a_whole_extract_in_one_call(connected: ConnectedOrg, tmp_path: Path, transport: str) -> None:
    receipt = Extraction(connected, spec(tmp_path, transport=transport)).run()
    assert (receipt.records, receipt.transport) == (25, "rest" if transport == "rest" else "bulk")


def test_the_object_is_described_once(org: SimulatedOrg, connected: ConnectedOrg, tmp_path: Path) -> None:
    Extraction(connected, spec(tmp_path)).run()
    assert sum(request.path.endswith("/describe") for request in org.requests) == 1


def test_every_route_can_be_named_as_transport(tmp_path: Path) -> None:
    assert ROUTES["rest"] is RestRoute
    for transport in ("auto", *ROUTES):
        spec(tmp_path, transport=transport).check()
    assert spec(tmp_path, transport="pigeon").faults() == {"transport": "'pigeon' is not one of auto, bulk, rest"}
