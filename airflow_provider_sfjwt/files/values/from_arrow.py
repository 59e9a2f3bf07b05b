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

from airflow_provider_sfjwt.files.values.arrow_arrays import one_array, texts
from airflow_provider_sfjwt.files.values.arrow_text import written
from airflow_provider_sfjwt.files.values.cells import WHITE_SPACE, UnfitValueError
from airflow_provider_sfjwt.files.values.from_python import Digits, cell_of
from airflow_provider_sfjwt.files.values.marks import either
from airflow_provider_sfjwt.files.values.sent_text import without_odd

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
    if not len(values):
        return pa.chunked_array([], pa.string()), []
    array = one_array(pa.chunked_array([_decoded(chunk) for chunk in values.chunks]))
    text = written(array, form.kind, zone=form.zone, trim=form.trim)
    if text is None:
        return _one_by_one(array, pa.nulls(len(array), pa.string()), array.is_valid(), form)
    cells, doubtful = text.cells, text.doubtful
    if form.kind not in text.fits:
        cells, odd = without_odd(cells, form.kind)
        doubtful = either(doubtful, odd)
    if doubtful is None:
        return pa.chunked_array([cells]), []
    return _one_by_one(text.values, cells, doubtful, form, array.type)


def is_float(values: pa.ChunkedArray | Sequence[Any]) -> bool:
    """Whether a column holds floats, whose text differs from program to program.

    :param values: an Arrow column, or Python values.
    """
    if isinstance(values, pa.ChunkedArray):
        return bool(pa.types.is_floating(values.type)) and values.null_count < len(values)
    return any(
        isinstance(value, float) or (isinstance(value, Digits) and not value.lstrip("-").isdigit()) for value in values
    )


def _decoded(values: pa.Array) -> pa.Array:
    """The values behind a dictionary, and those of an extension that Python has no type for."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return values.dictionary_decode()
    if pa.types.is_run_end_encoded(kind):
        return pc.run_end_decode(values)
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name != "arrow.uuid":
        return values.storage
    return values


def _one_by_one(
    values: pa.Array, cells: pa.Array, odd: pa.Array, form: Form, kind: pa.DataType | None = None
) -> tuple[pa.ChunkedArray, list[Unfit]]:
    """Write the odd values of a column one by one, and keep the cells of the others."""
    unfit: list[Unfit] = []
    rows = pc.indices_nonzero(odd).to_pylist()
    found = _python_values(values.filter(odd), kind or values.type)
    one_by_one = texts(list(_each(zip(rows, found, strict=True), form, unfit)))
    return pa.chunked_array([pc.replace_with_mask(cells, odd, one_by_one)]), unfit


def _python_values(values: pa.Array, kind: pa.DataType) -> list[Any]:
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
