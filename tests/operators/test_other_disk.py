"""A task in a local folder that goes on where another worker's disk is: what is said, and what a retry does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.airflow_run import StateStore, event_of, run_to_end

SHARED = (
    r"If another worker wrote there, on a disk of its own: give a folder in an object store, or one that every worker"
)


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
    with SimulatedOrg(records={"Account": 25}, bulk_polls=1, private_key=private_key) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running


def on_another_disk(folder: Path) -> None:
    """Let the folder be one that this machine does not have."""
    folder.rename(folder.with_name(f"{folder.name}_elsewhere"))


def extract(folder: Path) -> SalesforceExtractOperator:
    return SalesforceExtractOperator(
        task_id="extract", sobject="Account", fields=["Id"], output_path=folder.as_uri(), transport="bulk",
        deferrable=True, poll_interval=0.05,
    )  # fmt: skip


def test_an_extract_resumed_elsewhere_says_why_and_its_retry_takes_the_same_job(
    org: SimulatedOrg, tmp_path: Path
) -> None:
    folder, context = tmp_path / "accounts", {"task_state_store": StateStore()}
    task = extract(folder)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    event = event_of(deferred.value.trigger)
    on_another_disk(folder)
    with pytest.raises(SalesforceError, match=rf"accounts \(output_path\) failed: .*{SHARED}") as failed:
        task.execute_complete(context, event=event, **(deferred.value.kwargs or {}))
    assert failed.value.retryable
    assert run_to_end(task, context)["records"] == 25
    assert len(org.jobs) == 1
    assert (folder / "_receipt.json").exists()


def test_a_load_of_files_that_lie_elsewhere_names_the_source(org: SimulatedOrg, tmp_path: Path) -> None:
    folder = tmp_path / "accounts"
    summary: dict[str, Any] = run_to_end(extract(folder), {"task_state_store": StateStore()})
    on_another_disk(folder)
    load = SalesforceLoadOperator(task_id="load", sobject="Account", operation="update", source=summary)
    with pytest.raises(
        AirflowFailException, match=rf"source: file:///.*accounts/_receipt.json: there is no receipt.*{SHARED}"
    ):
        run_to_end(load, {"task_state_store": StateStore()})
    assert len(org.jobs) == 1  # the extract's
