from __future__ import annotations

import logging
from datetime import datetime, timezone

import pytest

from airflow_provider_sfjwt.salesforce.api.clock import MOST_APART, OrgClock
from airflow_provider_sfjwt.salesforce.wire.flow import Response

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
DATE = {"date": "Sat, 21 Nov 2026 12:00:00 GMT"}


class Worker:
    """A machine with two clocks, one of which may be set."""

    def __init__(self) -> None:
        self.steady = 500.0
        self.wall = NOON.timestamp()
        self.clock = OrgClock(lambda: self.steady, lambda: self.wall)

    def passes(self, seconds: float) -> None:
        self.steady += seconds
        self.wall += seconds


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_a_slow_answer_is_not_a_wrong_clock(worker: Worker) -> None:
    worker.passes(3 * MOST_APART)
    worker.clock.learn(Response(200, DATE), sent_at=500.0)
    assert worker.clock.apart is None
    worker.clock.learn(Response(200, DATE), sent_at=500.0 + MOST_APART + 1000)
    assert worker.clock.apart is not None


def test_a_machine_that_slept_has_no_wrong_clock(worker: Worker) -> None:
    worker.wall += 86_400
    worker.clock.learn(Response(200, {"date": "Sun, 22 Nov 2026 12:00:00 GMT"}), sent_at=worker.steady)
    assert worker.clock.apart is None


@pytest.mark.parametrize(
    "response",
    [
        Response(200, DATE, sunk="a file"),
        Response(200, {**DATE, "age": "1"}),
        Response(302, DATE),
        Response(500, DATE),
        Response(200, {"date": "Fri, 31 Dec 9999 00:00:00 GMT"}),
        Response(200, {"date": "Fri, 31 Dec 9999 23:59:59 -0500"}),
        Response(200, {}),
    ],
)
def test_what_is_not_the_orgs_clock_now_is_not_learned(worker: Worker, response: Response) -> None:
    worker.clock.learn(response, sent_at=worker.steady)
    assert worker.clock.now() is None


def test_the_last_answer_counts_and_the_first_contradiction_is_logged(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = Response(200, {"date": "Sat, 21 Nov 2026 12:11:00 GMT"})
    with caplog.at_level(logging.WARNING):
        for response in (wrong, wrong, Response(200, DATE)):
            worker.clock.learn(response, sent_at=worker.steady)
    assert [each.getMessage() for each in caplog.records] == [
        "Clocks differ: the org's answers say 2026-11-21T12:11:00Z and this machine's clock says 2026-11-21T12:00:00Z, "
        "0:11:00 apart (at most 0:10:00 is taken). Set this machine's clock by NTP, or look for a proxy that changes Date"
    ]
    assert worker.clock.apart is None
    assert worker.clock.now() == NOON
