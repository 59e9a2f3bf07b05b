"""An Airflow of its own for each example: a home made once, copied for each run, and a subprocess to run in."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.random_tests import SOAK
from tests.repository import EXAMPLES, REPOSITORY

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
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "0",
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


class ExampleAirflow:
    """An Airflow in which modules of this folder run, each in a process of its own.

    :param home: of it; made here.
    :param empty: a home with an empty database.
    """

    def __init__(self, home: Path, empty: Path) -> None:
        home.mkdir()
        self._database, self._empty = home / "airflow.db", empty / "airflow.db"
        uri = f"sqlite:///{self._database}"
        self._environment = airflow_environment(home, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=uri)
        self._report, self._output = home / "report.json", home / "output.txt"
        self._process: subprocess.Popen[str] | None = None

    def reset(self) -> None:
        """Begin with an empty database."""
        for suffix in ("", "-wal", "-shm"):
            self._database.with_name(self._database.name + suffix).unlink(missing_ok=True)
            empty = self._empty.with_name(self._empty.name + suffix)
            if empty.exists():
                shutil.copy(empty, self._database.with_name(empty.name))

    def __call__(self, module: str, *arguments: str, **environment: str) -> Any:
        """Run a module.

        :param module: its name.
        :param arguments: for its ``main``, after the file for what it reports.
        :param environment: further variables.
        :return: what it reports, decoded from JSON.
        """
        wanted = {
            "module": module,
            "arguments": [str(self._report), *arguments],
            "environment": {**self._environment, **environment},
            "output": str(self._output),
        }
        status = self._status_of(json.dumps(wanted))
        assert status == "0", self._output.read_text(errors="replace")[-10_000:]
        return json.loads(self._report.read_text(encoding="utf-8"))

    def close(self) -> None:
        """End it, and what runs in it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            self._process = None

    def _status_of(self, wanted: str) -> str:
        process = self._process = self._process or self._started()
        assert process.stdin is not None and process.stdout is not None
        status = ""
        try:
            print(wanted, file=process.stdin, flush=True)
            status = process.stdout.readline().strip()
        finally:
            if not status:  # a test that took too long waits no longer; the next one must not wait for its run
                self.close()
        return status

    def _started(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.examples.forking_airflow"]
        with self._output.open("w") as output:
            return subprocess.Popen(
                command,
                env=self._environment,
                cwd=REPOSITORY,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
            )


@pytest.fixture(scope="session")
def example_airflow(migrated_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleAirflow]:
    airflow = ExampleAirflow(tmp_path_factory.mktemp("examples") / "airflow", migrated_home)
    yield airflow
    airflow.close()


@pytest.fixture
def in_airflow(example_airflow: ExampleAirflow) -> ExampleAirflow:
    """Run a module of this folder in a fresh Airflow and return what it reports, decoded from JSON."""
    example_airflow.reset()
    return example_airflow


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
