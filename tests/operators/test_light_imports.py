"""Operators and triggers bring nothing heavy with them.

A DAG file that imports operators so costs the DAG processor next to nothing, and a trigger, which Airflow imports on the
triggerer's event loop, holds up no other.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

HEAVY = [
    "requests",
    "httpx",
    "jwt",
    "cryptography",
    "pyarrow",
    "simple_salesforce",
    "fsspec",
    "airflow_provider_sfjwt.hooks",
]


@pytest.mark.parametrize(
    "module",
    [
        "operators.extract",
        "operators.query",
        "operators.load",
        "operators.rest",
        "operators.publish",
        "operators.sync",
        "sensors.bulk_job",
        "sensors.query",
        "transfers.delta",
        "transfers.parts",
        "transfers.sql",
        "tables",
        "triggers.bulk_job",
        "triggers.bulk_load",
        "triggers.api_calls",
        "triggers.query",
        "triggers.changes",
        "assets",
    ],
)
def test_importing_it_imports_nothing_heavy_that_airflow_did_not(module: str) -> None:
    moved = find_spec("airflow.sdk.configuration") is not None  # in Airflow 3.2
    configuration = "airflow.sdk.configuration" if moved else "airflow.configuration"
    script = (
        "import sys\n"
        "from airflow.sdk import DAG, BaseOperator\n"
        "import airflow.triggers.base\n"
        f"import {configuration}\n"
        "before = set(sys.modules)\n"
        f"import airflow_provider_sfjwt.{module}\n"
        # Airflow itself imports what its entry points name.
        "ours = {name for name in sys.modules if name.startswith('airflow_provider_sfjwt')}\n"
        "print(*sorted((set(sys.modules) - before) | ours))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    added = done.stdout.split("\n")[-2].split()
    assert [name for name in added if name.startswith(tuple(HEAVY))] == []
    assert f"airflow_provider_sfjwt.{module}" in added
