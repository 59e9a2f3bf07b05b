"""An org that flows can be run against, from a worker's thread or from an event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.auth.token import Token
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Flow
from airflow_provider_sfjwt.salesforce.wire.transport import AsyncTransport, Transport

P = ParamSpec("P")
T = TypeVar("T")


class ConnectedOrg:
    """An org, spoken to from a thread. May be shared by threads.

    :param session: what the flows share.
    :param transport: what carries them.
    """

    def __init__(self, session: Session, transport: Transport) -> None:
        self.session = session
        self.transport = transport

    def run(self, flow_function: Callable[Concatenate[Session, P], Flow[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a flow of :mod:`airflow_provider_sfjwt.salesforce.api`.

        :param flow_function: e.g. ``api.org.describe``; it gets the session first.
        :param args: and what follows.
        :param kwargs: by name.
        :return: what the flow returns.
        :raises SalesforceError: what the flow raises.
        """
        return self.transport.run(flow_function(self.session, *args, **kwargs))

    def part(self) -> ConnectedOrg:
        """The same org with a count of API calls of its own, for one of several things that are done at once."""
        return ConnectedOrg(self.session.part(), self.transport)

    def with_own_budget(self) -> ConnectedOrg:
        """The same org for work that looks itself where it may stop, by an :class:`~.api_budget.ApiBudget`."""
        return ConnectedOrg(self.session.with_own_budget(), self.transport)

    def token(self, stale: Token | None = None) -> Token:
        """A token that works, for clients that carry their own requests.

        :param stale: the token that Salesforce refused, or None.
        """
        token: Token = self.transport.run(flow.renew(stale))
        return token

    @property
    def known_instance_url(self) -> str | None:
        """Where the org lies; None before this process has signed in, which this does not."""
        renewal = self.transport.renewal
        token = renewal.alive(None) if renewal is not None else None
        return token.instance_url if isinstance(token, Token) else None

    def sleep(self, seconds: float) -> None:
        """Wait.

        :param seconds: how long; nothing for 0 or less.
        """
        if seconds > 0:
            self.transport.run(flow.pause(seconds))

    def close(self) -> None:
        """Close the connections. The access token lives on: it is never revoked."""
        self.transport.close()


class AsyncConnectedOrg:
    """An org, spoken to from an event loop.

    :param session: what the flows share.
    :param transport: what carries them.
    """

    def __init__(self, session: Session, transport: AsyncTransport) -> None:
        self.session = session
        self.transport = transport

    async def run(
        self, flow_function: Callable[Concatenate[Session, P], Flow[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a flow of :mod:`airflow_provider_sfjwt.salesforce.api`.

        :param flow_function: e.g. ``api.org.describe``; it gets the session first.
        :param args: and what follows.
        :param kwargs: by name.
        :return: what the flow returns.
        :raises SalesforceError: what the flow raises.
        """
        return await self.transport.run(flow_function(self.session, *args, **kwargs))

    async def close(self) -> None:
        """Close the connections. The access token lives on: it is never revoked."""
        await self.transport.close()
