"""What goes wrong on the way, and how it ends: the right rows, or an error and nothing published."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.compat import has_state_stores
from airflow_provider_sfjwt.exceptions import BulkJobAbortedError, BulkJobTimeoutError, TransportError
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.extract_task import JOB, RESULTS, WAYS, extract, published, receipt_of, rows_of, with_changes

pytestmark = pytest.mark.usefixtures("no_waiting")

HEALED = [
    Fault(method="GET", path=RESULTS, nth=2, status=503),
    Fault(method="GET", path=RESULTS, nth=1, times=3, status=503),
    Fault(method="GET", path=RESULTS, nth=2, status=503, headers={"Retry-After": "0"}),
    Fault(method="GET", path=RESULTS, nth=2, cut_at=0.5),
    Fault(method="GET", path=RESULTS, nth=3, reset=True),
    Fault(method="GET", path=RESULTS, nth=2, lose_answer=True),
    Fault(method="GET", path=RESULTS, nth=2, expire_session=True),
    Fault(method="GET", path="*/jobs/query/*", nth=1, expire_session=True),
    Fault(method="GET", path="*/resultPages*", nth=1, status=404, body=b'[{"errorCode":"NOT_FOUND","message":""}]'),
    Fault(method="GET", path="*/resultPages*", nth=1, status=409, body=b'[{"errorCode":"CONFLICT","message":""}]'),
    Fault(method="GET", path=RESULTS, nth=2, edit_headers=lambda headers: {**headers, "Sforce-NumberOfRecords": "7"}),
    Fault(method="GET", path=RESULTS, nth=2, edit_body=lambda body: body[: body.rindex(b"\n", 0, -1) + 1]),
    Fault(method="GET", path=RESULTS, nth=2, edit_body=lambda body: body + body[body.index(b"\n") + 1 :]),
    Fault(method="POST", path="*/jobs/query", nth=1, status=503),
    Fault(method="POST", path="/services/oauth2/token", nth=1, times=2, status=503),
]


@WAYS
@pytest.mark.parametrize("fault", HEALED, ids=lambda fault: f"{fault.method} {fault.path} {fault.nth}")
def test_what_passes_leaves_the_right_rows(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, fault: Fault, deferrable: bool
) -> None:
    org.add_fault(fault)
    run_to_end(extract(tmp_path, deferrable=deferrable), context)
    assert [row["Id"] for row in rows_of(tmp_path)] == [row["Id"] for row in org.rows("Account")]
    assert len(published(tmp_path)) == 5
    assert len(org.jobs) == 1


LOST_COUNT = lambda headers: {name: value for name, value in headers.items() if "Number" not in name}  # noqa: E731
FATAL = [
    (Fault(method="GET", path=JOB, times=None, edit_json=with_changes(state="Sleeping")), "state 'Sleeping'"),
    (Fault(method="GET", path=JOB, times=None, edit_json=with_changes(state="Failed", errorMessage="InvalidBatch : x")), "InvalidBatch : x"),
    (Fault(method="GET", path=JOB, times=None, edit_json=with_changes(numberRecordsProcessed=1001)), "Salesforce counted 1001"),
    (Fault(method="GET", path=RESULTS, times=None, edit_headers=LOST_COUNT), "declared no number"),
    (Fault(method="GET", path=RESULTS, nth=2, times=None, edit_headers=lambda headers: {**headers, "Sforce-NumberOfRecords": "7"}), "declared 7"),
    (Fault(method="GET", path=JOB, times=None, status=404, body=b'[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]'), "NOT_FOUND"),
]  # fmt: skip


@WAYS
@pytest.mark.parametrize(("fault", "message"), FATAL, ids=[message for _, message in FATAL])
def test_what_stays_wrong_ends_red_and_publishes_nothing(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, fault: Fault, message: str, deferrable: bool
) -> None:
    org.add_fault(fault)
    with pytest.raises(AirflowFailException, match=re.escape(message)):
        run_to_end(extract(tmp_path, deferrable=deferrable), context)
    assert published(tmp_path) == []


def test_locators_that_go_in_a_circle_are_refused(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    seen: list[str] = []

    def repeat_the_first(headers: dict[str, str]) -> dict[str, str]:
        seen.append(headers["Sforce-Locator"])
        return {**headers, "Sforce-Locator": seen[0]}

    org.add_fault(Fault(method="GET", path=RESULTS, times=None, edit_headers=repeat_the_first))
    with pytest.raises(AirflowFailException, match="go in a circle"):
        run_to_end(extract(tmp_path, parallel_pages=1), context)
    assert published(tmp_path) == []


def test_a_failing_run_leaves_the_data_set_of_the_run_before(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    run_to_end(extract(tmp_path), context)
    before = published(tmp_path)
    org.add_fault(Fault(method="GET", path=RESULTS, nth=3, times=None, edit_headers=LOST_COUNT))
    with pytest.raises(AirflowFailException):
        run_to_end(extract(tmp_path), context)
    assert published(tmp_path) == before
    assert len(rows_of(tmp_path)) == 1000


@WAYS
def test_time_runs_out_with_the_job_named(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, deferrable: bool
) -> None:
    org.add_fault(Fault(method="GET", path=JOB, times=None, edit_json=with_changes(state="InProgress")))
    with pytest.raises(BulkJobTimeoutError) as caught:
        run_to_end(extract(tmp_path, deferrable=deferrable, timeout=0.05), context)
    assert caught.value.job["id"] in org.jobs
    assert caught.value.retryable


@WAYS
def test_an_aborted_job_is_retried_as_a_new_one(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, deferrable: bool
) -> None:
    org.add_fault(Fault(method="GET", path=JOB, times=2, edit_json=with_changes(state="Aborted")))
    with pytest.raises(BulkJobAbortedError):
        run_to_end(extract(tmp_path, deferrable=deferrable), context)
    org.clear_faults()
    org.add_fault(Fault(method="GET", path=JOB, times=1, edit_json=with_changes(state="Aborted")))
    run_to_end(extract(tmp_path, deferrable=deferrable), context)
    assert len(org.jobs) == 2


@WAYS
def test_a_job_aborted_after_it_was_picked_up_is_replaced(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, deferrable: bool
) -> None:
    org.add_fault(Fault(method="GET", path=JOB, times=None, edit_json=with_changes(state="InProgress")))
    with pytest.raises(BulkJobTimeoutError):
        run_to_end(extract(tmp_path, timeout=0.05), context)
    org.clear_faults()
    [first] = org.jobs
    org.add_fault(Fault(method="GET", path=f"*/{first}", nth=2, times=None, edit_json=with_changes(state="Aborted")))
    run_to_end(extract(tmp_path, deferrable=deferrable), context)
    assert len(org.jobs) == 2
    assert receipt_of(tmp_path)["job_id"] != first


def test_killing_the_task_aborts_itswith_changes(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    operator = extract(tmp_path, timeout=0.05)
    org.add_fault(Fault(method="GET", path=JOB, times=None, edit_json=with_changes(state="InProgress")))
    with pytest.raises(BulkJobTimeoutError):
        run_to_end(operator, context)
    org.clear_faults()
    operator.on_kill()
    assert [request.method for request in org.requests][-1] == "PATCH"


def test_an_unreachable_host_is_named_with_its_setting(
    monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    import json

    connection = json.loads(org.connection_json()) | {"host": "http://127.0.0.1:9"}
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", json.dumps(connection))
    with pytest.raises(TransportError, match=r"127\.0\.0\.1:9 refuses the connection .* Check Login URL"):
        run_to_end(extract(tmp_path), context)


BAD_INPUT = [
    ({"sobject": "Accout"}, "sobject: 'Accout' does not exist"),
    ({"fields": ["Id", "Nmae"]}, "has no field Nmae (did you mean Name?)"),
    ({"fields": ["Id", "BillingAddress"]}, "BillingAddress is of the type address, which Bulk API 2.0 cannot return; select BillingStreet"),
    ({"where": "Name ="}, "MALFORMED_QUERY"),
    ({"soql": "SELECT Id"}, "give either sobject or soql"),
    ({"sobject": None, "fields": None, "soql": "SELECT COUNT(Id) FROM Account"}, "Bulk API 2.0 cannot run COUNT(Id); run the query over REST"),
    ({"sobject": None, "fields": None, "soql": "SELECT Id, BillingAddress FROM Account"}, "cannot return the compound field BillingAddress of Account"),
    ({"sobject": None, "fields": None, "soql": "SELEC Id FROM Account"}, "MALFORMED_QUERY"),
    ({"sobject": None, "fields": None, "soql": "SELECT Id, Nope FROM Account"}, "INVALID_FIELD"),
    ({"file_format": "xlsx"}, "file_format: 'xlsx' is not one of"),
    ({"incremental": "yes"}, "incremental: 'yes' is neither"),
    # Before Airflow 3.3 the watermark needs no inlet.
    *(
        [({"incremental": "watermark"}, 'inlets=[Asset(uri="salesforce://salesforce_jwt_default/Account")]')]
        if has_state_stores()
        else []
    ),
    ({"incremental": "data_interval", "cursor_field": "Name"}, "cursor_field: Account.Name is a string field"),
    ({"parallel_pages": 0, "compression": "zip"}, "parallel_pages: must be at least 1"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT, ids=[message for _, message in BAD_INPUT])
def test_bad_input_is_named_and_not_retried(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    from datetime import datetime, timezone

    context |= {
        "data_interval_start": datetime(2026, 11, 3, tzinfo=timezone.utc),
        "data_interval_end": datetime(2026, 11, 4, tzinfo=timezone.utc),
    }
    with pytest.raises(AirflowFailException, match=re.escape(message)):
        run_to_end(extract(tmp_path, **arguments), context)
    assert published(tmp_path) == []
    assert not org.jobs


def test_an_unwritable_folder_is_named_before_salesforce_works(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(AirflowFailException, match="output_path: .* cannot be written"):
        run_to_end(extract(tmp_path / "file" / "below"), context)
    assert not org.jobs


@pytest.mark.skipif(not has_state_stores(), reason="Airflow has retry policies since 3.3")
def test_the_operator_takes_an_authors_retry_policy_seriously(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    from airflow.sdk import ExceptionRetryPolicy

    from airflow_provider_sfjwt.exceptions import ConfigurationError

    operator: SalesforceExtractOperator = extract(
        tmp_path, sobject="Accout", retry_policy=ExceptionRetryPolicy(rules=[])
    )
    with pytest.raises(ConfigurationError):
        run_to_end(operator, context)


def killed_while_waiting(org: SimulatedOrg, context: dict[str, Any], path: Path, **arguments: Any) -> str:
    """A first try that ends while its job is still running; the job is done a moment later."""
    org.add_fault(Fault(method="GET", path=JOB, times=None, edit_json=with_changes(state="InProgress")))
    operator = extract(path, **arguments)
    operator.timeout = 0.05
    with pytest.raises(BulkJobTimeoutError):
        operator.execute(context)
    org.clear_faults()
    context["task_state_store"].values["salesforce_bulk_job"]["created_at"] += 3600
    [job_id] = org.jobs
    return job_id


CHANGES = [
    ({"include_deleted": True}, 1000),
    ({"where": "Name < 'Account 5'"}, None),
    ({"fields": ["Id"]}, 1000),
    ({"incremental": "data_interval"}, 100),
]


@pytest.mark.parametrize(("change", "records"), CHANGES, ids=[str(change) for change, _ in CHANGES])
def test_a_task_that_asks_for_something_else_does_not_take_the_oldwith_changes(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, change: dict[str, Any], records: int | None
) -> None:
    from datetime import datetime, timezone

    context |= {
        "data_interval_start": datetime(2026, 11, 3, tzinfo=timezone.utc),
        "data_interval_end": datetime(2026, 11, 4, tzinfo=timezone.utc),
    }
    first = killed_while_waiting(org, context, tmp_path)
    result = run_to_end(extract(tmp_path, **change), context)
    assert result["job_id"] != first
    assert records is None or result["records"] == records


def test_a_task_changed_while_it_was_deferred_starts_anew(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    from tests.operators.airflow_run import event_of

    with pytest.raises(TaskDeferred) as deferred:
        extract(tmp_path, deferrable=True).execute(context)
    event = event_of(deferred.value.trigger)
    changed = extract(tmp_path, deferrable=False, fields=["Id"])
    result = changed.execute_complete(context, event=event, **deferred.value.kwargs)
    assert result["job_id"] != event["job_id"]
    assert [column["name"] for column in receipt_of(tmp_path)["columns"]] == ["Id"]


def test_a_deferred_watermark_keeps_its_window_without_the_store(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    from airflow.sdk import Asset
    from airflow.sdk.exceptions import TaskDeferred

    from tests.operators.airflow_run import StateStore, event_of

    accounts = Asset(uri="salesforce://salesforce_jwt_default/Account")
    context["asset_state_store"] = {accounts: StateStore()}
    operator = extract(tmp_path, deferrable=True, incremental="watermark", outlets=[accounts], transport="bulk")
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    submitted = deferred.value.kwargs["submitted"]
    context["task_state_store"].values.clear()
    org.clock_offset = 500
    event = event_of(deferred.value.trigger)
    result = operator.execute_complete(context, event=event, submitted=submitted)
    assert (result["window"], result["job_id"]) == (submitted["window"], submitted["job_id"])


def test_a_failure_behind_the_commit_point_loses_nothing(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    run_to_end(extract(tmp_path), context)
    [old_part, *_] = sorted(tmp_path.glob("part-*"))
    old_part.unlink()
    old_part.mkdir()  # a part of the old data set that cannot be removed
    result = run_to_end(extract(tmp_path), context)
    assert len(rows_of(tmp_path)) == 1000
    assert all((tmp_path / part["name"]).is_file() for part in receipt_of(tmp_path)["parts"])
    assert result["records"] == 1000


def test_a_try_that_broke_off_behind_the_commit_point_is_finished_and_checked(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    killed_while_waiting(org, context, tmp_path)
    memory = dict(context["task_state_store"].values)
    first = run_to_end(extract(tmp_path), context)
    context["task_state_store"].values |= memory  # the try was killed before it forgot its job
    assert run_to_end(extract(tmp_path), context) == first
    next(tmp_path.glob("part-*")).unlink()
    context["task_state_store"].values |= memory
    assert run_to_end(extract(tmp_path), context)["records"] == 1000
    assert len(rows_of(tmp_path)) == 1000


def test_a_job_of_long_ago_is_not_published_as_todays(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    first = killed_while_waiting(org, context, tmp_path)
    context["task_state_store"].values["salesforce_bulk_job"]["created_at"] -= 7 * 86_400
    assert run_to_end(extract(tmp_path), context)["job_id"] != first


def test_a_deferral_that_lost_all_but_its_event_still_publishes_thatwith_changes(
    org: SimulatedOrg, tmp_path: Path
) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    from tests.operators.airflow_run import event_of

    with pytest.raises(TaskDeferred) as deferred:
        extract(tmp_path, deferrable=True).execute({})
    result = extract(tmp_path, deferrable=True).execute_complete({}, event=event_of(deferred.value.trigger))
    assert [result["job_id"]] == list(org.jobs)
    assert len(rows_of(tmp_path)) == 1000
