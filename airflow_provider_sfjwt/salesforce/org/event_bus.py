"""The event bus of an org, opened with the session of a connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.auth.credentials import ConnectionSettings
from airflow_provider_sfjwt.salesforce.auth.event_bus_endpoint import is_government, is_on_this_machine
from airflow_provider_sfjwt.salesforce.auth.token import Token
from airflow_provider_sfjwt.salesforce.wire.event_bus import EventBus, event_bus
from airflow_provider_sfjwt.salesforce.wire.secret import Secret


def check_is_offered(settings: ConnectionSettings, subject: str) -> None:
    """Refuse an org that has no event bus.

    :param settings: what the connection says.
    :param subject: what to call the connection in an error.
    :raises ConfigurationError: for an org of the Government Cloud.
    """
    if is_government(settings.credentials.login_url):
        fault = "is of the Government Cloud, where Pub/Sub API is not offered: poll, with mode='poll'"
        raise ConfigurationError({"Login URL": fault}, subject=subject)


@asynccontextmanager
async def open_event_bus(settings: ConnectionSettings, token: Token) -> AsyncIterator[EventBus]:
    """Open the event bus.

    :param settings: what the connection says.
    :param token: of a session that works.
    :raises ConfigurationError: when there are no trusted authorities.
    """
    metadata: Secret[tuple[tuple[str, str], ...]] = Secret(
        (("accesstoken", token.value), ("instanceurl", token.instance_url), ("tenantid", token.org_id or ""))
    )
    plain = is_on_this_machine(settings.event_bus) and token.instance_url.startswith("http:")
    async with event_bus(settings.event_bus, settings.transport, lambda: metadata, plain=plain) as bus:
        yield bus
