"""A load from order to report: check, stage, send, wait, account for every row, publish."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_sfjwt import __version__
from airflow_provider_sfjwt.exceptions import RecordsFailedError, SalesforceError
from airflow_provider_sfjwt.load.ledger import Ledger
from airflow_provider_sfjwt.load.outcomes.tally import LoadAccounts
from airflow_provider_sfjwt.load.sending.bulk_sender import PartSender
from airflow_provider_sfjwt.load.sending.rest_sender import ANSWER_LOST, RestSender
from airflow_provider_sfjwt.load.spec import LoadOrder
from airflow_provider_sfjwt.load.staging.stage import RowFaultsError, StagedLoad, staged
from airflow_provider_sfjwt.salesforce.api import bulk_ingest
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
from airflow_provider_sfjwt.salesforce.api.row_errors import RETRIABLE
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.org.progress import JobProgress

if TYPE_CHECKING:
    from airflow_provider_sfjwt.load.outcomes.part_outcome import PartOutcome
    from airflow_provider_sfjwt.load.outcomes.results_folder import LoadReport, ResultsFolder
    from airflow_provider_sfjwt.load.staging.parts import StagedPart

log = logging.getLogger(__name__)

#: Rows up to which sObject Collections are cheaper than a job: one call instead of about eight.
_FEW_ROWS = 200


class Load:
    """One load. Its steps may run in different processes: all that must be carried over is the ledger.

    :param org: where to.
    :param order: what, and where from.
    :param ledger: which job got which part.
    :param new_try: whether rows that were rejected before are sent once more; false where a task only goes on.
    :param earlier_calls: API calls that this load made in other processes.
    """

    def __init__(
        self, org: ConnectedOrg, order: LoadOrder, ledger: Ledger, *, new_try: bool = True, earlier_calls: int = 0
    ) -> None:
        self._org = org
        self._order = order
        self._ledger = ledger
        self._new_try = new_try
        self._earlier_calls = earlier_calls
        self._started = time.monotonic()

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Read, check and stage all rows. They are on this machine's disk for as long as the block lasts.

        :raises ConfigurationError: naming what is wrong, by argument or by file and row. Nothing was sent then.
        """
        self._order.check()
        if self._results is not None:
            self._results.prepare(begun=bool(self._ledger.numbers))
        with self._faults_written(), staged(self._org, self._order) as load:
            self._staged = load
            self._accounts = LoadAccounts(load, self._results)
            self._sender = self._sender_of(load)
            yield

    @contextmanager
    def _faults_written(self) -> Iterator[None]:
        try:
            yield
        except RowFaultsError as error:
            if self._results is not None:
                self._results.write("faults", 0, error.table())
            raise

    def _sender_of(self, load: StagedLoad) -> PartSender | RestSender:
        if self._goes_over_rest(load):
            return RestSender(self._org, self._order, self._ledger, load, on_settled=self._accounts.add)
        return PartSender(
            self._org, self._order, self._ledger, load, new_try=self._new_try, on_settled=self._accounts.add
        )

    def _goes_over_rest(self, load: StagedLoad) -> bool:
        if self._order.transport != "auto" or self._ledger.numbers:
            return self._order.transport == "rest"
        # What a lost answer of an insert or a delete did could not be looked up; the others may be sent again.
        return self._order.bulk_operation in ("update", "upsert") and 0 < load.rows <= _FEW_ROWS

    def advance(self) -> list[JobRef]:
        """Send what is to be sent now.

        :return: the jobs that must end before it can go on; none when the fate of every row is known.
        :raises SalesforceError: when it cannot go on. Of rows that went over REST, the outcome is published before.
        """
        try:
            return self._sender.advance()
        except SalesforceError as error:
            if isinstance(self._sender, RestSender) and (left := self._sender.broken_off()):
                self._account_for_broken(error, self._sender, left)
            raise

    def _account_for_broken(
        self, error: SalesforceError, sender: RestSender, left: Sequence[tuple[StagedPart, PartOutcome]]
    ) -> None:
        """Publish what is known of each row of a load that broke off over REST, and say it in the error."""
        accounts, rows, path = self._accounts, self._staged.rows, self._order.results_path
        where = f"; every row's outcome is in {path}" if path else ""
        try:
            for part, outcome in left:
                accounts.add(part, outcome, [])
            if self._results is not None:
                self._results.publish(self._report(sent=accounts.counts["succeeded"] + accounts.counts["failed"]))
        except SalesforceError as unwritten:
            where = f"; the rows' outcome is not in {path}: {unwritten}"
        lost = accounts.errors.get(ANSWER_LOST, {}).get("count", 0)
        parts = [f"{accounts.counts['succeeded']} succeeded", f"{accounts.counts['failed'] - lost} were rejected"]
        parts += [f"of {lost} it is not known"] * bool(lost)
        if not sender.may_go_on:
            # The next try would only say that it does not know what this one saved.
            error.retryable = False
            where += ". Load the others by themselves: over REST, an insert cannot be picked up where it ended"
        rest = "have no answer" if self._order.repeatable else "were not saved"
        told = f"Of {rows} rows {', '.join(parts)}, and {accounts.counts['unprocessed']} {rest}{where}"
        error.args = (f"{str(error).rstrip('.')}. {told}.",)
        if isinstance(error, RecordsFailedError):
            error.failed, error.processed = accounts.lost, rows

    def wait(self, refs: Sequence[JobRef], *, poll_interval: float, timeout: float) -> None:
        """Wait on this thread until jobs have ended, and let each begin when its turn comes.

        :param refs: the jobs.
        :param poll_interval: seconds between two looks at a job at most.
        :param timeout: seconds that they may take from now on.
        :raises BulkJobTimeoutError: when time is up.
        """
        deadline = time.monotonic() + timeout
        progress = {ref.id: JobProgress(log) for ref in refs}
        self._org.run(
            bulk_ingest.run_jobs,
            refs,
            parallel_jobs=self._order.parallel_jobs,
            poll_interval=poll_interval,
            remaining=lambda: deadline - time.monotonic(),
            on_progress=lambda job: progress[job.ref.id].tell(job),
        )

    def conclude(self, *, dry_run: bool = False) -> LoadReport:
        """Report what became of every row.

        :param dry_run: whether nothing was sent, because that was all that was asked for.
        :return: the report, which is in the results folder as well.
        :raises RecordsFailedError: when more rows came to nothing than the order tolerates. The report is published.
        """
        report = self._report(sent=0 if dry_run else self._staged.rows)
        if self._results is not None:
            self._results.publish(report, dry_run=dry_run)
        counts, accounts = report.counts, self._accounts
        log.info(
            "Load of %d rows into %s (%s): %d succeeded, %d failed, %d unprocessed; %d API calls, %.1f s",
            *(counts["read"], self._order.sobject, self._order.operation, counts["succeeded"], counts["failed"]),
            *(counts["unprocessed"], report.api_calls, report.seconds),
        )
        for code, each in report.errors_by_code.items():
            log.warning("%s: %d rows, e.g. %s", code, each["count"], each["sample"])
        if not dry_run and not self._order.tolerates(accounts.lost, counts["read"]):
            raise self._failure(accounts, counts["read"])
        return report

    def _failure(self, accounts: LoadAccounts, rows: int) -> RecordsFailedError:
        said = "; ".join(
            f"{code} ({each['count']} rows, e.g. {each['sample']['file']} row {each['sample']['row']}: "
            f"{each['sample']['message']})"
            for code, each in sorted(accounts.errors.items(), key=lambda item: -item[1]["count"])[:5]
        )
        parts = [
            f"{accounts.lost} of {rows} rows were not loaded into {self._order.sobject}",
            said,
            self._unprocessed(accounts),
            *accounts.reasons[:3],
        ]
        path = self._order.results_path
        where = f"every row's outcome is in {path}" if path else "give results_path to get every row's outcome"
        return RecordsFailedError(
            f"{'. '.join(part.rstrip('.') for part in parts if part)}. {self._advice()}; {where}. To let some rows "
            "fail, raise max_failed_records or max_failed_ratio.",
            job=accounts.jobs[0] if accounts.jobs else {},
            failed=accounts.lost,
            processed=rows,
            results_path=self._order.results_path,
            # What was not processed for want of allocation, or met a lock, may be loaded by the next try.
            retryable=accounts.counts["unprocessed"] > 0 or bool(RETRIABLE & accounts.errors.keys()),
        )

    @staticmethod
    def _unprocessed(accounts: LoadAccounts) -> str:
        """Which rows Salesforce said nothing of."""
        named = ", ".join(f"{row['file']} row {row['row']}" for row in accounts.unprocessed)
        return f"{accounts.counts['unprocessed']} of them were not processed, e.g. {named}" if named else ""

    def _advice(self) -> str:
        if self._order.repeatable:
            return "Correct these rows in the source and clear the task: it sends only what was not accepted"
        if isinstance(self._sender, RestSender):
            return "Load the corrected rows by themselves: over REST, an insert cannot be picked up where it ended"
        return (
            "If the cause is in the org, mend it and clear the task: it sends only what was not accepted. If it is in "
            "the rows, load the corrected ones by themselves"
        )

    def _report(self, sent: int) -> LoadReport:
        from airflow_provider_sfjwt.load.outcomes.results_folder import LoadReport

        accounts, rows = self._accounts, self._staged.rows
        return LoadReport(
            sobject=self._order.sobject,
            operation=self._order.bulk_operation,
            files=self._staged.source.files,
            results_path=self._order.results_path or "",
            counts={"read": rows, "sent": sent, **accounts.counts},
            errors_by_code=accounts.errors,
            jobs=tuple(accounts.jobs),
            parts=tuple(accounts.files),
            api_calls=self._earlier_calls + self._org.session.usage.calls,
            seconds=round(time.monotonic() - self._started, 3),
            package_version=__version__,
            unprocessed_sample=tuple(accounts.unprocessed),
            written_by=self._order.written_by,
        )

    @cached_property
    def _results(self) -> ResultsFolder | None:
        from airflow_provider_sfjwt.load.outcomes.results_folder import ResultsFolder

        path = self._order.results_path
        return ResultsFolder(path, self._order.written_by) if path is not None else None
