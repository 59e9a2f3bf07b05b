"""The documentation's ways to read a data set, tried on real extracts: local and on S3, of each format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, time, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.examples import reading_data_sets

STAMP = datetime(2026, 11, 20, 13, 8, 34, 125000, tzinfo=timezone.utc)
#: What readers get wrong: a text that looks like null, line breaks, quotes, digits that no double holds, leap days.
ROWS: list[dict[str, Any]] = [
    {
        "Name": "NA", "Description": 'two\r\nlines, "quoted" \\', "Price__c": "1234567890123456.78", "Active__c": True,
        "NumberOfEmployees": 12, "CustomerSince__c": "2024-02-29", "Opens__c": "10:30:00.500Z", "SystemModstamp": STAMP,
    },
    {"Name": "Zürich", "Price__c": "0.10", "Active__c": False, "SystemModstamp": STAMP},
    {"Name": "007", "Active__c": False, "NumberOfEmployees": 0, "SystemModstamp": STAMP},
]  # fmt: skip
FIELDS = [
    "Name", "Description", "Price__c", "Active__c", "NumberOfEmployees", "CustomerSince__c", "Opens__c",
    "SystemModstamp", "Owner.Name",
]  # fmt: skip
EXPECTED = [
    (
        "NA", 'two\r\nlines, "quoted" \\', Decimal("1234567890123456.78"), True, 12, date(2024, 2, 29),
        time(10, 30, 0, 500000), STAMP, "Integration User",
    ),
    ("Zürich", None, Decimal("0.10"), False, None, None, None, STAMP, "Integration User"),
    ("007", None, None, False, 0, None, None, STAMP, "Integration User"),
]  # fmt: skip


@pytest.fixture(scope="module")
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={}, bulk_page_size=2, bulk_polls=0) as running, pytest.MonkeyPatch.context() as patch:
        running.add_field("Account", Field("Price__c", "currency", precision=18, scale=2))
        running.add_field("Account", Field("Opens__c", "time"))
        running.insert("Account", ROWS)
        patch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running


def extract(path: str, file_format: str, compression: str | None = None) -> str:
    SalesforceJwtHook().extract(
        sobject="Account", fields=FIELDS, output_path=path, file_format=file_format, compression=compression
    )
    return path


@pytest.fixture
def parquet(org: SimulatedOrg, tmp_path: Path) -> str:
    """A data set of two parts, and a leftover part that its receipt does not list."""
    path = extract(f"file://{tmp_path}", "parquet")
    part = next(tmp_path.glob("part-00000-*"))
    (tmp_path / "part-00000-7505e00000ZZZZZAAA.parquet").write_bytes(part.read_bytes())
    return path


@pytest.fixture(params=[None, "gzip"])
def compression(request: pytest.FixtureRequest) -> str | None:
    return request.param


@pytest.fixture
def csv(org: SimulatedOrg, tmp_path: Path, compression: str | None) -> str:
    return extract(f"file://{tmp_path}", "csv", compression)


@pytest.fixture
def json_lines(org: SimulatedOrg, tmp_path: Path, compression: str | None) -> str:
    return extract(f"file://{tmp_path}", "jsonl", compression)


def tuples(records: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The values of each record, whose keys must be the fields in order."""
    assert all(list(record) == FIELDS for record in records)
    return [tuple(record.values()) for record in records]


def without_nulls(frame: Any) -> list[tuple[Any, ...]]:
    """A data frame's rows, with None for pandas' own null."""
    return tuples(frame.astype(object).where(frame.notna(), None).to_dict("records"))


def test_pyarrow(parquet: str) -> None:
    assert tuples(reading_data_sets.arrow_table(parquet).to_pylist()) == EXPECTED


def test_pandas(parquet: str) -> None:
    frame = reading_data_sets.data_frame(parquet)
    assert str(frame["Price__c"].dtype) == "decimal128(38, 18)[pyarrow]"
    assert str(frame["NumberOfEmployees"].dtype) == "int64[pyarrow]"
    assert without_nulls(frame) == EXPECTED


