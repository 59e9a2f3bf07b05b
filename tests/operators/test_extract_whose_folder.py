"""Task instances of one DAG run, mapped or not: each has a folder and a watermark of its own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time.context import set_current_context

from airflow_provider_sfjwt.exceptions import ConfigurationError, ProtocolError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.airflow_run import StateStore, run_to_end
from tests.operators.extract_task import ACCOUNTS, extract, watermark
from tests.operators.extracted import check_published, names_in, receipt_in


def instance(task_id: str = "extract", map_index: int = -1, run_id: str = "run", **more: Any) -> dict[str, Any]:
    """The context of a task instance."""
    ti = SimpleNamespace(dag_id="dag", run_id=run_id, task_id=task_id, map_index=map_index, xcom_push=lambda **_: None)
    return {"task_state_store": StateStore(), "ti": ti, **more}


@pytest.mark.parametrize("transport", ["bulk", "rest"])
@pytest.mark.parametrize("deferrable", [False, True])
def test_the_receipt_says_who_wrote_it(org: SimulatedOrg, tmp_path: Path, deferrable: bool, transport: str) -> None:
    run_to_end(extract(tmp_path, deferrable=deferrable, transport=transport), instance(map_index=2))
    assert receipt_in(tmp_path)["written_by"] == {
        "dag_id": "dag", "run_id": "run", "task_id": "extract", "map_index": 2,
    }  # fmt: skip
    read = SalesforceJwtHook().read_receipt(f"file://{tmp_path}")
    assert str(read.written_by) == "task 'extract', map index 2"


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("second", [instance(map_index=1), instance(task_id="other")], ids=["mapped", "another task"])
def test_a_second_task_instance_of_the_run_is_refused_before_it_has_a_job(
    org: SimulatedOrg, tmp_path: Path, second: dict[str, Any], deferrable: bool
) -> None:
    run_to_end(extract(tmp_path), instance(map_index=0))
    with pytest.raises(AirflowFailException, match="output_path: .* holds what task 'extract', map index 0 extracted"):
        run_to_end(extract(tmp_path, sobject="Contact", fields=["Id"], deferrable=deferrable), second)
    assert len(org.jobs) == 1
    assert receipt_in(tmp_path)["sobject"] == "Account"
    check_published(tmp_path)


@pytest.mark.parametrize("again", [instance(), instance(task_id="other", run_id="next")], ids=["rerun", "next run"])
def test_a_rerun_and_another_run_replace(org: SimulatedOrg, tmp_path: Path, again: dict[str, Any]) -> None:
    run_to_end(extract(tmp_path), instance())
    first = receipt_in(tmp_path)
    run_to_end(extract(tmp_path), again)
    assert receipt_in(tmp_path)["job_id"] != first["job_id"]
    check_published(tmp_path)


def test_an_instance_that_publishes_meanwhile_is_not_replaced(org: SimulatedOrg, tmp_path: Path) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    slow = extract(tmp_path, deferrable=True)
    context = instance(map_index=1)
    with pytest.raises(TaskDeferred) as deferred:
        slow.execute(context)
    run_to_end(extract(tmp_path), instance(map_index=0))
    published = receipt_in(tmp_path)
    event = {"status": "ended", **_of(deferred.value.kwargs)}
    with pytest.raises(AirflowFailException, match="map index 1 would replace it"):
        slow.execute_complete(context, event, **(deferred.value.kwargs or {}))
    assert receipt_in(tmp_path) == published
    check_published(tmp_path)


def _of(kwargs: Any) -> dict[str, Any]:
    submitted = kwargs["submitted"]
    return {"job_id": submitted["job_id"], "api_version": submitted["api_version"], "api_calls": 1}


def test_the_hook_in_a_task_says_who_wrote_it_and_outside_nothing(org: SimulatedOrg, tmp_path: Path) -> None:
    order = {"output_path": f"file://{tmp_path}", "sobject": "Account"}
    SalesforceJwtHook().extract(**order)
    assert "written_by" not in receipt_in(tmp_path)
    first: Any = instance(task_id="python", map_index=0)
    with set_current_context(first):
        SalesforceJwtHook().extract(**order)
    assert receipt_in(tmp_path)["written_by"]["task_id"] == "python"
    second: Any = instance(task_id="python", map_index=1)
    with set_current_context(second), pytest.raises(ConfigurationError, match="task 'python', map index 0"):
        SalesforceJwtHook().extract(**order)


@pytest.mark.parametrize("incremental", [{}, {"incremental": "watermark", "outlets": [ACCOUNTS]}])
def test_the_results_folder_of_a_load_is_refused(
    org: SimulatedOrg, tmp_path: Path, incremental: dict[str, Any]
) -> None:
    folder = f"file://{tmp_path}"
    SalesforceJwtHook().load(
        sobject="Contact", operation="insert", source=[{"LastName": "New"}], results_path=folder, poll_interval=0.05
    )
    before = names_in(tmp_path)
    context = instance(asset_state_store={ACCOUNTS: StateStore()})
    with pytest.raises(AirflowFailException, match="output_path: .* is the results folder of a load"):
        run_to_end(extract(tmp_path, **incremental), context)
    with pytest.raises(ProtocolError, match="is the results folder of a load"):
        SalesforceJwtHook().read_receipt(folder)
    assert names_in(tmp_path) == before
    assert not [job for job in org.jobs if "query" in str(job)]


def test_instances_that_would_share_a_watermark_lose_no_rows_of_the_second(org: SimulatedOrg, tmp_path: Path) -> None:
    store = StateStore()

    def run(index: int, run_id: str, fields: list[str]) -> int:
        context = instance(map_index=index, run_id=run_id, asset_state_store={ACCOUNTS: store})
        return int(run_to_end(watermark(tmp_path / f"{run_id}-{index}", fields=fields), context)["records"])

    assert run(0, "first", ["Id", "Name"]) == 1000
    with pytest.raises(
        AirflowFailException, match="map index 1 a task of its own: task 'extract', map index 0 extracted"
    ):
        run(1, "first", ["Id", "Industry"])
    assert run(1, "second", ["Id", "Name"]) == 0  # the order of what a task is mapped over does not matter


def test_a_task_that_is_not_mapped_keeps_the_key_of_its_watermark(org: SimulatedOrg, tmp_path: Path) -> None:
    store = StateStore()
    for context in ({"task_state_store": StateStore()}, instance()):
        run_to_end(watermark(tmp_path), {**context, "asset_state_store": {ACCOUNTS: store}})
    [key] = store.values
    assert key.endswith(".extract.SystemModstamp")
