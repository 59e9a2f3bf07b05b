"""Functions that SQLite has not: exact arithmetic of numbers that are kept as text, parts of dates, displayed forms."""

from __future__ import annotations

import json
import sqlite3
from datetime import date, time
from decimal import Context, Decimal

from airflow_provider_sfjwt.testing.data.date_parts import date_part, in_zone
from airflow_provider_sfjwt.testing.data.numbers import java_text

_EXACT = Context(prec=400)
_AVERAGE = Context(prec=34)
_DOUBLE_DIGITS = Context(prec=16)


class _Sum:
    """``SUM``: exact, where a sum of doubles would not be."""

    def __init__(self) -> None:
        self._total = Decimal(0)
        self._count = 0

    def step(self, value: str | int | None) -> None:
        """Add one value; null counts for nothing."""
        if value is not None:
            self._total = _EXACT.add(self._total, Decimal(value))
            self._count += 1

    def finalize(self) -> str | None:
        """Return the sum; None of no values."""
        return java_text(self._total) if self._count else None


class _Average(_Sum):
    """``AVG``, as the double that is nearest."""

    def finalize(self) -> str | None:
        """Return the average; None of no values."""
        if not self._count:
            return None
        return java_text(Decimal(repr(float(_AVERAGE.divide(self._total, Decimal(self._count))))))


class _Least:
    """``MIN``."""

    _sign = 1

    def __init__(self) -> None:
        self._found: Decimal | None = None

    def step(self, value: str | None) -> None:
        """Look at one value; null counts for nothing."""
        if value is not None:
            number = Decimal(value)
            if self._found is None or self._sign * number < self._sign * self._found:
                self._found = number

    def finalize(self) -> str | None:
        """Return the value that was found; None of no values."""
        return None if self._found is None else java_text(self._found)


class _Greatest(_Least):
    """``MAX``."""

    _sign = -1


def _label(value: str | None, labels: str) -> str | None:
    """Return the label of a picklist value, or of each of a multi-select picklist."""
    known = json.loads(labels)
    return None if value is None else ";".join(known.get(part, part) for part in value.split(";"))


def _convert(value: str | None, currency: str | None, rates: str) -> str | None:
    """Return an amount in the first currency of the rates.

    :param currency: of the record; None: that first currency.
    :param rates: JSON object: units of each currency for one of the first.
    """
    if value is None:
        return None
    known = json.loads(rates)
    rate = Decimal(repr(float(known.get(currency, next(iter(known.values()))))))
    return java_text(_DOUBLE_DIGITS.divide(Decimal(value), rate)) if rate != 1 else value


def _format(kind: str, value: str | int | None, currency: str | None, places: int, zone: str) -> str | None:
    """Return a value as a user with the locale en_US sees it.

    :param kind: type of the field.
    :param places: decimal places; -1: those that the value has.
    """
    if value is None:
        return None
    if kind == "date":
        day = date.fromisoformat(str(value))
        return f"{day.month}/{day.day}/{day.year}"
    if kind == "datetime":
        moment = in_zone(str(value), zone)
        return f"{moment.month}/{moment.day}/{moment.year}, {_clock(moment.time())}"
    if kind == "time":
        return _clock(time.fromisoformat(str(value).removesuffix("Z")))
    number = Decimal(value)
    text = f"{number:,.{places}f}" if places >= 0 else f"{number:,f}".removesuffix(".0")
    return f"{currency} {text}" if currency else f"{text}%" if kind == "percent" else text


def _clock(moment: time) -> str:
    return f"{moment.hour % 12 or 12}:{moment.minute:02d} {'AM' if moment.hour < 12 else 'PM'}"


def add_functions(connection: sqlite3.Connection) -> None:
    """Give a connection the functions ``soql_…`` that compiled queries use."""
    for name, aggregate in (("soql_sum", _Sum), ("soql_avg", _Average), ("soql_min", _Least), ("soql_max", _Greatest)):
        # SQLite takes texts from an aggregate too; typeshed knows of numbers only.
        connection.create_aggregate(name, 1, aggregate)  # type: ignore[arg-type]
    connection.create_function("soql_date_part", 4, date_part, deterministic=True)
    connection.create_function("soql_label", 2, _label, deterministic=True)
    connection.create_function("soql_convert", 3, _convert, deterministic=True)
    connection.create_function("soql_format", 5, _format, deterministic=True)
