"""Closing the ingest jobs of a load a few at a time, and waiting until all have ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airflow_provider_sfjwt.exceptions import BulkJobTimeoutError, NotFoundError, counted
from airflow_provider_sfjwt.salesforce.api.bulk_ingest import close_job
from airflow_provider_sfjwt.salesforce.api.bulk_job import FIRST_LOOK, JOBS, SLOWER, Job, JobRef, get_job
from airflow_provider_sfjwt.salesforce.api.org import wait_for_api_calls
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Flow


def run_jobs(
    session: Session,
    refs: Sequence[JobRef],
    *,
    parallel_jobs: int,
    poll_interval: float,
    remaining: Callable[[], float],
    min_api_calls_left: int | None = None,
    on_progress: Callable[[Job], None] | None = None,
) -> Flow[list[Job]]:
    """Close jobs, a few at a time, and wait until all have ended. May be called again with the same jobs at any time.

    :param session: the conversation.
    :param refs: jobs that hold their data, in any state, each of them once. They are closed in this order.
    :param parallel_jobs: how many are being processed at once at most; at least 1.
    :param poll_interval: seconds between two looks at a job at most; the first looks come sooner.
    :param remaining: the seconds that are left, at most 0 when time is up.
    :param min_api_calls_left: how many API calls of its 24 hours the org must have left when a job is closed; jobs that
        are closed already are seen through. None for no limit.
    :param on_progress: is called with a job at each look.
    :return: the jobs, which have come to an end, good or bad, in the order of ``refs``, without those that
        are gone.
    :raises BulkJobTimeoutError: when time is up. The jobs that are closed go on; its ``job["ids"]`` has all that have
        not ended, in the order of ``refs``.
    """
    run = _Run(session, refs, poll_interval, remaining, min_api_calls_left, on_progress)
    while True:
        yield from run.begin(parallel_jobs)
        if not run.running:
            return [run.ended[ref.id] for ref in refs if ref.id in run.ended]
        if remaining() <= 0:
            raise run.time_is_up(refs)
        yield from run.look()


@dataclass
class _Watched:
    """A job that is being processed.

    :param due: when to look at it next, in seconds of waiting.
    :param delay: seconds from that look to the one after it.
    """

    job: Job
    due: float
    delay: float


class _Run:
    """Where each job of :func:`run_jobs` is."""

    def __init__(
        self,
        session: Session,
        refs: Sequence[JobRef],
        poll_interval: float,
        remaining: Callable[[], float],
        min_api_calls_left: int | None,
        on_progress: Callable[[Job], None] | None,
    ) -> None:
        self.waiting = deque(refs)
        self.running: list[_Watched] = []
        self.ended: dict[str, Job] = {}
        self.gone: set[str] = set()
        self._session, self._poll_interval = session, poll_interval
        self._remaining, self._on_progress = remaining, on_progress
        self._min_api_calls_left = min_api_calls_left
        self._waited = 0.0

    def begin(self, parallel_jobs: int) -> Flow[None]:
        delay = min(FIRST_LOOK, self._poll_interval)
        while self.waiting and len(self.running) < parallel_jobs and (yield from self._may_begin()):
            # When time is up, jobs are only looked at: they may have ended, and none is begun.
            step = close_job if self._remaining() > 0 else get_job
            job = yield from self._seen(step, self.waiting[0])
            self.waiting.popleft()
            if job is not None:
                self._sort(_Watched(job, self._waited + delay, delay * SLOWER))

    def _may_begin(self) -> Flow[bool]:
        """Whether the org has enough API calls left; where no job runs, wait until it has, or until time is up."""
        least = self._session.calls_to_leave(self._min_api_calls_left).least
        if (self._session.usage.left or 0) >= least:
            return True
        if self.running:
            return False
        yield from wait_for_api_calls(
            self._session, least, poll_interval=self._poll_interval, remaining=self._remaining
        )
        return True

    def _seen(self, step: Callable[[Session, JobRef], Flow[Job]], ref: JobRef) -> Flow[Job | None]:
        """Close a job or look at it; None when it is gone."""
        try:
            return (yield from step(self._session, ref))
        except NotFoundError:
            self.gone.add(ref.id)
            return None

    def look(self) -> Flow[None]:
        """Wait for the next look, and look."""
        due = min(each.due for each in self.running)
        left = self._remaining()
        last = self._waited + left <= due
        yield from flow.pause(max(0.0, min(due - self._waited, left)))
        self._waited = due
        watched, self.running = self.running, []
        for each in watched:
            if last or each.due <= due:
                job = yield from self._seen(get_job, each.job.ref)
                each.due, each.delay = due + min(each.delay, self._poll_interval), each.delay * SLOWER
                if job is not None:
                    each.job = job
                    self._sort(each)
            else:
                self.running.append(each)

    def _sort(self, each: _Watched) -> None:
        if self._on_progress is not None:
            self._on_progress(each.job)
        if each.job.ended:
            self.ended[each.job.ref.id] = each.job
        else:
            self.running.append(each)

    def time_is_up(self, refs: Sequence[JobRef]) -> BulkJobTimeoutError:
        ids = [ref.id for ref in refs if ref.id not in self.ended and ref.id not in self.gone]
        first = self.running[0].job
        more, have = ", …" if len(ids) > 10 else "", "has" if len(ids) == 1 else "have"
        return BulkJobTimeoutError(
            f"{len(ids)} of {counted(len(refs), 'job')} {have} not ended and the time for them is up: "
            f"{', '.join(ids[:10])}{more}; job {first.ref.id} is still {first.state}",
            job={**first.info, "ids": ids},
            setup_page=JOBS,
            retryable=True,
        )
