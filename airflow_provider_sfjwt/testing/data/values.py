"""A value on its three roads: from Python into SQLite, from SQLite into CSV, from SQLite into JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import date, datetime, time, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.record_ids import canonical_id

Stored = str | int | float | None
_INT64 = 2**63


def moment_text(moment: datetime) -> str:
    """Return a datetime as it is stored: UTC, milliseconds, ``Z``, so that text order is time order.

    :param moment: one without a time zone is taken as UTC.
    """
    moment = moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _stored_moment(value: object) -> str:
    if isinstance(value, datetime):
        return moment_text(value)
    return moment_text(datetime.fromisoformat(str(value).replace("Z", "+00:00").replace("+0000", "+00:00")))


def _stored_time(value: object) -> str:
    moment = value if isinstance(value, time) else time.fromisoformat(str(value).removesuffix("Z"))
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _stored_date(value: object) -> str:
    return (value if isinstance(value, date) else date.fromisoformat(str(value))).isoformat()[:10]


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


_STORING: dict[str, Callable[[object], Stored]] = {
    "boolean": _stored_boolean,
    "int": lambda value: int(Decimal(str(value))),
    "date": _stored_date,
    "datetime": _stored_moment,
    "time": _stored_time,
    "id": _stored_id,
    "reference": _stored_id,
    "base64": _stored_blob,
}


def scaled(value: object, scale: int) -> int:
    """Return a decimal as the whole number of its last places, rounded half up as Salesforce does.

    :raises ValueError: for one beyond 18 digits.
    """
    number = int(Decimal(str(value)).scaleb(scale).to_integral_value(ROUND_HALF_UP))
    if not -_INT64 < number < _INT64:
        raise ValueError("value outside the range of its field")
    return number


def stored(field: Field, value: object) -> Stored:
    """Return a Python value as SQLite keeps it; an empty text becomes null, as in Salesforce.

    :raises ValueError: naming the field, for a value that its type cannot hold.
    """
    if value is None or value == "":
        return 0 if field.type == "boolean" else None
    try:
        if field.type in _STORING:
            return _STORING[field.type](value)
        if field.is_scaled:
            return scaled(value, field.scale)
        if field.type in ("double", "currency", "percent"):
            return float(str(value))
    except (ValueError, TypeError, InvalidOperation) as error:
        raise ValueError(f"{field.name}: {value!r} is not a valid {field.type} ({error})") from error
    return str(value)


def double_text(value: float) -> str:
    """Return a double as Java prints it: ``12.5``, ``1.0E10``, ``4.0E-5``."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(float(value))
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits))
    fraction = text[1:].rstrip("0") or "0"
    return f"{'-' if sign else ''}{text[0]}.{fraction}E{int(exponent) + len(text) - 1}"


def scaled_text(value: int, scale: int) -> str:
    """Return a scaled whole number as a decimal with at least one place, all its digits kept."""
    if not scale:
        return f"{value}.0"
    text = str(abs(value)).zfill(scale + 1)
    return f"{'-' if value < 0 else ''}{text[:-scale]}.{text[-scale:].rstrip('0') or '0'}"


def csv_text(field: Field) -> Callable[[Any], str | None] | None:
    """Return what turns a stored, non-null value into CSV text; None where it is that text already."""
    if field.type == "boolean":
        return lambda value: "true" if value else "false"
    if field.is_scaled:
        return lambda value: scaled_text(value, field.scale)
    if field.type in ("double", "currency", "percent"):
        return double_text
    if field.type == "int" and field.csv_as_double:
        return lambda value: f"{value}.0"
    return None


def json_text(field: Field) -> Callable[[Any], str]:
    """Return what turns a stored, non-null value into JSON text."""
    if field.type == "boolean":
        return lambda value: "true" if value else "false"
    if field.is_scaled:
        return lambda value: scaled_text(value, field.scale)
    if field.type in ("double", "currency", "percent"):
        return double_text
    if field.type == "int":
        return str
    if field.type == "datetime":
        return lambda value: f'"{value[:-1]}+0000"'
    return lambda value: json.dumps(value, ensure_ascii=False)


def python_value(field: Field, value: Stored) -> object:
    """Return a stored value as the Python value that it stands for: bool, Decimal, date, aware datetime, time…"""
    if value is None:
        return None
    if field.type == "boolean":
        return bool(value)
    if field.is_scaled:
        return Decimal(scaled_text(int(value), field.scale))
    text = str(value)
    if field.type == "date":
        return date.fromisoformat(text)
    if field.type == "datetime":
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    if field.type == "time":
        return time.fromisoformat(text.removesuffix("Z"))
    return value
