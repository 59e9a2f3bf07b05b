from __future__ import annotations

import gzip
import json
from datetime import date, datetime, time, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_sfjwt.exceptions import ProtocolError, TransportError
from airflow_provider_sfjwt.files.formats.registry import OutputFormat, WrittenPage
from airflow_provider_sfjwt.files.values.columns import Column
from tests.files.bodies import ChunkedBody, salesforce_csv

COLUMNS = (
    Column("Id", "id"),
    Column("Name", "string"),
    Column("Active__c", "boolean"),
    Column("Employees", "int"),
    Column("Amount", "currency", 18, 2),
    Column("Wide__c", "double", 18, 0),
    Column("Closed", "date"),
    Column("SystemModstamp", "datetime"),
    Column("Opens__c", "time"),
)
HEADER = [column.name for column in COLUMNS]
ROWS = [
    ["001", "NA", "true", "3", "12345678901234.56", "1.0E10"]
    + ["2026-02-28", "2026-02-28T23:59:59.000Z", "10:00:00.000Z"],
    ["002", 'two\nlines, "quoted"', "false", "3.0", "0.1", "3.0"]
    + ["1900-01-01", "1970-01-01T00:00:00.000Z", "23:59:59.999Z"],
    ["003", "", "", "", "", "", "", "", ""],
    ["004", "null", "true", "-7", "-0.50", "42"] + ["2999-12-31", "2026-11-20T08:00:00.123Z", "00:00:00.000Z"],
]
PAGE = salesforce_csv([HEADER, *ROWS])


def write(tmp_path: Path, name: str, page: bytes, columns: tuple[Column, ...] = COLUMNS, **options: str) -> WrittenPage:
    file_format = OutputFormat(name, **options)
    target = ObjectStoragePath(f"file://{tmp_path}") / f"part.{file_format.extension}"
    return file_format.write_page(target, ChunkedBody(page, 700), columns)


def test_parquet_keeps_every_value_exactly(tmp_path: Path) -> None:
    written = write(tmp_path, "parquet", PAGE)
    assert written.records == 4
    assert pq.read_table(tmp_path / written.part.name).to_pylist() == [
        {"Id": "001", "Name": "NA", "Active__c": True, "Employees": 3, "Amount": Decimal("12345678901234.56"),
         "Wide__c": Decimal("10000000000"), "Closed": date(2026, 2, 28),
         "SystemModstamp": datetime(2026, 2, 28, 23, 59, 59, tzinfo=timezone.utc), "Opens__c": time(10)},
        {"Id": "002", "Name": 'two\nlines, "quoted"', "Active__c": False, "Employees": 3, "Amount": Decimal("0.10"),
         "Wide__c": Decimal("3"), "Closed": date(1900, 1, 1),
         "SystemModstamp": datetime(1970, 1, 1, tzinfo=timezone.utc), "Opens__c": time(23, 59, 59, 999000)},
        {"Id": "003"} | dict.fromkeys(HEADER[1:]),
        {"Id": "004", "Name": "null", "Active__c": True, "Employees": -7, "Amount": Decimal("-0.50"),
         "Wide__c": Decimal("42"), "Closed": date(2999, 12, 31),
         "SystemModstamp": datetime(2026, 11, 20, 8, 0, 0, 123000, tzinfo=timezone.utc), "Opens__c": time(0)},
    ]  # fmt: skip


def test_parquet_schema_carries_the_salesforce_type(tmp_path: Path) -> None:
    written = write(tmp_path, "parquet", PAGE)
    schema = pq.read_schema(tmp_path / written.part.name)
    assert schema.field("Amount").metadata == {b"salesforce_type": b"currency", b"precision": b"18", b"scale": b"2"}
    assert [str(field.type).replace("[day]", "") for field in schema] == [
        "string", "string", "bool", "int64", "decimal128(18, 2)", "decimal128(18, 0)", "date32",
        "timestamp[ms, tz=UTC]", "time32[ms]",
    ]  # fmt: skip


def test_csv_is_kept_byte_for_byte(tmp_path: Path) -> None:
    written = write(tmp_path, "csv", PAGE)
    assert (tmp_path / written.part.name).read_bytes() == PAGE
    assert (written.records, written.part.bytes) == (4, len(PAGE))


