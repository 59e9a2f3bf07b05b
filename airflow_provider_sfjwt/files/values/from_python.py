"""Python values as the text that Salesforce reads. ``values/columns.py`` shows the text of each type.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_date_format.htm
"""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

#: Powers of ten within a double's range. Written out, a number beyond them could have millions of digits.
_LEAST_POWER, _GREATEST_POWER = -400, 308
_MISSING = "None stands for a missing value, as in df.astype(object).where(df.notna(), None)"
#: pandas' values for a missing one. The first is a datetime to isinstance.
_MISSING_TYPES = ("NaTType", "NAType")
_DAY = timedelta(days=1)


class UnfitValueError(Exception):
    """Why a value cannot be a cell."""


class Digits(str):
    """A number with the digits that a file has, so that nothing is rounded."""


def text_of(value: Any) -> str:
    """Write a value as text.

    :param value: text, a boolean, a number, a date, a time or a moment; not None.
    :raises UnfitValueError: for anything else, and for a value that Salesforce has no text for.
    """
    if isinstance(value, Digits):
        return _plain(value)
    if isinstance(value, str):
        return _encodable(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            raise UnfitValueError(f"holds {value}, which is not a number. {_MISSING}")
        return _plain(str(value))
    return _time_text(value)


def _time_text(value: Any) -> str:
    if type(value).__name__ in _MISSING_TYPES:
        raise UnfitValueError(f"holds {value}. {_MISSING}")
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return _time(value)
    kind = dict if isinstance(value, dict) else type(value)
    raise UnfitValueError(f"holds a {kind.__name__}; a field takes one value")


def _encodable(text: str) -> str:
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            half = text[error.start]
            raise UnfitValueError(
                f"character {error.start + 1} is {half!r}, half of a character (encoding); the other half is missing"
            ) from None
    return text


def _plain(number: str) -> str:
    """A number without exponent."""
    if "e" not in number and "E" not in number:
        return number
    try:
        exact = Decimal(number)
    except InvalidOperation:  # an exponent of 19 digits
        raise UnfitValueError(f"holds the number {number[:40]}, which is out of range") from None
    if not exact:
        return "0"
    if not _LEAST_POWER <= exact.adjusted() <= _GREATEST_POWER:
        raise UnfitValueError(f"holds the number {number[:40]}, which is out of range")
    return format(exact, "f")


def _moment(moment: datetime) -> str:
    """``2026-11-20T08:00:00.123Z``. Fractions of a millisecond are cut off."""
    if moment.utcoffset() is None:
        raise UnfitValueError("holds a datetime without a time zone, so its moment is unknown. Give it a zone")
    try:
        utc = moment.astimezone(timezone.utc)
    except OverflowError:
        raise UnfitValueError(f"holds {moment}, which is outside the years 1 to 9999 in UTC") from None
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _time(value: time) -> str:
    """``12:00:00.000Z``, in UTC. A time without a zone is taken as UTC."""
    offset = value.utcoffset()
    if value.tzinfo is not None and offset is None:
        raise UnfitValueError(f"holds a time in {value.tzinfo}, whose offset from UTC depends on the day")
    if offset:
        shifted = datetime.combine(date(2000, 1, 2), value.replace(tzinfo=None)) - offset % _DAY
        value = shifted.time()
    return value.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
