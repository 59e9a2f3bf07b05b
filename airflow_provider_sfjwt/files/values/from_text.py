"""Text as Salesforce writes it, into the Arrow types that a receipt names."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.files.values.decimals import DECIMAL, TooLargeError, to_decimals

_DECIMAL = re.compile(r"decimal128\((\d+), ?(-?\d+)\)")
_TYPES = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "double": pa.float64(),
    "date32": pa.date32(),
    "time32[ms]": pa.time32("ms"),
    "timestamp[ms, tz=UTC]": pa.timestamp("ms", tz="UTC"),
    # Of SQL queries alone.
    "time64[us]": pa.time64("us"),
    "timestamp[us]": pa.timestamp("us"),
    "timestamp[us, tz=UTC]": pa.timestamp("us", tz="UTC"),
}
#: Digits after the point that a decimal is read with, before its own cast checks that none is lost.
_WIDE = pa.decimal256(76, 38)


def arrow_type_of(text: str) -> pa.DataType:
    """The Arrow type that a receipt names.

    :param text: ``arrow_type`` of a column, e.g. ``decimal128(38, 18)``.
    :raises ValueError: for a type that this package does not write.
    """
    if match := _DECIMAL.fullmatch(text):
        return pa.decimal128(int(match[1]), int(match[2]))
    if text not in _TYPES:
        raise ValueError(f"the receipt names the Arrow type {text}, which this package is too old for")
    return _TYPES[text]


def typed(table: pa.Table, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Cast the columns that are text, and see that the others have their types.

    :param table: any of the columns.
    :param types: of all columns, by name.
    :raises ValueError: naming the column whose values do not fit.
    """
    arrays = []
    for name in table.column_names:
        try:
            arrays.append(_cast(table.column(name), types[name]))
        except (pa.ArrowInvalid, TooLargeError) as error:
            raise ValueError(f"column {name} holds a value that does not fit {types[name]} ({error})") from None
    return pa.Table.from_arrays(arrays, names=table.column_names)


def _cast(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if values.type == wanted:
        return values
    if not pa.types.is_string(values.type):
        raise pa.ArrowInvalid(f"the file holds {values.type}")
    if pa.types.is_time(wanted):
        # Arrow reads a time only as the end of a moment.
        moments = pc.binary_join_element_wise("1970-01-01T", values, "")
        return moments.cast(pa.timestamp("ms", tz="UTC")).cast(wanted)
    if wanted == DECIMAL:
        return to_decimals(values)[0]
    if pa.types.is_decimal(wanted) or pa.types.is_integer(wanted):
        return values.cast(_WIDE).cast(wanted)
    return values.cast(wanted)
