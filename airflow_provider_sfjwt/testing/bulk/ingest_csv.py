"""Reading the CSV of a load as strictly as the Bulk API does.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_prepare_csv.htm
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.record_ids import canonical_id
from airflow_provider_sfjwt.testing.data.schema import Schema, SObject
from airflow_provider_sfjwt.testing.dml.cell_values import NULL, Parser, parser_of, unreadable
from airflow_provider_sfjwt.testing.dml.outcomes import Change, ParentKey, RowError

MAX_HEADER = 32_000
MAX_FIELD = 131_072
MAX_RECORD = 400_000
MAX_FIELDS = 5_000
_TOO_LONG = f"InvalidBatch : A field exceeds the maximum of {MAX_FIELD} characters"
_POLYMORPHIC = 2


class JobFailure(Exception):  # noqa: N818 - it is how a job ends
    """What is wrong with the data of a load as a whole; its text is the job's ``errorMessage``."""


@dataclass(frozen=True)
class Table:
    """The data of a load.

    :param header: the header line as it was sent, without its end.
    :param names: the columns.
    :param rows: the cells.
    """

    header: str
    names: tuple[str, ...]
    rows: list[list[str]]


def read_table(data: bytes, delimiter: str, line_ending: str) -> Table:
    """Read the data of a load.

    :param delimiter: one character.
    :param line_ending: a newline, or carriage return and newline.
    :raises JobFailure: for data that the Bulk API takes as a whole for wrong.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise JobFailure("ClientInputError : The data is not valid UTF-8") from None
    if not text.strip():
        raise JobFailure("InvalidBatch : Failed to parse CSV header. The data is empty")
    outside = text.split('"')[::2]
    _check_line_endings(outside, line_ending)
    _check_quotes(outside, text.count('"'), delimiter)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]
    except csv.Error as error:
        if "field limit" in str(error):
            # The reader's own limit, unless the process has set another, is the same.
            raise JobFailure(_TOO_LONG) from None
        raise JobFailure(f"InvalidBatch : Failed to parse CSV. {error}") from None
    names = rows.pop(0)
    header = _header_line(text, line_ending)
    if len(header) > MAX_HEADER:
        raise JobFailure(f"InvalidBatch : Header row of {len(header)} characters exceeds the maximum of {MAX_HEADER}")
    if len(names) > MAX_FIELDS:
        raise JobFailure(f"InvalidBatch : Records with {len(names)} fields exceed the maximum of {MAX_FIELDS}")
    _check_rows(rows, len(names))
    return Table(header, tuple(names), rows)


def _check_line_endings(outside: Sequence[str], line_ending: str) -> None:
    """Compare the ends of lines, those outside of quotes, with the job's setting."""
    crlf = line_ending == "\r\n"
    for part in outside:
        if "\r" not in part and "\n" not in part:
            continue
        rest = part.replace("\r\n", "") if crlf else part
        if "\r" in rest or (crlf and "\n" in rest):
            setting = "CRLF" if crlf else "LF"
            message = f"LineEnding is invalid on user data. Current LineEnding setting is {setting}"
            raise JobFailure(f"ClientInputError : {message}")


def _check_quotes(outside: Sequence[str], quotes: int, delimiter: str) -> None:
    """Accept quotes around whole cells only.

    What is outside of quotes begins and ends at the edge of a cell, or is nothing, between two quotes that stand for
    one.
    """
    edges = (delimiter, "\n")
    last = len(outside) - 1
    for place, part in enumerate(outside):
        if part and place < last and not part.endswith(edges):
            message = "Found unescaped quote. A value with quote should be within a quote"
            raise JobFailure(f"InvalidBatch : Failed to parse CSV. {message}")
        if part and place and not part.startswith((delimiter, "\n", "\r\n")):
            raise JobFailure("InvalidBatch : Failed to parse CSV. Not expecting more text after end quote")
    if quotes % 2:
        raise JobFailure("InvalidBatch : Failed to parse CSV. EOF reached before closing an opened quote")


def _header_line(text: str, line_ending: str) -> str:
    """Return the first line that is one; names of fields have no line ends."""
    return text.lstrip("\r\n").partition(line_ending)[0]


