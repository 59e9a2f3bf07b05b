"""The values of a source as the cells that are sent, each by the type of its field."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pyarrow as pa

from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.files.values.arrow_arrays import scalar, texts
from airflow_provider_sfjwt.files.values.cells import NULL, shown
from airflow_provider_sfjwt.files.values.from_arrow import Form, cells_of, is_float
from airflow_provider_sfjwt.files.values.from_python import CONVERSIONS
from airflow_provider_sfjwt.files.values.python_table import PythonTable
from airflow_provider_sfjwt.load.columns import LoadColumn
from airflow_provider_sfjwt.load.reading.source import SourcePiece
from airflow_provider_sfjwt.load.spec import LoadSpec

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SentPiece(SourcePiece):
    """Consecutive rows of one file as they are sent: text, under the columns' headers.

    :param table: the cells. A value that its field has no cell for is null.
    """

    table: pa.Table

    @property
    def unread(self) -> list[int]:
        """The rows of the piece, from 0, that cannot be read at all."""
        rows = [fault.row for fault in self.faults if fault.column is None]
        return [row - self.first_row for row in rows if row is not None]


class SentCells:
    """Writes the values of a source as cells.

    :param columns: what is sent, in the order of the pieces' columns.
    :param spec: with ``null_policy``, ``timezone`` and ``trim``.
    """

    def __init__(self, columns: Sequence[LoadColumn], spec: LoadSpec) -> None:
        zone = ZoneInfo(spec.timezone) if spec.timezone is not None else None
        self._columns = tuple(columns)
        self._forms = [Form(column.field["type"], zone, spec.trim) for column in columns]
        self._clears = spec.null_policy == "clear"
        self._warned: set[str] = set()

    def of(self, piece: SourcePiece, originals: dict[tuple[int, int], str] | None = None) -> SentPiece:
        """Write the values of some rows.

        :param piece: as the source was read.
        :param originals: gets the text of each value that its field has no cell for, by row and column of the piece,
            both from 0.
        :return: the piece with its cells, and with the faults of its values.
        """
        faults, arrays = list(piece.faults), []
        for place, (column, form) in enumerate(zip(self._columns, self._forms, strict=True)):
            values = _column(piece.table, place)
            self._warn_of_floats(column, values)
            cells, unfit = cells_of(values, form)
            for each in unfit:
                message = f"{column.header}: {each.why}"
                faults.append(Fault(piece.file, piece.first_row + each.row, column.source, message))
                if originals is not None and each.text is not None:
                    originals[each.row, place] = each.text
            if column.ids:
                cells, unknown = _ids(cells, column)
                for row, text in unknown:
                    message = f"{column.header}: {shown(text)} is not one of its names: {', '.join(column.ids)}"
                    faults.append(Fault(piece.file, piece.first_row + row, column.source, message))
                    if originals is not None:
                        originals[row, place] = text
            arrays.append(self._nulls(column, cells))
        table = pa.Table.from_arrays(arrays, names=[column.header for column in self._columns])
        # In a row that cannot be read, e.g. with a cell too few, no cell is known to be its column's.
        unread = {fault.row for fault in piece.faults if fault.column is None and fault.row is not None}
        known = tuple(fault for fault in faults if fault.column is None or fault.row not in unread)
        return SentPiece(piece.file, piece.first_row, piece.first_position, table, known)

    def _nulls(self, column: LoadColumn, cells: pa.ChunkedArray) -> pa.ChunkedArray:
        """What null becomes. A checkbox has no null that it could be set to, so it stays as it is."""
        if not self._clears or (column.field["type"] == "boolean" and column.reference is None):
            return cells
        return cells.fill_null(scalar(NULL))

    def _warn_of_floats(self, column: LoadColumn, values: object) -> None:
        if column.field["type"] in CONVERSIONS or column.source in self._warned or not is_float(values):
            return
        self._warned.add(column.source)
        log.warning(
            "Column %s holds floats and goes into %s, which is text: whole numbers are sent without a fraction (1001.0 "
            "as 1001). Where the digits matter, e.g. in a key, keep it as text or as whole numbers in the source",
            column.source,
            column.header,
        )


def _column(table: pa.Table | PythonTable, place: int) -> object:
    return table.columns[table.column_names[place]] if isinstance(table, PythonTable) else table.column(place)


def _ids(cells: pa.ChunkedArray, column: LoadColumn) -> tuple[pa.ChunkedArray, list[tuple[int, str]]]:
    """The ids of records that are given by their names, and the rows whose names are not known."""
    known = {name.lower(): record_id for name, record_id in column.ids.items()}
    found, unknown = [], []
    for row, text in enumerate(cells.to_pylist()):
        wanted = text if text in (None, NULL) else known.get(text.lower())
        if wanted is None and text is not None:
            unknown.append((row, text))
        found.append(wanted)
    return pa.chunked_array([texts(found)]), unknown
