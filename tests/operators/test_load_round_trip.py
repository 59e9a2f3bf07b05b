"""What is loaded is in the org afterwards, whatever the operation, the source's format and the way there.

A test run prints it as a table.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.airflow_run import StateStore, run_to_end
from tests.operators.load_task import report_in, results_in
from tests.operators.things import load

#: Texts that a careless reader or writer of CSV changes.
TEXTS = [
    "plain",
    "two\nlines",
    "two\r\nlines",
    'a "quote"',
    '"',
    "comma, semicolon; tab\tend",
    "Zürich 東京 🦔👩‍👩‍👧",
    "NA",
    "null",
    "None",
    "-",
    "0012",
    "=1+1",
    "\\N",
    "x" * 30_000,
    'ends with a quote"',
    "ends with a newline\nx",
    " spaces around ",
]
CET = timezone(timedelta(hours=1))
NAMES = ("Key__c", "Text__c", "Amount__c", "Flag__c", "Day__c", "Moment__c", "Hour__c", "Whole__c")


def record(number: int, text: str, edition: int = 1) -> dict[str, Any]:
    """A row of Python's values."""
    return {
        "Key__c": f"key {number}",
        "Text__c": text,
        "Amount__c": Decimal(f"{number * edition}1234567890.12") if number % 2 else Decimal("-0.01") * edition,
        "Flag__c": bool((number + edition) % 2),
        "Day__c": date(2026, 1, 1) + timedelta(days=number * edition),
        "Moment__c": datetime(2026, 3, 29, 1, 59, 59, tzinfo=CET) + timedelta(hours=number * edition),
        "Hour__c": time(number % 24, 5, 6, 7000 * edition),
        "Whole__c": number * edition - 3,
    }


def rows_of(edition: int = 1) -> list[dict[str, Any]]:
    return [
        record(number, text if edition == 1 else f"{text[:29_000]}v{edition}", edition)
        for number, text in enumerate(TEXTS)
    ]


def kept(row: dict[str, Any]) -> tuple[Any, ...]:
    """A row as the org has it."""
    return (
        row["Key__c"],
        row["Text__c"],
        row["Amount__c"],
        row["Flag__c"],
        row["Day__c"],
        row["Moment__c"].astimezone(timezone.utc),
        row["Hour__c"],
        row["Whole__c"],
    )


def in_org(org: SimulatedOrg) -> dict[str, tuple[Any, ...]]:
    found = {}
    for row in org.rows("Thing__c"):
        if not row["IsDeleted"]:
            amount = row["Amount__c"]
            cells = {**row, "Amount__c": amount if isinstance(amount, Decimal) else Decimal(str(amount))}
            found[row["Key__c"]] = tuple(cells[name] for name in NAMES)
    return found


def text_of(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, time):
        return value.isoformat("milliseconds") + "Z"
    return str(value)


