"""Columns and rows for the checks, and all faults that the checks find."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.files.values.python_table import PythonTable
from airflow_provider_sfjwt.load.columns import LoadColumn
from airflow_provider_sfjwt.load.operations import OPERATIONS
from airflow_provider_sfjwt.load.reading.source import SourcePiece
from airflow_provider_sfjwt.load.spec import LoadSpec
from airflow_provider_sfjwt.load.staging.duplicate_keys import DuplicateKeys
from airflow_provider_sfjwt.load.staging.row_checks import RowChecks, key_column
from airflow_provider_sfjwt.load.staging.row_faults import RowFaults
from airflow_provider_sfjwt.load.staging.sent_cells import SentCells
from airflow_provider_sfjwt.testing import Field


def column(field: Field, *, header: str | None = None, required: bool = False, **more: Any) -> LoadColumn:
    """A column of a source that writes a field."""
    return LoadColumn(f"{field.name} of the file", header or field.name, {**field.described(), **more}, None, required)


def by_parent(target: Field, reference: Field, *, required: bool = False) -> LoadColumn:
    """A column that names a parent by one of the parent's fields."""
    header = f"{reference.relationship_name}.{target.name}"
    return LoadColumn(header, header, target.described(), reference.described(), required)


def as_text(piece: SourcePiece) -> pa.Table:
    """The rows of a piece as text."""
    return piece.table.as_text() if isinstance(piece.table, PythonTable) else piece.table


def piece_of(table: pa.Table, file: str = "a.csv", first_row: int = 1, *, faults: Iterable[Fault] = ()) -> SourcePiece:
    """Where the rows of a table stand."""
    return SourcePiece(file=file, first_row=first_row, first_position=0, table=table, faults=tuple(faults))


def table_of(columns: Iterable[LoadColumn], *cells: list[str | None]) -> pa.Table:
    """A table with these cells, column by column."""
    return pa.table({c.header: pa.array(each, pa.string()) for c, each in zip(columns, cells, strict=True)})


def faults_in(
    columns: list[LoadColumn], pieces: Iterable[SourcePiece], operation: str = "insert", key: str | None = None
) -> RowFaults:
    """Check some pieces as a load does."""
    named = key_column(columns, OPERATIONS[operation], key)
    checks, found = RowChecks(columns, OPERATIONS[operation], named), RowFaults()
    keys = DuplicateKeys(named) if named is not None else None
    cells = SentCells(columns, LoadSpec(sobject="Thing__c", operation=operation, source="/a.csv"))
    for piece in pieces:
        sent = cells.of(piece)
        found.add_piece(sent, checks.findings(sent.table))
        if keys is not None:
            keys.add(sent.table, sent)
    if keys is not None:
        found.add_duplicates(keys)
    return found


def check(
    columns: list[LoadColumn], *cells: list[str | None], operation: str = "insert", key: str | None = None
) -> list[Fault]:
    """The faults in some rows."""
    found = faults_in(columns, [piece_of(table_of(columns, *cells))], operation, key)
    assert found.total == len(found.kept)
    return found.kept
