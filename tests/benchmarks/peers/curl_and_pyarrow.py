"""What the parts of an extract cost by themselves: curl fetches the pages, one after another; then pyarrow alone types them.

pyarrow reads the local files, two at once, each as a whole, with the types that an extract gives its columns.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq

from tests.benchmarks.pages import COLUMNS
from tests.benchmarks.resources import cpu_seconds, peak_bytes

_TYPES = {
    "boolean": pa.bool_(),
    "int": pa.int64(),
    "double": pa.decimal128(38, 18),
    "currency": pa.decimal128(38, 18),
    "percent": pa.decimal128(38, 18),
    "date": pa.date32(),
    "datetime": pa.timestamp("ms", tz="UTC"),
}
_TOKEN = "Authorization: Bearer benchmark"


def main() -> None:
    """Fetch and type once."""
    jobs = f"{os.environ['BENCH_URL']}/services/data/v66.0/jobs/query"
    job = _call(jobs, {"operation": "query", "query": "SELECT Id FROM Account"})["id"]
    while _call(f"{jobs}/{job}")["state"] != "JobComplete":
        time.sleep(0.01)
    with tempfile.TemporaryDirectory() as folder:
        started, computed = time.perf_counter(), cpu_seconds()
        files = _fetched(f"{jobs}/{job}/results", Path(folder))
        fetched = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            records = sum(pool.map(_typed, files))
        ended = time.perf_counter()
        written = sum(file.with_suffix(".parquet").stat().st_size for file in files)
    print(
        json.dumps(
            {
                "seconds": ended - started,
                "fetch_seconds": fetched - started,
                "cpu_seconds": cpu_seconds() - computed,
                "peak_bytes": peak_bytes(),
                "records": records,
                "written_bytes": written,
            }
        )
    )


def _call(url: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        url, json.dumps(body).encode() if body else None, {"Content-Type": "application/json"}
    )
    request.add_header(*_TOKEN.split(": "))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


def _fetched(url: str, folder: Path) -> list[Path]:
    """The pages as files, each by a curl of its own."""
    files: list[Path] = []
    locator = ""
    while locator != "null":
        files.append(folder / f"{len(files)}.csv")
        options = ["--silent", "--show-error", "--fail", "--dump-header", "-", "--output", str(files[-1]), "-H", _TOKEN]
        where = f"{url}?maxRecords=100000" + (f"&locator={locator}" if locator else "")
        headers = subprocess.run(["curl", *options, where], check=True, capture_output=True, text=True).stdout
        found = [
            line.partition(":")[2].strip()
            for line in headers.splitlines()
            if line.lower().startswith("sforce-locator:")
        ]
        locator = found[0] if found else "null"
    return files


def _typed(file: Path) -> int:
    """Write a page as Parquet."""
    types = {name: _TYPES.get(kind, pa.string()) for name, kind, _, _ in COLUMNS}
    table = pv.read_csv(
        file,
        read_options=pv.ReadOptions(use_threads=False),
        parse_options=pv.ParseOptions(newlines_in_values=True),
        convert_options=pv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=True
        ),
    )
    pq.write_table(table, file.with_suffix(".parquet"), compression="zstd")
    return int(table.num_rows)


if __name__ == "__main__":
    main()
