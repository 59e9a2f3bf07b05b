"""Runs of a sync: another DAG, another order, two at once, a cleared one, a backfill beside, and few API calls left."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from airflow_provider_sfjwt.exceptions import RequestLimitError, SalesforceError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.sync.syncs import OBJECTS, Syncs, task


def test_a_renamed_dag_with_reordered_objects_extracts_only_what_is_new(syncs: Syncs) -> None:
    syncs.run(OBJECTS, of=task("r1", "crm", "sync"))
    syncs.change("Contact", 4)
    report = syncs.run(OBJECTS[::-1], of=task("r2", "salesforce_hourly", "everything.in_step"))
    assert {each.sobject: each.records for each in report.outcomes} == {"Account": 0, "Contact": 4, "Case": 0}


def test_a_cleared_run_asks_for_nothing_again(syncs: Syncs) -> None:
    first = syncs.run(of=task())
    syncs.change("Account", 5)
    states = {name: syncs.state(name) for name in OBJECTS}
    calls = syncs.calls(lambda: syncs.run(of=task()))
    assert calls == []
    assert {name: syncs.state(name) for name in OBJECTS} == states
    assert syncs.run(of=task()).receipts == first.receipts
    assert syncs.run(of=task("the next one")).records == 5


def test_a_cleared_run_that_a_later_one_has_passed_changes_nothing(syncs: Syncs) -> None:
    syncs.run(of=task("r1"))
    syncs.change("Account", 5)
    syncs.run(of=task("r2"))
    states = {name: syncs.state(name) for name in OBJECTS}
    assert {each.status for each in syncs.run(of=task("r1")).outcomes} == {"done"}
    assert {name: syncs.state(name) for name in OBJECTS} == states


def test_a_backfill_beside_it_has_no_part_in_the_chain(syncs: Syncs, tmp_path: Path) -> None:
    syncs.run()
    syncs.change("Account", 3)
    window = ("1999-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
    backfill = SalesforceJwtHook().extract(sobject="Account", output_path=f"file://{tmp_path}/backfill", window=window)
    assert (backfill.records, backfill.sequence) == (25, None)
    assert syncs.run(["Account"]).records == 3


def test_of_two_runs_at_once_the_second_is_refused_by_name(org: SimulatedOrg, syncs: Syncs) -> None:
    syncs.run()
    syncs.change("Account", 2)
    org.add_fault(Fault(path="*/queryAll*", delay=1.5))
    first = threading.Thread(target=lambda: syncs.run(of=task("r1")))
    before = len(org.requests)
    first.start()
    while not any("queryAll" in request.path for request in org.requests[before:]):
        first.join(0.01)
    with pytest.raises(SalesforceError, match=r"run r1 of Dag dag \('sync'\) has been writing") as refused:
        syncs.run(of=task("r2"))
    first.join()
    assert refused.value.retryable
    assert [each["sequence"] for each in syncs.chain("Account")] == [1, 2]
    assert syncs.run(of=task("r2")).records == 0


def test_api_calls_are_left_to_others_over_the_whole_run(org: SimulatedOrg, syncs: Syncs) -> None:
    org.daily_api_requests = org.api_calls + 9
    error = syncs.failing(min_api_calls_left=5, threads=1)
    assert error.retryable
    assert 0 < len(error.failed) < 3
    assert all("min_api_calls_left=5" in said for said in error.failed.values())
    assert org.daily_api_requests - org.api_calls == 4  # at least five were left before the last call
    with pytest.raises(RequestLimitError):
        syncs.run(min_api_calls_left=50)


def test_the_biggest_come_first(syncs: Syncs) -> None:
    syncs.run(["Case", "Account", "Contact"])
    syncs.change("Account", 1)
    before = len(syncs.org.requests)
    syncs.run(["Case", "Account", "Contact"], threads=1)
    queries = [request.query for request in syncs.org.requests[before:] if request.path.endswith("/queryAll")]
    asked = [query.partition("+FROM+")[2].partition("+")[0] for query in queries]
    assert asked == ["Contact", "Account", "Case"]  # 30, 25 and no rows last time


def test_an_object_without_a_date_that_moves_is_extracted_whole(org: SimulatedOrg, syncs: Syncs) -> None:
    hidden = ("SystemModstamp", "LastModifiedDate")

    def without(answer: dict[str, object]) -> dict[str, object]:
        fields = [each for each in answer["fields"] if each["name"] not in hidden]  # type: ignore[attr-defined,index]
        return {**answer, "fields": fields}

    org.add_fault(Fault(path="*/Account/describe", times=None, edit_json=without))
    syncs.run(["Account"], of=task("r1"))
    syncs.change("Account", 2)
    report = syncs.run(["Account"], of=task("r2"))
    assert report.records == 25
    assert [(each["kind"], each["window"], each["sequence"]) for each in syncs.chain("Account")] == [
        ("full", None, 1),
        ("full", None, 2),
    ]
    assert syncs.calls(lambda: syncs.run(["Account"], of=task("r2"))) == []


def test_a_large_window_becomes_a_job_in_the_same_call(org: SimulatedOrg, syncs: Syncs) -> None:
    org.rest_page_size = 10
    report = syncs.run(rest_rows=27)
    assert {each.sobject: each.transport for each in report.outcomes} == {
        "Account": "rest",
        "Contact": "bulk",
        "Case": "rest",
    }


def test_an_object_that_bulk_api_refuses_is_read_over_rest_from_then_on(org: SimulatedOrg, syncs: Syncs) -> None:
    org.rest_page_size = 2
    syncs.run(["CaseStatus"], rest_rows=1)
    assert syncs.state("CaseStatus")["only_rest"]
    assert [request.path for request in org.requests if "/jobs/" in request.path] != []


def test_a_first_window_that_is_known_to_be_large_asks_no_first_page(org: SimulatedOrg, syncs: Syncs) -> None:
    org.rest_page_size = 10
    calls = syncs.calls(lambda: syncs.run(["Contact", "Case"], rest_rows=27))
    assert sum(path.endswith("/queryAll") for path in calls) == 1  # of Case
    assert sum("recordCount" in path for path in calls) == 1
    assert syncs.chain("Contact")[0]["transport"] == "bulk"
    assert "recordCount" not in "".join(syncs.calls(lambda: syncs.run(["Contact", "Case"], rest_rows=27)))


def test_an_org_that_does_not_count_asks_the_first_page(org: SimulatedOrg, syncs: Syncs) -> None:
    org.rest_page_size = 10
    org.add_fault(Fault(path="*/limits/recordCount*", status=404))
    calls = syncs.calls(lambda: syncs.run(["Contact", "Case"], rest_rows=27))
    assert sum(path.endswith("/queryAll") for path in calls) == 2
    assert syncs.chain("Contact")[0]["transport"] == "bulk"
