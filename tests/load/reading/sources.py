"""Sources of a load in a temporary folder, and what reading them gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.files.values.from_arrow import Form, cells_of
from airflow_provider_sfjwt.files.values.python_table import PythonTable
from airflow_provider_sfjwt.load.reading.source import LoadSource, SourcePiece


def write(tmp_path: Path, data: bytes | str, name: str = "in.csv") -> str:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


def read(source: Any, **options: Any) -> list[dict[str, Any]]:
    """The rows; those that have Python's own types as the cells of text fields."""
    pieces = [_with_cells(piece) for piece in LoadSource(source, **options).pieces()]
    assert [fault for piece in pieces for fault in piece.faults] == []
    return [row for piece in pieces for row in piece.table.to_pylist()]


def faults(source: Any, **options: Any) -> list[Fault]:
    return [fault for piece in LoadSource(source, **options).pieces() for fault in _with_cells(piece).faults]


def _with_cells(piece: SourcePiece) -> SourcePiece:
    if not isinstance(piece.table, PythonTable):
        return piece
    columns, found = {}, list(piece.faults)
    for name, values in piece.table.columns.items():
        cells, unfit = cells_of(values, Form())
        columns[name] = cells.to_pylist()
        found += [Fault(piece.file, piece.first_row + each.row, name, each.why) for each in unfit]
    return replace(piece, table=PythonTable(columns, piece.table.num_rows), faults=tuple(found))


def refusal(source: Any, **options: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        list(LoadSource(source, **options).pieces())
    assert list(caught.value.fields) in (
        ["source"],
        ["file_format"],
        ["encoding"],
        ["delimiter"],
        ["header"],
    )
    assert str(caught.value).count("the task: ") == 1
    return str(caught.value)
