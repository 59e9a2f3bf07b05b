"""Waiting in the triggerer until the org has API calls left again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_sfjwt.api.org import wait_for_api_calls
from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.triggers.bulk_job import TOKEN_MAX_AGE


class SalesforceApiCallsTrigger(BaseTrigger):
    """Fires when the org has at least so many API calls left of its allocation for 24 hours, or when time is up.

    The event's payload: ``status`` is ``available``, ``timeout`` or ``error``; the last two have a ``message``, and an
    ``error`` says whether it is ``retryable``.

    :param salesforce_conn_id: the connection.
    :param at_least: how many calls must be left.
    :param api_version: the version to ask in, or None for the connection's.
    :param poll_interval: seconds until the second look; each further one comes twice as much later, up to 15 minutes.
    :param deadline: seconds since the epoch at which the waiting ends.
    :param not_before: seconds since the epoch before which no event is fired, or None.
    """

    def __init__(
        self,
        salesforce_conn_id: str,
        at_least: int,
        api_version: str | None = None,
        poll_interval: float = 30,
        deadline: float | None = None,
        not_before: float | None = None,
        **_: Any,
    ) -> None:
        # Airflow ends the whole triggerer when this raises, so it takes what an older or newer release serialized.
        super().__init__()  # type: ignore[no-untyped-call]
        self.salesforce_conn_id = salesforce_conn_id
        self.at_least = at_least
        self.api_version = api_version
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.not_before = not_before

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What is stored while the task is deferred: ids, numbers and times."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "salesforce_conn_id": self.salesforce_conn_id,
                "at_least": self.at_least,
                "api_version": self.api_version,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "not_before": self.not_before,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire once."""
        event = await self._wait()
        if self.not_before is not None:
            await asyncio.sleep(max(0.0, self.not_before - time.time()))
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def _wait(self) -> dict[str, Any]:
        hook = SalesforceJwtHook(self.salesforce_conn_id, api_version=self.api_version)
        try:
            async with hook.aconnect(token_max_age=TOKEN_MAX_AGE) as org:
                came = await org.run(
                    wait_for_api_calls, self.at_least, poll_interval=self.poll_interval, remaining=self._remaining
                )
                left = org.session.usage.left
        except SalesforceError as error:
            return {"status": "error", "message": str(error), "retryable": error.retryable}
        if came:
            return {"status": "available"}
        message = (
            f"the org still has {left} API calls left, fewer than min_api_calls_left={self.at_least}, and the task's "
            "time is up. Nothing was published. Retry later, or lower min_api_calls_left."
        )
        return {"status": "timeout", "message": message, "retryable": True}

    def _remaining(self) -> float:
        return float("inf") if self.deadline is None else self.deadline - time.time()
