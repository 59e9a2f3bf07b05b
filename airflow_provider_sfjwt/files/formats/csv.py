"""CSV: result pages written as they came; files read strictly, each cell as text, each fault with its row.

Reading needs the extra ``parquet``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from airflow_provider_sfjwt.exceptions import counted
from airflow_provider_sfjwt.files.formats.cell_faults import check_text
from airflow_provider_sfjwt.files.formats.csv_records import count_records, end_of_first_record
from airflow_provider_sfjwt.files.formats.csv_strict import AmbiguousQuoteError, Record, StrictReader
from airflow_provider_sfjwt.files.formats.faults import Fault, checked_columns, unreadable
from airflow_provider_sfjwt.files.formats.input_file import InputFile
from airflow_provider_sfjwt.files.formats.packing import other_kind
from airflow_provider_sfjwt.files.formats.recoding import WrongEncodingError, check_marks, fault_of_text
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
_DELIMITERS = (",", ";", "\t", "|")
_QUOTE, _NEWLINE, _RETURN = b'"', b"\n", b"\r"
#: Characters of a cell that a message shows.
_SHOWN = 60


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
            if page.overflows(records):
                break
    return PageContent(records)


def columns(file: InputFile) -> tuple[str, ...]:
    """The columns that the header names. See :class:`~.registry.InputReader`."""
    with file.opened_text() as stream:
        return _layout(file, _start(stream, _BLOCK_SIZE)).names


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
    layout, row = None, 1
    with file.opened_text() as stream:
        try:
            for piece in _records(stream, block_size, longest_record):
                data = piece
                if layout is None:
                    layout = _layout(file, piece)
                    data = piece[layout.start :]
                table, faults = _table(file, data, layout, row, wanted)
                if table.num_rows:
                    row += table.num_rows
                    yield table, faults
        except _OpenQuoteError as error:
            where = "its header" if layout is None else f"row {row}{error.column(layout)}"
            raise unreadable(file.name, f"{where} opens a quote that is never closed: {error}") from None


@dataclass(frozen=True)
class _Layout:
    """What the beginning of a file says about all of it.

    :param names: of the columns. Blank ones differ in their length.
    :param delimiter: one character.
    :param returns: carriage returns that belong to the end of each line.
    :param start: where the data begins.
    """

    names: tuple[str, ...]
    delimiter: str
    returns: int
    start: int

    @property
    def strict(self) -> StrictReader:
        """Reads the records where Arrow cannot."""
        return StrictReader(self.delimiter, self.returns, len(self.names))


def _start(stream: BinaryIO, size: int) -> bytes:
    """The beginning of a file. A stream that unpacks may give less than it is asked for."""
    start = b""
    while len(start) < size and (block := stream.read(size - len(start))):
        start += block
    return start


def _layout(file: InputFile, start: bytes) -> _Layout:
    """Read the header, or the first row of a file that has none."""
    if kind := other_kind(start):
        raise unreadable(file.name, f"its first bytes are those of {kind}, and not of CSV. Name it as what it is")
    try:
        check_marks(start, "utf-8")
    except WrongEncodingError as error:
        raise unreadable(file.name, str(error), "encoding") from None
    skipped = len(_BOM) if start.startswith(_BOM) else 0
    skipped += len(start) - skipped - len(start[skipped:].lstrip(_RETURN + _NEWLINE))
    end = skipped + end_of_first_record(start[skipped:])
    line, header = start[skipped:end], file.options.header
    content = line.rstrip(_NEWLINE).rstrip(_RETURN)
    if not content.strip():
        if header is not None:
            return _Layout(header, ",", 0, end)
        raise unreadable(file.name, "it is empty, without even a header")
    bare = b"".join(content.split(_QUOTE)[::2])
    if _RETURN in bare and (header is None or _NEWLINE not in line):
        raise unreadable(file.name, "its lines end with a carriage return alone. Save it with LF or CRLF")
    text = content.decode("utf-8", "surrogateescape")
    if (fault := fault_of_text(text, file.options.encoding)) and header is None:
        raise unreadable(file.name, f"its header: {fault}", "encoding")
    returns = len(line.rstrip(_NEWLINE)) - len(content) if line.endswith(_NEWLINE) else 0
    delimiter = file.options.delimiter or _delimiter(text, header)
    first = _first_cells(text, delimiter)
    if header is None and first is None:
        raise unreadable(file.name, "its header has a quote within a name that is not quoted. Quote the name")
    if header is None:
        return _Layout(checked_columns(_named(first or ()), file.name), delimiter, returns, end)
    if [cell.strip().lower() for cell in first or ()] == [name.strip().lower() for name in header]:
        reason = "its first row holds the names that header gives: the file has a header of its own. Leave header out"
        raise unreadable(file.name, reason, "header")
    return _Layout(header, delimiter, min(returns, _returns_of_all(start[skipped:])), skipped)


def _returns_of_all(data: bytes) -> int:
    """Carriage returns that each line of the beginning has at its end. A header never ends in one, but a cell may."""
    outside = _QUOTE.join(data.split(_QUOTE)[::2])
    return int(outside.count(_RETURN + _NEWLINE) == outside.count(_NEWLINE))


def _delimiter(line: str, header: Sequence[str] | None) -> str:
    """The delimiter that the first line has outside quotes; of a row, the one that gives a cell for each name."""
    bare = "".join(line.split('"')[::2])
    if header is None:
        return next((each for each in _DELIMITERS if each in bare), ",")
    return next((each for each in _DELIMITERS if bare.count(each) == len(header) - 1), ",")


def _first_cells(line: str, delimiter: str) -> list[str] | None:
    """The cells of the first line; None if a quote is out of place."""
    try:
        first = next(StrictReader(delimiter, 0, 1).records(line), Record())
    except AmbiguousQuoteError:
        return None
    return None if first.broken else first.cells


def _named(cells: Sequence[str]) -> list[str]:
    """The names of a header. Columns without a name get blanks of different lengths."""
    names: list[str] = []
    blanks = 0
    for cell in cells:
        names.append(cell if cell.strip() else " " * blanks)
        blanks += not cell.strip()
    return names


class _OpenQuoteError(Exception):
    """The first record that is left opens a quote, and nothing closes it. The message shows its beginning."""

    def __init__(self, left: bytes) -> None:
        line = left.lstrip(_RETURN + _NEWLINE).partition(_NEWLINE)[0].decode("utf-8", "replace")
        self._before, _, opened = line.rpartition('"')
        super().__init__(repr(f'"{opened}'[:_SHOWN]))

    def column(self, layout: _Layout) -> str:
        """The column that opens the quote, for a message.

        :param layout: of the file.
        """
        place = "".join(self._before.split('"')[::2]).count(layout.delimiter)
        return f", column {_column(layout.names, place)},"


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


def _is_plain(data: bytes, layout: _Layout) -> bool:
    """Whether Arrow finds the rows where they are: quotes are around whole cells only, and returns at ends of lines."""
    returns = _RETURN in data
    if _QUOTE not in data:
        at_ends = data.count(_RETURN + _NEWLINE) if layout.returns == 1 else 0
        return not returns or (layout.returns < 2 and data.count(_RETURN) == at_ends)
    if not _are_around_cells(data, layout.delimiter):
        return False
    if not returns or (layout.returns == 1 and data.count(_RETURN) == data.count(_RETURN + _NEWLINE)):
        return True
    outside = _QUOTE.join(data.split(_QUOTE)[::2])
    at_ends = outside.count(_RETURN + _NEWLINE) if layout.returns == 1 else 0
    return layout.returns < 2 and outside.count(_RETURN) == at_ends


def _are_around_cells(data: bytes, delimiter: str) -> bool:
    """Whether each quote that opens stands at the beginning of a cell, and each that closes at the end of one.

    Every other quote opens. One that is doubled closes, and opens again.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    count = len(data)
    around = pa.Array.from_buffers(pa.uint8(), count + 2, [None, pa.py_buffer(b"\n%b\n" % data)])
    quote = pa.Array.from_buffers(pa.uint8(), 1, [None, pa.py_buffer(_QUOTE)])[0]
    quotes = pc.equal(around.slice(1, count), quote)
    before, after = (pc.filter(around.slice(start, count), quotes) for start in (0, 2))
    edges = b'"\r\n' + delimiter.encode("ascii")
    return not _bytes(before)[::2].translate(None, edges) and not _bytes(after)[1::2].translate(None, edges)


