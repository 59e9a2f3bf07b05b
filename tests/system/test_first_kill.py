"""The first task that is killed in a fresh triggerer, on PostgreSQL: its job is aborted, ten times of ten."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from upath import UPath

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.stack import LocalAirflow
from tests.system.scenes import FOREVER, Scene
from tests.tables import postgres_server

TRIGGERERS = 10


@pytest.fixture(scope="module")
def airflow_on_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    """An Airflow of its own, whose database answers a triggerer at every look, as in production."""
    output = tmp_path_factory.mktemp("output")
    with postgres_server.running() as port:
        env = {
            "SFJWT_EXAMPLE_OUTPUT": output.as_uri(),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{postgres_server.USER}@127.0.0.1:{port}/postgres",
        }
        home = tmp_path_factory.mktemp("home")
        with LocalAirflow(home, [Path(__file__).parent / "dags"], env=env, upgrade=True) as running:
            yield running


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_the_first_kill_in_a_fresh_triggerer_aborts_the_job(
    airflow_on_postgres: LocalAirflow, tmp_path: Path, said: list[str]
) -> None:
    seconds = []
    for number in range(TRIGGERERS):
        airflow_on_postgres.restart("triggerer")
        with SimulatedOrg(records={"Account": 10}, bulk_polls=FOREVER) as org:
            scene = Scene(airflow_on_postgres, f"kill_{number}", "extract_deferred", org, UPath(tmp_path / str(number)))
            scene.begin()
            scene.wait_until_deferred()
            scene.mark_failed()
            marked = time.monotonic()
            scene.wait_until_aborted(60)
            seconds.append(time.monotonic() - marked)
            scene.fail()
    said.append(
        f"First kill in a fresh triggerer, on PostgreSQL: {len(seconds)} of {TRIGGERERS} jobs aborted, "
        f"{min(seconds):.1f} to {max(seconds):.1f} s after the task was marked failed"
    )
