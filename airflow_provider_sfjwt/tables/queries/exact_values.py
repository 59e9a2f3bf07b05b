"""Columns of a query in the Arrow types of a receipt: every value as it is, or refused by its column."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.values.arrow_arrays import scalar
from airflow_provider_sfjwt.files.values.from_text import arrow_type_of
from airflow_provider_sfjwt.tables.queries.spec import ADVICE, QueryColumn, refused

_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, in days since 1970-01-01
_DAY_US = 86_400_000_000
Convert = Callable[[pa.ChunkedArray, pa.DataType], pa.ChunkedArray]


def schema_of(columns: Sequence[QueryColumn]) -> pa.Schema:
    """The schema of the parts.

    :param columns: of the query.
    """
    return pa.schema([pa.field(column.name, arrow_type_of(column.arrow_type)) for column in columns])


def table_of(columns: Sequence[QueryColumn], values: Sequence[pa.ChunkedArray], convert: Convert) -> pa.Table:
    """Some rows in the types of the receipt.

    :param columns: of the query.
    :param values: of each column, as the database gave them.
    :param convert: makes the type of the receipt of them.
    :raises ConfigurationError: naming the column and the value that has no one meaning, or does not fit.
    """
    schema = schema_of(columns)
    typed = [
        _exact(column, each, schema.field(place).type, convert) for place, (column, each) in _numbered(columns, values)
    ]
    return pa.Table.from_arrays(typed, schema=schema)


def _numbered(
    columns: Sequence[QueryColumn], values: Sequence[pa.ChunkedArray]
) -> enumerate[tuple[QueryColumn, pa.ChunkedArray]]:
    return enumerate(zip(columns, values, strict=True))


def _exact(column: QueryColumn, values: pa.ChunkedArray, wanted: pa.DataType, convert: Convert) -> pa.ChunkedArray:
    try:
        return _meaningful(convert(values, wanted))
    except (pa.ArrowInvalid, OverflowError):
        raise _unfit(column, values, wanted, convert) from None


def _meaningful(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Refuse what is neither a number nor a moment.

    :raises pyarrow.ArrowInvalid: for NaN, infinity, and moments outside the years 1 to 9999.
    """
    kind = values.type
    if pa.types.is_floating(kind) and not pc.all(pc.is_finite(values).fill_null(scalar(True))).as_py():
        raise pa.ArrowInvalid("not a number")
    if pa.types.is_date(kind):
        _check_range(values.cast(pa.int32()).cast(pa.int64()), _FIRST_DAY, _LAST_DAY)
    elif pa.types.is_timestamp(kind):
        _check_range(values.cast(pa.int64()), _FIRST_DAY * _DAY_US, (_LAST_DAY + 1) * _DAY_US - 1)
    return values


def _check_range(values: pa.ChunkedArray, least: int, most: int) -> None:
    ends = pc.min_max(values).as_py()
    if ends["min"] is not None and (ends["min"] < least or ends["max"] > most):
        raise pa.ArrowInvalid("outside the years 1 to 9999")


def _unfit(column: QueryColumn, values: pa.ChunkedArray, wanted: pa.DataType, convert: Convert) -> ConfigurationError:
    """The first value that cannot be kept as it is."""
    for place in range(len(values)):
        one = values.slice(place, 1)
        try:
            _meaningful(convert(one, wanted))
        except (pa.ArrowInvalid, OverflowError):
            shown = str(one.cast(pa.string())[0].as_py())
            what = f"{shown[:57]}…" if len(shown) > 60 else shown
            fault = f"is {column.sql_type} and holds {what}, which {column.arrow_type} cannot keep. {ADVICE}"
            return refused({column.name: fault})
    return refused({column.name: f"holds a value that {column.arrow_type} cannot keep. {ADVICE}"})


def from_text(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """Text as PostgreSQL writes it in a session whose zone is UTC and whose dates are ISO.

    :param values: text.
    :param wanted: the type.
    :raises pyarrow.ArrowInvalid: for text that the type cannot keep exactly.
    """
    if pa.types.is_string(wanted):
        return values
    if pa.types.is_boolean(wanted):
        return pc.equal(values, scalar("t"))
    if pa.types.is_time(wanted):  # Arrow reads a time only as the end of a moment
        moments = pc.binary_join_element_wise(scalar("1970-01-01T"), values, scalar(""))
        return moments.cast(pa.timestamp("us")).cast(wanted)
    if pa.types.is_decimal(wanted):
        _check_digits(values, wanted.precision - wanted.scale)
    return values.cast(wanted)


def _check_digits(values: pa.ChunkedArray, most: int) -> None:
    """Refuse numbers that are too large: Arrow's cast from text would wrap some of them around in silence.

    :param most: digits before the point.
    :raises pyarrow.ArrowInvalid: for a number that has more.
    """
    longest = pc.max(pc.binary_length(values)).as_py()
    if longest is not None and longest > most:
        fits = pc.match_substring_regex(values, rf"^-?(?:0|[0-9]{{1,{most}}})?(?:\.|$)" if most else r"^-?0?(?:\.|$)")
        if not pc.all(fits.fill_null(scalar(True))).as_py():
            raise pa.ArrowInvalid("too many digits before the point")


def from_arrow(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """Arrow's values of another type that holds the same.

    :param values: of any type.
    :param wanted: the type.
    :raises pyarrow.ArrowInvalid: for a value that the type cannot keep exactly.
    """
    if isinstance(values.type, pa.BaseExtensionType):
        if values.type.extension_name == "arrow.uuid":
            texts = [None if each is None else str(each) for each in values.to_pylist()]
            return pa.chunked_array([pa.array(texts, pa.string())])
        values = pa.chunked_array([each.storage for each in values.chunks], values.type.storage_type)
    if pa.types.is_timestamp(values.type) and values.type.tz is None and getattr(wanted, "tz", None):
        return values.cast(pa.timestamp("us")).cast(wanted)
    return values.cast(wanted)
