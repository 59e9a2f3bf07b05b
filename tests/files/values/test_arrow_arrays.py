"""Arrow's values of Python's, and that a load can do without pandas."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.files.values.arrow_arrays import integers, scalar, texts

_STAGE = """
import sys
from pathlib import Path
from airflow_provider_sfjwt.load.columns import LoadColumn
from airflow_provider_sfjwt.load.operations import OPERATIONS
from airflow_provider_sfjwt.load.reading.source import LoadSource
from airflow_provider_sfjwt.load.staging.duplicate_keys import DuplicateKeys
from airflow_provider_sfjwt.load.staging.row_checks import RowChecks, key_column
from airflow_provider_sfjwt.load.staging.row_faults import RowFaults
from airflow_provider_sfjwt.load.staging.staging import Staging
from airflow_provider_sfjwt.load.spec import LoadSpec
from airflow_provider_sfjwt.load.staging.sent_cells import SentCells

types = {"Key": "string", "Name": "string", "Mail": "email", "Money": "currency", "On": "date", "At": "datetime"}
columns = [
    LoadColumn(name, name, {"name": name, "type": kind, "length": 80}, required=name == "Name")
    for name, kind in types.items()
]
source = LoadSource(sys.argv[1])
key = key_column(columns, OPERATIONS["upsert"], "Key")
checks, keys, faults = RowChecks(columns, OPERATIONS["upsert"], key), DuplicateKeys(key), RowFaults()
spec = LoadSpec(
    sobject="X", operation="upsert", source="/a", null_policy="clear", trim=True, timezone="Europe/Berlin"
)
cells = SentCells(columns, spec)
with Staging(list(types)) as staging:
    for piece in source.pieces():
        sent = cells.of(piece)
        faults.add_piece(sent, checks.findings(sent.table))
        keys.add(sent.table, sent)
        staging.add(sent.table, sent.first_position)
    faults.add_duplicates(keys)
    assert not faults.total
    part = staging.parts()[0]
    assert part.rows == 2 and part.positions().to_pylist() == [0, 1]
"""


@settings(deadline=None)
@given(st.lists(st.none() | st.text()))
def test_text_is_as_pyarrow_makes_it(values: list[str | None]) -> None:
    made = texts(values)
    made.validate(full=True)
    assert made.equals(pa.array(values, pa.string()))


@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_numbers_are_as_pyarrow_makes_them(values: list[int]) -> None:
    made = integers(values)
    made.validate(full=True)
    assert made.equals(pa.array(values, pa.int64()))


@pytest.mark.parametrize("value", ["", "text", True, False, 0, -(2**63)])
def test_a_scalar_is_as_pyarrow_makes_it(value: str | bool | int) -> None:
    assert scalar(value).equals(pa.scalar(value))


def test_none_is_text_that_is_null() -> None:
    assert scalar(None).equals(pa.scalar(None, pa.string()))


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_staging_does_not_import_pandas(tmp_path: Path, file_format: str) -> None:
    """It takes 35 MB, and Arrow takes it wherever it is installed."""
    rows = {
        "Key": ["a", "b"],
        "Name": ["A", "B"],
        "Mail": ["a@example.com", ""],
        "Money": [1.5, 1e20],
        "On": ["2026-01-31", "2026-02-01"],
        "At": ["2026-01-31T12:00:00.000Z", None],
    }
    source, imported = tmp_path / f"rows.{file_format}", tmp_path / "imported"
    if file_format == "csv":
        from pyarrow.csv import write_csv

        write_csv(pa.table(rows), str(source))
    else:
        from pyarrow.parquet import write_table

        moments = pa.array(rows["At"]).cast(pa.timestamp("us", "UTC"))
        write_table(pa.table(rows).set_column(5, "At", moments), str(source))
    pandas = tmp_path / "pandas.py"
    pandas.write_text(f"open({str(imported)!r}, 'w').close()\nraise ImportError('none')\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _STAGE, str(source)],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "AIRFLOW_HOME": str(tmp_path / "airflow")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not imported.exists()
