"""Where each row of a load came from, known for the rows that have been read."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_sfjwt.load.reading.source import LoadSource
from tests.load.reading.sources import write


def test_a_row_is_located_once_it_has_been_read(tmp_path: Path) -> None:
    files = [
        write(tmp_path, f"A\n{content}", name)
        for name, content in (("a.csv", "1\n2\n"), ("b.csv", ""), ("c.csv", "3\n"))
    ]
    source = LoadSource(files)
    with pytest.raises(LookupError, match="position 0 has not been read"):
        source.locate(0)
    reading = source.pieces()
    next(reading)
    assert source.locate(1) == (files[0], 2)
    with pytest.raises(LookupError, match="position 2 has not been read; 2 rows have"):
        source.locate(2)
    for _ in range(2):  # reading again changes nothing
        assert sum(piece.table.num_rows for piece in source.pieces()) == 3
        assert [source.locate(position) for position in range(3)] == [(files[0], 1), (files[0], 2), (files[2], 1)]
    with pytest.raises(LookupError):
        source.locate(-1)


def test_rows_are_located_as_well() -> None:
    source = LoadSource([{"A": 1}, {"A": 2}])
    list(source.pieces())
    assert source.locate(1) == ("rows", 2)
