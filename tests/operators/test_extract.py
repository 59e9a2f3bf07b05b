from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.airflow_run import event_of, run_to_end
from tests.operators.extract_task import FIELDS, extract, receipt_of, rows_of


@pytest.mark.parametrize("deferrable", [False, True])
def test_every_row_arrives_and_the_receipt_proves_it(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, deferrable: bool
) -> None:
    result = run_to_end(extract(tmp_path, deferrable=deferrable), context)
    receipt = receipt_of(tmp_path)
    assert receipt["counts"] == {"written": 1000, "pages": 1000, "job": 1000}
    assert [part["records"] for part in receipt["parts"]] == [300, 300, 300, 100]
    assert {row["Id"] for row in rows_of(tmp_path)} == {row["Id"] for row in org.rows("Account")}
    assert receipt["api_calls"] == org.api_calls
    assert result == {
        "receipt": f"file://{tmp_path}/_receipt.json", "output_path": f"file://{tmp_path}", "records": 1000,
        "job_id": receipt["job_id"], "window": None,
    }  # fmt: skip
    assert context["task_state_store"].values == {}


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])
def test_both_ways_to_wait_give_the_same_bytes(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, file_format: str
) -> None:
    digests = []
    for deferrable in (False, True):
        path = tmp_path / str(deferrable)
        run_to_end(extract(path, deferrable=deferrable, file_format=file_format, fields=None), context)
        digests.append([part["sha256"] for part in receipt_of(path)["parts"]])
    assert digests[0] == digests[1]


@pytest.mark.parametrize("parallel_pages", [1, 3])
def test_pages_keep_their_order(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, parallel_pages: int
) -> None:
    run_to_end(extract(tmp_path, parallel_pages=parallel_pages), context)
    assert [row["Id"] for row in rows_of(tmp_path)] == [row["Id"] for row in org.rows("Account")]


def test_all_fields_means_all_that_bulk_can_return(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    run_to_end(extract(tmp_path, fields=None, file_format="parquet"), context)
    receipt = receipt_of(tmp_path)
    columns = {column["name"]: column for column in receipt["columns"]}
    assert "BillingAddress" not in columns
    assert {"BillingCity", "Name", "SystemModstamp"} <= columns.keys()
    table = pq.read_table(tmp_path / receipt["parts"][0]["name"])
    assert table.column_names == list(columns)


def test_one_run_signs_in_once(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    run_to_end(extract(tmp_path), context)
    assert org.logins == 1


def test_the_interval_decides_the_rows(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    start, end = datetime(2026, 11, 3, tzinfo=timezone.utc), datetime(2026, 11, 4, tzinfo=timezone.utc)
    context |= {"data_interval_start": start, "data_interval_end": end}
    result = run_to_end(extract(tmp_path, incremental="data_interval"), context)
    expected = [row["Id"] for row in org.rows("Account") if start <= row["SystemModstamp"] < end]
    assert sorted(row["Id"] for row in rows_of(tmp_path)) == sorted(expected)
    assert len(expected) == 100
    assert result["window"] == ["2026-11-03T00:00:00+00:00", "2026-11-04T00:00:00+00:00"]


@pytest.mark.parametrize(
    ("interval", "message"),
    [((None, None), "this run has no data interval"), ((datetime(2026, 11, 3, tzinfo=timezone.utc),) * 2, "CronDataIntervalTimetable")],
)  # fmt: skip
def test_an_interval_without_width_is_never_green(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, interval: tuple[Any, Any], message: str
) -> None:
    context |= dict(zip(("data_interval_start", "data_interval_end"), interval, strict=True), dag_run=object())
    with pytest.raises(AirflowFailException, match=message):
        run_to_end(extract(tmp_path, incremental="data_interval"), context)
    assert not org.jobs


def test_the_seconds_count_a_deferral(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    operator = extract(tmp_path, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    submitted = deferred.value.kwargs["submitted"]
    submitted["created_at"] -= 61
    operator.execute_complete(context, event_of(deferred.value.trigger), submitted)
    assert 61 <= receipt_of(tmp_path)["seconds"] < 121


def test_no_rows_are_published_as_no_rows(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    result = run_to_end(extract(tmp_path, where="Name = 'nobody has this name'", file_format="parquet"), context)
    assert result["records"] == 0
    assert pq.read_table(tmp_path / receipt_of(tmp_path)["parts"][0]["name"]).column_names == FIELDS


def test_a_query_may_name_parents(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    soql = "SELECT Id, Owner.Name, AnnualRevenue FROM Account LIMIT 10"
    run_to_end(extract(tmp_path, sobject=None, fields=None, soql=soql), context)
    receipt = receipt_of(tmp_path)
    assert [(each["name"], each["salesforce_type"]) for each in receipt["columns"]] == [
        ("Id", "id"), ("Owner.Name", "string"), ("AnnualRevenue", "currency"),
    ]  # fmt: skip
    assert receipt["soql"] == soql


def test_a_run_too_early_waits_in_the_triggerer_for_late_commits(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger
    from airflow.sdk.exceptions import TaskDeferred

    start, end = datetime(2026, 11, 3, tzinfo=timezone.utc), datetime.now(timezone.utc)
    context |= {"data_interval_start": start, "data_interval_end": end}
    operator = extract(tmp_path, incremental="data_interval", commit_lag=300, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    assert isinstance(deferred.value.trigger, DateTimeTrigger)
    assert 290 < (deferred.value.trigger.moment - end).total_seconds() < 310
    assert not org.jobs
    org.clock_offset = 400
    result = run_to_end(_Resumed(operator), context)
    assert result["records"] == len([row for row in org.rows("Account") if row["SystemModstamp"] >= start])


class _Resumed:
    """The operator as Airflow runs it after the time trigger."""

    def __init__(self, operator: SalesforceExtractOperator) -> None:
        self.execute = operator.execute_after_lag
        self.execute_complete = operator.execute_complete
