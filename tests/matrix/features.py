"""``python features.py DAGS``: each feature by ``dag.test()`` and the form by its service; prints what came of each as JSON.

It runs on the version of Airflow that is to be looked at, against the package that is installed there.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROWS = 60


def prepare(dags: str, home: Path) -> None:
    """An Airflow of its own, before anything imports Airflow."""
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_", "_AIRFLOW_")):
            del os.environ[name]
    settings = {"CORE__DAGS_FOLDER": dags, "CORE__LOAD_EXAMPLES": "False", "WORKERS__MIN_HEARTBEAT_INTERVAL": "1"}
    os.environ |= {f"AIRFLOW__{name}": value for name, value in settings.items()}
    os.environ |= {"AIRFLOW_HOME": str(home), "SFJWT_EXAMPLE_OUTPUT": (home / "data").as_uri()}
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)


#: What an extra or another provider brings.
OPTIONAL = ("deltalake", "duckdb", "fastavro", "openlineage", "psycopg", "psycopg2", "pytest")
#: What Airflow has since 3.3, and watchers alone need: `salesforce_asset` says so when its DAG is parsed.
SINCE_3_3 = ("airflow.triggers.shared_stream",)


def imports() -> str:
    """Every module of the package, but for those that need an extra, a provider or an Airflow that is not installed."""
    import airflow_provider_sfjwt as package

    names = [each.name for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    for name in names:
        if name.endswith("__main__"):
            continue
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] not in OPTIONAL and error.name not in SINCE_3_3:
                raise
    return f"ok ({len(names)})"


def form() -> str:
    """The form as the UI gets it, and a key as its one line has it where it shows no several lines."""
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    from airflow_provider_sfjwt.get_provider_info import get_provider_info

    (defined,) = get_provider_info()["connection-types"]
    (shown,) = [each for each in HookMetaService.hook_meta_data() if each.connection_type == "salesforce_jwt"]
    fields = shown.extra_fields or {}
    assert shown.hook_name == "Salesforce JWT"
    assert {name: each["schema"]["title"] for name, each in fields.items()} == {
        name: each["label"] for name, each in defined["conn-fields"].items()
    }
    full = all("section" in each["schema"] for each in fields.values())
    return f"ok, {len(fields)} fields{'' if full else ' of a line each'}"


def runs(org: Any) -> dict[str, Callable[[], str]]:
    """How to try each feature that is a DAG."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    bag = dag_bag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    assert not bag.import_errors, bag.import_errors

    def result(name: str) -> Any:
        run = bag.dags[name].test()
        assert str(run.state) == "success", f"the run is {run.state}"
        with create_session() as session:
            query: Any = XComModel.get_many(run_id=run.run_id, key="return_value", dag_ids=run.dag_id)
            (row,) = query if hasattr(query, "all") else session.scalars(query)  # a query before Airflow 3.2
            return XComModel.deserialize_value(row)

    def extracted(name: str) -> str:
        records = result(name)["records"]
        assert records == len(org.rows("Account")), records
        return "ok"

    def query() -> str:
        assert len(result("query")) == len(org.rows("Account"))
        return "ok"

    def watermark() -> str:
        result("watermark")
        org.insert("Account", [{"Name": "new"}])
        time.sleep(1.1)  # windows end at whole seconds
        assert result("watermark")["records"] == 1
        return "ok"

    def load() -> str:
        before = len(org.rows("Account"))
        assert result("load")["records"] == 500
        assert len(org.rows("Account")) == before + 500
        return "ok"

    return {
        "query": query,
        "extract": lambda: extracted("extract"),
        "deferrable": lambda: extracted("deferrable"),
        "watermark": watermark,
        "load": load,
    }


def dag_bag(folder: str) -> Any:
    """Airflow's reader of DAG files, from where it is since 3.2 or before."""
    try:
        module = importlib.import_module("airflow.dag_processing.dagbag")
    except ImportError:
        module = importlib.import_module("airflow.models.dagbag")
    return module.DagBag(folder)


def outcome(trial: Callable[[], str]) -> str:
    """What came of it, in a few words; everything on stderr."""
    try:
        return trial()
    except Exception as error:  # noqa: BLE001  # whatever a version lacks is what the table shows
        traceback.print_exc()
        return f"FAILED: {type(error).__name__}: {error}"[:200]


def main(dags: str) -> None:
    """Try everything."""
    with tempfile.TemporaryDirectory(prefix="sfjwt-matrix-") as folder:
        prepare(dags, Path(folder))
        found = {"imports": outcome(imports), "form": outcome(form)}
        from airflow_provider_sfjwt.testing import SimulatedOrg

        with SimulatedOrg(records={"Account": ROWS}, bulk_polls=1) as org:
            # Found by the triggerer of dag.test() too, which looks into the environment first.
            os.environ["AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT"] = org.connection_json()
            found |= {name: outcome(trial) for name, trial in runs(org).items()}
    print(json.dumps(found), file=sys.__stdout__)


if __name__ == "__main__":
    main(sys.argv[1])
