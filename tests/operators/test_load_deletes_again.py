"""A delete over REST that is tried again: what an earlier try deleted is done, what others deleted is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import TransportError
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import (
    COLLECTIONS,
    KilledError,
    in_org,
    items,
    report_in,
    results_in,
    task,
)

ROWS = 60


@pytest.fixture
def org(items_org: SimulatedOrg) -> SimulatedOrg:
    return items_org


@pytest.fixture
def ids(org: SimulatedOrg) -> list[str]:
    """Records, the third and the last of which somebody else has deleted."""
    made = org.insert("Item__c", items(ROWS))
    for place in (2, ROWS - 1):
        org.delete("Item__c", made[place])
    return made


def delete(context: dict[str, Any], ids: list[str], folder: Path, **arguments: Any) -> Any:
    wanted = {"operation": "delete", "transport": "rest", "results_path": f"file://{folder}/results", **arguments}
    # All ids make two parts, of 52 and 8.
    return run_to_end(task("Item__c", [{"Id": each} for each in ids], part_bytes=1000, **wanted), context)


def failed_rows(folder: Path) -> list[int]:
    told = results_in(folder / "results", "failed")
    assert {row["error_code"] for row in told} <= {"ENTITY_IS_DELETED"}
    return sorted(int(row["row"]) for row in told)


def test_what_others_deleted_is_told_by_every_try(
    org: SimulatedOrg, context: dict[str, Any], ids: list[str], tmp_path: Path
) -> None:
    for _ in range(3):
        with pytest.raises(AirflowFailException, match="2 of 60 rows .* ENTITY_IS_DELETED"):
            delete(context, ids, tmp_path)
        assert failed_rows(tmp_path) == [3, 60]
        told = results_in(tmp_path / "results", "succeeded")
        assert [row["sf__Id"] for row in told] == [each for place, each in enumerate(ids) if place not in (2, 59)]
    delete(context, ids, tmp_path, max_failed_records=2)
    assert in_org(org).total() == 0
    assert context["task_state_store"].values == {}


def test_what_failed_before_and_was_deleted_meanwhile_is_told(
    org: SimulatedOrg, context: dict[str, Any], ids: list[str], tmp_path: Path
) -> None:
    org.lock_records("Item__c", {"Number__c": [7]}, times=2)
    with pytest.raises(Exception, match="UNABLE_TO_LOCK_ROW"):
        delete(context, ids, tmp_path, row_retries=1)
    org.delete("Item__c", ids[7])
    with pytest.raises(AirflowFailException, match="3 of 60 rows"):
        delete(context, ids, tmp_path)
    assert failed_rows(tmp_path) == [3, 8, 60]


def test_rows_whose_answer_was_lost_are_done_where_they_are_gone(
    org: SimulatedOrg, context: dict[str, Any], ids: list[str], tmp_path: Path
) -> None:
    org.add_fault(Fault("DELETE", COLLECTIONS, lose_answer=True))
    with pytest.raises(TransportError):
        delete(context, ids[3:59], tmp_path)
    result = delete(context, ids[3:59], tmp_path)
    assert (result["records"], in_org(org).total()) == (56, 2)  # the first two and none else
    assert report_in(tmp_path / "results")["counts"]["succeeded"] == 56


def test_rows_of_a_call_that_was_not_processed_are_not_taken_for_done(
    org: SimulatedOrg, context: dict[str, Any], ids: list[str], tmp_path: Path
) -> None:
    body = b'[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"as said"}]'
    org.add_fault(Fault("DELETE", COLLECTIONS, times=None, status=403, body=body))
    with pytest.raises(Exception, match="REQUEST_LIMIT_EXCEEDED"):
        delete(context, ids, tmp_path)
    org.clear_faults()
    with pytest.raises(AirflowFailException, match="2 of 60 rows"):
        delete(context, ids, tmp_path)
    assert failed_rows(tmp_path) == [3, 60]


@pytest.mark.parametrize("write", range(2, 8))
def test_a_worker_that_dies_leaves_what_it_deleted(
    org: SimulatedOrg, context: dict[str, Any], ids: list[str], tmp_path: Path, write: int
) -> None:
    store = context["task_state_store"]
    store.die_at(write)
    with pytest.raises(KilledError):
        delete(context, ids[3:59], tmp_path)
    store.die_at(None)
    assert delete(context, ids[3:59], tmp_path)["records"] == 56
    assert in_org(org).total() == 2


def test_another_source_knows_nothing_of_it(
    org: SimulatedOrg, context: dict[str, Any], ids: list[str], tmp_path: Path
) -> None:
    with pytest.raises(AirflowFailException, match="2 of 60 rows"):
        delete(context, ids, tmp_path)
    with pytest.raises(AirflowFailException, match="2 of 2 rows"):
        delete(context, ids[:2], tmp_path)
