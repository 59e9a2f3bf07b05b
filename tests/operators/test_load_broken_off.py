"""Loads that break off midway: what became of each row is told and written, as far as it is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import (
    BulkJobTimeoutError,
    RecordsFailedError,
    RequestLimitError,
    SalesforceError,
)
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef, abort_job
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import (
    COLLECTIONS,
    JOB,
    RESULTS,
    items,
    report_in,
    results_in,
    task,
)

LIMIT = b'[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"no more"}]'
FAULTS = {
    "refused": (Fault("POST", COLLECTIONS, 2, None, status=403, body=LIMIT), RequestLimitError),
    "not there": (Fault("POST", COLLECTIONS, 2, None, status=503), SalesforceError),
    "lost": (Fault("POST", COLLECTIONS, 2, None, lose_answer=True), RecordsFailedError),
}


@pytest.fixture
def org(items_org: SimulatedOrg) -> SimulatedOrg:
    return items_org


@pytest.mark.parametrize("part_bytes", [24 * 2**20, 10_000], ids=["one part", "several"])
@pytest.mark.parametrize("name", FAULTS)
def test_an_insert_over_rest_that_breaks_off_keeps_the_outcome_of_its_first_calls(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, name: str, part_bytes: int
) -> None:
    fault, kind = FAULTS[name]
    org.add_fault(fault)
    arguments = {"transport": "rest", "results_path": f"file://{tmp_path}", "part_bytes": part_bytes}
    with pytest.raises(AirflowFailException) as red:
        run_to_end(task("Item__c", items(450), **arguments), context)
    cause = red.value.__context__
    assert isinstance(cause, kind)
    saved = {row["Key__c"]: row["Id"] for row in org.rows("Item__c")}
    told = {row["Key__c"]: row["sf__Id"] for row in results_in(tmp_path, "succeeded")}
    lost = {row["Key__c"] for row in results_in(tmp_path, "failed")}
    unsent = {row["Key__c"] for row in results_in(tmp_path, "unprocessed")}
    assert told.items() <= saved.items()
    assert len(told) >= 50
    assert saved.keys() - told.keys() == (lost if name == "lost" else set())
    assert [row["error_code"] for row in results_in(tmp_path, "failed")] == ["ANSWER_LOST"] * len(lost)
    assert unsent == {row["Key__c"] for row in items(450)} - told.keys() - lost
    counts = report_in(tmp_path)["counts"]
    assert counts == {
        "read": 450,
        "sent": len(told) + len(lost),
        "succeeded": len(told),
        "failed": len(lost),
        "unprocessed": len(unsent),
    }
    assert f"Of 450 rows {len(told)} succeeded, 0 were rejected, " in str(red.value)
    assert f"{len(unsent)} were not saved; every row's outcome is in file://{tmp_path}" in str(red.value)
    if isinstance(cause, RecordsFailedError):
        assert f"{len(lost)} have an unknown outcome" in str(red.value)
        assert (cause.failed, cause.processed) == (len(lost) + len(unsent), 450)
    before = report_in(tmp_path)
    org.clear_faults()
    with pytest.raises(AirflowFailException, match="began to insert these rows over REST"):
        run_to_end(task("Item__c", items(450), **arguments), context)
    assert report_in(tmp_path) == before
    assert len(results_in(tmp_path, "succeeded")) == len(told)


def test_an_upsert_over_rest_that_breaks_off_is_retried_and_says_how_far_it_came(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    org.add_fault(Fault(path=COLLECTIONS, nth=2, times=None, status=503))
    upsert = {"operation": "upsert", "external_id_field": "Key__c", "transport": "rest", "part_bytes": 24 * 2**20}
    with pytest.raises(SalesforceError, match="Of 250 rows 200 succeeded, 0 were rejected, and 50 have no") as red:
        run_to_end(task("Item__c", items(250), results_path=f"file://{tmp_path}", **upsert), context)
    assert red.value.retryable
    assert (len(results_in(tmp_path, "succeeded")), len(results_in(tmp_path, "unprocessed"))) == (200, 50)
    org.clear_faults()
    run_to_end(task("Item__c", items(250), results_path=f"file://{tmp_path}", **upsert), context)
    assert len(results_in(tmp_path, "succeeded")) == 250


def test_a_load_over_rest_whose_first_call_fails_is_told_as_it_is(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    org.add_fault(Fault("POST", COLLECTIONS, times=None, status=403, body=LIMIT))
    with pytest.raises((SalesforceError, AirflowFailException)) as red:
        run_to_end(task("Item__c", items(9), transport="rest", results_path=f"file://{tmp_path}"), context)
    assert "rows" not in str(red.value)
    assert not (tmp_path / "_receipt.json").exists()


def test_an_insert_that_began_over_bulk_api_does_not_go_on_over_rest(
    org: SimulatedOrg, context: dict[str, Any]
) -> None:
    org.bulk_polls = 60
    with pytest.raises(BulkJobTimeoutError):
        run_to_end(task("Item__c", items(24), timeout=0.02), context)
    org.bulk_polls = 0
    with pytest.raises(AirflowFailException, match="transport: an earlier attempt began to insert .* over Bulk") as red:
        run_to_end(task("Item__c", items(24), transport="rest"), context)
    assert any(job in str(red.value) for job in org.jobs)
    run_to_end(task("Item__c", items(24)), context)
    assert len(org.rows("Item__c")) == 24


def test_an_aborted_job_and_its_rows_are_named(org: SimulatedOrg, context: dict[str, Any]) -> None:
    org.bulk_polls = 60

    def abort(answer: Any) -> Any:
        with SalesforceJwtHook().connect() as connected:
            connected.run(abort_job, JobRef(answer["id"], "66.0", "ingest"))
        return answer

    org.add_fault(Fault("GET", JOB, nth=2, edit_json=abort))
    with pytest.raises(RecordsFailedError) as red:
        run_to_end(task("Item__c", items(3)), context)
    assert red.value.retryable
    assert f"job {next(iter(org.jobs))} is Aborted" in str(red.value)
    assert "Not processed: 3, e.g. rows row 1, rows row 2, rows row 3" in str(red.value)


def test_rows_that_are_in_no_result_set_are_counted_and_named(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    def without_two(body: bytes) -> bytes:
        lines = body.splitlines(keepends=True)
        return b"".join(lines[:1] + lines[3:])

    def processed(answer: Any) -> Any:
        return {**answer, "numberRecordsProcessed": answer["numberRecordsProcessed"] - 2}

    missing = RESULTS.replace("*Results", "successfulResults") + "*"
    org.add_fault(Fault("GET", missing, times=None, edit_body=without_two))
    org.add_fault(Fault("GET", JOB, times=None, edit_json=processed))
    result = run_to_end(task("Item__c", items(6), max_failed_records=2), context)
    assert result["counts"]["unprocessed"] == 2
    assert len(result["unprocessed_sample"]) == 2
    assert all(row["file"] == "rows" and 1 <= row["row"] <= 6 for row in result["unprocessed_sample"])
