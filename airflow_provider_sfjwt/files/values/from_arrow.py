"""Columns of values as the cells of fields. Whole columns are converted by Arrow where that is sure to be right, and
every other value by :mod:`airflow_provider_sfjwt.files.values.from_python`, which alone says what is right.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_date_format.htm
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.files.values.arrow_arrays import one_array, scalar, texts
from airflow_provider_sfjwt.files.values.cells import NULL, WHITE_SPACE, UnfitValueError
from airflow_provider_sfjwt.files.values.from_python import Digits, cell_of

_DAY = (
    r"(?:1[7-9]|[23]\d)\d\d-"
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z"
_NUMBER = r"(?:0|-?(?:[1-9]\d{0,30}|0\.\d{0,30}[1-9]|[1-9]\d{0,30}\.\d{0,30}[1-9]))"
_SURPLUS_ZEROS = r"^(-?\d+)(?:\.0+|(\.\d*[1-9])0+)$"
#: What the cells of a type look like in the form that is sent. A text that looks like this is right as it is.
_SENT = {
    "boolean": "true|false",
    "int": r"0|-?[1-9]\d{0,8}",
    "long": r"0|-?[1-9]\d{0,17}",
    "double": _NUMBER,
    "currency": _NUMBER,
    "percent": _NUMBER,
    "date": _DAY,
    "datetime": f"{_DAY}T{_CLOCK}",
    "time": _CLOCK,
}
_NUMBERS = frozenset(("double", "currency", "percent"))
#: Longer texts are unlikely to occur again.
_REMEMBERED = 40


@dataclass(frozen=True)
class Unfit:
    """A value that its field has no cell for.

    :param row: its place in the column, from 0.
    :param why: what is wrong with it.
    :param text: the value as text, for whoever corrects it; None where it has no text.
    """

    row: int
    why: str
    text: str | None


@dataclass(frozen=True)
class Form:
    """How the values of a column are written.

    :param kind: the type of the field, as its description says.
    :param zone: of datetimes that have none; None refuses them.
    :param trim: whether white space is taken off the ends of texts.
    """

    kind: str = "string"
    zone: tzinfo | None = None
    trim: bool = False

    def cell(self, value: Any) -> str | None:
        """Write one value.

        :param value: None is null.
        :raises UnfitValueError: for a value that the field has no cell for.
        """
        if value is None:
            return None
        if self.trim and isinstance(value, str):
            value = type(value)(value.strip(WHITE_SPACE)) if isinstance(value, Digits) else value.strip(WHITE_SPACE)
        return cell_of(value, self.kind, self.zone) or None


def cells_of(values: pa.ChunkedArray | Sequence[Any], form: Form) -> tuple[pa.ChunkedArray, list[Unfit]]:
    """Write a column.

    :param values: an Arrow column of any type, or Python values.
    :param form: of the field.
    :return: the cells, text; and the values that the field has no cell for, which are null among the cells. Empty text
        is null: Salesforce keeps no empty text.
    """
    if not isinstance(values, pa.ChunkedArray):
        unfit: list[Unfit] = []
        cells = list(_each(enumerate(values), form, unfit))
        return pa.chunked_array([texts(cells)]), unfit
    values = _decoded(values)
    if not len(values):
        return pa.chunked_array([], pa.string()), []
    written = _written(values, form)
    if written is None:
        return _one_by_one(values, pa.chunked_array([pa.nulls(len(values), pa.string())]), values.is_valid(), form)
    cells = _empty_as_null(written)
    if form.kind in _NUMBERS or _is_fractional(values.type):
        cells = _without_surplus_zeros(cells)
    sent = [each for each in (_SENT.get(form.kind), _of_arrow_type(values.type)) if each is not None]
    odd = pa.chunked_array([pa.nulls(len(values), pa.bool_()).fill_null(scalar(False))])
    for each in sent:
        other = pc.invert(pc.match_substring_regex(cells, f"^(?:{each}|{NULL})$")).fill_null(scalar(False))
        odd = pc.or_(odd, other)
    if not sent or not pc.any(odd).as_py():
        return cells, []
    # Of a float the shortest digits of its own precision, which its cast to text has found.
    return _one_by_one(written if pa.types.is_floating(values.type) else values, cells, odd, form, values.type)


def is_float(values: pa.ChunkedArray | Sequence[Any]) -> bool:
    """Whether a column holds floats, whose text differs from program to program.

    :param values: an Arrow column, or Python values.
    """
    if isinstance(values, pa.ChunkedArray):
        return bool(pa.types.is_floating(values.type)) and values.null_count < len(values)
    return any(
        isinstance(value, float) or (isinstance(value, Digits) and not value.lstrip("-").isdigit()) for value in values
    )


def _decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values behind a dictionary, and those of an extension that Python has no type for."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return values.cast(kind.value_type)
    if pa.types.is_run_end_encoded(kind):
        return pa.chunked_array([pc.run_end_decode(chunk) for chunk in values.chunks], kind.value_type)
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name != "arrow.uuid":
        return pa.chunked_array([chunk.storage for chunk in values.chunks], kind.storage_type)
    return values


def _of_arrow_type(kind: pa.DataType) -> str | None:
    """What the text of an Arrow type's values looks like; None where Arrow's own text of them is right."""
    if _is_fractional(kind):
        return _NUMBER
    if pa.types.is_timestamp(kind):
        return rf"{_DAY}(?:T{_CLOCK})?"
    return _DAY if pa.types.is_date(kind) else None


def _is_fractional(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _written(values: pa.ChunkedArray, form: Form) -> pa.ChunkedArray | None:
    """A column as text, as far as Arrow writes its values; None where it does not."""
    kind, types = values.type, pa.types
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return _decoded_text(values if types.is_string(kind) else values.cast(pa.string()), form)
    if (types.is_binary(kind) or types.is_large_binary(kind)) and form.kind not in ("base64", *_SENT):
        return _decoded_text(values, form)
    if types.is_float16(kind):
        values, kind = values.cast(pa.float32()), pa.float32()
    if types.is_integer(kind) or types.is_boolean(kind) or types.is_null(kind) or _is_fractional(kind):
        return values.cast(pa.string())
    if types.is_date(kind):
        return values.cast(pa.date32()).cast(pa.string())
    if types.is_timestamp(kind):
        return _day_text(values) if form.kind == "date" else _moment_text(values, form.zone)
    if types.is_time(kind):
        return _join(values.cast(pa.time32("ms"), safe=False).cast(pa.string()), "Z")
    return None


def _empty_as_null(values: pa.ChunkedArray) -> pa.ChunkedArray:
    empty = pc.equal(pc.binary_length(values), scalar(0))
    if not pc.any(empty).as_py():
        return values
    return pc.if_else(empty, scalar(None), values)


def _without_surplus_zeros(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pc.any(pc.match_substring_regex(cells, r"\.\d*0$")).as_py():
        return cells
    return pc.replace_substring_regex(cells, _SURPLUS_ZEROS, r"\1\2")


def _day_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The calendar day in the values' own zone. A value with a time of day keeps it, which makes it no day."""
    local = pc.local_timestamp(values) if values.type.tz is not None else values
    shown = local.cast(pa.string())
    return pc.replace_substring_regex(shown, r"^(\d{4}-\d\d-\d\d) 00:00:00(?:\.0+)?$", r"\1")


