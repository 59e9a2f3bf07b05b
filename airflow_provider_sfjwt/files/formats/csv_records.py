"""Cutting Salesforce's CSV into whole records while it arrives, in memory that does not grow with the page.

Salesforce quotes every cell and doubles the quotes inside, so a newline ends a record exactly if an even number of
quotes stands before it. Text may hold newlines, so lines are not records.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

from airflow_provider_sfjwt.compat.csv_text import csv_rows
from airflow_provider_sfjwt.exceptions import ProtocolError, TransportError
from airflow_provider_sfjwt.salesforce.wire.flow import Body

#: Bytes of CSV that are worked on at once.
BLOCK_SIZE = 512 * 1024
#: Bytes of the longest record. Salesforce's longest has 1.6 million characters in long text areas.
#: https://help.salesforce.com/s/articleView?id=sf.custom_field_types.htm
LONGEST_RECORD = 16 * 2**20

_QUOTE, _NEWLINE, _QUOTE_NEWLINE = b'"', b"\n", b'"\n'
_LONGEST_CELL = 2**31 - 1
_NOT_BEFORE_A_CLOSING_QUOTE = frozenset(b'",\n')
#: Newlines to try before the quotes of the whole buffer are counted.
_TRIES = 50
_ALL_BUT_QUOTES_AND_NEWLINES = bytes(set(range(256)) - set(b'"\n'))


def whole_records(body: Body, block_size: int = BLOCK_SIZE, longest: int = LONGEST_RECORD) -> Iterator[memoryview]:
    """Cut a page into pieces of whole records.

    A piece is valid until the next one is asked for: the buffer is reused.

    :param body: the page, header first.
    :param block_size: the least bytes of a piece, except the last. A longer record makes the buffer grow.
    :param longest: bytes of a record that are waited for: without an end of a record, the buffer would take all memory.
    :raises ProtocolError: if a record is longer.
    :raises TransportError: if the page ends within a quoted cell. Another attempt brings what was cut off.
    """
    buffer, filled, ended = bytearray(2 * block_size), 0, False
    while not ended:
        while filled < len(buffer) and not ended:
            count = body.readinto(memoryview(buffer)[filled:])
            filled, ended = filled + count, count == 0
        cut = filled if ended else _last_record_end(buffer, filled)
        if cut == 0 and not ended:
            if filled > longest:
                raise ProtocolError(
                    f"a record of a result is longer than {longest:,} bytes",
                    remedy="Name fewer fields, or raise max_record_bytes in the section [salesforce_jwt] of Airflow's "
                    "configuration.",
                )
            # A new buffer, since one that somebody still looks at cannot be resized.
            buffer = buffer[:filled] + bytearray(len(buffer))
            continue
        if ended and buffer.count(_QUOTE, 0, filled) % 2:
            raise TransportError(
                "a result page ends in the middle of a quoted value: it is not whole", request_was_sent=True
            )
        if cut:
            yield memoryview(buffer)[:cut]
            rest = filled - cut
            buffer[:rest] = buffer[cut:filled]
            filled = rest


def count_records(piece: bytes | memoryview) -> int:
    """Count the records of a piece, the header included where it holds one.

    :param piece: whole records; the last may lack its newline.
    """
    data = bytes(piece)
    # Only quotes and newlines matter, and of each run of quotes only whether it is odd: what is left alternates
    # between outside and inside of quotes. All of it at C speed.
    marks = data.translate(None, _ALL_BUT_QUOTES_AND_NEWLINES).replace(_QUOTE * 2, b"")
    ends = sum(outside.count(_NEWLINE) for outside in marks.split(_QUOTE)[::2])
    return ends + (1 if data and not data.endswith(_NEWLINE) else 0)


def end_of_first_record(piece: bytes | memoryview) -> int:
    """Where the first record ends, its newline included.

    :param piece: whole records.
    """
    data, position, quotes = bytes(piece), 0, 0
    while True:
        newline = data.find(_NEWLINE, position)
        if newline < 0:
            return len(data)
        quotes += data.count(_QUOTE, position, newline)
        position = newline + 1
        if quotes % 2 == 0:
            return position


def column_names(header: bytes) -> list[str]:
    """The names in a header record.

    :param header: the record as it came.
    :raises ProtocolError: if it is not UTF-8.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    try:
        return next(csv_rows(header.decode("utf-8")), [])
    except UnicodeDecodeError:
        raise ProtocolError("the header of a result page is not UTF-8") from None
    except csv.Error as error:
        raise ProtocolError(f"the header of a result page is not CSV that can be read: {error}") from None


def rows(piece: bytes | memoryview) -> Iterator[list[str]]:
    """The cells of each record.

    :param piece: whole records.
    :raises ProtocolError: if they are not CSV, or not UTF-8.
    """
    # Python's own limit is 131,072 characters, which a long or rich text area reaches. It is one for the process.
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    try:
        yield from csv_rows(bytes(piece).decode("utf-8"))
    except csv.Error as error:
        raise ProtocolError(f"a result page is not CSV that can be read: {error}") from None
    except UnicodeDecodeError:
        raise ProtocolError("a result page holds text that is not UTF-8") from None


def _last_record_end(buffer: bytearray, filled: int) -> int:
    """Where the last whole record ends, or 0 when the buffer holds none."""
    return _certain_record_end(buffer, filled) or _record_end_by_counting(buffer, filled)


def _certain_record_end(buffer: bytearray, filled: int) -> int:
    """The same, found without counting quotes, or 0 when that takes longer than counting.

    A single quote before a newline closes its cell unless the character before it is a quote, which would double it, or
    a comma or a newline, after which it would open a cell.
    """
    end = filled
    for _ in range(_TRIES):
        newline = buffer.rfind(_QUOTE_NEWLINE, 1, end) + 1
        if newline == 0:
            return 0
        if buffer[newline - 2] not in _NOT_BEFORE_A_CLOSING_QUOTE:
            return newline + 1
        end = newline
    return 0


def _record_end_by_counting(buffer: bytearray, filled: int) -> int:
    end, quotes = filled, buffer.count(_QUOTE, 0, filled)
    while True:
        newline = buffer.rfind(_NEWLINE, 0, end)
        if newline < 0:
            return 0
        quotes -= buffer.count(_QUOTE, newline, end)
        if quotes % 2 == 0:
            return newline + 1
        end = newline
