"""A load from spec to report: check and stage the rows, send them, wait, tally the outcomes, publish."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from airflow_provider_sfjwt import __version__
from airflow_provider_sfjwt.exceptions import RecordsFailedError, SalesforceError, counted
from airflow_provider_sfjwt.load.columns import LoadColumn
from airflow_provider_sfjwt.load.ledger import Ledger
from airflow_provider_sfjwt.load.outcomes.results_folder import ResultsFolder
from airflow_provider_sfjwt.load.outcomes.tally import SettledPart, Tally
from airflow_provider_sfjwt.load.reading.source import LoadSource
from airflow_provider_sfjwt.load.report import ANSWER_LOST, LoadReport
from airflow_provider_sfjwt.load.sending.bulk_sender import BulkSender
from airflow_provider_sfjwt.load.sending.rest_sender import RestSender
from airflow_provider_sfjwt.load.sending.sender import Interruption, Sender
from airflow_provider_sfjwt.load.spec import LoadSpec
from airflow_provider_sfjwt.load.staging.row_faults import RowFaultsError
from airflow_provider_sfjwt.load.staging.stage import StagedLoad, staged
from airflow_provider_sfjwt.salesforce.api import ingest_run
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
from airflow_provider_sfjwt.salesforce.api.row_errors import RETRIABLE
from airflow_provider_sfjwt.salesforce.org.api_budget import ApiBudget, SparingOrg
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.org.progress import JobProgress

log = logging.getLogger(__name__)

#: Rows up to which sObject Collections are cheaper than a job: one call instead of about eight.
_FEW_ROWS = 200


@contextmanager
def prepared_load(
    org: ConnectedOrg,
    spec: LoadSpec,
    ledger: Ledger,
    budget: ApiBudget,
    *,
    new_attempt: bool = True,
    began_at: float | None = None,
) -> Iterator[Load]:
    """Read, check and stage all rows. They stay on this machine's disk until the block ends.

    :param org: where the rows go.
    :param spec: what is asked for; it has been checked.
    :param ledger: which job got which part. It is all that must be carried over to another process.
    :param budget: the org's API calls that must stay unused.
    :param new_attempt: whether rows that were rejected before are sent once more; false where a task resumes.
    :param began_at: seconds since the epoch at which the attempt began, in another process; None for now.
    :raises ConfigurationError: naming what is wrong, by argument or by file and row. Nothing was sent then.
    :raises RequestLimitError: retryable, when the org has too few API calls left.
    """
    org = org.with_own_budget()  # what an insert has saved over REST cannot be looked up, so it is seen through
    started = time.monotonic() - (max(0.0, time.time() - began_at) if began_at is not None else 0.0)
    folder = ResultsFolder(spec.results_path, spec.written_by) if spec.results_path is not None else None
    if folder is not None:
        folder.prepare(begun=bool(ledger.numbers))
    source = LoadSource(
        spec.source, file_format=spec.file_format, options=spec.read_options, ignores_nameless=spec.ignores_nameless
    )
    if folder is not None:
        folder.keep_apart_from(spec.source, source.files)
    with ExitStack() as disk:
        try:
            rows = disk.enter_context(staged(SparingOrg(org, budget), spec, source))
        except RowFaultsError as error:
            if folder is None:
                raise
            file = folder.write("faults", 0, error.table())
            raise RowFaultsError(error.faults, error.total, f"{folder.path}/{file.name}") from None
        tally = Tally(rows, folder)
        sender: Sender
        if _goes_over_rest(spec, ledger, rows):
            sender = RestSender(org, spec, ledger, rows, budget, on_settled=tally.add)
        else:
            sender = BulkSender(org, spec, ledger, rows, budget, new_attempt=new_attempt, on_settled=tally.add)
        yield Load(org, spec, rows, sender, tally, started=started)


def run_load(org: ConnectedOrg, spec: LoadSpec) -> LoadReport:
    """Load rows in one go, with no ledger for a retry.

    :param org: where the rows go.
    :param spec: what is asked for; it has been checked.
    :return: the report.
    :raises RequestLimitError: retryable, when the org has fewer API calls left than the spec spares.
    :raises RecordsFailedError: when more rows failed than the spec tolerates.
    """
    budget = ApiBudget(org, spec.min_api_calls_left)
    budget.check()
    with prepared_load(org, spec, Ledger(None), budget) as load:
        while refs := load.advance():
            load.wait(refs)
        return load.conclude()


def _goes_over_rest(spec: LoadSpec, ledger: Ledger, rows: StagedLoad) -> bool:
    if spec.transport != "auto" or ledger.numbers:
        return spec.transport == "rest"
    return spec.action.rest == "few" and 0 < rows.rows <= _FEW_ROWS


class Load:
    """A load whose rows are staged.

    :param org: where the rows go.
    :param spec: what is asked for.
    :param staged: the rows.
    :param sender: sends them.
    :param tally: adds up what became of them.
    :param started: when the load began, by the monotonic clock.
    """

    def __init__(
        self, org: ConnectedOrg, spec: LoadSpec, staged: StagedLoad, sender: Sender, tally: Tally, *, started: float
    ) -> None:
        self._org = org
        self._spec = spec
        self._staged = staged
        self._sender = sender
        self._tally = tally
        self._started = started
        #: What became of the rows, once it is known of each; of a load that was interrupted, as far as it is known.
        self.report: LoadReport | None = None

    @property
    def settled(self) -> Sequence[SettledPart]:
        """The parts that are done."""
        return tuple(self._tally.settled)

    @property
    def columns(self) -> tuple[LoadColumn, ...]:
        """What of the rows is sent, and to which field."""
        return self._staged.columns

    def advance(self) -> list[JobRef]:
        """Send what is to be sent now; in a dry run nothing is.

        :return: the jobs that must end before it can go on; empty when the outcome of every row is known.
        :raises SalesforceError: when it cannot go on. What is known of the rows and cannot be looked up later is
            published first.
        """
        if self._spec.dry_run:
            return []
        try:
            return self._sender.advance()
        except SalesforceError as error:
            interruption = self._sender.interruption()
            if not interruption.parts:
                raise
            summary = self._publish_interrupted(interruption)
            raise error.with_message(
                f"{str(error).rstrip('.')}. {summary}.", retryable=error.retryable and interruption.may_repeat
            ) from error

    def wait(self, refs: Sequence[JobRef]) -> None:
        """Wait on this thread until jobs have ended, and let each begin when its turn comes.

        :param refs: the jobs.
        :raises BulkJobTimeoutError: when the spec's ``timeout`` has passed.
        """
        deadline = time.monotonic() + self._spec.timeout
        progress = {ref.id: JobProgress(log) for ref in refs}
        self._org.run(
            ingest_run.run_jobs,
            refs,
            parallel_jobs=self._spec.parallel_jobs,
            poll_interval=self._spec.poll_interval,
            remaining=lambda: deadline - time.monotonic(),
            min_api_calls_left=self._spec.min_api_calls_left,
            on_progress=lambda job: progress[job.ref.id].tell(job),
        )

    def conclude(self) -> LoadReport:
        """Report what became of every row.

        :return: the report, which is in the results folder as well.
        :raises RecordsFailedError: when more rows failed than the spec tolerates. The report is published.
        """
        spec, tally = self._spec, self._tally
        tally.add_skipped()
        report = self._report(sent=0 if spec.dry_run else self._staged.rows)
        if tally.folder is not None:
            tally.folder.publish(report, dry_run=spec.dry_run)
        self._log(report)
        self._meter(report)
        if not spec.dry_run and not spec.tolerates(tally.not_loaded, report.counts["read"]):
            raise self._failure(report.counts["read"])
        if tally.not_loaded:
            log.warning("%s. %s", self._not_loaded(report.counts["read"]), self._where())
        return report

    def _meter(self, report: LoadReport) -> None:
        meter, tags = self._org.session.meter, {"sobject": report.sobject, "operation": report.operation}
        if not self._spec.dry_run:
            meter.count("records_loaded", report.counts["succeeded"], **tags)
            meter.count("records_failed", self._tally.not_loaded, **tags)
            meter.count("bytes_loaded", sum(part.bytes for part in self.settled), **tags)

    def _log(self, report: LoadReport) -> None:
        counts = report.counts
        for code, each in sorted(report.errors_by_code.items(), key=lambda item: -item[1]["count"]):
            log.info("%s", _counted_error(code, each))
        log.info(
            "Load of %s into %s (%s): %d succeeded, %d failed, %d unprocessed%s; %s, %.1f s",
            counted(counts["read"], "row"),
            self._spec.sobject,
            self._spec.operation,
            counts["succeeded"],
            counts["failed"],
            counts["unprocessed"],
            f", {counts['skipped']} skipped" if counts.get("skipped") else "",
            counted(report.api_calls, "API call"),
            report.seconds,
        )

    def _publish_interrupted(self, interruption: Interruption) -> str:
        """Publish what is known of each row of a load that was interrupted.

        :return: the same as a sentence, without its full stop.
        """
        tally, path = self._tally, self._spec.results_path
        where = f"; every row's outcome is in {path}" if path else ""
        try:
            tally.add_skipped()
            for part, outcome in interruption.parts:
                tally.add(part, outcome, [])
            if tally.folder is not None:
                tally.folder.publish(self._report(sent=tally.counts["succeeded"] + tally.counts["failed"]))
        except SalesforceError as unwritten:
            where = f"; the rows' outcome is not in {path}: {unwritten}"
        counts, unknown = tally.counts, tally.errors.get(ANSWER_LOST, {}).get("count", 0)
        known = [f"{counts['succeeded']} succeeded", f"{counts['failed'] - unknown} were rejected"]
        known += [f"{unknown} have an unknown outcome"] * bool(unknown)
        rows, unanswered = counted(self._staged.rows, "row"), f"{counts['unprocessed']} {interruption.unanswered}"
        summary = f"Of {rows} {', '.join(known)}, and {unanswered}"
        return ". ".join(filter(None, (summary + where, interruption.advice)))

    def _failure(self, rows: int) -> RecordsFailedError:
        tally = self._tally
        errors = sorted(tally.errors.items(), key=lambda item: -item[1]["count"])[:5]
        sentences = [
            self._not_loaded(rows),
            "; ".join(_counted_error(code, each) for code, each in errors),
            self._unprocessed(),
            *tally.reasons[:3],
            self._sender.advice,
            self._where(),
        ]
        failure = RecordsFailedError(
            f"{'. '.join(each.rstrip('.') for each in sentences if each)}. To let some rows fail, raise "
            "max_failed_records or max_failed_ratio.",
            job=tally.jobs[0] if tally.jobs else {},
            failed=tally.not_loaded,
            processed=rows,
            results_path=self._spec.results_path,
            # Rows that were left unprocessed for want of allocation, or met a lock, may be loaded by the next attempt.
            retryable=tally.counts["unprocessed"] > 0 or bool(RETRIABLE & tally.errors.keys()),
        )
        failure.remedy = self._sender.advice
        if tally.reasons:
            failure.brief = f"{tally.reasons[0].rstrip('.')}. {self._not_loaded(rows)}"
        elif errors:
            code, each = errors[0]
            sample = each["sample"]
            row = f"ow {sample['row']} of {sample['file'].rpartition('/')[2]}"
            place = f"Column {', '.join(sample['fields'])}, r{row}" if sample["fields"] else f"R{row}"
            failure.brief = f"{place}: {code}: {sample['message'].rstrip('.')}"
        return failure

    def _not_loaded(self, rows: int) -> str:
        counts, was = self._tally.counts, "was" if self._tally.not_loaded == 1 else "were"
        return (
            f"{self._tally.not_loaded:,} of {counted(rows, 'row')} {was} not loaded into {self._spec.sobject} "
            f"({counts['failed']} failed, {counts['unprocessed']} unprocessed)"
        )

    def _where(self) -> str:
        """Which files hold the rows that were not loaded."""
        if self._tally.folder is None:
            return "Give results_path to get every row's outcome"
        names = [each.name for each in self._tally.files if not each.name.startswith("succeeded-")]
        more = f" and {len(names) - 1} more files there" if len(names) > 1 else ""
        return f"They are in {self._tally.folder.path}/{names[0]}{more}" if names else ""

    def _unprocessed(self) -> str:
        """Which rows Salesforce did not process."""
        named = ", ".join(f"{row['file']} row {row['row']}" for row in self._tally.unprocessed)
        return f"Not processed: {self._tally.counts['unprocessed']:,}, e.g. {named}" if named else ""

    def _report(self, sent: int) -> LoadReport:
        tally, rows = self._tally, self._staged.read
        skipped = {"skipped": tally.counts["skipped"]} if self._spec.on_invalid == "skip" else {}
        self.report = LoadReport(
            sobject=self._spec.sobject,
            operation=self._spec.action.name,
            files=self._staged.source.files,
            results_path=self._spec.results_path or "",
            counts={"read": rows, "sent": sent, **tally.counts, **skipped},
            errors_by_code=tally.errors,
            jobs=tuple(tally.jobs),
            parts=tuple(tally.files),
            api_calls=self._org.session.usage.calls,
            seconds=round(time.monotonic() - self._started, 3),
            package_version=__version__,
            unprocessed_sample=tuple(tally.unprocessed),
            written_by=self._spec.written_by,
        )
        return self.report


def _counted_error(code: str, error: Mapping[str, Any]) -> str:
    """An error, how many rows have it, and an example."""
    return f"{code} ({counted(error['count'], 'row')}, e.g. {_in_words(error['sample'])})"


def _in_words(sample: Mapping[str, Any]) -> str:
    """An example of an error: where it is, and what Salesforce said."""
    return f"{sample['file']} row {sample['row']}: {sample['message']}"
