"""Parquet files, a piece at a time, and how much of a remote file is read at once."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from airflow_provider_sfjwt.files.formats import parquet
from airflow_provider_sfjwt.files.formats.input_file import InputFile
from tests.files.formats.inputs import an_input, refusal

MEGABYTE = 2**20


class Watched(InputFile):
    """A file that remembers what was read of it."""

    reads: list[int]

    def _raw(self, in_order: bool = True) -> Any:
        raw, self.reads = super()._raw(in_order), []
        read = raw.read

        def remembered(size: int = -1) -> bytes:
            data: bytes = read(size)
            self.reads.append(len(data))
            return data

        raw.read = remembered
        return raw


@pytest.mark.parametrize(("columns", "most"), [(1, 4 * MEGABYTE), (40, 24 * MEGABYTE // 40)])
def test_no_more_than_a_buffer_of_each_column_is_read_at_once(columns: int, most: int) -> None:
    rows = 32 * MEGABYTE // 1000 // columns
    table = pa.table({f"c{place}": [f"{row:01000d}" for row in range(rows)] for place in range(columns)})
    path: Any = UPath(f"memory://{uuid.uuid4().hex}/large.parquet")  # Airflow has no such scheme
    with path.open("wb") as file:
        pq.write_table(table, file, row_group_size=rows, compression="none", use_dictionary=False)
    source = Watched(path, "parquet")
    found = [piece for piece, _ in parquet.pieces(source, table.column_names, table.column_names)]
    assert pa.concat_tables(found).equals(table)
    assert max(source.reads) <= most
    # And no byte twice, but for the end of the file, which tells where the columns are.
    assert sum(source.reads) <= path.stat().st_size + MEGABYTE
    path.unlink()


def test_types_are_kept_and_pieces_have_the_rows_they_may_have(tmp_path: Path) -> None:
    table = pa.table({"N": list(range(1000)), "T": [datetime(2026, 1, 1, tzinfo=timezone.utc)] * 1000})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=300)
    file = an_input(tmp_path, sink.getvalue().to_pybytes(), "in.parquet")
    tables = [each for each, _ in parquet.pieces(file, table.column_names, table.column_names, most_rows=64)]
    assert max(each.num_rows for each in tables) == 64
    assert pa.concat_tables(tables).equals(table)
    assert "it is not Parquet" in refusal(parquet.pieces(an_input(tmp_path, b"nonsense", "b.parquet"), ["N"], ["N"]))
