"""The Pub/Sub API of the simulated org, by a client that shares no code with the package's own."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import fastavro
import grpc
import pytest

from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from airflow_provider_sfjwt.testing.event_bus.server import EventBusServer
from airflow_provider_sfjwt.testing.event_bus.wire_format import bytes_of, decode, encode, number_of, text

TOPIC = "/data/ContactChangeEvent"


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={}) as running:
        yield running


@pytest.fixture
def bus(org: SimulatedOrg) -> EventBusServer:
    return org.start_event_bus("Contact")


def metadata(org: SimulatedOrg, **changes: str) -> list[tuple[str, str]]:
    given = {"accesstoken": org.issue_session(), "instanceurl": org.url, "tenantid": org.org_id, **changes}
    return list(given.items())


def call(org: SimulatedOrg, bus: EventBusServer, method: str, *fields: tuple[int, Any], **changes: str) -> Any:
    with grpc.insecure_channel(bus.endpoint) as channel:
        asked = channel.unary_unary(f"/eventbus.v1.PubSub/{method}")
        return decode(asked(encode(fields), metadata=metadata(org, **changes), timeout=30))


def events(org: SimulatedOrg, bus: EventBusServer, number: int, topic: str = TOPIC) -> list[dict[int, Any]]:
    """The first events of the topic, as they travel."""
    found: list[dict[int, Any]] = []
    with grpc.insecure_channel(bus.endpoint) as channel:
        asked = iter([encode([(1, topic), (2, 1), (4, number)])])
        stream = channel.stream_stream("/eventbus.v1.PubSub/Subscribe")(asked, metadata=metadata(org), timeout=30)
        for message in stream:
            found += [
                decode(bytes_of(decode(each), 1)) for each in decode(message).get(1, []) if isinstance(each, bytes)
            ]
            if len(found) >= number:
                stream.cancel()
                return found
    return found


def test_a_change_event_reads_by_its_schema(org: SimulatedOrg, bus: EventBusServer) -> None:
    org.add_field("Account", Field("ShippingCity", length=40, compound="ShippingAddress"))
    org.add_field("Account", Field("ShippingAddress", "address"))
    org.start_event_bus("Account")
    (made,) = org.insert("Account", [{"Name": "Neu", "BillingCity": "Bonn", "ShippingCity": "Ulm"}])
    org.update("Account", made, {"Name": "Alt", "ShippingCity": "Kiel"})
    created, updated = events(org, bus, 2, "/data/AccountChangeEvent")
    schema = json.loads(text(call(org, bus, "GetSchema", (1, text(created, 2))), 1))
    parsed = fastavro.parse_schema(json.loads(json.dumps(schema)))
    first, second = (
        fastavro.schemaless_reader(io.BytesIO(bytes_of(each, 3)), parsed, None) for each in (created, updated)
    )
    assert first["ChangeEventHeader"]["recordIds"] == [made]
    assert first["Name"] == "Neu"
    assert (first["BillingAddress"]["City"], first["ShippingAddress"]["City"]) == ("Bonn", "Ulm")
    assert second["ChangeEventHeader"]["changeType"] == "UPDATE"
    # The second address has the type of the first one by its name alone.
    types = {field["name"]: field["type"][1] for field in schema["fields"] if isinstance(field["type"], list)}
    assert types["ShippingAddress"] == "com.sforce.eventbus.Address"
    place = [field["name"] for field in schema["fields"]].index("ShippingAddress")
    (bitmap,) = [each for each in second["ChangeEventHeader"]["changedFields"] if each.startswith(f"{place}-0x")]
    (address,) = [field["type"][1] for field in schema["fields"] if field["name"] == "BillingAddress"]
    city = [field["name"] for field in address["fields"]].index("City")
    assert int(bitmap.partition("-")[2], 16) == 1 << city


def test_a_topic_of_an_object_that_is_not_selected(org: SimulatedOrg, bus: EventBusServer) -> None:
    assert text(call(org, bus, "GetTopic", (1, TOPIC)), 2) == org.org_id
    with pytest.raises(grpc.RpcError) as caught:
        call(org, bus, "GetTopic", (1, "/data/LeadChangeEvent"))
    trailers = dict(caught.value.trailing_metadata())  # type: ignore[attr-defined]  # grpc's errors are calls
    assert trailers["error-code"].endswith("topic.not.found")
    assert "and topic /data/LeadChangeEvent not found" in str(caught.value)


def test_a_user_who_does_not_see_all_records_may_not_subscribe(org: SimulatedOrg, bus: EventBusServer) -> None:
    assert number_of(call(org, bus, "GetTopic", (1, TOPIC)), 4) == 1
    org.view_all_data = False
    assert number_of(call(org, bus, "GetTopic", (1, TOPIC)), 4) == 0
    with pytest.raises(grpc.RpcError) as caught:
        events(org, bus, 1)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED  # type: ignore[attr-defined]
    org.view_all_objects = ["Contact"]
    assert number_of(call(org, bus, "GetTopic", (1, TOPIC)), 4) == 1


def test_metadata_are_checked_at_each_call(org: SimulatedOrg, bus: EventBusServer) -> None:
    for changes in ({"accesstoken": "dead"}, {"tenantid": "00D000000000001AAA"}):
        with pytest.raises(grpc.RpcError) as caught:
            call(org, bus, "GetTopic", (1, TOPIC), **changes)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED  # type: ignore[attr-defined]


def test_no_more_comes_than_was_asked_for(org: SimulatedOrg, bus: EventBusServer) -> None:
    org.insert("Contact", [{"LastName": str(number)} for number in range(20)])
    assert len(events(org, bus, 7)) == 7


def test_messages_as_they_travel() -> None:
    written = encode([(1, "a"), (2, b"\xff"), (3, 300), (4, 0), (5, "")])
    assert written == bytes.fromhex("0a01611201ff18ac02")
    read = decode(written)
    assert (text(read, 1), bytes_of(read, 2), number_of(read, 3), number_of(read, 4)) == ("a", b"\xff", 300, 0)
    for broken in (b"\x0a", b"\x0d\x00"):
        with pytest.raises(ValueError):
            decode(broken)
