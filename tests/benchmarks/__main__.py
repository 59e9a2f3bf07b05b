"""``make bench``: every measurement, side by side in one run, into ``docs/benchmarks.md``.

``python -m tests.benchmarks [--runs 5] NAME …`` measures some alone, and writes nothing without ``--write``.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks import (
    api_calls,
    formulas,
    loading,
    memory,
    merging,
    partitioned,
    query_loading,
    syncing,
    transfer,
    typed_parquet,
    waiting_triggers,
    watching,
    watching_costs,
)
from tests.benchmarks.peers.salesforce_cli import SalesforceCli
from tests.benchmarks.runs import PEERS_PYTHON, Section, finished
from tests.benchmarks.served import ROOT, PageServer

PAGE = ROOT / "docs" / "benchmarks.md"
_BEGIN, _END = "<!-- written by make bench: begin -->", "<!-- written by make bench: end -->"
MEASUREMENTS: dict[str, Callable[[PageServer, int], Section]] = {
    "parquet": typed_parquet.measure,
    "peers": typed_parquet.measure_peers,
    "csv": transfer.measure_csv,
    "memory": memory.measure,
    "parallel": transfer.measure_parallel,
    "partitioned": partitioned.measure,
    "calls": api_calls.measure,
    "load": loading.measure,
    "load-memory": loading.measure_memory,
    "tables": merging.measure_staging,
    "tables-changes": merging.measure_changes,
    "tables-memory": merging.measure_memory,
    "queries": query_loading.measure,
    "queries-memory": query_loading.measure_memory,
    "sync": syncing.measure,
    "formulas": formulas.measure,
    "triggers": waiting_triggers.measure,
    "watching": watching.measure,
    "watching-costs": watching_costs.measure,
}
#: They take minutes for each run.
_SLOW = (
    "peers",
    "memory",
    "load-memory",
    "tables",
    "tables-changes",
    "tables-memory",
    "queries",
    "queries-memory",
    "sync",
    "formulas",
    "triggers",
    "watching",
)
_VERSIONS = (
    "import importlib.metadata as m; "
    "print(*(f'{name} {m.version(name)}' for name in "
    "('simple-salesforce', 'apache-airflow-providers-salesforce', 'dlt')), sep=', ')"
)


def machine() -> str:
    """What it was measured on, in one paragraph."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = ", ".join(f"{name} {version(name)}" for name in ("apache-airflow", "pyarrow", "requests", "httpx"))
    return (
        f"Measured on {datetime.now(timezone.utc):%d %B %Y}: {os.cpu_count()} cores, {memory_gb:.0f} GB of memory, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {versions}. The page server runs "
        "on the same cores."
    )


def peers(server: PageServer) -> str:
    """The peers' versions. :param server: for the Salesforce CLI to sign in to."""
    installed = finished([str(PEERS_PYTHON), "-c", _VERSIONS], os.environ).strip()
    return f"Peers: {installed}, Salesforce CLI {SalesforceCli(server).version}."


def write(page: Path, text: str) -> None:
    """Replace what an earlier run wrote. :param page: with the two markers. :param text: between them."""
    before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    page.write_text(f"{before}{_BEGIN}\n\n{text}\n\n{_END}{after}", encoding="utf-8")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}; all without")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--slow-runs", type=int, help=f"of {', '.join(_SLOW)}; as many as of the others without")
    parser.add_argument(
        "--write", action="store_true", help="write what was measured into the page, though not all was"
    )
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    sections = []
    with PageServer() as server:
        for name in arguments.names or MEASUREMENTS:
            started, load = time.monotonic(), os.getloadavg()[0]
            print(f"{name}…  (load {load:.1f})", flush=True)
            runs = arguments.slow_runs if name in _SLOW and arguments.slow_runs else arguments.runs
            section = MEASUREMENTS[name](server, runs)
            section.words.insert(0, f"Medians of {runs} runs." if runs > 1 else "A single run.")
            sections.append(section.markdown())
            print(f"\n{sections[-1]}\n\n({time.monotonic() - started:.0f} s)\n", flush=True)
            if arguments.write or not arguments.names:
                write(PAGE, "\n\n".join([machine(), peers(server), "Each run is a fresh process.", *sections]))


if __name__ == "__main__":
    main()