def _bytes(values: pa.UInt8Array) -> bytes:
    return bytes(values.buffers()[1][: len(values)])


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
    file: InputFile, data: bytes, layout: _Layout, row: int, wanted: Sequence[str]
) -> tuple[pa.Table, list[Fault]]:
    import pyarrow as pa

    table: pa.Table | None = None
    faults: list[Fault] = []
    if layout.delimiter.isascii() and _is_plain(data, layout):
        try:
            table = read_text(data, layout.names, layout.delimiter, columns=wanted)
        except pa.ArrowInvalid:  # it does not say which rows and cells are wrong
            table = None
    if table is None:
        table, faults = _row_by_row(file, data, layout, row, wanted)
    return table, faults + _too_long(file.name, table, row)


def _row_by_row(
    file: InputFile, data: bytes, layout: _Layout, first_row: int, wanted: Sequence[str]
) -> tuple[pa.Table, list[Fault]]:
    """Read records one by one, and name the faulty ones."""
    import pyarrow as pa

    names = layout.names
    faults: list[Fault] = []
    rows: list[list[str | None]] = []
    places = [names.index(name) for name in wanted]
    try:
        for record in layout.strict.records(data.decode("utf-8", "surrogateescape")):
            number = first_row + len(rows)
            row: list[str | None] = [cell or None for cell in record.cells[: len(names)]]
            row += [None] * (len(names) - len(row))
            if record.broken:
                row = [None] * len(names)
            elif len(record.cells) != len(names) and not _lacks_nothing(record, names):
                faults.append(Fault(file.name, number, None, _wrong_width(record, names)))
            unread = [(place, fault) for place, fault in record.faults if record.broken or place in places]
            unread += [
                (each, fault) for each in places if (fault := fault_of_text(row[each] or "", file.options.encoding))
            ]
            for place, fault in unread:
                faults.append(Fault(file.name, number, _column(names, place), fault))
                row[min(place, len(names) - 1)] = None
            rows.append(row)
    except AmbiguousQuoteError as error:
        where = f"row {first_row + error.record}, column {_column(names, error.place)}"
        raise unreadable(file.name, f"{where}: {error}") from None
    arrays = [pa.array([row[place] for row in rows], pa.string()) for place in places]
    return pa.Table.from_arrays(arrays, names=list(wanted)), faults


def _column(names: Sequence[str], place: int) -> str:
    """The name of a column, for a message; its number where it has none."""
    name = names[place] if place < len(names) else ""
    return name if name.strip() else str(place + 1)


def _lacks_nothing(record: Record, names: Sequence[str]) -> bool:
    """Whether a record lacks only the last columns, and these have no names."""
    return len(record.cells) < len(names) and not any(name.strip() for name in names[len(record.cells) :])


def _wrong_width(record: Record, names: Sequence[str]) -> str:
    message = f"has {counted(len(record.cells), 'cell')} where the header names {counted(len(names), 'column')}"
    if not record.returns:
        return message
    return f"{message}, and a carriage return (CR) within a cell: a line that ends with CR alone does not end a row"


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
