"""An upgrade in the midst of an extract: what 0.1.0 left behind is understood.

``data_0_1_0`` was written by 0.1.0. It published twelve accounts (``…001AAA``, of which the first part is kept here);
then an attempt of the next run created a job (``…002AAA``), finished two of its three pages and broke off.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.salesforce.api.bulk_query import create_query_job
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.airflow_run import StateStore, event_of, run_to_end

DATA = Path(__file__).parent / "data_0_1_0"
SOQL, JOB = "SELECT Id, Name FROM Account", "7505e0000000002AAA"
#: What 0.1.0 was given. The path is the same wherever the test runs.
ASKED: dict[str, Any] = {
    "sobject": "Account",
    "fields": ["Id", "Name"],
    "output_path": "file:///proc/self/cwd/accounts",
    "file_format": "csv",
    "parallel_pages": 1,
    "poll_interval": 0.05,
}


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, private_key: str) -> Iterator[SimulatedOrg]:
    """The org that 0.1.0 worked with, with both jobs, and its folder below the current one."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(DATA / "accounts", "accounts")
    with SimulatedOrg(records={"Account": 12}, bulk_page_size=4, bulk_polls=0, private_key=private_key) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
        with SalesforceJwtHook().connect() as connected:
            ids = [connected.run(create_query_job, SOQL).ref.id for _ in range(2)]
        assert ids[1] == JOB
        yield running


@pytest.fixture
def remembered() -> dict[str, Any]:
    """The task state that 0.1.0 kept, a minute after it was kept."""
    state: dict[str, Any] = json.loads((DATA / "task_state.json").read_text())
    state["salesforce_bulk_job"]["created_at"] = time.time() - 60
    return state


def pages_fetched(org: SimulatedOrg) -> int:
    return sum("/results" in request.path for request in org.requests)


def test_a_retry_resumes_the_job_and_fetches_its_pages_again(
    org: SimulatedOrg, remembered: dict[str, Any], tmp_path: Path
) -> None:
    store = StateStore()
    store.values |= remembered
    calls_before = org.api_calls
    result = run_to_end(SalesforceExtractOperator(task_id="extract", **ASKED), {"task_state_store": store})
    assert (result["job_id"], result["records"], len(org.jobs)) == (JOB, 12, 2)
    assert pages_fetched(org) == 3  # the manifests of 0.1.0 do not say how numbers were kept
    receipt = json.loads((tmp_path / "accounts/_receipt.json").read_text())
    assert receipt["drift"] == {"added": [], "removed": [], "retyped": []}  # compared with the receipt of 0.1.0
    assert receipt["api_calls"] == remembered["salesforce_bulk_job"]["api_calls"] + org.api_calls - calls_before
    parts = [part["name"] for part in receipt["parts"]]
    assert sorted(each.name for each in (tmp_path / "accounts").iterdir()) == ["_receipt.json", *parts]
    # What 0.1.0 left of two pages has the plain names.
    words = [re.fullmatch(rf"part-0000{page}-{JOB}(_[0-9a-f]{{8}})?\.csv", name)[1] for page, name in enumerate(parts)]
    assert [word is None for word in words] == [False, False, True]
    assert store.values == {}


def test_a_task_that_0_1_0_deferred_is_finished(org: SimulatedOrg, remembered: dict[str, Any]) -> None:
    from airflow_provider_sfjwt.triggers.bulk_job import SalesforceBulkJobTrigger

    submitted = remembered["salesforce_bulk_job"]
    event = event_of(
        SalesforceBulkJobTrigger(
            salesforce_conn_id="salesforce_jwt_default",
            job_id=JOB,
            api_version="67.0",
            job_type="query",
            poll_interval=0.05,
            deadline=time.time() + 60,
            not_before=time.time(),
        )
    )
    operator = SalesforceExtractOperator(task_id="extract", **ASKED, deferrable=True)
    result = operator.execute_complete({"task_state_store": StateStore()}, event, submitted)
    assert (result["job_id"], len(org.jobs), pages_fetched(org)) == (JOB, 2, 3)


def test_its_receipt_is_read(org: SimulatedOrg) -> None:
    receipt = SalesforceJwtHook().read_receipt(ASKED["output_path"])
    assert (receipt.package_version, receipt.records, receipt.written_by) == ("0.1.0", 12, None)


def test_the_fingerprint_of_a_request_is_the_same(remembered: dict[str, Any]) -> None:
    assert ExtractSpec(**ASKED).fingerprint() == remembered["salesforce_bulk_job"]["order"]
    assert ExtractSpec(**{**ASKED, "where": "Name != null"}).fingerprint() != remembered["salesforce_bulk_job"]["order"]
