"""One load of ours in a fresh process, as a task does it: prints JSON with times, memory and what became of the rows."""

from __future__ import annotations

import argparse
import json
import tempfile
import time

import airflow.sdk  # noqa: F401

from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator  # noqa: F401
from tests.benchmarks.load_rows import KEY, SOBJECT
from tests.benchmarks.resources import cpu_seconds, peak_bytes

#: Before anything else is imported: what a worker has in memory before the task begins.
IMPORTED = peak_bytes()


def main() -> None:
    """Load once."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("source", help="a path or a glob")
    parser.add_argument("--operation", default="insert", choices=("insert", "upsert"))
    parser.add_argument("--results", action="store_true", help="write every row's outcome")
    parser.add_argument("--dry-run", action="store_true", help="check and stage alone")
    arguments = parser.parse_args()
    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

    with tempfile.TemporaryDirectory() as folder:
        started, computed = time.perf_counter(), cpu_seconds()
        report = SalesforceJwtHook().load(
            sobject=SOBJECT,
            operation=arguments.operation,
            source=f"file://{arguments.source}",
            external_id_field=KEY if arguments.operation == "upsert" else None,
            results_path=f"file://{folder}/results" if arguments.results else None,
            dry_run=arguments.dry_run,
            poll_interval=0.01,
        )
        measured = {
            "seconds": time.perf_counter() - started,
            "cpu_seconds": cpu_seconds() - computed,
            "imported_bytes": IMPORTED,
            "peak_bytes": peak_bytes(),
            "records": report.counts["succeeded"],
            "written_bytes": sum(part.bytes for part in report.parts),
            "api_calls": report.api_calls,
        }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
