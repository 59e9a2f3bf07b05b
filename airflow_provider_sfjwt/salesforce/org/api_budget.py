"""How many API calls are left to the org's other users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from airflow_provider_sfjwt.exceptions import RequestLimitError
from airflow_provider_sfjwt.salesforce.api import org as org_api
from airflow_provider_sfjwt.salesforce.api.reserve import Rule
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.wire.flow import Flow

P = ParamSpec("P")
T = TypeVar("T")


class ApiBudget:
    """The org's API calls that must stay unused.

    :param org: the org.
    :param at_least: how many must be left of its allocation for 24 hours; None for no limit but that of the
        configuration, of which the stricter one holds.
    :param may_stop: whether the work can be interrupted, so that there is a limit at all.
    """

    def __init__(self, org: ConnectedOrg, at_least: int | None, *, may_stop: bool = True) -> None:
        self._org = org
        self._may_stop = may_stop
        self.at_least = at_least
        self._ahead = 0

    @property
    def is_limited(self) -> bool:
        """Whether calls must be left at all."""
        return self._may_stop and (self.at_least is not None or bool(self._org.session.reserve))

    @property
    def wanted(self) -> int:
        """How many calls must be left before the work can begin or go on; 0 where there is no limit."""
        return self._rule.least + self._ahead if self.is_limited else 0

    @property
    def _rule(self) -> Rule:
        return self._org.session.calls_to_leave(self.at_least)

    @property
    def spent(self) -> bool:
        """Whether fewer are left, as the org last reported; it is asked where it never did, which costs a call.

        An org that refuses to answer has none left.
        """
        if not self.is_limited:
            return False
        try:
            return self._org.run(org_api.api_calls_left) < self.wanted
        except RequestLimitError:
            return True

    def look_again(self) -> None:
        """Forget what the org last reported: it refused a call since."""
        usage = self._org.session.usage
        usage.used = usage.allowed = None

    def check(self, calls: int = 1) -> None:
        """Refuse calls that would leave too few.

        :param calls: how many are to be made that cannot be interrupted; at least 1.
        :raises RequestLimitError: retryable, since the org has calls again later.
        """
        self._ahead = calls - 1
        if self.spent:
            usage = self._org.session.usage
            more = f" and {self._ahead} more for this load" if self._ahead else ""
            raise self._rule.broken(usage.left, usage.allowed, more)


class SparingOrg(ConnectedOrg):
    """An org that is asked nothing while too few API calls are left.

    :param org: the org.
    :param budget: the calls that must stay unused.
    """

    def __init__(self, org: ConnectedOrg, budget: ApiBudget) -> None:
        super().__init__(org.session, org.transport)
        self._budget = budget

    def run(self, flow_function: Callable[Concatenate[Session, P], Flow[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a flow as :meth:`ConnectedOrg.run` does.

        :param flow_function: e.g. ``api.org.describe``; it gets the session first.
        :param args: and what follows.
        :param kwargs: by name.
        :return: what the flow returns.
        :raises RequestLimitError: retryable, when too few calls are left.
        """
        self._budget.check()
        return super().run(flow_function, *args, **kwargs)
