"""Which rows have other values than a reader of the chain knows, from 16 bytes of each row: memory does not grow.

Of each row a hash of its id and a hash of its values are kept, in shares by the first bits of the id's hash. Two ids of
100 million rows have the same hash in one of 4,000 objects; a changed value goes unseen once in 2**64.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc

from airflow_provider_sfjwt.files.values.arrow_arrays import integers, one_array, scalar, texts

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.storage.file_writer import FileWriter

#: Rows whose hashes are in memory at once, about, and how many files there are at most.
_ROWS_OF_A_SHARE = 2**17
_MOST_SHARES_LOG2 = 8
_HASH_BITS = 64
#: Rows that are hashed at once: their texts are Python's own for so long.
_ROWS_AT_ONCE = 2**15
#: What the file of hashes holds.
SCHEMA = pa.schema([pa.field("id", pa.uint64()), pa.field("value", pa.uint64())])
_WITH_ROW = SCHEMA.append(pa.field("row", pa.int64()))
#: A value that is unknown, which differs from every other.
_UNKNOWN = integers([0]).view(pa.uint64())
_SEPARATOR, _NULL = "\x1f", "\x00"


def hashes_of(table: pa.Table, columns: Sequence[pa.Field], *, unknown: bool = False) -> pa.Table:
    """The hashes of rows.

    :param table: with ``Id`` and some of the columns; the values of the others are null.
    :param columns: whose values make the hash, in order.
    :param unknown: whether the values of missing columns are unknown instead, and so those of each row.
    :return: ``id`` and ``value``.
    """
    ids = _hashed(one_array(table["Id"]))
    if unknown and any(each.name not in table.column_names for each in columns):
        return pa.Table.from_arrays([ids, _repeated(_UNKNOWN, len(ids))], schema=SCHEMA)
    cells = [
        pc.fill_null(one_array(table[each.name]).cast(pa.string()), scalar(_NULL))
        if each.name in table.column_names
        else _repeated(texts([_NULL]), len(ids))
        for each in columns
    ]
    joined = pc.binary_join_element_wise(*cells, scalar(_SEPARATOR)) if len(cells) > 1 else cells[0]
    return pa.Table.from_arrays([ids, _hashed(joined)], schema=SCHEMA)


def _hashed(values: pa.Array) -> pa.UInt64Array:
    """Eight bytes of the BLAKE2b of each text: the same in every process, other than Python's own hash."""
    size = _HASH_BITS // 8
    digests = b"".join([blake2b(each, digest_size=size).digest() for each in values.cast(pa.binary()).to_pylist()])
    return pa.Array.from_buffers(pa.uint64(), len(values), [None, pa.py_buffer(digests)])


