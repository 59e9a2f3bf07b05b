"""The rows of a JSON file, one at a time: one object a line, or one array of objects.

A nested object is a parent: ``{"Account": {"Key__c": "x"}}`` has the column ``Account.Key__c``.
"""

from __future__ import annotations

import codecs
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_sfjwt.files.formats.faults import unreadable
from airflow_provider_sfjwt.files.formats.input_file import InputFile
from airflow_provider_sfjwt.files.formats.recoding import WrongEncodingError, check_marks, fault_of_text
from airflow_provider_sfjwt.files.values.from_python import Digits

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Bytes that are read at once.
_BLOCK_SIZE = 2**20
#: Salesforce rejects a record of more than 400,000 characters, so a longer object is none that was ever closed.
LONGEST_OBJECT = 16 * 2**20
_WHITE_SPACE = " \t\r\n"


class Repeated(dict[str, Any]):
    """An object that names some keys more than once."""

    names: frozenset[str]


@dataclass(frozen=True)
class JsonRow:
    """A row, or what is wrong with it.

    :param values: by the names of the columns; none where the row cannot be read.
    :param faults: the column, or None for the whole row, and what is wrong.
    """

    values: Mapping[str, Any]
    faults: tuple[tuple[str | None, str], ...] = ()


def json_rows(
    file: InputFile, stream: BinaryIO, *, block_size: int = _BLOCK_SIZE, longest_object: int = LONGEST_OBJECT
) -> Iterator[JsonRow]:
    """Read the rows of a file.

    :param file: the file.
    :param stream: its content as UTF-8.
    :param block_size: bytes that are read at once.
    :param longest_object: bytes of an object after which it counts as never closed.
    :raises ConfigurationError: if it is unknown where a row ends.
    """
    start = b""
    while not start.strip() and (block := stream.read(block_size)):
        start += block
    try:
        check_marks(start, "utf-8")
    except WrongEncodingError as error:
        raise unreadable(file.name, str(error), "encoding") from None
    start = start.removeprefix(codecs.BOM_UTF8)
    rest = io.BufferedReader(_Begun(start, stream), block_size)
    if start.lstrip().startswith(b"["):
        yield from _Array(file, rest, block_size, longest_object).rows()
    else:
        yield from _of_lines(file, rest, longest_object)


def flattened(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row whose parents' fields are columns of their own.

    :param row: its values may be objects.
    """
    if not any(isinstance(value, dict) for value in row.values()):
        return row
    found: dict[str, Any] = {}
    repeated: set[str] = set()
    for name, value, is_repeated in _leaves(row, ""):
        if is_repeated or name in found:
            repeated.add(name)
        found[name] = value
    if not repeated:
        return found
    again = Repeated(found)
    again.names = frozenset(repeated)
    return again


def column_names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The columns of rows, in the order in which they come. The parent of a column is not one itself.

    :param rows: flattened.
    """
    names: dict[str, None] = {}
    shapes: set[tuple[Any, ...]] = set()
    for row in rows:
        shape = tuple(row)
        if shape not in shapes:
            names.update(dict.fromkeys(str(name) for name in shape))
            if len(shapes) < 1_000:
                shapes.add(shape)
    above = parents(names)
    return [name for name in names if name not in above]


def parents(columns: Iterable[str]) -> frozenset[str]:
    """The names of the objects that hold columns.

    :param columns: names of columns.
    """
    dotted = (name.split(".") for name in columns if "." in name)
    return frozenset(".".join(steps[:end]) for steps in dotted for end in range(1, len(steps)))


def without_null_parents(row: Mapping[str, Any], above: frozenset[str]) -> Mapping[str, Any]:
    """A row without the parents that it does not have.

    :param row: flattened.
    :param above: the parents of the columns.
    """
    absent = [name for name in above if name in row and row[name] is None]
    return {name: value for name, value in row.items() if name not in absent} if absent else row


def _leaves(row: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any, bool]]:
    repeated = row.names if isinstance(row, Repeated) else frozenset()
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value, name in repeated


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeated, seen = Repeated(found), Counter(name for name, _ in pairs)
    repeated.names = frozenset(name for name, times in seen.items() if times > 1)
    return repeated


_DECODER = json.JSONDecoder(parse_int=Digits, parse_float=Digits, object_pairs_hook=_pairs)


