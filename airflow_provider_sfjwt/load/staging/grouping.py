"""Bringing the rows of one parent together, on disk, so that no two jobs wait for a lock on it."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

#: Files that the rows are spread over at once, by the hash of their key.
_BUCKETS = 32
#: How often a file that is too large is spread again. If it is still too large then, all its rows have the same key.
_DEEPEST = 4
#: Blocks of rows that are spread at once: 4 MiB.
_SPREAD_BLOCKS = 8


class Grouping:
    """Collects rows and gives them out in groups.

    :param folder: for the files.
    :param place: of the key's column.
    :param most_bytes: bytes of rows that are sorted at once.
    :param block: bytes of rows that are handled at once elsewhere.
    """

    def __init__(self, folder: Path, place: int, *, most_bytes: int, block: int) -> None:
        self._folder = folder
        self._place = place
        self._most_bytes = most_bytes
        self._spread_bytes = _SPREAD_BLOCKS * block
        self._buckets = self._new_buckets(0, "group")

    def add(self, table: pa.Table, positions: pa.Int64Array) -> None:
        """Collect rows.

        :param table: text.
        :param positions: of each row in the input.
        """
        # Column names must be unique, so the position column has an empty name.
        self._buckets.add(table.append_column("", positions))

    def batches(self) -> Iterator[tuple[pa.Table, pa.Int64Array]]:
        """All rows, those with the same key one after another, in the order of the input.

        :return: the rows, and the position of each in the input.
        """
        for rows in self._sorted(self._buckets, 0):
            last = rows.num_columns - 1
            yield rows.remove_column(last), pa.concat_arrays(rows.column(last).chunks)

    def _sorted(self, buckets: _Buckets, depth: int) -> Iterator[pa.Table]:
        for path in buckets.close():
            if path.stat().st_size <= self._most_bytes:
                rows = pa.concat_tables(list(_read(path)))
                path.unlink()
                yield _by_key(rows, self._place)
            elif depth == _DEEPEST:
                yield from _read(path)
                path.unlink()
            else:
                finer = self._new_buckets(depth + 1, path.stem)
                for table in _read(path):
                    finer.add(table)
                path.unlink()
                yield from self._sorted(finer, depth + 1)

    def _new_buckets(self, depth: int, name: str) -> _Buckets:
        return _Buckets(self._folder, self._place, self._spread_bytes, depth, name)


class _Buckets:
    """Files that rows are spread over. Rows with the same key go into the same file."""

    def __init__(self, folder: Path, place: int, spread_bytes: int, depth: int, name: str) -> None:
        self._folder, self._place, self._spread_bytes = folder, place, spread_bytes
        self._depth, self._name = depth, name
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        self._writers: dict[int, tuple[Path, pa.OSFile, pa.ipc.RecordBatchStreamWriter]] = {}

    def add(self, rows: pa.Table) -> None:
        self._waiting.append(rows)
        self._waiting_bytes += rows.nbytes
        if self._waiting_bytes >= self._spread_bytes:
            self._spread()

    def close(self) -> list[Path]:
        """The files, in an order that depends on the keys alone."""
        self._spread()
        for _, file, writer in self._writers.values():
            writer.close()
            file.close()
        return [self._writers[bucket][0] for bucket in sorted(self._writers)]

    def _spread(self) -> None:
        if not self._waiting:
            return
        rows = pa.concat_tables(self._waiting).combine_chunks()
        self._waiting, self._waiting_bytes = [], 0
        if not rows.num_rows:
            return
        keys = pa.concat_arrays(rows.column(self._place).chunks).dictionary_encode(null_encoding="encode")
        buckets = pa.array([self._bucket(key) for key in keys.dictionary.to_pylist()], pa.int32()).take(keys.indices)
        for bucket in sorted(pc.unique(buckets).to_pylist()):
            chosen = rows.filter(pc.equal(buckets, bucket))
            self._writer(bucket, rows.schema).write_table(chosen)

    def _bucket(self, key: str | None) -> int:
        # A different number at each depth, so that keys that share a file are spread at the next.
        return zlib.crc32(f"{self._depth} {key}".encode()) // 7 % _BUCKETS

    def _writer(self, bucket: int, schema: pa.Schema) -> pa.ipc.RecordBatchStreamWriter:
        if bucket not in self._writers:
            path = self._folder / f"{self._name}-{bucket:02d}"
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # Arrow would let others read it
            file = pa.OSFile(str(path), "wb")
            self._writers[bucket] = path, file, pa.ipc.new_stream(file, schema)
        return self._writers[bucket][2]


def _read(path: Path) -> Iterator[pa.Table]:
    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_stream(file) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


def _by_key(rows: pa.Table, place: int) -> pa.Table:
    """Sort by key, then by position."""
    keys = pa.table({"key": rows.column(place), "position": rows.column(rows.num_columns - 1)})
    return rows.take(pc.sort_indices(keys, sort_keys=[("key", "ascending"), ("position", "ascending")]))


def between_groups(table: pa.Table, place: int) -> int:
    """Where to cut rows in two: between the two groups nearest to the middle, or in the middle of a single group.

    :param table: sorted by key.
    :param place: of the key's column.
    """
    keys = pa.concat_arrays(table.column(place).chunks).dictionary_encode(null_encoding="encode").indices
    middle: int = len(keys) // 2
    changes: list[int] = pc.indices_nonzero(pc.not_equal(keys[1:], keys[:-1])).to_pylist()
    if not changes:
        return middle
    return min((each + 1 for each in changes), key=lambda each: abs(each - middle))
