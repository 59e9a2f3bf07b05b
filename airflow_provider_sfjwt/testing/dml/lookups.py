"""Which records a load means: by id, by external id, by unique values; a whole batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.data.store import Store, quoted
from airflow_provider_sfjwt.testing.data.values import Stored

_AT_ONCE = 900
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def folded(value: Stored) -> Stored:
    """Return a value as values are compared: without regard to the case of ASCII letters, as the store does."""
    if not isinstance(value, str):
        return value
    return value.lower() if value.isascii() else value.translate(_LOWER)


def _blocks(values: Iterable[Stored]) -> Iterator[list[Stored]]:
    source = iter(values)
    while block := list(islice(source, _AT_ONCE)):
        yield block


def deleted_by_id(store: Store, sobject: SObject, ids: Iterable[str]) -> dict[str, bool]:
    """Return, for every id of 18 characters that there is, whether its record lies in the recycle bin."""
    found: dict[str, bool] = {}
    for block in _blocks(set(ids)):
        marks = ",".join("?" * len(block))
        sql = f"SELECT Id, IsDeleted FROM {quoted(sobject.name)} WHERE Id IN ({marks})"
        found |= {record: bool(deleted) for record, deleted in store.select(sql, block)}
    return found


def ids_by_value(store: Store, sobject: SObject, field: Field, values: Iterable[Stored]) -> dict[Stored, list[str]]:
    """Return the ids of the records, deleted ones aside, that have one of the values, by folded value."""
    found: dict[Stored, list[str]] = {}
    column = quoted(field.name)
    for block in _blocks({value for value in values if value is not None}):
        marks = ",".join("?" * len(block))
        sql = f"SELECT {column}, Id FROM {quoted(sobject.name)} WHERE {column} IN ({marks}) AND IsDeleted = 0"
        for value, record in store.select(f"{sql} ORDER BY row", block):
            found.setdefault(folded(value), []).append(record)
    return found


def stored_rows(store: Store, sobject: SObject, ids: Iterable[str]) -> dict[str, Sequence[Stored]]:
    """Return whole records as they are stored, in the order of the object's columns, by id."""
    names = ", ".join(quoted(field.name) for field in sobject.columns)
    place = [field.name for field in sobject.columns].index("Id")
    found: dict[str, Sequence[Stored]] = {}
    for block in _blocks(set(ids)):
        marks = ",".join("?" * len(block))
        for row in store.select(f"SELECT {names} FROM {quoted(sobject.name)} WHERE Id IN ({marks})", block):
            found[str(row[place])] = row
    return found
