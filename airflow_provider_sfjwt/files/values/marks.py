"""Marks on values of a column that need a closer look: booleans without null, or None where no value is marked."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.files.values.arrow_arrays import integers, scalar
from airflow_provider_sfjwt.files.values.moments import FIRST_DAY, LAST_DAY

_EPOCH = date(1970, 1, 1)
#: Days of Salesforce since 1970, the last one exclusive.
_DAYS = (FIRST_DAY - _EPOCH).days, (LAST_DAY - _EPOCH).days + 1
_PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_MOST = 2**63 - 1


def outside_days(values: pa.Array) -> pa.Array | None:
    """Mark days and moments that Salesforce does not keep; None where there are none.

    :param values: days, or moments in UTC.
    """
    kind = values.type
    if pa.types.is_date32(kind):
        return outside(values.cast(pa.int32()), *_DAYS)
    low, high = (days * _PER_DAY[kind.unit] for days in _DAYS)
    return outside(values.cast(pa.int64()), low, min(high, _MOST))


def outside(numbers: pa.Array, low: int, high: int) -> pa.Array | None:
    """Mark numbers below ``low``, and from ``high`` on; None where there are none.

    :param numbers: whole numbers of at most 64 bits, signed.
    :param low: of as many bits.
    :param high: of as many bits.
    """
    bounds = pc.min_max(numbers)
    least, most = bounds["min"].as_py(), bounds["max"].as_py()
    if least is None or (low <= least and most < high):
        return None
    limits = integers([low, high])
    marks = pc.or_(pc.less(numbers, limits[0]), pc.greater_equal(numbers, limits[1]))
    return marks.fill_null(scalar(False))


def marked(marks: pa.Array) -> pa.Array | None:
    """Marks, or None where there are none.

    :param marks: booleans; null is no mark.
    """
    return marks.fill_null(scalar(False)) if pc.any(marks).as_py() else None


def either(first: pa.Array | None, second: pa.Array | None) -> pa.Array | None:
    """What at least one of two marks.

    :param first: marks, or None.
    :param second: marks, or None.
    """
    if first is None or second is None:
        return first if second is None else second
    return pc.or_(first, second)
