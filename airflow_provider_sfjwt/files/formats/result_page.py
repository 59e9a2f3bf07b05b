"""A result page of Salesforce while it arrives: its columns, and its records in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from airflow_provider_sfjwt.exceptions import TransportError
from airflow_provider_sfjwt.files.formats.csv_records import (
    LONGEST_RECORD,
    column_names,
    end_of_first_record,
    rows,
    whole_records,
)
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.wire.flow import Body

_NEWLINE, _COMMA = b"\n,"


@dataclass(frozen=True)
class PageLimits:
    """How much a page may hold.

    :param records: that Salesforce declared; None where it did not.
    :param record_bytes: of the longest record.
    """

    records: int | None = None
    record_bytes: int = LONGEST_RECORD


#: A page of which nothing was declared.
ANY_PAGE = PageLimits()


@dataclass(frozen=True)
class ResultPage:
    """A page whose header has arrived.

    :param header: the header record, byte for byte.
    :param columns: what the header names, in its order.
    :param pieces: whole records after the header. A piece is valid until the next one is asked for.
    """

    header: bytes
    columns: tuple[Column, ...]
    pieces: Iterable[memoryview]
    limits: PageLimits = ANY_PAGE

    def overflows(self, records: int) -> bool:
        """Whether a page has more records than were declared, so that its rest is not worth writing.

        :param records: how many were written up to now.
        """
        return self.limits.records is not None and records > self.limits.records

    @classmethod
    def arriving(cls, body: Body, known: Sequence[Column], limits: PageLimits = ANY_PAGE) -> ResultPage:
        """Read the header of a page.

        :param body: the page's CSV, header first; an empty body is a page without rows.
        :param known: what is known of the columns. The page's own header decides which there are.
        :param limits: how much it may hold.
        :raises ProtocolError: here, or while the pieces are read, if a record is longer than one may be.
        :raises TransportError: here, or while the pieces are read, if the page is not whole.
        """
        header, pieces = _split_off_header(whole_records(body, longest=limits.record_bytes), known)
        by_name = {column.name.lower(): column for column in known}
        columns = tuple(by_name.get(name.lower(), Column(name)) for name in column_names(header))
        return cls(header, columns, _with_whole_end(pieces, len(columns)), limits)


@dataclass(frozen=True)
class PageContent:
    """What was written of a page.

    :param records: rows, the header not counted.
    :param rounded: how many numbers of a column were rounded, by its name; columns without any are not in it.
    """

    records: int
    rounded: Mapping[str, int] = field(default_factory=dict)


def _split_off_header(pieces: Iterator[memoryview], known: Sequence[Column]) -> tuple[bytes, Iterable[memoryview]]:
    """The header record, and the records after it. An empty page has the header that was expected."""
    first = next(pieces, None)
    if first is None:
        names = ",".join(f'"{column.name}"' for column in known)
        return f"{names}\n".encode(), ()
    cut = end_of_first_record(first)
    return bytes(first[:cut]), chain([first[cut:]], pieces)


def _with_whole_end(pieces: Iterable[memoryview], cells: int) -> Iterator[memoryview]:
    """The same pieces. If the page lacks its last newline, its last record must have all its cells."""
    for piece in pieces:
        if len(piece) and piece[-1] != _NEWLINE:
            *_, last = rows(piece)
            # Salesforce quotes every cell, the empty ones too.
            if len(last) != cells or piece[-1] == _COMMA:
                raise TransportError(
                    "a result page ends in the middle of a record: it is not whole", request_was_sent=True
                )
        yield piece
