"""Whether the rows of a load are ones that Salesforce would refuse, told before any of them is sent.

Only what Salesforce refuses for certain is a fault; what is in doubt is left to its judgement. Needs the extra
``parquet``.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.files.values.arrow_arrays import scalar, texts
from airflow_provider_sfjwt.load.columns import LoadColumn
from airflow_provider_sfjwt.load.reading.source import SourcePiece
from airflow_provider_sfjwt.load.staging.field_patterns import FORMS, NULL, Form

#: Characters that a cell and a record may have.
#: https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_bulkapi.htm
MAX_CELL = 131_072
MAX_RECORD = 400_000
#: So many faults are kept; further ones are only counted.
MOST_FAULTS = 1_000

#: Types of which the org's description tells how many characters they take.
_TEXTS = frozenset(("string", "textarea", "email", "phone", "url", "encryptedstring", "picklist", "combobox"))
#: Keys are compared so many at a time, which bounds the memory that it takes.
_SHARE = 50_000
#: Characters of a cell that a fault shows.
_SHOWN = 40


@dataclass(frozen=True)
class _Rule:
    """What cells of one column must not be.

    :param bad: from the cells and the bytes of the longest one: which are, as a mask, or None where none is.
    :param words: what is wrong with such a cell; gets its text.
    """

    bad: Callable[[Any, int], Any]
    words: Callable[[str], str]


class RowChecks:
    """Looks at all rows of a load, a piece at a time, and at last for keys that are there twice.

    :param columns: what is sent.
    :param operation: ``insert``, ``update``, ``upsert``, ``delete`` or ``hardDelete``.
    :param external_id_field: of an upsert: the field by which records are found. Default: none.
    """

    def __init__(self, columns: Sequence[LoadColumn], operation: str, external_id_field: str | None = None) -> None:
        self._columns = tuple(columns)
        self._operation = operation
        name = external_id_field if operation == "upsert" else None if operation == "insert" else "Id"
        self._key = next((c for c in columns if name and c.header.lower() == name.lower()), None)
        self._keys = _Keys(self._key) if self._key is not None else None
        written = [column.written["name"] for column in columns]
        self._rivals = [c for c in columns if written.count(c.written["name"]) > 1]
        self._rules = [list(self._rules_of(column)) for column in columns]
        #: How many faults there were in all, those that were not kept included.
        self.total = 0
        self._kept = 0

    def _rules_of(self, column: LoadColumn) -> Iterator[_Rule]:
        field, header, operation = column.field, column.header, self._operation
        if column is self._key:
            if operation != "upsert" or field["type"] != "id":
                yield _Rule(_empty, lambda _: f"{header} is empty, which says what to {operation}")
        elif field["type"] == "id" and column.reference is None and operation == "upsert":
            words = "Id cannot be given beside the external id by which the upsert finds records"
            yield _Rule(_filled, lambda _: words)
        elif column.required and column not in self._rivals:
            # Where a record may be there already, an empty cell leaves its value as it is.
            yield _Rule(_empty if operation == "insert" else _nulled, lambda _: f"{header} is required, and empty")
        yield from _rules_of_field(column)

    def check(self, table: pa.Table, piece: SourcePiece) -> list[Fault]:
        """Look at the rows of one piece. Pieces come in their order, each once.

        :param table: the piece's cells as they are sent: text, under the columns' headers.
        :param piece: where the rows stand.
        :return: what is wrong, by row; at most 1,000 faults are returned in all.
        """
        room = MOST_FAULTS - self._kept
        found: list[tuple[int, int, str]] = []
        widths = []
        for place, column in enumerate(self._columns):
            cells = table.column(column.header)
            width = pc.max(pc.binary_length(cells)).as_py() or 0
            widths.append(width)
            for rule in self._rules[place]:
                for row in self._rows(rule.bad(cells, width), room):
                    found.append((row, place, rule.words(cells[row].as_py() or "")))
        if sum(widths) > MAX_RECORD:
            words = f"the row has more than {MAX_RECORD:,} characters, which no record may have"
            found += [(row, -1, words) for row in self._rows(_too_long(table, self._columns), room)]
        found += self._twice_written(table, room)
        if self._keys is not None and self._key is not None:
            self._keys.add(table.column(self._key.header), piece.file, piece.first_row)
        found = sorted(found)[:room]
        self._kept += len(found)
        return [Fault(piece.file, piece.first_row + row, self._source(place), words) for row, place, words in found]

    def _source(self, place: int) -> str | None:
        return self._columns[place].source if place >= 0 else None

    def _rows(self, mask: Any, most: int) -> list[int]:
        """Count what is wrong; return the first rows of it."""
        if mask is None:
            return []
        count = pc.sum(mask).as_py() or 0
        self.total += count
        rows: list[int] = pc.indices_nonzero(mask).slice(0, most).to_pylist() if count else []
        return rows

    def _twice_written(self, table: pa.Table, most: int) -> list[tuple[int, int, str]]:
        """Rows that give one parent in two ways.

        https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm
        """
        found = []
        for later, column in enumerate(self._rivals):
            for other in self._rivals[:later]:
                if other.written["name"] == column.written["name"]:
                    both = pc.and_(*(_filled(table.column(c.header), 0) for c in (column, other)))
                    words = f"{other.header} and {column.header} both name the parent; only one of them may"
                    place = self._columns.index(column)
                    found += [(row, place, words) for row in self._rows(both, most)]
        return found

    def finish(self) -> list[Fault]:
        """Look for keys that are there twice, once every piece has been checked.

        Salesforce refuses a key that is twice in one of its batches, and which rows share one is not known before. Keys
        are told apart by 64 bits of them: among 5 million the chance of a mistake is below one in a million.

        :return: the rows that have the key of an earlier one; no more than were left of the 1,000 faults.
        """
        if self._keys is None or self._key is None:
            return []
        counted, pairs = self._keys.repeated(MOST_FAULTS - self._kept)
        self.total += counted
        self._kept += len(pairs)
        faults = []
        for (file, row), (first_file, first_row) in pairs:
            where = f"row {first_row}" if first_file == file else f"row {first_row} of {first_file}"
            message = f"{self._key.header} is the same as in {where}"
            faults.append(Fault(file, row, self._key.source, message))
        return faults


class _Keys:
    """The keys of all rows, 64 bits of each."""

    def __init__(self, column: LoadColumn) -> None:
        field = column.field
        self._is_id = field["type"] == "id"
        # https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_upsert.htm
        self._any_case = not self._is_id and not field.get("caseSensitive")
        self._hashes = array("q")
        self._starts: list[int] = []
        self._pieces: list[tuple[str, int]] = []

    def add(self, cells: Any, file: str, first_row: int) -> None:
        self._starts.append(len(self._hashes))
        self._pieces.append((file, first_row))
        keys = pc.if_else(_empty(cells, 0), scalar(""), cells)
        if self._is_id:
            # The last three of 18 characters say nothing new.
            keys = pc.utf8_slice_codeunits(keys, 0, 15)
        elif self._any_case:
            keys = pc.ascii_lower(keys)
        # The hash of nothing is 0, and of nothing else as a rule.
        self._hashes.extend(map(hash, keys.to_pylist()))

    def _place(self, position: int) -> tuple[str, int]:
        piece = bisect_right(self._starts, position) - 1
        file, first_row = self._pieces[piece]
        return file, first_row + position - self._starts[piece]

    def repeated(self, most: int) -> tuple[int, list[tuple[tuple[str, int], tuple[str, int]]]]:
        """How many rows have the key of an earlier one, and the first of them with that earlier one."""
        counted = 0

        def pairs() -> Iterator[tuple[int, int]]:
            nonlocal counted
            for pair in self._pairs():
                counted += 1
                yield pair

        # Asked for none it would look at none, and nothing were counted.
        first = heapq.nsmallest(max(most, 1), pairs())[:most]
        return counted, [(self._place(position), self._place(earlier)) for position, earlier in first]

    def _pairs(self) -> Iterator[tuple[int, int]]:
        """Yield the positions of a row and of the first one with its key."""
        count = len(self._hashes)
        hashes = pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(self._hashes)])
        shares = count // _SHARE + 1
        bounds = [-(2**63) + 2**64 * share // shares for share in range(shares)] + [2**63]
        for low, high in pairwise(bounds):
            inside = pc.and_(pc.greater_equal(hashes, scalar(low)), pc.less_equal(hashes, scalar(high - 1)))
            share = hashes.filter(pc.and_(inside, pc.not_equal(hashes, scalar(0))))
            if pc.count_distinct(share).as_py() == len(share):
                continue
            values, counts = share.value_counts().flatten()
            repeated = values.filter(pc.greater(counts, scalar(1)))
            positions = pc.indices_nonzero(pc.is_in(hashes, value_set=repeated))
            seen: dict[int, int] = {}
            for start in range(0, len(positions), _SHARE):
                for position in positions.slice(start, _SHARE).to_pylist():
                    earlier = seen.setdefault(self._hashes[position], position)
                    if earlier != position:
                        yield position, earlier


def _rules_of_field(column: LoadColumn) -> Iterator[_Rule]:
    """What a field's description says of its values. A parent's key need not fit the parent, only be readable."""
    field, header = column.field, column.header
    kind, length = field["type"], int(field.get("length") or 0)
    form = FORMS.get("id" if _points_to_records(field) else kind)
    limit = MAX_CELL
    if form is not None:
        if kind == "boolean" and not field.get("nillable"):
            yield _Rule(_nulled, lambda _: f"{header} is a checkbox, which cannot be emptied; give true or false")
        yield _Rule(_Misshapen(form), lambda text: f"{header}: {_shown(text)} {form.words}{_spaced(text)}")
        return
    if column.reference is None and kind in _TEXTS and length and not field.get("htmlFormatted"):
        limit = min(length, MAX_CELL)
    if column.reference is None and kind == "email":
        yield _Rule(_no_address, lambda _: f"{header} has no @, which every email address has")
    values = {value["value"] for value in field.get("picklistValues") or ()}
    labels = {value.get("label") or "" for value in field.get("picklistValues") or ()}
    if column.reference is None and values and field.get("restrictedPicklist"):
        yield _Rule(_Unlisted(values | labels), lambda text: f"{header}: {_shown(text)} is none of its values")
    else:
        yield _Rule(
            lambda cells, width: _longer(cells, width, limit),
            lambda text: f"{header} takes {limit:,} characters and this has {len(_trimmed(text)):,}",
        )


def _points_to_records(field: Mapping[str, Any]) -> bool:
    """Whether a reference's values are record ids. Those to external objects and to definitions are not.

    https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_external_objects.htm
    """
    targets = field.get("referenceTo") or ()
    odd = any(target.endswith(("__x", "Definition")) for target in targets)
    return field["type"] == "reference" and bool(targets) and field.get("length") == 18 and not odd


class _Misshapen:
    """Finds cells that do not look like values of a type."""

    def __init__(self, form: Form) -> None:
        self._pattern = rf"^(?s:{NULL}|{form.pattern})?$"
        self._quick = form.quick

    def __call__(self, cells: Any, width: int) -> Any:
        if self._quick is not None:
            try:
                values = pc.cast(cells, self._quick)
            except pa.ArrowInvalid:
                # A failure costs more than the pattern, and what fails once will as a rule fail again.
                self._quick = None
            else:
                if self._quick != pa.float64() or pc.all(pc.is_finite(values)).as_py() is not False:
                    return None
        return pc.invert(pc.match_substring_regex(cells, self._pattern))


class _Unlisted:
    """Finds cells that have a value which a restricted picklist has not. Their case is not looked at."""

    def __init__(self, values: set[str]) -> None:
        self._known = texts([None, "", NULL, *sorted(values)])
        self._lower = {value.strip().lower() for value in values}

    def __call__(self, cells: Any, width: int) -> Any:
        listed = pc.is_in(cells, value_set=self._known)
        if pc.all(listed).as_py() is not False:
            return None
        doubtful = pc.unique(pc.filter(cells, pc.invert(listed))).to_pylist()
        unlisted = [text for text in doubtful if not self._has(text)]
        return pc.is_in(cells, value_set=texts(unlisted)) if unlisted else None

    def _has(self, text: str) -> bool:
        # A multipicklist has several, with semicolons between them.
        parts = (part.strip().lower() for part in (text, *text.split(";")))
        whole, *each = parts
        return whole in self._lower or all(part in self._lower or not part for part in each)


def _empty(cells: Any, width: int) -> Any:
    return pc.is_in(cells, value_set=texts([None, "", NULL]))


def _filled(cells: Any, width: int) -> Any:
    return pc.invert(_empty(cells, width))


def _nulled(cells: Any, width: int) -> Any:
    return pc.equal(cells, scalar(NULL))


def _no_address(cells: Any, width: int) -> Any:
    bare = pc.invert(pc.match_substring(cells, "@"))
    if pc.any(bare).as_py() is not True:
        return None
    return pc.and_(bare, pc.invert(pc.match_substring_regex(cells, rf"^\s*(?:{NULL})?\s*$")))


def _longer(cells: Any, width: int, limit: int) -> Any:
    # No text has more characters than bytes.
    if width <= limit or not pc.any(pc.greater(pc.utf8_length(cells), scalar(limit))).as_py():
        return None
    # Salesforce trims text, and may count the end of a line as one.
    trimmed = pc.utf8_trim_whitespace(pc.replace_substring(cells, "\r\n", "\n"))
    return pc.and_(pc.greater(pc.utf8_length(trimmed), scalar(limit)), pc.not_equal(cells, scalar(NULL)))


def _trimmed(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _too_long(table: pa.Table, columns: Sequence[LoadColumn]) -> Any:
    lengths = pa.chunked_array([pa.nulls(table.num_rows, pa.int64()).fill_null(0)])
    for column in columns:
        lengths = pc.add(lengths, pc.cast(pc.fill_null(pc.utf8_length(table.column(column.header)), 0), pa.int64()))
    return pc.greater(lengths, MAX_RECORD)


def _spaced(text: str) -> str:
    return "; it has spaces around it" if text.strip() != text else ""


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
