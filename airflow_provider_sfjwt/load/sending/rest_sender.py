"""Sending a small load through sObject Collections, with the outcome that a job would have."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.exceptions import ConfigurationError, ErrorItem, RecordsFailedError, SalesforceError
from airflow_provider_sfjwt.load.columns import LoadColumn
from airflow_provider_sfjwt.load.ledger import Ledger, LedgerEntry
from airflow_provider_sfjwt.load.outcomes.part_outcome import Accepted, PartOutcome
from airflow_provider_sfjwt.load.sending.bulk_sender import Settled
from airflow_provider_sfjwt.load.spec import MOST_OVER_REST, LoadOrder, begun_over_bulk, unknown_insert
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
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

if TYPE_CHECKING:
    from airflow_provider_sfjwt.load.staging.parts import StagedPart

    _Unsettled = tuple[StagedPart, PartOutcome]

log = logging.getLogger(__name__)

_NUMBERS = frozenset({"int", "long", "double", "currency", "percent"})
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "no", "n", "off", "0"), False),
}
#: Numbers that JSON can be told. Any other text is left to Salesforce, as over Bulk API 2.0.
_DIGITS = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_NULL = "#N/A"
#: Integers up to this are the same in every reader of JSON.
_EXACT_INTEGERS = 2**53
#: Calls of a load that are sent again in halves at most: enough to tell the rows of one full call apart if all are bad.
_MOST_HALVINGS = MOST_RECORDS - 1
#: The code of the rows of an insert whose answer was lost. It is none of Salesforce's.
ANSWER_LOST = "ANSWER_LOST"
_LOST = ErrorItem(ANSWER_LOST, "the answer to the call was lost, so that it is not known whether this row was saved")
_TOGETHER = "one of {} rows that were refused together; over transport='bulk' each is judged by itself"
#: https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm
_GONE = "ENTITY_IS_DELETED"


class RestSender:
    """Sends the rows of a small load, 200 in a call.

    :param org: where to.
    :param order: what is to be done.
    :param ledger: which part was begun.
    :param staged: the parts.
    :param on_settled: is told of each part once the fate of its rows is known.
    :raises ConfigurationError: when there are more rows than this is meant for.
    """

    def __init__(
        self, org: ConnectedOrg, order: LoadOrder, ledger: Ledger, staged: StagedLoad, *, on_settled: Settled
    ) -> None:
        if staged.rows > MOST_OVER_REST:
            raise ConfigurationError(
                {"transport": f"'rest' takes up to {MOST_OVER_REST:,} rows and there are {staged.rows:,}; take 'bulk'"},
                subject="the task",
            )
        self._org = org
        self._order = order
        self._ledger = ledger
        self._staged = staged
        self._on_settled = on_settled
        self._saved = False
        self._open: list[_Unsettled] = []
        self._halvings = _MOST_HALVINGS

    def advance(self) -> list[JobRef]:
        """Send everything.

        :return: no job.
        :raises RecordsFailedError: when an answer was lost and it is not known what of an insert was saved.
        :raises SalesforceError: when a call fails. See :meth:`broken_off` then.
        """
        self._refuse_unknown_insert()
        self._open = [(part, PartOutcome(part.rows)) for part in self._staged.parts]
        for part, outcome in list(self._open):
            sent = self._begin(part, outcome)
            rows = list(range(part.rows))
            for _ in range(self._order.row_retries + 1):
                for first in range(0, len(rows), MOST_RECORDS):
                    self._write(sent, rows[first : first + MOST_RECORDS])
                rows = sent.outcome.passing()
                if not rows:
                    break
            if part is self._staged.parts[-1]:
                self._forget_unless_saved()
            del self._open[0]
            self._on_settled(part, sent.outcome, [])
        return []

    def broken_off(self) -> list[_Unsettled]:
        """The parts that were not settled when a call failed, with what is known of their rows.

        :return: nothing where no call was answered: nothing is known of any row then.
        """
        known = len(self._open) < len(self._staged.parts)
        known = known or any(outcome.count()["unprocessed"] < outcome.rows for _, outcome in self._open)
        return self._open if known else []

    @property
    def may_go_on(self) -> bool:
        """Whether another try may send all rows again."""
        return self._order.repeatable or not self._saved

    def _refuse_unknown_insert(self) -> None:
        """What of an insert an earlier try saved cannot be looked up."""
        entries = [self._ledger.entry(number) for number in self._ledger.numbers]
        if self._order.repeatable:
            return
        if any(entry and entry.over_rest for entry in entries):
            raise unknown_insert(self._order, self._staged.rows)
        if jobs := [job.id for entry in entries if entry for job in entry.jobs]:
            raise begun_over_bulk(jobs[0])

    def _begin(self, part: StagedPart, outcome: PartOutcome) -> _Sent:
        """Remember that a part was begun, and what of it an earlier try has deleted."""
        content = f"{part.sha256}-{self._order.fingerprint()}"
        entry: LedgerEntry | None = self._ledger.entry(part.number)
        deleted = entry.deleted if entry is not None and entry.sha256 == content else ""
        self._ledger.begin(part.number, content, over_rest=True, deleted=deleted)
        records = [self._record(row) for row in part.table().to_pylist()]
        return _Sent(part.number, content, records, outcome, _rows_of(deleted))

    def _forget_unless_saved(self) -> None:
        """Let the next try begin anew, with whatever source and by whatever way, where nothing was saved."""
        if not self._saved and not self._order.repeatable:
            for number in self._ledger.numbers:
                self._ledger.begin(number, "")

    def _write(self, sent: _Sent, rows: Sequence[int]) -> None:
        """Send rows in one call, and in halves where it is refused as a whole: nothing of it was saved then."""
        gone = self._expect_deleted(sent, rows)
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
                self._saved = True
                gone.add(row)
            else:
                gone.discard(row)
        self._keep_deleted(sent, rows, gone)

    def _answers(self, sent: _Sent, rows: Sequence[int]) -> list[RowAnswer]:
        order = self._order
        try:
            return self._org.run(
                write_collection,
                order.bulk_operation,
                order.sobject,
                [sent.records[row] for row in rows],
                external_id_field=order.external_id_field,
                assignment_rule_id=order.assignment_rule_id,
            )
        except SalesforceError as error:
            if order.repeatable or not may_have_been_processed(error):
                if fault_in_records(error) is None:
                    self._forget_unless_saved()
                raise
            for row in rows:
                sent.outcome.take_error(row, _LOST)
            raise RecordsFailedError(
                f"the answer to an insert of {len(rows)} rows was lost, so that it is not known whether they were "
                f"saved ({error}). They are not sent again. Compare the org with the source, then trigger a new run "
                "with what is missing. Over transport='bulk' such a load can be looked up.",
                job={},
                failed=len(rows),
                processed=len(sent.records),
                results_path=order.results_path,
            ) from None

    def _reject(self, sent: _Sent, rows: Sequence[int], fault: ErrorItem) -> None:
        """Mark rows of a call that Salesforce refused, the only one or all that were not told apart."""
        if len(rows) > 1:
            log.warning("%d rows were refused together, and are not told apart: too many calls were refused", len(rows))
            words = f"{fault.message} ({_TOGETHER.format(len(rows))})"
            fault = ErrorItem(fault.code, words, fault.fields)
        for row in rows:
            sent.outcome.take_error(row, fault)

    def _expect_deleted(self, sent: _Sent, rows: Sequence[int]) -> set[int]:
        """Write down which rows may be gone from now on, whatever becomes of the answer.

        :return: those of them that an earlier try deleted, or may have.
        """
        gone = sent.deleted.intersection(rows)
        self._keep_deleted(sent, rows, set(rows))
        return gone

    def _keep_deleted(self, sent: _Sent, rows: Sequence[int], gone: set[int]) -> None:
        """Write down which of these rows are gone, or may be, by what this task has sent."""
        if self._order.bulk_operation == "delete":
            sent.deleted = sent.deleted.difference(rows) | gone
            deleted = f"{sum(1 << row for row in sent.deleted):x}"
            self._ledger.begin(sent.number, sent.content, over_rest=True, deleted=deleted)

    def _record(self, cells: Mapping[str, str | None]) -> dict[str, Any]:
        """A row as JSON has it. An empty cell leaves its field as it is, so it is left out."""
        record: dict[str, Any] = {}
        for column in self._staged.columns:
            cell = cells[column.header]
            if cell:
                _put(record, column, cell)
        return record


@dataclass
class _Sent:
    """A part while it is sent.

    :param deleted: rows that this task deleted, or may have, in this try or an earlier one.
    """

    number: int
    content: str
    records: list[dict[str, Any]]
    outcome: PartOutcome
    deleted: set[int]


def _rows_of(bits: str) -> set[int]:
    number = int(bits or "0", 16)
    return {row for row in range(number.bit_length()) if number >> row & 1}


def _put(record: dict[str, Any], column: LoadColumn, cell: str) -> None:
    """Set a field, or a parent by its key. ``Lead:Who.Email`` names the parent's object first."""
    sobject, _, path = column.header.rpartition(":")
    parent, _, name = path.rpartition(".")
    if not parent:
        record[name] = _typed(column, cell)
        return
    if cell == _NULL:
        record[column.written["name"]] = None
        return
    record[parent] = {name: _typed(column, cell)}
    if sobject:
        record[parent]["attributes"] = {"type": sobject}


def _typed(column: LoadColumn, cell: str) -> Any:
    if cell == _NULL:
        return None
    kind = column.field["type"]
    if kind == "boolean":
        return _BOOLEANS.get(cell.lower(), cell)
    return _number(cell) if kind in _NUMBERS else cell


def _number(digits: str) -> int | float | str:
    if not _DIGITS.fullmatch(digits):  # Java, which is what Salesforce reads numbers with, knows 1.5d and 1f
        return digits
    exact = Decimal(digits)
    if exact == exact.to_integral_value() and abs(exact) < _EXACT_INTEGERS:
        return int(exact)
    near = float(exact)
    # A number that a float would round goes as text: Salesforce reads its digits, or refuses it by name.
    return near if Decimal(repr(near)) == exact else digits


def _take(outcome: PartOutcome, row: int, answer: RowAnswer) -> None:
    if answer.success:
        outcome.take_record(row, Accepted(answer.id or "", bool(answer.created)))
        return
    outcome.take_error(row, _error_of(answer))


def _error_of(answer: RowAnswer) -> ErrorItem:
    errors = answer.errors or (ErrorItem(UNKNOWN, "Salesforce gives no reason"),)
    return next((error for error in errors if is_retriable(error)), errors[0])
