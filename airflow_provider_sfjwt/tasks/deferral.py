"""What a task waits for before it gives Salesforce work, deferred where its author allows it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.compat import settling_time
from airflow_provider_sfjwt.exceptions import SalesforceError

if TYPE_CHECKING:
    from airflow_provider_sfjwt.salesforce.org.api_budget import ApiBudget
    from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg


def let_commits_settle(operator: Any, org: ConnectedOrg, end: datetime, *, method_name: str) -> None:
    """Wait until an interval is old enough for every row of it to be visible.

    :param operator: with ``commit_lag`` in seconds and ``deferrable``.
    :param org: whose clock counts.
    :param end: of the interval.
    :param method_name: what to go on with after a deferral.
    """
    from airflow_provider_sfjwt.salesforce.api.org import server_time

    left = (end + timedelta(seconds=operator.commit_lag) - org.run(server_time)).total_seconds()
    if left <= 0:
        return
    operator.log.info("Waiting %.0f s, so that rows that are committed late are seen (commit_lag)", left)
    if operator.deferrable:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        moment = datetime.now(timezone.utc) + timedelta(seconds=max(left, settling_time()))
        operator.defer(trigger=DateTimeTrigger(moment), method_name=method_name)
    org.sleep(left)


def spare_api_calls(operator: Any, budget: ApiBudget, *, method_name: str) -> None:
    """Wait until the org has enough API calls left, or end the try where the task is not deferrable.

    :param operator: with ``deferrable``, ``poll_interval`` and ``timeout`` in seconds, ``salesforce_conn_id`` and
        ``api_version``.
    :param budget: what must be left.
    :param method_name: what to go on with after a deferral.
    :raises RequestLimitError: retryable, where the task is not deferrable.
    """
    if not operator.deferrable:
        budget.check()
    if not budget.spent:
        return
    from airflow_provider_sfjwt.triggers.api_calls import SalesforceApiCallsTrigger

    operator.log.info("Waiting until the org has %d API calls left (min_api_calls_left)", budget.at_least)
    trigger = SalesforceApiCallsTrigger(
        salesforce_conn_id=operator.salesforce_conn_id,
        at_least=budget.at_least or 0,
        api_version=operator.api_version,
        poll_interval=operator.poll_interval,
        deadline=time.time() + operator.timeout,
        not_before=time.time() + settling_time(),
    )
    operator.defer(trigger=trigger, method_name=method_name)


def check_event(event: Mapping[str, Any]) -> None:
    """Raise what a trigger could only tell.

    :param event: its payload.
    :raises SalesforceError: when the waiting came to no good end.
    """
    if event["status"] in ("timeout", "error"):
        raise SalesforceError(event["message"], retryable=event["retryable"])
