"""The files that a load's rows are sent in: CSV on the worker's disk, each of a size that one job takes.

The same rows in the same order make the same files, byte for byte, so that a retry recognises what was sent.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pv

from airflow_provider_sfjwt.files.formats.csv import read_text
from airflow_provider_sfjwt.files.formats.csv_records import end_of_first_record, whole_records
from airflow_provider_sfjwt.files.values.arrow_arrays import integers, scalar

#: Rows of one file at most: 15 of Salesforce's own batches, so that matching them with results takes little memory.
MOST_ROWS = 150_000
#: Bytes of a file that are read at once.
BLOCK = 512 * 1024
_Bytes = bytes  # the name that JobFile's field ``bytes`` hides


@dataclass(frozen=True)
class JobFile:
    """The rows of one job.

    :param number: of the part of the load that it holds, from 0.
    :param path: the CSV, with a header, LF and commas.
    :param rows: how many rows there are. The header is not counted.
    :param bytes: its size.
    :param sha256: of its bytes, in hex.
    :param block: bytes that are read at once.
    """

    number: int
    path: Path
    rows: int
    bytes: int
    sha256: str
    block: int = BLOCK

    def positions(self) -> pa.Int64Array:
        """The position of each row in the input, from 0, in the order of the file."""
        content = _positions_path(self.path).read_bytes()
        return pa.Int64Array.from_buffers(pa.int64(), self.rows, [None, pa.py_buffer(content)])

    @property
    def columns(self) -> tuple[str, ...]:
        """The header."""
        with self.path.open(encoding="utf-8", newline="") as file:
            return tuple(next(csv.reader(file)))

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Read the rows as Salesforce will echo them, some thousands at a time.

        :param columns: only these, in this order; None reads all.
        :return: tables of text, with empty cells as null.
        """
        names = self.columns
        for data in self._data():
            yield read_text(data, names, columns=columns)

    def records(self) -> Iterator[pa.StringArray]:
        """The bytes of each row with the line feed that ends it, some thousands of rows at a time."""
        for data in self._data():
            ends = _record_ends(data)
            yield pa.StringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(data))

    def subset(self, rows: Sequence[int], folder: Path, number: int) -> JobFile:
        """Write some of the rows to a new file, in the order that they have here.

        :param rows: their numbers in this file, from 0, ascending.
        :param folder: for the new file. Nothing there is overwritten.
        :param number: of the new file.
        """
        writer, positions = JobFileWriter(folder, number, self.columns, block=self.block), self.positions()
        first = done = 0
        for records in self.records():
            last = first + len(records)
            some = rows[done : bisect_left(rows, last, done)]
            if some:
                chosen = records.take(integers(row - first for row in some))
                writer.write(bytes_of(chosen), positions.take(integers(some)))
            first, done = last, done + len(some)
        return writer.close()

    def _data(self) -> Iterator[_Bytes]:
        """The file in pieces of whole records, without its header."""
        with self.path.open("rb") as file:
            for place, piece in enumerate(whole_records(file, self.block)):
                data = bytes(piece[end_of_first_record(piece) if place == 0 else 0 :])
                if data:
                    yield data


class JobFileWriter:
    """A job's file while it is written.

    :param folder: for the file.
    :param number: of the part of the load that it holds.
    :param fields: the header.
    :param block: bytes that are read at once later.
    """

    def __init__(self, folder: Path, number: int, fields: Sequence[str], *, block: int = BLOCK) -> None:
        handle, name = tempfile.mkstemp(prefix=f"part-{number:05d}-", suffix=".csv", dir=folder)
        self._path = Path(name)
        self._number = number
        self._block = block
        self._file: BinaryIO = os.fdopen(handle, "wb")
        self._positions = os.fdopen(
            os.open(_positions_path(self._path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
        )
        self._hash = hashlib.sha256()
        self.rows = self.bytes = 0
        header = io.StringIO(newline="")
        csv.writer(header, lineterminator="\n").writerow(fields)
        self._write(header.getvalue().encode("utf-8"))

    def write(self, data: pa.Buffer | memoryview, positions: pa.Int64Array) -> None:
        """Add records.

        :param data: the records as CSV.
        :param positions: of each of them in the input.
        """
        self._write(data)
        # Eight bytes each, without the part of the buffer that a slice leaves out.
        start = positions.offset * 8
        self._positions.write(memoryview(positions.buffers()[1])[start : start + 8 * len(positions)])
        self.rows += len(positions)

    def close(self) -> JobFile:
        """Finish the file."""
        self.abandon()
        return JobFile(self._number, self._path, self.rows, self.bytes, self._hash.hexdigest(), self._block)

    def abandon(self) -> None:
        """Close what is open."""
        try:
            self._file.close()
        finally:
            self._positions.close()

    def _write(self, data: bytes | pa.Buffer | memoryview) -> None:
        view = memoryview(data)
        self._file.write(view)
        self._hash.update(view)
        self.bytes += view.nbytes


def bytes_of(texts: pa.StringArray) -> memoryview:
    """The bytes of texts, one after another, without a copy.

    :param texts: at least one, all without null.
    """
    _, ends, data = texts.buffers()
    bounds = memoryview(ends).cast("B").cast("i")[texts.offset :]
    return memoryview(data)[bounds[0] : bounds[len(texts)]]


def encoded(table: pa.Table, *, header: bool = False) -> pa.Buffer:
    """Rows as CSV: LF, commas, text in quotes, nothing at all for null.

    :param table: text.
    :param header: whether the names of the columns come first.
    """
    if table.num_columns == 1:
        # Readers of CSV skip an empty line, so a null in the only column is written as an empty text in quotes.
        filled = table.column(0).cast(pa.string()).fill_null(scalar(""))
        table = pa.Table.from_arrays([filled], names=table.column_names)
    sink = pa.BufferOutputStream()
    pv.write_csv(table, sink, pv.WriteOptions(include_header=header, batch_size=max(table.num_rows, 1)))
    return sink.getvalue()


def _record_ends(data: bytes) -> array[int]:
    """Where records begin and end: 0, then the end of each. Every record ends with a line feed."""
    ends, end, quotes = array("i", [0]), 0, 0
    for line in data.split(b"\n")[:-1]:
        end += len(line) + 1
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            ends.append(end)
    return ends


def _positions_path(path: Path) -> Path:
    return path.with_suffix(".positions")
