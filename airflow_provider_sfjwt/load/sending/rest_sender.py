"""Sending a small load through sObject Collections, with the outcome that a job would have."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_sfjwt.exceptions import (
    ConfigurationError,
    ErrorItem,
    RecordsFailedError,
    SalesforceError,
    counted,
)
from airflow_provider_sfjwt.load.ledger import Ledger
from airflow_provider_sfjwt.load.ledger_content import content_of, is_content
from airflow_provider_sfjwt.load.outcomes.part_outcome import Accepted, PartOutcome
from airflow_provider_sfjwt.load.report import ANSWER_LOST
from airflow_provider_sfjwt.load.sending.json_records import record_of
from airflow_provider_sfjwt.load.sending.sender import (
    Interruption,
    Settled,
    begun_over_bulk,
    unknown_insert,
)
from airflow_provider_sfjwt.load.spec import LoadSpec
from airflow_provider_sfjwt.load.staging.parts import JobFile
from airflow_provider_sfjwt.load.staging.stage import StagedLoad
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
from airflow_provider_sfjwt.salesforce.api.collections import (
    MOST_RECORDS,
    RowAnswer,
    fault_in_records,
    write_collection,
)
from airflow_provider_sfjwt.salesforce.api.retry import may_have_been_processed
from airflow_provider_sfjwt.salesforce.api.row_errors import UNKNOWN, is_retriable
from airflow_provider_sfjwt.salesforce.org.api_budget import ApiBudget
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

log = logging.getLogger(__name__)

#: Rows that this takes at most. Salesforce advises Bulk API 2.0 above that.
#: https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet
MOST_ROWS = 2000
#: Calls of a load that are sent again in halves at most: enough to find each bad row where a full call is all bad.
_MOST_HALVINGS = MOST_RECORDS - 1
_LOST = ErrorItem(ANSWER_LOST, "the answer to the call was lost, so it is unknown whether this row was saved")
_TOGETHER = "one of {} rows that were refused together; over transport='bulk' each is judged by itself"
#: https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm
_GONE = "ENTITY_IS_DELETED"


class RestSender:
    """Sends the rows of a small load, 200 in a call.

    :param org: where the rows go.
    :param spec: what is asked for.
    :param ledger: which parts were begun.
    :param staged: the parts.
    :param budget: the org's API calls that must stay unused.
    :param on_settled: is called with each part once the outcome of its rows is known.
    :raises ConfigurationError: when there are more than 2,000 rows.
    """

    def __init__(
        self,
        org: ConnectedOrg,
        spec: LoadSpec,
        ledger: Ledger,
        staged: StagedLoad,
        budget: ApiBudget,
        *,
        on_settled: Settled,
    ) -> None:
        if staged.rows > MOST_ROWS:
            raise ConfigurationError(
                {"transport": f"'rest' takes up to {MOST_ROWS:,} rows and there are {staged.rows:,}; take 'bulk'"},
                subject="the task",
            )
        self._org = org
        self._spec = spec
        self._ledger = ledger
        self._staged = staged
        self._budget = budget
        self._on_settled = on_settled
        self._saved = 0
        self._unsettled: list[tuple[JobFile, PartOutcome]] = []
        self._halvings = _MOST_HALVINGS

    @property
    def advice(self) -> str:
        """What to do about rows that Salesforce refused."""
        if self._spec.action.repeatable:
            return "Correct these rows in the source and clear the task: over REST, it sends all rows again"
        return "Load the corrected rows by themselves: over REST, an insert cannot be resumed"

    def advance(self) -> list[JobRef]:
        """Send everything.

        :return: no job.
        :raises RequestLimitError: when the org has too few API calls left for all rows, before any is sent: what has
            been inserted over REST cannot be looked up, so the calls are not interrupted.
        :raises RecordsFailedError: when the answer to an insert was lost, so that it is unknown what was saved.
        :raises SalesforceError: when a call fails. See :meth:`interruption` then.
        """
        self._refuse_unknown_insert()
        self._budget.check(sum(-(-part.rows // MOST_RECORDS) for part in self._staged.parts) or 1)
        self._unsettled = [(part, PartOutcome(part.rows)) for part in self._staged.parts]
        for part, outcome in list(self._unsettled):
            sent = self._begin(part, outcome)
            rows = list(range(part.rows))
            for _ in range(self._spec.row_retries + 1):
                for first in range(0, len(rows), MOST_RECORDS):
                    self._write(sent, rows[first : first + MOST_RECORDS])
                rows = sent.outcome.passing()
                if not rows:
                    break
            if part is self._staged.parts[-1]:
                self._forget_unless_saved()
            del self._unsettled[0]
            self._on_settled(part, sent.outcome, [])
        return []

    def interruption(self) -> Interruption:
        """What is known after a call has failed: nothing of any row where no call was answered."""
        settled = len(self._unsettled) < len(self._staged.parts)
        if not settled and all(outcome.count()["unprocessed"] == outcome.rows for _, outcome in self._unsettled):
            return Interruption()
        repeatable = self._spec.action.repeatable
        if repeatable or not self._saved:
            return Interruption(self._unsettled, "have no answer" if repeatable else "were not saved")
        # A retry would only say that it is unknown what this attempt saved.
        advice = "Load the others by themselves: over REST, an insert cannot be resumed"
        return Interruption(self._unsettled, "were not saved", may_repeat=False, advice=advice)

    def _refuse_unknown_insert(self) -> None:
        """Refuse an insert that an earlier attempt began: what it saved cannot be looked up."""
        entries = [self._ledger.entry(number) for number in self._ledger.numbers]
        if self._spec.action.repeatable:
            return
        if any(entry and entry.over_rest for entry in entries):
            raise unknown_insert(self._spec, self._staged.rows)
        if jobs := [job.id for entry in entries if entry for job in entry.jobs]:
            raise begun_over_bulk(jobs[0])

    def _begin(self, part: JobFile, outcome: PartOutcome) -> _Sent:
        """Remember that a part was begun, and which of its rows an earlier attempt has deleted."""
        entry, content = self._ledger.entry(part.number), content_of(part.sha256, self._spec)
        known = entry is not None and is_content(entry.sha256, part.sha256, self._spec)
        deleted = entry.deleted if entry is not None and known else ""
        self._ledger.begin(part.number, content, over_rest=True, deleted=deleted)
        columns = self._staged.columns
        records = [record_of(row, columns) for piece in part.pieces() for row in piece.to_pylist()]
        return _Sent(part.number, content, records, outcome, _rows_of(deleted))

    def _forget_unless_saved(self) -> None:
        """If nothing was saved, clear the ledger so that the next attempt may use any source or transport."""
        if not self._saved and not self._spec.action.repeatable:
            for number in self._ledger.numbers:
                self._ledger.forget_part(number)

    def _write(self, sent: _Sent, rows: Sequence[int]) -> None:
        """Send rows in one call. A call that is refused as a whole saved nothing, and is sent again in halves."""
        gone = self._expect_deleted(sent, rows)
        self._ledger.check_owner()
        try:
            answers = self._answers(sent, rows)
        except SalesforceError as error:
            if not may_have_been_processed(error):
                self._keep_deleted(sent, rows, gone)
            fault = fault_in_records(error)
            if fault is None:
                raise
            if len(rows) > 1 and self._halvings:
                self._halvings -= 1
                middle = len(rows) // 2
                self._write(sent, rows[:middle])
                self._write(sent, rows[middle:])
                return
            self._reject(sent, rows, fault)
            return
        for row, answer in zip(rows, answers, strict=True):
            if row in gone and not answer.success and _error_of(answer).code == _GONE:
                sent.outcome.take_record(row, Accepted(str(sent.records[row]["Id"]), created=False))
                continue
            _take(sent.outcome, row, answer)
            if answer.success:
                self._saved += 1
                gone.add(row)
            else:
                gone.discard(row)
        self._keep_deleted(sent, rows, gone)

    def _answers(self, sent: _Sent, rows: Sequence[int]) -> list[RowAnswer]:
        spec = self._spec
        try:
            return self._org.run(
                write_collection,
                spec.action.name,
                spec.sobject,
                [sent.records[row] for row in rows],
                external_id_field=spec.external_id_field,
                assignment_rule_id=spec.assignment_rule_id,
            )
        except SalesforceError as error:
            if spec.action.repeatable or not may_have_been_processed(error):
                if fault_in_records(error) is None:
                    self._forget_unless_saved()
                raise
            for row in rows:
                sent.outcome.take_error(row, _LOST)
            raise RecordsFailedError(
                f"the answer to an insert of {counted(len(rows), 'row')} was lost, so it is unknown what was "
                f"saved ({error}). They are not sent again. Compare the org with the source, then trigger a new run "
                "with what is missing. Over transport='bulk' such a load can be looked up.",
                job={},
                failed=self._staged.rows - self._saved,
                processed=self._staged.rows,
                results_path=spec.results_path,
            ) from None

    def _reject(self, sent: _Sent, rows: Sequence[int], fault: ErrorItem) -> None:
        """Mark the rows of a call that Salesforce refused: a single one, or all of a call that is not halved again."""
        if len(rows) > 1:
            log.warning(
                "%d rows were refused together, and the bad ones are not looked for: too many calls were refused",
                len(rows),
            )
            words = f"{fault.message} ({_TOGETHER.format(len(rows))})"
            fault = ErrorItem(fault.code, words, fault.fields)
        for row in rows:
            sent.outcome.take_error(row, fault)

    def _expect_deleted(self, sent: _Sent, rows: Sequence[int]) -> set[int]:
        """Note in the ledger that rows may be deleted from now on, in case the answer is lost.

        :return: those of them that an earlier call deleted, or may have.
        """
        gone = sent.deleted.intersection(rows)
        self._keep_deleted(sent, rows, set(rows))
        return gone

    def _keep_deleted(self, sent: _Sent, rows: Sequence[int], gone: set[int]) -> None:
        """Note in the ledger which of these rows this task has deleted, or may have."""
        if self._spec.action.deletes:
            sent.deleted = sent.deleted.difference(rows) | gone
            deleted = f"{sum(1 << row for row in sent.deleted):x}"
            self._ledger.begin(sent.number, sent.content, over_rest=True, deleted=deleted)


@dataclass
class _Sent:
    """A part while it is sent.

    :param deleted: rows that this task deleted, or may have, in this attempt or an earlier one.
    """

    number: int
    content: str
    records: list[dict[str, Any]]
    outcome: PartOutcome
    deleted: set[int]


def _rows_of(bits: str) -> set[int]:
    number = int(bits or "0", 16)
    return {row for row in range(number.bit_length()) if number >> row & 1}


def _take(outcome: PartOutcome, row: int, answer: RowAnswer) -> None:
    if answer.success:
        outcome.take_record(row, Accepted(answer.id or "", bool(answer.created)))
        return
    outcome.take_error(row, _error_of(answer))


def _error_of(answer: RowAnswer) -> ErrorItem:
    errors = answer.errors or (ErrorItem(UNKNOWN, "Salesforce gives no reason"),)
    return next((error for error in errors if is_retriable(error)), errors[0])
