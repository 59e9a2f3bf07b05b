"""The org's API calls of 24 hours are left to others before they are eaten up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from airflow_provider_sfjwt.exceptions import RequestLimitError, SalesforceError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from airflow_provider_sfjwt.triggers.api_calls import SalesforceApiCallsTrigger
from tests.operators.airflow_run import event_of, rebuilt, run_to_end
from tests.operators.extract_task import FIELDS, extract, published, receipt_of, rows_of

pytestmark = pytest.mark.usefixtures("no_waiting")


def test_a_worker_fails_before_it_creates_a_job(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    org.daily_api_requests = 100
    with pytest.raises(RequestLimitError, match="of its 100 API calls .* fewer than min_api_calls_left=100") as caught:
        run_to_end(extract(tmp_path, min_api_calls_left=100), context)
    assert caught.value.retryable
    assert not org.jobs
    assert published(tmp_path) == []


def test_enough_calls_let_it_pass(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    org.daily_api_requests = 100
    run_to_end(extract(tmp_path, min_api_calls_left=50), context)
    assert len(rows_of(tmp_path)) == 1000


def test_a_deferrable_task_waits_until_the_org_has_calls_again(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    org.daily_api_requests = 100
    operator = extract(tmp_path, min_api_calls_left=100, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    assert isinstance(deferred.value.trigger, SalesforceApiCallsTrigger)
    assert not org.jobs

    async def one_day_later() -> Any:
        trigger = rebuilt(deferred.value.trigger)
        events = asyncio.create_task(anext(trigger.run()))
        await asyncio.sleep(0.1)
        waited = not events.done()
        org.daily_api_requests = 1000
        return waited, (await events).payload

    waited, event = asyncio.run(one_day_later())
    assert waited
    assert event["status"] == "available"
    assert deferred.value.method_name == "execute_after_budget"
    with pytest.raises(TaskDeferred) as again:
        operator.execute_after_budget(context, event)
    assert again.value.method_name == "execute_complete"
    operator.execute_complete(context, event_of(again.value.trigger), **again.value.kwargs)
    assert len(rows_of(tmp_path)) == 1000


def test_a_wait_that_ends_without_enough_calls_is_reported(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    org.daily_api_requests = 100
    operator = extract(tmp_path, min_api_calls_left=100, deferrable=True, timeout=0.01)
    with pytest.raises(
        SalesforceError, match="fewer than min_api_calls_left=100, and the time to wait for them is up"
    ) as caught:
        run_to_end(operator, context)
    assert caught.value.retryable


def test_a_trigger_that_cannot_ask_says_why(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    org.daily_api_requests = 100
    operator = extract(tmp_path, min_api_calls_left=100, deferrable=True)
    org.add_fault(Fault(path="*/limits", times=None, status=404, body=b'[{"errorCode":"NOT_FOUND","message":"x"}]'))
    with pytest.raises(Exception, match="NOT_FOUND"):
        run_to_end(operator, context)


def test_the_triggers_of_another_release_and_its_stored_form() -> None:
    trigger = SalesforceApiCallsTrigger("sf", 100, deadline=1.5, of_a_later_release=True)
    assert rebuilt(trigger).serialize() == trigger.serialize()


def test_a_download_ends_before_it_eats_the_limit_and_a_retry_goes_on(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    org.daily_api_requests = 100
    # describe, create, poll, first page: 96 left; the second page would still pass, the third not.
    with pytest.raises(RequestLimitError) as caught:
        run_to_end(extract(tmp_path, min_api_calls_left=96, parallel_pages=1), context)
    assert caught.value.retryable
    assert "_receipt.json" not in published(tmp_path)
    pages = sum(name.startswith("_page") for name in published(tmp_path))
    assert 0 < pages < 4
    org.daily_api_requests = 1000
    result = run_to_end(extract(tmp_path, min_api_calls_left=96, parallel_pages=1), context)
    assert [result["job_id"]] == list(org.jobs)
    assert sum("/results" in request.path for request in org.requests) == 4
    assert [row["Id"] for row in rows_of(tmp_path)] == [row["Id"] for row in org.rows("Account")]
    assert receipt_of(tmp_path)["api_calls"] == org.api_calls


def test_the_hook_and_rest_spare_the_org_too(org: SimulatedOrg, tmp_path: Path) -> None:
    org.daily_api_requests, org.rest_page_size = 100, 300
    for transport, least in (("bulk", 100), ("rest", 98)):
        with pytest.raises(RequestLimitError):
            SalesforceJwtHook().extract(
                sobject="Account",
                fields=FIELDS,
                output_path=f"file://{tmp_path}",
                transport=transport,
                min_api_calls_left=least,
            )
    assert not org.jobs
    assert published(tmp_path) == []
