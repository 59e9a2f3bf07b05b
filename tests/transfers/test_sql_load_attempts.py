"""The attempts of a load of a query: retried, cleared, overtaken, tried without sending."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import instance
from tests.tables.databases import TestDatabase
from tests.transfers.sql_loads import break_off, fill, load, org

__all__ = ["org"]


def nth(context: dict[str, Any], try_number: int, max_tries: int, moment: int = 0) -> dict[str, Any]:
    """Another attempt of a task instance, as Airflow counts them: a Clear raises ``max_tries``, a retry does not."""
    made = f"{moment or try_number:08x}-0000-7000-8000-000000000000"
    ti = SimpleNamespace(**{**vars(context["ti"]), "try_number": try_number, "max_tries": max_tries, "id": made})
    return {**context, "ti": ti}


def live(org: SimulatedOrg) -> list[str]:
    return [row["Id"] for row in org.rows("Item__c") if not row["IsDeleted"]]


def empty(org: SimulatedOrg) -> None:
    for record_id in live(org):
        org.delete("Item__c", record_id)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("keep_staged", [False, True])
@pytest.mark.parametrize("again", [(2, 2, 2), (1, 1, 2)], ids=["cleared", "run made again"])
def test_a_task_that_begins_anew_after_it_was_done_loads_what_the_query_returns_now(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path, keep_staged: bool, again: tuple[int, int, int]
) -> None:
    fill(database)
    context = instance()
    run_to_end(load(tmp_path, keep_staged=keep_staged), nth(context, 1, 1))
    empty(org)
    database.run("DELETE FROM customer WHERE n > 5")
    assert run_to_end(load(tmp_path, keep_staged=keep_staged), nth(context, *again))["records"] == 5
    assert len(live(org)) == 5


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("wanted", [{}, {"keep_staged": True}, {"results_table": None, "row_key": None}])
def test_a_worker_that_died_after_all_was_done_is_retried_and_sends_nothing(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path, wanted: dict[str, Any]
) -> None:
    fill(database)
    context = instance()
    done = run_to_end(load(tmp_path, **wanted), nth(context, 1, 2))
    asked = len(org.requests)
    for try_number in (2, 3):  # the second one dies as well
        assert run_to_end(load(tmp_path, **wanted), nth(context, try_number, 2)) == done
    assert [each.path for each in org.requests[asked:]] == []
    empty(org)
    assert run_to_end(load(tmp_path, **wanted), nth(context, 4, 4))["records"] == 20
    assert len(live(org)) == 20


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_attempt_that_comes_after_a_later_one_is_refused(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path
) -> None:
    fill(database)
    context = instance()
    break_off(org, tmp_path, nth(context, 2, 2))
    with pytest.raises(SalesforceError, match="another attempt of this task has begun"):
        run_to_end(load(tmp_path), nth(context, 1, 2))
    run_to_end(load(tmp_path), nth(context, 3, 2))
    assert len(org.rows("Item__c")) == 20


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("store", ["Variables", "of the run"])
@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("ended", ["unreported", "not at all"])
def test_a_run_that_was_made_again_reads_nothing_that_the_deleted_one_froze(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path, ended: str, dry_run: bool, store: str
) -> None:
    """Airflow's own store goes with its run; Variables and the frozen rows stay."""
    fill(database)
    context = instance()
    if ended == "unreported":
        database.run("CREATE TABLE results (n integer PRIMARY KEY, outcome integer)")
        with pytest.raises(AirflowFailException, match="main.results"):
            run_to_end(load(tmp_path), nth(context, 1, 1))
        database.run("DROP TABLE results")
    else:
        break_off(org, tmp_path, nth(context, 1, 1))
    empty(org)
    database.run("DELETE FROM customer WHERE n > 5")
    if store == "of the run":
        context = instance()
    anew = run_to_end(load(tmp_path, dry_run=dry_run), nth(context, 1, 1, moment=9))
    assert anew["counts"]["read"] == 5
    assert len(live(org)) == (0 if dry_run else 5)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("ends", [False, True], ids=["begun", "done"])
def test_a_dry_run_leaves_a_load_as_an_earlier_attempt_left_it(
    database: TestDatabase, org: SimulatedOrg, tmp_path: Path, ends: bool
) -> None:
    fill(database)
    context = instance()
    if ends:
        run_to_end(load(tmp_path), nth(context, 1, 1))
    else:
        break_off(org, tmp_path, nth(context, 1, 1))
    before = dict(context["task_state_store"].values)
    database.run("DELETE FROM customer WHERE n > 5")
    checked = run_to_end(load(tmp_path, dry_run=True), nth(context, 2, 2))
    assert checked["counts"]["read"] == (5 if ends else 20)
    assert context["task_state_store"].values == before
    if ends:
        empty(org)
    run_to_end(load(tmp_path), nth(context, 3, 3))
    assert len(live(org)) == (5 if ends else 20)
