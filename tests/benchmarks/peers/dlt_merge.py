"""The parts of a data set into PostgreSQL by dlt, as Arrow tables and by COPY, merged by key. Run with the peers' Python."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dlt
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.resources import cpu_seconds, peak_bytes


def tables(folder: Path) -> Iterator[pa.Table]:
    """The parts. :param folder: of the data set."""
    for part in sorted(folder.glob("part-*")):
        yield from (pa.Table.from_batches([batch]) for batch in pq.ParquetFile(part).iter_batches())


def main() -> None:
    """Run the pipeline once."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    imported = peak_bytes()
    address = "postgresql://{PGUSER}:unused@{PGHOST}:{PGPORT}/{PGDATABASE}".format_map(os.environ)
    started, computed = time.perf_counter(), cpu_seconds()
    with tempfile.TemporaryDirectory() as work:
        pipeline = dlt.pipeline(
            "benchmark",
            pipelines_dir=work,
            destination=dlt.destinations.postgres(address),
            dataset_name="dlt",
        )
        rows = dlt.resource(tables(folder), name="accounts", write_disposition="merge", primary_key="Id")
        pipeline.run(rows, loader_file_format="csv").raise_on_failed_jobs()
    measured = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": cpu_seconds() - computed,
        "above_bytes": peak_bytes() - imported,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
