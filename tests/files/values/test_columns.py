"""One value of each Salesforce type: its text, its Arrow type, its Python type, in every direction."""

from __future__ import annotations

from datetime import date, datetime, time, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_sfjwt.files.formats.registry import OutputFormat
from airflow_provider_sfjwt.files.values.columns import VALUE_TYPES, Column
from airflow_provider_sfjwt.files.values.from_arrow import Form, cells_of
from tests.files.bodies import ChunkedBody, salesforce_csv

MOMENT = datetime(2026, 11, 20, 8, 0, 0, 123_000, tzinfo=timezone.utc)
#: By Salesforce's type: the text, the Arrow type and the Python value.
VALUES: dict[str, tuple[str, str, Any]] = {
    "boolean": ("true", "bool", True),
    "int": ("-7", "int64", -7),
    "long": ("9223372036854775807", "int64", 2**63 - 1),
    "double": ("12.5", "decimal128(18, 2)", Decimal("12.50")),
    "currency": ("12.5", "decimal128(18, 2)", Decimal("12.50")),
    "percent": ("0.05", "decimal128(18, 2)", Decimal("0.05")),
    "date": ("2026-11-20", "date32", date(2026, 11, 20)),
    "datetime": ("2026-11-20T08:00:00.123Z", "timestamp[ms, tz=UTC]", MOMENT),
    "time": ("10:00:00.000Z", "time32[ms]", time(10)),
    **dict.fromkeys(("picklist", "multipicklist", "combobox", "reference", "string"), ("NA", "string", "NA")),
}


def test_every_type_has_a_value() -> None:
    assert VALUE_TYPES.keys() == VALUES.keys() - {"string"}


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_is_the_same_in_every_form(tmp_path: Path, kind: str) -> None:
    text, arrow_type, value = VALUES[kind]
    column = Column("Field__c", kind, 18, 2)
    assert column.arrow_type == arrow_type
    target = ObjectStoragePath(f"file://{tmp_path}") / "part.parquet"
    OutputFormat("parquet").write_page(target, ChunkedBody(salesforce_csv([[column.name], [text]])), (column,))
    table = pq.read_table(tmp_path / "part.parquet")
    assert str(table.schema.field(0).type).replace("[day]", "") == arrow_type
    assert table.column(0).to_pylist() == [value]
    for values in (table.column(0), [value], [text], pa.chunked_array([[text]])):
        cells, unfit = cells_of(values, Form(kind))
        assert (cells.to_pylist(), unfit) == ([text], [])
