"""The official provider's hook: a query over REST, written as CSV by the hook's own method.

Run with the Python of the peers. There is no job: the time is that of the query and of the file.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from airflow.providers.salesforce.hooks.salesforce import SalesforceHook

from tests.benchmarks import pages
from tests.benchmarks.resources import cpu_seconds, peak_bytes


def main() -> None:
    """Query once."""
    imported = peak_bytes()
    hook = SalesforceHook("salesforce_official", session_id="benchmark")
    hook.get_conn()
    started, computed = time.perf_counter(), cpu_seconds()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "accounts.csv"
        found = hook.make_query(f"SELECT {', '.join(pages.NAMES)} FROM {pages.SOBJECT}")
        hook.write_object_to_file(found["records"], str(target), fmt="csv")
        seconds, written = time.perf_counter() - started, target.stat().st_size
    measured = {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds() - computed,
        "imported_bytes": imported,
        "peak_bytes": peak_bytes(),
        "records": len(found["records"]),
        "written_bytes": written,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
