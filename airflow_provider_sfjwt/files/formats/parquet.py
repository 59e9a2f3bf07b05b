"""CSV pieces into typed Parquet, exactly: a value that does not fit its type ends the extract.

Needs the extra ``parquet``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.files.values.columns import Column

#: Digits behind the point that a number may have in Salesforce's CSV before it is brought to its column's scale.
_WIDE_SCALE = 30
#: Bytes of Arrow data that make a row group. Larger ones cost memory for each page that is written at once.
_ROW_GROUP = 1024 * 1024
#: Types whose values repeat. A dictionary of any other column's values costs time and makes the file larger.
_REPEATING = frozenset({"picklist", "multipicklist", "combobox", "reference"})


def _cores() -> int:
    # Not all cores of the machine are this process's: a container or a task's affinity may allow fewer.
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


#: Conversions at once: one that computes on each core, and one that takes over where it waits for Python's lock. With
#: one alone, a sixth of the time is lost between them.
_CONVERSIONS = threading.BoundedSemaphore(2 * _cores())


def write_pieces(columns: Sequence[Column], pieces: Iterable[memoryview], file: Any, compression: str) -> int:
    """Write pieces of CSV into one Parquet file.

    :param columns: in the order of the page's header.
    :param pieces: whole records, without the header.
    :param file: an open file, written from front to back.
    :param compression: as Parquet names it.
    :return: how many rows were written.
    :raises ProtocolError: when a value is none of its column's type.
    """
    records = 0
    converter = _Converter(columns)
    options = {
        "compression": compression,
        "use_dictionary": [column.name for column in columns if column.type in _REPEATING],
        # Of numbers and moments, by which readers skip row groups. Of text they cost a fifth of the writing.
        "write_statistics": [column.name for column in columns if column.arrow_type != "string"],
    }
    with pq.ParquetWriter(file, converter.schema, **options) as writer:
        group: list[pa.Table] = []
        for piece in pieces:
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
        # Arrow's CSV reader is strict: it takes no "3.0" for an int64, no surplus zeros for a decimal and no
        # "10:00:00.000Z" for a time. Such columns are read as text and converted here.
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
                # Any other setting takes the text "NA" for null.
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
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
    # Arrow reads a time only as the end of a moment.
    moments = pc.binary_join_element_wise("1970-01-01T", values, "")
    return moments.cast(pa.timestamp("ms", tz="UTC")).cast(data_type)


def _to_number(values: pa.ChunkedArray, data_type: pa.DataType) -> pa.ChunkedArray:
    # By way of a decimal that is wide enough, whose own cast refuses to lose a digit.
    return values.cast(pa.decimal256(76, _WIDE_SCALE)).cast(data_type)
