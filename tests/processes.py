"""Processes of tests that begin with everything imported, and without the threads of the tests'."""

from __future__ import annotations

import multiprocessing
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
