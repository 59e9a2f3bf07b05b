"""Every row of the table of steps, brought about in an org: the attempt does what the row says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.salesforce.api.bulk_query import create_query_job
from airflow_provider_sfjwt.tasks.extract_steps import STEPS, Found, Remembered, Step, Why
from airflow_provider_sfjwt.tasks.job_memory import SubmittedJob
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import StateStore

ACCOUNTS = Asset(uri="salesforce://salesforce_jwt_default/Account")
SOQL = "SELECT Id, Name FROM Account"
KEY = "salesforce_bulk_job"


def task(folder: Path, **arguments: Any) -> SalesforceExtractOperator:
    return SalesforceExtractOperator(
        task_id="extract",
        sobject="Account",
        fields=["Id", "Name"],
        output_path=f"file://{folder}",
        file_format="csv",
        poll_interval=0.01,
        outlets=[ACCOUNTS],
        deferrable=False,
        **arguments,
    )


def a_job(org: SimulatedOrg, found: Found) -> str:
    """A job of an earlier attempt, or of this one, as the org shows it from now on."""
    # Where the attempt does not ask for it, the job has to run, so that it can be aborted.
    org.bulk_polls = {Found.RUNNING: 3, Found.NOT_ASKED: 10**6}.get(found, 0)
    with SalesforceJwtHook().connect() as connected:
        job_id = connected.run(create_query_job, SOQL).ref.id
    if found is Found.LOST:
        failed = {"state": "Failed", "errorMessage": "as said"}
        org.add_fault(Fault(path=f"*/{job_id}", times=None, edit_json=lambda answer: {**answer, **failed}))
    if found is Found.GONE:
        gone = b'[{"errorCode":"NOT_FOUND","message":""}]'
        org.add_fault(Fault(path=f"*/{job_id}", times=None, status=404, body=gone))
    org.bulk_polls = 0
    return job_id


def remembered_job(operator: SalesforceExtractOperator, job_id: str, remembered: Remembered) -> dict[str, Any] | None:
    """What the task remembers of it."""
    if remembered is Remembered.NOTHING:
        return None
    fingerprint = ExtractSpec.of(operator, window=None).fingerprint()
    return SubmittedJob(
        job_id=job_id,
        api_version="67.0",
        soql=SOQL,
        order=fingerprint if remembered is not Remembered.OTHER else "of another request",
        window=None,
        api_calls=7,
        created_at=time.time(),
        reattached=remembered is Remembered.EARLIER,
    ).to_json()


def step_taken(org: SimulatedOrg, first: str, result: Any, since: int) -> Step:
    """What the attempt did, by what the org saw of it."""
    seen = org.requests[since:]
    aborted = any(request.method == "PATCH" and request.path.endswith(first) for request in seen)
    if isinstance(result, SalesforceError):
        assert result.retryable
        return Step.GIVE_UP
    if isinstance(result, AirflowFailException):
        return Step.FAIL
    assert result["records"] == 25
    if result["job_id"] != first:
        return Step.ABANDON if aborted else Step.CREATE
    looks = sum(request.path.endswith(f"/{first}") for request in seen)
    return Step.PUBLISH if looks == 1 else Step.WAIT


@pytest.mark.parametrize(
    ("row", "step"),
    [pytest.param(row, step, id="-".join(each.name for each in row)) for row, step in STEPS.items()],
)
def test_the_attempt_does_what_the_row_says(
    org: SimulatedOrg, tmp_path: Path, row: tuple[Why, Remembered, Found], step: Step
) -> None:
    why, remembered, found = row
    nothing_known = remembered is Remembered.NOTHING and why is not Why.BEGINS
    # Of a watermark alone, the run does not say which rows the job has.
    operator = task(tmp_path, **({"incremental": "watermark"} if nothing_known else {}))
    context = {"task_state_store": StateStore(), "asset_state_store": {ACCOUNTS: StateStore()}}
    job_id = a_job(org, found)
    known = remembered_job(operator, job_id, remembered)
    event = {"job_id": job_id, "api_version": "67.0", "api_calls": 1, "job": {"id": job_id}}
    if why is Why.TIMED_OUT:
        event |= {"status": "timeout", "message": "time is up", "retryable": True}
    since = len(org.requests)
    try:
        if why is Why.BEGINS:
            if known:
                context["task_state_store"].set(KEY, known)
            result = operator.execute(context)
        else:
            result = operator.execute_complete(context, {"status": "ended", **event}, known)
    except (SalesforceError, AirflowFailException) as error:
        result = error
    assert step_taken(org, job_id, result, since) is step
    if step is Step.GIVE_UP:  # a retry comes back to the job, and knows what it cost
        assert context["task_state_store"].get(KEY)["job_id"] == job_id
        assert context["task_state_store"].get(KEY)["api_calls"] >= 8


def test_there_is_a_row_for_each_situation_that_can_be() -> None:
    asked = [found for found in Found if found is not Found.NOT_ASKED]
    unasked = [
        (why, remembered, Found.NOT_ASKED) for why in Why for remembered in (Remembered.NOTHING, Remembered.OTHER)
    ]
    # An attempt that begins has created no job yet; and a job whose time is up is not asked for again.
    began = [(Why.BEGINS, Remembered.EARLIER, found) for found in asked]
    own = (Remembered.OWN, Remembered.EARLIER)
    waited = [(Why.WAITED, remembered, found) for remembered in own for found in asked]
    late = [(Why.TIMED_OUT, remembered, Found.NOT_ASKED) for remembered in own]
    assert STEPS.keys() == {*unasked, *began, *waited, *late}
