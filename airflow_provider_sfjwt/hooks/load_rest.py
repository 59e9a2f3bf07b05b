"""Sending a small load through sObject Collections, with the outcome that a job would have."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.api.bulk_job import JobRef
from airflow_provider_sfjwt.api.collections import MOST_RECORDS, RowAnswer, write_collection
from airflow_provider_sfjwt.api.retry import may_have_been_processed
from airflow_provider_sfjwt.api.row_errors import UNKNOWN, is_retriable
from airflow_provider_sfjwt.exceptions import ConfigurationError, ErrorItem, RecordsFailedError, SalesforceError
from airflow_provider_sfjwt.hooks.connected_org import ConnectedOrg
from airflow_provider_sfjwt.hooks.load_columns import LoadColumn
from airflow_provider_sfjwt.hooks.load_ledger import Ledger, LedgerEntry
from airflow_provider_sfjwt.hooks.load_order import MOST_OVER_REST, LoadOrder, unknown_insert
from airflow_provider_sfjwt.hooks.load_outcome import Accepted, PartOutcome
from airflow_provider_sfjwt.hooks.load_sender import Settled
from airflow_provider_sfjwt.hooks.load_staging import StagedLoad

if TYPE_CHECKING:
    from airflow_provider_sfjwt.storage.load_parts import StagedPart

log = logging.getLogger(__name__)

_NUMBERS = frozenset({"int", "long", "double", "currency", "percent"})
_TRUE = frozenset({"true", "yes", "y", "on", "1"})
_NULL = "#N/A"
#: Integers up to this are the same in every reader of JSON.
_EXACT_INTEGERS = 2**53


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

    def advance(self) -> list[JobRef]:
        """Send everything.

        :return: no job.
        :raises RecordsFailedError: when an answer was lost and it is not known what of an insert was saved.
        """
        for part in self._staged.parts:
            self._begin(part)
            outcome = PartOutcome(part.rows, part.table)
            records = [self._record(row) for row in part.table().to_pylist()]
            rows = list(range(part.rows))
            for _ in range(self._order.row_retries + 1):
                for first in range(0, len(rows), MOST_RECORDS):
                    self._write(part.number, records, rows[first : first + MOST_RECORDS], outcome)
                rows = outcome.passing()
                if not rows:
                    break
            self._on_settled(part, outcome, [])
        return []

    def _begin(self, part: StagedPart) -> None:
        """Remember that a part was begun: what of an insert is saved by then cannot be looked up."""
        content = f"{part.sha256}-{self._order.fingerprint()}"
        entry: LedgerEntry | None = self._ledger.entry(part.number)
        if entry is not None and (entry.over_rest or entry.jobs) and not self._order.repeatable:
            raise unknown_insert(self._order, part.rows)
        self._ledger.begin(part.number, content, over_rest=True)

    def _write(
        self, number: int, records: Sequence[Mapping[str, Any]], rows: Sequence[int], outcome: PartOutcome
    ) -> None:
        order = self._order
        try:
            answers = self._org.run(
                write_collection,
                order.bulk_operation,
                order.sobject,
                [records[row] for row in rows],
                external_id_field=order.external_id_field,
                assignment_rule_id=order.assignment_rule_id,
            )
        except SalesforceError as error:
            if order.repeatable or not may_have_been_processed(error):
                if not outcome.accepted:
                    self._ledger.begin(number, "")  # nothing was saved, so the next try may begin anew
                raise
            raise RecordsFailedError(
                f"the answer to an insert of {len(rows)} rows was lost, so that it is not known whether they were "
                f"saved ({error}). They are not sent again. Compare the org with the source, then trigger a new run "
                "with what is missing. Over transport='bulk' such a load can be looked up.",
                job={},
                failed=len(rows),
                processed=len(records),
                results_path=order.results_path,
            ) from None
        for row, answer in zip(rows, answers, strict=True):
            _take(outcome, row, answer)

    def _record(self, cells: Mapping[str, str | None]) -> dict[str, Any]:
        """A row as JSON has it. An empty cell leaves its field as it is, so it is left out."""
        record: dict[str, Any] = {}
        for column in self._staged.columns:
            cell = cells[column.header]
            if cell:
                _put(record, column, cell)
        return record


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
        return cell.strip().lower() in _TRUE
    return _number(cell.strip()) if kind in _NUMBERS else cell


def _number(digits: str) -> int | float | str:
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
    errors = answer.errors or (ErrorItem(UNKNOWN, "Salesforce gives no reason"),)
    outcome.take_error(row, next((error for error in errors if is_retriable(error)), errors[0]))
