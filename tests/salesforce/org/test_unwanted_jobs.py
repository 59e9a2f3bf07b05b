"""Jobs that nobody waits for any more are aborted, each by itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
from airflow_provider_sfjwt.salesforce.api.bulk_query import create_query_job
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.org.unwanted_jobs import abort_jobs
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg


@pytest.fixture
def connected(org: SimulatedOrg) -> Iterator[ConnectedOrg]:
    with SalesforceJwtHook().connect() as connected:
        yield connected


def jobs(connected: ConnectedOrg, count: int) -> list[JobRef]:
    return [connected.run(create_query_job, "SELECT Id FROM Account").ref for _ in range(count)]


def test_one_that_cannot_be_aborted_leaves_no_other_running(
    org: SimulatedOrg, connected: ConnectedOrg, caplog: pytest.LogCaptureFixture
) -> None:
    org.bulk_polls = 10**6
    refs = jobs(connected, 3)
    refused = b'[{"errorCode":"API_ERROR","message":"as said"}]'
    org.add_fault(Fault(method="PATCH", path=f"*/{refs[0].id}", times=None, status=400, body=refused))
    with caplog.at_level(logging.INFO):
        connected.run(abort_jobs, refs)
    assert [org.jobs[ref.id]["state"] == "Aborted" for ref in refs] == [False, True, True]
    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.startswith(f"Job {refs[0].id} could not be aborted and may run on: PATCH ")


def test_one_that_has_ended_or_is_gone_stays_as_it_is(
    org: SimulatedOrg, connected: ConnectedOrg, caplog: pytest.LogCaptureFixture
) -> None:
    [ref] = jobs(connected, 1)
    assert connected.run(abort_jobs, [ref]) is None
    gone = b'[{"errorCode":"NOT_FOUND","message":""}]'
    org.add_fault(Fault(method="PATCH", path=f"*/{ref.id}", status=404, body=gone))
    with caplog.at_level(logging.INFO):
        connected.run(abort_jobs, [ref, ref])
    assert caplog.messages[-2:] == [f"Job {ref.id} had already ended"] * 2
