"""One run of a DAG with OpenLineage's provider, whose events all tests of this folder read."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.examples.conftest import airflow_environment, migrated_home
from tests.lineage.graph import events_of
from tests.orgs import fresh_masker, private_key
from tests.repository import REPOSITORY

__all__ = ["fresh_masker", "migrated_home", "private_key"]


@dataclass(frozen=True)
class Run:
    """What a run left.

    :param events: of OpenLineage, in order.
    :param output: what the tasks logged.
    :param org_id: of the org.
    :param lake: the folder of the files.
    :param secrets: lines of the private key, and the access tokens.
    """

    events: list[dict[str, Any]]
    output: str
    org_id: str
    lake: Path
    secrets: list[str]

    def of(self, task_id: str, *kinds: str) -> list[dict[str, Any]]:
        """The events of a task, those of some kinds where any are named."""
        own = [event for event in self.events if event["job"]["name"] == f"moving.{task_id}"]
        return [event for event in own if not kinds or event["eventType"] in kinds]


@pytest.fixture(scope="session")
def run(migrated_home: Path, tmp_path_factory: pytest.TempPathFactory, private_key: str) -> Run:
    folder = tmp_path_factory.mktemp("lineage")
    home = folder / "airflow"
    shutil.copytree(migrated_home, home, ignore=shutil.ignore_patterns("airflow.cfg"))
    transport = {"type": "file", "log_file_path": str(folder / "events.json"), "append": True}
    with SimulatedOrg(records={"Account": 25, "Contact": 5}, bulk_polls=0, private_key=private_key) as org:
        environment = airflow_environment(
            home,
            AIRFLOW__CORE__DAGS_FOLDER=str(Path(__file__).with_name("dags")),
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home / 'airflow.db'}",
            AIRFLOW__OPENLINEAGE__TRANSPORT=json.dumps(transport),
            AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL="0",
            AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT=org.connection_json(),
            LINEAGE_LAKE=f"file://{folder}/lake",
        )
        command = [sys.executable, "-m", "tests.lineage.run"]
        ended = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout[-5000:] + ended.stderr[-5000:]
        # All sign-ins of a user bring the same token while it lives.
        secrets = [org.issue_session(), *(line for line in org.private_key.splitlines() if not line.startswith("-"))]
        output = ended.stdout + ended.stderr
        return Run(events_of(folder / "events.json"), output, org.org_id, folder / "lake", secrets)
