"""Where a local Airflow runs its tasks, and where these write to: in its scheduler, or on the workers of Celery."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from upath import UPath

from tests.local_airflow.processes import ChildProcess, LocalAirflowError, free_port, poll_until, stop_all
from tests.tables import postgres_server

_BUCKET, _S3_CONN_ID = "lake", "lake_s3"
_CELERY = "airflow.providers.celery"
#: Seconds after which a task or a scheduler counts as lost that says nothing; Airflow's own are 300 and 30.
LOST = 15


@dataclass(frozen=True)
class Executor:
    """What an Airflow is started with.

    :param name: as ``[core] executor`` has it.
    :param output: the folder that DAGs write to, as tests read it.
    :param output_uri: the same, as DAGs name it.
    :param env: variables for all of Airflow's processes.
    :param components: that Airflow has besides, by their names.
    :param own_database: whether the metadata database is another one than the home's file.
    """

    name: str
    output: UPath
    output_uri: str
    env: Mapping[str, str] = field(default_factory=dict)
    components: Mapping[str, Sequence[str]] = field(default_factory=dict)
    own_database: bool = False


def local_executor(output: Path) -> Executor:
    """Tasks run as children of the scheduler, and write to this machine's disk.

    :param output: folder that DAGs write to.
    """
    return Executor("LocalExecutor", UPath(output), output.as_uri())


def what_celery_lacks() -> list[str]:
    """What is not installed, and :func:`celery_executor` needs."""
    lacks = [] if shutil.which("redis-server") else ["redis-server"]
    lacks += [] if postgres_server.programs() else ["PostgreSQL"]
    return lacks + ([] if find_spec(_CELERY) else ["apache-airflow-providers-celery"])


@contextmanager
def celery_executor(folder: Path) -> Iterator[Executor]:
    """Two workers and two schedulers over Redis and PostgreSQL, and an object store for what tasks share.

    :param folder: for logs.
    """
    with ExitStack() as ends:
        broker = ends.enter_context(_redis(folder))
        database = f"postgresql+psycopg2://{postgres_server.USER}@127.0.0.1:{ends.enter_context(postgres_server.running())}/postgres"
        store = ends.enter_context(_object_store())
        worker = ("celery", "worker", "--skip-serve-logs", "--without-mingle", "--without-gossip", "--concurrency", "3")
        settings = {
            "core__executor": "CeleryExecutor",
            "core__parallelism": "8",
            "celery__broker_url": broker,
            "celery__result_backend": f"db+{database}",
            "celery__worker_enable_remote_control": "False",
            "database__sql_alchemy_conn": database,
            "scheduler__orphaned_tasks_check_interval": "5",
            "scheduler__scheduler_health_check_threshold": str(LOST),
            "scheduler__task_instance_heartbeat_timeout": str(LOST),
            "scheduler__task_instance_heartbeat_timeout_detection_interval": "2",
        }
        yield Executor(
            "CeleryExecutor",
            output=UPath(f"s3://{_BUCKET}", **store, use_listings_cache=False),
            output_uri=f"s3://{_S3_CONN_ID}@{_BUCKET}",
            env={
                **{f"AIRFLOW__{name.upper()}": value for name, value in settings.items()},
                f"AIRFLOW_CONN_{_S3_CONN_ID.upper()}": json.dumps(
                    {"conn_type": "aws", "login": store["key"], "password": store["secret"],
                     "extra": {"endpoint_url": store["endpoint_url"], "region_name": "us-east-1"}}
                ),
            },
            components={
                "scheduler-2": ("scheduler", "--skip-serve-logs"),
                **{name: (*worker, "--celery-hostname", f"{name}@{socket.gethostname()}") for name in WORKERS},
            },
            own_database=True,
        )  # fmt: skip


#: The names of Celery's workers among the components.
WORKERS = ("worker-1", "worker-2")


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """A broker for as long as the block lasts; its address."""
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    server = ChildProcess("redis", command, env=os.environ, log=folder / "redis.log")

    def answers() -> bool:
        server.check()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        if not poll_until(answers, 30):
            raise LocalAirflowError("redis-server did not come up in 30 s")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        stop_all([server])


@contextmanager
def _object_store() -> Iterator[dict[str, str]]:
    """An S3 with an empty bucket for as long as the block lasts; how to reach it, as ``s3fs`` takes it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        access = {"key": "test-key", "secret": "test-secret", "endpoint_url": f"http://{host}:{port}"}
        UPath(f"s3://{_BUCKET}", **access).fs.mkdir(_BUCKET)
        yield access
    finally:
        server.stop()
