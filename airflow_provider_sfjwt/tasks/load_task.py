"""One try of a load task: what it finds of earlier tries, waiting for its jobs, and what it leaves to the next try."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.compat import settling_time, task_state_store
from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.files.storage.receipts import Writer
from airflow_provider_sfjwt.load.ledger import Ledger
from airflow_provider_sfjwt.load.load import Load
from airflow_provider_sfjwt.tasks.links import SalesforceJobLink

if TYPE_CHECKING:
    from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator
    from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
    from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg


class LoadRun:
    """One try of a load task, or what is left of it after a deferral.

    :param task: the operator.
    :param context: Airflow's.
    :param org: where to.
    :param event: of the trigger, where the task resumes; None where a try begins.
    """

    def __init__(
        self,
        task: SalesforceLoadOperator,
        context: Mapping[str, Any],
        org: ConnectedOrg,
        event: Mapping[str, Any] | None = None,
    ) -> None:
        self._task = task
        self._context = context
        self._org = org
        self._ledger = Ledger(task_state_store(context), event.get("ledger") if event else None)
        self._earlier_calls = int(event.get("api_calls") or 0) if event else 0
        order = replace(task.order(), written_by=Writer.of(context))
        self._load = Load(org, order, self._ledger, new_try=event is None, earlier_calls=self._earlier_calls)

    def go_on(self) -> dict[str, Any]:
        """Send what was not accepted yet, wait, and report.

        :return: what the task returns.
        """
        with self._load.prepared():
            if self._task.only_check:
                return self._load.conclude(dry_run=True).summary()
            while refs := self._load.advance():
                self._wait(refs)
            self._task.running = []
            report = self._load.conclude()
        self._ledger.forget()
        return report.summary()

    def _wait(self, refs: Sequence[JobRef]) -> None:
        task = self._task
        if task.killed:  # what is uploaded by now is in jobs that nobody has begun
            raise SalesforceError("the task was killed; a retry sends what was not accepted", retryable=True)
        task.running = list(refs)
        SalesforceJobLink().show(task, self._context, self._org.token().instance_url, refs[0].id)
        if task.deferrable:
            self._defer(refs)
        self._load.wait(refs, poll_interval=task.poll_interval, timeout=task.timeout)

    def _defer(self, refs: Sequence[JobRef]) -> None:
        from airflow_provider_sfjwt.triggers.bulk_load import SalesforceBulkLoadTrigger

        task = self._task
        trigger = SalesforceBulkLoadTrigger(
            salesforce_conn_id=task.salesforce_conn_id,
            jobs=[(ref.id, ref.api_version) for ref in refs],
            parallel_jobs=task.parallel_jobs,
            ledger=self._ledger.to_json(),
            api_calls=self._earlier_calls + self._org.session.usage.calls,
            poll_interval=task.poll_interval,
            deadline=time.time() + task.timeout,
            not_before=time.time() + settling_time(),
        )
        task.running = []  # from here on the trigger's on_kill aborts them
        task.defer(trigger=trigger, method_name="execute_complete")
