"""Processes of tests that begin with everything imported, and without the threads of the tests'."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext

#: A process of tests has one server of such processes, which imports these once.
_IMPORTED = (
    "tests.attacks.attempts",
    "tests.attacks.tasks",
    "tests.tables.killed_merges",
    "tests.triggers.watching.killed_triggerer",
    "airflow_provider_sfjwt.hooks.salesforce_jwt",
    "airflow_provider_sfjwt.tasks.extract_task",
    "airflow_provider_sfjwt.tasks.load_task",
    "airflow.providers.amazon.aws.fs.s3",
    "airflow.providers.amazon.aws.hooks.s3",
    "aiobotocore.session",
    "cryptography.hazmat.primitives.serialization.pkcs12",
    "requests",
    "s3fs",
    "simple_salesforce",
    "pyarrow.parquet",
    "pyarrow.csv",
)


def processes() -> ForkServerContext:
    """What makes such processes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_IMPORTED))
    return context


_MOTO = """
import os, sys
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
os._exit(0)
"""


@contextmanager
def moto_server() -> Iterator[str]:
    """The address of a moto server in a process of its own, for as long as the block lasts."""
    command = [sys.executable, "-c", _MOTO]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            assert port, "moto's server did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stdin.close()
