"""Extracts formula fields once, or looks at them in a sync, in a fresh process: prints JSON with times and memory.

``python -m tests.benchmarks.formulas_once extract | sync | refresh``, with ``BENCH_ROOT``. ``extract`` is ``Id`` and the
formula fields of all rows as a data set; ``sync`` a run of a sync whose window is empty, ``refresh`` one that looks at them.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time

import airflow.sdk  # noqa: F401

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from tests.benchmarks.resources import cpu_seconds, peak_bytes

SOBJECT = "Deal__c"
FORMULAS = ("Score__c", "Region__c", "Due__c")
IMPORTED = peak_bytes()


def main() -> None:
    """Look once."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("way", choices=("extract", "sync", "refresh"))
    way, hook = parser.parse_args().way, SalesforceJwtHook()
    started, computed = time.perf_counter(), cpu_seconds()
    if way == "extract":
        with tempfile.TemporaryDirectory() as folder:
            hook.extract(
                output_path=f"file://{folder}",
                sobject=SOBJECT,
                fields=["Id", *FORMULAS],
                transport="bulk",
                poll_interval=0.2,
            )
    else:
        every = 1 if way == "refresh" else None
        hook.sync([SOBJECT], os.environ["BENCH_ROOT"], commit_lag=0, refresh_formulas=every, poll_interval=0.2)
    measured = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": cpu_seconds() - computed,
        "above_bytes": peak_bytes() - IMPORTED,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
