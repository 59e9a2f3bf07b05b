"""Rows as the JSON records of sObject Collections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_sfjwt.files.values.cells import NULL
from airflow_provider_sfjwt.load.columns import LoadColumn

_NUMBERS = frozenset({"int", "long", "double", "currency", "percent"})
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "no", "n", "off", "0"), False),
}
#: Numbers that JSON can hold. Any other text is left to Salesforce, as over Bulk API 2.0.
_DIGITS = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
#: Integers up to this are the same in every reader of JSON.
_EXACT_INTEGERS = 2**53


def record_of(cells: Mapping[str, str | None], columns: Iterable[LoadColumn]) -> dict[str, Any]:
    """A row as a JSON record. An empty cell leaves its field as it is, so it is left out.

    :param cells: text, by the columns' headers.
    :param columns: what is sent.
    """
    record: dict[str, Any] = {}
    for column in columns:
        if cell := cells[column.header]:
            _put(record, column, cell)
    return record


def _put(record: dict[str, Any], column: LoadColumn, cell: str) -> None:
    """Set a field, or a parent by its key. ``Lead:Who.Email`` names the parent's object first."""
    sobject, _, path = column.header.rpartition(":")
    parent, _, name = path.rpartition(".")
    if not parent:
        record[name] = _typed(column, cell)
        return
    if cell == NULL:
        record[column.written["name"]] = None
        return
    record[parent] = {name: _typed(column, cell)}
    if sobject:
        record[parent]["attributes"] = {"type": sobject}


def _typed(column: LoadColumn, cell: str) -> str | bool | int | float | None:
    if cell == NULL:
        return None
    kind = column.field["type"]
    if kind == "boolean":
        return _BOOLEANS.get(cell.lower(), cell)
    return _number(cell) if kind in _NUMBERS else cell


def _number(digits: str) -> int | float | str:
    if not _DIGITS.fullmatch(digits):  # Salesforce reads numbers with Java, which knows 1.5d and 1f
        return digits
    exact = Decimal(digits)
    if exact == exact.to_integral_value() and abs(exact) < _EXACT_INTEGERS:
        return int(exact)
    near = float(exact)
    # A number that a float would round goes as text: Salesforce reads its digits, or refuses it by name.
    return near if Decimal(repr(near)) == exact else digits
