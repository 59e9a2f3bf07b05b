"""What a user writes to run a whole DAG. A test copies this file, and the DAG, into a project of its own."""

# [START whole_dag]
from datetime import datetime, timezone
from pathlib import Path

import pytest
from accounts_dag import dag

from airflow_provider_sfjwt.testing import SimulatedOrg


def test_the_dag_extracts_all_accounts(
    salesforce_jwt_connection: SimulatedOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_LAKE", f"file://{tmp_path}")

    run = dag.test(logical_date=datetime(2026, 1, 31, tzinfo=timezone.utc))

    assert run.state == "success"
    assert (tmp_path / "accounts" / "ds=2026-01-31" / "_receipt.json").exists()


# [END whole_dag]
