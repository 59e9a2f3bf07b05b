"""An event as it comes over the bus: an Avro record, whose schema is asked for by its id.

https://developer.salesforce.com/docs/platform/pub-sub-api/guide/event-deserialization-considerations.html
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_sfjwt.exceptions import ProtocolError

_HEADER = "ChangeEventHeader"
#: Change types that say that changes are missing, or that their content is.
#: https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/cdc_other_events_gap.htm
_GAP = "GAP_"


@dataclass(frozen=True)
class ReceivedEvent:
    """What is known of one event. Its values are left where they are.

    :param id: by which it is known again.
    :param sobject: the object that changed, or the name of a platform event; None where the record does not say.
    :param record_ids: of a change event.
    :param change_type: of a change event, e.g. ``UPDATE``; None for a platform event.
    :param changed_fields: names of fields, those within another one as ``Name.LastName``.
    :param committed: milliseconds since the epoch, or None.
    """

    id: str
    sobject: str | None
    record_ids: tuple[str, ...]
    change_type: str | None
    changed_fields: tuple[str, ...]
    committed: int | None

    @property
    def is_gap(self) -> bool:
        """Whether it says that changes are missing."""
        return self.change_type is not None and self.change_type.startswith(_GAP)


class EventSchema:
    """How the events of one schema are read.

    :param schema_json: Avro, as Salesforce gave it.
    :raises ProtocolError: when it is not a schema of records.
    """

    def __init__(self, schema_json: str) -> None:
        import fastavro

        try:
            self._raw = json.loads(schema_json)
            self._parsed: Any = fastavro.parse_schema(json.loads(schema_json))
            self._named: dict[str, Any] = {}
            self._learn(self._raw)
            self.name = str(self._raw["name"])
            _ = self._raw["fields"]
        except (ValueError, TypeError, KeyError, fastavro.schema.SchemaParseException) as fault:
            raise ProtocolError(f"the schema of an event cannot be understood: {fault}") from None

    def read(self, event_id: str, payload: bytes) -> ReceivedEvent:
        """Read an event.

        :param event_id: its id.
        :param payload: Avro without a schema.
        :raises ProtocolError: when it does not have this schema.
        """
        import fastavro

        try:
            record: Any = fastavro.schemaless_reader(io.BytesIO(payload), self._parsed, None)
        except (EOFError, ValueError, IndexError, UnicodeDecodeError, OverflowError) as fault:
            raise ProtocolError(f"an event of {self.name} cannot be read with its schema: {fault!r}") from None
        header = record.get(_HEADER)
        if not isinstance(header, Mapping):
            return ReceivedEvent(event_id, self.name, (), None, (), record.get("CreatedDate"))
        changed = [*header.get("changedFields", ()), *header.get("nulledFields", ())]
        return ReceivedEvent(
            event_id,
            header.get("entityName"),
            tuple(header.get("recordIds", ())),
            header.get("changeType"),
            tuple(dict.fromkeys(self.field_names(changed))),
            header.get("commitTimestamp"),
        )

    def field_names(self, bitmaps: Sequence[str]) -> list[str]:
        """The fields that bitmaps stand for.

        A bitmap ``0x…`` numbers the schema's fields, the least significant bit first. ``<n>-0x…`` numbers those within
        the field with the number n. Where Salesforce already decoded them, they are names.

        :param bitmaps: of a header.
        :raises ProtocolError: for a bit that no field has.
        """
        names: list[str] = []
        for bitmap in bitmaps:
            parent, dash, bits = bitmap.rpartition("-")
            if not bits.startswith("0x"):
                names.append(bitmap)
                continue
            try:
                fields, prefix = self._raw["fields"], ""
                if dash:
                    outer = fields[int(parent)]
                    fields, prefix = self._record(outer["type"])["fields"], f"{outer['name']}."
                value = int(bits, 16)
                names += [f"{prefix}{fields[bit]['name']}" for bit in range(value.bit_length()) if value >> bit & 1]
            except (ValueError, IndexError, KeyError, TypeError):
                raise ProtocolError(f"the bitmap {bitmap} names no field of {self.name}") from None
        return names

    def _record(self, kind: Any) -> Any:
        """The record of a field's type, which may be one choice of several, or the name of a type above it."""
        if isinstance(kind, list):
            return next((found for each in kind if (found := self._record(each)) is not None), None)
        if isinstance(kind, str):
            return self._named.get(kind) or self._named.get(kind.rpartition(".")[2])
        return kind if kind.get("type") == "record" else None

    def _learn(self, kind: Any) -> None:
        """Remember records by their names: a second use of a type is its name alone."""
        if isinstance(kind, list):
            for each in kind:
                self._learn(each)
        elif isinstance(kind, dict):
            if kind.get("type") == "record":
                self._named[kind["name"]] = kind
                for each in kind["fields"]:
                    self._learn(each["type"])
            elif kind.get("type") == "array":
                self._learn(kind["items"])