def _row_of(value: Any, damaged: bool, encoding: str) -> JsonRow:
    if not isinstance(value, dict):
        return JsonRow({}, ((None, f"is a JSON {_kind(value)}, not an object"),))
    row = flattened(value)
    if not damaged:
        return JsonRow(row)
    readable: dict[str, Any] = {}
    faults: list[tuple[str | None, str]] = []
    for name, cell in row.items():
        if fault := fault_of_text(name, encoding):
            faults.append((None, f"has a key that is not text: {fault}"))
            continue
        fault = next((found for text in _texts(cell) if (found := fault_of_text(text, encoding))), None)
        if fault:
            faults.append((name, fault))
        readable[name] = None if fault else cell
    return JsonRow(readable, tuple(faults))


def _kind(value: Any) -> str:
    if isinstance(value, Digits | float):
        return "number"
    return {"list": "array", "str": "text", "bool": "boolean", "NoneType": "null"}[type(value).__name__]


def _texts(cell: Any) -> list[str]:
    return [text for text in (cell if isinstance(cell, list) else [cell]) if isinstance(text, str)]


# -- one object a line -------------------------------------------------------------------------------------------------


def _of_lines(file: InputFile, stream: BinaryIO, longest_object: int) -> Iterator[JsonRow]:
    row = 0
    while line := stream.readline(longest_object):
        if not line.strip():
            continue
        row += 1
        if len(line) == longest_object and not line.endswith(b"\n"):
            raise unreadable(
                file.name, f"row {row} is longer than {longest_object:,} bytes: it is not one object a line"
            )
        yield _of_line(line, file.options.encoding)


def _of_line(line: bytes, encoding: str) -> JsonRow:
    damaged = False
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        text, damaged = line.decode("utf-8", "surrogateescape"), True
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        return JsonRow({}, ((None, f"is not JSON: {error}"),))
    return _row_of(value, damaged, encoding)


# -- an array of objects -----------------------------------------------------------------------------------------------


class _Array:
    """Reads the objects of an array without having all of it in memory."""

    def __init__(self, file: InputFile, stream: BinaryIO, block_size: int, longest_object: int) -> None:
        self._file = file
        self._stream = stream
        self._block_size = block_size
        self._longest = longest_object
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._place = 0
        self._ended = False
        self._row = 1

    def rows(self) -> Iterator[JsonRow]:
        """The objects.

        :raises ConfigurationError: if it is not an array.
        """
        self._take("[")
        if self._next() == "]":
            return
        while True:
            yield self._value()
            self._row += 1
            if self._next() == "]":
                break
            self._take(",")
        self._take("]")
        if self._next():
            raise unreadable(self._file.name, f"there is more after the end of its array of {self._row - 1:,} rows")

    def _value(self) -> JsonRow:
        self._next()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._place)
            except (ValueError, RecursionError) as error:
                if self._ended or len(self._text) - self._place > self._longest:
                    raise self._damaged(str(error)) from None
            else:
                if end < len(self._text) or self._ended:
                    source, self._place = self._text[self._place : end], end
                    damaged = not source.isascii() and fault_of_text(source) is not None
                    return _row_of(value, damaged, self._file.options.encoding)
            self._more()

    def _take(self, character: str) -> None:
        found = self._next()
        if found != character:
            raise self._damaged(
                f"{found!r} instead of {character!r}" if found else f"the file ends before its {character!r}"
            )
        self._place += 1

    def _next(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            while self._place < len(self._text) and self._text[self._place] in _WHITE_SPACE:
                self._place += 1
            if self._place < len(self._text) or self._ended:
                return self._text[self._place : self._place + 1]
            self._more()

    def _more(self) -> None:
        left = self._text[self._place :]
        block = self._stream.read(max(self._block_size, len(left)))
        self._ended = not block
        self._text, self._place = left + self._decoder.decode(block, final=self._ended), 0

    def _damaged(self, reason: str) -> Exception:
        return unreadable(self._file.name, f"row {self._row} of its array is not JSON: {reason}")


class _Begun(io.RawIOBase):
    """A stream of which the beginning has been read."""

    def __init__(self, start: bytes, stream: BinaryIO) -> None:
        self._start = memoryview(start)
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        into = memoryview(buffer).cast("B")
        data = self._start[: len(into)] if self._start else memoryview(self._stream.read(len(into)))
        self._start = self._start[len(data) :]
        into[: len(data)] = data
        return len(data)
