from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_sfjwt.tasks.report.task_report import (
    MOST_BYTES,
    Failure,
    Part,
    RowErrors,
    SetupJob,
    TaskReport,
    UnreadableReportError,
)

SMALL = TaskReport(
    kind="extract",
    ended_at="2026-11-26T07:00:00+00:00",
    seconds=4.5,
    sobject="Account",
    soql="SELECT Id FROM Account",
    window=("2026-11-25T00:00:00+00:00", "2026-11-26T00:00:00+00:00"),
    rows=300,
    counts={"read": 300},
    errors=(RowErrors("DUPLICATE_VALUE", 3, ("Key__c",)),),
    parts=(Part("part-0.csv", 300, 1_000, 0.0, 1.25),),
    columns=("Id", "Name"),
    drift={"added": ("Name",), "removed": (), "retyped": ()},
    paths={"output_path": "file:///tmp/x"},
    jobs=(SetupJob("750xx0000000001AAA", "https://acme.my.salesforce.com/x"),),
    failure=Failure("TIMEOUT", "too slow", "wait", "Bulk Data Load Jobs", will_retry=True),
)


def large(text: str, count: int) -> TaskReport:
    """A report that is full everywhere."""
    many = tuple(f"{text}{n}" for n in range(count))
    return TaskReport(
        **dict.fromkeys(("kind", "ended_at", "conn_id", "host", "sobject", "operation", "soql"), text * 50),
        transport=text,
        window=(text, text),
        counts=dict.fromkeys(many, 10**12),
        errors=tuple(RowErrors(name, 10**12, many) for name in many),
        parts=tuple(Part(name, 10**9, 10**12, 1234.567, 0.001) for name in many),
        columns=many,
        drift={"added": many, "removed": many, "retyped": many},
        paths=dict.fromkeys(many, text),
        jobs=tuple(SetupJob(name, text) for name in many),
        failure=Failure(text, text * 50, text * 50, text),
    )


@pytest.mark.parametrize(
    "text", ["x" * 40, "\x00" * 5_000, "🙂" * 3_000, "ü" * 100], ids=["text", "nul", "faces", "umlauts"]
)
@pytest.mark.parametrize("count", [1, 60, 300])
def test_it_never_takes_more_than_8_kb(text: str, count: int) -> None:
    assert MOST_BYTES == 8_000
    content = large(text, count).to_json()
    assert len(json.dumps(content).encode()) <= MOST_BYTES
    assert json.loads(json.dumps(content)) == content, "Airflow would wrap what is not JSON"
    assert TaskReport.from_json(content).kind


def test_it_says_what_was_cut() -> None:
    parts = tuple(Part(f"part-{n}.csv", 100, 2_000, float(n), 0.5) for n in range(70))
    columns = tuple(f"Field{n}__c" for n in range(75))
    content = json.loads(json.dumps(replace(SMALL, parts=parts, columns=columns, soql="s" * 1_600).to_json()))
    read = TaskReport.from_json(content)
    assert read.cut["parts"] == 70 - len(read.parts)
    assert read.cut["columns"] == 75 - len(read.columns)
    assert read.cut["soql"] >= 100
    assert read.rest is not None
    assert read.rest.rows + sum(part.rows for part in read.parts) == 7_000
    assert read.rest.bytes + sum(part.bytes for part in read.parts) == 140_000
    assert read.rest.seconds == len(parts[len(read.parts) :]) * 0.5


def test_at_most_50_parts_are_listed() -> None:
    report = TaskReport(parts=tuple(Part(f"{n}", 1, 1) for n in range(60)))
    assert len(report.to_json()["parts"]) == 50


def test_a_small_report_is_read_as_it_was_written() -> None:
    assert TaskReport.from_json(json.loads(json.dumps(SMALL.to_json()))) == SMALL


@pytest.mark.parametrize("content", [None, [], "text", {}, {"rows": 3}, {"version": "1"}, {"version": None}])
def test_what_is_not_a_report_is_refused(content: Any) -> None:
    with pytest.raises(UnreadableReportError, match="is not a report"):
        TaskReport.from_json(content)


@pytest.mark.parametrize("version", [0, 2])
def test_another_version_is_refused_by_its_number(version: int) -> None:
    with pytest.raises(UnreadableReportError, match=f"of version {version}"):
        TaskReport.from_json({"version": version})


@pytest.mark.parametrize(
    "value", [None, 1, -1.5, float("nan"), 10**400, True, "text", [], ["a", 1, None], {"a": {}}, [[]], [{}]]
)
def test_a_foreign_value_does_no_harm_in_any_field(value: Any) -> None:
    for name in TaskReport.__dataclass_fields__:
        if name != "version":
            read = TaskReport.from_json({**SMALL.to_json(), name: value})
            assert len(json.dumps(read.to_json())) <= MOST_BYTES
