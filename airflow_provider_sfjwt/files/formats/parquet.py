"""Parquet: result pages written typed and exactly; files read a piece at a time, also from huge row groups.

Needs the extra ``parquet``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.files.formats.faults import Fault, checked_columns, unreadable
from airflow_provider_sfjwt.files.formats.input_file import InputFile
from airflow_provider_sfjwt.files.formats.result_page import ResultPage
from airflow_provider_sfjwt.files.storage.file_writer import FileWriter
from airflow_provider_sfjwt.files.storage.paths import is_local
from airflow_provider_sfjwt.files.values.cells import EMPTY_CELLS_ARE_NULL
from airflow_provider_sfjwt.files.values.columns import Column

#: Digits after the decimal point that a number may have in Salesforce's CSV, before it is cast to its column's scale.
_WIDE_SCALE = 30
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


def write_page(page: ResultPage, file: FileWriter, compression: str | None) -> int:
    """Convert a page to its columns' types and write it. See :class:`~.registry.PageWriter`."""
    records = 0
    converter = _Converter(page.columns)
    options = {
        "compression": compression or "zstd",
        # Of any other column's values, a dictionary costs time and makes the file larger.
        "use_dictionary": [column.name for column in page.columns if column.value_type.repeats],
        # Readers skip row groups by those of numbers and datetimes. Those of text cost a fifth of the writing.
        "write_statistics": [column.name for column in page.columns if column.arrow_type != "string"],
    }
    with pq.ParquetWriter(file, converter.schema, **options) as writer:
        group: list[pa.Table] = []
        for piece in page.pieces:
            if not len(piece):
                continue
            with _CONVERSIONS:
                group.append(converter.table(piece))
                records += group[-1].num_rows
                if sum(table.nbytes for table in group) >= _ROW_GROUP:
                    _write_group(writer, group)
        if group:
            with _CONVERSIONS:
                _write_group(writer, group)
    return records


def _write_group(writer: pq.ParquetWriter, group: list[pa.Table]) -> None:
    table = pa.concat_tables(group)
    writer.write_table(table, row_group_size=max(table.num_rows, 1))
    group.clear()
    del table
    # Arrow's pool keeps what it was given; without this, memory stands at the sum of all threads' peaks.
    pa.default_memory_pool().release_unused()


class _Converter:
    """Converts pieces of one page.

    :param columns: in the order of the header.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.schema = pa.schema([column.arrow_field() for column in columns])
        # Arrow's CSV reader is strict: it rejects "3.0" as an int64, surplus zeros in a decimal, and "10:00:00.000Z" as
        # a time. Such columns are read as text and converted here.
        self._from_text = {field.name for field in self.schema if pa.types.is_time(field.type)}

    def table(self, piece: memoryview) -> pa.Table:
        """Convert a piece.

        :param piece: whole records.
        """
        try:
            read = self._read(piece)
        except pa.ArrowInvalid:
            numbers = (field for field in self.schema if _is_number(field.type))
            self._from_text |= {field.name for field in numbers}
            try:
                read = self._read(piece)
            except pa.ArrowInvalid as error:
                raise ProtocolError(f"a result page cannot be read as its columns' types: {error}") from None
        arrays = [self._convert(read.column(place), field) for place, field in enumerate(self.schema)]
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def _read(self, piece: memoryview) -> pa.Table:
        types = {field.name: pa.string() if field.name in self._from_text else field.type for field in self.schema}
        return pv.read_csv(
            pa.BufferReader(pa.py_buffer(piece)),
            read_options=pv.ReadOptions(column_names=self.schema.names, use_threads=False, block_size=len(piece) + 1),
            parse_options=pv.ParseOptions(newlines_in_values=True),
            convert_options=pv.ConvertOptions(
                column_types=types,
                **EMPTY_CELLS_ARE_NULL,
                true_values=["true"],
                false_values=["false"],
            ),
        )

    def _convert(self, values: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
        if values.type == field.type:
            return values
        convert: Callable[[pa.ChunkedArray, pa.DataType], pa.ChunkedArray]
        convert = _to_time if pa.types.is_time(field.type) else _to_number
        try:
            return convert(values, field.type)
        except pa.ArrowInvalid as error:
            raise ProtocolError(
                f"column {field.name} holds a value that does not fit {field.type}, the type that Salesforce describes "
                f"({error}). Nothing was published. Extract it with file_format='csv', which keeps values as text."
            ) from None


def _is_number(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(data_type) or pa.types.is_decimal(data_type))


def _to_time(values: pa.ChunkedArray, data_type: pa.DataType) -> pa.ChunkedArray:
    # Arrow parses a time with a zone only as part of a timestamp.
    moments = pc.binary_join_element_wise("1970-01-01T", values, "")
    return moments.cast(pa.timestamp("ms", tz="UTC")).cast(data_type)


def _to_number(values: pa.ChunkedArray, data_type: pa.DataType) -> pa.ChunkedArray:
    # Through a decimal that is wide enough: its cast fails rather than lose a digit.
    return values.cast(pa.decimal256(76, _WIDE_SCALE)).cast(data_type)


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
