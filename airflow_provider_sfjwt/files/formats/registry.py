"""A result page into one file, by the format that the task asked for."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.exceptions import ProtocolError, TransportError
from airflow_provider_sfjwt.files.formats.csv_records import (
    column_names,
    count_records,
    end_of_first_record,
    whole_records,
)
from airflow_provider_sfjwt.files.storage.file_writer import PartFile, writing
from airflow_provider_sfjwt.files.storage.receipts import OutputFile
from airflow_provider_sfjwt.files.values.arrow_arrays import choose_memory_pool
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.wire.flow import Body

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Bytes of CSV that are converted at once.
_BLOCK = 512 * 1024

_NEWLINE, _COMMA = b"\n,"
_LONGEST_CELL = 2**31 - 1
_JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")

#: The endings of files by format and compression. Parquet compresses within the file.
_COMPRESSIONS: dict[str, dict[str | None, str]] = {
    "csv": {None: "csv", "gzip": "csv.gz"},
    "jsonl": {None: "jsonl", "gzip": "jsonl.gz"},
    "parquet": dict.fromkeys((None, "zstd", "snappy", "gzip", "none"), "parquet"),
}


@dataclass(frozen=True)
class WrittenPage:
    """A result page that became a part.

    :param part: the file.
    :param columns: what it holds, in the order of the page's header.
    """

    part: OutputFile
    columns: tuple[Column, ...]

    @property
    def records(self) -> int:
        """Rows, the header not counted."""
        return self.part.records


@dataclass(frozen=True)
class FileFormat:
    """How parts are written.

    :param name: ``parquet``, ``csv`` or ``jsonl``.
    :param compression: None for the format's default: zstd for Parquet, none for the others.
    """

    name: str
    compression: str | None = None

    def faults(self) -> dict[str, str]:
        """What is wrong, by the name of the operator's argument."""
        if self.name not in _COMPRESSIONS:
            return {"file_format": f"'{self.name}' is none of {', '.join(_COMPRESSIONS)}"}
        known = _COMPRESSIONS[self.name]
        if self.compression not in known:
            offered = ", ".join(repr(each) for each in known)
            return {"compression": f"'{self.compression}' does not go with {self.name}; take one of {offered}"}
        if self.name == "parquet" and importlib.util.find_spec("pyarrow") is None:
            return {
                "file_format": "'parquet' needs pyarrow: pip install 'airflow-provider-sfjwt[parquet]', or take csv"
            }
        return {}

    @property
    def extension(self) -> str:
        """The ending of a part's name, without the first dot."""
        return _COMPRESSIONS[self.name][self.compression]

    def write_page(self, path: ObjectStoragePath, body: Body, columns: Sequence[Column]) -> WrittenPage:
        """Write one result page as one part.

        :param path: the part's file.
        :param body: the page's CSV, header first; an empty body is a page without rows.
        :param columns: what is known of the columns. The page's own header decides which there are.
        :raises TransportError: when the page is not whole.
        :raises ProtocolError: when a value is none of its type.
        """
        writer = {"csv": _write_csv, "jsonl": _write_json_lines, "parquet": _write_parquet}[self.name]
        header, pieces = _split_off_header(whole_records(body, _BLOCK), columns)
        typed = _typed(header, columns)
        with writing(path) as file:
            records = writer(header, typed, _with_whole_end(pieces, len(typed)), file, self.compression)
        return WrittenPage(OutputFile(path.name, records, file.bytes, file.sha256), tuple(typed))


Pieces = Iterable[memoryview]


def _split_off_header(pieces: Iterator[memoryview], columns: Sequence[Column]) -> tuple[bytes, Pieces]:
    """The header record, and the records behind it. An empty page has the header that was expected."""
    first = next(pieces, None)
    if first is None:
        names = ",".join(f'"{column.name}"' for column in columns)
        return f"{names}\n".encode(), ()
    cut = end_of_first_record(first)
    return bytes(first[:cut]), chain([first[cut:]], pieces)


def _with_whole_end(pieces: Pieces, cells: int) -> Iterator[memoryview]:
    """The same pieces. Where the page lacks its last newline, its last record must have all its cells."""
    for piece in pieces:
        if len(piece) and piece[-1] != _NEWLINE:
            *_, last = _rows(piece)
            # Salesforce quotes every cell, the empty ones too.
            if len(last) != cells or piece[-1] == _COMMA:
                raise TransportError("a result page ends within a record: it is not whole", request_was_sent=True)
        yield piece


def _typed(header: bytes, columns: Sequence[Column]) -> list[Column]:
    known = {column.name.lower(): column for column in columns}
    return [known.get(name.lower(), Column(name)) for name in column_names(header)]


@contextmanager
def _compressed(file: PartFile, compression: str | None) -> Iterator[Callable[[Any], Any]]:
    if compression != "gzip":
        yield file.write
        return
    # No time and no name in the header, so that equal data gives equal bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed:
        yield packed.write


def _write_csv(
    header: bytes, columns: Sequence[Column], pieces: Pieces, file: PartFile, compression: str | None
) -> int:
    """The page as it came, byte for byte."""
    records = 0
    with _compressed(file, compression) as write:
        write(header)
        for piece in pieces:
            records += count_records(piece)
            write(piece)
    return records


def _write_json_lines(
    header: bytes, columns: Sequence[Column], pieces: Pieces, file: PartFile, compression: str | None
) -> int:
    records = 0
    encoders = [_json_encoder(column) for column in columns]
    keys = [json.dumps(column.name, ensure_ascii=False) + ":" for column in columns]
    with _compressed(file, compression) as write:
        for piece in pieces:
            lines = []
            for row in _rows(piece):
                if len(row) != len(keys):
                    raise ProtocolError(f"a row has {len(row)} values where the header names {len(keys)}")
                cells = (key + encode(cell) for key, encode, cell in zip(keys, encoders, row, strict=True))
                lines.append("{" + ",".join(cells) + "}\n")
            records += len(lines)
            write("".join(lines).encode("utf-8"))
    return records


def _rows(piece: memoryview) -> Iterator[list[str]]:
    # Python's own limit is 131,072 characters, which a long or rich text area reaches. It is one for the process.
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    try:
        yield from csv.reader(io.StringIO(bytes(piece).decode("utf-8"), newline=""))
    except csv.Error as error:
        raise ProtocolError(f"a result page is no CSV that can be read: {error}") from None


def _json_encoder(column: Column) -> Callable[[str], str]:
    """How a cell becomes JSON. An empty cell is null: Salesforce keeps no empty text."""
    if column.type == "boolean":
        return lambda cell: cell.lower() if cell else "null"
    if column.is_number:
        return lambda cell: _json_number(column.name, cell) if cell else "null"
    return lambda cell: json.dumps(cell, ensure_ascii=False) if cell else "null"


def _json_number(name: str, cell: str) -> str:
    if not _JSON_NUMBER.fullmatch(cell):
        raise ProtocolError(f"column {name} holds a value that is no number")
    return cell  # the digits stay as they came, so that nothing is rounded


def _write_parquet(
    header: bytes, columns: Sequence[Column], pieces: Pieces, file: PartFile, compression: str | None
) -> int:
    choose_memory_pool()
    from airflow_provider_sfjwt.files.formats.parquet import write_pieces

    return write_pieces(columns, pieces, file, compression or "zstd")
