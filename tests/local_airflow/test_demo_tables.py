from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import REPOSITORY


def test_the_demo_of_tables_succeeds(tmp_path: Path) -> None:
    pytest.importorskip(
        "airflow.providers.duckdb", reason="missing: the Python package apache-airflow-providers-duckdb"
    )
    command = [sys.executable, "-W", "ignore", "-m", "tests.local_airflow.demo_tables", str(tmp_path / "demo")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    done = subprocess.run(command, cwd=REPOSITORY, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2,000 rows staged, 2,000 inserted, 0 updated, 0 unchanged, 0 deleted" in done.stdout
    assert "2,005 rows staged, 5 inserted, 20 updated, 1,970 unchanged, 10 deleted" in done.stdout
    assert "already applied, nothing to do" in done.stdout
    assert "1,995 rows in the table = 1,995 accounts of the org" in done.stdout
