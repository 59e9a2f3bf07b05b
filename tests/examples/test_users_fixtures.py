from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_fixtures_in_a_project_of_a_user(tmp_path: Path) -> None:
    shutil.copy(HERE / "users_conftest.py", tmp_path / "conftest.py")
    shutil.copy(HERE / "users_dag_checks.py", tmp_path / "test_dags.py")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST", "COV"))}
    env = {**kept, "AIRFLOW_HOME": str(tmp_path / "airflow")}

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ended = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout
    assert "8 passed" in ended.stdout


def test_a_whole_dag_in_a_project_of_a_user(tmp_path: Path, migrated_home: Path) -> None:
    project, home = tmp_path / "project", tmp_path / "airflow"
    shutil.copytree(migrated_home, home)
    (home / "airflow.cfg").unlink(missing_ok=True)
    project.mkdir()
    shutil.copy(HERE / "users_conftest.py", project / "conftest.py")
    shutil.copy(HERE / "users_dag.py", project / "accounts_dag.py")
    shutil.copy(HERE / "users_dag_runs.py", project / "test_runs.py")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST", "COV"))}
    env = {**kept, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__DAGS_FOLDER": str(project)}
    env |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONDONTWRITEBYTECODE": "1"}

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(project)]
    ended = subprocess.run(command, env=env, cwd=project, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout
    assert "1 passed" in ended.stdout
