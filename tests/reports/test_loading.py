"""What others reported of loads, by its kind: each input with what is right."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_provider_sfjwt.exceptions import RequestLimitError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from tests.operators.airflow_run import StateStore, event_of
from tests.operators.load_task import counted, in_org, items, report_in, results_in, task
from tests.operators.things import load
from tests.orgs import items_org, things_org

__all__ = ["items_org", "things_org"]

BERLIN = ZoneInfo("Europe/Berlin")
TRANSPORTS = pytest.mark.parametrize("transport", ["bulk", "rest"])


@pytest.fixture
def org(things_org: SimulatedOrg) -> Iterator[SimulatedOrg]:
    yield things_org


def stored(org: SimulatedOrg, field: str) -> list[Any]:
    """The values of a field; days and times as Salesforce writes them."""
    return [_written(row[field]) for row in sorted(org.rows("Thing__c"), key=lambda row: str(row["Key__c"]))]


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.000Z"
    if isinstance(value, time):
        return f"{value:%H:%M:%S}.000Z"
    return value.isoformat() if isinstance(value, date) else value


def refusal(source: Any, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        load(source, **arguments)
    return str(caught.value)


def parquet(tmp_path: Path, table: pa.Table) -> str:
    pq.write_table(table, tmp_path / "in.parquet")
    return f"file://{tmp_path}/in.parquet"


# -- L1: values by the field's type ------------------------------------------------------------------------------------


@TRANSPORTS
def test_L1_a_date_field_takes_the_calendar_day_in_the_values_own_zone(org: SimulatedOrg, transport: str) -> None:
    day = datetime(2026, 1, 31, tzinfo=BERLIN)
    load([{"Key__c": "a", "Day__c": day}, {"Key__c": "b", "Day__c": "2026-01-31Z"}], transport=transport)
    assert stored(org, "Day__c") == ["2026-01-31", "2026-01-31"]
    assert "row 1, column Day__c" in refusal([{"Day__c": datetime(2026, 1, 31, 5, tzinfo=BERLIN)}])


def test_L1_the_same_from_parquet(org: SimulatedOrg, tmp_path: Path) -> None:
    day = pa.array([datetime(2026, 1, 31, tzinfo=BERLIN)], pa.timestamp("us", "Europe/Berlin"))
    load(parquet(tmp_path, pa.table({"Day__c": day})))
    assert stored(org, "Day__c") == ["2026-01-31"]


@pytest.mark.parametrize(
    "value", [date(2018, 9, 28), "2018-09-28", "2026-01-05T10:00:00", datetime.fromisoformat("2026-01-05T10:00")]
)
def test_L1_what_has_no_one_moment_is_a_fault_before_anything_is_sent(org: SimulatedOrg, value: Any) -> None:
    assert "row 1, column Moment__c: Moment__c: " in refusal([{"Moment__c": value}])
    assert org.jobs == {}


@TRANSPORTS
@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05 10:00:00+00:00",
        "2026-01-05T10:00:00Z",
        "2026-01-05 11:00:00.000000000 +0100",
        "2026-01-05 10:00:00 UTC",
    ],
)
def test_L1_text_with_one_meaning_goes_out_in_the_documented_form(org: SimulatedOrg, text: str, transport: str) -> None:
    load([{"Moment__c": text}], transport=transport)
    assert stored(org, "Moment__c") == ["2026-01-05T10:00:00.000Z"]


def test_L1_days_that_salesforce_does_not_keep_are_a_fault(org: SimulatedOrg) -> None:
    rows = [{"Day__c": date(9999, 12, 31)}, {"Day__c": date(1699, 12, 31)}, {"Day__c": date(4000, 12, 31)}]
    assert "2 faults in its rows" in refusal(rows)


@pytest.mark.parametrize(
    "value", [datetime.fromisoformat("2026-01-05T10:00"), "2026-01-05T10:00:00", "2026-01-05 10:00"]
)
def test_L7_values_without_a_zone_are_of_the_given_one(org: SimulatedOrg, value: Any, tmp_path: Path) -> None:
    load([{"Key__c": "a", "Moment__c": value}], timezone="Europe/Berlin")
    load(parquet(tmp_path, pa.table({"Key__c": ["b"], "Moment__c": [value]})), timezone="Europe/Berlin")
    assert stored(org, "Moment__c") == ["2026-01-05T09:00:00.000Z"] * 2


def test_L7_an_hour_that_is_shown_twice_is_a_fault_and_a_bad_zone_too(org: SimulatedOrg) -> None:
    twice = [
        {"Moment__c": datetime.fromisoformat("2026-10-25T02:30")},
        {"Moment__c": datetime.fromisoformat("2026-03-29T02:30")},
    ]
    assert "2 faults" in refusal(twice, timezone="Europe/Berlin")
    assert "timezone: 'Berlin' is not the name of a time zone" in refusal([{"Key__c": "a"}], timezone="Berlin")


# -- L2: one float, one text -------------------------------------------------------------------------------------------


def test_L2_a_whole_float_has_one_text_from_every_source(
    org: SimulatedOrg, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = pd.DataFrame({"Key__c": [1001, None], "Text__c": ["v1", "x"]}).dropna()
    frame.to_parquet(tmp_path / "in.parquet")
    (tmp_path / "in.jsonl").write_text('{"Key__c": 1001.0, "Text__c": "v3"}\n')
    with caplog.at_level(logging.WARNING):
        load(f"file://{tmp_path}/in.parquet", "upsert")
    assert "Column Key__c holds floats" in caplog.text
    load(frame.to_dict("records"), "upsert")
    load(f"file://{tmp_path}/in.jsonl", "upsert")
    load([{"Key__c": Decimal("1001.00"), "Text__c": "v4"}], "upsert")
    assert [(row["Key__c"], row["Text__c"]) for row in org.rows("Thing__c")] == [("1001", "v4")]


def test_L2_parents_keys_too(org: SimulatedOrg) -> None:
    org.insert("Box__c", [{"BoxKey__c": "7"}])
    load([{"Key__c": "a", "Box__r.BoxKey__c": 7.0}])
    assert stored(org, "Box__c") != [None]


# -- L4: all faults, each with its row ---------------------------------------------------------------------------------


def test_L4_faults_of_one_column_hide_no_other(org: SimulatedOrg, tmp_path: Path) -> None:
    table = pa.table({"Amount__c": [float("nan"), 1.0], "Day__c": ["x", "y"]})
    message = refusal(parquet(tmp_path, table))
    assert "3 faults in its rows" in message
    for place in ("row 1, column Amount__c", "row 1, column Day__c", "row 2, column Day__c"):
        assert place in message


def test_L4_a_byte_that_is_not_utf8_in_parquet_has_its_row_and_column(org: SimulatedOrg, tmp_path: Path) -> None:
    table = pa.table({"Key__c": ["a", "b"], "Text__c": pa.array([b"x", b"\xe9"]).view(pa.string())})
    assert "row 2, column Text__c: byte 0xE9 is not UTF-8" in refusal(parquet(tmp_path, table))


# -- L5: usual types ---------------------------------------------------------------------------------------------------


class Colour(Enum):
    RED = "red"


@TRANSPORTS
@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("Whole__c", np.int64(5), 5),
        ("Whole__c", 3.0, 3),
        ("Flag__c", np.bool_(True), True),
        ("Flag__c", 1.0, True),
        ("Text__c", UUID(int=1), str(UUID(int=1))),
        ("Text__c", b"binary", "binary"),
        ("Text__c", Colour.RED, "red"),
        ("Text__c", np.str_("x"), "x"),
        ("Day__c", np.datetime64("2026-01-31"), "2026-01-31"),
        ("Moment__c", pd.Timestamp("2026-01-31T10:00", tz="UTC"), "2026-01-31T10:00:00.000Z"),
        ("Hour__c", timedelta(hours=5), "05:00:00.000Z"),
    ],
)
def test_L5_usual_types_are_taken(org: SimulatedOrg, field: str, value: Any, expected: Any, transport: str) -> None:
    load([{"Key__c": "a", field: value}], transport=transport)
    assert stored(org, field) == [expected]


def test_L5_a_uuid_and_binary_text_in_parquet(org: SimulatedOrg, tmp_path: Path) -> None:
    table = pa.table({"Key__c": pa.array([UUID(int=1).bytes], pa.uuid()), "Text__c": [b"abc"]})
    load(parquet(tmp_path, table))
    assert (stored(org, "Key__c"), stored(org, "Text__c")) == ([str(UUID(int=1))], ["abc"])


@pytest.mark.parametrize("value", [float("nan"), pd.NaT, pd.NA, ["a"], b"\xff", float("inf")])
def test_L5_what_is_no_value_is_a_fault_with_its_row(org: SimulatedOrg, value: Any) -> None:
    assert "row 2, column Text__c" in refusal([{"Text__c": "a"}, {"Text__c": value}])


# -- L6: matching ------------------------------------------------------------------------------------------------------


def test_L6_a_line_end_that_comes_back_otherwise_does_not_matter(org: SimulatedOrg, tmp_path: Path) -> None:
    rows = [{"Text__c": f"two\r\nlines {n}", "Key__c": f"k{n}"} for n in range(3)]
    result = load(rows, "upsert", results_path=f"file://{tmp_path}/results")
    assert result["records"] == 3
    assert {row["Key__c"] for row in results_in(tmp_path / "results", "succeeded")} == {"k0", "k1", "k2"}


# -- L7: faulty rows that are skipped, and what was too strict ---------------------------------------------------------

FAULTY: list[dict[str, Any]] = [
    {"Key__c": "a", "Day__c": "2026-01-01"},
    {"Key__c": "b", "Day__c": "tomorrow"},
    {"Key__c": "c", "Day__c": None},
    {"Key__c": "a", "Day__c": None},
    {"Key__c": None, "Day__c": "x"},
]


@TRANSPORTS
def test_L7_faulty_rows_are_skipped_and_the_good_ones_sent(org: SimulatedOrg, transport: str, tmp_path: Path) -> None:
    results = f"file://{tmp_path}/results"
    skipping = {"on_invalid": "skip", "transport": transport, "results_path": results}
    result = load(FAULTY, "upsert", max_failed_records=3, **skipping)
    assert result["counts"] == {"read": 5, "sent": 2, "succeeded": 2, "failed": 0, "unprocessed": 0, "skipped": 3}
    assert result["errors"]["INVALID_ROW"]["count"] == 3
    assert stored(org, "Key__c") == ["a", "c"]
    skipped = results_in(tmp_path / "results", "skipped")
    assert [(row["row"], row["error_code"], row["Key__c"], row["Day__c"]) for row in skipped] == [
        ("2", "INVALID_ROW", "b", "tomorrow"),
        ("4", "INVALID_ROW", "a", ""),
        ("5", "INVALID_ROW", "", "x"),
    ]
    assert "'tomorrow' is not a date" in skipped[0]["error_message"]
    assert skipped[1]["error_message"] == "Key__c is the same as in row 1"
    assert skipped[2]["error_fields"] == "Day__c Key__c"


def test_L7_more_skipped_rows_than_are_allowed_end_red(org: SimulatedOrg, tmp_path: Path) -> None:
    results = f"file://{tmp_path}/results"
    with pytest.raises(AirflowFailException, match=r"3 of 5 rows were not loaded .*INVALID_ROW \(3 rows"):
        load(FAULTY, "upsert", on_invalid="skip", max_failed_records=2, results_path=results)
    assert stored(org, "Key__c") == ["a", "c"]
    assert report_in(tmp_path / "results")["counts"]["skipped"] == 3


def test_L7_a_row_that_repeats_a_skipped_one_is_sent(org: SimulatedOrg) -> None:
    rows = [{"Key__c": "a", "Day__c": "x"}, {"Key__c": "a", "Day__c": "2026-01-02"}]
    assert load(rows, "upsert", on_invalid="skip", max_failed_ratio=0.5)["records"] == 1
    assert stored(org, "Day__c") == ["2026-01-02"]


def test_L7_a_dry_run_reports_what_would_be_skipped(org: SimulatedOrg) -> None:
    result = load(FAULTY, "upsert", on_invalid="skip", dry_run=True)
    assert (result["counts"]["read"], result["counts"]["skipped"], result["counts"]["sent"]) == (5, 3, 0)
    assert org.rows("Thing__c") == []


def test_L7_a_null_checkbox_under_clear_stays_as_it_is(org: SimulatedOrg) -> None:
    load([{"Key__c": "a", "Flag__c": True, "Text__c": "x"}])
    load([{"Key__c": "a", "Flag__c": None, "Text__c": None}], "upsert", null_policy="clear")
    assert (stored(org, "Flag__c"), stored(org, "Text__c")) == ([True], [None])


def test_L7_white_space_is_taken_off_where_it_is_asked_for(org: SimulatedOrg) -> None:
    load([{"Key__c": "a   ", "Whole__c": "5  ", "Day__c": "          "}], trim=True)
    assert (stored(org, "Key__c"), stored(org, "Whole__c"), stored(org, "Day__c")) == (["a"], [5], [None])


@TRANSPORTS
def test_L7_record_types_are_found_by_their_developer_names(org: SimulatedOrg, transport: str) -> None:
    org.define_object("RecordType", [Field("DeveloperName")])
    [partner] = org.insert("RecordType", [{"DeveloperName": "Partner"}])
    reference = Field("RecordTypeId", "reference", reference_to=("RecordType",), relationship_name="RecordType")
    org.define_object("Typed__c", [Field("Key__c", length=40), reference])

    def with_record_types(answer: Any) -> Any:
        return {**answer, "recordTypeInfos": [{"developerName": "Partner", "recordTypeId": partner}]}

    org.add_fault(Fault("GET", "*/sobjects/Typed__c/describe", times=None, edit_json=with_record_types))
    rows = [{"Key__c": "a", "RecordType.DeveloperName": "partner"}, {"Key__c": "b", "RecordType.DeveloperName": None}]
    load(rows, sobject="Typed__c", transport=transport)
    assert [row["RecordTypeId"] for row in org.rows("Typed__c")] == [partner, None]
    rows[1]["RecordType.DeveloperName"] = "Nobody"
    assert "RecordTypeId: 'Nobody' is not one of its names: Partner" in refusal(rows, sobject="Typed__c")


def test_L7_lists_go_into_multi_select_picklists(org: SimulatedOrg, tmp_path: Path) -> None:
    org.define_object("Choice__c", [Field("Regions__c", "multipicklist", picklist_values=("N", "S"))])
    load([{"Regions__c": ["N", "S"]}, {"Regions__c": "S"}], sobject="Choice__c")
    load(parquet(tmp_path, pa.table({"Regions__c": [["S", "N"]]})), sobject="Choice__c")
    assert [row["Regions__c"] for row in org.rows("Choice__c")] == ["N;S", "S", "S;N"]


def test_L7_loads_spare_api_calls(org: SimulatedOrg) -> None:
    org.daily_api_requests = 100
    with pytest.raises(RequestLimitError, match="min_api_calls_left=100"):
        load([{"Key__c": "a"}], min_api_calls_left=100)
    with pytest.raises(TaskDeferred) as deferred:
        load_deferrable = task("Thing__c", [{"Key__c": "a"}], min_api_calls_left=100, deferrable=True)
        load_deferrable.execute({"task_state_store": StateStore()})
    assert deferred.value.method_name == "execute_after_budget"
    org.daily_api_requests = 1000
    assert load([{"Key__c": "a"}], min_api_calls_left=100)["records"] == 1


def test_a_job_that_the_old_trigger_aborts_after_it_was_taken_over_is_sent_again(items_org: SimulatedOrg) -> None:
    org = items_org
    org.bulk_polls, org.bulk_batch_rows = 60, 2
    context = {"task_state_store": StateStore()}
    with pytest.raises(TaskDeferred):
        task("Item__c", items(20), deferrable=True).execute(context)
    operator = task("Item__c", items(20), deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    begun = list(org.jobs)
    hook = SalesforceJwtHook()
    for job in begun:
        hook.request("PATCH", f"jobs/ingest/{job}", json={"state": "Aborted"})
    org.bulk_polls = 0
    step, event = operator.execute_complete, event_of(deferred.value.trigger)
    while True:
        try:
            result = step(context, event)
            break
        except TaskDeferred as again:
            event = event_of(again.trigger)
    assert result["records"] == 20
    assert in_org(org) == counted(items(20))
    assert len(org.jobs) == 2 * len(begun)
