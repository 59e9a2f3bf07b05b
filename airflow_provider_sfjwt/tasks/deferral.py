"""What a task waits for before it gives Salesforce work, deferred where its author allows it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any, NoReturn, Protocol

from airflow.providers.standard.triggers.temporal import DateTimeTrigger

from airflow_provider_sfjwt.arguments import JobSpec
from airflow_provider_sfjwt.compat import settling_time
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.salesforce.api.clock import MOST_APART
from airflow_provider_sfjwt.salesforce.org.agreed_time import agreed_time
from airflow_provider_sfjwt.salesforce.org.api_budget import ApiBudget
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.triggers.api_calls import SalesforceApiCallsTrigger


class DeferrableTask(Protocol):
    """What a wait needs of the operator that it holds up."""

    @property
    def log(self) -> Any:
        """Airflow's logger of the task."""

    def defer(self, *, trigger: Any, method_name: str, kwargs: dict[str, Any] | None = None) -> NoReturn:
        """Leave the worker until the trigger fires.

        :param trigger: what to wait for.
        :param method_name: of the operator, to go on with.
        :param kwargs: for that method.
        """


def let_commits_settle(
    task: DeferrableTask, spec: ExtractSpec, org: ConnectedOrg, end: datetime, *, method_name: str
) -> None:
    """Wait until an interval is old enough for every row of it to be visible.

    :param task: that waits.
    :param spec: with ``commit_lag`` in seconds and ``deferrable``.
    :param org: whose clock counts.
    :param end: of the interval.
    :param method_name: what to go on with after a deferral.
    :raises ConfigurationError: for a run whose interval ends in the future: the wait is never much longer than
        ``commit_lag``.
    """
    now, settled = org.run(agreed_time), end + timedelta(seconds=spec.commit_lag)
    if spec.incremental == "data_interval" and (end - now).total_seconds() > MOST_APART:
        raise ConfigurationError(
            {
                "incremental": f"the interval of this run ends at {end.isoformat()}, which is in the future: the org's "
                f"clock says {now.isoformat(timespec='seconds')}. Trigger the run after its interval has ended"
            },
            subject="the task",
        )
    left = (settled - now).total_seconds()
    if left <= 0:
        return
    task.log.info(
        "Waiting %.0f s, until %s, so that rows that are committed late are seen (commit_lag)",
        left,
        settled.isoformat(timespec="seconds"),
    )
    if spec.deferrable:
        moment = datetime.now(timezone.utc) + timedelta(seconds=max(left, settling_time()))
        task.defer(trigger=DateTimeTrigger(moment), method_name=method_name)
    org.sleep(left)


def spare_api_calls(
    task: DeferrableTask,
    spec: JobSpec,
    budget: ApiBudget,
    *,
    method_name: str,
    kwargs: dict[str, Any] | None = None,
) -> None:
    """Wait until the org has enough API calls left, or end the attempt where the task is not deferrable.

    :param task: that waits.
    :param spec: with ``deferrable``, ``poll_interval`` and ``timeout`` in seconds, and the connection.
    :param budget: what must be left.
    :param method_name: what to go on with after a deferral.
    :param kwargs: for that method.
    :raises RequestLimitError: retryable, where the task is not deferrable.
    """
    if not spec.deferrable:
        budget.check()
    if not budget.spent:
        return
    deadline = time.time() + spec.timeout
    task.log.info(
        "Waiting until the org has %d API calls left (min_api_calls_left, org_reserve), until %s at most",
        budget.wanted,
        datetime.fromtimestamp(deadline, timezone.utc).isoformat(timespec="seconds"),
    )
    trigger = SalesforceApiCallsTrigger(
        salesforce_conn_id=spec.salesforce_conn_id,
        at_least=budget.wanted,
        api_version=spec.api_version,
        poll_interval=spec.poll_interval,
        deadline=deadline,
        not_before=time.time() + settling_time(),
    )
    task.defer(trigger=trigger, method_name=method_name, kwargs=kwargs)
