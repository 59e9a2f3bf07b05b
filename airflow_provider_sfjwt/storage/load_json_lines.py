"""JSON lines, and rows that come as they are, as Arrow tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import Any

import pyarrow as pa

from airflow_provider_sfjwt.storage.load_files import InputFile, same_columns, unreadable
from airflow_provider_sfjwt.storage.load_source import Fault

_LINES = 5_000
_BOM = "\ufeff"
_SCALARS = (str, bool, int, float, Decimal, datetime, date, time)


class _Number(str):
    """A number as its digits stand in the file, so that nothing is rounded."""


def columns(file: InputFile) -> tuple[str, ...]:
    """The keys of the first lines.

    :param file: the file.
    :raises ConfigurationError: when it is empty.
    """
    names: dict[str, None] = {}
    with file.opened() as stream:
        for row, line in enumerate(islice(_lines(stream), _LINES), 1):
            names.update(dict.fromkeys(_object(file.name, row, line)))
    if not names:
        raise unreadable(file.name, "it is empty: not even the names of columns are known")
    return same_columns(list(names), file.name)


def pieces(file: InputFile, wanted: Sequence[str]) -> Iterator[tuple[pa.Table, list[Fault]]]:
    """Read the rows.

    :param file: the file.
    :param wanted: the columns, in the order that the tables shall have.
    :raises ConfigurationError: when a line is no JSON object.
    """
    row = 1
    with file.opened() as stream:
        lines = _lines(stream)
        while block := list(islice(lines, _LINES)):
            rows = [_object(file.name, row + place, line) for place, line in enumerate(block)]
            yield table_of(rows, wanted, file.name, row)
            row += len(rows)


def _lines(stream: Any) -> Iterator[bytes]:
    return (line for line in stream if line.strip())


def _object(name: str, row: int, line: bytes) -> dict[str, Any]:
    try:
        text = line.decode("utf-8").removeprefix(_BOM)
        value = json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    except UnicodeDecodeError as error:
        raise unreadable(name, f"row {row} is not UTF-8 (encoding): {error.reason} at its byte {error.start}") from None
    except ValueError as error:
        raise unreadable(name, f"row {row} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise unreadable(name, f"row {row} is a JSON {type(value).__name__}, not an object")
    return value


def table_of(
    rows: Sequence[Mapping[str, Any]], wanted: Sequence[str], file: str, first_row: int
) -> tuple[pa.Table, list[Fault]]:
    """Turn rows into a table.

    :param rows: the rows.
    :param wanted: the columns, in their order.
    :param file: where the rows came from.
    :param first_row: the number of the first.
    :return: the table, and what cannot be a cell of it.
    """
    faults: list[Fault] = []
    known = frozenset(wanted)
    for place, row in enumerate(rows):
        if not row.keys() <= known:
            more = ", ".join(str(name) for name in row if name not in known)
            faults.append(Fault(file, first_row + place, None, f"has {more}, which no row before has"))
    arrays = []
    for name in wanted:
        values = [row.get(name) for row in rows]
        for place, value in enumerate(values):
            if value is not None and not isinstance(value, _SCALARS):
                message = f"holds a {type(value).__name__}; a field takes one value"
                faults.append(Fault(file, first_row + place, name, message))
                values[place] = None
            elif isinstance(value, _Number):
                values[place] = _plain(value)
        arrays.append(_array(values))
    return pa.Table.from_arrays(arrays, names=list(wanted)), faults


def _array(values: list[Any]) -> pa.Array:
    """One type where all values have it, so that moments and times keep theirs; text otherwise."""
    kinds = {type(value) for value in values if value is not None}
    zones = {value.tzinfo is None for value in values if isinstance(value, datetime)}
    if len(kinds) == 1 and kinds <= {datetime, date, time} and len(zones) < 2:
        return pa.array(values)
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        return _plain(str(value))
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat()
        return value.isoformat(timespec="milliseconds")
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _plain(number: str) -> str:
    """A number without exponent."""
    if "e" in number or "E" in number:
        return format(Decimal(number), "f")
    return number
