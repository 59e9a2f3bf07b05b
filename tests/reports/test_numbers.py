"""R1: a number that Salesforce printed fails no extract, whatever the description of its field says.

https://help.salesforce.com/s/articleView?id=000387302
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.exceptions import ConfigurationError, ProtocolError
from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.files.formats.registry import OutputFormat
from airflow_provider_sfjwt.files.values.columns import Column, TooLargeNumbersError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.files.bodies import ChunkedBody, salesforce_csv
from tests.files.values.java_doubles import java_text

PLACES = Decimal("1e-18")
WIDE = Context(prec=400, rounding=ROUND_HALF_EVEN)


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={}, bulk_polls=0, bulk_page_size=2) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        running.define_object(
            "Sum__c",
            [
                Field("Amount__c", "currency", precision=18, scale=2),
                Field("Count__c", "double", precision=18, scale=0),
                Field("Rate__c", "percent", precision=18, scale=2, calculated=True),
                Field("Whole__c", "int"),
            ],
        )
        yield running


def extract(path: Path, **order: Any) -> tuple[pa.Table, Receipt]:
    receipt = SalesforceJwtHook().extract(output_path=f"file://{path}", sobject="Sum__c", **order)
    tables = [pq.read_table(path / part.name) for part in receipt.parts]
    return pa.concat_tables(tables), receipt


@pytest.mark.parametrize("transport", ["bulk", "rest"])
@pytest.mark.parametrize(
    ("field", "cell"),
    [
        ("Amount__c", "1300.56172841"),
        ("Amount__c", "1.6147805824397E13"),
        ("Count__c", "1.3333333333333333"),
        ("Count__c", "0.5"),
        ("Rate__c", "12.345678901234567"),
        ("Whole__c", "1.0E7"),
    ],
)
def test_R1_more_digits_than_described_are_kept(
    org: SimulatedOrg, tmp_path: Path, transport: str, field: str, cell: str
) -> None:
    org.insert("Sum__c", [{field: cell}, {field: None}])
    table, receipt = extract(tmp_path, fields=["Id", field], transport=transport)
    assert sorted(table[field].to_pylist(), key=str) == sorted([Decimal(cell), None], key=str)
    assert table.schema.field(field).type == (pa.int64() if field == "Whole__c" else pa.decimal128(38, 18))
    assert (receipt.numbers, receipt.rounded, receipt.widened) == ("decimal", {}, ())


@pytest.mark.parametrize("transport", ["bulk", "rest"])
def test_R1_digits_after_the_18th_place_are_rounded_and_counted(
    org: SimulatedOrg, tmp_path: Path, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    org.insert("Sum__c", [{"Rate__c": "0.0033333333333333335"}, {"Rate__c": "0.25"}, {"Rate__c": "1.0E-20"}])
    table, receipt = extract(tmp_path, fields=["Id", "Rate__c"], transport=transport)
    assert sorted(table["Rate__c"].to_pylist()) == [Decimal(0), Decimal("0.003333333333333334"), Decimal("0.25")]
    assert receipt.rounded == {"Rate__c": 2}
    assert json.loads((tmp_path / "_receipt.json").read_text())["rounded"] == {"Rate__c": 2}
    assert sum("rounded after the 18th decimal place: Rate__c (2)" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize("transport", ["bulk", "rest"])
@pytest.mark.parametrize(
    ("field", "cell"), [("Amount__c", "1.2E25"), ("Rate__c", "1.0E20"), ("Count__c", "123456789012345678901")]
)
def test_R1_a_number_that_does_not_fit_widens_its_column(
    org: SimulatedOrg, tmp_path: Path, transport: str, field: str, cell: str, caplog: pytest.LogCaptureFixture
) -> None:
    org.insert("Sum__c", [{field: "1"}, {field: "2"}, {field: "3"}, {field: cell}, {field: "5"}])
    table, receipt = extract(tmp_path, fields=["Id", field], transport=transport)
    assert sorted(table[field].to_pylist()) == sorted([1.0, 2.0, 3.0, float(cell), 5.0])
    assert receipt.widened == (field,)
    assert [column["arrow_type"] for column in receipt.columns] == ["string", "float64"]
    assert [record.levelname for record in caplog.records if field in record.message][-1:] == ["WARNING"]
    assert {part.name for part in receipt.parts} | {"_receipt.json"} == {each.name for each in tmp_path.iterdir()}


def test_R1_doubles_on_request(org: SimulatedOrg, tmp_path: Path) -> None:
    org.insert("Sum__c", [{"Amount__c": "1300.56172841", "Rate__c": "1.0E25"}])
    table, receipt = extract(tmp_path, fields=["Amount__c", "Rate__c"], numbers="float64")
    assert table.to_pylist() == [{"Amount__c": 1300.56172841, "Rate__c": 1e25}]
    assert (receipt.numbers, receipt.widened) == ("float64", ())


def test_R1_described_types_on_request_name_the_row_and_the_way_out(org: SimulatedOrg, tmp_path: Path) -> None:
    [_, wrong] = org.insert("Sum__c", [{"Amount__c": "12.25"}, {"Amount__c": "1300.56172841"}])
    with pytest.raises(ProtocolError) as refused:
        extract(tmp_path, fields=["Id", "Amount__c"], numbers="described")
    assert f"column Amount__c holds a value that does not fit decimal128(18, 2) (record {wrong})" in str(refused.value)
    assert "numbers='decimal'" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_R1_another_name_of_a_way_is_refused(org: SimulatedOrg, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="numbers: 'exact' is not one of decimal, float64, described"):
        extract(tmp_path, numbers="exact")


@pytest.mark.parametrize(
    ("kind", "cell"), [("int", "2.5"), ("long", "1.0E30"), ("double", "NaN"), ("int", "-Infinity")]
)
def test_R1_no_kind_of_number_fails(tmp_path: Path, kind: str, cell: str) -> None:
    values, column, _ = written(str(tmp_path), "parquet", Column("Field__c", kind, 9).kept_as("decimal"), ["1", cell])
    assert column.is_widened
    assert repr(values) == repr([1.0, float(cell)])


TYPES = st.sampled_from(["double", "currency", "percent", "int", "long"])


def written(folder: str, file_format: str, column: Column, cells: list[str | None]) -> tuple[Any, Column, int]:
    """The values in a part, its column, and how many were rounded."""
    target = ObjectStoragePath(f"file://{folder}") / f"part.{file_format}"
    page = salesforce_csv([["Id", column.name], *([str(place), cell or ""] for place, cell in enumerate(cells))])
    columns = (Column("Id", "id"), column)
    try:
        done = OutputFormat(file_format).write_page(target, ChunkedBody(page, 61), columns)
    except TooLargeNumbersError as found:
        assert found.columns == (column.name,)
        return written(folder, file_format, column.widened(), cells)
    path = Path(folder) / target.name
    if file_format == "parquet":
        return pq.read_table(path)[column.name].to_pylist(), column, dict(done.rounded).get(column.name, 0)
    if file_format == "jsonl":
        lines = [json.loads(line, parse_float=str, parse_int=str) for line in path.read_text().splitlines()]
        return [line[column.name] for line in lines], column, 0
    return [line.rpartition(",")[2].strip('"') or None for line in path.read_text().splitlines()[1:]], column, 0


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.none() | st.floats() | st.floats(-1, 1) | st.integers(-(10**9), 10**9).map(float), min_size=1, max_size=8
    ),
    TYPES,
    st.integers(1, 18),
    st.integers(0, 8),
    st.sampled_from(["decimal", "float64"]),
)
def test_R1_any_double_in_any_described_type_is_green_in_every_format(
    numbers: list[float | None], kind: str, precision: int, scale: int, kept: str
) -> None:
    cells = [None if number is None else java_text(number) for number in numbers]
    described = Column("Field__c", kind, max(precision, scale), scale).kept_as(kept)
    with TemporaryDirectory() as folder:
        values, column, rounded = written(folder, "parquet", described, cells)
        for text_format in ("csv", "jsonl"):
            assert written(folder, text_format, described, cells)[0] == cells
    for value, cell in zip(values, cells, strict=True):
        if cell is None:
            assert value is None
        elif isinstance(value, float):
            assert value == float(cell) or (math.isnan(value) and cell == "NaN")
        else:
            assert value == Decimal(cell).quantize(PLACES, context=WIDE)
    if column.arrow_type.startswith("decimal128"):
        assert rounded == sum(
            cell is not None and Decimal(cell) != value for cell, value in zip(cells, values, strict=True)
        )