def _check_rows(rows: Iterable[list[str]], width: int) -> None:
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            message = f"Record {number} has {len(row)} fields, the header has {width}"
            raise JobFailure(f"InvalidBatch : Failed to parse CSV. {message}")
        sizes = list(map(len, row))
        if max(sizes) > MAX_FIELD:
            raise JobFailure(_TOO_LONG)
        if sum(sizes) > MAX_RECORD:
            raise JobFailure(f"InvalidBatch : Record {number} exceeds the maximum of {MAX_RECORD} characters")


@dataclass(frozen=True)
class Column:
    """One column of a load.

    :param place: from 0.
    :param field: what it writes.
    :param parse: reads its cells; None: the text is the value.
    :param parent: where it names a parent by a key: the parent's object.
    :param target: and the field of the parent.
    """

    place: int
    field: Field
    parse: Parser | None
    parent: SObject | None = None
    target: Field | None = None


class Columns:
    """The columns of a load, matched with an object's fields.

    https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_csv_rel_field_header_row_2_0.htm

    :param key: the field of an upsert.
    :raises JobFailure: for a name that is not a field of the object, or columns that do not fit the operation.
    """

    def __init__(
        self, schema: Schema, sobject: SObject, names: Sequence[str], operation: str, key: Field | None = None
    ) -> None:
        self._schema = schema
        self._sobject = sobject
        found = {field.name.lower(): field for field in sobject.columns}
        self._columns = [self._column(place, name, found) for place, name in enumerate(names)]
        taken = [column.field.name for column in self._columns]
        twice = next((name for name in taken if taken.count(name) > 1), None)
        if twice is not None:
            raise JobFailure(f"InvalidBatch : Field name found more than once : {twice}")
        if operation in ("delete", "hardDelete") and taken != ["Id"]:
            raise JobFailure(f"InvalidBatch : The '{operation}' batch must contain only ids")
        needed = "Id" if operation == "update" else key.name if operation == "upsert" and key else None
        if needed is not None and needed not in taken:
            raise JobFailure(f"InvalidBatch : Field name not found : {needed}")

    def _column(self, place: int, name: str, found: dict[str, Field]) -> Column:
        field = found.get(name.lower())
        if field is not None:
            return Column(place, field, None if field.type in ("id", "reference") else parser_of(field))
        column = self._parent_column(place, name)
        if column is None:
            raise JobFailure(f"InvalidBatch : Field name not found : {name}")
        return column

    def _parent_column(self, place: int, name: str) -> Column | None:
        """Return the column of ``Relationship.Field``, or ``Object:Relationship.Field`` for one of several objects."""
        path, dot, target_name = name.partition(".")
        prefix, colon, relationship = path.rpartition(":")
        field = self._sobject.relationship(relationship)
        if not dot or field is None or bool(colon) != (len(field.reference_to) >= _POLYMORPHIC):
            return None
        parents = [known for known in field.reference_to if not colon or known.lower() == prefix.lower()]
        parent = self._schema.find(parents[0]) if parents else None
        target = parent.field(target_name) if parent is not None else None
        if target is None or not target.is_id_lookup:
            return None
        return Column(place, field, canonical_id if target.type == "id" else parser_of(target), parent, target)

    def changes(self, rows: Iterable[Sequence[str]]) -> Iterator[Change]:
        """Yield what the rows ask for. An empty cell says nothing of its field, ``#N/A`` sets it to null."""
        columns = [(column.place, column.field.name, column) for column in self._columns]
        for row in rows:
            change = Change({})
            values = change.values
            for place, name, column in columns:
                text = row[place]
                if not text:
                    continue
                if column.target is None and column.parse is None and text != NULL:
                    values[name] = text
                else:
                    _read(change, column, text)
            yield change


def _read(change: Change, column: Column, text: str) -> None:
    field, parse = column.field, column.parse
    if text == NULL:
        change.values[field.name] = None
        return
    try:
        value = text if parse is None else parse(text)
    except (ValueError, OverflowError):
        change.error = change.error or unreadable(column.target or field, text, column.place)
        return
    if column.target is None or column.parent is None:
        change.values[field.name] = value
    elif value is None:
        message = f"{field.label or field.name}: id value of incorrect type: {text}"
        change.error = change.error or RowError("MALFORMED_ID", message, field.name)
    else:
        change.parents[field.name] = ParentKey(column.parent, column.target, value, text)
