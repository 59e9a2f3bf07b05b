"""The org's clock, as its answers show it, and how far this machine's clock is from it.

What is new in an org is a question of the org's time. Yet a proxy or a cache can put its own ``Date`` into an answer,
and the clock of a machine can be wrong: neither is trusted alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from airflow_provider_sfjwt.salesforce.api import retry
from airflow_provider_sfjwt.salesforce.wire.flow import Response

log = logging.getLogger(__name__)

#: Seconds by which the org's clock and this machine's may differ before rows by time are refused.
MOST_APART = 600.0


@dataclass(frozen=True)
class ClocksApart:
    """Two clocks that cannot both be right.

    :param org: what the answer said.
    :param worker: this machine's time when the answer came.
    """

    org: datetime
    worker: datetime

    def __str__(self) -> str:
        seconds = abs((self.org - self.worker).total_seconds())
        return (
            f"the org's answers say {_shown(self.org)} and this machine's clock says {_shown(self.worker)}, "
            f"{timedelta(seconds=round(seconds))} apart (at most {timedelta(seconds=MOST_APART)} is taken)"
        )


class OrgClock:
    """The org's time, from the ``Date`` of its answers, carried on by a clock that never jumps.

    An answer counts when Salesforce itself gave it just now: a refusal may come from a proxy, an ``Age`` means that a
    cache kept it, and the date of a large download is from its beginning.

    :param clock: seconds that never go back.
    :param wall: this machine's clock, seconds since the epoch.

    https://datatracker.ietf.org/doc/html/rfc9110#section-6.6.1
    https://datatracker.ietf.org/doc/html/rfc9111#section-5.1
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._wall = wall
        self._began = (wall(), clock())
        self._read: tuple[datetime, float] | None = None
        self._warned = False
        #: How the last answer's clock and this machine's contradict each other; None where they agree.
        self.apart: ClocksApart | None = None

    def now(self) -> datetime | None:
        """The org's time, or None before an answer showed it."""
        if self._read is None:
            return None
        moment, seen_at = self._read
        return moment + timedelta(seconds=self._clock() - seen_at)

    def learn(self, response: Response, sent_at: float) -> None:
        """Read an answer's clock, and compare it with this machine's.

        :param response: the answer.
        :param sent_at: when its request was sent, by the clock that never goes back.
        """
        moment = retry.http_date(response.headers.get("date", ""))
        fresh = response.headers.get("age", "0").strip() == "0"
        if moment is None or not fresh or response.status >= 300 or response.sunk is not None:
            return
        seen_at = self._clock()
        self._read = (moment, seen_at)
        self.apart = self._compared(moment, seen_at, seen_at - sent_at)
        if self.apart is not None and not self._warned:
            self._warned = True
            log.warning(
                "Clocks differ: %s. Set this machine's clock by NTP, or look for a proxy that changes Date", self.apart
            )

    def _compared(self, moment: datetime, seen_at: float, took: float) -> ClocksApart | None:
        """The answer's date lies between the sending of the request and the arrival of the answer.

        This machine's clock counts as it was at the beginning, carried on, or as it is now: it may jump meanwhile (it
        is set, or the machine sleeps), and one of the two is then right.
        """
        apart = []
        for now in (self._began[0] + seen_at - self._began[1], self._wall()):
            worker = datetime.fromtimestamp(now, timezone.utc)
            ahead = (moment - worker).total_seconds()
            if -took - MOST_APART <= ahead <= MOST_APART:
                return None
            apart.append(ClocksApart(moment, worker))
        return apart[-1]


def _shown(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
