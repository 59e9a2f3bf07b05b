"""What a try of a load leaves to the next one: where the source changed, where nothing was to be sent, after a kill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_provider_sfjwt.exceptions import BulkJobTimeoutError, RecordsFailedError, SalesforceError
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import (
    COLLECTIONS,
    JOB,
    UPLOAD,
    counted,
    in_org,
    items,
    report_in,
    task,
    write_csv,
)

UPSERT = {"operation": "upsert", "external_id_field": "Key__c"}
WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])


@pytest.fixture
def org(items_org: SimulatedOrg) -> SimulatedOrg:
    return items_org


def breaks_off(org: SimulatedOrg, context: dict[str, Any], source: Any, **arguments: Any) -> None:
    """A try that uploads its parts and does not see them through: the first two are begun."""
    org.bulk_polls = 60
    with pytest.raises(BulkJobTimeoutError):
        run_to_end(task("Item__c", source, timeout=0.02, parallel_jobs=2, **arguments), context)
    org.bulk_polls = 0


def test_an_insert_whose_source_changed_is_refused_before_anything_is_sent(
    org: SimulatedOrg, context: dict[str, Any]
) -> None:
    breaks_off(org, context, items(24))
    begun = {job for job in org.jobs if org.jobs[job]["state"] != "Open"}
    changed = [*items(23), {"Key__c": "new", "Number__c": 99, "Text__c": "new"}]
    changed[0]["Text__c"] = "changed"
    with pytest.raises(AirflowFailException, match="source: changed since an earlier attempt"):
        run_to_end(task("Item__c", changed), context)
    assert in_org(org) - counted(items(24)) == {}
    run_to_end(task("Item__c", items(24)), context)  # the old source, brought back
    assert in_org(org) == counted(items(24))
    # The jobs that had begun were picked up. Others were filled anew where the changed source had taken their place.
    complete = {job for job in org.jobs if org.jobs[job]["state"] == "JobComplete"}
    assert (len(begun), len(complete), begun <= complete) == (2, 4, True)
    assert {org.jobs[job]["state"] for job in org.jobs.keys() - complete} <= {"Aborted"}


def test_an_insert_whose_source_lost_a_part_is_refused(org: SimulatedOrg, context: dict[str, Any]) -> None:
    org.fail_next_job("InvalidBatch : as said", kind="ingest", after_batches=0)
    with pytest.raises(SalesforceError):
        run_to_end(task("Item__c", items(24), parallel_jobs=1), context)
    with pytest.raises(AirflowFailException, match="source: changed since an earlier attempt"):
        run_to_end(task("Item__c", items(12)), context)


def test_an_insert_of_which_nothing_had_begun_takes_a_changed_source(
    org: SimulatedOrg, context: dict[str, Any]
) -> None:
    org.add_fault(Fault("PUT", UPLOAD, nth=3, times=None, status=503))
    with pytest.raises(SalesforceError, match="503"):
        run_to_end(task("Item__c", items(24)), context)
    org.clear_faults()
    changed = [{**row, "Text__c": row["Text__c"] + "!"} for row in items(12)]
    run_to_end(task("Item__c", changed), context)
    assert in_org(org) == counted(changed)
    assert context["task_state_store"].values == {}
    assert {job["state"] for job in org.jobs.values()} == {"Aborted", "JobComplete"}


@WAYS
def test_an_upsert_whose_source_changed_ends_the_old_jobs_first(
    org: SimulatedOrg, context: dict[str, Any], deferrable: bool
) -> None:
    breaks_off(org, context, items(24), **UPSERT)
    changed = [{**row, "Text__c": "new"} for row in items(10)]
    run_to_end(task("Item__c", changed, deferrable=deferrable, **UPSERT), context)
    assert {job["state"] for job in list(org.jobs.values())[:4]} == {"Aborted"}
    texts = {row["Key__c"]: row["Text__c"] for row in org.rows("Item__c")}
    assert all(texts[row["Key__c"]] == "new" for row in changed)
    assert context["task_state_store"].values == {}


@WAYS
def test_a_dry_run_sends_nothing_and_says_what_it_read(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, deferrable: bool
) -> None:
    operator = task(
        "Item__c", items(24), dry_run=True, deferrable=deferrable, results_path=f"file://{tmp_path}/results"
    )
    result = run_to_end(operator, context)
    assert result["counts"] == {"read": 24, "sent": 0, "succeeded": 0, "failed": 0, "unprocessed": 0}
    assert json.loads((tmp_path / "results" / "_dry_run.json").read_text())["counts"] == result["counts"]
    assert org.jobs == {}
    assert org.rows("Item__c") == []
    assert context["task_state_store"].values == {}


@WAYS
def test_a_killed_try_aborts_its_jobs_and_a_retry_sends_the_rest(
    org: SimulatedOrg, context: dict[str, Any], deferrable: bool
) -> None:
    org.bulk_polls, org.bulk_batch_rows = 3, 2
    operator = task("Item__c", items(24), parallel_jobs=2)

    def kill(answer: Any) -> Any:
        operator.on_kill()
        return answer

    org.add_fault(Fault("GET", JOB, nth=3, edit_json=kill))
    with pytest.raises(SalesforceError):
        run_to_end(operator, context)
    assert {job["state"] for job in org.jobs.values()} <= {"Aborted", "JobComplete"}
    loaded = in_org(org)
    assert not loaded - counted(items(24))
    assert loaded.total() < 24
    run_to_end(task("Item__c", items(24), deferrable=deferrable), context)
    assert in_org(org) == counted(items(24))


NOT_NOW = b'[{"errorCode":"UNKNOWN_EXCEPTION","message":"not now"}]'


def test_a_job_that_cannot_be_aborted_keeps_no_other_running_and_is_named(
    org: SimulatedOrg, context: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    org.bulk_polls = 60
    operator = task("Item__c", items(24), parallel_jobs=4)

    def kill(answer: Any) -> Any:
        org.add_fault(Fault("PATCH", f"*/{answer['id']}", times=None, status=400, body=NOT_NOW))
        operator.on_kill()
        return answer

    org.add_fault(Fault("GET", JOB, nth=3, edit_json=kill))
    with pytest.raises(SalesforceError):
        run_to_end(operator, context)
    running = [job for job in org.jobs if org.jobs[job]["state"] != "Aborted"]
    assert (len(running), len(org.jobs)) == (1, 4)
    (warning,) = (line for line in capsys.readouterr().out.splitlines() if "could not be aborted" in line)
    assert running[0] in warning
    assert "not now" in warning


def test_jobs_that_cannot_be_reached_are_named(
    org: SimulatedOrg, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = task("Item__c", items(24))
    operator.running = [JobRef(f"7505e000000000{number}AAA", "67.0", "ingest") for number in (1, 2)]
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", '{"conn_type": "salesforce_jwt", "login": "x"}')
    operator.on_kill()
    warnings = [line for line in capsys.readouterr().out.splitlines() if "could not be aborted" in line]
    assert len(warnings) == 2
    assert all(ref.id in warning for ref, warning in zip(operator.running, warnings, strict=True))


def test_a_cleared_task_that_was_green_loads_anew(org: SimulatedOrg, context: dict[str, Any]) -> None:
    rows = items(12, copies=2)
    for times in (1, 2):
        run_to_end(task("Item__c", rows), context)
        assert in_org(org).total() == 12 * times


def test_nothing_that_is_stored_holds_a_secret(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    org.lock_records("Item__c", {"Number__c": [3]}, times=1)
    org.add_validation_rule("Item__c", lambda record: record["Number__c"] == 5, "not this one")
    source = write_csv(tmp_path / "items.csv", items(24))
    arguments = {"deferrable": True, "results_path": f"file://{tmp_path}/results", "max_failed_records": 1}
    operator, store = task("Item__c", source, **arguments), context["task_state_store"]
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    stored = [json.dumps([deferred.value.trigger.serialize(), deferred.value.kwargs, store.values])]
    assert '"uploaded": true' in stored[0]
    result = run_to_end(task("Item__c", source, **arguments), context)
    assert result["counts"]["failed"] == 1
    files = [path.read_text(encoding="utf-8") for path in (tmp_path / "results").iterdir()]
    stored += [json.dumps(result), *files]
    key = [line for line in org.private_key.splitlines() if "-----" not in line]
    secrets = [*key, org.consumer_key, *tokens_seen(org)]
    assert len(secrets) > 10
    assert not [secret for secret in secrets for text in stored if secret in text]


def tokens_seen(org: SimulatedOrg) -> list[str]:
    """The access token that requests bring, which stays the same while it lives."""
    return [org.issue_session()]


def test_a_dry_run_leaves_what_an_earlier_load_left(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    results = f"file://{tmp_path}/results"
    run_to_end(task("Item__c", items(24), results_path=results), context)
    before = report_in(tmp_path / "results")
    run_to_end(task("Item__c", items(3), results_path=results, dry_run=True), context)
    assert report_in(tmp_path / "results") == before
    assert all((tmp_path / "results" / part["name"]).exists() for part in before["parts"])


@pytest.mark.parametrize("source", [[], ()])
def test_no_rows_are_a_load_of_nothing(org: SimulatedOrg, context: dict[str, Any], source: Any) -> None:
    result = run_to_end(task("Item__c", source), context)
    assert (result["records"], result["counts"]["read"]) == (0, 0)
    assert org.jobs == {}


@pytest.mark.parametrize("transport", ["rest", "bulk", "auto"])
def test_an_insert_over_rest_whose_answer_was_lost_is_not_sent_again_by_any_way(
    org: SimulatedOrg, context: dict[str, Any], transport: str
) -> None:
    org.add_fault(Fault(method="POST", path=COLLECTIONS, lose_answer=True))
    with pytest.raises(AirflowFailException, match="answer to an insert of 6 rows was lost"):
        run_to_end(task("Item__c", items(24), transport="rest"), context)
    with pytest.raises(AirflowFailException, match="began to insert these rows over REST"):
        run_to_end(task("Item__c", items(24), transport=transport), context)
    assert len(org.rows("Item__c")) == 6


def test_an_insert_over_rest_of_which_nothing_was_saved_may_be_sent_again(
    org: SimulatedOrg, context: dict[str, Any]
) -> None:
    refused = b'[{"errorCode":"JSON_PARSER_ERROR","message":"no"}]'
    org.add_fault(Fault(method="POST", path=COLLECTIONS, times=None, status=400, body=refused))
    with pytest.raises(AirflowFailException, match="JSON_PARSER_ERROR"):
        run_to_end(task("Item__c", items(24), transport="rest"), context)
    org.clear_faults()
    run_to_end(task("Item__c", items(24), transport="rest"), context)
    assert len(org.rows("Item__c")) == 24


def test_rows_that_stay_locked_are_left_to_a_retry(org: SimulatedOrg, context: dict[str, Any]) -> None:
    org.lock_records("Item__c", times=10)
    with pytest.raises(RecordsFailedError, match="UNABLE_TO_LOCK_ROW") as caught:
        run_to_end(task("Item__c", items(6), row_retries=1), context)
    assert caught.value.retryable
