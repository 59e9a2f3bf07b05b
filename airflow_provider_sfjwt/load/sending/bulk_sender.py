"""Sending the parts of a load as ingest jobs of Bulk API 2.0, and reading what became of their rows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from airflow_provider_sfjwt.exceptions import (
    BulkJobError,
    ConfigurationError,
    NotFoundError,
    ProtocolError,
    SalesforceError,
    counted,
)
from airflow_provider_sfjwt.files.storage.errors import TEMPORARY, storage_errors
from airflow_provider_sfjwt.load.ledger import Ledger, LedgerEntry, LedgerJob
from airflow_provider_sfjwt.load.ledger_content import content_of, is_content
from airflow_provider_sfjwt.load.outcomes.matching import Results, RowKeys
from airflow_provider_sfjwt.load.outcomes.part_outcome import PartOutcome, read_accepted, read_rejected
from airflow_provider_sfjwt.load.sending.sender import Interruption, Settled, may_stop, unknown_insert
from airflow_provider_sfjwt.load.spec import LoadSpec
from airflow_provider_sfjwt.load.staging.parts import JobFile
from airflow_provider_sfjwt.load.staging.stage import StagedLoad
from airflow_provider_sfjwt.salesforce.api import bulk_ingest, bulk_job
from airflow_provider_sfjwt.salesforce.api.bulk_ingest import IngestOrder
from airflow_provider_sfjwt.salesforce.api.bulk_job import Job, JobRef
from airflow_provider_sfjwt.salesforce.org.api_budget import ApiBudget, SparingOrg
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.wire.flow import Body

log = logging.getLogger(__name__)


class BulkSender:
    """Sends parts as ingest jobs.

    The ledger and the jobs alone decide what is sent, so that a first attempt, a retry and a resumed task do the same.

    :param org: where the rows go.
    :param spec: what is asked for.
    :param ledger: which job got which part.
    :param staged: the parts.
    :param budget: the org's API calls that must stay unused.
    :param new_attempt: whether rows that were rejected before are sent once more.
    :param on_settled: is called with each part once the outcome of its rows is known.
    """

    def __init__(
        self,
        org: ConnectedOrg,
        spec: LoadSpec,
        ledger: Ledger,
        staged: StagedLoad,
        budget: ApiBudget,
        *,
        new_attempt: bool,
        on_settled: Settled,
    ) -> None:
        self._org = org
        self._spec = spec
        self._ledger = ledger
        self._staged = staged
        self._sparing = SparingOrg(org, budget)
        self._begun = False
        self._new_attempt = new_attempt
        self._on_settled = on_settled
        self._seen: set[int] = set()
        self._settled: set[int] = set()

    @property
    def advice(self) -> str:
        """What to do about rows that Salesforce refused."""
        if self._spec.action.repeatable:
            return (
                "Correct these rows in the source and clear the task: it sends each part with changed rows as a whole, "
                "and of the other parts what was not accepted"
            )
        return (
            "If the cause is in the org, mend it and clear the task: it sends only what was not accepted. If it is in "
            "the rows, load the corrected ones by themselves"
        )

    def interruption(self) -> Interruption:
        """A retry finds all that is known in the jobs, so there is nothing to publish now."""
        return Interruption()

    def advance(self) -> list[JobRef]:
        """Send what is to be sent now, and settle the parts whose jobs have ended.

        :return: the jobs that must end before it can go on; empty when the outcome of every row is known.
        :raises ConfigurationError: when the source is not what an earlier attempt has sent.
        :raises BulkJobError: when the outcome of rows that were sent can no longer be found out.
        :raises RequestLimitError: when the org has too few API calls left to send rows or to fetch results.
        """
        waiting = [part for part in self._staged.parts if part.number not in self._settled]
        for number in self._ledger.numbers:
            entry = self._ledger.entry(number)
            if number >= len(self._staged.parts) and entry is not None and entry.jobs:
                self._replace(number, entry)  # an earlier attempt had more parts
                self._ledger.forget_part(number)
        refs: list[JobRef] = []
        with ThreadPoolExecutor(max_workers=self._spec.parallel_jobs, thread_name_prefix="load-part") as pool:
            for part, found in zip(waiting, pool.map(self._advance, waiting), strict=True):
                again = self._new_attempt and part.number not in self._seen
                self._seen.add(part.number)
                # On this thread alone, so that the results of only one part are in memory: an allocator keeps what each
                # thread has freed.
                ref = self._settle(part, found, again=again) if isinstance(found, LedgerEntry) else found
                refs += [ref] if ref is not None else []
        self._begun = True
        return refs

    @property
    def _interruptible(self) -> ConnectedOrg:
        """The org, for calls that are not made while too few are left; of a load that must not stop, all are made."""
        return self._org if self._begun and not may_stop(self._spec, self._ledger) else self._sparing

    def _advance(self, part: JobFile) -> JobRef | LedgerEntry:
        """Send a part that no job has yet.

        :return: the job that is to be waited for, or the part's entry where all its jobs have ended.
        """
        entry = self._entry(part)
        while entry.jobs:
            last = entry.jobs[-1]
            job = self._look_up(last)
            if job is None or job.ended:
                return entry
            if last.uploaded or job.state != "Open":
                if self._new_attempt and part.number not in self._seen and not last.taken_over:
                    self._ledger.taken_over(part.number, last.id)
                return job.ref
            # It is unknown whether it has its rows. It has not begun, and once it is aborted it never will.
            self._org.run(bulk_ingest.retire_job, job.ref)
            self._ledger.dropped(part.number, last.id)
            entry = self._entry(part)
        return self._send(part.number, part, retry=0)

    def _entry(self, part: JobFile) -> LedgerEntry:
        """What the ledger knows of a part with this content."""
        entry = self._ledger.entry(part.number)
        if entry is not None and entry.over_rest and not self._spec.action.repeatable:
            raise unknown_insert(self._spec, part.rows)
        if entry is not None and not entry.over_rest and is_content(entry.sha256, part.sha256, self._spec):
            return entry
        if entry is not None:
            self._replace(part.number, entry)
        content = content_of(part.sha256, self._spec)
        self._ledger.begin(part.number, content)
        return LedgerEntry(content)

    def _replace(self, number: int, entry: LedgerEntry) -> None:
        """End the jobs of a part that the source no longer has."""
        for known in entry.jobs:
            job = self._look_up(known)
            begun = known.uploaded and job is not None and job.state != "Open"
            if begun and job is not None and not self._spec.action.repeatable and not _accepted_nothing(job):
                raise ConfigurationError(
                    {
                        "source": f"changed since an earlier attempt, which sent another part {number} in job "
                        f"{known.id}. It is unknown which of the old rows were inserted. Trigger a new run for the new "
                        "source, or bring the old one back"
                    },
                    subject="the load",
                )
            if job is not None and not job.ended:
                log.info("The source changed, so job %s of an earlier attempt is aborted", known.id)
                self._org.run(bulk_ingest.retire_job, job.ref)

    def _look_up(self, known: LedgerJob) -> Job | None:
        """The job as it is now, or None where it is gone and its rows may be sent again."""
        try:
            return self._org.run(bulk_job.get_job, known.ref)
        except NotFoundError:
            if self._spec.action.repeatable or not known.uploaded:
                return None
            raise BulkJobError(
                f"job {known.id} of an earlier attempt is gone (Salesforce keeps jobs for 7 days), so it is unknown "
                "which of its rows were inserted. Compare the org with the source, then trigger a new run with what is "
                "missing.",
                job={"id": known.id},
            ) from None

    def _send(self, number: int, part: JobFile, retry: int) -> JobRef:
        spec = self._spec
        what = IngestOrder(spec.sobject, spec.action.name, spec.external_id_field, spec.assignment_rule_id)

        def remember(job: Job) -> None:
            try:
                self._ledger.created(number, LedgerJob(job.ref.id, job.ref.api_version, part.rows, retry))
            except SalesforceError:  # another attempt goes on with the load, and may not know this job
                self._org.run(bulk_ingest.retire_job, job.ref)
                raise

        job = self._interruptible.run(bulk_ingest.fill_job, what, lambda: part.path.open("rb"), on_created=remember)
        self._ledger.uploaded(number, job.ref.id)
        rows, megabytes = counted(part.rows, "row"), part.bytes / 1e6
        log.info("Part %d: job %s has %s (%.1f MB)", number, job.ref.id, rows, megabytes)
        return job.ref

    def _settle(self, part: JobFile, entry: LedgerEntry, *, again: bool) -> JobRef | None:
        """Send the rows of a part that are to be sent again; if there are none, the part is settled."""
        outcome, jobs = self._outcome(part, entry)
        last, left = entry.jobs[-1], outcome.row_numbers("unprocessed")
        retry = last.retry + 1
        if again:
            rows, retry = sorted([*outcome.row_numbers("rejected"), *left]), 0
        elif last.taken_over and left:
            # Airflow ends the earlier attempt's wait after this one has begun, and with it this job.
            rows, retry = sorted([*outcome.passing(), *left]), 0
        else:
            rows = outcome.passing() if retry <= self._spec.row_retries else []
        if rows:
            log.info("Part %d: sending %d of its %s again", part.number, len(rows), counted(part.rows, "row"))
            with storage_errors(str(self._staged.folder), TEMPORARY):
                rest = part.subset(rows, self._staged.folder, number=part.number)
            return self._send(part.number, rest, retry)
        self._settled.add(part.number)
        self._on_settled(part, outcome, jobs)
        return None

    def _outcome(self, part: JobFile, entry: LedgerEntry) -> tuple[PartOutcome, list[Job]]:
        jobs = [(known, self._look_up(known)) for known in entry.jobs]
        outcome, keys = PartOutcome(part.rows), RowKeys(part, self._staged.keys)
        for known, job in jobs:
            if job is not None and job.ended:
                self._take_results(outcome, keys, known, job)
        return outcome, [job for _, job in jobs if job is not None]

    def _take_results(self, outcome: PartOutcome, keys: RowKeys, known: LedgerJob, job: Job) -> None:
        rejected = _count(job, "numberRecordsFailed")
        accepted = _count(job, "numberRecordsProcessed") - rejected
        complete = job.state == "JobComplete"
        if complete and accepted == known.rows == outcome.rows and not self._spec.results_path:
            outcome.accept_all()
            return
        # The counts of a job that did not complete may be late, so its result sets may have more rows, but never fewer:
        # a row that was saved and is missing there would be sent again.
        if accepted or not complete:
            read = partial(read_accepted, keys=keys)
            outcome.take_accepted(self._results(job, "successfulResults", read, accepted, exact=complete))
        if rejected or not complete:
            read = partial(read_rejected, keys=keys)
            outcome.take_rejected(self._results(job, "failedResults", read, rejected, exact=complete))

    def _results(self, job: Job, name: str, read: Callable[[Body], Results], expected: int, *, exact: bool) -> Results:
        results = self._interruptible.run(bulk_ingest.result_set, job.ref, name, read)
        if results.rows < expected or (exact and results.rows > expected):
            raise ProtocolError(
                f"{name} of job {job.ref.id} has {counted(results.rows, 'row')} where the job counted {expected}, so "
                "the outcome of each row is unknown. Nothing was sent again; a retry asks again.",
                retryable=True,
            )
        return results


def _count(job: Job, name: str) -> int:
    count = job.info.get(name)
    return count if isinstance(count, int) else 0


def _accepted_nothing(job: Job) -> bool:
    return job.state == "JobComplete" and _count(job, "numberRecordsProcessed") == _count(job, "numberRecordsFailed")
