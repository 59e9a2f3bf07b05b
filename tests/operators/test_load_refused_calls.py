"""Calls over REST that Salesforce refuses as a whole: the rows at fault are found, and the others are saved."""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import RecordsFailedError
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import COLLECTIONS, report_in, results_in, task

NAME = "Visit__c"
#: A number to Java, which the check leaves to Salesforce. The simulated org refuses it.
JAVA_NUMBER = "1.5d"


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    with SimulatedOrg(records={}, bulk_polls=0, private_key=private_key) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        running.define_object(
            NAME,
            [
                Field("Key__c", length=40, external_id=True, unique=True),
                Field("Score__c", "double"),
            ],
        )
        yield running


def visits(count: int, bad: Container[int] = ()) -> list[dict[str, Any]]:
    """Rows, some of them with a number that the org refuses."""
    scores = (JAVA_NUMBER if place in bad else "1.5" for place in range(count))
    return [{"Key__c": f"k{place:04d}", "Score__c": score} for place, score in enumerate(scores)]


def load(context: dict[str, Any], rows: list[dict[str, Any]], folder: Path, **arguments: Any) -> Any:
    wanted = {
        "transport": "rest",
        "part_bytes": 24 * 2**20,
        "max_failed_ratio": 1.0,
        "results_path": f"file://{folder}/results",
        "deferrable": False,
        **arguments,
    }
    return run_to_end(task(NAME, rows, **wanted), context)


def keys(org: SimulatedOrg) -> list[str]:
    return sorted(row["Key__c"] for row in org.rows(NAME) if not row["IsDeleted"])


def calls(org: SimulatedOrg) -> int:
    return sum("/composite/sobjects" in request.path for request in org.requests)


