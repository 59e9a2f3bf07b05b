"""Joining a job's results with the rows that were sent, by their content and in little memory."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.compat import cached_property
from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.files.formats.csv import read_text
from airflow_provider_sfjwt.files.formats.csv_records import column_names, end_of_first_record, whole_records
from airflow_provider_sfjwt.files.values.arrow_arrays import integers, one_array, scalar
from airflow_provider_sfjwt.load.staging.parts import JobFile
from airflow_provider_sfjwt.salesforce.wire.flow import Body

#: Bytes of a result set that are read at once.
_BLOCK = 512 * 1024
_SEPARATOR = "\x1f"
#: Rows of a result set beyond those that were sent, from which on it is not read.
_SPARE_ROWS = 1_000
#: Values that are compared at once.
_COMPARED = 16_384
#: Columns that are tried as the key: those whose values are unique in the part's first rows.
_CANDIDATES = 3


class RowKeys:
    """The key of each row of a part: its cell in a column whose values are unique, else a hash of all its cells.

    An Id or an external id is such a column. Rows that are equal in all cells have the same key.

    :param part: the rows.
    :param first: the columns that are tried first, those that name a record.
    :param candidates: columns that are tried at most.
    :param compared: values that are compared at once.
    """

    def __init__(
        self, part: JobFile, first: Sequence[str] = (), *, candidates: int = _CANDIDATES, compared: int = _COMPARED
    ) -> None:
        self._part = part
        self._first = tuple(first)
        self._candidates = candidates
        self._compared = compared
        self.names = part.columns

    @cached_property
    def values(self) -> pa.Array:
        """The key of each row, in the order of the part."""
        if self._key_column is not None:
            return self._key_column.cells
        return pa.concat_arrays([_digests(piece) for piece in self._part.pieces()])

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that a key is made of."""
        return self.names if self._key_column is None else (self._key_column.name,)

    def of(self, rows: pa.Table) -> pa.Array:
        """The keys of rows.

        :param rows: with the columns that are needed, under the names that they were sent with.
        """
        return _digests(rows) if self._key_column is None else _one_line_end(rows.column(self._key_column.name))

    @cached_property
    def _key_column(self) -> _KeyColumn | None:
        """The first column whose values are unique, or None."""
        first = next(self._part.pieces())
        ordered = [*self._first, *(name for name in self.names if name not in self._first)]
        names = [name for name in ordered if self._is_unique(_one_line_end(first.column(name)))]
        for name in names[: self._candidates]:
            cells = pa.concat_arrays([_one_line_end(piece.column(0)) for piece in self._part.pieces([name])])
            if self._is_unique(cells):
                return _KeyColumn(name, cells)
        return None

    def _is_unique(self, cells: pa.Array) -> bool:
        for start in range(0, len(cells), self._compared):
            some, rest = cells.slice(start, self._compared), cells.slice(start + self._compared)
            if pc.count_distinct(some, mode="all").as_py() < len(some):
                return False
            if len(rest) and pc.any(pc.is_in(rest, value_set=some)).as_py():
                return False
        return True


class _KeyColumn(NamedTuple):
    name: str
    cells: pa.Array


@dataclass(frozen=True)
class Results:
    """A result set, as far as it has to be kept.

    :param sent: the keys of the rows that were sent.
    :param keys: of the set's own rows.
    :param known: what it says of them, in the same order.
    """

    sent: RowKeys
    keys: pa.Array
    known: pa.Table

    @property
    def rows(self) -> int:
        """How many rows the set has."""
        return len(self.keys)


def read_results(
    body: Body,
    keys: RowKeys,
    columns: Sequence[str],
    condense: Callable[[pa.Table], pa.Table] = lambda table: table,
    *,
    block: int = _BLOCK,
) -> Results:
    """Read a result set, a piece at a time.

    :param body: the CSV as Salesforce sends it. A set without rows may lack even a header.
    :param keys: of the rows that were sent.
    :param columns: those of Salesforce's own columns that are read: all text, empty cells null.
    :param condense: makes of them, some thousands of rows at a time, what is kept.
    :param block: bytes that are read at once.
    :raises TransportError: when it is cut off.
    :raises ProtocolError: when it is not CSV, or lacks one of these columns or one that was sent.
    """
    names: list[str] = []
    rows = 0
    found: list[pa.Array] = [keys.values.slice(0, 0)]
    kept = [condense(pa.Table.from_arrays([pa.nulls(0, pa.string())] * len(columns), names=list(columns)))]
    try:
        for place, piece in enumerate(whole_records(body, block)):
            start = 0
            if place == 0:
                start = end_of_first_record(piece)
                names = column_names(bytes(piece[:start]))
            # The buffer is used again, while Arrow may still read it.
            data = bytes(piece[start:])
            if data:
                theirs = _their_names(names, keys, columns)
                table = read_text(data, names, columns=[*columns, *theirs])
                kept.append(condense(table.select(list(columns))))
                rows += table.num_rows
                if rows > len(keys.values) + _SPARE_ROWS:  # which of the few is too many is said by their match
                    raise ProtocolError(f"a result set has more rows than the {len(keys.values)} that were sent")
                found.append(keys.of(table.select(theirs).rename_columns(list(keys.needed))))
    except pa.ArrowInvalid as error:
        raise ProtocolError(f"a result set cannot be read as CSV: {error}") from None
    return Results(keys, pa.concat_arrays(found), pa.concat_tables(kept))


