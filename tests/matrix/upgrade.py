"""``python -m tests.matrix.upgrade OLD NEW``: what an Airflow before 3.3 kept, after an upgrade to 3.3 in place.

OLD and NEW are Pythons of two environments. On the old one a watermark is written by a run that is green, and a load is cut by
503s. The new one brings the same metadata database up to its version, runs the first DAG again and clears the load.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.local_airflow.stack import LocalAirflow

DAGS = Path(__file__).parent / "dags"
CONN_ID, ROWS, LOADED = "salesforce_jwt_default", 60, 500


def in_airflow(step: str, home: Path, connection: str, load_run: str) -> dict[str, Any]:
    """One of the two halves, in an environment of its own.

    :param step: ``old`` or ``new``.
    :param home: of Airflow.
    :param connection: JSON of the connection.
    :param load_run: the run of the load that is cleared; empty in the old Airflow.
    """
    from importlib.metadata import version

    env = {"SFJWT_EXAMPLE_OUTPUT": (home / "data").as_uri(), "AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY": "0.01"}
    with LocalAirflow(home, [DAGS], env=env, upgrade=step == "new") as airflow:
        airflow.add_connection(CONN_ID, connection)
        run = airflow.trigger("watermark")
        airflow.wait_for_run("watermark", run_id=run)
        extracted = airflow.xcom("watermark", run, "task")
        if step == "old":
            load_run = airflow.trigger("load_in_worker")
        else:
            order = {"dag_run_id": load_run, "task_ids": ["task"], "dry_run": False, "only_failed": False}
            airflow.api("POST", "dags/load_in_worker/clearTaskInstances", order)
        load = airflow.wait_for_run("load_in_worker", run_id=load_run, may_fail=True)
        variables = airflow.api("GET", "variables")["variables"]
        return {
            "airflow": version("apache-airflow-core"),
            "extracted": extracted["records"],
            "load": load["state"],
            "load_run": load_run,
            "variables": sorted(each["key"] for each in variables),
        }


def half(python: str, step: str, home: Path, connection: Path, load_run: str = "") -> dict[str, Any]:
    """Run one half by another Python, and print what came of it."""
    command = [python, "-m", "tests.matrix.upgrade", step, str(home), str(connection), load_run]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def upgrade(old: str, new: str) -> None:
    """Upgrade, and look at both halves.

    :param old: Python of the Airflow to begin with.
    :param new: Python of the one to end with.
    """
    with tempfile.TemporaryDirectory(prefix="sfjwt-upgrade-") as folder, SimulatedOrg(records={"Account": ROWS}) as org:
        home, connection = Path(folder) / "home", Path(folder) / "connection.json"
        connection.write_text(org.connection_json(), encoding="utf-8")
        org.add_fault(Fault("GET", "*/jobs/ingest/750*", times=None, status=503))
        first = half(old, "old", home, connection)
        print(
            f"Airflow {first['airflow']}: extracted {first['extracted']} rows; the load is {first['load']}, its polls met 503s"
        )
        kinds = sorted(name.rpartition(".")[0] for name in first["variables"])
        print(f"  Variables: {len(kinds)} ({', '.join(dict.fromkeys(kinds))})")
        org.clear_faults()
        org.insert("Account", [{"Name": "new"}])
        second = half(new, "new", home, connection, first["load_run"])
        rows = [row for row in org.rows("Account") if row["Name"].startswith("Loaded ")]
        print(
            f"Airflow {second['airflow']}, the same database: extracted {second['extracted']} rows; the load is {second['load']}"
        )
        print(f"  {len(rows)} rows of {LOADED} in the org; Variables left: {len(second['variables'])}")
        new_rows = 1 + len(rows)  # the load's are new, too
        assert (first["extracted"], first["load"]) == (ROWS, "failed")
        assert (second["extracted"], second["load"]) == (new_rows, "success")
        assert (len(rows), len({row["Name"] for row in rows}), second["variables"]) == (LOADED, LOADED, [])


if __name__ == "__main__":
    if sys.argv[1] in ("old", "new"):
        step, home, connection, load_run = sys.argv[1:]
        print(json.dumps(in_airflow(step, Path(home), Path(connection).read_text(encoding="utf-8"), load_run)))
    else:
        upgrade(sys.argv[1], sys.argv[2])
