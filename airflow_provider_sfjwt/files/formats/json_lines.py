"""JSON lines: result pages written; files, and rows that are given as they are, read as Arrow tables.

Reading needs the extra ``parquet``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.files.formats.cell_faults import check_text, id_of, unfit_value
from airflow_provider_sfjwt.files.formats.csv_records import rows as csv_rows
from airflow_provider_sfjwt.files.formats.faults import Fault, checked_columns, unreadable
from airflow_provider_sfjwt.files.formats.input_file import InputFile
from airflow_provider_sfjwt.files.formats.result_page import PageContent, ResultPage
from airflow_provider_sfjwt.files.storage.file_writer import FileWriter, compressed
from airflow_provider_sfjwt.files.values.arrow_arrays import texts
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.files.values.from_python import Digits, UnfitValueError, text_of

if TYPE_CHECKING:
    import pyarrow as pa

#: Lines that are read at once.
_LINES_AT_ONCE = 5_000
_BOM = "\ufeff"
#: What Java prints for doubles that JSON has no numbers for. They become text.
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


def write_page(page: ResultPage, file: FileWriter, compression: str | None) -> PageContent:
    """Write each record as an object. See :class:`~.registry.PageWriter`."""
    records = 0
    names = [column.name for column in page.columns]
    encoders = [_encoder(column) for column in page.columns]
    keys = [json.dumps(name, ensure_ascii=False) + ":" for name in names]
    with compressed(file, compression) as write:
        for piece in page.pieces:
            lines = []
            check_text(piece, names)
            for row in csv_rows(piece):
                if len(row) != len(keys):
                    raise ProtocolError(f"a row has {len(row)} values where the header names {len(keys)}")
                try:
                    cells = [key + encode(cell) for key, encode, cell in zip(keys, encoders, row, strict=True)]
                except _UnfitCellError as error:
                    raise unfit_value(error.column, id_of(dict(zip(names, row, strict=True)))) from None
                lines.append("{" + ",".join(cells) + "}\n")
            records += len(lines)
            write("".join(lines).encode("utf-8"))
    return PageContent(records)


class _UnfitCellError(Exception):
    """A cell is not a value of its column's type."""

    def __init__(self, column: Column) -> None:
        super().__init__(column.name)
        self.column = column


def _encoder(column: Column) -> Callable[[str], str]:
    """How a cell becomes JSON. An empty cell is null: Salesforce keeps no empty text."""
    if column.value_type.json == "boolean":
        return lambda cell: _boolean(column, cell) if cell else "null"
    if column.value_type.json == "number":
        return lambda cell: _number(column, cell) if cell else "null"
    return lambda cell: json.dumps(cell, ensure_ascii=False) if cell else "null"


def _boolean(column: Column, cell: str) -> str:
    text = cell.lower()
    if text not in ("true", "false"):
        raise _UnfitCellError(column)
    return text


def _number(column: Column, cell: str) -> str:
    if cell in _NOT_FINITE:
        return f'"{cell}"'
    if not _NUMBER.fullmatch(cell):
        raise _UnfitCellError(column)
    return cell  # the digits stay as they came, so that nothing is rounded


class _Repeated(dict[str, Any]):
    """An object that names some keys more than once."""

    names: frozenset[str]


def columns(file: InputFile) -> tuple[str, ...]:
    """The keys of the first lines. See :class:`~.registry.InputReader`."""
    names: dict[str, None] = {}
    with file.opened() as stream:
        for row, line in enumerate(islice(_lines(stream), _LINES_AT_ONCE), 1):
            names.update(dict.fromkeys(_object(file.name, row, line)))
    if not names:
        raise unreadable(file.name, "it is empty, so its columns are unknown")
    return checked_columns(list(names), file.name)


def pieces(
    file: InputFile, wanted: Sequence[str], known: Sequence[str], *, lines_at_once: int = _LINES_AT_ONCE
) -> Iterator[tuple[pa.Table, list[Fault]]]:
    """Read the rows. See :class:`~.registry.InputReader`.

    :param file: the file.
    :param wanted: the columns to read, in the order that the tables shall have.
    :param known: all columns of the source.
    :param lines_at_once: lines of a piece.
    :raises ConfigurationError: if a line is not a JSON object.
    """
    row = 1
    with file.opened() as stream:
        lines = _lines(stream)
        while block := list(islice(lines, lines_at_once)):
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
        raise unreadable(name, f"row {row} is not JSON: {error}") from None
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
    :param wanted: the columns to read, in their order. Other columns are not checked.
    :param file: where the rows came from.
    :param first_row: the number of the first.
    :param known: all columns of the source.
    :return: the table, and the values that cannot be a cell of it.
    """
    import pyarrow as pa

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
            faults.append(Fault(file, place, None, f"has the unexpected key(s) {more}"))
        if isinstance(row, _Repeated):
            faults += [Fault(file, place, name, "appears more than once") for name in wanted if name in row.names]
    return faults
