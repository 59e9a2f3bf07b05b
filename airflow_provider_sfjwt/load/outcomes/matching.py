"""Joining a job's results with the rows that were sent, by their content and in little memory."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.files.formats.csv import read_text
from airflow_provider_sfjwt.files.formats.csv_records import column_names, end_of_first_record, whole_records
from airflow_provider_sfjwt.files.values.arrow_arrays import integers, scalar
from airflow_provider_sfjwt.salesforce.wire.flow import Body

if TYPE_CHECKING:
    from airflow_provider_sfjwt.load.staging.parts import StagedPart

_BLOCK = 512 * 1024
_SEPARATOR = "\x1f"
#: Values that are looked up at once.
_LOOKED_UP = 16_384
#: Columns without repetition in a part's first rows that are looked at as a whole.
_MOST_CANDIDATES = 3


class RowKeys:
    """What tells the rows of a part from each other: a column without repetition, else a hash of all cells.

    An Id or an external id tells the rows apart by itself. Rows that are equal in all cells have the same key.

    :param part: the rows.
    """

    def __init__(self, part: StagedPart) -> None:
        self._part = part
        self.names = part.columns

    @cached_property
    def values(self) -> pa.Array:
        """Of each row, in the order of the part."""
        name, cells = self._telling
        return cells if name is not None else pa.concat_arrays([_digests(piece) for piece in self._part.pieces()])

    @cached_property
    def _telling(self) -> tuple[str | None, pa.Array | None]:
        return _telling_column(self._part)

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that a key is made of."""
        column, _ = self._telling
        return self.names if column is None else (column,)

    def of(self, rows: pa.Table) -> pa.Array:
        """The keys of rows.

        :param rows: with the columns that are needed, under the names that they were sent with.
        """
        column, _ = self._telling
        return _digests(rows) if column is None else _one_array(rows.column(column))


@dataclass(frozen=True)
class Results:
    """A result set, as far as it has to be kept.

    :param sent: the keys of the rows that were sent.
    :param keys: of the set's own rows.
    :param told: what it says of them, in the same order.
    """

    sent: RowKeys
    keys: pa.Array
    told: pa.Table

    @property
    def rows(self) -> int:
        """How many rows the set has."""
        return len(self.keys)


def read_results(
    body: Body, keys: RowKeys, columns: Sequence[str], told: Callable[[pa.Table], pa.Table] = lambda table: table
) -> Results:
    """Read a result set, a piece at a time.

    :param body: the CSV as Salesforce sends it. A set without rows may lack even a header.
    :param keys: of the rows that were sent.
    :param columns: those of Salesforce's own columns that are read: all text, empty cells null.
    :param told: makes of them, some thousands of rows at a time, what is kept.
    :raises TransportError: when it is not whole.
    :raises ProtocolError: when it is no CSV, or lacks one of these columns or one that was sent.
    """
    names: list[str] = []
    found: list[pa.Array] = [keys.values.slice(0, 0)]
    kept = [told(pa.Table.from_arrays([pa.nulls(0, pa.string())] * len(columns), names=list(columns)))]
    try:
        for place, piece in enumerate(whole_records(body, _BLOCK)):
            start = 0
            if place == 0:
                start = end_of_first_record(piece)
                names = column_names(bytes(piece[:start]))
            # The buffer is used again, while Arrow may still look at it.
            data = bytes(piece[start:])
            if data:
                theirs = _their_names(names, keys, columns)
                table = read_text(data, names, columns=[*columns, *theirs])
                kept.append(told(table.select(list(columns))))
                found.append(keys.of(table.select(theirs).rename_columns(list(keys.needed))))
    except pa.ArrowInvalid as error:
        raise ProtocolError(f"a result set is no CSV that can be read: {error}") from None
    return Results(keys, pa.concat_arrays(found), pa.concat_tables(kept))