def prepared(org: SimulatedOrg, operation: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as the operation takes them; what it changes is there before."""
    if operation == "insert":
        return rows
    ids = org.insert(NAME, [{"Key__c": row["Key__c"], "Score__c": 0} for row in rows])
    return rows if operation == "upsert" else [{"Id": key, **row} for key, row in zip(ids, rows, strict=True)]


@pytest.mark.parametrize("operation", ["insert", "update", "upsert"])
@pytest.mark.parametrize("bad", [{0}, {137}, {199}, {3, 4, 150}], ids=str)
def test_both_ways_refuse_the_same_rows_and_save_the_others(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, operation: str, bad: set[int]
) -> None:
    arguments = {"operation": operation, **({"external_id_field": "Key__c"} if operation == "upsert" else {})}
    outcomes = []
    for transport in ("rest", "bulk"):
        rows = prepared(org, operation, visits(200, bad))
        before = calls(org)
        load(context, rows, tmp_path / transport, transport=transport, **arguments)
        if transport == "rest":
            assert calls(org) - before <= 1 + 16 * len(bad)
        told = results_in(tmp_path / transport / "results", "failed")
        assert {int(row["row"]) - 1 for row in told} == bad
        assert all(JAVA_NUMBER in row["error_message"] for row in told)
        scores = {row["Key__c"]: row["Score__c"] for row in org.rows(NAME) if not row["IsDeleted"]}
        assert sum(float(score or 0) == 1.5 for score in scores.values()) == 200 - len(bad)
        outcomes.append((scores, report_in(tmp_path / transport / "results")["counts"]))
        for row in list(org.rows(NAME)):
            org.update(NAME, row["Id"], {"Key__c": None})
            org.delete(NAME, row["Id"])
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][1]["succeeded"] == 200 - len(bad)


def test_a_row_that_is_refused_is_told_by_its_own_error(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(AirflowFailException, match="1 of 40 rows") as caught:
        load(context, visits(40, {17}), tmp_path, max_failed_ratio=None)
    assert isinstance(caught.value.__context__, RecordsFailedError)
    sample = report_in(tmp_path / "results")["errors_by_code"]["JSON_PARSER_ERROR"]
    assert (sample["count"], sample["sample"]["row"]) == (1, 18)
    assert sample["sample"]["message"].startswith(
        f"Cannot deserialize instance of double from VALUE_STRING value {JAVA_NUMBER}"
    )
    assert len(keys(org)) == 39


def test_where_all_rows_are_refused_the_calls_are_bounded(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    rows = visits(1000, {*range(200), 250, *range(400, 600)})
    load(context, rows, tmp_path)
    assert calls(org) == 399 + 4
    told = results_in(tmp_path / "results", "failed")
    assert report_in(tmp_path / "results")["counts"]["succeeded"] == len(keys(org)) == 400
    alone = [row for row in told if "refused together" not in row["error_message"]]
    assert [int(row["row"]) for row in alone] == list(range(1, 201))
    assert {int(row["row"]) for row in told} == {*range(1, 601)}
    assert {"one of 200 rows" in row["error_message"] for row in told[200:]} == {True}


def test_an_insert_of_which_nothing_was_saved_begins_anew(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(AirflowFailException, match="JSON_PARSER_ERROR"):
        load(context, visits(4, range(4)), tmp_path, max_failed_ratio=None)
    load(context, visits(4), tmp_path)
    assert len(keys(org)) == 4


@pytest.mark.parametrize("retry", ["rest", "bulk", "auto"])
def test_an_insert_of_which_some_was_saved_does_not_begin_anew(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, retry: str
) -> None:
    with pytest.raises(AirflowFailException, match="JSON_PARSER_ERROR"):
        load(context, visits(24, {23}), tmp_path, max_failed_ratio=None, part_bytes=1000)
    assert len(keys(org)) == 23
    with pytest.raises(AirflowFailException, match="began to insert these rows over REST"):
        load(context, visits(24), tmp_path, part_bytes=1000, transport=retry)
    assert len(keys(org)) == 23


@pytest.mark.parametrize("nth", [2, 3, 5])
def test_a_lost_answer_among_refused_calls_ends_an_insert(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, nth: int
) -> None:
    org.add_fault(Fault("POST", COLLECTIONS, nth, None, lose_answer=True))
    with pytest.raises(AirflowFailException, match="answer to an insert of .* was lost"):
        load(context, visits(100, {60}), tmp_path)
    sent = calls(org)
    assert len(keys(org)) == len(set(keys(org)))
    org.clear_faults()
    with pytest.raises(AirflowFailException, match="began to insert these rows over REST"):
        load(context, visits(100), tmp_path)
    assert calls(org) == sent


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b"<html>no</html>"),
        (403, b'[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]'),
        (404, b'[{"errorCode":"NOT_FOUND","message":"no"}]'),
    ],
)
def test_what_is_no_fault_of_a_row_ends_the_load_at_once(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, status: int, body: bytes
) -> None:
    org.add_fault(Fault("POST", COLLECTIONS, times=None, status=status, body=body))
    with pytest.raises(AirflowFailException, match=f"answered {status}"):
        load(context, visits(50), tmp_path)
    assert calls(org) == 1
    org.clear_faults()
    load(context, visits(50), tmp_path)
    assert len(keys(org)) == 50


def test_numbers_that_only_java_reads_are_judged_by_salesforce(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    scores = ("1.5", "2.5d", "1e999")
    rows = [{**row, "Score__c": score} for row, score in zip(visits(3), scores, strict=True)]
    result = load(context, rows, tmp_path)
    assert result["counts"]["failed"] == 2
    assert keys(org) == ["k0000"]


def test_an_id_of_another_object_is_a_fault_of_its_row(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    ids = org.insert(NAME, visits(9))
    rows = [{"Id": key} for key in (*ids[:5], "zzz000000000001AAA", *ids[5:])]
    result = load(context, rows, tmp_path, operation="delete")
    assert result["counts"] == {"read": 10, "sent": 10, "succeeded": 9, "failed": 1, "unprocessed": 0}
    assert keys(org) == []
