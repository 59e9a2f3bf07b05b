"""One attempt of a load task: what earlier attempts left, waiting for its jobs, and what it leaves to the next one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from airflow_provider_sfjwt.compat import settling_time, task_attempt, task_state_store
from airflow_provider_sfjwt.exceptions import RequestLimitError, SalesforceError
from airflow_provider_sfjwt.load.ledger import Ledger
from airflow_provider_sfjwt.load.load import prepared_load
from airflow_provider_sfjwt.load.sending.sender import may_stop
from airflow_provider_sfjwt.salesforce.org.api_budget import ApiBudget
from airflow_provider_sfjwt.tasks.deferral import DeferrableTask, spare_api_calls
from airflow_provider_sfjwt.tasks.links import SalesforceJobLink

if TYPE_CHECKING:
    from airflow_provider_sfjwt.load.spec import LoadSpec
    from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
    from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
    from airflow_provider_sfjwt.tasks.report.reporting import Draft


class LoadingTask(DeferrableTask, Protocol):
    """What a load needs of the operator that runs it, beside the arguments that its spec reads.

    :param running: the jobs that ``on_kill`` aborts.
    :param killed: whether Airflow has ended the task. Airflow says so in the middle of its work, which continues for
        seconds.
    :param job_url: for the link to the job.
    """

    running: list[JobRef]
    killed: bool
    job_url: str


def opened_ledger(context: Mapping[str, Any], event: Mapping[str, Any] | None, *, sends: bool) -> Ledger:
    """What earlier attempts have sent. It is opened before anything that may fail, so that each attempt is known by it.

    :param context: Airflow's.
    :param event: as :class:`LoadTask` has it.
    :param sends: whether the attempt sends anything.
    """
    store = task_state_store(context, outlives_clear=True)
    entries = event.get("ledger") if event else None
    return Ledger(store, entries, sends=sends, attempt=task_attempt(context))


class LoadTask:
    """One attempt of a load task, or the rest of it after a deferral.

    :param operator: the operator.
    :param spec: what is asked for; it has been checked.
    :param context: Airflow's.
    :param ledger: of this attempt.
    :param org: where the rows go.
    :param event: of the trigger, where the task resumes, or what was handed over before a wait for API
        calls; None where an attempt begins.
    :param draft: of the task's report.
    :param on_report: called when all is loaded and reported, before the ledger forgets it.
    """

    def __init__(
        self,
        operator: LoadingTask,
        spec: LoadSpec,
        context: Mapping[str, Any],
        ledger: Ledger,
        org: ConnectedOrg,
        event: Mapping[str, Any] | None,
        draft: Draft,
        on_report: Callable[[], None] | None = None,
    ) -> None:
        self._operator = operator
        self._spec = spec
        self._context = context
        self._org = draft.org = org
        self._draft = draft
        self._on_report = on_report
        self._resumes = event is not None and not event.get("new_attempt")
        self._began_at = float((event or {}).get("began_at") or time.time())
        self._ledger = ledger
        seen_through = self._resumes and not may_stop(spec, self._ledger)
        self._budget = ApiBudget(org, spec.min_api_calls_left, may_stop=not seen_through)
        org.session.usage.calls += int(event.get("api_calls") or 0) if event else 0

    def run(self) -> dict[str, Any]:
        """Send what was not accepted yet, wait, and report.

        :return: what the task returns.
        """
        self._spare_api_calls()
        try:
            return self._load()
        except RequestLimitError as error:
            # Where Salesforce refused the call, what it last reported is no longer true.
            if self._spec.deferrable and self._budget.is_limited and error.retryable:
                self._budget.look_again()
                self._spare_api_calls()
            raise

    def _load(self) -> dict[str, Any]:
        with prepared_load(
            self._org, self._spec, self._ledger, self._budget, new_attempt=not self._resumes, began_at=self._began_at
        ) as load:
            self._draft.load = load
            while refs := load.advance():
                self._begin_waiting(refs)
                load.wait(refs)
            self._operator.running = []
            self._ledger.check_owner()
            report = load.conclude()
        if self._on_report is not None:
            self._on_report()
        if not self._spec.dry_run:
            self._ledger.forget(report.outline())
        return report.summary()

    def _spare_api_calls(self) -> None:
        """Wait for API calls in the triggerer, or fail where the task is not deferrable."""
        handed_over = {
            "ledger": self._ledger.to_json(),
            "api_calls": self._org.session.usage.calls,
            "began_at": self._began_at,
            "new_attempt": not self._resumes,
        }
        spare_api_calls(
            self._operator,
            self._spec,
            self._budget,
            method_name="execute_after_budget",
            kwargs={"handed_over": handed_over},
        )

    def _begin_waiting(self, refs: Sequence[JobRef]) -> None:
        """Let ``on_kill`` and the link know the jobs; where the task is deferrable, the triggerer waits for them."""
        operator = self._operator
        if operator.killed:  # what is uploaded by now is in jobs that have not begun
            raise SalesforceError("the task was killed; a retry sends what was not accepted", retryable=True)
        operator.running = list(refs)
        self._draft.job_ids += [ref.id for ref in refs]
        SalesforceJobLink().show(operator, self._context, self._org.token().instance_url, refs[0].id)
        if self._spec.deferrable:
            self._defer(refs)

    def _defer(self, refs: Sequence[JobRef]) -> NoReturn:
        from airflow_provider_sfjwt.triggers.bulk_load import SalesforceBulkLoadTrigger

        spec = self._spec
        trigger = SalesforceBulkLoadTrigger(
            salesforce_conn_id=spec.salesforce_conn_id,
            jobs=[(ref.id, ref.api_version) for ref in refs],
            parallel_jobs=spec.parallel_jobs,
            ledger=self._ledger.to_json(),
            api_calls=self._org.session.usage.calls,
            began_at=self._began_at,
            min_api_calls_left=spec.min_api_calls_left,
            poll_interval=spec.poll_interval,
            deadline=time.time() + spec.timeout,
            not_before=time.time() + settling_time(),
        )
        self._operator.running = []  # from here on the trigger's on_kill aborts them
        self._operator.defer(trigger=trigger, method_name="execute_complete")