def _their_names(names: Sequence[str], keys: RowKeys, columns: Sequence[str]) -> list[str]:
    """What a result set calls the columns that its keys are made of. The case may differ from that of the upload."""
    for name in columns:
        if name not in names:
            raise ProtocolError(
                f"a result set lacks the column {name}, so that it is not known what became of its rows"
            )
    named = {name.lower(): name for name in names if not name.lower().startswith("sf__")}
    missing = [name for name in keys.names if name.lower() not in named]
    if missing:
        raise ProtocolError(f"a result set lacks the columns {', '.join(missing)}, which were sent")
    return [named[name.lower()] for name in keys.needed]


def match(sent: pa.Array, results: pa.Array) -> pa.Int64Array:
    """Find for each result the row that it is about: the one with the same key.

    Rows with the same key are given out one after another. Give the results of all sets at once, or take out of
    ``sent`` what an earlier call has found, so that no row is given out twice.

    :param sent: keys of the rows.
    :param results: keys of the results.
    :return: for each result the place of its row in ``sent``, -1 where none is left that matches.
    """
    found = numbers(_first_equal(results, sent))
    given = bytearray(len(sent))
    for place in found:
        if place >= 0:
            if given[place]:
                return _one_after_another(numbers(_first_equal(sent, sent)), found)
            given[place] = True
    return integers(found)


def _first_equal(wanted: pa.Array, values: pa.Array) -> pa.Int64Array:
    """For each wanted value the first place where it stands, or -1.

    Arrow's table of all values at once would be several times as large as they are.
    """
    found = pa.nulls(len(wanted), pa.int64())
    for start in range(0, len(values), _LOOKED_UP):
        places = pc.index_in(wanted, value_set=values.slice(start, _LOOKED_UP)).cast(pa.int64())
        found = pc.coalesce(found, pc.add(places, scalar(start)))
    return found.fill_null(scalar(-1))


def numbers(values: pa.Int64Array) -> memoryview:
    """Look at an array's numbers without making objects of them.

    :param values: without null.
    """
    if not len(values):
        return memoryview(array("q"))  # a view of nothing cannot be cast
    start = 8 * values.offset
    return memoryview(values.buffers()[1]).cast("B")[start : start + 8 * len(values)].cast("q")


def _telling_column(part: StagedPart) -> tuple[str | None, pa.Array | None]:
    """A column without repetition, and its cells; None where none was found."""
    first = next(part.pieces())
    for name in [name for name in part.columns if _tells(_one_array(first.column(name)))][:_MOST_CANDIDATES]:
        cells = pa.concat_arrays([chunk for piece in part.pieces([name]) for chunk in piece.column(0).chunks])
        if _tells(cells):
            return name, cells
    return None, None


def _tells(cells: pa.Array) -> bool:
    """Whether no cell is there twice."""
    for start in range(0, len(cells), _LOOKED_UP):
        some, rest = cells.slice(start, _LOOKED_UP), cells.slice(start + _LOOKED_UP)
        if pc.count_distinct(some, mode="all").as_py() < len(some):
            return False
        if len(rest) and pc.any(pc.is_in(rest, value_set=some)).as_py():
            return False
    return True


def _one_array(values: pa.ChunkedArray) -> pa.Array:

    return values.chunk(0) if values.num_chunks == 1 else pa.concat_arrays(values.chunks)


def _digests(rows: pa.Table) -> pa.FixedSizeBinaryArray:
    """A SHA-256 of each row that no other row has unless all its cells are the same."""
    cells = [_one_array(column).fill_null(scalar("")) for column in rows.columns]
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
    for place, first in enumerate(firsts):
        if place != first:
            following[last[first]] = place
            last[first] = place
    waiting, given = array("q", range(len(firsts))), array("q")
    for first in found:
        place = waiting[first] if first >= 0 else -1
        given.append(place)
        if place >= 0:
            waiting[first] = following[place]
    return integers(given)