def _pieces(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    for table in tables:
        for start in range(0, table.num_rows, _ROWS_AT_ONCE):
            yield table.slice(start, _ROWS_AT_ONCE)


def _repeated(value: pa.Array, times: int) -> pa.Array:
    return value.take(integers([0] * times))


class _Shares:
    """Hashes in files of the worker, each with those of its share of the ids.

    :param folder: where the files are made.
    :param name: of the files.
    :param schema: of the hashes.
    :param bits: how many first bits of an id's hash name its share.
    """

    def __init__(self, folder: Path, name: str, schema: pa.Schema, bits: int) -> None:
        self._schema = schema
        self._shift = _HASH_BITS - bits
        self._paths = [folder / f"{name}-{share}.arrows" for share in range(1 << bits)]
        self._writers = [ipc.new_stream(str(path), schema) for path in self._paths]

    def __len__(self) -> int:
        return len(self._paths)

    def add(self, hashes: pa.Table) -> None:
        """Add hashes, in any order. No id may be among them twice."""
        if len(self) == 1:
            self._writers[0].write_table(hashes)
            return
        in_order = hashes.take(pc.sort_indices(hashes["id"]))
        share_of = pc.shift_right(in_order["id"], integers([self._shift]).view(pa.uint64())[0])
        start = 0
        for share, rows in zip(*(each.to_pylist() for each in share_of.value_counts().flatten()), strict=True):
            self._writers[share].write_table(in_order.slice(start, rows))
            start += rows

    def finished(self) -> Iterator[pa.Table]:
        """The shares one after the other, by the ids' hashes: in each, what was added last comes first."""
        for writer in self._writers:
            writer.close()
        for path in self._paths:
            with pa.memory_map(str(path)) as file, ipc.open_stream(file) as stream:
                yield pa.Table.from_batches(list(stream)[::-1], self._schema)
            path.unlink()


class FormulaHashes:
    """The hashes that the chain's rows have, beside those of the org's.

    :param folder: of the worker, where files are made.
    :param columns: whose values make the hash, in order.
    :param rows: how many rows there are, about.
    """

    def __init__(self, folder: Path, columns: Sequence[pa.Field], rows: int) -> None:
        self._columns = columns
        bits = min((rows // _ROWS_OF_A_SHARE).bit_length(), _MOST_SHARES_LOG2)
        self._known = _Shares(folder, "known", SCHEMA, bits)
        self._current = _Shares(folder, "current", _WITH_ROW, bits)
        self._rows = 0
        self._path = folder / "hashes.arrow"
        #: How many rows differ.
        self.differing = 0

    def know(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Add hashes that were kept.

        :param batches: of :data:`SCHEMA`.
        """
        for batch in batches:
            self._known.add(pa.Table.from_batches([batch]))

    def know_rows(self, tables: Iterable[pa.Table], *, unknown: bool) -> None:
        """Add rows of the chain, which take the place of those before them.

        :param tables: as :func:`hashes_of` takes them.
        :param unknown: the same.
        """
        for table in _pieces(tables):
            self._known.add(hashes_of(table, self._columns, unknown=unknown))

    def compare(self, tables: Iterable[pa.Table]) -> pa.Buffer:
        """Find the rows whose values the chain does not have. Rows that it does not have at all are left out.

        :param tables: the org's rows, as :func:`hashes_of` takes them.
        :return: a bit for each row, in order, that is set where its values differ.
        """
        for table in _pieces(tables):
            rows = integers(range(self._rows, self._rows + table.num_rows))
            self._current.add(hashes_of(table, self._columns).append_column(_WITH_ROW.field("row"), rows))
            self._rows += table.num_rows
        marks = bytearray(self._rows // 8 + 1)
        with ipc.new_file(str(self._path), SCHEMA) as kept:
            for known, current in zip(self._known.finished(), self._current.finished(), strict=True):
                known = _last_of_each(known)
                changed = _differing(known, current)
                for row in changed["row"].to_pylist():
                    marks[row >> 3] |= 1 << (row & 7)
                self.differing += changed.num_rows
                kept.write_table(_with_values(known, changed))
        return pa.py_buffer(marks)

    def keep(self, file: FileWriter, metadata: dict[str, str]) -> None:
        """Write the hashes that the chain has, once the rows that differ are published.

        :param file: open.
        :param metadata: what they are the hashes of.
        """
        schema = SCHEMA.with_metadata(metadata)
        with pa.memory_map(str(self._path)) as source, ipc.new_file(file, schema) as writer:
            kept = ipc.open_file(source)
            for place in range(kept.num_record_batches):
                writer.write_batch(kept.get_batch(place))


def _last_of_each(known: pa.Table) -> pa.Table:
    """The first row of each id, sorted by id."""
    in_order = known.take(pc.sort_indices(known["id"]))  # a stable sort
    if in_order.num_rows < 2:
        return in_order
    ids = one_array(in_order["id"])
    is_first = pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1))
    return pa.concat_tables([in_order.slice(0, 1), in_order.slice(1).filter(is_first)])


def _differing(known: pa.Table, current: pa.Table) -> pa.Table:
    if not known.num_rows or not current.num_rows:
        return current.slice(0, 0)
    place = pc.index_in(current["id"], value_set=one_array(known["id"]))
    return current.filter(pc.not_equal(current["value"], one_array(known["value"]).take(one_array(place))))


def _with_values(known: pa.Table, changed: pa.Table) -> pa.Table:
    if not changed.num_rows:
        return known
    place = pc.index_in(known["id"], value_set=one_array(changed["id"]))
    values = pc.coalesce(one_array(changed["value"]).take(one_array(place)), one_array(known["value"]))
    return pa.Table.from_arrays([one_array(known["id"]), values], schema=SCHEMA)
