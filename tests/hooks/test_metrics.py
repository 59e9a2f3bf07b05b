"""What a StatsD server hears, by Airflow's own configuration of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from airflow_provider_sfjwt.exceptions import AuthenticationError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api import org as org_api
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.hooks.airflow_metrics import forget, is_prepared, prepare
from tests.hooks.statsd import StatsD

CONN = "conn_id=salesforce_jwt_default"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StatsD]:
    server = StatsD()
    for name, value in {
        "STATSD_ON": "True", "STATSD_HOST": "127.0.0.1", "STATSD_PORT": str(server.port),
        "STATSD_INFLUXDB_ENABLED": "True",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"AIRFLOW__METRICS__{name}", value)
    prepare()
    yield server
    monkeypatch.undo()
    prepare()
    server.close()


def test_an_extract_counts_what_it_brought_and_what_it_cost(org: SimulatedOrg, server: StatsD, tmp_path: Path) -> None:
    end = datetime.now(timezone.utc) - timedelta(minutes=10)
    org.add_fault(Fault(path="*/describe", status=503))
    receipt = SalesforceJwtHook().extract(
        sobject="Account", fields=["Id"], output_path=f"file://{tmp_path}/a", poll_interval=0.05,
        window=(datetime(1999, 1, 1, tzinfo=timezone.utc), end), transport="bulk",
    )  # fmt: skip
    heard = server.metrics()
    assert heard[f"airflow.salesforce_jwt.records_extracted,{CONN},sobject=Account"] == receipt.records == 25
    assert heard[f"airflow.salesforce_jwt.bytes_extracted,{CONN},sobject=Account"] == sum(
        part.bytes for part in receipt.parts
    )
    assert heard[f"airflow.salesforce_jwt.api_calls,{CONN}"] == receipt.api_calls
    assert heard[f"airflow.salesforce_jwt.retries,{CONN},reason=503"] == 1
    assert heard[f"airflow.salesforce_jwt.sign_ins,{CONN},outcome=succeeded"] == 1
    # The org's clock is known to the second.
    assert 598 <= heard[f"airflow.salesforce_jwt.lag,{CONN},sobject=Account"] < 660
    assert heard[f"airflow.salesforce_jwt.api_calls_left,{CONN}"] > 0


def test_a_load_counts_rows_that_succeeded_and_rows_that_did_not(org: SimulatedOrg, server: StatsD) -> None:
    rows = [{"LastName": "Doe", "Email": "doe@acme.com"}, {"LastName": "x" * 200, "Email": "x@acme.com"}]
    SalesforceJwtHook().load(
        sobject="Contact", operation="insert", source=rows, max_failed_records=1, on_invalid="skip", poll_interval=0.05
    )
    heard = server.metrics()
    tags = f"{CONN},operation=insert,sobject=Contact"
    found = {name.partition("salesforce_jwt.")[2].partition(",")[0]: value for name, value in heard.items()}
    assert (found["records_loaded"], found["records_failed"]) == (1, 1)
    assert found["bytes_loaded"] > 0
    assert all(
        set(name.split(",")[1:]) == set(tags.split(",")) for name in heard if "_loaded" in name or "_failed" in name
    )


def test_a_query_counts_its_rows(org: SimulatedOrg, server: StatsD) -> None:
    assert len(list(SalesforceJwtHook().query("SELECT Id FROM Account"))) == 25
    assert server.metrics()[f"airflow.salesforce_jwt.records_queried,{CONN},sobject=Account"] == 25


def test_a_sign_in_that_is_refused_is_counted(org: SimulatedOrg, server: StatsD) -> None:
    org.approve(False)
    with pytest.raises(AuthenticationError):
        SalesforceJwtHook().limits()
    assert server.metrics()[f"airflow.salesforce_jwt.sign_ins,{CONN},outcome=failed"] == 1


def test_the_event_loop_of_a_triggerer_counts_as_a_worker_does(org: SimulatedOrg, server: StatsD) -> None:
    async def limits() -> None:
        async with SalesforceJwtHook().aconnect() as connected:
            await connected.run(org_api.limits)

    # The triggerer's process leaves the metrics of tasks as they are.
    forget()
    asyncio.run(limits())
    assert server.metrics()[f"airflow.salesforce_jwt.api_calls,{CONN}"] >= 1


def test_without_metrics_nothing_is_prepared(org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__METRICS__STATSD_ON", raising=False)
    forget()
    SalesforceJwtHook().limits()
    assert not is_prepared()