def test_duckdb(parquet: str) -> None:
    relation = reading_data_sets.relation(parquet)
    assert relation.columns == FIELDS
    assert relation.fetchall() == EXPECTED
    assert reading_data_sets.relation(parquet.removeprefix("file://")).fetchall() == EXPECTED


def test_duckdb_reads_csv_with_the_types_of_parquet(csv: str) -> None:
    relation = reading_data_sets.relation_of_csv(csv)
    assert relation.columns == FIELDS
    assert relation.fetchall() == EXPECTED


def test_pandas_reads_csv_as_text(csv: str) -> None:
    assert without_nulls(reading_data_sets.data_frame_of_csv(csv)) == [
        (
            "NA", 'two\r\nlines, "quoted" \\', "1.23456789012345678E15", "true", "12.0", "2024-02-29", "10:30:00.500Z",
            "2026-11-20T13:08:34.125Z", "Integration User",
        ),
        ("Zürich", None, "0.1", "false", None, None, None, "2026-11-20T13:08:34.125Z", "Integration User"),
        ("007", None, None, "false", "0.0", None, None, "2026-11-20T13:08:34.125Z", "Integration User"),
    ]  # fmt: skip


def test_duckdb_reads_json_lines_but_rounds_long_numbers(json_lines: str) -> None:
    read = reading_data_sets.relation_of_json_lines(json_lines)
    assert read.columns == FIELDS
    rows = read.fetchall()
    assert [(*row[:2], *row[3:]) for row in rows] == [(*row[:2], *row[3:]) for row in EXPECTED]
    assert [row[2] for row in rows[1:]] == [row[2] for row in EXPECTED[1:]]
    assert rows[0][2] != EXPECTED[0][2]
    assert float(rows[0][2]) == float(EXPECTED[0][2])


def test_python_reads_json_lines_exactly(json_lines: str) -> None:
    read = tuples(list(reading_data_sets.rows(json_lines)))
    assert [row[:5] for row in read] == [row[:5] for row in EXPECTED]
    assert read[0][5:] == ("2024-02-29", "10:30:00.500Z", "2026-11-20T13:08:34.125Z", "Integration User")


@pytest.fixture(scope="module")
def lake() -> Iterator[dict[str, Any]]:
    """A server that speaks S3, with a bucket ``lake`` that Airflow's connection ``lake_reader`` reaches."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "test-key", "aws_secret_access_key": "test-secret"}
    boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys).create_bucket(Bucket="lake")
    extra = {"endpoint_url": url, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "test-key", "password": "test-secret", "extra": extra}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_LAKE_READER", json.dumps(connection))
        yield {"key": "test-key", "secret": "test-secret", "client_kwargs": extra}
    server.stop()


def test_all_of_them_read_s3(org: SimulatedOrg, lake: dict[str, Any]) -> None:
    extract("s3://lake_reader@lake/parquet", "parquet")
    extract("s3://lake_reader@lake/csv", "csv", "gzip")
    extract("s3://lake_reader@lake/jsonl", "jsonl")

    assert tuples(reading_data_sets.arrow_table("s3://lake/parquet", **lake).to_pylist()) == EXPECTED
    assert without_nulls(reading_data_sets.data_frame("s3://lake/parquet", **lake)) == EXPECTED
    assert reading_data_sets.relation("s3://lake/parquet", **lake).fetchall() == EXPECTED
    assert len(reading_data_sets.data_frame_of_csv("s3://lake/csv", **lake)) == len(EXPECTED)
    assert len(list(reading_data_sets.rows("s3://lake/jsonl", **lake))) == len(EXPECTED)


def test_without_a_receipt_there_is_nothing_to_read(parquet: str) -> None:
    Path(parquet.removeprefix("file://"), "_receipt.json").unlink()
    for read in (reading_data_sets.arrow_table, reading_data_sets.data_frame, reading_data_sets.relation):
        with pytest.raises(FileNotFoundError):
            read(parquet)


def test_the_sha256_of_a_receipt_is_that_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "_receipt.json").write_bytes(b"abc")
    assert reading_data_sets.receipt_sha256(str(tmp_path)) == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