def test_gzip_is_the_same_for_the_same_data(tmp_path: Path) -> None:
    first, second = (write(tmp_path, "csv", PAGE, compression="gzip").part for _ in range(2))
    assert first.sha256 == second.sha256
    assert gzip.decompress((tmp_path / first.name).read_bytes()) == PAGE


def test_json_lines_keep_digits_and_nulls(tmp_path: Path) -> None:
    written = write(tmp_path, "jsonl", PAGE)
    lines = (tmp_path / written.part.name).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line, parse_float=str, parse_int=str) for line in lines]
    assert [row["Amount"] for row in rows] == ["12345678901234.56", "0.1", None, "-0.50"]
    assert [row["Wide__c"] for row in rows] == ["1.0E10", "3.0", None, "42"]
    assert [row["Active__c"] for row in rows] == [True, False, None, True]
    assert [row["Name"] for row in rows] == ["NA", 'two\nlines, "quoted"', None, "null"]
    assert written.records == 4


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("page", [b"", salesforce_csv([HEADER])], ids=["empty body", "header only"])
def test_no_rows_make_a_part_without_rows(tmp_path: Path, name: str, page: bytes) -> None:
    written = write(tmp_path, name, page)
    assert written.records == 0
    assert [column.name for column in written.columns] == HEADER
    if name == "parquet":
        assert pq.read_table(tmp_path / written.part.name).num_rows == 0


def test_the_header_of_the_page_decides_the_columns(tmp_path: Path) -> None:
    page = salesforce_csv([["Amount", "Owner.Name"], ["1.5", "x"]])
    written = write(tmp_path, "parquet", page)
    assert [(column.name, column.type) for column in written.columns] == [
        ("Amount", "currency"),
        ("Owner.Name", "string"),
    ]


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        (Column("Employees", "int"), "3.5"),
        (Column("Amount", "currency", 18, 2), "0.001"),
        (Column("Amount", "currency", 5, 2), "123456"),
        (Column("Amount", "currency", 5, 2, "decimal"), "many"),
        (Column("Amount", "currency", 5, 2, "float64"), "many"),
        (Column("Employees", "int", numbers="decimal"), "many"),
        (Column("Closed", "date"), "yesterday"),
        (Column("Opens__c", "time"), "25:99"),
        (Column("Active__c", "boolean"), "maybe"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_leaves_no_file(tmp_path: Path, column: Column, cell: str) -> None:
    with pytest.raises(ProtocolError):
        write(tmp_path, "parquet", salesforce_csv([[column.name], ["1"], [cell]]), (column,))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet"])
def test_a_broken_connection_leaves_no_file(tmp_path: Path, name: str) -> None:
    class Broken(ChunkedBody):
        def readinto(self, buffer: memoryview) -> int:
            count = super().readinto(buffer)
            if count == 0:
                raise TransportError("the connection broke", request_was_sent=True)
            return count

    target = ObjectStoragePath(f"file://{tmp_path}") / "part.x"
    with pytest.raises(TransportError):
        OutputFormat(name).write_page(target, Broken(PAGE, 50), COLUMNS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("end", [b'"2"', b'"2",', b'"2","b",', b'"2","b'])
def test_a_page_that_ends_within_a_record_is_no_whole_page(tmp_path: Path, name: str, end: bytes) -> None:
    columns = (Column("Id", "id"), Column("Name"), Column("City"))
    page = b'"Id","Name","City"\n"1","a","x"\n'
    with pytest.raises(TransportError, match="not whole"):
        write(tmp_path, name, page + end, columns)
    assert list(tmp_path.iterdir()) == []
    assert write(tmp_path, name, page + b'"2","b",""', columns).records == 2


def test_a_formula_is_described_with_fewer_digits_than_it_has() -> None:
    described = {"name": "Rate__c", "type": "double", "precision": 18, "scale": 2, "calculated": True}
    assert Column.from_describe(described).arrow_type == "decimal128(38, 18)"
    assert Column.from_describe({**described, "calculated": False}).arrow_type == "decimal128(18, 2)"


@pytest.mark.parametrize(
    ("file_format", "argument"), [(OutputFormat("xml"), "file_format"), (OutputFormat("csv", "zstd"), "compression")]
)
def test_unknown_formats_name_the_argument(file_format: OutputFormat, argument: str) -> None:
    assert list(file_format.faults()) == [argument]