def _their_names(names: Sequence[str], keys: RowKeys, columns: Sequence[str]) -> list[str]:
    """What a result set calls the columns that its keys are made of. The case may differ from that of the upload."""
    for name in columns:
        if name not in names:
            raise ProtocolError(f"a result set lacks the column {name}, so the outcome of its rows is unknown")
    named = {name.lower(): name for name in names if not name.lower().startswith("sf__")}
    missing = [name for name in keys.needed if name.lower() not in named]
    if missing:
        raise ProtocolError(f"a result set lacks the columns {', '.join(missing)}, by which its rows are recognised")
    return [named[name.lower()] for name in keys.needed]


def match(sent: pa.Array, results: pa.Array, *, compared: int = _COMPARED) -> pa.Int64Array:
    """Find the row of each result: the one with the same key.

    Rows with the same key are given out one after another. Give the results of all sets at once, or take out of
    ``sent`` what an earlier call has found, so that no row is given out twice.

    :param sent: keys of the rows.
    :param results: keys of the results.
    :param compared: values that are compared at once.
    :return: for each result the number of its row in ``sent``, -1 where no row is left that matches.
    """
    found = numbers(_first_equal(results, sent, compared))
    given = bytearray(len(sent))
    for row in found:
        if row >= 0:
            if given[row]:
                return _one_after_another(numbers(_first_equal(sent, sent, compared)), found)
            given[row] = True
    return integers(found)


def _first_equal(wanted: pa.Array, values: pa.Array, compared: int) -> pa.Int64Array:
    """For each wanted value the first number at which it stands, or -1.

    Arrow's hash table of all values at once would be several times as large as they are.
    """
    found = pa.nulls(len(wanted), pa.int64())
    for start in range(0, len(values), compared):
        rows = pc.index_in(wanted, value_set=values.slice(start, compared)).cast(pa.int64())
        found = pc.coalesce(found, pc.add(rows, scalar(start)))
    return found.fill_null(scalar(-1))


def numbers(values: pa.Int64Array) -> memoryview:
    """A view of an array's numbers, without making objects of them.

    :param values: without null.
    """
    if not len(values):
        return memoryview(array("q"))  # a view of nothing cannot be cast
    start = 8 * values.offset
    return memoryview(values.buffers()[1]).cast("B")[start : start + 8 * len(values)].cast("q")


def _one_line_end(values: pa.ChunkedArray) -> pa.Array:
    """A column with LF alone, whatever ends its lines: Salesforce may return another end than it was sent."""
    cells = one_array(values)
    if not pc.any(pc.match_substring(cells, "\r")).as_py():
        return cells
    return pc.replace_substring(pc.replace_substring(cells, "\r\n", "\n"), "\r", "\n")


def _digests(rows: pa.Table) -> pa.FixedSizeBinaryArray:
    """A SHA-256 of each row that no other row has unless all its cells are the same."""
    cells = [_one_line_end(column).fill_null(scalar("")) for column in rows.columns]
    lengths = [pc.binary_length(column).cast(pa.string()) for column in cells]
    joined = pc.binary_join_element_wise(*lengths, *cells, scalar(_SEPARATOR))
    _, ends, data = joined.buffers()
    text, bounds = memoryview(data), memoryview(ends).cast("B").cast("i")
    digests = b"".join(hashlib.sha256(text[a:b]).digest() for a, b in pairwise(bounds[: len(joined) + 1]))
    kind = pa.binary(hashlib.sha256().digest_size)
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(joined), [None, pa.py_buffer(digests)])


def _one_after_another(firsts: Sequence[int] | memoryview, found: Sequence[int] | memoryview) -> pa.Int64Array:
    """Give out equal rows, each once.

    :param firsts: for each row that was sent, the first that equals it.
    :param found: for each result, the first row that equals it, or -1.
    """
    following, last = array("q", [-1]) * len(firsts), array("q", firsts)
    for row, first in enumerate(firsts):
        if row != first:
            following[last[first]] = row
            last[first] = row
    waiting, given = array("q", range(len(firsts))), array("q")
    for first in found:
        row = waiting[first] if first >= 0 else -1
        given.append(row)
        if row >= 0:
            waiting[first] = following[row]
    return integers(given)
