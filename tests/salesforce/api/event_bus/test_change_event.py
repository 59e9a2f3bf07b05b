from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.salesforce.api.event_bus.change_event import EventSchema, ReceivedEvent

RECORDINGS = ("cdc/change_event_create_account.json", "cdc/change_event_update_contact.json")


def strings(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "type": ["null", "string"], "default": None} for name in names]


def array() -> dict[str, Any]:
    return {"type": "array", "items": "string"}


HEADER = {
    "type": "record",
    "name": "ChangeEventHeader",
    "fields": [
        {"name": "entityName", "type": "string"},
        {"name": "recordIds", "type": array()},
        {"name": "changeType", "type": {"type": "enum", "name": "Kind", "symbols": ["CREATE", "UPDATE", "GAP_UPDATE"]}},
        {"name": "commitTimestamp", "type": "long"},
        {"name": "nulledFields", "type": array()},
        {"name": "changedFields", "type": array()},
    ],
}
ADDRESS = {"type": "record", "name": "Address", "fields": strings("Street", "City")}
SCHEMA = {
    "type": "record",
    "name": "ContactChangeEvent",
    "namespace": "com.sforce.eventbus",
    "fields": [
        {"name": "ChangeEventHeader", "type": HEADER},
        *strings("Email"),
        {"name": "MailingAddress", "type": ["null", ADDRESS], "default": None},
        {"name": "OtherAddress", "type": ["null", "com.sforce.eventbus.Address"], "default": None},
        {"name": "Name", "type": ["null", "string", {"type": "record", "name": "Person", "fields": strings("First")}]},
    ],
}


def schema() -> EventSchema:
    return EventSchema(json.dumps(SCHEMA))


def encoded(**header: Any) -> bytes:
    whole = {
        "entityName": "Contact", "recordIds": ["003"], "changeType": "UPDATE", "commitTimestamp": 1_700_000_000_000,
        "nulledFields": [], "changedFields": [], **header,
    }  # fmt: skip
    written = io.BytesIO()
    record = {"ChangeEventHeader": whole, "Email": "a@acme.com", "Name": None}
    fastavro.schemaless_writer(written, fastavro.parse_schema(json.loads(json.dumps(SCHEMA))), record)
    return written.getvalue()


def test_a_change_event_without_its_values() -> None:
    event = schema().read("e1", encoded(changedFields=["0x2"], nulledFields=["2-0x1"]))
    assert event == ReceivedEvent(
        "e1", "Contact", ("003",), "UPDATE", ("Email", "MailingAddress.Street"), 1_700_000_000_000
    )
    assert not event.is_gap
    assert schema().read("e2", encoded(changeType="GAP_UPDATE")).is_gap


@pytest.mark.parametrize(
    ("bitmaps", "names"),
    [
        ([], []),
        (["0x0"], []),
        (["0x2"], ["Email"]),
        (["0xA"], ["Email", "OtherAddress"]),
        (["2-0x3"], ["MailingAddress.Street", "MailingAddress.City"]),
        (["3-0x2"], ["OtherAddress.City"]),  # by the name of a type that was defined above
        (["4-0x1"], ["Name.First"]),  # one of three choices
        (["LastModifiedDate", "Name.LastName"], ["LastModifiedDate", "Name.LastName"]),  # decoded already
    ],
    ids=str,
)
def test_bitmaps_are_names(bitmaps: list[str], names: list[str]) -> None:
    assert schema().field_names(bitmaps) == names


@pytest.mark.parametrize("bitmap", ["0x20", "2-0x4", "9-0x1", "1-0x1", "x-0x1", "0xZ"])
def test_a_bit_that_no_field_has(bitmap: str) -> None:
    with pytest.raises(ProtocolError, match="names no field of ContactChangeEvent"):
        schema().field_names([bitmap])


def test_a_platform_event_has_no_header() -> None:
    plain = {"type": "record", "name": "Order__e", "fields": [{"name": "CreatedDate", "type": "long"}]}
    written = io.BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(plain), {"CreatedDate": 5})
    event = EventSchema(json.dumps(plain)).read("e1", written.getvalue())
    assert event == ReceivedEvent("e1", "Order__e", (), None, (), 5)


@pytest.mark.parametrize("payload", [b"", b"\x02", b"\xff" * 40])
def test_what_does_not_have_the_schema(payload: bytes) -> None:
    with pytest.raises(ProtocolError, match="cannot be read with its schema"):
        schema().read("e1", payload)


@pytest.mark.parametrize("text", ["", "[]", "5", '{"type": "record"}', '{"type": "string", "name": "x"}'])
def test_what_is_not_a_schema(text: str) -> None:
    with pytest.raises(ProtocolError, match="the schema of an event cannot be understood"):
        EventSchema(text)


@pytest.mark.parametrize("name", RECORDINGS)
def test_recorded_events_are_what_they_say(recording: Any, name: str) -> None:
    """Recorded as JSON, with decoded names; written in Avro by a schema made of them, and read again."""
    recorded = json.loads(recording(name))
    header = recorded["ChangeEventHeader"]
    fields: list[dict[str, Any]] = [{"name": "ChangeEventHeader", "type": HEADER}]
    others = [each for each in recorded if each != "ChangeEventHeader"]
    fields += [{"name": each, "type": ["null", "string"], "default": None} for each in others]
    made = {"type": "record", "name": "Recorded", "fields": fields}
    written = io.BytesIO()
    values = {each: None if recorded[each] is None else json.dumps(recorded[each]) for each in others}
    whole = {
        "nulledFields": [],
        **{each["name"]: header[each["name"]] for each in HEADER["fields"] if each["name"] in header},
    }
    fastavro.schemaless_writer(
        written, fastavro.parse_schema(json.loads(json.dumps(made))), {"ChangeEventHeader": whole, **values}
    )
    event = EventSchema(json.dumps(made)).read("e1", written.getvalue())
    assert (event.sobject, list(event.record_ids)) == (header["entityName"], header["recordIds"])
    assert (event.change_type, event.committed) == (header["changeType"], header["commitTimestamp"])
    assert list(event.changed_fields) == header["changedFields"]
