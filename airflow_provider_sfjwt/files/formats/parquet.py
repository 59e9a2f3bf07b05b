"""Parquet: result pages written typed and exactly; files read a piece at a time, also from huge row groups.

Needs the extra ``parquet``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_sfjwt.files.formats.faults import Fault, checked_columns, unreadable
from airflow_provider_sfjwt.files.formats.input_file import InputFile
from airflow_provider_sfjwt.files.formats.recoding import fault_of_text
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
            if page.overflows(records):
                break
        if group:
            with _CONVERSIONS:
                _write_group(writer, group)
    return PageContent(records, cells.rounded)


def write_tables(tables: Iterable[pa.Table], schema: pa.Schema, file: FileWriter) -> int:
    """Write typed rows.

    :param tables: some rows at a time, each with the columns and types of the schema.
    :param schema: of the file.
    :param file: open, written from front to back.
    :return: how many rows.
    """
    records = 0
    # Readers skip row groups by the statistics of numbers and datetimes, see `write_page`.
    statistics = [field.name for field in schema if not pa.types.is_string(field.type)]
    with pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=[], write_statistics=statistics) as writer:
        group: list[pa.Table] = []
        for table in tables:
            records += table.num_rows
            group.append(table)
            if sum(each.nbytes for each in group) >= _ROW_GROUP:
                _write_group(writer, group)
        if group:
            _write_group(writer, group)
    return records


def _write_group(writer: pq.ParquetWriter, group: list[pa.Table]) -> None:
    table = pa.concat_tables(group)
    writer.write_table(table, row_group_size=max(table.num_rows, 1))
    group.clear()
    del table
    # Arrow's pool keeps what it was given; without this, memory stands at the sum of all threads' peaks.
    pa.default_memory_pool().release_unused()


def columns(file: InputFile) -> tuple[str, ...]:
    """The columns of the file; those of a struct by their paths. See :class:`~.registry.InputReader`."""
    with file.opened(in_order=False) as stream:
        schema = _open(file, stream).schema_arrow
        return checked_columns([path for field in schema for path in _paths(field)], file.name)


def _paths(field: pa.Field, prefix: str = "") -> list[str]:
    """The paths of what a column holds, e.g. ``Account.Key__c``: a struct is a parent."""
    if not pa.types.is_struct(field.type):
        return [prefix + field.name]
    inner = (field.type.field(place) for place in range(field.type.num_fields))
    return [path for each in inner for path in _paths(each, f"{prefix}{field.name}.")]


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
    row = 1
    with file.opened(in_order=False) as stream:
        parquet = _open(file, stream)
        size = sum(parquet.metadata.row_group(place).total_byte_size for place in range(parquet.num_row_groups))
        rows = min(max(_PIECE_SIZE * parquet.metadata.num_rows // max(size, 1), 1), most_rows)
        try:
            for place in range(parquet.num_row_groups):
                for table in _row_group(parquet, place, rows, wanted):
                    yield _checked(table, file.name, row)
                    row += table.num_rows
                # Otherwise Arrow keeps this memory and takes the next row group's on top of it.
                pa.default_memory_pool().release_unused()
        except pa.ArrowInvalid as error:
            raise unreadable(file.name, f"it is damaged: {error}") from None


def _row_group(parquet: pq.ParquetFile, place: int, rows: int, wanted: Sequence[str]) -> Iterator[pa.Table]:
    """Read a row group by itself: Arrow returns its memory only when the iteration ends."""
    needed, names = set(wanted), list(wanted)
    columns = [field.name for field in parquet.schema_arrow if not needed.isdisjoint(_paths(field))]
    for batch in parquet.iter_batches(batch_size=rows, row_groups=[place], columns=columns, use_threads=False):
        table = pa.Table.from_batches([batch])
        while any(pa.types.is_struct(field.type) for field in table.schema):
            table = table.flatten()
        if table.num_rows:
            yield table.select(names)


def _checked(table: pa.Table, name: str, first_row: int) -> tuple[pa.Table, list[Fault]]:
    """Check the values. Text that is not UTF-8 is a fault of its row.

    :raises pyarrow.ArrowInvalid: for anything else that a value cannot be.
    """
    faults: list[Fault] = []
    for place, column in enumerate(table.column_names):
        values = table.column(column)
        try:
            values.validate(full=True)
        except pa.ArrowInvalid:
            texts, found = _text_faults(values)
            if not found:
                raise
            faults += [Fault(name, first_row + row, column, fault) for row, fault in found]
            table = table.set_column(place, column, texts)
    return table, faults


def _text_faults(values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, list[tuple[int, str]]]:
    """The texts that are UTF-8, and the places of those that are not, which become null."""
    if pa.types.is_dictionary(values.type):
        values = pa.chunked_array([chunk.dictionary_decode() for chunk in values.chunks])
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return values, []
    texts: list[str | None] = []
    faults: list[tuple[int, str]] = []
    for row, data in enumerate(values.cast(pa.large_binary()).to_pylist()):
        text = None if data is None else data.decode("utf-8", "surrogateescape")
        if text is not None and (fault := fault_of_text(text)):
            faults.append((row, fault))
            text = None
        texts.append(text)
    return pa.chunked_array([pa.array(texts, pa.string())]), faults


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
