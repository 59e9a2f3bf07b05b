"""What the log says of a job and of a download."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_provider_sfjwt.salesforce.api.bulk_job import Job, JobRef
from airflow_provider_sfjwt.salesforce.org.progress import DownloadProgress, JobProgress


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Body:
    """A body of so many bytes."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readinto(self, buffer: memoryview) -> int:
        count = min(self._left, len(buffer))
        self._left -= count
        return count


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_download_tells_pages_records_rate_and_time_left(clock: Clock) -> None:
    progress = DownloadProgress("Job 750", 1_000_000, clock=clock)
    for _ in range(4):
        progress.page_known()
    assert progress.line() == "Job 750: 0 of at least 4 pages, 0 of 1,000,000 records, 0.0 MB at 0.0 MB/s"
    progress.page_kept(200_000)
    progress.watch(Body(30_000_000)).readinto(memoryview(bytearray(30_000_000)))
    progress.page_done(200_000)
    clock.now = 2.0
    assert progress.line() == (
        "Job 750: 2 of at least 4 pages (1 kept from an earlier attempt), 400,000 of 1,000,000 records, 30.0 MB at 15.0 MB/s, "
        "about 6 s left"
    )
    progress.page_known()
    progress.all_pages_known()
    progress.page_done(600_000)
    assert "3 of 5 pages" in progress.line()
    assert "left" not in progress.line()


def test_without_a_total_no_time_left_is_made_up(clock: Clock) -> None:
    progress = DownloadProgress("Query over REST", None, clock=clock)
    progress.page_done(2000)
    clock.now = 1.0
    assert progress.line() == "Query over REST: 1 of at least 1 pages, 2,000 records, 0.0 MB at 0.0 MB/s"


def test_the_log_gets_a_line_now_and_then(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    body = DownloadProgress("Job 750", None, clock=clock, interval=10).watch(Body(100))
    for clock.now in (1.0, 9.9, 10.0, 12.0, 20.5):
        body.readinto(memoryview(bytearray(10)))
    assert len(caplog.messages) == 2


def test_a_job_is_logged_when_something_changed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    progress = JobProgress(logging.getLogger("test"))
    info: dict[str, Any] = {}
    for state, records in (("InProgress", 0), ("InProgress", 0), ("InProgress", 10), ("JobComplete", 10)):
        progress.tell(Job(JobRef("750", "66.0"), state, {**info, "numberRecordsProcessed": records}))
    assert caplog.messages == [
        "Job 750 is InProgress, 0 records processed",
        "Job 750 is InProgress, 10 records processed",
        "Job 750 is JobComplete, 10 records processed",
    ]
