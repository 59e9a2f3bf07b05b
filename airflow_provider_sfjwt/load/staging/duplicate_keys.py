"""Rows that name the same record as an earlier row.

Salesforce refuses a key that occurs twice in one of its batches, and which rows share a batch is not known before.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.files.values.arrow_arrays import scalar
from airflow_provider_sfjwt.load.columns import LoadColumn
from airflow_provider_sfjwt.load.reading.source import SourcePiece
from airflow_provider_sfjwt.load.staging.cell_rules import empty
from airflow_provider_sfjwt.load.staging.key_hashes import COMPARED, KeyHashes


class DuplicateKeys:
    """The keys of all rows, 64 bits of each: with 5 million rows the chance of a false match is below one in a million.

    :param column: the column that names the record of a row.
    :param compared: keys that are compared at once.
    """

    def __init__(self, column: LoadColumn, *, compared: int = COMPARED) -> None:
        self._column = column
        self._is_id = column.field["type"] == "id"
        # https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_upsert.htm
        self._any_case = not self._is_id and not column.field.get("caseSensitive")
        self._hashes = KeyHashes(compared)
        self._starts: list[int] = []
        self._pieces: list[tuple[str, int]] = []

    def add(self, table: pa.Table, piece: SourcePiece, *, skipped: Iterable[int] = ()) -> None:
        """Remember the keys of some rows. Pieces come in their order, each once.

        :param table: the piece's cells as they are sent: text, under the columns' headers.
        :param piece: where the rows stand.
        :param skipped: rows of the piece, from 0, that are not sent. They are duplicates of no other.
        """
        start = len(self._hashes)
        self._starts.append(start)
        self._pieces.append((piece.file, piece.first_row))
        cells = table.column(self._column.header)
        keys = pc.if_else(empty(cells), scalar(""), cells)
        if self._is_id:
            # The last three of 18 characters are a checksum of the others.
            keys = pc.utf8_slice_codeunits(keys, 0, 15)
        elif self._any_case:
            keys = pc.ascii_lower(keys)
        # The hash of an empty text is 0. A row without a key is a duplicate of no other.
        self._hashes.extend(map(hash, keys.to_pylist()))
        for row in skipped:
            self._hashes.leave_out(start + row)

    def repeated(self) -> RepeatedRows:
        """All rows that have the key of an earlier one."""
        found = RepeatedRows(self)
        for position, earlier in sorted(self._hashes.pairs()):
            found.positions.append(position)
            found.earlier.append(earlier)
        return found

    def faults(self, most: int) -> tuple[int, list[Fault]]:
        """Find the rows that have the key of an earlier one.

        :param most: faults that are returned at most.
        :return: how many such rows there are, and a fault for each of the first of them.
        """
        counted = 0

        def pairs() -> Iterator[tuple[int, int]]:
            nonlocal counted
            for pair in self._hashes.pairs():
                counted += 1
                yield pair

        # nsmallest(0) would not consume the iterator, so nothing would be counted.
        first = heapq.nsmallest(max(most, 1), pairs())[:most]
        return counted, [self.fault(position, earlier) for position, earlier in first]

    def fault(self, position: int, earlier: int) -> Fault:
        """What is wrong with a row that has the key of an earlier one.

        :param position: of the row in the source, from 0.
        :param earlier: of the earlier one.
        """
        (file, row), (first_file, first_row) = self._origin(position), self._origin(earlier)
        where = f"row {first_row}" if first_file == file else f"row {first_row} of {first_file}"
        return Fault(file, row, self._column.source, f"{self._column.header} is the same as in {where}")

    def _origin(self, position: int) -> tuple[str, int]:
        piece = bisect_right(self._starts, position) - 1
        file, first_row = self._pieces[piece]
        return file, first_row + position - self._starts[piece]


class RepeatedRows:
    """Rows that have the key of an earlier row, in their order.

    :param keys: that found them.
    """

    def __init__(self, keys: DuplicateKeys | None = None) -> None:
        self._keys = keys
        self.positions, self.earlier = array("q"), array("q")

    def __len__(self) -> int:
        return len(self.positions)

    def faults(self, first: int, last: int) -> list[Fault]:
        """What is wrong with some rows.

        :param first: the position of the first in the source, from 0.
        :param last: where they end, exclusively.
        """
        if self._keys is None:
            return []
        places = range(bisect_left(self.positions, first), bisect_left(self.positions, last))
        return [self._keys.fault(self.positions[place], self.earlier[place]) for place in places]
