"""Values of any Arrow type as the text that Salesforce reads. ``values/columns.py`` shows the text of each type.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_date_format.htm
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from airflow_provider_sfjwt.files.values.cells import NULL, NULL_POLICIES

if TYPE_CHECKING:
    import pyarrow as pa


class _UnfitError(Exception):
    """Why a column cannot be written as text for Salesforce."""


def salesforce_text(
    table: pa.Table, *, null_policy: str, first_row: int | None = None
) -> tuple[pa.Table, list[tuple[str, str]]]:
    """Turn every column into text.

    Empty text is null: Salesforce keeps no empty text.

    :param table: columns of any type.
    :param null_policy: ``ignore`` leaves null as null, so that the field stays as it is; ``clear`` makes it ``#N/A``,
        so that the field is emptied.
    :param first_row: the number of the table's first row, for the messages; None counts within the table, from 1.
    :return: the table of text, and the name and reason for each column that cannot be text. Such a column is all null.
    """
    import pyarrow as pa

    from airflow_provider_sfjwt.files.values.arrow_arrays import scalar

    if null_policy not in NULL_POLICIES:
        raise ValueError(f"null_policy '{null_policy}' is not one of {', '.join(NULL_POLICIES)}")
    arrays, faults = [], []
    for name, values in zip(table.column_names, table.columns, strict=True):
        try:
            text = _text(values, first_row or 1)
        except _UnfitError as error:
            faults.append((name, str(error)))
            text = pa.chunked_array([pa.nulls(len(values), pa.string())])
        arrays.append(text.fill_null(scalar(NULL)) if null_policy == "clear" else text)
    return pa.Table.from_arrays(arrays, names=table.column_names), faults


def _text(values: pa.ChunkedArray, first_row: int) -> pa.ChunkedArray:
    import pyarrow as pa

    kind, types = values.type, pa.types
    if types.is_dictionary(kind):
        return _text(values.cast(kind.value_type), first_row)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return _empty_as_null(values if types.is_string(kind) else values.cast(pa.string()))
    if types.is_integer(kind) or types.is_boolean(kind) or types.is_null(kind):
        return values.cast(pa.string())
    if types.is_floating(kind):
        return _float_text(values, first_row)
    if types.is_decimal(kind):
        return _without_exponent(values.cast(pa.string()))
    if types.is_date(kind):
        return values.cast(pa.date32()).cast(pa.string())
    if types.is_timestamp(kind):
        return _moment_text(values)
    if types.is_time(kind):
        return _join(values.cast(pa.time32("ms"), safe=False).cast(pa.string()), "Z")
    raise _UnfitError(f"holds values of the type {kind}, which Salesforce has no field for")


def _empty_as_null(values: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    from airflow_provider_sfjwt.files.values.arrow_arrays import scalar

    empty = pc.equal(pc.binary_length(values), scalar(0))
    if not pc.any(empty).as_py():
        return values
    return pc.if_else(empty, scalar(None), values)


def _float_text(values: pa.ChunkedArray, first_row: int) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    from airflow_provider_sfjwt.files.values.arrow_arrays import scalar

    if pa.types.is_float16(values.type):
        values = values.cast(pa.float32())
    endless = pc.index(pc.is_finite(values), scalar(False)).as_py()
    if endless >= 0:
        raise _UnfitError(f"row {first_row + endless} holds {values[endless].as_py()}, which Salesforce rejects")
    return _without_exponent(values.cast(pa.string()))


def _without_exponent(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    from airflow_provider_sfjwt.files.values import arrow_arrays

    mask = pc.match_substring(texts, "e", ignore_case=True).fill_null(arrow_arrays.scalar(False))
    if not pc.any(mask).as_py():
        return texts
    plain = [format(Decimal(text), "f") for text in texts.filter(mask).to_pylist()]
    texts, mask = pa.concat_arrays(texts.chunks), pa.concat_arrays(mask.chunks)
    return pa.chunked_array([pc.replace_with_mask(texts, mask, arrow_arrays.texts(plain))])


def _moment_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """``2026-11-20T08:00:00.123Z``. Fractions of a millisecond are cut off."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if values.type.tz is None:
        raise _UnfitError("holds datetimes without a time zone, so their moments are unknown. Give them a zone")
    # Cast to a type without a zone, a moment is shown in UTC.
    moments = values.cast(pa.timestamp(values.type.unit, "UTC")).cast(pa.int64()).cast(pa.timestamp(values.type.unit))
    if values.type.unit in ("us", "ns"):
        moments = pc.floor_temporal(moments, unit="millisecond")
    shown = moments.cast(pa.timestamp("ms")).cast(pa.string())
    return _join(pc.replace_substring(shown, " ", "T", max_replacements=1), "Z")


def _join(texts: pa.ChunkedArray, end: str) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    from airflow_provider_sfjwt.files.values.arrow_arrays import scalar

    return pc.binary_join_element_wise(texts, scalar(end), scalar(""))
