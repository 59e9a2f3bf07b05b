"""Keeps many objects in step once, in a fresh process: prints JSON with times and memory.

``python -m tests.benchmarks.sync_once hook | group | mapped``, with ``BENCH_ROOT`` and ``BENCH_OBJECTS``. The group and
the mapped operator run by ``dag.test()``: one process, one task after another, without a scheduler.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path

import airflow.sdk  # noqa: F401

from tests.benchmarks.resources import cpu_seconds, peak_bytes

DAGS = Path(__file__).parent / "sync_dags"


def main() -> None:
    """Sync once."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("way", choices=("hook", "group", "mapped"))
    way = parser.parse_args().way
    started, computed = time.perf_counter(), cpu_seconds()
    if way == "hook":
        from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

        SalesforceJwtHook().sync(os.environ["BENCH_OBJECTS"].split(), os.environ["BENCH_ROOT"], commit_lag=0)
    else:
        from airflow.dag_processing.dagbag import DagBag

        state = DagBag(str(DAGS / "objects_in_step.py")).dags[way].test().state
        if str(state) != "success":
            raise SystemExit(f"the run ended as {state}")
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    measured = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": cpu_seconds() - computed + children.ru_utime + children.ru_stime,
        "peak_bytes": peak_bytes(),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
