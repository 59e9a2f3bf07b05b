"""An Airflow home of its own: secrets, settings and a metadata database, all in one folder."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy import create_engine, text

from tests.local_airflow.processes import LocalAirflowError


class AirflowHome:
    """A folder that Airflow calls its home, and the environment that makes Airflow use it.

    :param folder: of the home; made where it is not.
    :param dags: folders of DAG files.
    :param port: of the API server on 127.0.0.1.
    :param env: further variables, which win.
    :param templates: where empty metadata databases are kept; None: in this home.
    """

    def __init__(
        self, folder: Path, dags: Sequence[Path], port: int, env: Mapping[str, str], templates: Path | None = None
    ) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.templates = templates or self.folder
        self.logs = self.folder / "logs"
        self.database = self.folder / "airflow.db"
        self.url = f"http://127.0.0.1:{port}"
        self._secrets = self._kept_secrets()
        self.env = self._environment([each.resolve() for each in dags], port) | dict(env)

    @property
    def fernet_key(self) -> str:
        """The key that Airflow encrypts connections with."""
        return self._secrets["fernet_key"]

    def reset(self) -> None:
        """Begin anew: an empty metadata database and no logs, whatever an earlier run left or was stopped in.

        The empty database is kept beside it, since Airflow takes seconds to make one.
        """
        template = self.templates / f"metadata-{version('apache-airflow-core')}.db"
        if not template.exists():
            self._forget_database()
            self.cli("db", "migrate")
            # Moved, so that a template is either whole or not there.
            self.database.rename(template)
        self._forget_database()
        shutil.copyfile(template, self.database)
        shutil.rmtree(self.logs, ignore_errors=True)

    def command(self, *arguments: str) -> list[str]:
        """How to start Airflow's command line.

        :param arguments: of ``airflow``.
        """
        return [sys.executable, "-m", "airflow", *arguments]

    def cli(self, *arguments: str) -> str:
        """Run a command of Airflow to its end.

        :param arguments: of ``airflow``.
        :return: what it printed.
        :raises LocalAirflowError: when it fails.
        """
        done = subprocess.run(
            self.command(*arguments),
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            shown = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
            raise LocalAirflowError(f"airflow {' '.join(arguments)} ended with {done.returncode}:\n{shown}")
        return done.stdout

    def change_database(self, statement: str, **values: object) -> None:
        """Change the metadata database behind Airflow's back.

        :param statement: of SQL.
        :param values: of its parameters.
        """
        uri = self.env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
        patience = {"timeout": 60} if uri.startswith("sqlite") else {}
        engine = create_engine(uri, connect_args=patience)
        with engine.begin() as transaction:
            transaction.execute(text(statement), values)
        engine.dispose()

    def _forget_database(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.database.with_name(self.database.name + suffix).unlink(missing_ok=True)

    def _kept_secrets(self) -> dict[str, str]:
        path = self.folder / "secrets.json"
        if not path.exists():
            made = {
                "fernet_key": Fernet.generate_key().decode(),
                "jwt_secret": secrets.token_urlsafe(64),
                "secret_key": secrets.token_urlsafe(32),
            }
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
                json.dump(made, file)
        kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return kept

    def _environment(self, dags: Sequence[Path], port: int) -> dict[str, str]:
        # Another Airflow of this user must neither be seen nor touched.
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))}
        bundles = [
            {"name": f"local-{each.name}", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
             "kwargs": {"path": str(each)}}
            for each in dags
        ]  # fmt: skip
        settings = {
            "core__dags_folder": str(dags[0]),
            "core__load_examples": "False",
            "core__executor": "LocalExecutor",
            "core__parallelism": "4",
            "core__test_connection": "Enabled",
            "core__fernet_key": self._secrets["fernet_key"],
            "core__simple_auth_manager_all_admins": "True",
            "core__execution_api_server_url": f"{self.url}/execution/",
            "database__sql_alchemy_conn": f"sqlite:///{self.database}",
            "dag_processor__dag_bundle_config_list": json.dumps(bundles),
            # All that follows down to the triggerer: intervals made for clusters, too slow to watch.
            "dag_processor__refresh_interval": "10",
            "dag_processor__bundle_refresh_check_interval": "2",
            # No file changes while it runs, and each reading takes a process that imports Airflow's half.
            "dag_processor__min_file_process_interval": "60",
            "dag_processor__parsing_processes": "1",
            "scheduler__scheduler_idle_sleep_time": "0.3",
            "scheduler__scheduler_heartbeat_sec": "2",
            "triggerer__job_heartbeat_sec": "2",
            # Airflow 3.3 may notice that long too late that a deferring worker has ended; where the task runs again by
            # then, the scheduler takes the end of its first half for a crash of its second one, and fails it.
            "workers__min_heartbeat_interval": "1",
            "api__host": "127.0.0.1",
            "api__port": str(port),
            "api__base_url": self.url,
            "api__secret_key": self._secrets["secret_key"],
            "api_auth__jwt_secret": self._secrets["jwt_secret"],
            "logging__base_log_folder": str(self.logs),
            "operators__default_deferrable": "True",
            "usage_data_collection__enabled": "False",
        }
        return outside | {
            "AIRFLOW_HOME": str(self.folder),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "PYTHONUNBUFFERED": "1",
            **{f"AIRFLOW__{name.upper()}": value for name, value in settings.items()},
        }
