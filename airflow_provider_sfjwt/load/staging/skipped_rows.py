"""The rows of a load that are not sent because they are faulty, each with its reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.files.values.arrow_arrays import integers, texts
from airflow_provider_sfjwt.load.columns import LoadColumn
from airflow_provider_sfjwt.load.staging.parts import JobFile, JobFileWriter, encoded
from airflow_provider_sfjwt.load.staging.row_checks import Finding
from airflow_provider_sfjwt.load.staging.row_faults import found_rows
from airflow_provider_sfjwt.load.staging.sent_cells import SentPiece

#: The columns that come before the row's own.
REASON = ("error_code", "error_message", "error_fields")
#: The error code of rows that were not sent because they are faulty. Salesforce has no such code.
INVALID_ROW = "INVALID_ROW"


@dataclass(frozen=True)
class Skipped:
    """Rows that are not sent because they are faulty.

    :param file: the rows, each after its reason.
    :param position: of the first in the source, from 0.
    :param message: why the first is faulty.
    :param fields: of the first that are meant.
    """

    file: JobFile
    position: int
    message: str
    fields: tuple[str, ...]


class SkippedRows:
    """Collects faulty rows in a file on this machine's disk.

    :param folder: for the file.
    :param columns: what of the source is sent.
    """

    def __init__(self, folder: Path, columns: Iterable[LoadColumn]) -> None:
        self._headers: dict[str | None, str] = {column.source: column.header for column in columns}
        self._writer = JobFileWriter(folder, 0, [*REASON, *self._headers.values()])
        self._first: tuple[int, str, tuple[str, ...]] | None = None

    def add(
        self, piece: SentPiece, faults: Mapping[int, Sequence[Fault]], originals: Mapping[tuple[int, int], str]
    ) -> None:
        """Add the faulty rows of a piece.

        :param piece: with its cells.
        :param faults: of each faulty row, by its place in the piece.
        :param originals: the text of values that are no cells, by row and column of the piece.
        """
        rows = sorted(faults)
        messages = ["; ".join(fault.message for fault in faults[row]) for row in rows]
        fields = [" ".join(self._fields(faults[row])) for row in rows]
        if self._first is None:
            self._first = piece.first_position + rows[0], messages[0], tuple(fields[0].split())
        numbers = integers(rows)
        cells = [values.take(numbers).to_pylist() for values in piece.table.columns]
        places = {row: place for place, row in enumerate(rows)}
        for (row, column), text in originals.items():
            cells[column][places[row]] = text
        columns = [[INVALID_ROW] * len(rows), messages, fields, *cells]
        chosen = pa.Table.from_arrays([texts(each) for each in columns], names=[*REASON, *piece.table.column_names])
        self._writer.write(encoded(chosen), integers(piece.first_position + row for row in rows))

    def close(self) -> Skipped | None:
        """Finish the file.

        :return: the rows; None where there are none.
        """
        file = self._writer.close()
        return Skipped(file, *self._first) if self._first is not None else None

    def _fields(self, faults: Iterable[Fault]) -> list[str]:
        return list(dict.fromkeys(self._headers[each.column] for each in faults if each.column in self._headers))


def faults_by_row(piece: SentPiece, findings: Iterable[Finding]) -> dict[int, list[Fault]]:
    """The faulty rows of a piece, by their places in it, with all that is wrong with each.

    :param piece: with the faults of its values.
    :param findings: of the checks.
    """
    wrong: dict[int, list[Fault]] = defaultdict(list)
    for fault in piece.faults:
        for row in range(piece.table.num_rows) if fault.row is None else (fault.row - piece.first_row,):
            wrong[row].append(fault)
    for finding, rows in found_rows(findings, piece):
        for row in rows.to_pylist():
            wrong[row].append(Fault(piece.file, piece.first_row + row, finding.source, finding.words(row)))
    return wrong
