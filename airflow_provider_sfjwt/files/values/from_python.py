"""A Python value as the cell of a field: one conversion for each type of field, the same for every source.

=======================  =====================================================================================
field                    cell
=======================  =====================================================================================
boolean                  ``true``; from true, yes, y, on, 1 and their opposites in any case, and from 1.0 and 0.0
int, long                ``-7``; from ``-7.0`` and ``-7e0`` as well
double, currency,        ``12.5``: all digits, without an exponent, a sign ``+`` or zeros that say nothing
percent
date, datetime, time     see :mod:`airflow_provider_sfjwt.files.values.moments`
multipicklist            ``a;b``, also from a list
base64                   base64 of bytes; text as it is
any other                text as it is; numbers as in a number field; bytes that are UTF-8; the rest as in its own field
=======================  =====================================================================================

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_date_format.htm
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from enum import Enum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from airflow_provider_sfjwt.files.values.cells import NULL, UnfitValueError, shown
from airflow_provider_sfjwt.files.values.moments import day_cell, moment_cell, time_cell

#: Powers of ten within a double's range. Written out, a number beyond them could have millions of digits.
_LEAST_POWER, _GREATEST_POWER = -400, 308
_MISSING = "None stands for a missing value, as in df.astype(object).where(df.notna(), None)"
#: pandas' values for a missing one. The first is a datetime to isinstance.
_MISSING_TYPES = ("NaTType", "NAType")
_PLAIN_TYPES = frozenset((str, bool, int, float, Decimal, date, datetime, time))
_TRUE = frozenset(("true", "yes", "y", "on", "1"))
_FALSE = frozenset(("false", "no", "n", "off", "0"))
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?0*\d{1,3})?", re.ASCII)
#: Java, with which Salesforce reads numbers, takes a letter for the type of a number.
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_JAVA_NUMBER = re.compile(rf"(?:{_NUMBER.pattern})[dDfF]", re.ASCII)
_BITS = {"int": 32, "long": 64}


class Digits(str):
    """A number with the digits that a file has, so that nothing is rounded."""


Conversion = Callable[[Any, "tzinfo | None"], str]


def cell_of(value: Any, kind: str = "string", zone: tzinfo | None = None) -> str:
    """Write a value as the cell of a field.

    :param value: what the source holds; not None.
    :param kind: the type of the field, as its description says.
    :param zone: of a datetime that has none; None refuses it.
    :return: the cell; empty where the value is empty text.
    :raises UnfitValueError: for a value that the field has no cell for.
    """
    plain = _plain(value)
    if plain == "" or plain == NULL:
        return str(plain)
    return CONVERSIONS.get(kind, _text)(plain, zone)


def _plain(value: Any) -> Any:
    """The value as one of Python's own types, where it is of a usual other one."""
    kind = type(value)
    if kind in _PLAIN_TYPES or kind is Digits:
        return value
    if kind.__name__ in _MISSING_TYPES:
        raise UnfitValueError(f"holds {value}. {_MISSING}")
    if isinstance(value, Enum):
        return _plain(value.value)
    if kind.__module__ == "numpy":
        return _of_numpy(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return value


def _of_numpy(value: Any) -> Any:
    name = type(value).__name__
    if name == "ndarray":
        return value.tolist()
    if name.startswith("float") or name == "longdouble":
        return float(str(value))  # the shortest digits of its own precision
    if name in ("datetime64", "timedelta64"):
        if str(value) == "NaT":
            raise UnfitValueError(f"holds {value}. {_MISSING}")
        plain = value.item()
        return value.astype(f"{name}[us]").item() if isinstance(plain, int) else plain
    return value.item() if hasattr(value, "item") else value


# -- one conversion for each type of field -----------------------------------------------------------------------------


def _boolean(value: Any, zone: tzinfo | None) -> str:
    word = str(value).lower()
    if isinstance(value, float | Decimal | Digits):
        word = _number(value, zone)
    if not isinstance(value, bool | int | float | Decimal | str) or word not in _TRUE | _FALSE:
        raise UnfitValueError(f"{shown(value)} is neither true nor false{_spaces(value)}")
    return "true" if word in _TRUE else "false"


def _whole(bits: int) -> Conversion:
    words = f"is not a whole number of {bits} bits"

    def convert(value: Any, zone: tzinfo | None) -> str:
        if isinstance(value, float | Decimal) and not math.isfinite(value):
            _number(value, zone)
        text = _decimal_text(value)
        if text is None or not _WHOLE.fullmatch(text) or not -(2 ** (bits - 1)) <= int(text) < 2 ** (bits - 1):
            raise UnfitValueError(f"{shown(value)} {words}{_spaces(value)}")
        return text

    return convert


def _number(value: Any, zone: tzinfo | None) -> str:
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        raise UnfitValueError(f"holds {value}, which is not a number. {_MISSING}")
    if isinstance(value, str) and _JAVA_NUMBER.fullmatch(value):
        return value
    try:
        text = _decimal_text(value)
    except UnfitValueError:
        if type(value) is str:  # Salesforce judges it
            return value
        raise
    if text is None:
        raise UnfitValueError(f"{shown(value)} is not a number{_spaces(value)}")
    return text


def _decimal_text(value: Any) -> str | None:
    """The digits of a number, None where a value is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    if isinstance(value, int):
        return str(int(value))
    text = str(value)
    if type(value) is str and not _NUMBER.fullmatch(text):
        return None
    try:
        return _written(Decimal(text))
    except InvalidOperation:  # an exponent of 19 digits
        raise UnfitValueError(f"holds the number {text[:40]}, which is out of range") from None


def _written(exact: Decimal) -> str:
    """A number without exponent, and without zeros that say nothing."""
    if not exact:
        return "0"
    if not _LEAST_POWER <= exact.adjusted() <= _GREATEST_POWER:
        raise UnfitValueError(f"holds the number {str(exact)[:40]}, which is out of range")
    text = format(exact, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _several(value: Any, zone: tzinfo | None) -> str:
    """Of a multi-select picklist: values with semicolons between them."""
    if not isinstance(value, list | tuple | set | frozenset):
        return _text(value, zone)
    each = [_text(_plain(one), zone) for one in value if one is not None]
    if any(";" in one for one in each):
        raise UnfitValueError(f"{shown(value)} has a value with a semicolon, which separates values")
    return ";".join(sorted(each) if isinstance(value, set | frozenset) else each)


def _base64(value: Any, zone: tzinfo | None) -> str:
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else _text(value, zone)


def _text(value: Any, zone: tzinfo | None) -> str:
    if isinstance(value, Digits) or (isinstance(value, int | float | Decimal) and not isinstance(value, bool)):
        return _number(value, zone)
    if isinstance(value, str):
        return _encodable(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return _decoded(value)
    for kind, convert in _OF_PYTHON:
        if isinstance(value, kind):
            return convert(value, zone)
    kind = dict if isinstance(value, dict) else type(value)
    raise UnfitValueError(f"holds a {kind.__name__}; a field takes one value")


#: Python's types that a text field takes in the form of their own field. A datetime is a date as well.
_OF_PYTHON: tuple[tuple[type, Conversion], ...] = (
    (datetime, moment_cell),
    (date, day_cell),
    (time, time_cell),
    (timedelta, time_cell),
)


def _encodable(text: str) -> str:
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            half = text[error.start]
            raise UnfitValueError(
                f"character {error.start + 1} is {half!r}, half of a character (encoding); the other half is missing"
            ) from None
    return str(text)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnfitValueError(
            f"holds bytes that are not UTF-8 (0x{data[error.start]:02X} at byte {error.start + 1}). A field of the "
            "type base64 takes any bytes, another takes text"
        ) from None


def _spaces(value: Any) -> str:
    return "; it has spaces around it" if isinstance(value, str) and value.strip() != value else ""


def _checked_text(convert: Conversion) -> Conversion:
    """Say so where spaces alone keep a text from being a value."""

    def converted(value: Any, zone: tzinfo | None) -> str:
        try:
            return convert(value, zone)
        except UnfitValueError as error:
            raise UnfitValueError(f"{error}{_spaces(value)}") from None

    return converted


#: By the type of the field. A type that is not here takes text.
CONVERSIONS: Mapping[str, Conversion] = MappingProxyType(
    {
        "boolean": _boolean,
        "int": _whole(_BITS["int"]),
        "long": _whole(_BITS["long"]),
        "double": _number,
        "currency": _number,
        "percent": _number,
        "date": _checked_text(day_cell),
        "datetime": _checked_text(moment_cell),
        "time": _checked_text(time_cell),
        "multipicklist": _several,
        "base64": _base64,
    }
)
