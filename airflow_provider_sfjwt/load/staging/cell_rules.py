"""What a cell must not be, by its field's description and by what is done with the row.

Only what Salesforce certainly refuses breaks a rule; the rest is left to Salesforce.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_sfjwt.exceptions import counted
from airflow_provider_sfjwt.files.values.arrow_arrays import scalar, texts
from airflow_provider_sfjwt.files.values.cells import LONGEST_TEXT, NULL, shown
from airflow_provider_sfjwt.files.values.from_python import CONVERSIONS
from airflow_provider_sfjwt.load.columns import LoadColumn
from airflow_provider_sfjwt.load.operations import Operation

#: Types whose description limits the number of characters.
_TEXTS = frozenset(("string", "textarea", "email", "phone", "url", "encryptedstring", "picklist", "combobox"))
#: Types that have a conversion of their own and are held to a list of values.
_CHOSEN = frozenset(("multipicklist",))

#: Marks the cells of a column that break a rule; None where there are none.
Find = Callable[[pa.ChunkedArray], "pa.ChunkedArray | None"]


@dataclass(frozen=True)
class Rule:
    """What the cells of one column must not be.

    :param find: which cells break the rule.
    :param words: the message for such a cell, from its text (empty for null).
    """

    find: Find
    words: Callable[[str], str]


def rules_of(
    column: LoadColumn, operation: Operation, *, is_key: bool = False, one_of_several: bool = False
) -> Iterator[Rule]:
    """The rules for the cells of a column.

    :param column: the column.
    :param operation: what is done with the rows.
    :param is_key: whether the column names the record that a row is about.
    :param one_of_several: whether other columns can give the same field its value.
    """
    field, header = column.field, column.header
    creates_records = "createable" in operation.needs
    if is_key:
        # A row without an Id is a new record, where the operation creates records.
        if field["type"] != "id" or not creates_records:
            yield Rule(empty, _words(f"{header} is empty, which says what to {operation.name}"))
    elif field["type"] == "id" and column.reference is None and operation.finds_by == "external id":
        yield Rule(
            filled, _words(f"Id cannot be given beside the external id by which the {operation.name} finds records")
        )
    elif column.required and not one_of_several:
        # An empty cell leaves the value of an existing record as it is.
        find = empty if operation.finds_by is None else _nulled
        yield Rule(find, _words(f"{header} is required, and empty"))
    yield from _rules_of_field(column)


def _rules_of_field(column: LoadColumn) -> Iterator[Rule]:
    """The rules that the field's description makes. A parent's key must be readable, and need not exist."""
    field, header = column.field, column.header
    kind, length = field["type"], int(field.get("length") or 0)
    if _holds_record_ids(field) or kind == "id":
        yield Rule(_no_id, partial(_not_an_id, header))
        return
    if kind == "boolean" and not field.get("nillable"):
        yield Rule(_nulled, _words(f"{header} is a checkbox, which cannot be emptied; give true or false"))
    if kind in CONVERSIONS and kind not in _CHOSEN:
        return
    own = column.reference is None
    if own and kind == "email":
        yield Rule(_without_at, _words(f"{header} has no @, which every email address has"))
    values = {value["value"] for value in field.get("picklistValues") or ()}
    labels = {value.get("label") or "" for value in field.get("picklistValues") or ()}
    if own and values and field.get("restrictedPicklist"):
        yield Rule(_Unlisted(values | labels), lambda text: f"{header}: {shown(text)} is not one of its values")
        return
    limited = own and kind in _TEXTS and length and not field.get("htmlFormatted")
    limit = min(length, LONGEST_TEXT) if limited else LONGEST_TEXT
    yield Rule(
        partial(_longer, limit=limit),
        lambda text: f"{header} takes {counted(limit, 'character')} and this has {len(_trimmed(text)):,}",
    )


def _holds_record_ids(field: Mapping[str, Any]) -> bool:
    """Whether a reference's values are record ids. Those to external objects and to definitions are not.

    https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_external_objects.htm
    """
    targets = field.get("referenceTo") or ()
    odd = any(target.endswith(("__x", "Definition")) for target in targets)
    return field["type"] == "reference" and bool(targets) and field.get("length") == 18 and not odd


def empty(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Mark cells that give no value.

    :param cells: text.
    """
    return pc.is_in(cells, value_set=texts([None, "", NULL]))


def filled(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Mark cells that give a value.

    :param cells: text.
    """
    return pc.invert(empty(cells))


def _nulled(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.equal(cells, scalar(NULL))


def _no_id(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.invert(pc.match_substring_regex(cells, rf"^(?:{NULL}|[A-Za-z0-9]{{15}}(?:[A-Za-z0-9]{{3}})?)?$"))


class _Unlisted:
    """Finds cells whose value is not in a restricted picklist. Values are compared in any case."""

    def __init__(self, values: Collection[str]) -> None:
        self._known = texts([None, "", NULL, *sorted(values)])
        self._lower = {value.strip().lower() for value in values}

    def __call__(self, cells: pa.ChunkedArray) -> pa.ChunkedArray | None:
        listed = pc.is_in(cells, value_set=self._known)
        if pc.all(listed).as_py() is not False:
            return None
        doubtful = pc.unique(pc.filter(cells, pc.invert(listed))).to_pylist()
        unlisted = [text for text in doubtful if not self._has(text)]
        return pc.is_in(cells, value_set=texts(unlisted)) if unlisted else None

    def _has(self, text: str) -> bool:
        # A multi-select picklist has several values, with semicolons between them.
        whole, *each = (part.strip().lower() for part in (text, *text.split(";")))
        return whole in self._lower or all(part in self._lower or not part for part in each)


def _without_at(cells: pa.ChunkedArray) -> pa.ChunkedArray | None:
    bare = pc.invert(pc.match_substring(cells, "@"))
    if pc.any(bare).as_py() is not True:
        return None
    return pc.and_(bare, pc.invert(pc.match_substring_regex(cells, rf"^\s*(?:{NULL})?\s*$")))


def _longer(cells: pa.ChunkedArray, *, limit: int) -> pa.ChunkedArray | None:
    # No text has more characters than bytes, and bytes are counted faster.
    longest = pc.max(pc.binary_length(cells)).as_py() or 0
    if longest <= limit or not pc.any(pc.greater(pc.utf8_length(cells), scalar(limit))).as_py():
        return None
    # Salesforce trims text, and may count the end of a line as one character.
    trimmed = pc.utf8_trim_whitespace(pc.replace_substring(cells, "\r\n", "\n"))
    return pc.and_(pc.greater(pc.utf8_length(trimmed), scalar(limit)), pc.not_equal(cells, scalar(NULL)))


def _trimmed(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _words(message: str) -> Callable[[str], str]:
    """A message that does not depend on the cell."""
    return lambda _: message


def _not_an_id(header: str, text: str) -> str:
    spaces = "; it has spaces around it" if text.strip() != text else ""
    return f"{header}: {shown(text)} is not a record id of 15 or 18 letters and digits{spaces}"
