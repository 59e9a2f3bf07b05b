"""One big object over several tasks: the receipt of one task, retries alone, and nothing that is left running."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from airflow.sdk import DAG, Asset, AssetAlias
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import ApiError, BulkJobTimeoutError, ConfigurationError, SalesforceError
from airflow_provider_sfjwt.operators.sync import SalesforcePartitionedExtract
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import StateStore, run_to_end
from tests.operators.extract_task import ACCOUNTS, JOB, RESULTS, WAYS, extract, published, receipt_of, rows_of
from tests.operators.shared_group import START, SharedGroup
from tests.repository import REPOSITORY

pytestmark = pytest.mark.usefixtures("no_waiting")

TEMPLATED = ("1999-01-01T00:00:00Z", "{{ data_interval_end }}")


def calls_made(org: SimulatedOrg) -> int:
    """What Salesforce counts: everything but the list of versions, refused calls included."""
    return sum(request.path.startswith("/services/data/v") for request in org.requests)


def pages_fetched(org: SimulatedOrg) -> int:
    return sum("/results" in request.path for request in org.requests)


def is_whole(path: Path, org: SimulatedOrg) -> bool:
    """Whether the folder holds each row once, and no other file than the receipt's."""
    receipt = receipt_of(path)
    names = sorted(["_receipt.json", *(part["name"] for part in receipt["parts"])])
    ids = [row["Id"] for row in rows_of(path)]
    return published(path) == names and sorted(ids) == sorted(str(row["Id"]) for row in org.rows("Account"))


def test_the_tasks_and_their_order(tmp_path: Path) -> None:
    tasks = {task.task_id: sorted(task.downstream_task_ids) for task in SharedGroup(tmp_path).dag.tasks}
    assert tasks == {
        "big.plan": ["big.abort", "big.commit", "big.fetch"],
        "big.fetch": ["big.commit"],
        "big.commit": [],
        "big.abort": [],
    }
    assert SharedGroup(tmp_path).task("abort").is_teardown  # a Dag does not fail with it, and what follows needs commit


@WAYS
def test_the_receipt_is_that_of_one_task(org: SimulatedOrg, tmp_path: Path, deferrable: bool) -> None:
    run_to_end(extract(tmp_path / "one", transport="bulk"), {})
    calls_before = calls_made(org)
    group = SharedGroup(tmp_path / "shared", deferrable=deferrable)
    result = group.run()
    one, shared = receipt_of(tmp_path / "one"), receipt_of(tmp_path / "shared")
    assert [len(share["pages"]) for share in group.shared["plan"]] == [1, 1, 2]
    assert shared["written_by"] == {"dag_id": "dag", "run_id": "run", "task_id": "big", "map_index": -1}
    assert shared["api_calls"] == calls_made(org) - calls_before
    for receipt in (one, shared):
        for name in ("seconds", "api_calls", "written_by"):
            receipt.pop(name, None)
    text = json.dumps(shared).replace(shared["job_id"], one["job_id"])
    assert json.loads(text) == one
    assert result["records"] == len(org.rows("Account"))
    assert is_whole(tmp_path / "shared", org)


def test_a_share_that_fails_is_retried_alone_and_keeps_its_pages(org: SimulatedOrg, tmp_path: Path) -> None:
    group = SharedGroup(tmp_path, shares=2, parallel_pages=1)
    assert [len(share["pages"]) for share in group.plan()] == [2, 2]
    group.fetch(0)
    org.add_fault(Fault(method="GET", path=RESULTS, nth=2, times=None, status=503))
    with pytest.raises(ApiError, match="A retry of this task alone goes on") as caught:
        group.fetch(1)
    assert caught.value.retryable
    org.clear_faults()
    before = pages_fetched(org)
    assert group.fetch(1)["pages"] == 2
    assert pages_fetched(org) == before + 1
    group.commit()
    assert pages_fetched(org) == before + 1
    assert receipt_of(tmp_path)["api_calls"] == calls_made(org)  # those of the failed attempt too
    assert (is_whole(tmp_path, org), len(org.jobs)) == (True, 1)


