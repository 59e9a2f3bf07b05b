"""JSON: result pages written, one object a line; files, and rows that are given as they are, read as Arrow tables.

Reading needs the extra ``parquet``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from airflow_provider_sfjwt.exceptions import ProtocolError, counted
from airflow_provider_sfjwt.files.formats.cell_faults import check_text, id_of, unfit_value
from airflow_provider_sfjwt.files.formats.csv_records import rows as csv_rows
from airflow_provider_sfjwt.files.formats.faults import Fault, checked_columns, unreadable
from airflow_provider_sfjwt.files.formats.input_file import InputFile
from airflow_provider_sfjwt.files.formats.json_rows import (
    JsonRow,
    Repeated,
    column_names,
    json_rows,
    parents,
    without_null_parents,
)
from airflow_provider_sfjwt.files.formats.result_page import PageContent, ResultPage
from airflow_provider_sfjwt.files.storage.file_writer import FileWriter, compressed
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.files.values.python_table import PythonTable

#: Objects that are read at once.
_LINES_AT_ONCE = 5_000
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
                    raise ProtocolError(f"a row has {counted(len(row), 'value')} where the header names {len(keys)}")
                try:
                    cells = [key + encode(cell) for key, encode, cell in zip(keys, encoders, row, strict=True)]
                except _UnfitCellError as error:
                    raise unfit_value(error.column, id_of(dict(zip(names, row, strict=True)))) from None
                lines.append("{" + ",".join(cells) + "}\n")
            records += len(lines)
            write("".join(lines).encode("utf-8"))
            if page.overflows(records):
                break
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


def columns(file: InputFile) -> tuple[str, ...]:
    """The keys of all objects. See :class:`~.registry.InputReader`."""
    with file.opened_text() as stream:
        first: list[JsonRow] = []
        names = column_names(_values(json_rows(file, stream), first))
    if not names and (first or _is_blank(file)):
        faults = [f"row 1 {message}" for row in first for _, message in row.faults]
        advice = "Write one object a line, or one array of objects"
        raise unreadable(file.name, f"{faults[0]}. {advice}" if faults else "it is empty, so its columns are unknown")
    return checked_columns(names, file.name)


def _is_blank(file: InputFile) -> bool:
    """Whether a file without rows holds nothing at all, and not an empty array."""
    with file.opened_text() as stream:
        return not any(line.strip() for line in stream)


def _values(rows: Iterable[JsonRow], first: list[JsonRow]) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        if not first:
            first.append(row)
        yield row.values


def pieces(
    file: InputFile, wanted: Sequence[str], known: Sequence[str], *, lines_at_once: int = _LINES_AT_ONCE
) -> Iterator[tuple[PythonTable, list[Fault]]]:
    """Read the rows. See :class:`~.registry.InputReader`.

    :param file: the file.
    :param wanted: the columns to read, in the order that the tables shall have.
    :param known: all columns of the source.
    :param lines_at_once: objects of a piece.
    :raises ConfigurationError: if it is unknown where a row ends.
    """
    row, above = 1, parents(known)
    with file.opened_text() as stream:
        found = json_rows(file, stream)
        while block := list(islice(found, lines_at_once)):
            values = [without_null_parents(each.values, above) for each in block]
            table, faults = table_of(values, wanted, file.name, row, known)
            unread = [
                Fault(file.name, number, column, message)
                for number, each in enumerate(block, row)
                for column, message in each.faults
                if column is None or column in wanted
            ]
            yield table, unread + faults
            row += len(block)


def table_of(
    rows: Sequence[Mapping[str, Any]], wanted: Sequence[str], file: str, first_row: int, known: Sequence[str]
) -> tuple[PythonTable, list[Fault]]:
    """Turn rows into a table of their values.

    :param rows: the rows.
    :param wanted: the columns to read, in their order. Other columns are not checked.
    :param file: where the rows came from.
    :param first_row: the number of the first.
    :param known: all columns of the source.
    :return: the table, and the faults in the rows' keys.
    """
    faults = _faults_of_keys(rows, wanted, file, first_row, known)
    return PythonTable({name: [row.get(name) for row in rows] for name in wanted}, len(rows)), faults


def _faults_of_keys(
    rows: Sequence[Mapping[str, Any]], wanted: Sequence[str], file: str, first_row: int, known: Sequence[str]
) -> list[Fault]:
    faults: list[Fault] = []
    names = frozenset(known)
    for place, row in enumerate(rows, first_row):
        if not row.keys() <= names:
            more = ", ".join(str(name) for name in row if name not in names)
            faults.append(Fault(file, place, None, f"has the unexpected key(s) {more}"))
        if isinstance(row, Repeated):
            faults += [Fault(file, place, name, "appears more than once") for name in wanted if name in row.names]
    return faults
