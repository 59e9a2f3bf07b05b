"""How well an extract uses the connections that it has: beside curl, and several pages at once beside one."""

from __future__ import annotations

import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

from tests.benchmarks import pages
from tests.benchmarks.resources import MEGABYTE
from tests.benchmarks.runs import Figures, Sample, Section, Verdict, finished, interleaved, ours
from tests.benchmarks.served import PageServer

_FAST, _SLOW = 200e6, 20e6
_SHARE = 0.8
_SPEED_UP = 4.0
_LATENCY = 0.2


def measure_csv(server: PageServer, runs: int) -> Section:
    """CSV beside curl. :param server: of the pages. :param runs: of each."""
    server.configure(bytes_per_second=_FAST)
    env = server.environment("http")
    samples = interleaved(
        {
            "curl, one page after another": lambda: _curl(server),
            "this package, parallel_pages=1": lambda: ours(env, "--format", "csv", "--parallel-pages", "1"),
            "curl --parallel, 4 at once": lambda: _curl(server, "--parallel", "--parallel-max", "4"),
            "this package, parallel_pages=4": lambda: ours(env, "--format", "csv", "--parallel-pages", "4"),
        },
        runs,
    )
    section = Section(
        "CSV at 200 MB/s per connection",
        ["The pages as files, counted and hashed, beside `curl` that writes them as they come. Plain http."],
        ("", "MB/s, median (min – max)", "s", "CPU s"),
    )
    speeds = {}
    for name, each in samples.items():
        speed = Figures(tuple(one["written_bytes"] / one["seconds"] / MEGABYTE for one in each))
        speeds[name] = speed.median
        cpu = Figures.of(each, "cpu_seconds").text() if "cpu_seconds" in each[0] else ""
        section.rows.append((name, speed.text(0), Figures.of(each, "seconds").text(), cpu))
    for curl, this in (tuple(speeds)[:2], tuple(speeds)[2:]):
        share = speeds[this] / speeds[curl]
        section.verdicts.append(Verdict(f"≥ {_SHARE} × {curl}", f"{share:.2f} ×", share >= _SHARE))
    return section


def measure_parallel(server: PageServer, runs: int) -> Section:
    """Five pages at once beside one. :param server: of the pages. :param runs: of each."""
    server.configure(bytes_per_second=_SLOW, latency=_LATENCY)
    env = server.environment("http")
    samples = interleaved({f"parallel_pages={n}": partial(ours, env, "--parallel-pages", str(n)) for n in (1, 5)}, runs)
    section = Section(
        "Pages at once over a slow line",
        ["Ten pages as typed Parquet, 200 ms before each answer, 20 MB/s per connection. Plain http."],
        ("", "s, median (min – max)"),
    )
    for name, each in samples.items():
        section.rows.append((name, Figures.of(each, "seconds").text()))
    one, five = (Figures.of(each, "seconds").median for each in samples.values())
    section.verdicts.append(
        Verdict(
            f"parallel_pages=5 ≥ {_SPEED_UP:.0f} × as fast as one at a time",
            f"{one / five:.2f} ×",
            one / five >= _SPEED_UP,
        )
    )
    return section


def _curl(server: PageServer, *options: str) -> Sample:
    program = shutil.which("curl")
    if program is None:
        raise FileNotFoundError("this benchmark needs curl")
    last = pages.DISTINCT_PAGES - 1
    url = f"{server.urls['http']}/services/data/v66.0/jobs/query/750/results?locator=bench-[0-{last}]"
    command = [program, "--silent", "--show-error", "--fail", *options, url, "--output", "page-#1.csv"]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        finished(command, server.environment("http"), Path(folder))
        seconds = time.perf_counter() - started
        written = sum(each.stat().st_size for each in Path(folder).iterdir())
    return {"seconds": seconds, "written_bytes": written}
