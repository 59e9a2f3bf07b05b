"""Arrow columns as the text of their values, as far as Arrow writes it as Salesforce reads it.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_date_format.htm
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import tzinfo

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.files.values.arrow_arrays import scalar
from airflow_provider_sfjwt.files.values.cells import WHITE_SPACE
from airflow_provider_sfjwt.files.values.marks import either, marked, outside, outside_days
from airflow_provider_sfjwt.files.values.sent_text import NUMBERS, odd_text

#: Decimals of more places than this may be written with an exponent.
_PLACES_WITHOUT_EXPONENT = 6
#: Types of fields that take bytes in a form of their own, or not at all.
_NOT_FROM_BYTES = frozenset(("base64", "boolean", "int", "long", "date", "datetime", "time", *NUMBERS))


@dataclass(frozen=True)
class Written:
    """A column as text.

    :param cells: the text; null stays null.
    :param values: the values, for those that are written one by one.
    :param fits: the types of fields whose cells the texts are, as far as they are not doubtful. For a field of another
        type, each text must be looked at.
    :param doubtful: marks the values that must be written one by one; None where there are none.
    """

    cells: pa.Array
    values: pa.Array
    fits: Collection[str] = ()
    doubtful: pa.Array | None = None


def written(values: pa.Array, kind: str, *, zone: tzinfo | None, trim: bool) -> Written | None:
    """Write a column as text.

    :param values: of any type.
    :param kind: the type of the field, as its description says.
    :param zone: of datetimes that have none.
    :param trim: whether white space is taken off the ends of texts.
    :return: the text; None where Arrow does not write such values.
    """
    given, types = values.type, pa.types
    if types.is_string(given) or types.is_large_string(given) or types.is_string_view(given):
        return _text(values if types.is_string(given) else values.cast(pa.string()), values, trim=trim)
    if types.is_binary(given) or types.is_large_binary(given):
        return None if kind in _NOT_FROM_BYTES else _text(values, values, trim=trim)
    if types.is_boolean(given) or types.is_null(given):
        return Written(values.cast(pa.string()), values, ("boolean",))
    if types.is_integer(given):
        return Written(values.cast(pa.string()), values, _takes_integers(values))
    if types.is_decimal(given):
        return _decimals(values)
    if types.is_floating(given):
        return _floats(values)
    if types.is_date(given):
        days = values.cast(pa.date32())
        return Written(days.cast(pa.string()), values, ("date",), outside_days(days))
    if types.is_timestamp(given):
        return _days(values) if kind == "date" else _moments(values, zone)
    if types.is_time(given):
        return Written(_ended(values.cast(pa.time32("ms"), safe=False).cast(pa.string())), values)
    return None


def _text(values: pa.Array, original: pa.Array, *, trim: bool) -> Written | None:
    try:
        cells = values.cast(pa.binary()).cast(pa.string())  # which checks that it is UTF-8
    except pa.ArrowInvalid:
        return None
    if trim:
        cells = pc.utf8_trim(cells, WHITE_SPACE)
    if pc.min(pc.binary_length(cells)).as_py() == 0:
        cells = pc.if_else(pc.equal(pc.binary_length(cells), scalar(0)), scalar(None), cells)
    return Written(cells, original)


def _takes_integers(values: pa.Array) -> Collection[str]:
    """The types of fields that take all of the whole numbers."""
    if pa.types.is_uint64(values.type):
        return NUMBERS
    too_large = outside(values.cast(pa.int64()), -(2**31), 2**31)
    return (*NUMBERS, "long") if too_large is not None else (*NUMBERS, "long", "int")


def _decimals(values: pa.Array) -> Written:
    cells, scale = values.cast(pa.string()), values.type.scale
    doubtful = None
    if not 0 <= scale <= _PLACES_WITHOUT_EXPONENT:
        doubtful = marked(pc.match_substring(cells, "E"))
    if scale > 0:  # each has a point, or is doubtful
        cells = pc.ascii_rtrim(pc.ascii_rtrim(cells, "0"), ".")
    return Written(cells, values, NUMBERS, doubtful)


def _floats(values: pa.Array) -> Written:
    if pa.types.is_float16(values.type):
        values = values.cast(pa.float32())
    # The shortest digits of the type's own precision, from which Python writes those with an exponent.
    digits = values.cast(pa.string())
    return Written(digits, digits, NUMBERS, odd_text(digits, "double"))


def _days(values: pa.Array) -> Written:
    """The calendar day in the values' own zone. A value with a time of day is no day."""
    local = pc.local_timestamp(values) if values.type.tz is not None else values
    whole = pc.floor_temporal(local, unit="day")
    doubtful = either(outside_days(local), marked(pc.not_equal(local, whole)))
    return Written(_certain(whole, doubtful).cast(pa.date32()).cast(pa.string()), values, ("date",), doubtful)


def _moments(values: pa.Array, zone: tzinfo | None) -> Written | None:
    """``2026-11-20T08:00:00.123Z``. Fractions of a millisecond are cut off."""
    unit, moments = values.type.unit, values
    if values.type.tz is None:
        if zone is None:
            return None
        try:
            moments = pc.assume_timezone(values, str(zone), ambiguous="raise", nonexistent="raise")
        except pa.ArrowInvalid:  # an hour in which the clocks change
            return None
    # Cast to a type without a zone, a moment is shown in UTC.
    utc = moments.cast(pa.timestamp(unit, "UTC")).cast(pa.int64()).cast(pa.timestamp(unit))
    doubtful = outside_days(utc)
    utc = _certain(utc, doubtful)
    if unit in ("us", "ns"):
        utc = pc.floor_temporal(utc, unit="millisecond")
    text = pc.binary_replace_slice(utc.cast(pa.timestamp("ms")).cast(pa.string()), 10, 11, "T")
    return Written(_ended(text), values, ("datetime",), doubtful)


def _ended(clocks: pa.Array) -> pa.Array:
    """Texts that end with a time of day to the millisecond, in UTC."""
    return pc.binary_join_element_wise(clocks, scalar("Z"), scalar(""))


def _certain(values: pa.Array, doubtful: pa.Array | None) -> pa.Array:
    """The values with null in place of those that are written one by one, on which a cast could fail."""
    if doubtful is None:
        return values
    return pc.if_else(doubtful, pa.nulls(1, values.type)[0], values)
