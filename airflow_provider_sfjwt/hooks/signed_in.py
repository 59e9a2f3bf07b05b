"""A hook that has a connection and can be signed in with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseHook

from airflow_provider_sfjwt import arguments, compat
from airflow_provider_sfjwt.compat.masking import amask, mask
from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.hooks.configuration import org_reserve, retry_policy
from airflow_provider_sfjwt.hooks.connections import aconnection_settings, find_settings
from airflow_provider_sfjwt.hooks.metrics import AirflowMeter
from airflow_provider_sfjwt.salesforce.api.retry import RetryPolicy
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.api.sign_in import sign_in
from airflow_provider_sfjwt.salesforce.auth.credentials import ConnectionSettings
from airflow_provider_sfjwt.salesforce.auth.token import Token
from airflow_provider_sfjwt.salesforce.auth.token_source import TokenSource
from airflow_provider_sfjwt.salesforce.org.connected_org import AsyncConnectedOrg, ConnectedOrg
from airflow_provider_sfjwt.salesforce.wire.flow import Flow
from airflow_provider_sfjwt.salesforce.wire.secret import asealed, sealed
from airflow_provider_sfjwt.salesforce.wire.transport import AsyncTransport, Transport


class SignedInHook(BaseHook):
    """Opens an org with the token that a connection's key is exchanged for.

    :param salesforce_conn_id: a connection of the type ``salesforce_jwt``.
    :param api_version: e.g. ``66.0``; None for the connection's, or else for the newest that the org and this package
        both know.
    :raises ConfigurationError: when ``api_version`` is not an API version.
    """

    conn_name_attr = "salesforce_conn_id"
    default_conn_name = "salesforce_jwt_default"
    conn_type = "salesforce_jwt"
    hook_name = "Salesforce JWT"

    def __init__(self, salesforce_conn_id: str = default_conn_name, api_version: str | None = None) -> None:
        super().__init__()
        self.salesforce_conn_id = salesforce_conn_id
        if api_version is not None and (fault := arguments.api_version(api_version)):
            raise ConfigurationError({"api_version": fault}, subject="the task")
        self.api_version = arguments.api_version_of(None if api_version is None else str(api_version))

    @contextmanager
    def connect(self, *, shared: bool = True) -> Iterator[ConnectedOrg]:
        """Run flows of :mod:`airflow_provider_sfjwt.salesforce.api` from a thread.

        :param shared: false to sign in anew, with a token that nobody else uses.
        """
        org = self._connected(self.settings, shared=shared)
        try:
            yield org
        finally:
            org.close()

    @asynccontextmanager
    async def aconnect(self, *, token_max_age: float | None = None) -> AsyncIterator[AsyncConnectedOrg]:
        """Run the same flows from an event loop.

        :param token_max_age: seconds after which the shared token is replaced; None for when it dies.
        """
        settings = await self._asettings()
        session = self._session(settings)
        source = self._token_source(settings, session.policy, max_age=token_max_age)
        org = AsyncConnectedOrg(session, AsyncTransport(settings.transport, source))
        try:
            yield org
        finally:
            await org.close()

    @compat.cached_property
    def settings(self) -> ConnectionSettings:
        """What the connection says, read once.

        :raises ConfigurationError: with every fault of the connection, by the labels of the form.
        """
        return find_settings(self, self.salesforce_conn_id)

    async def _asettings(self) -> ConnectionSettings:
        if "settings" not in self.__dict__:
            self.__dict__["settings"] = await aconnection_settings(self, self.salesforce_conn_id)
        return self.settings

    @compat.cached_property
    def _org(self) -> ConnectedOrg:
        return self._connected(self.settings)

    def _connected(self, settings: ConnectionSettings, *, shared: bool = True) -> ConnectedOrg:
        session = self._session(settings)
        source = self._token_source(settings, session.policy, shared=shared)
        return ConnectedOrg(session, Transport(settings.transport, source))

    def _session(self, settings: ConnectionSettings) -> Session:
        meter = self._meter
        version, policy = self.api_version or settings.api_version, retry_policy(meter.repeated)
        return Session(version, policy, meter=meter, reserve=org_reserve())

    @compat.cached_property
    def _meter(self) -> AirflowMeter:
        return AirflowMeter(self.salesforce_conn_id)

    def _token_source(self, settings: ConnectionSettings, policy: RetryPolicy, **options: Any) -> TokenSource:
        def exchange() -> Flow[Token]:
            try:
                token = yield from sign_in(settings.credentials, policy)
            except SalesforceError:
                self._meter.count("sign_ins", outcome="failed")
                raise
            self._meter.count("sign_ins", outcome="succeeded")
            return token

        return TokenSource(settings.credentials, exchange, announce=_mask, aannounce=_amask, **options)


def _mask(token: Token) -> None:
    """Let no log show a token."""
    sealed(lambda: mask(token.value, quote(token.value, safe="")))


async def _amask(token: Token) -> None:
    """The same from an event loop."""
    await asealed(lambda: amask(token.value, quote(token.value, safe="")))
