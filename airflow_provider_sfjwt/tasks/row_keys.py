"""The columns that tell the rows of a query apart, from the position of a row to its key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.values.arrow_arrays import integers
from airflow_provider_sfjwt.load.staging.key_hashes import KeyHashes

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_sfjwt.files.data_sets.published import PublishedDataSet

#: Keys that a message names.
_SHOWN = 3


class RowKeys:
    """The keys of all rows of a data set.

    :param rows: the data set.
    :param columns: that tell them apart.
    """

    def __init__(self, rows: PublishedDataSet, columns: Sequence[str]) -> None:
        self._rows = rows
        self._columns = list(columns)
        self._tables = self._from_the_start()
        self._table: pa.Table | None = None
        self._first = 0  # the position of the first row of the table

    def check(self) -> None:
        """See that every row has a key of its own.

        64 bits of each key are kept meanwhile. Where two agree, the keys themselves are compared.

        :raises ConfigurationError: naming keys that several rows have, or the first row without one.
        """
        hashes = KeyHashes()
        hashes.extend(map(hash, self._complete_keys()))
        suspected = {hashes[position] for position, _ in hashes.pairs()}
        if suspected and (found := self._in_several_rows(suspected)):
            fault = f"{', '.join(self._columns)} does not tell the rows apart: {'; '.join(found)}"
            raise ConfigurationError({"row_key": fault}, subject="the task")

    def at(self, positions: Sequence[int]) -> pa.Table:
        """The keys of some rows. Ever larger positions read the data set once.

        :param positions: from 0, the smaller ones first.
        """
        import pyarrow as pa

        if positions and positions[0] < self._first:
            self._tables, self._table, self._first = self._from_the_start(), None, 0
        found, place = [], 0
        while place < len(positions):
            table = self._reaching(positions[place])
            end = self._first + table.num_rows
            last = place
            while last < len(positions) and positions[last] < end:
                last += 1
            found.append(table.take(integers(each - self._first for each in positions[place:last])))
            place = last
        return pa.concat_tables(found)

    def _reaching(self, position: int) -> pa.Table:
        """The table that holds a position."""
        while self._table is None or position >= self._first + self._table.num_rows:
            if self._table is not None:
                self._first += self._table.num_rows
            self._table = next(self._tables)
        return self._table

    def _from_the_start(self) -> Iterator[pa.Table]:
        return self._rows.tables(self._columns)

    def _keys(self) -> Iterator[tuple[Any, ...]]:
        for table in self._from_the_start():
            yield from zip(*(column.to_pylist() for column in table.columns), strict=True)

    def _complete_keys(self) -> Iterator[tuple[Any, ...]]:
        for position, key in enumerate(self._keys(), 1):
            if None in key:
                fault = f"row {position:,} has no {', '.join(self._columns)}, by which results_table would name it"
                raise ConfigurationError({"row_key": fault}, subject="the task")
            yield key

    def _in_several_rows(self, suspected: set[int]) -> list[str]:
        rows: dict[tuple[Any, ...], list[int]] = {}
        for position, key in enumerate(self._keys(), 1):
            if hash(key) in suspected:
                rows.setdefault(key, []).append(position)
        several = [(key, places) for key, places in rows.items() if len(places) > 1][:_SHOWN]
        return [
            f"{' '.join(map(str, key))} is in rows {' and '.join(f'{place:,}' for place in places[:2])}"
            for key, places in several
        ]
