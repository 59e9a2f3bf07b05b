from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.examples import reading_data_sets

AMOUNTS = [Decimal("1.10"), None, Decimal("12345678901234.56")]


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A data set of two parts, and a leftover file that no receipt lists."""
    table = pa.table({"Amount": pa.array(AMOUNTS, pa.decimal128(18, 2))})
    pq.write_table(table.slice(0, 2), tmp_path / "part-00000-7505e0000000001AAA.parquet")
    pq.write_table(table.slice(2), tmp_path / "part-00001-7505e0000000001AAA.parquet")
    pq.write_table(table, tmp_path / "part-00000-7505e0000000000AAA.parquet")
    parts = [{"name": f"part-0000{number}-7505e0000000001AAA.parquet"} for number in (0, 1)]
    (tmp_path / "_receipt.json").write_text(json.dumps({"parts": parts}), encoding="utf-8")
    return str(tmp_path)


def test_only_what_the_receipt_lists_is_read(folder: str) -> None:
    assert reading_data_sets.read(folder).column("Amount").to_pylist() == AMOUNTS
