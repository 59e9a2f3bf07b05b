"""A value from its text, as strict as the Bulk API reads it, and the checks that a record's values must pass.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_date_format.htm
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from airflow_provider_sfjwt.testing.data.fields import LENGTHS, SOAP_TYPES, Field
from airflow_provider_sfjwt.testing.data.numbers import rounded, stored_number
from airflow_provider_sfjwt.testing.data.values import Stored, is_in_range, moment_text, stored_any
from airflow_provider_sfjwt.testing.dml.outcomes import RowError

NULL = "#N/A"
Parser = Callable[[str], Stored]
_TRUE = frozenset(("true", "yes", "y", "on", "1"))
_FALSE = frozenset(("false", "no", "n", "off", "0"))
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:Z|([+-])(\d{2}):?(\d{2}))")
_TIME = re.compile(r"(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,3}))?Z?")
_LONG = re.compile(r"[+-]?\d{1,19}")
_WHOLE = re.compile(r"[+-]?\d{1,10}")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_EMAIL = re.compile(r"[^\s@<>(),;:\"\[\]]+@[^\s@<>(),;:\"\[\]]+\.[A-Za-z0-9-]+")


def _boolean(text: str) -> Stored:
    word = text.lower()
    if word not in _TRUE and word not in _FALSE:
        raise ValueError(text)
    return int(word in _TRUE)


def _date(text: str) -> Stored:
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    return date.fromisoformat(text).isoformat()


def _moment(text: str) -> Stored:
    # A datetime keeps whole seconds.
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    day, hour, minute, second, sign, hours, minutes = match.groups()
    if sign is None or (hours, minutes) == ("00", "00"):
        date.fromisoformat(day)
        if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
            raise ValueError(text)
        return f"{day}T{hour}:{minute}:{second}.000Z"
    offset = timezone(timedelta(hours=int(hours), minutes=int(minutes)) * (1 if sign == "+" else -1))
    moment = datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}").replace(tzinfo=offset)
    try:
        return moment_text(moment)
    except OverflowError as error:  # in UTC it lies before the year 1
        raise ValueError(text) from error


def _time(text: str) -> Stored:
    match = _TIME.fullmatch(text)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3]) > 59:
        raise ValueError(text)
    return f"{match[1]}:{match[2]}:{match[3]}.{match[4] or '':0<3}Z"


def _whole(text: str) -> Stored:
    if not _WHOLE.fullmatch(text) or not -(2**31) <= int(text) < 2**31:
        raise ValueError(text)
    return int(text)


def _number(text: str) -> Stored:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return stored_number(rounded(Decimal(text)))


def _long(text: str) -> Stored:
    if not _LONG.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise ValueError(text)
    return int(text)


_PARSERS: dict[str, Parser] = {
    "anyType": stored_any,
    "boolean": _boolean,
    "currency": _number,
    "date": _date,
    "datetime": _moment,
    "double": _number,
    "int": _whole,
    "long": _long,
    "percent": _number,
    "time": _time,
}


def parser_of(field: Field) -> Parser | None:
    """Return what reads a field's text, which raises ValueError; None where the text is the value."""
    return _PARSERS.get(field.type)


def unreadable(field: Field, text: str, place: int) -> RowError:
    """Return the error of a cell that its field's type cannot read.

    :param place: of the column, from 0.
    """
    kind = SOAP_TYPES.get(field.type, "xsd:string")
    message = f"Failed to deserialize field at col {place}. Due to, '{text}' is not a valid value for the type {kind}"
    return RowError("INVALID_FIELD", message, field.name)


def _bad_date(field: Field, stored: str) -> RowError:
    """Return the error of a date that Salesforce does not keep, printed as Java prints dates.

    https://help.salesforce.com/s/articleView?id=000383587&type=1
    """
    moment = datetime.fromisoformat(stored.replace("Z", "")[:19])
    shown = f"{moment:%a %b %d %H:%M:%S} GMT {moment.year:04d}"
    return RowError("FIELD_INTEGRITY_EXCEPTION", f"{field.label or field.name}: invalid date: {shown}", field.name)


def check_of(field: Field) -> Callable[[Stored], RowError | None] | None:
    """Return what looks at a stored, non-null value and says what is wrong with it; None where nothing can be."""
    label, name = field.label or field.name, field.name
    length = field.length or LENGTHS.get(field.type, 0)
    if field.type in ("date", "datetime"):
        return lambda value: None if is_in_range(str(value)) else _bad_date(field, str(value))
    if field.is_fractional and field.precision:
        most = 10 ** (field.precision - field.scale)
        return lambda value: (
            None
            if -most < Decimal(str(value)) < most
            else RowError("NUMBER_OUTSIDE_VALID_RANGE", f"{label}: value outside of valid range on numeric field", name)
        )
    if field.type in ("id", "reference") or not length:
        return None

    def check(value: Stored) -> RowError | None:
        text = str(value)
        if len(text) > length:
            return RowError("STRING_TOO_LONG", f"{label}: data value too large: {text} (max length={length})", name)
        if field.type == "email" and not _EMAIL.fullmatch(text):
            return RowError("INVALID_EMAIL_ADDRESS", f"{label}: invalid email address: {text}", name)
        return None

    return check
