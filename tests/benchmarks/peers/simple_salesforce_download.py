"""simple-salesforce's download of a query job's pages as CSV files, one page after another, as its ``download`` does it.

Run with the Python of the peers. simple-salesforce always speaks https; ``--http`` lets its Bulk API speak plain http.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from simple_salesforce.api import Salesforce
from simple_salesforce.bulk2 import Operation

from tests.benchmarks.resources import cpu_seconds, peak_bytes


def main() -> None:
    """Download once."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--http", action="store_true")
    arguments = parser.parse_args()
    imported = peak_bytes()
    client = Salesforce(session_id="benchmark", instance_url=os.environ["BENCH_URL"], version="66.0")
    if arguments.http:
        client.bulk2_url = client.bulk2_url.replace("https://", "http://")
    bulk = client.bulk2.Account._client
    job = bulk.create_job(Operation.query, "SELECT Id FROM Account")["id"]
    bulk.wait_for_job(job, True, 0.01)
    started, computed = time.perf_counter(), cpu_seconds()
    records = written = 0
    with tempfile.TemporaryDirectory() as folder:
        locator, more = "", True
        while more:
            page = bulk.download_job_data(folder, job, locator, 100_000)
            records += page["number_of_records"]
            written += Path(page["file"]).stat().st_size
            locator = page["locator"]
            more = bool(locator)
        seconds = time.perf_counter() - started
    measured = {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds() - computed,
        "imported_bytes": imported,
        "peak_bytes": peak_bytes(),
        "records": records,
        "written_bytes": written,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
