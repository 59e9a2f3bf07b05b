"""A value on its three roads: from Python into SQLite, from SQLite into CSV, from SQLite into JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import date, datetime, time, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.numbers import stored_number
from airflow_provider_sfjwt.testing.data.record_ids import canonical_id

Stored = str | int | float | None
FIRST_DAY, LAST_DAY = "1700-01-01", "4000-12-31"


def moment_text(moment: datetime) -> str:
    """Return a datetime as it is stored: UTC, milliseconds, ``Z``, so that text order is time order.

    :param moment: one without a time zone is taken as UTC.
    """
    moment = moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _stored_moment(value: object) -> str:
    if not isinstance(value, datetime):
        value = datetime.fromisoformat(str(value).replace("Z", "+00:00").replace("+0000", "+00:00"))
    return _in_range(moment_text(value))


def _stored_time(value: object) -> str:
    moment = value if isinstance(value, time) else time.fromisoformat(str(value).removesuffix("Z"))
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _stored_date(value: object) -> str:
    return _in_range((value if isinstance(value, date) else date.fromisoformat(str(value))).isoformat()[:10])


def is_in_range(text: str) -> bool:
    """Whether Salesforce keeps a date or datetime, given as it is stored.

    https://help.salesforce.com/s/articleView?id=000383587&type=1
    """
    return FIRST_DAY <= text[:10] <= LAST_DAY


def _in_range(text: str) -> str:
    if not is_in_range(text):
        raise ValueError(f"Salesforce keeps {FIRST_DAY} to {LAST_DAY}")
    return text


def _stored_boolean(value: object) -> int:
    if isinstance(value, str):
        return int(value.strip().lower() in ("true", "1"))
    return int(bool(value))


def _stored_id(value: object) -> str:
    found = canonical_id(str(value))
    if found is None:
        raise ValueError("not an id")
    return found


def _stored_blob(value: object) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def stored_any(value: object) -> str:
    """Return a value of an anyType field as it is stored: its kind and its text.

    Each record of such a field has a type of its own, as ``OldValue`` of a history object has.
    """
    if isinstance(value, bool):
        return f"b{str(value).lower()}"
    if isinstance(value, (int, float, Decimal)):
        return f"n{value if isinstance(value, int) else stored_number(value)}"
    if isinstance(value, datetime):
        return f"t{_stored_moment(value)}"
    return f"s{_stored_date(value) if isinstance(value, date) else value}"


def any_csv_text(stored: str) -> str:
    """Return a stored value of an anyType field as CSV text."""
    return stored[1:]


def any_json_text(stored: str) -> str:
    """Return a stored value of an anyType field as JSON text."""
    if stored[0] in "bn":
        return stored[1:]
    return json.dumps(f"{stored[1:-1]}+0000" if stored[0] == "t" else stored[1:], ensure_ascii=False)


def python_any(stored: str) -> object:
    """Return a stored value of an anyType field as a Python value; a date is its text."""
    kind, text = stored[0], stored[1:]
    if kind == "b":
        return text == "true"
    if kind == "n":
        return Decimal(text)
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if kind == "t" else text


_STORING: dict[str, Callable[[object], Stored]] = {
    "boolean": _stored_boolean,
    "int": lambda value: int(Decimal(str(value))),
    "long": lambda value: int(Decimal(str(value))),
    "double": stored_number,
    "currency": stored_number,
    "percent": stored_number,
    "anyType": stored_any,
    "date": _stored_date,
    "datetime": _stored_moment,
    "time": _stored_time,
    "id": _stored_id,
    "reference": _stored_id,
    "base64": _stored_blob,
}


def stored(field: Field, value: object) -> Stored:
    """Return a Python value as SQLite keeps it; an empty text becomes null, as in Salesforce.

    :raises ValueError: naming the field, for a value that its type cannot hold.
    """
    if value is None or value == "":
        return 0 if field.type == "boolean" else None
    try:
        if field.type in _STORING:
            return _STORING[field.type](value)
    except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
        raise ValueError(f"{field.name}: {value!r} is not a valid {field.type} ({error})") from error
    return str(value)


def _boolean_text(value: Stored) -> str:
    return "true" if value else "false"


def csv_text(field: Field) -> Callable[[Any], str | None] | None:
    """Return what turns a stored, non-null value into CSV text; None where it is that text already."""
    if field.type == "boolean":
        return _boolean_text
    if field.type == "int" and field.csv_as_double:
        return lambda value: f"{value}.0"
    if field.type == "anyType":
        return any_csv_text
    return None


def json_text(field: Field) -> Callable[[Any], str]:
    """Return what turns a stored, non-null value into JSON text."""
    if field.type == "boolean":
        return _boolean_text
    if field.is_number:
        return str
    if field.type == "datetime":
        return lambda value: f'"{value[:-1]}+0000"'
    if field.type == "anyType":
        return any_json_text
    return lambda value: json.dumps(value, ensure_ascii=False)


def python_value(field: Field, value: Stored) -> object:
    """Return a stored value as the Python value that it stands for: bool, Decimal, date, aware datetime, time…"""
    if value is None:
        return None
    if field.type == "boolean":
        return bool(value)
    text = str(value)
    if field.is_fractional:
        return Decimal(text) if field.precision else float(text)
    if field.type == "anyType":
        return python_any(text)
    if field.type == "date":
        return date.fromisoformat(text)
    if field.type == "datetime":
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    if field.type == "time":
        return time.fromisoformat(text.removesuffix("Z"))
    return value
