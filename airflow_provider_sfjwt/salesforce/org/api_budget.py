"""How many API calls are left to the org's other users."""

from __future__ import annotations

from airflow_provider_sfjwt.exceptions import RequestLimitError
from airflow_provider_sfjwt.salesforce.api import org as org_api
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg


class ApiBudget:
    """The org's API calls that must stay unused.

    :param org: the org.
    :param at_least: how many must be left of its allocation for 24 hours; None for no limit.
    """

    def __init__(self, org: ConnectedOrg, at_least: int | None) -> None:
        self._org = org
        self.at_least = at_least

    @property
    def spent(self) -> bool:
        """Whether fewer are left, as the org last reported; it is asked where it never did, which costs a call.

        An org that refuses to answer has none left.
        """
        if self.at_least is None:
            return False
        try:
            return self._org.run(org_api.api_calls_left) < self.at_least
        except RequestLimitError:
            return True

    def look_again(self) -> None:
        """Forget what the org last reported: it refused a call since."""
        usage = self._org.session.usage
        usage.used = usage.allowed = None

    def check(self) -> None:
        """Refuse a call that would leave too few.

        :raises RequestLimitError: retryable, since the org has calls again later.
        """
        if self.spent:
            usage = self._org.session.usage
            left = "no" if usage.left is None else f"{usage.left} of its {usage.allowed}"
            raise RequestLimitError(
                f"the org has {left} API calls of 24 hours left, fewer than min_api_calls_left={self.at_least}",
                remedy="Run again later, or lower min_api_calls_left.",
                setup_page="Company Information",
                status=403,
                method="GET",
                path="limits",
                retryable=True,
            )
