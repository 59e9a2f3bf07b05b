"""CSV: result pages written as they came; files read strictly, each cell as text, each fault with its row.

Reading needs the extra ``parquet``.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, BinaryIO

from airflow_provider_sfjwt.files.formats.cell_faults import check_text
from airflow_provider_sfjwt.files.formats.csv_records import count_records, end_of_first_record
from airflow_provider_sfjwt.files.formats.faults import Fault, checked_columns, unreadable
from airflow_provider_sfjwt.files.formats.input_file import InputFile
from airflow_provider_sfjwt.files.formats.result_page import PageContent, ResultPage
from airflow_provider_sfjwt.files.storage.file_writer import FileWriter, compressed
from airflow_provider_sfjwt.files.values.cells import EMPTY_CELLS_ARE_NULL, LONGEST_TEXT

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes that are read at once.
_BLOCK_SIZE = 2**20
#: Salesforce rejects a record of more than 400,000 characters, so one of this many bytes has a quote that never closes.
#: https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_bulkapi.htm
_LONGEST_RECORD = 16 * 2**20
_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = (";", "\t", "|")
_QUOTE, _NEWLINE = b'"', b"\n"
#: Characters of a cell that a message shows.
_SHOWN = 60
_FIRST, _LAST = itemgetter(slice(1)), itemgetter(slice(-1, None))


def write_page(page: ResultPage, file: FileWriter, compression: str | None) -> PageContent:
    """Write a page byte for byte. See :class:`~.registry.PageWriter`."""
    records = 0
    names = [column.name for column in page.columns]
    with compressed(file, compression) as write:
        write(page.header)
        for piece in page.pieces:
            check_text(piece, names)
            records += count_records(piece)
            write(piece)
    return PageContent(records)


def columns(file: InputFile) -> tuple[str, ...]:
    """The columns that the header names. See :class:`~.registry.InputReader`."""
    with file.opened() as stream:
        return _header(file, stream.read(_BLOCK_SIZE))[0]


def pieces(
    file: InputFile,
    wanted: Sequence[str],
    known: Sequence[str],
    *,
    block_size: int = _BLOCK_SIZE,
    longest_record: int = _LONGEST_RECORD,
) -> Iterator[tuple[pa.Table, list[Fault]]]:
    """Read the rows, all cells as text, empty ones as null. See :class:`~.registry.InputReader`.

    :param file: the file.
    :param wanted: the columns to read, in the order that the tables shall have.
    :param known: all columns of the source.
    :param block_size: bytes that are read at once.
    :param longest_record: bytes of a record after which its quote counts as never closed.
    :raises ConfigurationError: if it is ambiguous, by its quotes, where the rows end.
    """
    names: tuple[str, ...] = ()
    delimiter, row = ",", 1
    with file.opened() as stream:
        try:
            for place, piece in enumerate(_records(stream, block_size, longest_record)):
                data = piece
                if place == 0:
                    names, delimiter, end = _header(file, piece)
                    data = piece[end:]
                _check_quotes(file, data, delimiter, row)
                table, faults = _table(file, data, names, delimiter, row, wanted)
                if table.num_rows:
                    row += table.num_rows
                    yield table, faults
        except _OpenQuoteError as error:
            where = f"row {row} opens" if names else "its header opens"
            raise unreadable(file.name, f"{where} a quote that is never closed: {error}") from None


def _header(file: InputFile, start: bytes) -> tuple[tuple[str, ...], str, int]:
    """The columns, the delimiter, and where the data begins."""
    if start.startswith(_OTHER_BOMS):
        raise unreadable(file.name, "its encoding is UTF-16. Save it as UTF-8")
    skipped = len(_BOM) if start.startswith(_BOM) else 0
    skipped += len(start) - skipped - len(start[skipped:].lstrip(b"\r\n"))
    end = skipped + end_of_first_record(start[skipped:])
    line = start[skipped:end]
    if not line.strip():
        raise unreadable(file.name, "it is empty, without even a header")
    if b"\r" in line.rstrip(b"\r\n"):
        raise unreadable(file.name, "its lines end with a carriage return alone. Save it with LF or CRLF")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise unreadable(
            file.name, f"its header is not UTF-8 (encoding): {error.reason} at byte {error.start}"
        ) from None
    bare = "".join(text.split('"')[::2])
    delimiter = "," if "," in bare else next((each for each in _DELIMITERS if each in bare), ",")
    names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    return checked_columns(names, file.name), delimiter, end


class _OpenQuoteError(Exception):
    """The first record that is left opens a quote, and nothing closes it. The message shows its beginning."""

    def __init__(self, left: bytes) -> None:
        line = left.partition(_NEWLINE)[0]
        super().__init__(repr(line[max(line.rfind(_QUOTE), 0) :].decode("utf-8", "replace")[:_SHOWN]))


def _records(stream: BinaryIO, block_size: int, longest_record: int) -> Iterator[bytes]:
    """Cut a file into pieces of whole records."""
    rest, begun = b"", False
    while block := stream.read(block_size):
        data = rest + block
        end = _last_record_end(data)
        if end:
            yield data[:end]
            rest, begun = data[end:], True
        else:
            rest = data
            if len(rest) > longest_record:
                raise _OpenQuoteError(rest)
    if rest.count(_QUOTE) % 2:
        raise _OpenQuoteError(rest)
    if rest or not begun:
        yield rest


def _last_record_end(data: bytes) -> int:
    """Where the last whole record ends, or 0 if there is none. Whole records have an even number of quotes."""
    end, quotes = len(data), data.count(_QUOTE)
    while (newline := data.rfind(_NEWLINE, 0, end)) >= 0:
        quotes -= data.count(_QUOTE, newline, end)
        if quotes % 2 == 0:
            return newline + 1
        end = newline
    return 0


def _check_quotes(file: InputFile, data: bytes, delimiter: str, first_row: int) -> None:
    """Accept quotes around whole cells only: any other quote makes it ambiguous where a row ends."""
    if _QUOTE not in data:
        return
    # The text outside quotes. It is empty between doubled quotes.
    parts = data.split(_QUOTE)[::2]
    edge = delimiter.encode()
    edges = {b"", b"\r", _NEWLINE, edge}
    if set(map(_FIRST, parts[1:])) <= edges and set(map(_LAST, parts[:-1])) <= edges:
        return
    outside = _QUOTE.join(parts)
    edge = re.escape(edge)
    match = re.search(rb'[^"\r\n%s]"|"[^"\r\n%s]' % (edge, edge), outside)
    if match:
        row = first_row + outside.count(_NEWLINE, 0, match.start())
        message = f"row {row} has a quote within a cell that is not quoted. Quote the cell and double the quotes in it"
        raise unreadable(file.name, message)


def read_text(
    data: bytes | memoryview, names: Sequence[str], delimiter: str = ",", *, columns: Sequence[str] | None = None
) -> pa.Table:
    """Read whole records, each cell as text, empty ones as null.

    :param data: the records, without a header.
    :param names: of the columns.
    :param delimiter: one character.
    :param columns: only these, in this order; None reads all.
    :raises pyarrow.ArrowInvalid: if it is not UTF-8, or not CSV of so many columns.
    """
    import pyarrow as pa
    import pyarrow.csv as pv

    if not len(data):
        return pa.table({name: pa.array([], pa.string()) for name in (names if columns is None else columns)})
    if data[: len(_BOM)] == _BOM:
        # This one belongs to a cell: the file's own stands before the header. Arrow removes the first, so put one more.
        data = _BOM + bytes(data)
    return pv.read_csv(
        pa.BufferReader(pa.py_buffer(data)),
        read_options=pv.ReadOptions(column_names=list(names), use_threads=False, block_size=len(data) + 1),
        parse_options=pv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=list(columns) if columns is not None else None,
            **EMPTY_CELLS_ARE_NULL,
        ),
    )


def _table(
    file: InputFile, data: bytes, names: Sequence[str], delimiter: str, row: int, wanted: Sequence[str]
) -> tuple[pa.Table, list[Fault]]:
    import pyarrow as pa

    faults: list[Fault] = []
    try:
        table = read_text(data, names, delimiter, columns=wanted)
    except pa.ArrowInvalid:
        # Read it again, row by row, to find what is wrong.
        table, faults = _row_by_row(file, data, names, delimiter, row, wanted)
    return table, faults + _too_long(file.name, table, row)


def _row_by_row(
    file: InputFile, data: bytes, names: Sequence[str], delimiter: str, first_row: int, wanted: Sequence[str]
) -> tuple[pa.Table, list[Fault]]:
    """Read records one by one, and name the faulty ones."""
    import pyarrow as pa

    # Python's own limit is 131,072 characters. It is one for the process.
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
    faults: list[Fault] = []
    rows: list[list[str | None]] = []
    places = [names.index(name) for name in wanted]
    text = io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")
    try:
        for cells in csv.reader(text, delimiter=delimiter):
            if not cells:
                continue
            number = first_row + len(rows)
            if len(cells) != len(names):
                message = f"has {len(cells)} cells where the header names {len(names)} columns"
                faults.append(Fault(file.name, number, None, message))
            row: list[str | None] = [cell or None for cell in cells[: len(names)]]
            row += [None] * (len(names) - len(row))
            for place in places:
                fault = _not_utf8(row[place])
                if fault:
                    faults.append(Fault(file.name, number, names[place], fault))
                    row[place] = None
            rows.append(row)
    except csv.Error as error:
        raise unreadable(file.name, f"row {first_row + len(rows)} is not CSV that can be read: {error}") from None
    arrays = [pa.array([row[place] for row in rows], pa.string()) for place in places]
    return pa.Table.from_arrays(arrays, names=list(wanted)), faults


def _not_utf8(cell: str | None) -> str | None:
    for character in cell or "":
        if "\udc80" <= character <= "\udcff":
            byte = ord(character) - 0xDC00
            return f"byte 0x{byte:02X} is not UTF-8 (encoding). Save the file as UTF-8"
    return None


def _too_long(name: str, table: pa.Table, first_row: int) -> list[Fault]:
    import pyarrow.compute as pc

    faults = []
    for column in table.column_names:
        values = table.column(column)
        if (pc.max(pc.binary_length(values)).as_py() or 0) <= LONGEST_TEXT:
            continue
        lengths = pc.utf8_length(values)
        for place in pc.indices_nonzero(pc.greater(lengths, LONGEST_TEXT)).to_pylist():
            message = f"has {lengths[place].as_py():,} characters; Salesforce takes {LONGEST_TEXT:,}"
            faults.append(Fault(name, first_row + place, column, message))
    return faults
