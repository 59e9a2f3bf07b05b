"""One object in one run of a sync: state, description, deletions, rows, receipt, state."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any, NoReturn

from airflow_provider_sfjwt.arguments import Window
from airflow_provider_sfjwt.exceptions import ApiError, ConfigurationError, SalesforceError
from airflow_provider_sfjwt.extract.extraction import Extraction
from airflow_provider_sfjwt.extract.route import Fetch, Route
from airflow_provider_sfjwt.extract.routes import ROUTES
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.files.data_sets.receipt import ChainLink
from airflow_provider_sfjwt.files.storage.errors import reason_of, storage_failures
from airflow_provider_sfjwt.salesforce.api.clock import MOST_APART
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.org.described_object import DescribedObject
from airflow_provider_sfjwt.sync.cursors import cursor_of
from airflow_provider_sfjwt.sync.deletes import before_rows
from airflow_provider_sfjwt.sync.descriptions import Descriptions
from airflow_provider_sfjwt.sync.drift import evolve
from airflow_provider_sfjwt.sync.formulas import refresh_formulas
from airflow_provider_sfjwt.sync.outcome import Outcome
from airflow_provider_sfjwt.sync.plan import RunPlan
from airflow_provider_sfjwt.sync.root import SyncRoot, window_folder
from airflow_provider_sfjwt.sync.selection import Chosen
from airflow_provider_sfjwt.sync.spec import SyncSpec
from airflow_provider_sfjwt.sync.state import ObjectState, States
from airflow_provider_sfjwt.sync.turn import Turn

log = logging.getLogger(__name__)

#: Before this there was no Salesforce: the start of the first window.
_BEGINNING = datetime.fromisoformat("1999-01-01T00:00:00+00:00")
#: How long Salesforce's refusal of an object is believed before it is asked again.
_REFUSED_FOR = timedelta(days=7)
#: Refusals that are of a field or of the moment, and not of the object.
_NOT_OF_THE_OBJECT = frozenset({"INVALID_FIELD", "QUERY_TIMEOUT", "INVALID_QUERY_LOCATOR"})


class LargeWindowError(SalesforceError):
    """The rows of a window are so many that a job shall fetch them, and another task waits for it."""


class LeftToATask:
    """Takes the place of Bulk API 2.0 where another task shall wait for the job."""

    def __init__(self, fetch: Fetch) -> None:
        pass

    def ask(self) -> NoReturn:
        """Leave the rows to another task.

        :raises LargeWindowError: always.
        """
        raise LargeWindowError("the rows are left to a job")


#: Routes by which small windows are fetched, and large ones are left to another task.
SMALL_ONLY: dict[str, type[Route]] = {**ROUTES, "bulk": LeftToATask}


@dataclass(frozen=True)
class ObjectRun:
    """Takes the turns of a run's objects. Threads may share it.

    :param org: where from.
    :param spec: of the sync.
    :param root: of the sync.
    :param states: of the root's objects.
    :param plan: of the run.
    :param descriptions: of the objects.
    :param routes: the ways to fetch rows, by their names.
    :param counts: about how many records objects have, where that is known: a first window may be large.
    """

    org: ConnectedOrg
    spec: SyncSpec
    root: SyncRoot
    states: States
    plan: RunPlan
    descriptions: Descriptions
    routes: Mapping[str, type[Route]]
    counts: Mapping[str, int]

    def run(self, chosen: Chosen, state: ObjectState | None) -> Outcome:
        """Extract what is new in one object. What goes wrong with it is part of the outcome.

        :param chosen: the object.
        :param state: of its chain; None before the first run.
        """
        started, org = time.monotonic(), self.org.part()
        try:
            outcome = self._before(chosen, state) or self._extracted(org, chosen, state)
        except SalesforceError as error:
            outcome = self._failed(chosen, state, error)
        except storage_failures() as error:
            outcome = Outcome(chosen.sobject, "failed", error=reason_of(error), retryable=True)
        seconds = round(time.monotonic() - started, 3)
        outcome = replace(outcome, api_calls=org.session.usage.calls, seconds=seconds)
        if outcome.status in ("failed", "refused"):
            log.warning("%s: %s: %s", chosen.sobject, outcome.status, outcome.error)
        return outcome

    def _before(self, chosen: Chosen, state: ObjectState | None) -> Outcome | None:
        """What is known of the object without asking the org; None where its rows are to be extracted."""
        if state is None:
            return None
        if state.refused is not None and not chosen.by_name:
            since = datetime.now(timezone.utc) - datetime.fromisoformat(state.refused["at"])
            if since < _REFUSED_FOR:
                return Outcome(chosen.sobject, "refused", error=state.refused["answer"])
        self._must_not_be_ahead(state)
        if state.reached is not None and datetime.fromisoformat(state.reached) >= self.plan.end:
            return self._done(state)
        return None

    def _done(self, state: ObjectState) -> Outcome:
        """An earlier attempt of this run, or a later run, has got as far."""
        if state.run != self.plan.run:
            return Outcome(state.sobject, "done")
        return Outcome.of(self.states.last_receipt(state), "done")

    def _extracted(self, org: ConnectedOrg, chosen: Chosen, state: ObjectState | None) -> Outcome:
        try:
            return self._asked(org, self._refreshed(org, chosen, self._turn(org, chosen, state)))
        except ApiError as error:
            # The description that is known may be older than a field that is hidden or gone.
            if not error.has_code("INVALID_FIELD"):
                raise
            self.descriptions.forget(chosen.sobject)
            log.info("%s: %s It is described again", chosen.sobject, error)
            current = self.states.current(chosen.sobject)  # formula fields may have been published
            return self._asked(org, self._refreshed(org, chosen, self._turn(org, chosen, current)))

    def _refreshed(self, org: ConnectedOrg, chosen: Chosen, turn: Turn) -> Turn:
        """The turn after new values of formula fields. They come first: the rows of the window are read later."""
        state = refresh_formulas(org, turn, self.states, self.plan.run)
        return turn if state is turn.state else self._turn(org, chosen, state)

    def _asked(self, org: ConnectedOrg, turn: Turn) -> Outcome:
        spec = self._extract_spec(org, turn)
        extraction = Extraction(org, spec, self.routes, described=turn.described, rest_limits=self.spec.rest_limits)
        try:
            receipt = extraction.run()
        except LargeWindowError:
            return Outcome(turn.sobject, "large", arguments=_arguments(spec))
        self.states.published(turn.state, turn.folder)
        return Outcome.of(receipt, "published")

    def _turn(self, org: ConnectedOrg, chosen: Chosen, state: ObjectState | None) -> Turn:
        """See what the object is, and which rows of it are new.

        :raises ConfigurationError: when the chain cannot go on.
        """
        state = state or ObjectState(chosen.sobject, self.plan.org_id)
        described = DescribedObject(org, chosen.sobject, self.descriptions.of(org, chosen.sobject))
        asked = self.spec.of_object(chosen.sobject)
        cursor_field = cursor_of(described, asked.cursor_field)
        self._must_go_on(state, self.spec.condition_sha256(chosen.sobject, cursor_field))
        window: Window | None = None
        if cursor_field is not None:
            start = datetime.fromisoformat(state.reached) if state.reached else _BEGINNING
            window = start, self.plan.end
        folder = window_folder(state.sequence + 1, window, self.plan.end, self.plan.run)
        return Turn(self.spec, self.root, asked, described, state, cursor_field, window, self.plan.end, folder)

    def _must_go_on(self, state: ObjectState, condition_sha256: str) -> None:
        """See that the chain may have the rows that are asked for now.

        :raises ConfigurationError: when it may not.
        """
        if state.condition_sha256 is not None and state.condition_sha256 != condition_sha256:
            raise _fault(
                f"what decides which rows {state.sobject} has (where, cursor_field, deletes) is not what its chain was "
                f"made with up to {state.reached}, which says nothing of the rows that it adds. Take it back, or "
                f"extract all rows anew: {self._reset(state.sobject)}"
            )
        if state.org_id and self.plan.org_id and state.org_id != self.plan.org_id:
            raise _fault(
                f"{self.root.object_path(state.sobject)} is of org {state.org_id}, and the connection leads to org "
                f"{self.plan.org_id}. Give this org a root of its own"
            )

    def _must_not_be_ahead(self, state: ObjectState) -> None:
        """See that no wrong clock has moved the chain beyond today, where no row would ever be new.

        :raises ConfigurationError: when one has.
        """
        now = self.org.session.server_now()
        if state.reached is None or now is None:
            return
        if (datetime.fromisoformat(state.reached) - now).total_seconds() > MOST_APART:
            raise _fault(
                f"{state.sobject} reaches {state.reached}, which is in the future: the org's clock says "
                f"{now.isoformat(timespec='seconds')}. Extract all rows anew: {self._reset(state.sobject)}"
            )

    def _reset(self, sobject: str) -> str:
        return f"airflow-salesforce-jwt sync reset {self.root.path} --sobject {sobject}"

    def _extract_spec(self, org: ConnectedOrg, turn: Turn) -> ExtractSpec:
        evolved, deletions = evolve(turn), before_rows(org, turn)
        link = ChainLink(
            sequence=turn.state.sequence + 1,
            previous=turn.state.previous,
            cursor_field=turn.cursor_field,
            condition_sha256=self.spec.condition_sha256(turn.sobject, turn.cursor_field),
            deletes=deletions.entry,
            drift=evolved.drift,
            backfill=evolved.backfill,
        )
        return ExtractSpec(
            output_path=turn.path,
            sobject=turn.sobject,
            fields=evolved.fields,
            where=turn.asked.where,
            window=turn.window,
            cursor_field=turn.cursor_field or "SystemModstamp",
            file_format=self.spec.file_format,
            numbers=self.spec.numbers,
            compression=self.spec.compression,
            include_deleted=deletions.include_deleted,
            parallel_pages=self.spec.parallel_pages,
            transport="rest" if turn.state.only_rest else turn.asked.transport,
            min_api_calls_left=self.spec.min_api_calls_left,
            poll_interval=self.spec.poll_interval,
            timeout=self.spec.timeout,
            salesforce_conn_id=self.spec.salesforce_conn_id,
            api_version=self.spec.api_version,
            written_by=self.spec.written_by,
            link=link,
            rather_large=self._is_rather_large(turn),
        )

    def _is_rather_large(self, turn: Turn) -> bool:
        """Whether all rows are to come, and are known to be many: a first page over REST would be for nothing."""
        all_rows = turn.state.reached is None and not turn.asked.where
        count = self.counts.get(turn.sobject, 0)
        return all_rows and not self.spec.rest_limits.allow(count, len(turn.described.fields))

    def _failed(self, chosen: Chosen, state: ObjectState | None, error: SalesforceError) -> Outcome:
        failed = Outcome(chosen.sobject, "failed", error=str(error), retryable=error.retryable)
        synced_before = state is not None and state.sequence > 0
        if chosen.by_name or synced_before or not _is_refusal(error):
            return failed
        before = state or ObjectState(chosen.sobject, self.plan.org_id)
        refused = {"answer": str(error), "at": datetime.now(timezone.utc).isoformat(timespec="seconds")}
        self.states.write(replace(before, refused=refused))
        return replace(failed, status="refused")


def _fault(text: str) -> ConfigurationError:
    return ConfigurationError({"output_path": text}, subject="the task")


def _is_refusal(error: SalesforceError) -> bool:
    """Whether Salesforce refused the query of an object, which nothing but the object can be the reason for."""
    return (
        isinstance(error, ApiError)
        and error.status == 400
        and not error.retryable
        and not any(item.code in _NOT_OF_THE_OBJECT for item in error.items)
    )


def _arguments(spec: ExtractSpec) -> dict[str, Any]:
    """What a mapped extract takes of a large window's spec."""
    window = spec.moments
    return {
        "sobject": spec.sobject,
        "output_path": spec.output_path,
        "fields": list(spec.fields) if spec.fields is not None else None,
        "where": spec.where,
        "window": [each.isoformat() for each in window] if window else None,
        "cursor_field": spec.cursor_field,
        "include_deleted": spec.include_deleted,
        "transport": spec.transport,
        "chained": spec.link.to_json() if spec.link else None,
    }
