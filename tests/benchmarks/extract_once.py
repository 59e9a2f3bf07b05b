"""One extract of ours in a fresh process, as a task does it: prints JSON with times, memory and what it cost."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import airflow.sdk  # noqa: F401

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator  # noqa: F401
from tests.benchmarks.resources import cpu_seconds, peak_bytes

#: Before anything else is imported: what a worker has in memory before the task begins.
IMPORTED = peak_bytes()


def main() -> None:
    """Extract once."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--format", default="parquet")
    parser.add_argument("--parallel-pages", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="where the parts go; below the folder for temporary files without")
    arguments = parser.parse_args()
    from airflow_provider_sfjwt.extract.extraction import Extraction
    from airflow_provider_sfjwt.extract.spec import ExtractSpec
    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
    from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef

    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder, SalesforceJwtHook().connect() as org:
        spec = ExtractSpec(
            output_path=f"file://{folder}",
            sobject="Account",
            file_format=arguments.format,
            parallel_pages=arguments.parallel_pages,
            timeout=600,
        )
        extraction = Extraction(org, spec)
        extraction.prepare()
        ref = extraction.begin()
        assert isinstance(ref, JobRef), "the server offers the Bulk API"
        job = extraction.wait(ref)
        complete, computed = time.perf_counter(), cpu_seconds()
        receipt = extraction.finish(job)
        ended = time.perf_counter()
        measured = {
            "seconds": ended - complete,
            "whole_seconds": ended - started,
            "cpu_seconds": cpu_seconds() - computed,
            "imported_bytes": IMPORTED,
            "peak_bytes": peak_bytes(),
            "records": receipt.records,
            "written_bytes": sum(part.bytes for part in receipt.parts),
            "api_calls": receipt.api_calls,
        }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
