"""Avro schemas of events, and events in Avro.

Change events: https://developer.salesforce.com/docs/platform/pub-sub-api/guide/event-schemas.html
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import md5
from typing import Any

import fastavro

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.schema import SObject

_TYPES = {
    "boolean": "boolean", "int": "int", "long": "long", "double": "double", "currency": "double", "percent": "double",
    "datetime": "long", "date": "long",
}  # fmt: skip
_LEFT_OUT = ("Id", "IsDeleted", "SystemModstamp")
_NAMES = ("FirstName", "LastName")
_HEADER = {
    "name": "ChangeEventHeader",
    "type": {
        "type": "record",
        "name": "ChangeEventHeader",
        "namespace": "com.sforce.eventbus",
        "fields": [
            {"name": "entityName", "type": "string"},
            {"name": "recordIds", "type": {"type": "array", "items": "string"}},
            {
                "name": "changeType",
                "type": {
                    "type": "enum",
                    "name": "ChangeType",
                    "symbols": [
                        "CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_CREATE", "GAP_UPDATE", "GAP_DELETE",
                        "GAP_UNDELETE", "GAP_OVERFLOW", "SNAPSHOT",
                    ],
                },
            },
            {"name": "changeOrigin", "type": "string"},
            {"name": "transactionKey", "type": "string"},
            {"name": "sequenceNumber", "type": "int"},
            {"name": "commitTimestamp", "type": "long"},
            {"name": "commitNumber", "type": "long"},
            {"name": "commitUser", "type": "string"},
            {"name": "nulledFields", "type": {"type": "array", "items": "string"}},
            {"name": "diffFields", "type": {"type": "array", "items": "string"}},
            {"name": "changedFields", "type": {"type": "array", "items": "string"}},
        ],
    },
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column of a record within its event.

    :param parent: name of the field that holds it, or None where it is a field itself.
    :param name: of the field, or within the parent.
    :param type: of the column.
    """

    parent: str | None
    name: str
    type: str


class AvroSchema:
    """The schema of an object's events.

    :param name: of the event.
    :param sobject: its object.
    :param change: whether it is a change event, with a header and nested fields.
    """

    def __init__(self, name: str, sobject: SObject, change: bool) -> None:
        self.columns = {each.name: _place(sobject, each, change) for each in sobject.columns if _is_in(each, change)}
        fields: list[Any] = [_HEADER] if change else []
        self._known: dict[str, list[str]] = {}
        for column in self.columns.values():
            if column.parent is None:
                fields.append({"name": column.name, "type": ["null", _avro(column.type)], "default": None})
            elif all(each["name"] != column.parent for each in fields):
                fields.append({"name": column.parent, "type": ["null", self._nested(column.parent)], "default": None})
        self.raw = {"type": "record", "name": name, "namespace": "com.sforce.eventbus", "fields": fields}
        self.json = json.dumps(self.raw)
        self.id = md5(self.json.encode(), usedforsecurity=False).hexdigest()[:22]
        self._parsed = fastavro.parse_schema(json.loads(self.json))

    def _nested(self, parent: str) -> Any:
        """The record of a compound field; the second one of the same kind is its name alone."""
        parts = [each for each in self.columns.values() if each.parent == parent]
        name = _record_of(parent)
        if name in self._known:
            return name
        self._known[name] = [each.name for each in parts]
        return {
            "type": "record",
            "name": name.rpartition(".")[2],
            "fields": [{"name": each.name, "type": ["null", _avro(each.type)], "default": None} for each in parts],
        }

    def encode(self, values: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> bytes:
        """Write an event.

        :param values: as they are stored, by column; those that are missing are null.
        :param header: of a change event.
        """
        record: dict[str, Any] = {} if header is None else {"ChangeEventHeader": dict(header)}
        for name, column in self.columns.items():
            value = _value(column.type, values.get(name))
            if column.parent is None:
                record[column.name] = value
            elif value is not None:
                record.setdefault(column.parent, {})[column.name] = value
        written = io.BytesIO()
        fastavro.schemaless_writer(written, self._parsed, record)
        return written.getvalue()

    def bitmaps(self, names: Iterable[str]) -> list[str]:
        """Number fields as Salesforce does.

        :param names: of columns.
        """
        order = [each["name"] for each in self.raw["fields"]]
        bits: dict[int | None, int] = {}
        for name in names:
            column = self.columns.get(name)
            if column is None:
                continue
            if column.parent is None:
                bits[None] = bits.get(None, 0) | 1 << order.index(column.name)
            else:
                inner = self._known[_record_of(column.parent)]
                parent = order.index(column.parent)
                bits[parent] = bits.get(parent, 0) | 1 << inner.index(column.name)
        return [f"0x{value:x}" if parent is None else f"{parent}-0x{value:x}" for parent, value in bits.items()]


def header(sobject: str, ids: Sequence[str], kind: str, number: int, at: datetime, user: str) -> dict[str, Any]:
    """The header of a change event.

    :param sobject: the object.
    :param ids: of the records.
    :param kind: the change type.
    :param number: of the commit.
    :param at: when it was committed.
    :param user: who did it.
    """
    return {
        "entityName": sobject,
        "recordIds": list(ids),
        "changeType": kind,
        "changeOrigin": "com/salesforce/api/rest/66.0",
        "transactionKey": f"{number:08x}-0000-0000-0000-000000000000",
        "sequenceNumber": 1,
        "commitTimestamp": int(at.timestamp() * 1000),
        "commitNumber": number,
        "commitUser": user,
        "nulledFields": [],
        "diffFields": [],
        "changedFields": [],
    }


def _is_in(field: Field, change: bool) -> bool:
    left_out = (*_LEFT_OUT, "ReplayId") if not change else _LEFT_OUT
    return field.name not in left_out and not field.calculated and field.type != "base64"


def _place(sobject: SObject, field: Field, change: bool) -> Column:
    compound = field.compound
    if change and compound and compound.endswith("Address"):
        return Column(compound, field.name.removeprefix(compound.removesuffix("Address")), field.type)
    if change and field.name in _NAMES and all(sobject.field(each) for each in _NAMES):
        return Column("Name", field.name, field.type)
    return Column(None, field.name, field.type)


def _record_of(parent: str) -> str:
    """Name of the record that a compound field has, which fields of a kind share."""
    return f"com.sforce.eventbus.{'PersonName' if parent == 'Name' else 'Address'}"


def _avro(kind: str) -> str:
    return _TYPES.get(kind, "string")


def _value(kind: str, stored: Any) -> Any:
    if stored is None:
        return None
    if kind == "boolean":
        return bool(stored)
    if _avro(kind) == "double":
        return float(stored)
    if kind in ("datetime", "date"):
        moment = datetime.fromisoformat(str(stored).replace("Z", "+00:00"))
        return int((moment if moment.tzinfo else moment.replace(tzinfo=_UTC)).timestamp() * 1000)
    return stored if _avro(kind) in ("int", "long") else str(stored)


_UTC = datetime.fromisoformat("2000-01-01T00:00:00+00:00").tzinfo
