from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from upath import UPath

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.distribution import can_be_built, what_airflow_reads
from tests.local_airflow.executors import Executor, celery_executor, local_executor, what_celery_lacks
from tests.local_airflow.stack import LocalAirflow
from tests.random_tests import SOAK
from tests.repository import EXAMPLES
from tests.system.gateway import LoginGateway
from tests.system.survival import SurvivalTable

CONN_ID = "salesforce_jwt_default"
#: Which executor the tests run on; ``make test-executors`` sets it.
EXECUTOR = os.environ.get("SFJWT_EXECUTOR", "LocalExecutor")
#: They kill triggerers for minutes, start hundreds of sensors, or wait for Airflow to notice a pause or a deletion.
_SOAKED = ("first_kill", "killed_watchers", "many_sensors", "watched_again", "watched_pause")
collect_ignore = [] if SOAK else [f"test_{name}.py" for name in _SOAKED]
if EXECUTOR == "LocalExecutor":
    # Its tasks end with their scheduler, and SQLite has one.
    collect_ignore += ["test_lost_processes.py", "test_sync_survives.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the running Airflow."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.system)
            # The first of them also starts Airflow, on a machine that may have other things to do.
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def running_org() -> Iterator[SimulatedOrg]:
    """An org with accounts changed in the last two days, in several pages of a result."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    span = (now - timedelta(hours=48), now)
    with SimulatedOrg(records={"Account": 3000}, modified_between=span, bulk_page_size=400, bulk_polls=4) as running:
        yield running


@pytest.fixture
def org(running_org: SimulatedOrg) -> Iterator[SimulatedOrg]:
    """The org; what a test breaks is mended afterwards."""
    yield running_org
    running_org.clear_faults()
    running_org.bulk_polls = 4


@pytest.fixture(scope="session")
def gateway(running_org: SimulatedOrg) -> Iterator[LoginGateway]:
    """The org's token endpoint, as seen by somebody who writes down what passes."""
    with LoginGateway(running_org.url) as running:
        yield running


@pytest.fixture(scope="session")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    """What the running Airflow runs its tasks on, and what these share."""
    if EXECUTOR == "LocalExecutor":
        yield local_executor(tmp_path_factory.mktemp("output"))
        return
    if lacks := what_celery_lacks():
        pytest.skip(f"missing: {', '.join(lacks)}, which {EXECUTOR} needs")
    with celery_executor(tmp_path_factory.mktemp("servers")) as made:
        yield made


@pytest.fixture(scope="session")
def output(executor: Executor) -> UPath:
    """Where DAGs of the running Airflow write to."""
    return executor.output


@pytest.fixture(scope="session")
def survival(executor: Executor) -> Iterator[SurvivalTable]:
    """What becomes of runs on this executor."""
    table = SurvivalTable(executor.name)
    yield table
    table.keep()


@pytest.fixture(scope="session")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, running_org: SimulatedOrg, executor: Executor
) -> Iterator[LocalAirflow]:
    """The running Airflow, with a connection to the org."""
    own = Path(__file__).parent / "dags"
    # Others than this one run what is killed there alone, and need not read the rest again and again.
    dags = [EXAMPLES, own] if executor.name == "LocalExecutor" else [own / "surviving"]
    if SOAK:
        dags.append(Path(__file__).parent / "again_dags")
    path = [os.environ.get("PYTHONPATH", "")]
    if can_be_built():  # the metadata of a release stands before those of the checkout, which has no addresses yet
        path.insert(0, str(what_airflow_reads(tmp_path_factory.mktemp("release"))))
    env = {"SFJWT_EXAMPLE_OUTPUT": executor.output_uri, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    with LocalAirflow(
        tmp_path_factory.mktemp("home"),
        dags,
        env={**executor.env, **env},
        components=executor.components,
        upgrade=executor.own_database,
    ) as running:
        # The second one so that the watched contacts of a test are another asset than those of the example.
        for conn_id in (CONN_ID, "salesforce_polled"):
            running.add_connection(conn_id, running_org.connection_json())
        yield running
