"""JSON lines, and rows that come as they are, as Arrow tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from airflow_provider_sfjwt.files.formats.faults import Fault, same_columns, unreadable
from airflow_provider_sfjwt.files.formats.input_file import InputFile
from airflow_provider_sfjwt.files.values.arrow_arrays import texts
from airflow_provider_sfjwt.files.values.from_python import Digits, UnfitValueError, text_of

_LINES = 5_000
_BOM = "\ufeff"


class _Repeated(dict[str, Any]):
    """An object that names some keys more than once."""

    names: frozenset[str]


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


def pieces(file: InputFile, wanted: Sequence[str], known: Sequence[str]) -> Iterator[tuple[pa.Table, list[Fault]]]:
    """Read the rows.

    :param file: the file.
    :param wanted: the columns to read, in the order that the tables shall have.
    :param known: all columns of the source.
    :raises ConfigurationError: when a line is no JSON object.
    """
    row = 1
    with file.opened() as stream:
        lines = _lines(stream)
        while block := list(islice(lines, _LINES)):
            rows = [_object(file.name, row + place, line) for place, line in enumerate(block)]
            yield table_of(rows, wanted, file.name, row, known)
            row += len(rows)


def _lines(stream: Any) -> Iterator[bytes]:
    return (line for line in stream if line.strip())


def _object(name: str, row: int, line: bytes) -> dict[str, Any]:
    try:
        text = line.decode("utf-8").removeprefix(_BOM)
        value = json.loads(text, parse_int=Digits, parse_float=Digits, object_pairs_hook=_pairs)
    except UnicodeDecodeError as error:
        raise unreadable(name, f"row {row} is not UTF-8 (encoding): {error.reason} at its byte {error.start}") from None
    except ValueError as error:
        raise unreadable(name, f"row {row} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise unreadable(name, f"row {row} is a JSON {type(value).__name__}, not an object")
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeated, seen = _Repeated(found), [name for name, _ in pairs]
    repeated.names = frozenset(name for name in found if seen.count(name) > 1)
    return repeated


def table_of(
    rows: Sequence[Mapping[str, Any]], wanted: Sequence[str], file: str, first_row: int, known: Sequence[str]
) -> tuple[pa.Table, list[Fault]]:
    """Turn rows into a table of text.

    :param rows: the rows.
    :param wanted: the columns to read, in their order. What others hold is not looked at.
    :param file: where the rows came from.
    :param first_row: the number of the first.
    :param known: all columns of the source.
    :return: the table, and what cannot be a cell of it.
    """
    faults = _faults_of_keys(rows, wanted, file, first_row, known)
    arrays = []
    for name in wanted:
        cells: list[str | None] = []
        for place, row in enumerate(rows):
            value = row.get(name)
            try:
                cells.append(None if value is None else text_of(value))
            except UnfitValueError as error:
                faults.append(Fault(file, first_row + place, name, str(error)))
                cells.append(None)
        arrays.append(texts(cells))
    return pa.Table.from_arrays(arrays, names=list(wanted)), faults


def _faults_of_keys(
    rows: Sequence[Mapping[str, Any]], wanted: Sequence[str], file: str, first_row: int, known: Sequence[str]
) -> list[Fault]:
    faults: list[Fault] = []
    names = frozenset(known)
    for place, row in enumerate(rows, first_row):
        if not row.keys() <= names:
            more = ", ".join(str(name) for name in row if name not in names)
            faults.append(Fault(file, place, None, f"has {more}, which no row before has"))
        if isinstance(row, _Repeated):
            faults += [Fault(file, place, name, "is there more than once") for name in wanted if name in row.names]
    return faults
