"""``python -m tests.examples.forking_airflow``: imports Airflow once, and runs each module in a fork of its own.

A line of JSON on stdin names the ``module`` of this folder, its ``arguments``, its ``environment`` and the file for its
``output``; the answer on stdout is its exit status. To import Airflow and make its API takes longer than most examples do.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from importlib import import_module
from typing import Any

#: What a run imports of Airflow. The package's own modules are left to each run.
_PRELOADED = (
    "airflow.dag_processing.dagbag",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.api_fastapi.execution_api.app",
    "airflow.models.xcom",
    "airflow.models.asset",
)


def main() -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what imports print is no answer
    for name in _PRELOADED:
        import_module(name)
    asyncio.run(_make_api())
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _run(json.loads(line))
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


async def _make_api() -> None:
    """Make the API that `dag.test()` talks to within its process: all of it is made at the first request."""
    import httpx
    from airflow.sdk.execution_time.supervisor import in_process_api_server

    transport = httpx.ASGITransport(app=in_process_api_server().app)
    async with httpx.AsyncClient(transport=transport, base_url="http://in-process.invalid") as client:
        (await client.get("/health")).raise_for_status()


def _run(wanted: dict[str, Any]) -> None:
    """Be the fork, and end with it."""
    output = os.open(wanted["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    status = 1
    try:
        from airflow import settings

        settings.DAGS_FOLDER = os.environ["AIRFLOW__CORE__DAGS_FOLDER"]  # which it reads when it is imported
        import_module(f"tests.examples.{wanted['module']}").main(*wanted["arguments"])
        status = 0
    finally:
        if status:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
