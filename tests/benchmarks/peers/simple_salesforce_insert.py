"""simple-salesforce's insert of a CSV file by Bulk API 2.0. It speaks https alone. Run with the Python of the peers."""

from __future__ import annotations

import argparse
import json
import os
import time

from simple_salesforce.api import Salesforce

from tests.benchmarks.resources import cpu_seconds, peak_bytes

#: It cuts at 99 MB without counting the quotes, and refuses its own pieces of more than 100 MB.
_BATCH_ROWS = 400_000


def main() -> None:
    """Insert once."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("file")
    arguments = parser.parse_args()
    imported = peak_bytes()
    client = Salesforce(session_id="benchmark", instance_url=os.environ["BENCH_URL"], version="66.0")
    started, computed = time.perf_counter(), cpu_seconds()
    # It waits for 5 s before it looks at a job, unless it is told otherwise.
    jobs = client.bulk2.Customer__c.insert(csv_file=arguments.file, batch_size=_BATCH_ROWS, wait=0.01)
    measured = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": cpu_seconds() - computed,
        "imported_bytes": imported,
        "peak_bytes": peak_bytes(),
        "records": sum(job["numberRecordsProcessed"] for job in jobs),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