def as_csv(folder: Path, rows: list[dict[str, Any]]) -> str:
    with (folder / "things.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({name: text_of(value) for name, value in row.items()} for row in rows)
    return f"file://{folder}/things.csv"


def as_json_lines(folder: Path, rows: list[dict[str, Any]]) -> str:
    lines = [
        json.dumps({name: value if isinstance(value, (bool, int)) else text_of(value) for name, value in row.items()})
        for row in rows
    ]
    (folder / "things.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return f"file://{folder}/things.jsonl.gz"


def as_parquet(folder: Path, rows: list[dict[str, Any]]) -> str:
    pq.write_table(pa.Table.from_pylist(rows), folder / "things.parquet")
    return f"file://{folder}/things.parquet"


def as_rows(folder: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return rows


FORMATS: dict[str, Callable[[Path, list[dict[str, Any]]], Any]] = {
    "csv": as_csv,
    "jsonl": as_json_lines,
    "parquet": as_parquet,
    "rows": as_rows,
}
OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")
#: Over REST nothing is waited for.
WAYS = pytest.mark.parametrize(("transport", "way"), [("bulk", "worker"), ("bulk", "triggerer"), ("rest", "worker")])
Table = dict[tuple[str, str, str, str], set[str]]


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Prints what the tests below put into it, captured or not."""
    rows: Table = {}
    yield rows
    lines = [("operation", "source", "transport", "rows in the org"), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n\nRows that were loaded, and what the org holds then:\n")
        for line in lines:
            cells = " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            print(cells, *([f"({' and '.join(sorted(rows[line]))})"] if line in rows else []))


@pytest.fixture
def org(things_org: SimulatedOrg) -> SimulatedOrg:
    return things_org


def extracted(folder: Path, file_format: str) -> dict[str, Any]:
    """A receipt of all things."""
    operator = SalesforceExtractOperator(
        task_id="extract",
        output_path=f"file://{folder}/extracted",
        sobject="Thing__c",
        fields=["Id", *NAMES],
        file_format=file_format,
        poll_interval=0.001,
        deferrable=False,
    )
    result: dict[str, Any] = run_to_end(operator, {"task_state_store": StateStore()})
    return result


def with_ids(org: SimulatedOrg, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = {row["Key__c"]: row["Id"] for row in org.rows("Thing__c")}
    return [{"Id": ids[row["Key__c"]], **row} for row in rows]


def rows_for(org: SimulatedOrg, operation: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Prepare the org; return what is to be loaded and what the org shall hold then."""
    before, new = rows_of(), rows_of(edition=2)
    if operation == "insert":
        return before, before
    if operation == "upsert":
        load(before[:9])
        return new, new
    load(before)
    if operation == "update":
        return with_ids(org, new), new
    return with_ids(org, before[:7]), before[7:]


@WAYS
@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_rows_in_the_org_equal_the_input(
    org: SimulatedOrg, tmp_path: Path, table: Table, operation: str, source: str, transport: str, way: str
) -> None:
    if (operation, transport) == ("hardDelete", "rest"):
        with pytest.raises(Exception, match="has no hardDelete"):
            load([{"Id": "x"}], operation, transport=transport)
        return
    given, wanted = rows_for(org, operation)
    jobs = len(org.jobs)
    result = load(
        FORMATS[source](tmp_path, given),
        operation,
        transport=transport,
        deferrable=way == "triggerer",
        part_bytes=1000,
        results_path=f"file://{tmp_path}/results",
    )
    assert in_org(org) == {row["Key__c"]: kept(row) for row in wanted}
    assert result["records"] == len(given)
    parts = 0 if transport == "rest" else 1 if "elete" in operation else 3
    assert len(org.jobs) - jobs >= parts
    assert parts or len(org.jobs) == jobs
    _check_report(tmp_path / "results", given, operation)
    table.setdefault((operation, source, transport, f"{len(wanted)}, equal to the input"), set()).add(way)


def _check_report(folder: Path, given: list[dict[str, Any]], operation: str) -> None:
    told = results_in(folder, "succeeded")
    assert report_in(folder)["counts"]["succeeded"] == len(told) == len(given)
    by_place = sorted(told, key=lambda row: int(row["position"]))
    assert [int(row["row"]) for row in by_place] == list(range(1, len(given) + 1))
    if operation not in ("delete", "hardDelete"):
        assert [row["Text__c"] for row in by_place] == [row["Text__c"] for row in given]
    created = {"insert": 18, "upsert": 9}.get(operation, 0)
    assert sum(row["sf__Created"] == "true" for row in told) == created


@WAYS
@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("operation", ["insert", "update", "upsert", "delete"])
def test_the_rows_of_an_extract(
    org: SimulatedOrg, tmp_path: Path, table: Table, operation: str, file_format: str, transport: str, way: str
) -> None:
    load(rows_of())
    receipt = extracted(tmp_path, file_format)
    wanted = in_org(org)
    ids = [row["Id"] for row in org.rows("Thing__c")]
    mapping: dict[str, str | None] = {}
    if operation in ("insert", "upsert"):
        mapping = {"Id": None}
    if operation == "insert":
        for each in ids:
            org.delete("Thing__c", each)
    elif operation != "delete":
        for each in ids[:5]:
            org.update("Thing__c", each, {"Text__c": "changed meanwhile", "Whole__c": 0})
    load(receipt, operation, transport=transport, column_mapping=mapping, deferrable=way == "triggerer")
    assert in_org(org) == ({} if operation == "delete" else wanted)
    left = 0 if operation == "delete" else len(wanted)
    table.setdefault((operation, f"receipt ({file_format})", transport, f"{left}, equal to the input"), set()).add(way)
