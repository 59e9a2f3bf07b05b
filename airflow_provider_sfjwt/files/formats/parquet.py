"""Parquet: result pages written typed and exactly; files read a piece at a time, also from huge row groups.

Needs the extra ``parquet``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_sfjwt.files.formats.faults import Fault, checked_columns, unreadable
from airflow_provider_sfjwt.files.formats.input_file import InputFile
from airflow_provider_sfjwt.files.formats.result_page import PageContent, ResultPage
from airflow_provider_sfjwt.files.formats.typed_cells import TypedCells
from airflow_provider_sfjwt.files.storage.file_writer import FileWriter
from airflow_provider_sfjwt.files.storage.paths import is_local

#: Bytes of Arrow data that make a row group. Larger groups cost memory for each page that is written in parallel.
_ROW_GROUP = 1024 * 1024
#: Bytes of a piece, about, and the rows it has at most.
_PIECE_SIZE = 2**20
_MOST_ROWS = 20_000
#: Bytes of each column that are read at once, instead of all of a row group.
_BUFFER = 128 * 1024
#: The same from far away, where each read costs a request; and what the columns together take at most, about.
_FAR_BUFFER = 4 * 2**20
_FAR_BUFFERS = 24 * 2**20


def _cores() -> int:
    # Not all cores of the machine are this process's: a container or a task's affinity may allow fewer.
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


#: Conversions at once: one that computes on each core, and one that takes over where it waits for Python's lock. With
#: one alone, a sixth of the time is lost between them.
_CONVERSIONS = threading.BoundedSemaphore(2 * _cores())


def write_page(page: ResultPage, file: FileWriter, compression: str | None) -> PageContent:
    """Convert a page to its columns' types and write it. See :class:`~.registry.PageWriter`."""
    records = 0
    cells = TypedCells(page.columns)
    options = {
        "compression": compression or "zstd",
        # Of any other column's values, a dictionary costs time and makes the file larger.
        "use_dictionary": [column.name for column in page.columns if column.value_type.repeats],
        # Readers skip row groups by those of numbers and datetimes. Those of text cost a fifth of the writing.
        "write_statistics": [column.name for column in page.columns if column.arrow_type != "string"],
    }
    with pq.ParquetWriter(file, cells.schema, **options) as writer:
        group: list[pa.Table] = []
        for piece in page.pieces:
            if not len(piece):
                continue
            with _CONVERSIONS:
                group.append(cells.table(piece))
                records += group[-1].num_rows
                if sum(table.nbytes for table in group) >= _ROW_GROUP:
                    _write_group(writer, group)
        if group:
            with _CONVERSIONS:
                _write_group(writer, group)
    return PageContent(records, cells.rounded)


def _write_group(writer: pq.ParquetWriter, group: list[pa.Table]) -> None:
    table = pa.concat_tables(group)
    writer.write_table(table, row_group_size=max(table.num_rows, 1))
    group.clear()
    del table
    # Arrow's pool keeps what it was given; without this, memory stands at the sum of all threads' peaks.
    pa.default_memory_pool().release_unused()


def columns(file: InputFile) -> tuple[str, ...]:
    """The columns of the file. See :class:`~.registry.InputReader`."""
    with file.opened(in_order=False) as stream:
        return checked_columns(_open(file, stream).schema_arrow.names, file.name)


def pieces(
    file: InputFile, wanted: Sequence[str], known: Sequence[str], *, most_rows: int = _MOST_ROWS
) -> Iterator[tuple[pa.Table, list[Fault]]]:
    """Read the rows. See :class:`~.registry.InputReader`.

    :param file: the file.
    :param wanted: the columns to read, in the order that the tables shall have.
    :param known: all columns of the source.
    :param most_rows: of a piece.
    :raises ConfigurationError: if the file is damaged.
    """
    with file.opened(in_order=False) as stream:
        parquet = _open(file, stream)
        size = sum(parquet.metadata.row_group(place).total_byte_size for place in range(parquet.num_row_groups))
        rows = min(max(_PIECE_SIZE * parquet.metadata.num_rows // max(size, 1), 1), most_rows)
        try:
            for place in range(parquet.num_row_groups):
                yield from _row_group(parquet, place, rows, wanted)
                # Otherwise Arrow keeps this memory and takes the next row group's on top of it.
                pa.default_memory_pool().release_unused()
        except pa.ArrowInvalid as error:
            raise unreadable(file.name, f"it is damaged: {error}") from None


def _row_group(
    parquet: pq.ParquetFile, place: int, rows: int, wanted: Sequence[str]
) -> Iterator[tuple[pa.Table, list[Fault]]]:
    """Read a row group by itself: Arrow returns its memory only when the iteration ends."""
    names = list(wanted)
    for batch in parquet.iter_batches(batch_size=rows, row_groups=[place], columns=names, use_threads=False):
        table = pa.Table.from_batches([batch]).select(names)
        table.validate(full=True)
        if table.num_rows:
            yield table, []


def _open(file: InputFile, stream: Any) -> pq.ParquetFile:
    """Open a file so that no more than a buffer of each column is in memory.

    By default, Arrow reads all of a row group beforehand, which may be the whole file.
    """
    try:
        if is_local(file.path):  # Arrow reads it itself, without Python in between
            return pq.ParquetFile(file.path.path, buffer_size=_BUFFER, pre_buffer=False, memory_map=False)
        metadata = pq.read_metadata(stream)
        buffer = min(max(_FAR_BUFFERS // max(metadata.num_columns, 1), _BUFFER), _FAR_BUFFER)
        return pq.ParquetFile(stream, metadata=metadata, buffer_size=buffer, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise unreadable(file.name, f"it is not Parquet: {error}") from None
