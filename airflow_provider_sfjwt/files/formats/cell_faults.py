"""Cells of a result that cannot be written: the column, the record, and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_sfjwt.compat.csv_text import csv_rows
from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.files.values.columns import Column

#: Bytes that are not UTF-8, as Python escapes them, and halves of characters, which JSON can write.
_NOT_TEXT = re.compile("[\ud800-\udfff]")
_WITHOUT_ID = "without Id"


def id_of(row: Mapping[str, Any]) -> str:
    """The Id of a record, for messages.

    :param row: by field name.
    """
    return next((str(row[name]) for name in row if name.lower() == "id"), _WITHOUT_ID)


def unfit_cell(name: str, record: str, problem: str, remedy: str) -> ProtocolError:
    """A cell that does not fit its column.

    :param name: the column.
    :param record: the Id of the record, see :func:`id_of`.
    :param problem: what the cell holds, after "holds".
    :param remedy: what to do.
    """
    return ProtocolError(f"column {name} holds {problem} (record {record})", remedy=remedy)


def unfit_value(column: Column, record: str) -> ProtocolError:
    """A cell that is not a value of its column's type.

    :param column: the column.
    :param record: the Id of the record, see :func:`id_of`.
    """
    remedy = "Extract it with file_format='csv', which keeps values as text."
    if column.value_type.json == "number" and column.numbers == "described":
        remedy = "Extract it with numbers='decimal', which takes any number."
    return unfit_cell(column.name, record, f"a value that does not fit {column.arrow_type}", remedy)


def not_text(names: Sequence[str], rows: Sequence[Sequence[str]]) -> ProtocolError:
    """Text with bytes that are not UTF-8, or with half a character.

    :param names: the columns.
    :param rows: their cells, with surrogates in place of what is not text.
    """
    remedy = "Correct the text of that record in Salesforce, or leave the column out (fields)."
    for cells in rows:
        for name, cell in zip(names, cells, strict=False):
            if _NOT_TEXT.search(cell):
                record = id_of(dict(zip(names, cells, strict=False)))
                return unfit_cell(name, record, "text that is not UTF-8", remedy)
    return ProtocolError("a result page holds text that is not UTF-8", remedy=remedy)


def check_text(piece: bytes | memoryview, names: Sequence[str]) -> None:
    """Refuse records of which a cell is not UTF-8.

    :param piece: whole records.
    :param names: the columns.
    :raises ProtocolError: naming the column and the record.
    """
    try:
        str(piece, "utf-8")
    except UnicodeDecodeError:
        text = str(piece, "utf-8", "surrogateescape")
        raise not_text(names, list(csv_rows(text))) from None
