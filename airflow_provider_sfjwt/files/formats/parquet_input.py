"""Parquet as Arrow tables, a piece at a time, whatever the size of its row groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_sfjwt.files.formats.faults import Fault, same_columns, unreadable
from airflow_provider_sfjwt.files.formats.input_file import InputFile
from airflow_provider_sfjwt.files.storage.file_writer import is_local

#: Bytes of a piece, about, and the rows it has at most.
_PIECE = 2**20
_MOST_ROWS = 20_000
#: Bytes of each column that are read at once, instead of all of a row group.
_BUFFER = 128 * 1024
#: The same from far away, where each read costs a request; and what the columns together take at most, about.
_FAR_BUFFER = 4 * 2**20
_FAR_BUFFERS = 24 * 2**20


def columns(file: InputFile) -> tuple[str, ...]:
    """The columns of the file.

    :param file: the file.
    :raises ConfigurationError: when it is no Parquet.
    """
    with file.opened(in_order=False) as stream:
        return same_columns(_open(file, stream).schema_arrow.names, file.name)


def pieces(file: InputFile, wanted: Sequence[str], known: Sequence[str]) -> Iterator[tuple[pa.Table, list[Fault]]]:
    """Read the rows.

    :param file: the file.
    :param wanted: the columns to read, in the order that the tables shall have.
    :param known: all columns of the source.
    :raises ConfigurationError: when it is damaged.
    """
    with file.opened(in_order=False) as stream:
        parquet = _open(file, stream)
        size = sum(parquet.metadata.row_group(place).total_byte_size for place in range(parquet.num_row_groups))
        rows = min(max(_PIECE * parquet.metadata.num_rows // max(size, 1), 1), _MOST_ROWS)
        try:
            for place in range(parquet.num_row_groups):
                yield from _row_group(parquet, place, rows, wanted)
                # Otherwise the next one's memory comes on top of what Arrow keeps for later.
                pa.default_memory_pool().release_unused()
        except pa.ArrowInvalid as error:
            raise unreadable(file.name, f"it is damaged: {error}") from None


def _row_group(
    parquet: pq.ParquetFile, place: int, rows: int, wanted: Sequence[str]
) -> Iterator[tuple[pa.Table, list[Fault]]]:
    """Read a row group by itself: what Arrow holds for one is given back only when the iteration ends."""
    names = list(wanted)
    for batch in parquet.iter_batches(batch_size=rows, row_groups=[place], columns=names, use_threads=False):
        table = pa.Table.from_batches([batch]).select(names)
        table.validate(full=True)
        if table.num_rows:
            yield table, []


def _open(file: InputFile, stream: Any) -> pq.ParquetFile:
    """Open a file so that no more than a buffer of each column is in memory.

    What Arrow would read beforehand is all of a row group, which may be all of the file.
    """
    try:
        if is_local(file.path):  # without Python in between
            return pq.ParquetFile(file.path.path, buffer_size=_BUFFER, pre_buffer=False, memory_map=False)
        metadata = pq.read_metadata(stream)
        buffer = min(max(_FAR_BUFFERS // max(metadata.num_columns, 1), _BUFFER), _FAR_BUFFER)
        return pq.ParquetFile(stream, metadata=metadata, buffer_size=buffer, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise unreadable(file.name, f"it is no Parquet: {error}") from None
