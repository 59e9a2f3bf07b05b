"""How much of a Parquet file from far away is asked for at once, whatever the size of its row groups."""

from __future__ import annotations

import uuid
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from airflow_provider_sfjwt.files.formats import parquet_input
from airflow_provider_sfjwt.files.formats.input_file import InputFile

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
    found = [piece for piece, _ in parquet_input.pieces(source, table.column_names, table.column_names)]
    assert pa.concat_tables(found).equals(table)
    assert max(source.reads) <= most
    # And no byte twice, but for the end of the file, which tells where the columns are.
    assert sum(source.reads) <= path.stat().st_size + MEGABYTE
    path.unlink()