def test_a_share_that_two_attempts_fetch_at_once_loses_nothing(org: SimulatedOrg, tmp_path: Path) -> None:
    group = SharedGroup(tmp_path)
    shares = len(group.plan())
    org.add_fault(Fault(method="GET", path=RESULTS, times=None, delay=0.05))
    threads = [threading.Thread(target=group.fetch, args=(share,)) for share in (*range(shares), 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    group.commit()
    assert is_whole(tmp_path, org)


def test_a_page_that_is_gone_is_fetched_by_the_commit(org: SimulatedOrg, tmp_path: Path) -> None:
    group = SharedGroup(tmp_path)
    for share in range(len(group.plan())):
        group.fetch(share)
    next(tmp_path.glob("part-00002-*")).unlink()
    group.commit()
    assert is_whole(tmp_path, org)


@pytest.mark.parametrize("task", ["fetch", "commit"])
def test_a_job_that_has_expired_says_what_to_do(org: SimulatedOrg, tmp_path: Path, task: str) -> None:
    group = SharedGroup(tmp_path)
    group.plan()
    for share in range(3 if task == "commit" else 0):
        group.fetch(share)
    path = JOB if task == "commit" else RESULTS
    org.add_fault(Fault(method="GET", path=path, times=None, status=404))
    with pytest.raises(
        AirflowFailException, match=r"is gone: Salesforce keeps results for 7 days\. Clear all tasks of"
    ):
        group.fetch(0) if task == "fetch" else group.commit()
    org.clear_faults()
    assert group.run()["records"] == len(org.rows("Account"))  # all of the group cleared
    assert (is_whole(tmp_path, org), len(org.jobs)) == (True, 2)


def test_a_cleared_commit_leaves_what_it_published(org: SimulatedOrg, tmp_path: Path) -> None:
    group = SharedGroup(tmp_path)
    first = group.run()
    before = calls_made(org), (tmp_path / "_receipt.json").read_text()
    assert group.commit() == first
    assert (calls_made(org), (tmp_path / "_receipt.json").read_text()) == before
    with pytest.raises(AirflowFailException, match="published since: clear all tasks of the group"):
        group.fetch(0)
    assert is_whole(tmp_path, org)


def test_a_worker_with_another_folder_of_that_name_is_refused(org: SimulatedOrg, tmp_path: Path) -> None:
    group = SharedGroup(tmp_path / "here")
    group.plan()
    with pytest.raises(AirflowFailException, match=r"output_path: .* has no _job-750\w+\.json here"):
        group.fetch(0, output_path=f"file://{tmp_path}/there")
    assert not (tmp_path / "there").exists()


def test_killed_while_it_waits_leaves_no_job(org: SimulatedOrg, tmp_path: Path) -> None:
    org.bulk_polls = 10**6
    group = SharedGroup(tmp_path, deferrable=False, poll_interval=0.01)
    plan = group.task("plan")

    def killed(answer: Any) -> Any:
        plan.on_kill()
        return answer

    org.add_fault(Fault(method="GET", path=JOB, nth=2, edit_json=killed))
    with pytest.raises(SalesforceError, match="aborted"):
        plan.execute(group.context("plan"))
    assert [job["state"] for job in org.jobs.values()] == ["Aborted"]


def test_the_job_of_a_plan_that_is_lost_for_good_is_aborted(org: SimulatedOrg, tmp_path: Path) -> None:
    org.bulk_polls = 10**6
    group = SharedGroup(tmp_path, deferrable=False, poll_interval=0.01, timeout=0.05)
    with pytest.raises(BulkJobTimeoutError):
        group.plan()
    [(job_id, job)] = org.jobs.items()
    assert job["state"] != "Aborted"  # a retry would come back to it
    assert group.abort() == [job_id]
    assert [job["state"] for job in org.jobs.values()] == ["Aborted"]


def test_after_a_good_plan_there_is_nothing_to_abort(org: SimulatedOrg, tmp_path: Path) -> None:
    group = SharedGroup(tmp_path)
    group.plan()
    before = len(org.requests)
    assert group.abort() == []
    assert len(org.requests) == before


def test_a_share_that_needs_wider_columns_makes_all_pages_wider(org: SimulatedOrg, tmp_path: Path) -> None:
    huge = str(org.rows("Account")[-1]["Id"])
    org.update("Account", huge, {"AnnualRevenue": 10**25})
    group = SharedGroup(tmp_path, file_format="parquet")
    group.run()
    receipt = receipt_of(tmp_path)
    assert receipt["widened"] == ["AnnualRevenue"]
    assert receipt["records"] == len(org.rows("Account"))


def test_no_rows_make_a_data_set_without_rows(org: SimulatedOrg, tmp_path: Path) -> None:
    group = SharedGroup(tmp_path, where="Name = 'nobody'")
    assert group.run()["records"] == 0


def test_rows_in_ranges_make_one_receipt(org: SimulatedOrg, tmp_path: Path) -> None:
    for year in (2021, 2022, 2024, 2025):
        created = datetime(year, 1, 1, tzinfo=timezone.utc)
        org.insert("Account", [{"Name": f"of {year}", "CreatedDate": created, "SystemModstamp": created}])
    late = datetime(2026, 11, 25, tzinfo=timezone.utc)
    org.insert("Account", [{"Name": "later", "CreatedDate": late, "SystemModstamp": late}])
    window = ("1999-01-01T00:00:00Z", "2026-11-20T00:00:00Z")
    group = SharedGroup(tmp_path, ranges=["2022-01-01T00:00:00Z", "2025-01-01T00:00:00Z"], window=window)
    result = group.run()
    receipt = receipt_of(tmp_path)
    assert [(job["id"], job["records"]) for job in receipt["jobs"]] == list(zip(org.jobs, (1001, 2, 1), strict=True))
    said = [job["soql"].partition("CreatedDate")[2] for job in receipt["jobs"]]
    assert said == [
        " < 2022-01-01T00:00:00Z",
        " >= 2022-01-01T00:00:00Z AND CreatedDate < 2025-01-01T00:00:00Z",
        " >= 2025-01-01T00:00:00Z",
    ]
    assert "CreatedDate" not in receipt["soql"]
    jsonschema.validate(receipt, json.loads((REPOSITORY / "docs/receipt.schema.json").read_text(encoding="utf-8")))
    assert (result["job_id"], result["records"], receipt["window"][0]) == (None, 1004, "1999-01-01T00:00:00+00:00")
    assert receipt["api_calls"] == calls_made(org)
    ids = [row["Id"] for row in rows_of(tmp_path)]
    assert sorted(ids) == sorted(str(row["Id"]) for row in org.rows("Account") if row["Name"] != "later")
    assert group.commit() == result  # cleared


def test_of_several_jobs_each_must_be_whole(org: SimulatedOrg, tmp_path: Path) -> None:
    group = SharedGroup(
        tmp_path, ranges=["2020-01-01T00:00:00Z"], window=("1999-01-01T00:00:00Z", "2026-11-20T00:00:00Z")
    )
    for plan in ("range_1.plan", "range_2.plan"):
        for share in range(len(group.plan(plan))):
            group.fetch(share, plan)
    counts = iter((1, -1))  # the sum is right

    def other(answer: Any) -> Any:
        return {**answer, "numberRecordsProcessed": answer["numberRecordsProcessed"] + next(counts)}

    org.add_fault(Fault(method="GET", path=JOB, times=2, edit_json=other))
    with pytest.raises(AirflowFailException, match="is not complete"):
        group.commit()
    assert published(tmp_path) == []


def test_the_watermark_is_the_groups(org: SimulatedOrg, tmp_path: Path) -> None:
    store = StateStore()
    states: dict[Any, Any] = {ACCOUNTS: store}
    org.clock_offset = 2
    for number, rows in ((1, 1000), (2, 1)):
        group = SharedGroup(tmp_path / str(number), incremental="watermark", inlets=[ACCOUNTS])
        for share in range(len(group.plan(run_id=str(number), asset_state_store=states))):
            group.fetch(share)
        result = group.commit(run_id=str(number), asset_state_store=states)
        assert result["records"] == rows
        assert store.values["watermark.dag.big.SystemModstamp"]["reached"] == result["window"][1]
        org.insert("Account", [{"Name": "new"}])
        org.clock_offset += 4


def test_a_warning_says_that_one_task_would_do_and_why(
    org: SimulatedOrg, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    SharedGroup(tmp_path).plan()
    said = capsys.readouterr().out
    assert "One task would do: 1,000 rows of 4 columns in 4 pages are about 0.1 MB of CSV" in said
    assert "file system of this machine" not in said
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor,CeleryExecutor")
    SharedGroup(tmp_path).plan()
    assert "file system of this machine, and the executor is LocalExecutor,CeleryExecutor" in capsys.readouterr().out


def test_an_org_that_does_not_list_the_pages_is_refused(org: SimulatedOrg, tmp_path: Path) -> None:
    org.add_fault(Fault(method="GET", path="*/resultPages", status=404))
    with pytest.raises(AirflowFailException, match=r"api_version: the org does not list the result pages"):
        SharedGroup(tmp_path).plan()


@pytest.mark.parametrize("shares", [0, 1001, "8", True])
def test_shares_are_checked_before_anything_is_asked(org: SimulatedOrg, tmp_path: Path, shares: Any) -> None:
    with pytest.raises(AirflowFailException, match="shares: must be"):
        SharedGroup(tmp_path, shares=shares).plan()
    assert not org.requests


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "transport": ({"transport": "rest"}, "transport: a group shares the pages of Bulk API 2.0 jobs"),
    "ranges as text": ({"ranges": "2020-01-01T00:00:00Z"}, "ranges: must be a list of moments"),
    "no ranges": ({"ranges": []}, "ranges: must be a list of moments, at least one"),
    "a range without a zone": ({"ranges": ["2020-01-01T00:00:00"]}, "ranges: holds a moment without a time zone"),
    "no moment": ({"ranges": ["soon"]}, "ranges: must hold moments"),
    "ranges in disorder": ({"ranges": ["2021-01-01T00:00:00Z", "2020-01-01T00:00:00Z"]}, "ranges: must be in order"),
    "ranges without an end": ({"ranges": ["2021-01-01T00:00:00Z"]}, "ranges: needs one end for all jobs: give window"),
    "ranges of a watermark": (
        {"ranges": ["2021-01-01T00:00:00Z"], "incremental": "watermark"},
        "ranges: needs one end for all jobs",
    ),
    "ranges of a query": (
        {"ranges": ["2021-01-01T00:00:00Z"], "soql": "SELECT Id FROM Account", "window": TEMPLATED},
        "ranges: needs sobject",
    ),
    "an asset that is emitted anyway": ({"outlets": [ACCOUNTS], "emit_empty": False}, "outlets: set outlets="),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_decides_which_tasks_there_are_is_refused_when_it_is_parsed(tmp_path: Path, case: str) -> None:
    arguments, said = REFUSED[case]
    with pytest.raises(ConfigurationError, match=said):
        SharedGroup(tmp_path, **arguments)


def test_two_groups_have_a_folder_each(org: SimulatedOrg, tmp_path: Path) -> None:
    SharedGroup(tmp_path).run()
    with DAG("dag", schedule=None, start_date=START) as dag:
        SalesforcePartitionedExtract("other", sobject="Account", output_path=f"file://{tmp_path}")
    group = SharedGroup(tmp_path)
    group.dag = dag
    with pytest.raises(AirflowFailException, match="holds what task 'big' extracted in this same DAG run"):
        run_to_end(dag.get_task("other.plan"), group.context("plan"))


def test_an_event_of_the_object_that_was_published(org: SimulatedOrg, tmp_path: Path) -> None:
    added: dict[str, Any] = {}

    class Events:
        def __getitem__(self, alias: Any) -> Events:
            return self

        def add(self, asset: Asset, extra: dict[str, Any]) -> None:
            added[asset.uri] = extra

    group = SharedGroup(tmp_path, outlets=[AssetAlias("salesforce")])
    for share in range(len(group.plan())):
        group.fetch(share)
    result = group.commit(outlet_events=Events())
    assert added == {ACCOUNTS.uri: result}


def test_the_commit_alone_reports_and_has_a_lineage(org: SimulatedOrg, tmp_path: Path) -> None:
    group = SharedGroup(tmp_path, parallel_pages=1)
    group.run()
    reports = {task: report for (task, key), report in group.xcoms.items() if key == "salesforce_report"}
    assert list(reports) == ["big.commit"]
    report = reports["big.commit"]
    assert (report["kind"], report["sobject"], report["rows"]) == ("extract", "Account", 1000)
    assert report["api_calls"] == receipt_of(tmp_path)["api_calls"]
    assert [job["id"] for job in report["jobs"]] == list(org.jobs)
    lineage = group.committed.lineage()
    assert [source.name.rpartition("/")[2] for source in lineage.sources] == ["Account"]
    assert [target.name for target in lineage.targets] == [str(tmp_path)]
    assert group.task("plan").lineage().targets == ()


def test_a_share_that_fails_reports_why(org: SimulatedOrg, tmp_path: Path) -> None:
    group = SharedGroup(tmp_path)
    group.plan()
    org.add_fault(Fault(method="GET", path=RESULTS, times=None, status=503))
    with pytest.raises(ApiError):
        group.fetch(0)
    assert group.xcoms["big.fetch", "salesforce_report"]["failure"]
