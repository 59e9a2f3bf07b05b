"""Flows of one event loop share their connections, and are not too many at a time."""

from __future__ import annotations

import asyncio

from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Request, Response
from airflow_provider_sfjwt.salesforce.wire.settings import TransportSettings
from airflow_provider_sfjwt.salesforce.wire.shared_client import MOST_AT_ONCE, join, leave
from airflow_provider_sfjwt.salesforce.wire.transport import AsyncTransport
from tests.salesforce.wire.local_server import LocalServer

SETTINGS = TransportSettings()


def test_all_who_connect_in_the_same_way_share_a_client_until_the_last_leaves() -> None:
    async def use() -> None:
        first, second, other = (
            join(SETTINGS, None),
            join(TransportSettings(), None),
            join(TransportSettings(timeout=5), None),
        )
        assert first is second
        assert first is not other
        await leave(first)
        assert not second.http.is_closed
        await leave(second)
        assert second.http.is_closed
        assert join(SETTINGS, None) is not first

    asyncio.run(use())


def test_each_event_loop_has_its_own_client() -> None:
    async def one() -> object:
        return join(SETTINGS, None)

    assert asyncio.run(one()) is not asyncio.run(one())


def test_a_thousand_who_ask_at_once_share_a_few_connections(server: LocalServer) -> None:
    async def ask() -> list[Response]:
        transports = [AsyncTransport(SETTINGS) for _ in range(200)]
        answers = await asyncio.gather(
            *(each.run(flow.send(Request("GET", f"{server.url}/echo"))) for each in transports)
        )
        for each in transports:
            await each.close()
            await each.close()  # twice does no harm
        return answers

    assert all(answer.ok for answer in asyncio.run(ask()))
    assert len(server.seen) == 200
    assert server.connections <= MOST_AT_ONCE
