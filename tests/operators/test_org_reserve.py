"""``[salesforce_jwt] org_reserve``: API calls of an org that every task of this Airflow leaves to others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from airflow_provider_sfjwt.exceptions import ConfigurationError, ObjectsFailedError, RequestLimitError, SalesforceError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.query import SalesforceQueryOperator
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from airflow_provider_sfjwt.triggers.api_calls import SalesforceApiCallsTrigger
from tests.operators.airflow_run import event_of, rebuilt, run_to_end
from tests.operators.extract_task import extract, published, rows_of

pytestmark = pytest.mark.usefixtures("no_waiting")

NAMED = r"\[salesforce_jwt\] org_reserve"


@pytest.fixture
def reserve(monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg) -> Any:
    """Sets the option, in an org with 100 calls in 24 hours."""
    org.daily_api_requests = 100

    def option(text: str) -> None:
        monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__ORG_RESERVE", text)

    return option


def queried(times: int) -> int:
    hook = SalesforceJwtHook()
    return sum(len(list(hook.query("SELECT Id FROM Account LIMIT 1"))) for _ in range(times))


@pytest.mark.parametrize("text", ["90", "90%", " 90 % "])
def test_a_query_ends_where_the_reserve_begins(org: SimulatedOrg, reserve: Any, text: str) -> None:
    reserve(text)
    with pytest.raises(RequestLimitError, match=f"89 of its 100 API calls .* fewer than {NAMED}=90") as caught:
        queried(40)
    assert caught.value.retryable and org.api_calls == 11
    reserve("80")
    assert queried(1) == 1


def test_an_operator_fails_for_its_retry(org: SimulatedOrg, context: dict[str, Any], reserve: Any) -> None:
    reserve("100")
    operator = SalesforceQueryOperator(task_id="query", soql="SELECT Id, Name FROM Account LIMIT 1")
    with pytest.raises(RequestLimitError, match=NAMED):
        operator.execute(context)
    assert org.api_calls == 1, "the look at what is left"


def test_an_extract_begins_no_job(org: SimulatedOrg, context: dict[str, Any], reserve: Any, tmp_path: Path) -> None:
    reserve("100")
    with pytest.raises(RequestLimitError, match=f"fewer than {NAMED}=100"):
        run_to_end(extract(tmp_path), context)
    assert not org.jobs and published(tmp_path) == []
    reserve("50")
    run_to_end(extract(tmp_path, min_api_calls_left=10), context)
    assert len(rows_of(tmp_path)) == 1000


def test_the_stricter_of_both_rules_is_named(
    org: SimulatedOrg, context: dict[str, Any], reserve: Any, tmp_path: Path
) -> None:
    reserve("20")
    with pytest.raises(RequestLimitError, match="fewer than min_api_calls_left=100"):
        run_to_end(extract(tmp_path, min_api_calls_left=100), context)


def test_a_deferrable_extract_waits_for_the_reserve(
    org: SimulatedOrg, context: dict[str, Any], reserve: Any, tmp_path: Path
) -> None:
    reserve("100%")
    operator = extract(tmp_path, deferrable=True, timeout=0.01)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    trigger = deferred.value.trigger
    assert isinstance(trigger, SalesforceApiCallsTrigger) and trigger.at_least == 100
    with pytest.raises(
        SalesforceError, match=rf"fewer than {NAMED}=100% \(100\), and the time to wait .* lower org_reserve"
    ):
        operator.execute_after_budget(context, event_of(trigger))
    org.daily_api_requests = 1000
    reserve("10%")
    operator = extract(tmp_path, deferrable=True)
    run_to_end(operator, context)
    assert len(rows_of(tmp_path)) == 1000


def test_a_job_that_runs_is_looked_at_and_can_be_aborted(org: SimulatedOrg, reserve: Any) -> None:
    from airflow_provider_sfjwt.salesforce.api.bulk_job import abort_job, get_job
    from airflow_provider_sfjwt.salesforce.api.bulk_query import create_query_job

    reserve("50")
    org.bulk_polls = 100
    with SalesforceJwtHook().connect() as connected:
        job = connected.run(create_query_job, "SELECT Id FROM Account")
        org.daily_api_requests = 51
        assert not connected.run(get_job, job.ref).ended
        with pytest.raises(RequestLimitError):
            connected.run(create_query_job, "SELECT Id FROM Account")
        assert connected.run(abort_job, job.ref)


def test_a_load_that_has_begun_over_rest_is_seen_through(org: SimulatedOrg, reserve: Any) -> None:
    reserve("80")

    def taken(headers: dict[str, str]) -> dict[str, str]:
        return {**headers, "Sforce-Limit-Info": "api-usage=99/100"}  # by the org's other users

    org.add_fault(Fault(path="*/composite/sobjects*", times=None, edit_headers=taken))
    rows = [{"Name": f"row {number}"} for number in range(1_000)]
    report = SalesforceJwtHook().load(sobject="Account", operation="insert", source=rows, transport="rest")
    assert report.counts["succeeded"] == 1_000
    org.daily_api_requests = 50
    with pytest.raises(RequestLimitError, match=NAMED):
        SalesforceJwtHook().load(sobject="Account", operation="insert", source=rows[:1], transport="rest")


def test_objects_of_a_sync_that_are_not_reached_fail_by_name(org: SimulatedOrg, reserve: Any, tmp_path: Path) -> None:
    reserve("100")
    with pytest.raises((RequestLimitError, ObjectsFailedError), match=NAMED):
        SalesforceJwtHook().sync(["Account", "Contact"], f"file://{tmp_path}/root", commit_lag=0)


def test_a_trigger_makes_no_more_calls(org: SimulatedOrg, reserve: Any) -> None:
    reserve("95")

    async def asked() -> int:
        from airflow_provider_sfjwt.salesforce.api.query import first_page

        done = 0
        async with SalesforceJwtHook().aconnect() as connected:
            for _ in range(40):
                await connected.run(first_page, "SELECT Id FROM Account LIMIT 1")
                done += 1
        return done

    with pytest.raises(RequestLimitError, match=NAMED):
        asyncio.run(asked())
    assert org.api_calls == 6


@pytest.mark.parametrize("text", ["many", "5 calls", "-1", "101%", "0.5"])
def test_an_option_that_says_nothing_is_refused_by_name(reserve: Any, text: str) -> None:
    reserve(text)
    with pytest.raises(ConfigurationError, match=f"{NAMED}: is '{text}': give a number"):
        queried(1)


def test_no_option_is_no_limit(org: SimulatedOrg, reserve: Any) -> None:
    reserve("")
    org.add_fault(Fault(path="*/limits", times=None, status=500))
    assert queried(3) == 3


def test_triggers_keep_their_stored_form() -> None:
    trigger = SalesforceApiCallsTrigger("sf", 100, deadline=1.5)
    assert rebuilt(trigger).serialize() == trigger.serialize()
