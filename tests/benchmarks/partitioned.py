"""One big object over several workers, beside one task: the pages of one job, 20 MB/s a connection."""

from __future__ import annotations

import sys
from functools import partial

from tests.benchmarks import pages
from tests.benchmarks.runs import Figures, Sample, Section, Verdict, fresh, interleaved
from tests.benchmarks.served import PageServer

_PAGES, _BYTES_PER_SECOND, _LATENCY = 16, 20e6, 0.05
_WORKERS, _SLOTS = 2, 4
_SPEED_UP = 3.0
_ONE = "one task, parallel_pages=1"
_FOUR = "one task, parallel_pages=4"
_SHARED = f"{_WORKERS} workers × {_SLOTS} slots, {_WORKERS * _SLOTS} shares, parallel_pages=1"


def measure(server: PageServer, runs: int) -> Section:
    """One connection, four in one task, and eight on two workers. :param server: of the pages. :param runs: of each."""
    server.configure(page_count=_PAGES, bytes_per_second=_BYTES_PER_SECOND, latency=_LATENCY)
    samples = interleaved(
        {
            _ONE: partial(_once, server),
            _FOUR: partial(_once, server, "--parallel-pages", "4"),
            _SHARED: partial(_once, server, "--workers", str(_WORKERS), "--slots", str(_SLOTS)),
        },
        runs,
    )
    rows = _PAGES * pages.PAGE_ROWS
    section = Section(
        "One big object over several workers",
        [
            f"{rows:,} rows in {_PAGES} pages as typed Parquet, 20 MB/s per connection, 50 ms before each answer, plain "
            "http. A worker is a process with processes of its own for its tasks, which are there and have imported the "
            "package when the run begins; each task signs in by itself. Airflow's own time between tasks is not in it. "
            "The fetch phase is from the job's end to the last part; of one task it includes the receipt."
        ],
        ("", "fetch, s, median (min – max)", "plan, s", "commit, s", "whole run, s", "CPU s", "API calls"),
    )
    for name, each in samples.items():
        figures = [
            Figures.of(each, key).text() if key in each[0] else ""
            for key in ("seconds", "plan_seconds", "commit_seconds", "whole_seconds", "cpu_seconds")
        ]
        section.rows.append((name, *figures, Figures.of(each, "api_calls").text(0)))
    one, shared = (Figures.of(samples[name], "seconds").median for name in (_ONE, _SHARED))
    receipts = {sample["receipt"] for each in samples.values() for sample in each}
    whole = all(sample["records"] == rows for each in samples.values() for sample in each)
    section.verdicts += [
        Verdict(f"fetch phase ≥ {_SPEED_UP:.0f} × one connection", f"{one / shared:.2f} ×", one / shared >= _SPEED_UP),
        Verdict(
            f"the receipt of {rows:,} rows is the single extract's, but for seconds and API calls",
            "equal" if len(receipts) == 1 and whole else "different",
            len(receipts) == 1 and whole,
        ),
    ]
    return section


def _once(server: PageServer, *arguments: str) -> Sample:
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.partitioned_once", *arguments]
    return fresh(command, server.environment("http"))
