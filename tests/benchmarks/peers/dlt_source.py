"""dlt's Salesforce source into Parquet files.

That source is not on PyPI: ``dlt init`` copies it into a project. What it does, in its words: describe the object, query
all its fields with simple-salesforce's client of the first Bulk API, page by page, take ``attributes`` out, turn
timestamps into text, and hand dlt one record after another. The same is done here. dlt types, normalises and writes.
Run with the Python of the peers.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pendulum
from simple_salesforce.api import Salesforce

from tests.benchmarks.resources import cpu_seconds, peak_bytes


def records(client: Salesforce, sobject: str) -> Iterator[dict[str, Any]]:
    """The records of an object, as the source yields them."""
    fields = getattr(client, sobject).describe()["fields"]
    moments = {field["name"] for field in fields if field["type"] == "datetime"}
    query = f"SELECT {', '.join(field['name'] for field in fields)} FROM {sobject}"
    for page in getattr(client.bulk, sobject).query_all(query, lazy_operation=True):
        for record in page:
            record.pop("attributes", None)
            for name in moments:
                if record.get(name):
                    record[name] = pendulum.from_timestamp(record[name] / 1000).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            yield record


def main() -> None:
    """Run the pipeline once. The server knows when it first said that the batch was complete."""
    imported = peak_bytes()
    client = Salesforce(session_id="benchmark", instance_url=os.environ["BENCH_URL"], version="66.0")
    computed = cpu_seconds()
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "benchmark",
            pipelines_dir=f"{folder}/work",
            destination=dlt.destinations.filesystem(f"file://{folder}/out"),
            dataset_name="salesforce",
        )
        source = dlt.resource(records(client, "Account"), name="account", write_disposition="replace")
        pipeline.run(source, loader_file_format="parquet").raise_on_failed_jobs()
        ended = time.time()
        parts = list(Path(folder, "out", "salesforce", "account").glob("*.parquet"))
        written = sum(part.stat().st_size for part in parts)
        count = pipeline.last_trace.last_normalize_info.row_counts["account"]
    measured = {
        "ended": ended,
        "cpu_seconds": cpu_seconds() - computed,
        "imported_bytes": imported,
        "peak_bytes": peak_bytes(),
        "records": count,
        "written_bytes": written,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
