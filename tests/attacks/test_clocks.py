"""A wrong clock loses no rows: that of the org, of something between here and the org, or of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import StateStore, run_to_end
from tests.operators.extract_task import ACCOUNTS, extract, rows_of, watermark
from tests.operators.load_task import task

DAY = (datetime(2026, 11, 3, tzinfo=timezone.utc), datetime(2026, 11, 4, tzinfo=timezone.utc))
MINUTE, HOUR = 60, 3600


@pytest.fixture
def context(context: dict[str, Any]) -> dict[str, Any]:
    interval = {"data_interval_start": DAY[0], "data_interval_end": DAY[1]}
    return {**context, **interval, "asset_state_store": {ACCOUNTS: StateStore()}}


def date(text: str | Callable[[], str]) -> Fault:
    """Every answer has this Date."""
    return Fault(
        times=None, edit_headers=lambda headers: {**headers, "Date": text if isinstance(text, str) else text()}
    )


def of_a_day(path: Path) -> SalesforceExtractOperator:
    return extract(path, incremental="data_interval")


def of_a_window(path: Path) -> SalesforceExtractOperator:
    return extract(path, window=DAY)


def offset(seconds: float) -> str:
    return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=seconds), usegmt=True)


WINDOWED = pytest.mark.parametrize("windowed", [watermark, of_a_day, of_a_window])


@pytest.mark.attack(
    "a Date of 2099, of 1970, or minutes off, in a windowed extract",
    before="a watermark of 2098, then 0 records for ever",
    after="a retryable error names both clocks; no job, no watermark",
)
@WINDOWED
@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("Tue, 01 Jan 2099 00:00:00 GMT", "2099-01-01T00:00:00Z"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"),
        ("Fri, 31 Dec 9998 23:59:59 GMT", "9998-12-31T23:59:59Z"),
        (lambda: offset(11 * MINUTE), "0:1"),
        (lambda: offset(-11 * MINUTE), "0:1"),
    ],
)
def test_clocks_that_contradict_each_other_end_a_windowed_extract(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, windowed: Any, wrong: Any, named: str
) -> None:
    org.add_fault(date(wrong))
    with pytest.raises(ProtocolError) as caught:
        run_to_end(windowed(tmp_path), context)
    assert caught.value.retryable
    assert named in str(caught.value)
    assert f"this machine's clock says {datetime.now(timezone.utc):%Y-%m-%d}" in str(caught.value)
    assert not org.jobs
    assert context["asset_state_store"][ACCOUNTS].values == {}
    org.clear_faults()
    assert run_to_end(windowed(tmp_path), context)["records"] == (1000 if windowed is watermark else 100)


@pytest.mark.attack(
    "a Date that is missing or cannot be read, in a windowed extract",
    before="final, or an OverflowError",
    after="a retryable error; other extracts go on",
)
@WINDOWED
@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "Fri, 99 Foo 2026 25:61:61 GMT", "Fri, 31 Dec 9999 23:59:59 -0500", "1796222222", "\x01"],
)
def test_answers_without_a_clock_end_a_windowed_extract(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, windowed: Any, text: str
) -> None:
    org.add_fault(date(text))
    with pytest.raises(ProtocolError, match="no Date that can be read") as caught:
        run_to_end(windowed(tmp_path), context)
    assert caught.value.retryable
    assert not org.jobs
    assert run_to_end(extract(tmp_path), context)["records"] == 1000


@pytest.mark.attack(
    "a cache or a proxy puts its own Date into an answer",
    before="believed",
    after="an answer with Age and a refusal are not asked for the time",
)
@pytest.mark.parametrize("between", ["cache", "proxy"])
def test_what_stands_between_is_not_asked_for_the_time(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, between: str
) -> None:
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    wrong = {"Date": "Tue, 01 Jan 2099 00:00:00 GMT"}
    if between == "cache":
        org.add_fault(Fault(path="*/describe*", edit_headers=lambda headers: {**headers, **wrong, "Age": "86400"}))
    else:
        org.add_fault(Fault(path="*/describe*", status=502, body="<html>", headers=wrong))
    result = run_to_end(watermark(tmp_path), context)
    assert result["records"] == 1000
    assert result["window"][1] < (org.now() - timedelta(seconds=290)).isoformat()


@pytest.mark.attack(
    "a Date that jumps between answers",
    before="the last one is believed",
    after="the answer in use must agree; one that does not is asked again",
)
def test_a_clock_that_jumps_once_is_asked_again(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    clocks = iter([offset(0), offset(5 * HOUR), *[offset(-5 * HOUR), offset(0)] * 20])
    org.add_fault(date(lambda: next(clocks)))
    ends = []
    for run in range(3):
        try:
            ends.append(run_to_end(watermark(tmp_path / str(run)), context)["window"][1])
        except ProtocolError as error:
            assert error.retryable
    assert all(
        abs(datetime.fromisoformat(end) + timedelta(seconds=300) - org.now()) < timedelta(seconds=30) for end in ends
    )


@pytest.mark.parametrize("seconds", [9 * MINUTE, -9 * MINUTE])
def test_within_ten_minutes_a_window_follows_the_orgs_clock(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, seconds: int
) -> None:
    org.add_fault(date(lambda: offset(seconds)))  # an org that were ahead would refuse the sign-in
    end = run_to_end(watermark(tmp_path), context)["window"][1]
    assert abs((datetime.fromisoformat(end) - org.now()).total_seconds() + 300 - seconds) < 30


@pytest.mark.attack(
    "the worker's clock is off, in a query, a load or an extract of all rows",
    before="not noticed",
    after="goes on, with one WARNING that names both clocks",
)
@pytest.mark.parametrize("work", ["query", "load", "extract"])
def test_what_has_no_window_goes_on_with_one_warning(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, work: str
) -> None:
    org.clock_offset = -11 * MINUTE
    if work == "query":
        assert len(list(SalesforceJwtHook().query("SELECT Id FROM Account LIMIT 7"))) == 7
    elif work == "load":
        rows = [{"Name": f"row {number}"} for number in range(300)]
        assert run_to_end(task("Account", rows, operation="insert"), context)["counts"]["succeeded"] == 300
    else:
        assert run_to_end(extract(tmp_path), context)["records"] == 1000
    warnings = [each.getMessage() for each in caplog.records if "Clocks differ" in each.getMessage()]
    assert len(warnings) == 1
    assert "0:11:0" in warnings[0]


@pytest.mark.attack(
    "a stored watermark in the future",
    before="green with 0 records, for ever",
    after="refused by name, with the key and the remedy",
)
def test_a_watermark_in_the_future_is_refused(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    run_to_end(watermark(tmp_path / "1"), context)
    store = context["asset_state_store"][ACCOUNTS]
    [key] = store.values
    store.set(key, {**store.get(key), "reached": "2098-12-31T23:55:00+00:00"})
    with pytest.raises(AirflowFailException, match="2098-12-31T23:55:00.* is in the future") as caught:
        run_to_end(watermark(tmp_path / "2"), context)
    assert key in str(caught.value)
    assert "delete it to extract all rows" in str(caught.value)
    store.delete(key)
    assert run_to_end(watermark(tmp_path / "2"), context)["records"] == 1000


@pytest.mark.attack(
    "the worker's clock jumps an hour while a task runs",
    before="windows do not change",
    after="windows do not change",
)
@pytest.mark.parametrize("jump", [HOUR, -HOUR])
@WINDOWED
def test_a_worker_whose_clock_jumps_keeps_its_window(
    org: SimulatedOrg,
    context: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    windowed: Any,
    jump: int,
) -> None:
    real, moved = time.time, [0.0]

    def jump_later(headers: dict[str, str]) -> dict[str, str]:
        moved[0] = jump  # the worker's clock is set once it has begun to speak to the org
        return {**headers, "Date": format_datetime(datetime.fromtimestamp(real(), timezone.utc), usegmt=True)}

    org.add_fault(Fault(times=None, edit_headers=jump_later))
    monkeypatch.setattr(time, "time", lambda: real() + moved[0])
    result = run_to_end(windowed(tmp_path), context)
    if windowed is watermark:
        left = datetime.fromisoformat(result["window"][1]).timestamp() + 300 - real()
        assert abs(left) < 30
    else:
        assert result["window"] == [moment.isoformat() for moment in DAY]
        assert len(rows_of(tmp_path)) == 100


@pytest.mark.attack(
    "an interval that ends years ahead",
    before="a wait of 817,335,543 s",
    after="refused; a wait for late commits says until when",
)
def test_no_wait_is_longer_than_the_commit_lag(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context["data_interval_end"] = org.now() + timedelta(days=9000)
    with pytest.raises(AirflowFailException, match="ends at .* in the future.*Trigger the run after"):
        run_to_end(of_a_day(tmp_path), context)
    context["data_interval_end"] = end = org.now()
    with pytest.raises(TaskDeferred):
        extract(tmp_path, incremental="data_interval", deferrable=True).execute(context)
    assert f"until {(end + timedelta(seconds=300)).isoformat(timespec='seconds')}" in capsys.readouterr().out
