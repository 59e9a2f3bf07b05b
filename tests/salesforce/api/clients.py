"""A session with a simulated org, for both drivers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from airflow_provider_sfjwt.salesforce.api.retry import RetryPolicy
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.api.sign_in import sign_in
from airflow_provider_sfjwt.salesforce.auth.credentials import ConnectionSettings, read_connection
from airflow_provider_sfjwt.salesforce.auth.token_source import TokenSource
from airflow_provider_sfjwt.salesforce.wire.flow import Flow
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.salesforce.wire.carriers import Carrier


def settings_of(running: SimulatedOrg, **fields: Any) -> ConnectionSettings:
    connection = {**json.loads(running.connection_json()), "password": None, "port": None, **fields}
    return read_connection(**{name: connection[name] for name in ("login", "password", "host", "port", "extra")})


class Client:
    """A session with an org, carried by either transport."""

    org: SimulatedOrg

    def __init__(self, kind: type[Any], settings: ConnectionSettings) -> None:
        policy = RetryPolicy(attempts=4, jitter=lambda longest: longest)
        self.source = TokenSource(settings.credentials, lambda: sign_in(settings.credentials, policy), shared=False)
        self.session = Session(settings.api_version, policy)
        self.carrier: Carrier = kind(settings.transport, self.source)

    def run(self, flow_function: Callable[..., Flow[Any]], *args: Any, **kwargs: Any) -> Any:
        return self.carrier.run(flow_function(self.session, *args, **kwargs))
