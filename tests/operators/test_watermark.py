from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import StateStore, run_to_end
from tests.operators.extract_task import ACCOUNTS, rows_of, watermark


def reached(context: dict[str, Any]) -> str | None:
    """How far the task's watermark got."""
    [state] = context["asset_state_store"][ACCOUNTS].values.values() or [{}]
    return state.get("reached")


class OutletEvent:
    extra: dict[str, Any]


@pytest.fixture
def context(context: dict[str, Any]) -> dict[str, Any]:
    return {**context, "asset_state_store": {ACCOUNTS: StateStore()}, "outlet_events": {ACCOUNTS: OutletEvent()}}


@pytest.mark.parametrize("deferrable", [False, True])
def test_each_run_takes_what_came_since_the_last(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, deferrable: bool
) -> None:
    first = run_to_end(watermark(tmp_path / "1", deferrable=deferrable), context)
    assert first["records"] == 1000
    new = org.insert("Account", [{"Name": "new"}, {"Name": "newer"}])
    org.clock_offset = 1000
    second = run_to_end(watermark(tmp_path / "2", deferrable=deferrable), context)
    assert sorted(row["Id"] for row in rows_of(tmp_path / "2")) == sorted(new)
    assert second["window"][0] == first["window"][1]
    assert reached(context) == second["window"][1]
    assert context["outlet_events"][ACCOUNTS].extra == second


def test_rows_that_may_still_be_committed_are_left_for_the_next_run(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    org.insert("Account", [{"Name": "just now"}])
    result = run_to_end(watermark(tmp_path, commit_lag=300), context)
    assert result["records"] == 1000
    behind = datetime.now(timezone.utc) - datetime.fromisoformat(result["window"][1])
    assert timedelta(seconds=299) <= behind < timedelta(seconds=330)


def test_a_failed_run_moves_nothing(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    org.add_fault(
        Fault(path="*/jobs/query/7*AAA", times=None, edit_json=lambda job: {**job, "numberRecordsProcessed": 1})
    )
    with pytest.raises(AirflowFailException):
        run_to_end(watermark(tmp_path), context)
    assert context["asset_state_store"][ACCOUNTS].values == {}


def test_a_late_retry_does_not_move_it_back(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    from airflow_provider_sfjwt.tasks.watermark import Watermark

    asked = {"conn_id": "salesforce_jwt_default", "sobject": "Account", "owner": "a", "condition": {"where": None}}
    far = datetime(2026, 11, 20, tzinfo=timezone.utc)
    for end in (far, far - timedelta(days=1)):
        Watermark(context, [ACCOUNTS], **asked).advance((end - timedelta(days=1), end), {})
    assert reached(context) == far.isoformat()


def test_an_org_whose_clock_is_behind_the_watermark_gives_no_rows_and_no_step_back(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    run_to_end(watermark(tmp_path / "1"), context)
    before = reached(context)
    org.clock_offset = -86_400
    assert run_to_end(watermark(tmp_path / "2"), context)["records"] == 0
    assert reached(context) == before


def test_two_tasks_over_one_object_do_not_share_a_watermark(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    counts = []
    for task_id, where in (("first", "Name < 'Account 5'"), ("second", "Name >= 'Account 5'")):
        operator = watermark(tmp_path / task_id, where=where)
        operator.task_id = task_id
        counts.append(run_to_end(operator, context)["records"])
    assert sum(counts) == 1000
    assert all(counts)


def test_a_changed_condition_is_refused_since_its_rows_were_never_seen(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    run_to_end(watermark(tmp_path / "1", where="Name < 'Account 5'"), context)
    with pytest.raises(AirflowFailException, match="says nothing of the rows that"):
        run_to_end(watermark(tmp_path / "2"), context)


def test_clearing_a_run_fetches_the_rows_that_it_replaces_again(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    run_to_end(watermark(tmp_path), context)
    cleared = run_to_end(watermark(tmp_path), context)
    assert cleared["records"] == 1000
    assert len(rows_of(tmp_path)) == 1000
