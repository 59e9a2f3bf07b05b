"""The tasks of a sync's group: plan, small windows, one large window, summary."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from airflow_provider_sfjwt.compat import task_attempt
from airflow_provider_sfjwt.exceptions import ObjectsFailedError, SalesforceError, counted
from airflow_provider_sfjwt.files.data_sets.receipt import ChainLink
from airflow_provider_sfjwt.files.storage.errors import perhaps_elsewhere
from airflow_provider_sfjwt.files.storage.receipts import RECEIPT_NAME, Writer
from airflow_provider_sfjwt.hooks.lineage import HookLineage
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.sync.object_run import SMALL_ONLY
from airflow_provider_sfjwt.sync.outcome import Outcome, SyncReport
from airflow_provider_sfjwt.sync.plan import RunId, RunPlan, read_plan
from airflow_provider_sfjwt.sync.root import VERSION, SyncRoot
from airflow_provider_sfjwt.sync.run import SyncRun
from airflow_provider_sfjwt.sync.spec import SyncSpec
from airflow_provider_sfjwt.sync.state import States
from airflow_provider_sfjwt.tasks.assets import PublishedEvents, TaskWithAssets


class TaskOfSync(TaskWithAssets, Protocol):
    """What is asked of an operator here.

    :param sync: the arguments of the sync.
    :param sync_group: the group's id.
    """

    sync: Mapping[str, Any]
    sync_group: str

    @property
    def log(self) -> Any:
        """Airflow's logger of the task."""


class SyncTask:
    """One attempt of a task of a sync's group.

    :param task: the operator.
    :param context: Airflow's.
    :param org: where from.
    :param lineage: gets what is read and written.
    """

    def __init__(self, task: TaskOfSync, context: Mapping[str, Any], org: ConnectedOrg, lineage: HookLineage) -> None:
        self._lineage = lineage
        self._task = task
        self._context = context
        self._org = org
        self._started = time.monotonic()
        self._spec = spec_of(task, context)
        self._id = RunId.of(self._spec.written_by, task.sync_group)
        self._run = SyncRun(org, self._spec, self._id)

    def plan(self) -> dict[str, Any]:
        """Take the lease, and write down what the run is to do.

        :return: ``run``, ``end`` and how many ``objects``.
        """
        plan = self._run.plan()
        return {"run": plan.run, "end": plan.end.isoformat(), "objects": len(plan.chosen)}

    def small(self) -> list[dict[str, Any]]:
        """Extract the windows that are small.

        :return: of each large one the arguments of the extract that it is left to.
        :raises ObjectsFailedError: retryable, where another attempt of the task is to come and may help an object. The
            last one succeeds, so that the events of the objects that were published are emitted; the summary fails.
        """
        self._run.take_lease()
        plan = self._planned()
        outcomes = self._run.extract(plan, plan.chosen, SMALL_ONLY)
        self._run.tell(outcomes)
        self._lineage.synced({each.sobject: each.receipt for each in outcomes if each.receipt is not None})
        failed = {each.sobject: each.error or "" for each in outcomes if each.status == "failed"}
        passing = [each.sobject for each in outcomes if each.status == "failed" and each.retryable]
        attempt = task_attempt(self._context)
        if passing and attempt is not None and attempt.try_number <= attempt.max_tries:
            named = "; ".join(f"{name}: {failed[name]}" for name in passing)
            raise ObjectsFailedError(
                f"{counted(len(passing), 'object')} failed ({', '.join(passing)}), which the next attempt asks for "
                f"again, and for nothing else. {named}",
                failed=failed,
                retryable=True,
            )
        self._announce(outcomes)
        if self._run.is_summed_up:
            self._run.end_lease()  # no summary comes after a task that was cleared alone
        return [dict(each.arguments) for each in outcomes if each.arguments is not None]

    def summary(self) -> dict[str, Any]:
        """Sum up what became of the run's objects, and end its lease.

        :return: ``summary``, the path of the file; how many ``objects`` and ``records``, and which ``failed``.
        :raises ObjectsFailedError: when more objects failed than the author allows.
        """
        plan = self._planned()
        report: SyncReport = self._run.conclude(plan, self._run.left_by(plan))
        log = self._task.log.info
        log("%s", report.line())
        report.check(self._spec.max_failed_objects, may_be_repeated=False)
        return {
            "summary": report.summary,
            "objects": len(report.outcomes),
            "records": report.records,
            "failed": list(report.failed),
            "refused": list(report.refused),
        }

    def _planned(self) -> RunPlan:
        plan = read_plan(self._run.root, self._id.key)
        if plan is None:
            path = self._run.root.path
            raise SalesforceError(
                f"this run has no plan in {path}, so nothing was extracted: see the log of task 'plan'"
                f"{perhaps_elsewhere(path)}"
            )
        return plan

    def _announce(self, outcomes: Sequence[Outcome]) -> None:
        """Emit the events of published objects, each once in a run, also where its tasks are cleared."""
        place = ("_runs", self._id.key, "events.json")
        before = (self._run.root.read_json(*place) or {}).get("announced", [])
        news = [each for each in outcomes if each.receipt is not None and each.sobject not in before]
        for each in news:
            has_news = each.records > 0 or each.deleted > 0
            events = PublishedEvents(self._task, self._spec.salesforce_conn_id, each.sobject, emit_empty=has_news)
            events.emit(self._context, summary_of(each))
        if news:
            announced = [*before, *(each.sobject for each in news)]
            self._run.root.write_json({"version": VERSION, "announced": announced}, *place)


class LargeWindow:
    """The place of a large window in its object's chain.

    :param task: the operator that extracts it.
    :param context: Airflow's.
    :param sobject: the object.
    :param link: of the receipt to come.
    """

    def __init__(self, task: TaskOfSync, context: Mapping[str, Any], sobject: str, link: ChainLink) -> None:
        spec = spec_of(task, context)
        self._root = SyncRoot(spec.output_path)
        self._states = States(self._root, spec.rest_limits)
        self._sobject = sobject
        self._link = link

    def published(self) -> bool:
        """Whether the chain has a receipt in this place. A state that was not written is rolled forward."""
        state = self._states.current(self._sobject)
        return state is not None and state.sequence >= self._link.sequence


def spec_of(task: TaskOfSync, context: Mapping[str, Any]) -> SyncSpec:
    """What the author asks of a sync.

    :param task: the operator.
    :param context: Airflow's.
    :raises ConfigurationError: for arguments that cannot be carried out.
    """
    spec = SyncSpec(**task.sync, written_by=Writer.of(context))
    spec.check()
    return spec


def summary_of(outcome: Outcome) -> dict[str, Any]:
    """What the event of a published object says, as the result of an extract does.

    :param outcome: of the object.
    """
    receipt = outcome.receipt or ""
    return {
        "receipt": receipt,
        "output_path": receipt.removesuffix(f"/{RECEIPT_NAME}"),
        "records": outcome.records,
        "deleted": outcome.deleted,
        "job_id": None,
        "window": list(outcome.window) if outcome.window else None,
    }
