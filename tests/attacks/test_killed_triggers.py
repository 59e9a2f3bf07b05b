"""A trigger that Airflow cancels again while ``on_kill`` works, as Airflow 3.3 does with every look at its database."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.salesforce.api.bulk_ingest import IngestOrder, create_ingest_job
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from airflow_provider_sfjwt.triggers import org_trigger
from airflow_provider_sfjwt.triggers.bulk_load import SalesforceBulkLoadTrigger

BEFORE = "3 of 3 jobs ran on, and nothing said so"


@pytest.fixture
def trigger(things_org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> SalesforceBulkLoadTrigger:
    """A trigger of three jobs in a fresh triggerer, whose first look at the state of a task takes half a second."""
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    monkeypatch.setattr(org_trigger, "_WARM", [])

    def states(**_: Any) -> dict[str, Any]:
        time.sleep(0.5)
        return {"run": {"load": "failed"}}

    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", states)
    with SalesforceJwtHook().connect() as org:
        jobs = [org.run(create_ingest_job, IngestOrder("Thing__c", "insert", None, None)).ref for _ in range(3)]
    made = SalesforceBulkLoadTrigger("salesforce_jwt_default", [(ref.id, ref.api_version) for ref in jobs])
    made.task_instance = SimpleNamespace(dag_id="dag", task_id="load", run_id="run", map_index=-1)
    return made


async def killed(trigger: SalesforceBulkLoadTrigger, *, cancels: int, timeout: float = 30) -> None:
    """End a trigger as Airflow does: ``on_kill`` within a time, and a cancellation with each of its looks."""
    killing = asyncio.create_task(asyncio.wait_for(trigger.on_kill(), timeout))
    for _ in range(cancels):
        await asyncio.sleep(0.02)
        killing.cancel("__airflow_user_action__")
    await asyncio.gather(killing, return_exceptions=True)


async def settled() -> None:
    """Whatever still runs in the loop comes to its end."""
    async with asyncio.timeout(20) if hasattr(asyncio, "timeout") else asyncio.Lock():
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=20)


@pytest.mark.attack("a deferred task is killed for the first time in a triggerer", before=BEFORE, after="aborted")
@pytest.mark.parametrize("cancels", [0, 1, 2, 30])
async def test_jobs_are_aborted_however_often_the_trigger_is_cancelled(
    things_org: SimulatedOrg, trigger: SalesforceBulkLoadTrigger, cancels: int
) -> None:
    await killed(trigger, cancels=cancels)
    await settled()
    assert [job["state"] for job in things_org.jobs.values()] == ["Aborted"] * 3


@pytest.mark.attack("one of several jobs cannot be aborted", before="the others ran on", after="the others are aborted")
async def test_one_failing_abort_leaves_no_other_job_running(
    things_org: SimulatedOrg, trigger: SalesforceBulkLoadTrigger, capsys: pytest.CaptureFixture[str]
) -> None:
    first = trigger.jobs[0][0]
    things_org.add_fault(Fault(method="PATCH", path=f"*/{first}", times=None, status=500))
    await killed(trigger, cancels=5)
    await settled()
    assert [job["state"] for job in things_org.jobs.values()] == ["Open", "Aborted", "Aborted"]
    assert f"Job {first} could not be aborted and may run on" in capsys.readouterr().out


async def test_a_triggerer_that_ends_meanwhile_says_which_jobs_run_on(
    things_org: SimulatedOrg, trigger: SalesforceBulkLoadTrigger, capsys: pytest.CaptureFixture[str]
) -> None:
    killing = asyncio.create_task(trigger.on_kill())
    await asyncio.sleep(0.05)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.gather(killing, return_exceptions=True)
    await settled()
    said = capsys.readouterr().out
    assert all(f"Job {job_id} could not be aborted and may run on" in said for job_id, _ in trigger.jobs)


async def test_the_state_of_a_task_is_looked_up_once_before_any_is_killed(
    things_org: SimulatedOrg, trigger: SalesforceBulkLoadTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Any] = []
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", lambda **what: looks.append(what) or {})
    trigger.deadline = time.time()
    for _ in range(2):
        async for _event in trigger.run():
            pass
    await settled()
    assert len(looks) == 1
