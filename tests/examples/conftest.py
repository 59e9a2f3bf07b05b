"""An Airflow of its own for each example: a home made once, copied for each run, and a subprocess to run in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.random_tests import SOAK
from tests.repository import EXAMPLES, REPOSITORY

Run = Callable[..., Any]
#: Spark takes an environment of its own, 500 MB, and half a minute: make soak has it.
collect_ignore = [] if SOAK else ["test_reading_with_spark.py"]


def airflow_environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "SFJWT"))}
    return {
        **kept,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # As long a deferred task stays deferred, at least.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(REPOSITORY),
        **more,
    }


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Airflow home with an empty database, to be copied."""
    home = tmp_path_factory.mktemp("airflow")
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    made = subprocess.run(command, env=airflow_environment(home), capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    return home


@pytest.fixture
def in_airflow(migrated_home: Path, tmp_path: Path) -> Run:
    """Run a module of this folder in a fresh Airflow and return what it reports, decoded from JSON."""
    home = tmp_path / "airflow"
    shutil.copytree(migrated_home, home)
    report = tmp_path / "report.json"

    def run(module: str, *arguments: str, **environment: str) -> Any:
        command = [sys.executable, "-m", f"tests.examples.{module}", str(report), *arguments]
        # The database's address is read from the environment, not from the copied configuration file.
        database = f"sqlite:///{home / 'airflow.db'}"
        env = airflow_environment(home, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=database, **environment)
        (home / "airflow.cfg").unlink(missing_ok=True)
        ended = subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout[-5000:] + ended.stderr[-5000:]
        return json.loads(report.read_text(encoding="utf-8"))

    return run


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(bulk_polls=0) as running:
        running.apex_rest(
            "PUT", "/invoices/v1/*", lambda request: {"booked": True, "accounts": request.body["accounts"]}
        )
        running.insert("Account", [{"Name": "Somewhere", "BillingCountry": "Germany"}])
        running.define_object(
            "Order_Shipped__e", [Field("Order_Number__c", length=20), Field("Message_Id__c", length=36)]
        )
        yield running


@pytest.fixture
def environment(org: SimulatedOrg, tmp_path: Path) -> dict[str, str]:
    return {
        "AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT": org.connection_json(),
        "SFJWT_EXAMPLE_OUTPUT": f"file://{tmp_path}/output",
        "AIRFLOW_VAR_LAKE": f"file://{tmp_path}/lake",
    }
