"""A task that is killed goes on for some seconds, and one that is cleared may have changed: no job is left running."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import BulkJobTimeoutError, SalesforceError
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.extract_task import JOB, WAYS, extract, published

pytestmark = pytest.mark.usefixtures("no_waiting")


def once(what: Callable[[], None]) -> Callable[[Any], Any]:
    """For a fault: done when the answer is on its way, which it leaves as it is."""

    def edit(answer: Any) -> Any:
        what()
        return answer

    return edit


@WAYS
def test_killed_while_the_job_is_being_created(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, deferrable: bool
) -> None:
    org.bulk_polls = 10**6
    operator = extract(tmp_path, deferrable=deferrable, poll_interval=0.01)
    org.add_fault(Fault(method="POST", path="*/jobs/query", edit_json=once(operator.on_kill)))
    with pytest.raises(SalesforceError, match="killed"):
        run_to_end(operator, context)
    assert [job["state"] for job in org.jobs.values()] == ["Aborted"]
    assert published(tmp_path) == []


def test_a_killed_retry_begins_no_new_job_in_place_of_the_aborted_one(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    org.bulk_polls = 10**6
    with pytest.raises(BulkJobTimeoutError):
        run_to_end(extract(tmp_path, deferrable=False, poll_interval=0.01, timeout=0.05), context)
    retry = extract(tmp_path, deferrable=False, poll_interval=0.01)
    # Its first look finds the job alive, its second one is when it waits.
    org.add_fault(Fault(method="GET", path=JOB, nth=2, edit_json=once(retry.on_kill)))
    with pytest.raises(SalesforceError, match="killed"):
        run_to_end(retry, context)
    assert [job["state"] for job in org.jobs.values()] == ["Aborted"]


@WAYS
def test_a_retry_that_is_killed_before_it_has_picked_up_the_job_aborts_it(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, deferrable: bool
) -> None:
    org.bulk_polls = 10**6
    with pytest.raises(BulkJobTimeoutError):
        run_to_end(extract(tmp_path, deferrable=False, poll_interval=0.01, timeout=0.05), context)
    retry = extract(tmp_path, deferrable=deferrable, poll_interval=0.01)
    org.add_fault(Fault(method="GET", path=JOB, nth=1, edit_json=once(retry.on_kill)))
    with pytest.raises(SalesforceError, match="killed"):
        run_to_end(retry, context)
    assert [job["state"] for job in org.jobs.values()] == ["Aborted"]


@WAYS
@pytest.mark.parametrize("fault", [None, Fault(method="PATCH", status=400)], ids=["aborted", "cannot be aborted"])
def test_a_changed_task_aborts_the_job_that_it_no_longer_wants(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, deferrable: bool, fault: Fault | None
) -> None:
    org.bulk_polls = 10**6
    with pytest.raises(BulkJobTimeoutError):
        run_to_end(extract(tmp_path, deferrable=deferrable, poll_interval=0.01, timeout=0.05), context)
    [first] = org.jobs
    org.bulk_polls = 0
    if fault:
        org.add_fault(fault)
    result = run_to_end(extract(tmp_path, deferrable=deferrable, where="Name != null"), context)
    assert result["job_id"] != first
    assert {job["id"]: job["state"] for job in org.jobs.values()} == {
        first: "InProgress" if fault else "Aborted",
        result["job_id"]: "JobComplete",
    }


def test_a_job_that_a_broken_connection_cannot_abort_is_named_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
    org: SimulatedOrg,
    context: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    org.bulk_polls = 10**6
    operator = extract(tmp_path, timeout=0.05, poll_interval=0.01)
    with pytest.raises(BulkJobTimeoutError):
        run_to_end(operator, context)
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", '{"conn_type": "salesforce_jwt", "login": "a@acme.com"}')
    operator.on_kill()
    [job_id] = org.jobs
    assert f"Job {job_id} could not be aborted and may run on: " in capsys.readouterr().out
