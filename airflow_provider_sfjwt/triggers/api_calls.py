"""Waiting in the triggerer until the org has API calls left again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.exceptions import counted
from airflow_provider_sfjwt.triggers.org_trigger import OrgTrigger

if TYPE_CHECKING:
    from airflow_provider_sfjwt.salesforce.org.connected_org import AsyncConnectedOrg

__all__ = ["SalesforceApiCallsTrigger"]


class SalesforceApiCallsTrigger(OrgTrigger):
    """Fires when the org has enough API calls left of its allocation for 24 hours, or when time is up.

    The event's payload: ``status`` is ``available``, ``timeout`` or ``error``; the last two have a ``message``, and an
    ``error`` says whether it is ``retryable``.

    :param salesforce_conn_id: the connection.
    :param at_least: how many calls must be left.
    :param api_version: the version to ask in, or None for the connection's.
    :param poll_interval: seconds until the second look; each further pause is twice as long, up to 15 minutes.
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
        super().__init__(
            salesforce_conn_id,
            api_version=api_version,
            poll_interval=poll_interval,
            deadline=deadline,
            not_before=not_before,
        )
        self.at_least = at_least

    def own_arguments(self) -> dict[str, Any]:
        """How many calls must be left, and in which version to ask."""
        return {"at_least": self.at_least, "api_version": self.api_version}

    async def ending(self, org: AsyncConnectedOrg) -> dict[str, Any]:
        """Wait until enough calls are left.

        :param org: whose calls.
        :return: ``status``, and where time was up a ``message`` and ``retryable``.
        """
        from airflow_provider_sfjwt.salesforce.api.org import wait_for_api_calls

        enough = await org.run(
            wait_for_api_calls, self.at_least, poll_interval=self.poll_interval, remaining=self.remaining
        )
        if enough:
            return {"status": "available"}
        rule = org.session.calls_to_leave()
        if rule.least < self.at_least:  # the task asked for more than the configuration
            rule = org.session.calls_to_leave(self.at_least)
        message = (
            f"the org still has {counted(org.session.usage.left or 0, 'API call')} left, fewer than {rule.name}, and "
            f"the time to wait for them is up. {rule.remedy}"
        )
        return {"status": "timeout", "message": message, "retryable": True}
