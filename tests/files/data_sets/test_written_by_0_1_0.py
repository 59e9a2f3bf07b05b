"""What release 0.1.0 wrote is read: a published data set, and one whose last page never arrived."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder
from airflow_provider_sfjwt.files.data_sets.receipt import Counts
from airflow_provider_sfjwt.files.storage.receipts import Writer
from airflow_provider_sfjwt.load.reading.source import LoadSource

WRITTEN = Path(__file__).parent / "written_by_0_1_0"


def test_a_receipt_is_read() -> None:
    receipt = DataSetFolder(f"file://{WRITTEN}/published").previous_receipt
    assert receipt is not None
    assert (receipt.records, receipt.counts, receipt.package_version) == (5, Counts(5, 5, 5), "0.1.0")
    assert receipt.written_by == Writer("nightly", "scheduled__2026-11-20T00:00:00+00:00", "extract", -1)
    assert (receipt.receipt_version, receipt.numbers, receipt.rounded, receipt.org_id) == (1, None, None, None)


def test_a_data_set_is_loaded_by_its_receipt() -> None:
    rows = [row for piece in LoadSource(f"{WRITTEN}/published").pieces() for row in piece.table.to_pylist()]
    assert len({row["Id"] for row in rows}) == 5
    assert [{name: type(value) for name, value in row.items() if value is not None} for row in rows[:1]] == [
        {"Id": str, "Name": str, "AnnualRevenue": Decimal, "NumberOfEmployees": int, "CreatedDate": datetime}
    ]
    assert all(row["CreatedDate"].utcoffset() == timedelta(0) for row in rows)


def test_the_pages_of_a_broken_attempt_are_fetched_again() -> None:
    """Their manifests do not say how numbers were kept, so their parts may hold other types."""
    assert DataSetFolder(f"file://{WRITTEN}/broken_off").finished_pages("7505e0000000002AAA") == {}


def test_what_a_broken_attempt_left_is_removed(tmp_path: Path) -> None:
    shutil.copytree(WRITTEN / "broken_off", tmp_path / "out")
    DataSetFolder(f"file://{tmp_path}/out").discard("7505e0000000002AAA")
    assert list((tmp_path / "out").iterdir()) == []
