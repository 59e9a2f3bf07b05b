"""A load leaves the org's API calls of 24 hours to others: it waits before every call, and sends no row twice for it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from airflow_provider_sfjwt.exceptions import RequestLimitError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from airflow_provider_sfjwt.triggers.api_calls import SalesforceApiCallsTrigger
from tests.operators.airflow_run import StateStore, event_of, run_to_end
from tests.operators.load_task import COLLECTIONS, CREATE, RESULTS, counted, in_org, items, task

pytestmark = pytest.mark.usefixtures("no_waiting")

REFUSED = b'[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]'


@pytest.fixture
def org(items_org: SimulatedOrg) -> SimulatedOrg:
    """An org that has 100 calls left, so that the first attempt of a task may make exactly as many as its test says."""
    items_org.daily_api_requests = items_org.api_calls + 100
    return items_org


def waited(operator: Any, context: dict[str, Any], org: SimulatedOrg) -> tuple[Any, int]:
    """Run a task to its end; each time it waits for API calls, the org gets more, and loses them all in the trigger.

    :return: what the task returns, and how often it waited for calls.
    """
    step, arguments, waits = operator.execute, {}, 0
    while True:
        try:
            return step(context, **arguments), waits
        except TaskDeferred as deferred:
            if isinstance(deferred.trigger, SalesforceApiCallsTrigger):
                waits += 1
                org.clear_faults()
                org.daily_api_requests = org.api_calls + 1000
            arguments = {"event": event_of(deferred.trigger), **(deferred.kwargs or {})}
            step = getattr(operator, deferred.method_name)


def test_zero_calls_may_be_left_as_of_an_extract(org: SimulatedOrg, context: dict[str, Any]) -> None:
    assert run_to_end(task("Item__c", items(2), min_api_calls_left=0), context)["records"] == 2


# Describe, then create and upload for each of the three parts: the first number of calls that is refused is named.
@pytest.mark.parametrize("passing", [0, 1, 3, 5], ids=["describe", "first job", "second job", "third job"])
def test_a_worker_ends_before_it_sends_a_part_and_a_retry_goes_on(
    org: SimulatedOrg, context: dict[str, Any], passing: int
) -> None:
    rows = items(20)
    least = 100 - passing
    with pytest.raises(RequestLimitError, match=f"min_api_calls_left={least}") as caught:
        run_to_end(task("Item__c", rows, min_api_calls_left=least, parallel_jobs=1), context)
    assert caught.value.retryable
    assert len(org.jobs) == passing // 2
    assert in_org(org) == counted([])
    org.daily_api_requests += 1000
    assert run_to_end(task("Item__c", rows, min_api_calls_left=least, parallel_jobs=1), context)["records"] == 20
    assert in_org(org) == counted(rows)
    assert len(org.jobs) == 4


@pytest.mark.parametrize("has_store", [True, False], ids=["Airflow with a state store", "without"])
@pytest.mark.parametrize("passing", [0, 1, 3])
def test_a_deferrable_load_waits_and_goes_on_with_the_jobs_that_it_has(
    org: SimulatedOrg, passing: int, has_store: bool
) -> None:
    rows, context = items(20), {"task_state_store": StateStore()} if has_store else {}
    operator = task("Item__c", rows, min_api_calls_left=100 - passing, parallel_jobs=1, deferrable=True)
    result, waits = waited(operator, context, org)
    assert (result["records"], len(org.jobs)) == (20, 4)
    assert waits >= 1
    assert in_org(org) == counted(rows)


@pytest.mark.parametrize("path", ["*/describe*", CREATE, RESULTS, "*/jobs/ingest/*"])
@pytest.mark.parametrize("operation", ["insert", "upsert"])
def test_a_call_that_salesforce_refuses_becomes_the_wait(
    org: SimulatedOrg, context: dict[str, Any], path: str, operation: str, tmp_path: Path
) -> None:
    rows, key = items(20), {"external_id_field": "Key__c"} if operation == "upsert" else {}
    for faulty in (path, "*/limits"):
        org.add_fault(Fault(path=faulty, times=None, status=403, body=REFUSED))
    operator = task(
        "Item__c", rows, operation=operation, min_api_calls_left=0, deferrable=True, results_path=str(tmp_path), **key
    )
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    if not isinstance(deferred.value.trigger, SalesforceApiCallsTrigger):
        org.clear_faults()
        event = event_of(deferred.value.trigger)
        for faulty in (path, "*/limits"):
            org.add_fault(Fault(path=faulty, times=None, status=403, body=REFUSED))
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute_complete(context, event, **(deferred.value.kwargs or {}))
    assert isinstance(deferred.value.trigger, SalesforceApiCallsTrigger)
    org.clear_faults()
    try:
        result = operator.execute_after_budget(context, event_of(deferred.value.trigger), **deferred.value.kwargs)
    except TaskDeferred as again:
        result = operator.execute_complete(context, event_of(again.trigger), **(again.kwargs or {}))
    assert result["records"] == 20
    assert in_org(org) == counted(rows)


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
def test_jobs_begin_only_while_calls_are_left(org: SimulatedOrg, context: dict[str, Any], deferrable: bool) -> None:
    begun: list[int] = []

    def fewer(answer: Any) -> Any:
        org.daily_api_requests -= 200
        return answer

    def more(answer: Any) -> Any:
        if answer["DailyApiRequests"]["Remaining"] < 100:
            begun.append(sum(job["state"] != "Open" for job in org.jobs.values()))
            org.daily_api_requests += 200
        return answer

    # The first job begins, and somebody else takes what was left.
    org.daily_api_requests = 300
    org.add_fault(Fault(method="PATCH", path="*/jobs/ingest/*", times=1, edit_json=fewer))
    org.add_fault(Fault(path="*/limits", times=None, edit_json=more))
    operator = task("Item__c", items(20), min_api_calls_left=100, deferrable=deferrable, parallel_jobs=1)
    assert run_to_end(operator, context)["records"] == 20
    assert begun[0] == 1
    assert in_org(org) == counted(items(20))


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
def test_over_rest_all_calls_must_be_left_before_the_first(
    org: SimulatedOrg, context: dict[str, Any], deferrable: bool
) -> None:
    rows = items(500)  # describe, and three calls
    arguments = {"transport": "rest", "min_api_calls_left": 97, "part_bytes": 24 * 2**20, "deferrable": deferrable}
    operator = task("Item__c", rows, **arguments)
    if not deferrable:
        with pytest.raises(RequestLimitError, match="min_api_calls_left=97 and 2 more for this load") as caught:
            run_to_end(operator, context)
        assert caught.value.retryable
        assert in_org(org) == counted([])
        org.daily_api_requests += 100
    result, waits = waited(operator, context, org)
    assert (result["records"], waits) == (500, int(deferrable))
    assert in_org(org) == counted(rows)


@pytest.mark.parametrize("operation", ["insert", "upsert"])
def test_over_rest_a_refusal_becomes_the_wait_where_the_rows_may_be_sent_again(
    org: SimulatedOrg, context: dict[str, Any], operation: str
) -> None:
    rows, key = items(500), {"external_id_field": "Key__c"} if operation == "upsert" else {}
    org.add_fault(Fault(path=COLLECTIONS, nth=2, times=None, status=403, body=REFUSED))
    org.add_fault(Fault(path="*/limits", nth=2, status=403, body=REFUSED))
    arguments = {"transport": "rest", "min_api_calls_left": 10, "part_bytes": 24 * 2**20, **key}
    operator = task("Item__c", rows, operation=operation, deferrable=True, **arguments)
    if operation == "insert":
        with pytest.raises(Exception, match="Of 500 rows 200 succeeded, 0 were rejected, and 300 were not saved"):
            operator.execute(context)
        return
    result, waits = waited(operator, context, org)
    assert (result["records"], waits) == (500, 1)
    assert in_org(org) == counted(rows)


def test_the_descriptions_of_parents_wait_too(org: SimulatedOrg, context: dict[str, Any]) -> None:
    org.define_object(
        "Child__c", [Field("Item__c", "reference", reference_to=("Item__c",), relationship_name="Item__r")]
    )
    with pytest.raises(RequestLimitError):
        run_to_end(task("Child__c", [{"Item__r.Key__c": "a"}], min_api_calls_left=99), context)
    assert [request.path.split("/")[-2] for request in org.requests if "describe" in request.path] == ["Child__c"]


def test_an_insert_that_nobody_could_look_up_is_seen_through(org: SimulatedOrg, tmp_path: Path) -> None:
    rows = items(20)
    load = partial(
        SalesforceJwtHook().load,
        sobject="Item__c",
        operation="insert",
        source=rows,
        transport="bulk",
        poll_interval=0.01,
        results_path=str(tmp_path),
    )
    with pytest.raises(RequestLimitError):
        load(min_api_calls_left=99)  # the first job would leave fewer
    assert not org.jobs
    org.daily_api_requests = org.api_calls + 100
    report = load(min_api_calls_left=96)  # fewer are left when its results are fetched
    assert org.daily_api_requests - org.api_calls < 95
    assert report.counts["succeeded"] == 20
    assert in_org(org) == counted(rows)
