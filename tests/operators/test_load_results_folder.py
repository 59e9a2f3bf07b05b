"""The folder of a load's results: not among what is loaded, not an extract's, not another task's."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.files.storage.receipts import Writer
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.load.outcomes.results_folder import ResultsFolder
from airflow_provider_sfjwt.load.report import LoadReport
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import (
    RESULTS,
    counted,
    define_items,
    in_org,
    instance,
    items,
    report_in,
    results_in,
    task,
    write_csv,
)

WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    with SimulatedOrg(records={"Account": 5}, bulk_polls=0, private_key=private_key) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        define_items(running)
        yield running


def intact(folder: Path) -> list[str]:
    """See that every file of the receipt is there as it says; return the ids that were told."""
    for part in report_in(folder)["parts"]:
        assert sha256((folder / part["name"]).read_bytes()).hexdigest() == part["sha256"]
    return [row["sf__Id"] for row in results_in(folder, "succeeded")]


# -- the source ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "results"),
    [
        ("in/*.csv", "in"),
        ("in/*.csv", "in/"),
        ("in/*.csv", "x/../in"),
        ("in/a.csv", "in"),
        ("in/a.csv", ""),  # a folder above
        ("**/*.csv", "results"),
        ("*/*", "results"),
        ("i*/*.csv", "in"),
    ],
)
def test_results_among_the_source_are_refused_at_the_first_try(
    org: SimulatedOrg, tmp_path: Path, source: str, results: str
) -> None:
    (tmp_path / "in").mkdir()
    write_csv(tmp_path / "in/a.csv", items(3))
    arguments = {"results_path": f"file://{tmp_path}/{results}", "file_format": "csv"}
    with pytest.raises(AirflowFailException, match="^results_path: ") as refused:
        run_to_end(task("Item__c", f"file://{tmp_path}/{source}", **arguments), instance())
    assert "a folder of their own" in str(refused.value)
    assert org.jobs == {}


def test_a_linked_folder_is_the_same_folder(org: SimulatedOrg, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    source = write_csv(tmp_path / "in/a.csv", items(3))
    with pytest.raises(AirflowFailException, match="results_path"):
        run_to_end(task("Item__c", source, results_path=f"{tmp_path}/link"), instance())


@pytest.mark.parametrize("results", ["in/results", "inner", "results"])
def test_results_beside_or_below_the_source_are_fine(org: SimulatedOrg, tmp_path: Path, results: str) -> None:
    (tmp_path / "in").mkdir()
    write_csv(tmp_path / "in/a.csv", items(3))
    found = run_to_end(
        task("Item__c", f"file://{tmp_path}/in/*.csv", results_path=f"file://{tmp_path}/{results}"), instance()
    )
    assert found["records"] == 3


# -- an extract ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dry_run", [False, True])
def test_the_folder_of_an_extract_is_refused_and_stays_as_it_is(
    org: SimulatedOrg, tmp_path: Path, dry_run: bool
) -> None:
    SalesforceJwtHook().extract(sobject="Account", output_path=f"file://{tmp_path}", file_format="csv")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    jobs = len(org.jobs)
    with pytest.raises(AirflowFailException, match="results_path: .* holds an extract"):
        run_to_end(task("Item__c", items(3), results_path=f"file://{tmp_path}", dry_run=dry_run), instance())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert len(org.jobs) == jobs


def test_a_receipt_that_is_nobodys_is_not_replaced(org: SimulatedOrg, tmp_path: Path) -> None:
    (tmp_path / "_receipt.json").write_text("my own")
    with pytest.raises(ConfigurationError, match="was not written by a load"):
        ResultsFolder(str(tmp_path)).prepare()
    assert (tmp_path / "_receipt.json").read_text() == "my own"


# -- other loads -----------------------------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize("other", [instance(1), instance(task_id="load_more")], ids=["mapped", "another task"])
def test_two_tasks_of_a_dag_run_do_not_share_a_folder(
    org: SimulatedOrg, tmp_path: Path, other: dict[str, Any], deferrable: bool
) -> None:
    arguments = {"results_path": f"file://{tmp_path}", "deferrable": deferrable}
    run_to_end(task("Item__c", items(3), **arguments), instance(0))
    before, jobs = intact(tmp_path), len(org.jobs)
    wrote = {"dag_id": "dag", "run_id": "run", "task_id": "load", "map_index": 0}
    assert report_in(tmp_path)["written_by"] == wrote
    with pytest.raises(AirflowFailException, match="results of task 'load', map index 0 of the same DAG run") as red:
        run_to_end(task("Item__c", items(6)[3:], **arguments), other)
    assert "{{ ti.map_index }}" in str(red.value)
    assert "{{ ti.task_id }}" in str(red.value)
    assert (intact(tmp_path), len(org.jobs)) == (before, jobs)


@pytest.mark.parametrize("next_one", [instance(0), instance(0, run_id="another run"), {}], ids=["try", "run", "hook"])
def test_the_next_try_and_the_next_run_replace_the_results(
    org: SimulatedOrg, tmp_path: Path, next_one: dict[str, Any]
) -> None:
    run_to_end(task("Item__c", items(3), results_path=f"file://{tmp_path}"), instance(0))
    run_to_end(task("Item__c", items(9)[3:], results_path=f"file://{tmp_path}"), next_one)
    assert len(intact(tmp_path)) == 6
    assert len(list(tmp_path.iterdir())) == 1 + len(report_in(tmp_path)["parts"])
    assert ("written_by" in report_in(tmp_path)) == bool(next_one)


def test_who_publishes_second_is_red_and_its_retry_doubles_no_row(org: SimulatedOrg, tmp_path: Path) -> None:
    folder, context = f"file://{tmp_path}/shared", instance(1)

    def overtaken(answer: Any) -> Any:
        run_to_end(task("Item__c", items(3), results_path=folder), instance(0))
        return answer

    org.add_fault(Fault("GET", RESULTS + "*", edit_body=overtaken))
    with pytest.raises(AirflowFailException, match="3 succeeded") as red:
        run_to_end(task("Item__c", items(6)[3:], results_path=folder), context)
    assert "task 'load', map index 0 wrote its own results" in str(red.value)
    assert len(intact(tmp_path / "shared")) == 3
    assert report_in(tmp_path / "shared")["written_by"]["map_index"] == 0
    with pytest.raises(AirflowFailException, match="stay in Salesforce"):
        run_to_end(task("Item__c", items(6)[3:], results_path=folder), context)
    run_to_end(task("Item__c", items(6)[3:], results_path=f"file://{tmp_path}/own"), context)
    assert len(intact(tmp_path / "own")) == 3
    assert in_org(org) == counted(items(6))


def test_of_loads_at_the_same_time_one_at_most_is_green(org: SimulatedOrg, tmp_path: Path) -> None:
    together = threading.Barrier(3)

    def wait(answer: Any) -> Any:
        together.wait(60)
        return answer

    org.add_fault(Fault("GET", RESULTS + "*", times=3, edit_body=wait))  # every folder is prepared by then

    def load(number: int) -> LoadReport | SalesforceError:
        rows = items(9)[3 * number : 3 * number + 3]
        try:
            return SalesforceJwtHook().load(
                sobject="Item__c", operation="insert", source=rows, results_path=f"{tmp_path}", poll_interval=0.001
            )
        except SalesforceError as error:
            return error

    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(load, range(3)))
    green = [each for each in outcomes if isinstance(each, LoadReport)]
    assert len(green) <= 1
    assert all("3 succeeded" in str(each) for each in outcomes if isinstance(each, SalesforceError))
    if green:
        assert report_in(tmp_path)["parts"][0]["name"] == green[0].parts[0].name
        assert len(intact(tmp_path)) == 3
    assert in_org(org) == counted(items(9))
    assert not list(tmp_path.glob("_publishing-*"))


def published(folder: ResultsFolder, number: int) -> LoadReport:
    import pyarrow as pa

    part = folder.write("succeeded", number, pa.table({"row": ["1"]}))
    counts = {"read": 1, "sent": 1, "succeeded": 1, "failed": 0, "unprocessed": 0}
    report = LoadReport("Account", "insert", (), counts, {}, (), (part,), 1, 1.0, "1", results_path=folder.path)
    folder.publish(report)
    return report


def test_a_load_that_is_just_publishing_stops_the_other_unless_it_died(tmp_path: Path) -> None:
    now = int(time.time())
    folder = ResultsFolder(str(tmp_path))
    folder.prepare()
    (tmp_path / f"_publishing-{now}-0123456789ab").write_text("")
    with pytest.raises(SalesforceError, match="could not be published"):
        published(folder, 0)
    assert not (tmp_path / "_receipt.json").exists()
    (tmp_path / f"_publishing-{now}-0123456789ab").rename(tmp_path / f"_publishing-{now - 400}-0123456789ab")
    published(folder, 0)
    assert sorted(path.name[:10] for path in tmp_path.iterdir()) == ["_receipt.j", "succeeded-"]


def test_a_try_that_was_killed_while_it_published_does_not_stop_the_next_one(tmp_path: Path) -> None:
    task, other = Writer("dag", "run", "load", -1), Writer("dag", "run", "load", 1)
    now = int(time.time())
    claims = {each: f"_publishing-{now}-{ResultsFolder(str(tmp_path), each)._whose}" for each in (task, other)}
    (tmp_path / claims[task]).write_text("")
    again = ResultsFolder(str(tmp_path), task)
    again.prepare()
    published(again, 0)
    assert not (tmp_path / claims[task]).exists()
    (tmp_path / claims[other]).write_text("")
    again.prepare()
    with pytest.raises(SalesforceError, match="could not be published"):
        published(again, 0)


def test_files_that_came_since_then_are_not_removed(tmp_path: Path) -> None:
    first, second = ResultsFolder(str(tmp_path)), ResultsFolder(str(tmp_path))
    first.prepare()
    second.prepare()
    report = published(second, 0)
    with pytest.raises(SalesforceError, match="wrote its own results"):
        published(first, 1)
    assert json.loads((tmp_path / "_receipt.json").read_text())["parts"][0]["name"] == report.parts[0].name
    with (tmp_path / report.parts[0].name).open() as file:
        assert list(csv.DictReader(file)) == [{"row": "1"}]
