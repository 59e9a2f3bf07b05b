from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet
from airflow_provider_sfjwt.tasks.row_keys import RowKeys
from tests.tables.data_sets import publish

TYPES = {"region": pa.string(), "n": pa.int64()}


def keys(folder: Path, rows: list[tuple[str | None, int | None]], *columns: str) -> RowKeys:
    listed = [{"region": region, "n": n} for region, n in rows]
    place = publish(folder / "rows", listed, types=TYPES, rows_per_part=7)
    return RowKeys(PublishedDataSet(place), columns or ("region", "n"))


def test_keys_of_positions_in_any_order_of_parts(tmp_path: Path) -> None:
    found = keys(tmp_path, [("north", n) for n in range(50)])
    chance = random.Random(15)
    for _ in range(30):
        wanted = sorted(chance.sample(range(50), 9))
        assert found.at(wanted).to_pylist() == [{"region": "north", "n": n} for n in wanted]


def test_rows_are_told_apart_by_all_columns_together(tmp_path: Path) -> None:
    found = keys(tmp_path, [("north", 1), ("south", 1), ("north", 2)])
    found.check()
    # Python's hashes of -1 and -2 are the same.
    keys(tmp_path / "other", [("north", -1), ("north", -2)], "n").check()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("a", 1), ("b", 2), ("a", 1), ("a", 1)], "region, n does not tell the rows apart: a 1 is in rows 1 and 3$"),
        ([("a", 1), ("a", None)], "row 2 has no region, n"),
        ([(str(n // 2), n // 2) for n in range(20)], "0 0 is in rows 1 and 2; 1 1 is in rows 3 and 4; 2 2 is in rows 5 and 6$"),
    ],
)  # fmt: skip
def test_keys_that_do_not_serve_are_named(tmp_path: Path, rows: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        keys(tmp_path, rows).check()
