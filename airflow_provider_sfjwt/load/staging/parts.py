"""The rows of a load on the worker's disk, as CSV files that each fit into one job.

The same rows in the same pieces give the same files, byte for byte, so that a retry knows what it sent.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.formats.csv_records import end_of_first_record, whole_records
from airflow_provider_sfjwt.files.values.arrow_arrays import require_arrow

if TYPE_CHECKING:
    import pyarrow as pa

#: A job takes 150 MB once it is encoded, which is 100 MB as it is sent.
#: https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_bulkapi.htm
LARGEST_PART = 100_000_000
#: Rows of one part at most: 15 of Salesforce's own batches, so that what is joined with their results stays small.
MOST_ROWS = 150_000
#: Bytes that are read at once; longer than any record that Salesforce takes.
_BLOCK = 4 * 2**20
#: Bytes of rows that are read at once where the rows are gone through.
_PIECE = 512 * 1024
#: Bytes of rows that are sorted at once where rows are grouped.
_SORTED_AT_ONCE = 6 * 2**20

Cut = Callable[["pa.Table"], int]


@dataclass(frozen=True)
class StagedPart:
    """The data of one job.

    :param number: its place, from 0.
    :param path: the CSV, with a header, LF and commas.
    :param rows: the header not counted.
    :param bytes: its size.
    :param sha256: of its bytes, in hex.
    """

    number: int
    path: Path
    rows: int
    bytes: int
    sha256: str

    def positions(self) -> pa.Int64Array:
        """Where each row stands in the input, from 0, in the order of the part."""
        import pyarrow as pa

        content = _positions_path(self.path).read_bytes()
        return pa.Int64Array.from_buffers(pa.int64(), self.rows, [None, pa.py_buffer(content)])

    @property
    def columns(self) -> tuple[str, ...]:
        """The header."""
        with self.path.open(encoding="utf-8", newline="") as file:
            return tuple(next(csv.reader(file)))

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Read the rows as :meth:`table` does, some thousands at a time.

        :param columns: only these, in this order; None reads all.
        """
        from airflow_provider_sfjwt.files.formats.csv import read_text

        names = self.columns
        for data in _data(self.path):
            yield read_text(data, names, columns=columns)

    def records(self) -> Iterator[pa.StringArray]:
        """The bytes of each row with the line feed that ends it, some thousands of rows at a time."""
        import pyarrow as pa

        for data in _data(self.path):
            ends = _record_ends(data)
            yield pa.StringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(data))

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the rows as Salesforce will echo them: all text, empty cells as null.

        :param columns: only these, in this order; None reads all.
        """
        import pyarrow as pa
        import pyarrow.csv as pv

        header = self.columns
        return pv.read_csv(
            str(self.path),
            read_options=pv.ReadOptions(use_threads=False, block_size=2 * _BLOCK),
            parse_options=pv.ParseOptions(newlines_in_values=True),
            convert_options=pv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()),
                include_columns=list(columns) if columns is not None else None,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )

    def subset(self, rows: Sequence[int], folder: Path, number: int) -> StagedPart:
        """Stage some of the rows anew, in the order that they have here.

        :param rows: their places in this part, from 0, ascending.
        :param folder: where the new part goes. Nothing there is overwritten.
        :param number: of the new part.
        """
        from airflow_provider_sfjwt.files.values.arrow_arrays import integers

        writer, positions = _PartWriter(folder, number, self.columns), self.positions()
        first = done = 0
        for records in self.records():
            last = first + len(records)
            some = rows[done : bisect_left(rows, last, done)]
            if some:
                chosen = records.take(integers(row - first for row in some))
                writer.write(bytes_of(chosen), positions.take(integers(some)))
            first, done = last, done + len(some)
        return writer.close()


class Staging:
    """Parts in a folder of their own, which is gone when the block ends.

    :param fields: the header: API names, in the order of the columns.
    :param part_bytes: size of a part at most, the one excepted that holds a single larger row.
    :param group_by: one of ``fields``: rows that have the same there go into the same part, side by side, unless they
        are more than 6 MiB or than a part. None leaves the rows in their order.
    """

    def __init__(self, fields: Sequence[str], *, part_bytes: int = 24 * 2**20, group_by: str | None = None) -> None:
        require_arrow()
        if not 0 < part_bytes <= LARGEST_PART:
            message = f"{part_bytes:,} bytes; a job takes 1 to {LARGEST_PART:,}"
            raise ConfigurationError({"part_bytes": message}, subject="the task")
        self._fields = list(fields)
        self._part_bytes = part_bytes
        self._group_by = group_by
        self._place = self._fields.index(group_by) if group_by is not None else -1
        self._parts: list[StagedPart] = []
        self._writer: _PartWriter | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._grouping: object | None = None

    def __enter__(self) -> Staging:
        self._temporary = tempfile.TemporaryDirectory(prefix="salesforce-load-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            with suppress(OSError):  # a full disk was told of, and is again when the file is closed
                self._writer.abandon()
        if self._temporary is not None:
            self._temporary.cleanup()

    @property
    def folder(self) -> Path:
        """Where the parts lie."""
        if self._temporary is None:
            raise RuntimeError("a staging has a folder only within its block")
        return Path(self._temporary.name)

    def add(self, table: pa.Table, first_position: int) -> None:
        """Add rows that follow each other in the input.

        :param table: text columns in the order of the fields.
        :param first_position: of the first row within the input, from 0.
        """
        from airflow_provider_sfjwt.files.values.arrow_arrays import integers

        positions = integers(range(first_position, first_position + table.num_rows))
        if self._group_by is None:
            self._put(table, positions, _in_the_middle)
            return
        from airflow_provider_sfjwt.load.staging.grouping import Grouping

        if not isinstance(self._grouping, Grouping):
            self._grouping = Grouping(self.folder, self._place, min(self._part_bytes, _SORTED_AT_ONCE))
        self._grouping.add(table, positions)

    def parts(self) -> list[StagedPart]:
        """All parts, once everything has been added."""
        if self._grouping is not None:
            from airflow_provider_sfjwt.load.staging.grouping import Grouping, between_groups

            if isinstance(self._grouping, Grouping):
                for table, positions in self._grouping.batches():
                    self._put(table, positions, lambda rows: between_groups(rows, self._place))
            self._grouping = None
        self._close_part()
        return list(self._parts)

    def _put(self, table: pa.Table, positions: pa.Int64Array, cut: Cut) -> None:
        """Put rows into the part that is open, or into the next, or cut them in two."""
        if not table.num_rows:
            return
        data = encoded(table)
        writer = self._writer
        if writer is not None and writer.rows and not writer.fits(data.size, table.num_rows, self._part_bytes):
            self._close_part()
            writer = None
        if writer is None:
            writer = self._writer = _PartWriter(self.folder, len(self._parts), self._fields)
        if table.num_rows == 1 or writer.fits(data.size, table.num_rows, self._part_bytes):
            writer.write(data, positions)
            return
        middle = cut(table)
        self._put(table.slice(0, middle), positions.slice(0, middle), cut)
        self._put(table.slice(middle), positions.slice(middle), cut)

    def _close_part(self) -> None:
        if self._writer is not None:
            self._parts.append(self._writer.close())
            self._writer = None


class _PartWriter:
    """One part being written."""

    def __init__(self, folder: Path, number: int, fields: Sequence[str]) -> None:
        handle, name = tempfile.mkstemp(prefix=f"part-{number:05d}-", suffix=".csv", dir=folder)
        self._path = Path(name)
        self._number = number
        self._file: BinaryIO = os.fdopen(handle, "wb")
        self._positions = _positions_path(self._path).open("wb")
        self._hash = hashlib.sha256()
        self.rows = self._bytes = 0
        header = io.StringIO(newline="")
        csv.writer(header, lineterminator="\n").writerow(fields)
        self._write(header.getvalue().encode("utf-8"))

    def fits(self, size: int, rows: int, part_bytes: int) -> bool:
        """Whether so much may be added."""
        return self._bytes + size <= part_bytes and self.rows + rows <= MOST_ROWS

    def write(self, data: pa.Buffer | memoryview, positions: pa.Int64Array) -> None:
        """Add records, and where they stand in the input."""
        self._write(data)
        # Eight bytes each, without the part of the buffer that a slice leaves out.
        start = positions.offset * 8
        self._positions.write(memoryview(positions.buffers()[1])[start : start + 8 * len(positions)])
        self.rows += len(positions)

    def close(self) -> StagedPart:
        """Finish the part."""
        self.abandon()
        return StagedPart(self._number, self._path, self.rows, self._bytes, self._hash.hexdigest())

    def abandon(self) -> None:
        """Close the files."""
        try:
            self._file.close()
        finally:
            self._positions.close()

    def _write(self, data: bytes | pa.Buffer | memoryview) -> None:
        view = memoryview(data)
        self._file.write(view)
        self._hash.update(view)
        self._bytes += view.nbytes


def bytes_of(texts: pa.StringArray) -> memoryview:
    """The bytes of texts, one after another, without a copy.

    :param texts: at least one, and none of them null.
    """
    _, ends, data = texts.buffers()
    bounds = memoryview(ends).cast("B").cast("i")[texts.offset :]
    return memoryview(data)[bounds[0] : bounds[len(texts)]]


def encoded(table: pa.Table, *, header: bool = False) -> pa.Buffer:
    """Rows as CSV: LF, commas, text in quotes, nothing at all for null.

    :param table: text.
    :param header: whether the names of the columns come first.
    """
    import pyarrow as pa
    import pyarrow.csv as pv

    from airflow_provider_sfjwt.files.values.arrow_arrays import scalar

    if table.num_columns == 1:
        # A line without anything would be taken for none at all.
        filled = table.column(0).cast(pa.string()).fill_null(scalar(""))
        table = pa.Table.from_arrays([filled], names=table.column_names)
    sink = pa.BufferOutputStream()
    pv.write_csv(table, sink, pv.WriteOptions(include_header=header, batch_size=max(table.num_rows, 1)))
    return sink.getvalue()


def _in_the_middle(table: pa.Table) -> int:
    return int(table.num_rows) // 2


def _data(path: Path) -> Iterator[bytes]:
    """A part's file in pieces of whole records, without its header."""
    with path.open("rb") as file:
        for place, piece in enumerate(whole_records(file, _PIECE)):
            data = bytes(piece[end_of_first_record(piece) if place == 0 else 0 :])
            if data:
                yield data


def _record_ends(data: bytes) -> array[int]:
    """Where records begin and end: 0, then the end of each. The last has its line feed, as all have."""
    ends, end, quotes = array("i", [0]), 0, 0
    for line in data.split(b"\n")[:-1]:
        end += len(line) + 1
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            ends.append(end)
    return ends


def _positions_path(path: Path) -> Path:
    return path.with_suffix(".positions")
