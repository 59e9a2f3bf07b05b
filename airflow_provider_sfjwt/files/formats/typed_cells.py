"""The cells of a result page as typed Arrow columns: exactly, or with the row and the column of the one that is wrong.

Needs the extra ``parquet``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.files.formats.cell_faults import check_text, id_of, unfit_value
from airflow_provider_sfjwt.files.values.cells import EMPTY_CELLS_ARE_NULL
from airflow_provider_sfjwt.files.values.columns import Column, TooLargeNumbersError
from airflow_provider_sfjwt.files.values.decimals import DECIMAL, TooLargeError, to_decimals

#: A decimal that holds what Salesforce prints, up to 40 places: its casts fail rather than lose a digit.
_EXACT = pa.decimal256(76, 40)


class TypedCells:
    """Converts the pieces of one page.

    :param columns: in the order of the header.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = tuple(columns)
        self.schema = pa.schema([column.arrow_field() for column in columns])
        self._rounded = dict.fromkeys(self.schema.names, 0)
        # Arrow's CSV reader is strict: it rejects "3.0" as an int64, surplus digits in a decimal, and "10:00:00.000Z"
        # as a time. Such columns are read as text and converted here.
        self._from_text = {field.name for field in self.schema if pa.types.is_time(field.type)}

    @property
    def rounded(self) -> dict[str, int]:
        """How many numbers of a column were rounded, by its name; columns without any are not in it."""
        return {name: count for name, count in self._rounded.items() if count}

    def table(self, piece: memoryview) -> pa.Table:
        """Convert a piece.

        :param piece: whole records.
        :raises TooLargeNumbersError: naming the columns of the piece that must be widened.
        :raises ProtocolError: for a value that is not one of its column's type, naming its row.
        """
        try:
            read = self._read(piece, self._from_text)
            for values in read.columns:
                if pa.types.is_decimal(values.type):
                    # Arrow's CSV reader takes 1.0E20 for a decimal128(38, 18), which has 20 digits before the point.
                    values.validate(full=True)
        except pa.ArrowInvalid:
            read = self._read_as_text(piece)
            self._from_text |= {field.name for field in self.schema if not _reads_by_itself(read, field)}
        arrays, too_large = [], []
        for place, (column, field) in enumerate(zip(self._columns, self.schema, strict=True)):
            try:
                arrays.append(self._converted(read, place, field))
            except TooLargeError:
                too_large.append(column)
        if unfit := [column for column in too_large if not column.may_widen]:
            self._refuse(read, self._columns.index(unfit[0]))
        if too_large:
            raise TooLargeNumbersError([column.name for column in too_large])
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def _read(self, piece: memoryview, as_text: set[str]) -> pa.Table:
        types = {field.name: pa.string() if field.name in as_text else field.type for field in self.schema}
        return self._csv(piece, types)

    def _read_as_text(self, piece: memoryview) -> pa.Table:
        """Read all columns as text, so that the value that is wrong can be named."""
        names = self.schema.names
        check_text(piece, names)
        try:
            return self._csv(piece, dict.fromkeys(names, pa.string()))
        except pa.ArrowInvalid as error:
            raise ProtocolError(f"a result page is not CSV that fits its header: {error}") from None

    def _csv(self, piece: memoryview, types: dict[str, pa.DataType]) -> pa.Table:
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

    def _converted(self, read: pa.Table, place: int, field: pa.Field) -> pa.ChunkedArray:
        values = read.column(place)
        if values.type == field.type:
            return values
        try:
            if field.type == DECIMAL and self._columns[place].numbers == "decimal":
                values, rounded = to_decimals(values)
                self._rounded[field.name] += rounded
                return values
            return _conversion(field.type)(values, field.type)
        except pa.ArrowInvalid:
            self._refuse(read, place)

    def _refuse(self, read: pa.Table, place: int) -> NoReturn:
        """End the extract, naming the first row whose value cannot be converted."""
        row = _first(read.column(place), lambda some: not _fits(some, self.schema.field(place)))
        ids = {name: read.column(name)[row] for name in self.schema.names if name.lower() == "id"}
        raise unfit_value(self._columns[place], id_of(ids)) from None


def _conversion(data_type: pa.DataType) -> Callable[[pa.ChunkedArray, pa.DataType], pa.ChunkedArray]:
    if pa.types.is_time(data_type):
        return _to_time
    if pa.types.is_integer(data_type):
        return _to_whole
    return _to_described if pa.types.is_decimal(data_type) else _cast


def _cast(values: pa.ChunkedArray, data_type: pa.DataType) -> pa.ChunkedArray:
    return values.cast(data_type)


def _to_time(values: pa.ChunkedArray, data_type: pa.DataType) -> pa.ChunkedArray:
    # Arrow parses a time with a zone only as part of a timestamp.
    moments = pc.binary_join_element_wise("1970-01-01T", values, "")
    return moments.cast(pa.timestamp("ms", tz="UTC")).cast(data_type)


def _to_whole(values: pa.ChunkedArray, data_type: pa.DataType) -> pa.ChunkedArray:
    exact, rounded = to_decimals(values)
    try:
        whole = exact.cast(data_type)
    except pa.ArrowInvalid as error:
        raise TooLargeError(str(error)) from None
    # Arrow's cast drops decimal places.
    if rounded or pc.any(pc.not_equal(whole.cast(DECIMAL), exact)).as_py():
        raise TooLargeError("a number is not whole")
    return whole


def _to_described(values: pa.ChunkedArray, data_type: pa.DataType) -> pa.ChunkedArray:
    return values.cast(_EXACT).cast(data_type)


def _reads_by_itself(read: pa.Table, field: pa.Field) -> bool:
    """Whether Arrow's CSV reader takes a column as its type, as far as casting its text shows."""
    if pa.types.is_boolean(field.type) or pa.types.is_string(field.type):
        return True
    # Arrow casts no text to a time of day.
    return not pa.types.is_time(field.type) and _casts(read.column(field.name), field.type)


def _casts(values: pa.ChunkedArray, data_type: pa.DataType) -> bool:
    try:
        values.cast(data_type)
    except pa.ArrowInvalid:
        return False
    return True


def _fits(values: pa.ChunkedArray, field: pa.Field) -> bool:
    """Whether all values can be converted."""
    try:
        _conversion(field.type)(values, field.type)
    except (pa.ArrowInvalid, TooLargeError):
        return False
    return True


def _first(values: pa.ChunkedArray, wrong: Callable[[pa.ChunkedArray], bool]) -> int:
    """The place of the first wrong value, of which there is one, by halving."""
    start, count = 0, len(values)
    while count > 1:
        half = count // 2
        if not wrong(values.slice(start, half)):
            start, half = start + half, count - half
        count = half
    return start
