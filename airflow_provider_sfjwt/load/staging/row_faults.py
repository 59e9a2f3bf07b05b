"""The faults in the rows of a load: counted, the first of them kept, and reported all at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.exceptions import ConfigurationError, counted
from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.files.values.arrow_arrays import integers, texts
from airflow_provider_sfjwt.load.reading.source import SourcePiece
from airflow_provider_sfjwt.load.staging.duplicate_keys import DuplicateKeys
from airflow_provider_sfjwt.load.staging.row_checks import Finding

#: Faults that are kept, and written to the results folder. Further ones are only counted.
MOST_FAULTS = 1_000
#: Faults that the error's message shows.
_SHOWN = 20


class RowFaultsError(ConfigurationError):
    """Rows that Salesforce would refuse, found before anything was sent.

    :param faults: the first of them, at most 1,000.
    :param total: how many there are in all.
    :param path: of the file that holds them, or None where there is none.
    """

    def __init__(self, faults: Sequence[Fault], total: int, path: str | None = None) -> None:
        self.faults = tuple(faults)
        self.total = total
        shown = "; ".join(_worded(fault) for fault in faults[:_SHOWN])
        more = f"; and {total - _SHOWN:,} more" if total > _SHOWN else ""
        more += f"; {'they are' if total <= MOST_FAULTS else 'the first are'} in {path}" if path else ""
        super().__init__(
            {"source": f"{counted(total, 'fault')} in its rows, so nothing was sent: {shown}{more}"},
            subject="the load",
        )
        self.brief = f"{_in_brief(self.faults[0])}. {counted(total, 'fault')}, nothing was sent"

    def table(self) -> pa.Table:
        """The faults as a table of text.

        :return: the columns ``file``, ``row``, ``column`` and ``message``.
        """
        cells = [(each.file, each.row, each.column, each.message) for each in self.faults]
        columns = [
            texts([None if cell is None else str(cell) for cell in column]) for column in zip(*cells, strict=True)
        ]
        return pa.Table.from_arrays(columns, names=["file", "row", "column", "message"])


class RowFaults:
    """Counts the faults in a load's rows and keeps the first of them.

    :param most: faults that are kept.
    """

    def __init__(self, most: int = MOST_FAULTS) -> None:
        self._most = most
        self.kept: list[Fault] = []
        self.total = 0

    def add(self, faults: Sequence[Fault]) -> None:
        """Add faults.

        :param faults: in the order in which they are reported.
        """
        self.total += len(faults)
        self.kept += faults[: self._room]

    def add_piece(self, piece: SourcePiece, findings: Iterable[Finding]) -> None:
        """Add what is wrong in a piece, in the order of its rows.

        :param piece: with the faults of its values.
        :param findings: of the checks.
        """
        before = len(self.kept)
        self.add(piece.faults)
        self.add_findings(findings, piece)
        self.kept[before:] = sorted(self.kept[before:], key=lambda fault: fault.row or 0)

    def add_findings(self, findings: Iterable[Finding], piece: SourcePiece) -> None:
        """Add what the checks found in a piece.

        :param findings: of the piece.
        :param piece: where the rows stand. Its own faults are cells that cannot be read and are null in the table, so
            findings in those cells are left out.
        """
        found: list[tuple[int, int, Finding]] = []
        for finding, rows in found_rows(findings, piece):
            self.total += len(rows)
            found += [(row, finding.place, finding) for row in rows.slice(0, self._room).to_pylist()]
        for row, _, finding in sorted(found, key=itemgetter(0, 1))[: self._room]:
            self.kept.append(Fault(piece.file, piece.first_row + row, finding.source, finding.words(row)))

    def add_duplicates(self, keys: DuplicateKeys) -> None:
        """Add the rows that have the key of an earlier row.

        :param keys: of all rows.
        """
        counted, first = keys.faults(self._room)
        self.total += counted
        self.kept += first

    def raise_any(self) -> None:
        """Report the faults.

        :raises RowFaultsError: when there are any.
        """
        if self.total:
            files = list(dict.fromkeys(fault.file for fault in self.kept))
            in_order = sorted(self.kept, key=lambda fault: (files.index(fault.file), fault.row or 0))
            raise RowFaultsError(in_order, self.total)

    @property
    def _room(self) -> int:
        return max(0, self._most - len(self.kept))


def found_rows(findings: Iterable[Finding], piece: SourcePiece) -> Iterator[tuple[Finding, pa.Array]]:
    """The rows of each finding that has any, by their places in the piece.

    :param findings: of the piece.
    :param piece: where the rows stand. Rows and cells that cannot be read, as its own faults say, are left out.
    """
    unread: dict[str | None, list[int]] = defaultdict(list)
    for fault in piece.faults:
        if fault.row is not None:
            unread[fault.column].append(fault.row - piece.first_row)
    for finding in findings:
        if not pc.any(finding.rows).as_py():  # much faster than to look for the rows
            continue
        rows = pc.indices_nonzero(finding.rows)
        if known_rows := unread[finding.source] + unread[None]:
            known = integers(known_rows)
            rows = rows.filter(pc.invert(pc.is_in(rows.cast(pa.int64()), value_set=known)))
        if len(rows):
            yield finding, rows


def _worded(fault: Fault) -> str:
    place = fault.file if fault.row is None else f"{fault.file} row {fault.row}"
    column = f", column {fault.column}" if fault.column else ""
    return f"{place}{column}: {fault.message}"


def _in_brief(fault: Fault) -> str:
    """A fault that begins with what to correct, and without the folder of its file."""
    name = fault.file.rpartition("/")[2]
    place = f"row {fault.row} of {name}" if fault.row is not None else name
    if fault.column is None:
        return f"{place}: {fault.message}" if fault.row is None else f"{place[:1].upper()}{place[1:]} {fault.message}"
    return f"Column {fault.column}, {place}: {fault.message.removeprefix(f'{fault.column}: ')}"
