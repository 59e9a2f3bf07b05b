"""Sending the parts of a staged load, and finding out what became of their rows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_sfjwt.exceptions import BulkJobError, ConfigurationError, NotFoundError, ProtocolError
from airflow_provider_sfjwt.load.ledger import Ledger, LedgerEntry, LedgerJob
from airflow_provider_sfjwt.load.outcomes.part_outcome import PartOutcome, read_accepted, read_rejected
from airflow_provider_sfjwt.load.spec import LoadOrder, unknown_insert
from airflow_provider_sfjwt.load.staging.stage import StagedLoad
from airflow_provider_sfjwt.salesforce.api import bulk_ingest, bulk_job
from airflow_provider_sfjwt.salesforce.api.bulk_ingest import IngestOrder
from airflow_provider_sfjwt.salesforce.api.bulk_job import Job, JobRef
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

if TYPE_CHECKING:
    from airflow_provider_sfjwt.load.outcomes.matching import Results, RowKeys
    from airflow_provider_sfjwt.load.staging.parts import StagedPart
    from airflow_provider_sfjwt.salesforce.wire.flow import Body

log = logging.getLogger(__name__)

#: Takes a part whose rows' fate is known, its outcome and its jobs as Salesforce described them last.
Settled = Callable[["StagedPart", PartOutcome, list[Job]], None]


class PartSender:
    """Sends parts as ingest jobs.

    What is to be sent is told by the ledger and the jobs alone, so that a first try, a retry and a task that resumes
    do the same thing.

    :param org: where to.
    :param order: what is to be done.
    :param ledger: which job got which part.
    :param staged: the parts.
    :param new_try: whether rows that were rejected before are sent once more.
    :param on_settled: is told of each part once the fate of its rows is known.
    """

    def __init__(
        self,
        org: ConnectedOrg,
        order: LoadOrder,
        ledger: Ledger,
        staged: StagedLoad,
        *,
        new_try: bool,
        on_settled: Settled,
    ) -> None:
        self._org = org
        self._order = order
        self._ledger = ledger
        self._staged = staged
        self._new_try = new_try
        self._on_settled = on_settled
        self._seen: set[int] = set()
        self._settled: set[int] = set()

    def advance(self) -> list[JobRef]:
        """Send what is to be sent now, and settle the parts whose jobs have ended.

        :return: the jobs that must end before it can go on; none when the fate of every row is known.
        :raises ConfigurationError: when the source is not what an earlier try has sent.
        :raises BulkJobError: when what became of rows that were sent can no longer be told.
        """
        waiting = [part for part in self._staged.parts if part.number not in self._settled]
        for number in self._ledger.numbers:
            entry = self._ledger.entry(number)
            if number >= len(self._staged.parts) and entry is not None and entry.jobs:
                self._replace(number, entry)  # an earlier try had more parts
                self._ledger.begin(number, "")
        refs: list[JobRef] = []
        with ThreadPoolExecutor(max_workers=self._order.parallel_jobs, thread_name_prefix="load-part") as pool:
            for part, found in zip(waiting, pool.map(self._advance, waiting), strict=True):
                again = self._new_try and part.number not in self._seen
                self._seen.add(part.number)
                # Here, and on no other thread: the results of one part at a time are in memory, and an allocator keeps
                # for each thread what it has freed.
                ref = self._settle(part, found, again=again) if isinstance(found, LedgerEntry) else found
                refs += [ref] if ref is not None else []
        return refs

    def _advance(self, part: StagedPart) -> JobRef | LedgerEntry:
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
                return job.ref
            # Whether it has its rows is not known. It has not begun, and once it is aborted it never will.
            self._org.run(bulk_ingest.retire_job, job.ref)
            self._ledger.dropped(part.number, last.id)
            entry = self._entry(part)
        return self._send(part.number, part, retry=0)

    def _entry(self, part: StagedPart) -> LedgerEntry:
        """What the ledger knows of a part with this content."""
        content = f"{part.sha256}-{self._order.fingerprint()}"
        entry = self._ledger.entry(part.number)
        if entry is not None and entry.over_rest and not self._order.repeatable:
            raise unknown_insert(self._order, part.rows)
        if entry is not None and entry.sha256 == content and not entry.over_rest:
            return entry
        if entry is not None:
            self._replace(part.number, entry)
        self._ledger.begin(part.number, content)
        return LedgerEntry(content)

    def _replace(self, number: int, entry: LedgerEntry) -> None:
        """See that the jobs of a part that the source no longer has load nothing from now on."""
        for known in entry.jobs:
            job = self._look_up(known)
            begun = known.uploaded and job is not None and job.state != "Open"
            if begun and job is not None and not self._order.repeatable and not _took_nothing(job):
                raise ConfigurationError(
                    {
                        "source": f"changed since an earlier try, which sent another part {number} in job {known.id}. "
                        "What of it was inserted cannot be told apart from the new rows. Trigger a new run for the "
                        "new source, or bring the old one back"
                    },
                    subject="the load",
                )
            if job is not None and not job.ended:
                log.info("The source changed, so that job %s of an earlier try is aborted", known.id)
                self._org.run(bulk_ingest.retire_job, job.ref)

    def _look_up(self, known: LedgerJob) -> Job | None:
        """The job as it is now, or None where it is gone and its rows may be sent again."""
        try:
            return self._org.run(bulk_job.get_job, known.ref)
        except NotFoundError:
            if self._order.repeatable or not known.uploaded:
                return None
            raise BulkJobError(
                f"job {known.id} of an earlier try is gone (Salesforce keeps jobs for 7 days), so that it cannot be "
                "told which of its rows were inserted. Compare the org with the source, then trigger a new run with "
                "what is missing.",
                job={"id": known.id},
            ) from None

    def _send(self, number: int, part: StagedPart, retry: int) -> JobRef:
        order = self._order
        what = IngestOrder(order.sobject, order.bulk_operation, order.external_id_field, order.assignment_rule_id)

        def remember(job: Job) -> None:
            self._ledger.created(number, LedgerJob(job.ref.id, job.ref.api_version, part.rows, retry))

        job = self._org.run(bulk_ingest.fill_job, what, lambda: part.path.open("rb"), on_created=remember)
        self._ledger.uploaded(number, job.ref.id)
        log.info("Part %d: %d rows (%.1f MB) are in job %s", number, part.rows, part.bytes / 1e6, job.ref.id)
        return job.ref

    def _settle(self, part: StagedPart, entry: LedgerEntry, *, again: bool) -> JobRef | None:
        """Send what of a part is to be sent again, or find that nothing is."""
        from airflow_provider_sfjwt.files.storage.errors import TEMPORARY, storage_errors

        outcome, jobs = self._outcome(part, entry)
        retry = entry.jobs[-1].retry + 1
        if again:
            rows, retry = sorted([*outcome.places("rejected"), *outcome.places("unprocessed")]), 0
        else:
            rows = outcome.passing() if retry <= self._order.row_retries else []
        if rows:
            log.info("Part %d: %d of its %d rows are sent again", part.number, len(rows), part.rows)
            with storage_errors(str(self._staged.folder), TEMPORARY):
                rest = part.subset(rows, self._staged.folder, number=part.number)
            return self._send(part.number, rest, retry)
        self._settled.add(part.number)
        self._on_settled(part, outcome, jobs)
        return None

    def _outcome(self, part: StagedPart, entry: LedgerEntry) -> tuple[PartOutcome, list[Job]]:
        from airflow_provider_sfjwt.load.outcomes.matching import RowKeys

        jobs = [(known, self._look_up(known)) for known in entry.jobs]
        outcome, keys = PartOutcome(part.rows), RowKeys(part)
        for known, job in jobs:
            if job is not None and job.ended:
                self._take_results(outcome, keys, known, job)
        return outcome, [job for _, job in jobs if job is not None]

    def _take_results(self, outcome: PartOutcome, keys: RowKeys, known: LedgerJob, job: Job) -> None:
        rejected = _count(job, "numberRecordsFailed")
        accepted = _count(job, "numberRecordsProcessed") - rejected
        complete = job.state == "JobComplete"
        if complete and accepted == known.rows == outcome.rows and not self._order.results_path:
            outcome.accept_all()
            return
        # The figures of a job that did not complete may be late, so its result sets may have more rows. Never fewer: a
        # row that was saved and is missing there would be sent again.
        if accepted or not complete:
            read = partial(read_accepted, keys=keys)
            outcome.take_accepted(self._results(job, "successfulResults", read, accepted, exact=complete))
        if rejected or not complete:
            read = partial(read_rejected, keys=keys)
            outcome.take_rejected(self._results(job, "failedResults", read, rejected, exact=complete))

    def _results(self, job: Job, name: str, read: Callable[[Body], Results], expected: int, *, exact: bool) -> Results:
        results = self._org.run(bulk_ingest.result_set, job.ref, name, read)
        if results.rows < expected or (exact and results.rows > expected):
            raise ProtocolError(
                f"{name} of job {job.ref.id} has {results.rows} rows where the job counted {expected}, so that it "
                "is not known what became of each row. Nothing was sent again; a retry asks again.",
                retryable=True,
            )
        return results


def _count(job: Job, name: str) -> int:
    count = job.info.get(name)
    return count if isinstance(count, int) else 0


def _took_nothing(job: Job) -> bool:
    return job.state == "JobComplete" and _count(job, "numberRecordsProcessed") == _count(job, "numberRecordsFailed")
