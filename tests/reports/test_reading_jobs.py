"""What others reported about jobs and API calls, by its kind, and inputs of the same kinds."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_provider_sfjwt.exceptions import (
    BulkJobFailedError,
    RequestLimitError,
)
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from airflow_provider_sfjwt.triggers.api_calls import SalesforceApiCallsTrigger
from tests.operators.airflow_run import event_of, run_to_end
from tests.reports.extracts import described, extract, task

# -- R7: failures of jobs that pass -------------------------------------------------------------------------------------

TIMED_OUT = "InvalidBatch : Failed to process query: QUERY_TIMEOUT: Your query request was running for too long."
PASSING = [
    "InternalServerError : Internal server error",
    "InternalServerError",
    "Timeout : The batch took too long",
    "InvalidBatch : Failed to process query: SERVER_UNAVAILABLE: too busy",
    "InvalidBatch : Failed to process query: UNKNOWN_EXCEPTION: An unexpected error occurred. ErrorId: 1-2 (3)",
    "SERVER_UNAVAILABLE",
    "The service is temporarily unavailable. Please try again later.",
    "Unknown : retry your request",
    TIMED_OUT,
    "REQUEST_RUNNING_TOO_LONG: Your request was running for too long, and has been stopped.",
]
FINAL = [
    "InvalidBatch : Failed to process query: INVALID_FIELD: SELECT Id, Timeout__c FROM Account: No such column",
    "InvalidBatch : Failed to process query: MALFORMED_QUERY: unexpected token: try again",
    "ClientInputError : no such file",
    "",
]


@pytest.mark.parametrize(("message", "passes"), [*((m, True) for m in PASSING), *((m, False) for m in FINAL)])
def test_R7_job_failures(org: SimulatedOrg, tmp_path: Path, message: str, passes: bool) -> None:
    org.fail_next_job(message)
    with pytest.raises(BulkJobFailedError) as caught:
        extract(tmp_path, sobject="Account", fields=["Id"])
    assert caught.value.retryable is passes
    assert message in str(caught.value)


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
def test_R7_a_retry_makes_a_new_job(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, deferrable: bool
) -> None:
    org.fail_next_job(PASSING[0])
    with pytest.raises(BulkJobFailedError, match="a new job may succeed"):
        run_to_end(task(tmp_path, deferrable=deferrable), context)
    result = run_to_end(task(tmp_path, deferrable=deferrable), context)
    assert (result["records"], len(org.jobs)) == (25, 2)


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
def test_R7_a_query_that_times_out_three_times_says_how_to_split_it(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, deferrable: bool
) -> None:
    for _ in range(2):
        org.fail_next_job(TIMED_OUT)
        with pytest.raises(BulkJobFailedError) as caught:
            run_to_end(task(tmp_path, deferrable=deferrable), context)
        assert caught.value.retryable
    org.fail_next_job(TIMED_OUT)
    with pytest.raises(AirflowFailException, match=r"timed out 3 times: .*QUERY_TIMEOUT.*Split the query.*window"):
        run_to_end(task(tmp_path, deferrable=deferrable), context)
    assert len(org.jobs) == 3


# -- U7: API calls are spared at every call -----------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["auto", "rest"])
@pytest.mark.parametrize("left", [0, 50])
def test_U7_the_description_waits_too(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, left: int, transport: str
) -> None:
    org.daily_api_requests = 100
    org.api_calls = 100 - left
    with pytest.raises(RequestLimitError) as caught:
        run_to_end(task(tmp_path, min_api_calls_left=60, transport=transport), context)
    assert caught.value.retryable
    operator = task(tmp_path, min_api_calls_left=60, deferrable=True, transport=transport)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    assert isinstance(deferred.value.trigger, SalesforceApiCallsTrigger)
    assert described(org) == []
    org.daily_api_requests = 1000
    step = getattr(operator, deferred.value.method_name)
    with pytest.raises(RequestLimitError):  # the hook has no triggerer to wait in
        extract(tmp_path, sobject="Account", min_api_calls_left=1000)
    try:
        result = step(context, event_of(deferred.value.trigger))
    except TaskDeferred as again:
        result = operator.execute_complete(context, event_of(again.trigger), **(again.kwargs or {}))
    assert result["records"] == 25


REFUSED = b'[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]'


@pytest.mark.parametrize("path", ["*/describe*", "*/jobs/query", "*/results*", "*/resultPages*"])
def test_U7_a_refused_call_becomes_the_wait(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, path: str
) -> None:
    org.add_fault(Fault(path=path, times=None, status=403, body=REFUSED))
    org.add_fault(Fault(path="*/limits", nth=2, times=None, status=403, body=REFUSED))
    operator = task(tmp_path, min_api_calls_left=60, deferrable=True)
    step, arguments = operator.execute, {}
    while True:
        with pytest.raises(TaskDeferred) as deferred:
            step(context, **arguments)
        if isinstance(deferred.value.trigger, SalesforceApiCallsTrigger):
            break
        arguments = {"event": event_of(deferred.value.trigger), **(deferred.value.kwargs or {})}
        step = getattr(operator, deferred.value.method_name)
    org.clear_faults()
    jobs = len(org.jobs)
    try:
        result = operator.execute_after_budget(context, event_of(deferred.value.trigger))
    except TaskDeferred as again:
        result = operator.execute_complete(context, event_of(again.trigger), **(again.kwargs or {}))
    assert (result["records"], len(org.jobs)) == (25, max(jobs, 1))


def test_U7_a_refusal_for_another_reason_is_left_to_a_retry(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    busy = b'[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"ConcurrentRequests Limit exceeded."}]'
    org.add_fault(Fault(path="*/describe*", times=None, status=403, body=busy))
    with pytest.raises(RequestLimitError, match="ConcurrentRequests") as caught:
        task(tmp_path, min_api_calls_left=60, deferrable=True).execute(context)
    assert caught.value.retryable


# -- U14: threads do not wait for each other ---------------------------------------------------------------------------


def test_U14_hooks_read_their_connections_at_the_same_time(org: SimulatedOrg) -> None:
    both = threading.Barrier(2, timeout=20)

    class SlowToRead(SalesforceJwtHook):
        def get_connection(self, conn_id: str) -> Any:
            both.wait()
            return super().get_connection(conn_id)

    with ThreadPoolExecutor(2) as pool:
        hooks = [SlowToRead(), SlowToRead()]
        names = list(pool.map(lambda hook: hook.settings.credentials.username, hooks))
    assert names == [org.username] * 2


def test_U14_extracts_describe_their_objects_at_the_same_time(org: SimulatedOrg, tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=20)

    def wait_for_the_other(description: Any) -> Any:
        both.wait()
        return description

    org.add_fault(Fault(path="*/describe*", times=None, edit_json=wait_for_the_other))

    def records(sobject: str) -> int:
        return extract(tmp_path / sobject, sobject=sobject, fields=["Id"], transport="rest").records

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(records, ["Account", "Contact"])) == [25, 1]


# -- U15: a deferrable extract describes its object once ----------------------------------------------------------------


@pytest.mark.parametrize("lost", [False, True], ids=["carried", "recalled"])
@pytest.mark.parametrize("fields", [["Id", "Owner.Name"], None], ids=["fields", "all"])
def test_U15_described_once(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, fields: list[str] | None, lost: bool
) -> None:
    operator = task(tmp_path, fields=fields, deferrable=True, file_format="parquet")
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    kwargs = {} if lost else deferred.value.kwargs
    assert len(json.dumps(deferred.value.kwargs)) < 64_000
    result = operator.execute_complete(context, event_of(deferred.value.trigger), **(kwargs or {}))
    assert result["records"] == 25
    assert sorted(described(org)) == (["Account", "User"] if fields else ["Account"])
    assert SalesforceJwtHook().read_receipt(f"file://{tmp_path}").api_calls == org.api_calls


def test_U15_a_description_that_is_too_long_is_asked_for_again(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    org.define_object("Wide__c", [Field(f"{'Long' * 8}{number}__c") for number in range(800)])
    operator = task(tmp_path, sobject="Wide__c", fields=None, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    assert len(json.dumps(deferred.value.kwargs)) < 64_000
    operator.execute_complete(context, event_of(deferred.value.trigger), **(deferred.value.kwargs or {}))
    assert described(org) == ["Wide__c", "Wide__c"]


def test_U15_what_an_earlier_release_submitted_is_described_again(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    operator = task(tmp_path, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    submitted = {
        name: value for name, value in deferred.value.kwargs["submitted"].items() if name not in ("plan", "timed_out")
    }
    operator.execute_complete(context, event_of(deferred.value.trigger), submitted)
    assert described(org) == ["Account", "Account"]
