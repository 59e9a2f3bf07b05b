"""What importing the operators adds to the parse of a DAG file: ``python -m tests.benchmarks.dag_parse``.

Each measurement is a fresh process, as the DAG processor forks one for each file: Airflow is imported before, then one
file is parsed by a DagBag. The two files differ in their operators alone.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = 7
_FILE = """
from datetime import datetime
from airflow.sdk import DAG
{imports}
with DAG("measured", schedule=None, start_date=datetime(2026, 1, 1)):
    {task}
"""
_FILES = {
    "EmptyOperator": _FILE.format(
        imports="from airflow.providers.standard.operators.empty import EmptyOperator",
        task='EmptyOperator(task_id="task")',
    ),
    "ours": _FILE.format(
        imports="from airflow.providers.standard.operators.empty import EmptyOperator\n"
        "from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator\n"
        "from airflow_provider_sfjwt.operators.query import SalesforceQueryOperator",
        task='EmptyOperator(task_id="task")\n'
        '    SalesforceExtractOperator(task_id="extract", sobject="Account", output_path="file:///tmp/x")\n'
        '    SalesforceQueryOperator(task_id="query", soql="SELECT Id FROM Account")',
    ),
}
_PARSE = """
import sys, time
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
import airflow.providers.standard.operators.empty
started = time.perf_counter()
bag = DagBag(sys.argv[1])
seconds = time.perf_counter() - started
if bag.import_errors or "measured" not in bag.dags:
    sys.exit(str(bag.import_errors))
print(seconds)
"""


def parse_seconds(folder: Path, home: Path) -> float:
    """Seconds that a DagBag takes for one folder, in a process of its own."""
    environment = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    command = [sys.executable, "-W", "ignore", "-c", _PARSE, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Print the medians and what our operators add."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        folders = {}
        for name, content in _FILES.items():
            folders[name] = root / name
            folders[name].mkdir()
            (folders[name] / "measured.py").write_text(content, encoding="utf-8")
        measured: dict[str, list[float]] = {name: [] for name in folders}
        for _ in range(RUNS):
            for name, folder in folders.items():
                measured[name].append(parse_seconds(folder, root / "home"))
    medians = {name: statistics.median(seconds) * 1000 for name, seconds in measured.items()}
    for name, seconds in measured.items():
        print(f"{name:>14}: median {medians[name]:6.1f} ms of {[round(each * 1000, 1) for each in seconds]}")
    print(f"         added: {medians['ours'] - medians['EmptyOperator']:6.1f} ms")


if __name__ == "__main__":
    main()