def _moment_text(values: pa.ChunkedArray, zone: tzinfo | None) -> pa.ChunkedArray | None:
    """``2026-11-20T08:00:00.123Z``. Fractions of a millisecond are cut off."""
    unit = values.type.unit
    if values.type.tz is None:
        if zone is None:
            return None
        try:
            values = pc.assume_timezone(values, str(zone), ambiguous="raise", nonexistent="raise")
        except pa.ArrowInvalid:  # an hour in which the clocks change
            return None
    # Cast to a type without a zone, a moment is shown in UTC.
    moments = values.cast(pa.timestamp(unit, "UTC")).cast(pa.int64()).cast(pa.timestamp(unit))
    if unit in ("us", "ns"):
        moments = pc.floor_temporal(moments, unit="millisecond")
    try:
        text = moments.cast(pa.timestamp("ms")).cast(pa.string())
    except pa.ArrowInvalid:  # far outside the years that have four digits
        return None
    return _join(pc.replace_substring(text, " ", "T", max_replacements=1), "Z")


def _join(cells: pa.ChunkedArray, end: str) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(cells, scalar(end), scalar(""))


def _decoded_text(values: pa.ChunkedArray, form: Form) -> pa.ChunkedArray | None:
    try:
        written = values.cast(pa.binary()).cast(pa.string())  # which checks that it is UTF-8
    except pa.ArrowInvalid:
        return None
    return pc.utf8_trim(written, WHITE_SPACE) if form.trim else written


def _one_by_one(
    values: pa.ChunkedArray,
    cells: pa.ChunkedArray,
    odd: pa.ChunkedArray,
    form: Form,
    kind: pa.DataType | None = None,
) -> tuple[pa.ChunkedArray, list[Unfit]]:
    """Write the odd values of a column one by one, and keep the cells of the others."""
    unfit: list[Unfit] = []
    rows = pc.indices_nonzero(odd).to_pylist()
    found = _python_values(values.filter(odd), kind or values.type)
    written = texts(list(_each(zip(rows, found, strict=True), form, unfit)))
    return pa.chunked_array([pc.replace_with_mask(one_array(cells), one_array(odd), written)]), unfit


def _python_values(values: pa.ChunkedArray, kind: pa.DataType) -> list[Any]:
    """Values as Python's.

    :param values: of the type, or the text of floats.
    :param kind: the type.
    """
    if pa.types.is_floating(kind):
        return [Digits(text) if text[-1:].isdigit() else float(text) for text in values.to_pylist()]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        # Bytes that are not UTF-8 stay bytes, which no field takes as text.
        return [_text_or_bytes(data) for data in values.cast(pa.binary()).to_pylist()]
    if pa.types.is_timestamp(kind) and kind.unit == "ns":  # Arrow would need pandas
        values = values.cast(pa.timestamp("us", kind.tz), safe=False)
    elif pa.types.is_duration(kind) and kind.unit == "ns":
        values = values.cast(pa.duration("us"), safe=False)
    try:
        return list(values.to_pylist())
    except (ValueError, OverflowError):  # e.g. a year of five digits
        return [_value_or_why(value) for value in values]


def _text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def _value_or_why(value: pa.Scalar) -> Any:
    try:
        return value.as_py()
    except (ValueError, OverflowError) as error:
        return UnfitValueError(f"holds a {value.type} that is out of range: {error}")


def _each(values: Iterable[tuple[int, Any]], form: Form, unfit: list[Unfit]) -> Iterator[str | None]:
    known: dict[str, str | None] = {}
    for row, value in values:
        if type(value) is str and value in known:
            yield known[value]
            continue
        try:
            if isinstance(value, UnfitValueError):
                raise value
            cell = form.cell(value)
        except UnfitValueError as error:
            unfit.append(Unfit(row, str(error), None if isinstance(value, bytes | UnfitValueError) else str(value)))
            cell = None
        else:
            if type(value) is str and len(value) < _REMEMBERED:
                known[value] = cell
        yield cell
