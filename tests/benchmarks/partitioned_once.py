"""One extract in a fresh process, by one task or by shares on several workers: prints JSON with times and its receipt."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import airflow.sdk  # noqa: F401

from airflow_provider_sfjwt.operators.shares import CommitSharesOperator, FetchShareOperator, PlanSharesOperator
from tests.benchmarks import pages
from tests.benchmarks.resources import cpu_seconds

_GROUP = "big"
#: What differs between two extracts of the same rows.
_OWN = ("seconds", "api_calls")


def main() -> None:
    """Extract once."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--parallel-pages", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0, help="0 for one task alone")
    parser.add_argument("--slots", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        extract = {"sobject": pages.SOBJECT, "output_path": f"file://{folder}", "timeout": 600, "transport": "bulk"}
        extract |= {"parallel_pages": arguments.parallel_pages, "salesforce_conn_id": "salesforce_jwt_default"}
        workers, slots = arguments.workers, arguments.slots
        measured = shared(extract, workers, slots) if workers else alone(extract)
        measured |= receipt_of(Path(folder))
    print(json.dumps(measured))


def alone(extract: dict[str, Any]) -> dict[str, float]:
    """One task: ``seconds`` from the job's end to the receipt, ``whole_seconds`` from the start."""
    from airflow_provider_sfjwt.extract.extraction import Extraction
    from airflow_provider_sfjwt.extract.spec import ExtractSpec
    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
    from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef

    started = time.perf_counter()
    with SalesforceJwtHook().connect() as org:
        extraction = Extraction(org, ExtractSpec(**extract))
        extraction.prepare()
        ref = extraction.begin()
        assert isinstance(ref, JobRef), "the server offers the Bulk API"
        job = extraction.wait(ref)
        complete = time.perf_counter()
        extraction.finish(job)
    ended = time.perf_counter()
    return {"seconds": ended - complete, "whole_seconds": ended - started, "cpu_seconds": cpu_seconds()}


def shared(extract: dict[str, Any], workers: int, slots: int) -> dict[str, float]:
    """A group's tasks: ``seconds`` of the fetches alone, ``whole_seconds`` from the start of plan to the end of commit.

    :param extract: the arguments of the extract.
    :param workers: processes, each with ``slots`` processes of its own, which are there before the run begins.
    :param slots: tasks at once in each.
    """
    pools = [ProcessPoolExecutor(slots, multiprocessing.get_context("spawn")) for _ in range(workers)]
    for each in [pool.submit(ready, 0.5) for pool in pools for _ in range(slots)]:
        each.result()
    started = time.perf_counter()
    given = {name: value for name, value in extract.items() if name != "shares"}
    plan = PlanSharesOperator(task_id="plan", group=_GROUP, shares=workers * slots, deferrable=False, **given)
    shares = plan.execute({})
    planned = time.perf_counter()
    running = [pools[number % workers].submit(fetch, extract, share) for number, share in enumerate(shares)]
    cpu = sum(each.result() for each in running)
    fetched = time.perf_counter()
    CommitSharesOperator(task_id="commit", group=_GROUP, extract=extract, planned=[shares]).execute({})
    ended = time.perf_counter()
    for pool in pools:
        pool.shutdown()
    return {
        "seconds": fetched - planned,
        "plan_seconds": planned - started,
        "commit_seconds": ended - fetched,
        "whole_seconds": ended - started,
        "cpu_seconds": cpu + cpu_seconds(),
    }


def ready(seconds: float) -> None:
    """Import what a worker has imported by its second task, and keep the slot busy, so that each slot has its process.

    :param seconds: how long.
    """
    import pyarrow.csv
    import pyarrow.parquet

    from airflow_provider_sfjwt.hooks import salesforce_jwt
    from airflow_provider_sfjwt.tasks import shared_extract

    assert pyarrow.csv and pyarrow.parquet and salesforce_jwt and shared_extract
    time.sleep(seconds)


def fetch(extract: dict[str, Any], share: dict[str, Any]) -> float:
    """Fetch a share. :param extract: the arguments of the extract. :param share: of its pages. :return: CPU seconds."""
    began = cpu_seconds()
    FetchShareOperator(task_id="fetch", group=_GROUP, extract=extract, share=share).execute({})  # type: ignore[arg-type]
    return cpu_seconds() - began


def receipt_of(folder: Path) -> dict[str, float]:
    """What the receipt says, and a number that is the same for the same rows in the same parts."""
    content = json.loads((folder / "_receipt.json").read_text())
    text = json.dumps({name: value for name, value in content.items() if name not in _OWN}, sort_keys=True)
    same = sha256(text.replace(content["job_id"], "job").encode()).hexdigest()
    return {
        "records": content["records"],
        "parts": len(content["parts"]),
        "api_calls": content["api_calls"],
        "receipt": int(same[:12], 16),
    }


if __name__ == "__main__":
    main()
