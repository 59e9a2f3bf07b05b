from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import StateStore, run_to_end
from tests.operators.test_extract import extract, rows_of

ACCOUNTS = Asset(name="accounts", uri="salesforce://salesforce_jwt_default/Account")
KEY = "watermark.SystemModstamp"


class OutletEvent:
    extra: dict[str, Any]


@pytest.fixture
def context(context: dict[str, Any]) -> dict[str, Any]:
    return {**context, "asset_state_store": {ACCOUNTS: StateStore()}, "outlet_events": {ACCOUNTS: OutletEvent()}}


def watermark(path: Path, **arguments: Any) -> Any:
    return extract(path, incremental="watermark", outlets=[ACCOUNTS], **arguments)


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
    assert context["asset_state_store"][ACCOUNTS].get(KEY) == second["window"][1]
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
    from airflow_provider_sfjwt.operators.windows import Watermark

    store = context["asset_state_store"][ACCOUNTS]
    reached = datetime(2026, 11, 20, tzinfo=timezone.utc)
    store.set(KEY, reached.isoformat())
    follower = Watermark(
        context, [ACCOUNTS], conn_id="salesforce_jwt_default", sobject="Account", cursor_field="SystemModstamp"
    )
    follower.advance((reached - timedelta(days=2), reached - timedelta(days=1)), {})
    assert store.get(KEY) == reached.isoformat()


def test_an_org_whose_clock_is_behind_the_watermark_gives_no_rows_and_no_step_back(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    ahead = (datetime.now(timezone.utc) + timedelta(days=1)).replace(microsecond=0)
    context["asset_state_store"][ACCOUNTS].set(KEY, ahead.isoformat())
    assert run_to_end(watermark(tmp_path), context)["records"] == 0
    assert context["asset_state_store"][ACCOUNTS].get(KEY) == ahead.isoformat()
