"""The window that an author gives to a task, in each form that a template may leave it in."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.airflow_run import event_of, run_to_end
from tests.reports.extracts import task

UTC = timezone.utc


# -- the window of a task -----------------------------------------------------------------------------------------------

#: Long before the records of the org, which are of the last 30 days.
START, END = datetime(2025, 11, 1, tzinfo=UTC), datetime(2025, 11, 2, tzinfo=UTC)
WINDOWS: list[Any] = [
    (START, END),
    ["2025-11-01T00:00:00Z", "2025-11-02T00:00:00Z"],
    ("2025-11-01 00:00:00+00:00", END),
    (START, "2025-11-02T01:00:00.000+0100"),
    ("2025-10-31T20:00-04", "2025-11-02T00:00:00.000000Z"),
    "['2025-11-01T00:00:00Z', '2025-11-02T00:00:00Z']",
    "('2025-11-01T00:00:00+00:00', '2025-11-02T00:00:00+00:00')",
    '["2025-11-01T00:00:00Z", "2025-11-02T00:00:00Z"]',
]


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_window(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, window: Any, deferrable: bool) -> None:
    [inside, at_the_end] = [row["Id"] for row in org.rows("Account")[:2]]
    for record, moment in ((inside, START), (at_the_end, END)):
        org.update("Account", record, {"Description": "changed"})
        org.update("Account", record, {"SystemModstamp": moment})
    result = run_to_end(task(tmp_path, window=window, deferrable=deferrable), context)
    assert result["records"] == 1
    assert [datetime.fromisoformat(each) for each in result["window"]] == [START, END]
    assert list(SalesforceJwtHook().read_receipt(f"file://{tmp_path}").window or ()) == result["window"]


def test_window_in_templates(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    operator = task(tmp_path, window=("{{ start }}", "{{ end }}"))
    operator.render_template_fields({**context, "start": START, "end": END.isoformat()})
    assert run_to_end(operator, context)["window"] == ["2025-11-01T00:00:00+00:00", "2025-11-02T00:00:00+00:00"]
    operator = task(tmp_path, window="{{ both }}")
    operator.render_template_fields({**context, "both": [START.isoformat(), END.isoformat()]})
    assert run_to_end(operator, context)["window"] == ["2025-11-01T00:00:00+00:00", "2025-11-02T00:00:00+00:00"]


WRONG_WINDOWS: list[tuple[dict[str, Any], str]] = [
    ({"window": ("2025-11-01T00:00:00", END)}, "window: holds a moment without a time zone"),
    ({"window": (START.replace(tzinfo=None), END)}, "window: holds a moment without a time zone"),
    ({"window": ("2025-11-01", "2025-11-02")}, "window: must be two moments"),
    ({"window": ("2026-02-30T00:00:00Z", END)}, "window: must be two moments"),
    ({"window": ("None", END)}, "window: must be two moments"),
    ({"window": "None"}, "window: must be two moments"),
    ({"window": (START,)}, "window: must be two moments"),
    ({"window": (END, START)}, "before it begins"),
    ({"window": (START, START)}, "window: begins and ends at the same moment"),
    ({"window": (START, END), "incremental": "data_interval"}, "window: goes without incremental"),
    ({"window": (START, END), "incremental": "watermark"}, "window: goes without incremental"),
    ({"window": (START, END), "sobject": None, "fields": None, "soql": "SELECT Id FROM Account"}, "takes no fields"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), WRONG_WINDOWS, ids=[str(arguments) for arguments, _ in WRONG_WINDOWS]
)
def test_window_that_is_wrong(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(AirflowFailException, match=message):
        run_to_end(task(tmp_path, **arguments), context)
    assert not org.jobs


def test_window_that_ends_in_the_future_takes_what_there_is(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    window = (START - timedelta(days=365), org.now() + timedelta(days=3))
    assert run_to_end(task(tmp_path, window=window), context)["records"] == 25


def test_window_that_has_just_ended_waits_for_late_commits(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    operator = task(tmp_path, window=(START, org.now()), deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    assert deferred.value.method_name == "execute_after_lag"
    assert not org.jobs


def test_window_that_was_changed_while_the_task_was_deferred_begins_anew(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        task(tmp_path, window=(START, END), deferrable=True, transport="bulk").execute(context)
    changed = task(tmp_path, window=(START, END + timedelta(days=1)), deferrable=False, transport="bulk")
    event = event_of(deferred.value.trigger)
    result = changed.execute_complete(context, event, **(deferred.value.kwargs or {}))
    assert result["window"][1] == "2025-11-03T00:00:00+00:00"
    assert result["job_id"] != event["job_id"]
