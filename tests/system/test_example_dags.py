from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.airflow_home import AirflowHome
from tests.local_airflow.data_set import DataSet
from tests.local_airflow.processes import free_port
from tests.local_airflow.stack import LocalAirflow
from tests.repository import EXAMPLES, REPOSITORY

DAG_ID, TASK_ID = "scheduled_extract", "extract_accounts"
_SAME = ("sobject", "soql", "window", "api_version", "records", "counts", "columns", "file_format")


@pytest.fixture(scope="module")
def by_the_scheduler(airflow: LocalAirflow) -> tuple[dict[str, Any], DataSet, str]:
    """Run, data set and log of the example as the scheduler and the triggerer run it."""
    airflow.unpause(DAG_ID)
    run = airflow.wait_for_run(DAG_ID)
    summary = airflow.xcom(DAG_ID, run["dag_run_id"], TASK_ID)
    return run, DataSet.of_receipt(summary["receipt"]), airflow.task_log(DAG_ID, run["dag_run_id"], TASK_ID)


def by_dag_test(airflow: LocalAirflow, org: SimulatedOrg, folder: Path, logical_date: str) -> DataSet:
    """The example as ``dag.test()`` runs it, in an Airflow of its own that does not defer."""
    env = {
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "False",
        "AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT": org.connection_json(),
        "SFJWT_EXAMPLE_OUTPUT": (folder / "output").as_uri(),
        "PYTHONPATH": os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(REPOSITORY)]),
    }
    home = AirflowHome(folder / "home", [EXAMPLES], free_port(), env, templates=airflow.home.templates)
    home.reset()
    report = folder / "report.json"
    run_dag = [sys.executable, "-m", "tests.examples.run_dag", str(report), str(EXAMPLES / f"{DAG_ID}.py")]
    command = [*run_dag, f"{DAG_ID}@{logical_date}"]
    ended = subprocess.run(command, env=home.env, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-5000:] + ended.stderr[-5000:]
    assert "DEFERRED" not in ended.stdout + ended.stderr
    (run,) = json.loads(report.read_text(encoding="utf-8"))
    assert run["state"] == "success", ended.stdout[-5000:]
    return DataSet.of_receipt(run["returned"][TASK_ID]["receipt"])


def test_the_scheduled_run_defers_and_publishes_the_interval(
    by_the_scheduler: tuple[dict[str, Any], DataSet, str], org: SimulatedOrg
) -> None:
    run, data, log = by_the_scheduler
    assert "DEFERRED" in log
    start, end = run["data_interval_start"], run["data_interval_end"]
    assert [moment[:19] for moment in data.receipt["window"]] == [start[:19], end[:19]]
    changed = [row for row in org.rows("Account") if start[:19] <= row["SystemModstamp"].isoformat()[:19] < end[:19]]
    assert data.check() == len(changed) > org.bulk_page_size
    assert len(data.parts) > 1


def test_dag_test_without_deferring_publishes_the_same_bytes(
    by_the_scheduler: tuple[dict[str, Any], DataSet, str], airflow: LocalAirflow, org: SimulatedOrg, tmp_path: Path
) -> None:
    run, deferred, _ = by_the_scheduler
    # A run by hand at a moment takes the interval that ended then.
    inline = by_dag_test(airflow, org, tmp_path, run["data_interval_end"].replace("Z", "+00:00"))
    assert inline.check() == deferred.check()
    assert {name: inline.receipt[name] for name in _SAME} == {name: deferred.receipt[name] for name in _SAME}
    assert [part.read_bytes() for part in inline.parts] == [part.read_bytes() for part in deferred.parts]
    assert inline.digests() == deferred.digests()


def test_another_run_of_the_same_interval_replaces_the_data_set(
    by_the_scheduler: tuple[dict[str, Any], DataSet, str], airflow: LocalAirflow
) -> None:
    run, before, _ = by_the_scheduler
    digests = before.digests()
    again = airflow.trigger(DAG_ID, logical_date=run["data_interval_end"])
    airflow.wait_for_run(DAG_ID, run_id=again)
    after = DataSet.of_receipt(airflow.xcom(DAG_ID, again, TASK_ID)["receipt"])
    assert after.folder == before.folder
    assert after.receipt["job_id"] != before.receipt["job_id"]
    after.check()
    assert after.digests() == digests
    assert not any(part.exists() for part in before.parts)
