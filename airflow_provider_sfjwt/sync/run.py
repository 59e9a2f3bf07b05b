"""A run of a sync: lease, selection, one end for all, the objects in threads, and what became of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

from airflow_provider_sfjwt.exceptions import ApiError, RequestLimitError, SalesforceError, counted
from airflow_provider_sfjwt.extract.route import Route
from airflow_provider_sfjwt.extract.routes import ROUTES
from airflow_provider_sfjwt.salesforce.api.replication import record_counts
from airflow_provider_sfjwt.salesforce.org.agreed_time import agreed_time
from airflow_provider_sfjwt.salesforce.org.api_budget import ApiBudget
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.sync.descriptions import Descriptions
from airflow_provider_sfjwt.sync.lease import end_lease, take_lease
from airflow_provider_sfjwt.sync.object_run import ObjectRun
from airflow_provider_sfjwt.sync.outcome import Outcome, SyncReport, failed_first
from airflow_provider_sfjwt.sync.plan import RunId, RunPlan, read_plan
from airflow_provider_sfjwt.sync.root import VERSION, SyncRoot
from airflow_provider_sfjwt.sync.selection import Chosen, select
from airflow_provider_sfjwt.sync.spec import SyncSpec
from airflow_provider_sfjwt.sync.state import ObjectState, States

log = logging.getLogger(__name__)

_OUTCOMES = "outcomes.json"


class SyncRun:
    """One run. Its steps may be different tasks: what one leaves for the next is beside the data.

    :param org: where from.
    :param spec: which objects, and where to.
    :param run: the run.
    """

    def __init__(self, org: ConnectedOrg, spec: SyncSpec, run: RunId) -> None:
        self._org = org
        self._spec = spec
        self._run = run
        self.root = SyncRoot(spec.output_path)
        self._states = States(self.root, spec.rest_limits)
        self._descriptions = Descriptions(self.root)
        self._budget = ApiBudget(org, spec.min_api_calls_left)

    def plan(self) -> RunPlan:
        """Take the root's lease, and find the objects; or what an earlier attempt of the run planned.

        :raises SalesforceError: retryable, when another run has the lease, or the clocks contradict each other.
        :raises ConfigurationError: when the root is of another org, or cannot be written.
        """
        self._spec.check()
        self._budget.check()
        token = self._org.token()
        self.root.prepare(token.org_id, urlsplit(token.instance_url).hostname)
        self.take_lease()
        self.root.remove(*self._summary)  # of a run that is cleared
        plan = read_plan(self.root, self._run.key)
        if plan is None:
            try:
                plan = self._planned(token.org_id)
            except SalesforceError:
                self.end_lease()  # nothing was begun, and another run may come first
                raise
            plan.write(self.root)
        log.info(
            "Sync of %s up to %s, run %s", counted(len(plan.chosen), "object"), plan.end.isoformat(), self._run.key
        )
        return plan

    def _planned(self, org_id: str | None) -> RunPlan:
        end = self._org.run(agreed_time) - timedelta(seconds=self._spec.commit_lag)
        selection = select(self._spec.objects, self._spec.exclude, self._descriptions.listed(self._org))
        return RunPlan(
            run=self._run.key,
            org_id=org_id,
            begun_at=time.time(),
            end=end.replace(microsecond=0),
            chosen=selection.chosen,
            faults=selection.faults,
        )

    def take_lease(self) -> None:
        """Take the lease of the root, or keep it.

        :raises SalesforceError: retryable, when another run has it.
        """
        take_lease(self.root, self._run.key, self._run.owner, self._spec.timeout)

    def end_lease(self) -> None:
        """End the lease, where this run has it."""
        end_lease(self.root, self._run.key)

    @property
    def is_summed_up(self) -> bool:
        """Whether the run has its summary, so that a task of it that runs now was cleared alone."""
        return self.root.read_text(*self._summary) is not None

    @property
    def _summary(self) -> tuple[str, str, str]:
        return "_runs", self._run.key, "summary.json"

    def extract(
        self, plan: RunPlan, chosen: Sequence[Chosen], routes: Mapping[str, type[Route]] = ROUTES
    ) -> list[Outcome]:
        """Take the turns of objects, the biggest first, some at once.

        :param plan: of the run.
        :param chosen: the objects.
        :param routes: the ways to fetch rows, by their names.
        :return: what became of each, and of the names that are none.
        """
        with ThreadPoolExecutor(self._spec.threads, thread_name_prefix="sync") as pool:
            found = list(pool.map(self._state_of, chosen))
            readable = [(each, state) for each, state in found if not isinstance(state, Outcome)]
            unreadable = [state for _, state in found if isinstance(state, Outcome)]
            readable.sort(key=_most_rows_first)
            objects = ObjectRun(
                org=self._org,
                spec=self._spec,
                root=self.root,
                states=self._states,
                plan=plan,
                descriptions=self._descriptions,
                routes=routes,
                counts=self._counts(state for _, state in readable),
            )
            return [*pool.map(lambda each: self._turn(objects, *each), readable), *unreadable]

    def _state_of(self, chosen: Chosen) -> tuple[Chosen, ObjectState | Outcome | None]:
        """An object with its state, or with what is wrong with the state."""
        try:
            return chosen, self._states.current(chosen.sobject)
        except SalesforceError as error:
            return chosen, Outcome(chosen.sobject, "failed", error=str(error), retryable=error.retryable)

    def _counts(self, states: Iterable[ObjectState | None]) -> Mapping[str, int]:
        """About how many records the org's objects have, where some of them are extracted for the first time.

        For one object the first page is not dearer.
        """
        if sum(state is None or (state.reached is None and state.refused is None) for state in states) < 2:
            return {}
        try:
            return self._org.run(record_counts)
        except ApiError as error:
            log.info("The org does not count its records (%s); first windows ask their first page", error)
            return {}

    def _turn(self, objects: ObjectRun, chosen: Chosen, state: ObjectState | None) -> Outcome:
        try:
            self._budget.check()
        except RequestLimitError as error:
            return Outcome(chosen.sobject, "failed", error=str(error), retryable=True)
        return objects.run(chosen, state)

    def left_by(self, plan: RunPlan) -> list[Outcome]:
        """What became of the run's objects, once all of its tasks have ended.

        The states say it, so that it holds whatever attempt of which task published an object.

        :param plan: of the run.
        """
        told = {each.sobject: each for each in self._told()}
        with ThreadPoolExecutor(self._spec.threads, thread_name_prefix="sync") as pool:
            return list(pool.map(lambda each: self._left_by(each, told.get(each.sobject)), plan.chosen))

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        """Keep what became of objects, for the task that sums it up.

        :param outcomes: of objects.
        """
        kept = [replace(each, arguments=None).to_json() for each in outcomes]
        self.root.write_json({"version": VERSION, "outcomes": kept}, "_runs", self._run.key, _OUTCOMES)

    def _told(self) -> list[Outcome]:
        content = self.root.read_json("_runs", self._run.key, _OUTCOMES)
        return [] if content is None else [Outcome.from_json(each) for each in content["outcomes"]]

    def _left_by(self, chosen: Chosen, told: Outcome | None) -> Outcome:
        try:
            state = self._states.current(chosen.sobject)
            ours = state is not None and state.run == self._run.key
            receipt = self._states.last_receipt(state) if state is not None and ours else None
        except SalesforceError as error:
            return Outcome(chosen.sobject, "failed", error=str(error), retryable=error.retryable)
        if receipt is not None:
            cost = told if told is not None and told.status == "published" else receipt
            return Outcome.of(receipt, "published", api_calls=cost.api_calls, seconds=cost.seconds)
        if told is None:
            return Outcome(chosen.sobject, "failed", error="no task of this run got to it: see their logs")
        if told.status == "large":
            said = "the task that was to extract its window failed: see the logs of 'large'"
            return Outcome(chosen.sobject, "failed", error=said, retryable=True)
        return told

    def conclude(self, plan: RunPlan, outcomes: Iterable[Outcome]) -> SyncReport:
        """Write the run's summary, and end its lease.

        :param plan: of the run.
        :param outcomes: of its objects.
        """
        outcomes = list(outcomes)
        faults = [Outcome(name, "failed", error=fault) for name, fault in plan.faults.items()]
        report = SyncReport(
            run=plan.run,
            end=plan.end.isoformat(),
            outcomes=failed_first([*faults, *outcomes]),
            api_calls=sum(each.api_calls for each in outcomes),
            seconds=time.time() - plan.begun_at,
            summary="/".join((self.root.path, *self._summary)),
        )
        self.root.write_json(report.to_json(), *self._summary)
        self.end_lease()
        return report


def run_sync(org: ConnectedOrg, spec: SyncSpec) -> SyncReport:
    """Take all steps of a run in this process.

    :param org: where from.
    :param spec: which objects, and where to.
    :return: what became of each object.
    :raises ObjectsFailedError: when more objects failed than the spec allows.
    """
    group = spec.written_by.task_id if spec.written_by is not None else ""
    sync = SyncRun(org, spec, RunId.of(spec.written_by, group))
    plan = sync.plan()
    try:
        report = sync.conclude(plan, sync.extract(plan, plan.chosen))
    finally:
        sync.end_lease()
    report.check(spec.max_failed_objects)
    return report


def _most_rows_first(each: tuple[Chosen, ObjectState | None]) -> float:
    """Objects that have never been extracted come first, then those that had most rows last."""
    state = each[1]
    return float("-inf") if state is None or state.reached is None else -state.records
