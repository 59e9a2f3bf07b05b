"""Reading CSV one record at a time, where it must be seen which cell is at fault.

A line feed outside quotes ends a record, together with the carriage returns before it, as many as the first line has.
Any other carriage return is part of its cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_RETURNS = re.compile(r"\r*")
_STRAY_QUOTE = "has a quote within a cell that is not quoted. Quote the cell and double the quotes in it"
_AMBIGUOUS_RETURN = (
    "ends with a carriage return (CR), as other lines of the file do not: it may belong to the cell or to the end of "
    "the line. Quote the cell, or end all lines alike"
)


class AmbiguousQuoteError(Exception):
    """A quote within a cell that is not quoted, so that it is unknown where its record ends.

    :param record: how many records are before it.
    :param place: of the cell, from 0.
    """

    def __init__(self, record: int, place: int) -> None:
        super().__init__(_STRAY_QUOTE)
        self.record = record
        self.place = place


@dataclass
class Record:
    """One record.

    :param cells: in their order, of a broken record those before the fault and the cell at fault.
    :param faults: the places of cells that cannot be read, from 0, and why.
    :param broken: whether the record has a quote where none may be.
    :param returns: whether a cell that is not quoted has a carriage return.
    """

    cells: list[str] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    broken: bool = False
    returns: bool = False


class StrictReader:
    """Reads records of one file.

    :param delimiter: one character.
    :param returns: carriage returns that belong to the end of a line.
    :param width: columns of the file. A blank line has no cells unless there is one column alone.
    """

    def __init__(self, delimiter: str, returns: int, width: int) -> None:
        self._delimiter = delimiter
        self._width = width
        self._returns = returns
        self._cell = re.compile(rf'"[^"]*(?:""[^"]*)*"|[^"\n{re.escape(delimiter)}]*')

    def records(self, text: str) -> Iterator[Record]:
        """Read records; blank lines are skipped.

        :param text: whole records.
        :raises AmbiguousQuoteError: if a quote makes it unknown where a record ends.
        """
        place, number = 0, 0
        while place < len(text):
            record, place = self._record(text, place, number)
            if record.cells or record.faults:
                number += 1
                yield record

    def _record(self, text: str, start: int, number: int) -> tuple[Record, int]:
        record, place = Record(), start
        while True:
            match = self._cell.match(text, place)
            raw, place = (match[0], match.end()) if match else ("", place)
            if raw[:1] == '"':
                record.cells.append(raw[1:-1].replace('""', '"'))
                end = _RETURNS.match(text, place)
                if end and text[end.end() : end.end() + 1] in ("", "\n"):
                    place = end.end()
            else:
                self._add_unquoted(record, raw, ends=text[place : place + 1] in ("", "\n"))
            after = text[place : place + 1]
            if after == self._delimiter:
                place += 1
            elif after in ("", "\n"):
                return record, place + 1
            else:
                return self._broken(record, text, start, place, number)

    def _add_unquoted(self, record: Record, raw: str, *, ends: bool) -> None:
        """Add a cell that is not quoted; of a blank line add none."""
        cell = raw.rstrip("\r") if ends else raw
        is_blank = ends and not cell and not record.cells
        if is_blank and (self._width > 1 or len(raw) <= self._returns):
            return
        if len(raw) - len(cell) > self._returns:
            record.faults.append((len(record.cells), _AMBIGUOUS_RETURN))
        record.returns |= "\r" in cell
        record.cells.append(cell)

    def _broken(self, record: Record, text: str, start: int, place: int, number: int) -> tuple[Record, int]:
        """Go on after the line of a quote that is out of place, where it is certain that the record ends there."""
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        at = len(record.cells) - 1
        if text.count('"', start, end) % 2:
            raise AmbiguousQuoteError(number, at)
        record.broken = True
        record.faults.append((at, _STRAY_QUOTE))
        return record, end + 1
