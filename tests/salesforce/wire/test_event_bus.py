"""The channel of the event bus, against the server of the simulated org."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ApiError, SessionExpiredError, TransportError
from airflow_provider_sfjwt.salesforce.wire.event_bus import EventBus, event_bus
from airflow_provider_sfjwt.salesforce.wire.event_bus_messages import CUSTOM, LATEST, messages
from airflow_provider_sfjwt.salesforce.wire.secret import Secret
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings
from airflow_provider_sfjwt.testing import SimulatedOrg
from airflow_provider_sfjwt.testing.event_bus.server import EventBusServer

TOPIC = "/data/AccountChangeEvent"


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def org(request: pytest.FixtureRequest) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={"Account": 3}, tls=request.param) as running:
        yield running


@pytest.fixture
def server(org: SimulatedOrg) -> EventBusServer:
    return org.start_event_bus("Account")


@asynccontextmanager
async def opened(org: SimulatedOrg, endpoint: str, **changes: str) -> AsyncIterator[EventBus]:
    pairs = {"accesstoken": org.issue_session(), "instanceurl": org.url, "tenantid": org.org_id, **changes}
    settings = TransportSettings(ca_bundle=org.ca_bundle)
    metadata = Secret(tuple(pairs.items()))
    async with event_bus(endpoint, settings, lambda: metadata, plain=org.ca_bundle is None) as bus:
        yield bus


def fetch(**fields: Any) -> Any:
    return messages()["FetchRequest"](**{"topic_name": TOPIC, "num_requested": 10, **fields})


async def test_a_topic_its_schema_and_its_events(org: SimulatedOrg, server: EventBusServer) -> None:
    async with opened(org, server.endpoint) as bus:
        info = await bus.call("GetTopic", messages()["TopicRequest"](topic_name=TOPIC), "TopicInfo")
        assert (info.topic_name, info.can_subscribe) == (TOPIC, True)
        schema = await bus.call("GetSchema", messages()["SchemaRequest"](schema_id=info.schema_id), "SchemaInfo")
        assert "AccountChangeEvent" in schema.schema_json
        server.faults.keep_alive = 0.05
        stream = bus.subscribe()
        await stream.request(fetch(replay_preset=LATEST))
        alive = await stream.response(10)
        assert (len(alive.events), alive.pending_num_requested) == (0, 10)
        org.insert("Account", [{"Name": "A"}, {"Name": "B"}])
        answers = []
        while len(answers) < 2:
            answers += (await stream.response(10)).events
        assert answers[0].event.schema_id == info.schema_id
        stream.close()
        again = bus.subscribe()
        await again.request(fetch(replay_preset=CUSTOM, replay_id=answers[0].replay_id))
        (second,) = (await again.response(10)).events
        assert second.event.id == answers[1].event.id
        again.close()


async def test_a_server_that_closes_the_stream_in_order(org: SimulatedOrg, server: EventBusServer) -> None:
    server.faults.keep_alive = 0.05
    async with opened(org, server.endpoint) as bus:
        stream = bus.subscribe()
        await stream.request(fetch())
        await stream.response(10)
        server.close_streams()
        while (answer := await stream.response(10)) is not None:
            assert not answer.events
        with pytest.raises(TransportError):
            await stream.request(fetch())


async def test_silence_is_noticed(org: SimulatedOrg, server: EventBusServer) -> None:
    async with opened(org, server.endpoint) as bus:
        stream = bus.subscribe()
        await stream.request(fetch())
        with pytest.raises(TransportError, match=r"the event bus has sent nothing for 0\.2 s") as caught:
            await stream.response(0.2)
        assert caught.value.retryable


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"topic_name": "/data/Nothing"}, "topic.not.found"),
        ({"replay_preset": CUSTOM, "replay_id": b"x"}, "fetch.replayid.corrupted"),
        ({"num_requested": 101}, "requested.events.limit"),
    ],
)
async def test_refusals_have_salesforces_codes(
    org: SimulatedOrg, server: EventBusServer, fields: dict[str, Any], code: str
) -> None:
    async with opened(org, server.endpoint) as bus:
        stream = bus.subscribe()
        await stream.request(fetch(**fields))
        with pytest.raises(ApiError) as caught:
            await stream.response(10)
        assert caught.value.items[0].code.endswith(code)
        assert not isinstance(caught.value, SessionExpiredError)


@pytest.mark.parametrize("changes", [{"accesstoken": "00Ddead"}, {"tenantid": "00D000000000001AAA"}])
async def test_a_session_that_is_not_good(org: SimulatedOrg, server: EventBusServer, changes: dict[str, str]) -> None:
    async with opened(org, server.endpoint, **changes) as bus:
        with pytest.raises(SessionExpiredError) as caught:
            await bus.call("GetTopic", messages()["TopicRequest"](topic_name=TOPIC), "TopicInfo")
        assert "00Ddead" not in str(caught.value)


async def test_a_server_that_is_not_there(org: SimulatedOrg) -> None:
    async with opened(org, "127.0.0.1:1") as bus:
        with pytest.raises(TransportError, match="the event bus is not reached: UNAVAILABLE") as caught:
            await bus.call("GetTopic", messages()["TopicRequest"](topic_name=TOPIC), "TopicInfo")
        assert caught.value.retryable


async def test_a_proxy_that_is_not_there(org: SimulatedOrg, server: EventBusServer) -> None:
    metadata = Secret((("accesstoken", "x"),))
    settings = TransportSettings(ca_bundle=org.ca_bundle, proxy="http://127.0.0.1:1")
    async with event_bus("pubsub.invalid:7443", settings, lambda: metadata, plain=True) as bus:
        with pytest.raises(TransportError):
            await bus.call("GetTopic", messages()["TopicRequest"](topic_name=TOPIC), "TopicInfo")


async def test_authorities_may_be_the_files_of_a_folder(
    org: SimulatedOrg, server: EventBusServer, tmp_path: Path
) -> None:
    if org.ca_bundle is None:
        return
    shutil.copy(org.ca_bundle, tmp_path)
    metadata = Secret((("accesstoken", org.issue_session()), ("instanceurl", org.url), ("tenantid", org.org_id)))
    settings = TransportSettings(ca_bundle=str(tmp_path))
    async with event_bus(server.endpoint, settings, lambda: metadata, plain=False) as bus:
        assert await bus.call("GetTopic", messages()["TopicRequest"](topic_name=TOPIC), "TopicInfo")
