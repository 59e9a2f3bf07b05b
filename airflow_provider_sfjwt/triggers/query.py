"""Waiting in the triggerer until a query has rows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.triggers.org_trigger import OrgTrigger

if TYPE_CHECKING:
    from airflow_provider_sfjwt.salesforce.org.connected_org import AsyncConnectedOrg

__all__ = ["SalesforceQueryTrigger"]


class SalesforceQueryTrigger(OrgTrigger):
    """Fires when a query has enough rows, or when time is up.

    The event's payload: ``status`` is ``rows``, ``timeout`` or ``error``; ``rows`` is how many rows the query has. The
    other two have a ``message`` and say whether a retry helps (``retryable``). Airflow logs payloads: no row is in it.

    :param soql: the query.
    :param include_deleted: whether rows in the recycle bin and archived activities count too.
    :param at_least: how many rows it must have.
    :param condition: the dotted path of a function of the first row, or None.
    :param salesforce_conn_id: the connection.
    :param api_version: the version to ask in, or None for the connection's.
    :param poll_interval: seconds between two looks.
    :param exponential_backoff: whether each further pause is twice as long.
    :param max_wait: seconds that a pause may take then, or None.
    :param deadline: seconds since the epoch at which the waiting ends, or None.
    :param not_before: seconds since the epoch before which no event is fired, or None.
    """

    def __init__(
        self,
        soql: str,
        salesforce_conn_id: str,
        include_deleted: bool = False,
        at_least: int = 1,
        condition: str | None = None,
        api_version: str | None = None,
        poll_interval: float = 60,
        exponential_backoff: bool = False,
        max_wait: float | None = None,
        deadline: float | None = None,
        not_before: float | None = None,
        **_: Any,
    ) -> None:
        super().__init__(
            salesforce_conn_id,
            api_version=api_version,
            poll_interval=poll_interval,
            deadline=deadline,
            not_before=not_before,
        )
        self.soql = soql
        self.include_deleted = include_deleted
        self.at_least = at_least
        self.condition = condition
        self.exponential_backoff = exponential_backoff
        self.max_wait = max_wait

    def own_arguments(self) -> dict[str, Any]:
        """The query, what it must bring, and how to wait."""
        return {
            "soql": self.soql,
            "include_deleted": self.include_deleted,
            "at_least": self.at_least,
            "condition": self.condition,
            "api_version": self.api_version,
            "exponential_backoff": self.exponential_backoff,
            "max_wait": self.max_wait,
        }

    async def ending(self, org: AsyncConnectedOrg) -> dict[str, Any]:
        """Look until the query has enough rows.

        :param org: where it runs.
        :return: ``status`` and ``rows``, or where time was up a ``message`` and ``retryable``.
        """
        from airflow_provider_sfjwt.hooks.awaited_rows import AwaitedRows

        awaited = AwaitedRows.of(self)  # as a scheduler started the trigger, nobody has checked it
        awaited.check()
        pause = self.poll_interval
        while (rows := await org.run(lambda session: awaited.rows(session))) is None:
            left = self.remaining()
            if left <= 0:
                message = f"the time is up, and the query does not have what is waited for: {self.soql}"
                return {"status": "timeout", "message": message, "retryable": False}
            await asyncio.sleep(min(pause, left))
            pause = self._longer(pause)
        return {"status": "rows", "rows": rows}

    def _longer(self, pause: float) -> float:
        longer = pause * 2 if self.exponential_backoff else pause
        return longer if self.max_wait is None else min(longer, self.max_wait)
