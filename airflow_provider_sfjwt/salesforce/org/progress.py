"""What a task's log shows while it works: the progress of a job and of a download, and details that are folded."""

from __future__ import annotations

import logging
import textwrap
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_sfjwt.salesforce.api.bulk_job import Job
    from airflow_provider_sfjwt.salesforce.wire.flow import Body

log = logging.getLogger(__name__)

#: Characters of a line that the log pane of Airflow's UI shows on an ordinary screen.
LINE = 100
#: Seconds between two lines of the log.
_INTERVAL = 10.0
_MEGABYTE = 1e6


def fold(logger: Any, title: str, lines: Iterable[str]) -> None:
    """Log details that Airflow's log pane shows when somebody unfolds them.

    :param logger: where to.
    :param title: of the details.
    :param lines: longer ones are broken.
    """
    logger.info("::group::%s", title)
    for line in lines:
        for piece in textwrap.wrap(line, LINE, subsequent_indent="  ", break_on_hyphens=False) or [""]:
            logger.info("%s", piece)
    logger.info("::endgroup::")


class JobProgress:
    """Logs a job's state and records, each time that one of them changes.

    :param logger: where to.
    """

    def __init__(self, logger: Any = log) -> None:
        self._logger = logger
        self._last: tuple[str, int] | None = None

    def tell(self, job: Job) -> None:
        """Log the job's state and records, if they changed.

        :param job: as Salesforce described it just now.
        """
        news = (job.state, job.records_processed or 0)
        if news != self._last:
            self._logger.info("Job %s is %s, %s records processed", job.ref.id, *news)
            self._last = news


class DownloadProgress:
    """Counts what arrives, over all threads of a download, and logs it now and then.

    :param name: of what is fetched, for the log.
    :param expected: how many records there are in all, or None where that is unknown.
    :param clock: seconds that never go back.
    :param interval: seconds between two lines of the log.
    """

    def __init__(
        self,
        name: str,
        expected: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        interval: float = _INTERVAL,
    ) -> None:
        self._name = name
        self._expected = expected
        self._clock = clock
        self._interval = interval
        self._lock = threading.Lock()
        self._started = self._logged_at = clock()
        self._bytes = self._records = self._pages = 0
        self._kept_records = self._kept_pages = 0
        self._known_pages, self._all_pages_known = 0, False

    def watch(self, body: Body) -> Body:
        """A body whose bytes are counted as they are read.

        :param body: the body.
        """
        return _WatchedBody(body, self._arrived)

    def page_known(self) -> None:
        """One more page is known to exist."""
        self._known_pages += 1

    def all_pages_known(self) -> None:
        """Every page is known."""
        self._all_pages_known = True

    def page_kept(self, records: int) -> None:
        """A page is there from an earlier attempt.

        :param records: in it.
        """
        with self._lock:
            self._kept_pages += 1
            self._kept_records += records

    def page_done(self, records: int) -> None:
        """A page was fetched and written.

        :param records: in it.
        """
        with self._lock:
            self._pages += 1
            self._records += records

    def line(self) -> str:
        """What is known, in one line; the time left only where it can be estimated."""
        seconds = max(self._clock() - self._started, 1e-9)
        done, pages = self._records + self._kept_records, self._pages + self._kept_pages
        known = max(self._known_pages, pages)
        of_pages = f" of {known}" if self._all_pages_known else f" of at least {known}"
        of_records = f" of {self._expected:,}" if self._expected is not None else ""
        kept = f" ({self._kept_pages} kept from an earlier attempt)" if self._kept_pages else ""
        rate = self._bytes / _MEGABYTE / seconds
        text = (
            f"{self._name}: {pages}{of_pages} pages{kept}, {done:,}{of_records} records, "
            f"{self._bytes / _MEGABYTE:,.1f} MB at {rate:,.1f} MB/s"
        )
        if self._expected is None or self._records == 0 or done >= self._expected:
            return text
        left = (self._expected - done) * seconds / self._records
        return f"{text}, about {left:,.0f} s left"

    def _arrived(self, count: int) -> None:
        with self._lock:
            self._bytes += count
            now = self._clock()
            if now - self._logged_at < self._interval:
                return
            self._logged_at = now
        log.info("%s", self.line())


@dataclass
class _WatchedBody:
    body: Body
    arrived: Callable[[int], None]

    def readinto(self, buffer: memoryview) -> int:
        count = self.body.readinto(buffer)
        self.arrived(count)
        return count
