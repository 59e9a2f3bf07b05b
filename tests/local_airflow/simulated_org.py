"""The simulated org in a process of its own, as a user of the package starts it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from tests.local_airflow.processes import ChildProcess, LocalAirflowError, poll_until, stop_all, tail


class SimulatedOrgProcess:
    """An org for as long as the ``with`` block lasts.

    :param folder: for its key, its connection and its log.
    :param accounts: how many there are.
    :param bulk_page_size: rows of a page of a Bulk result.
    :param modified_hours: the accounts were changed within so many hours before now.
    :param start_timeout: seconds in which it must have come up.
    """

    def __init__(
        self,
        folder: Path,
        *,
        accounts: int = 20_000,
        bulk_page_size: int = 3_000,
        modified_hours: int = 48,
        start_timeout: float = 60,
    ) -> None:
        self._folder = folder
        self.key_file = folder / "key.pem"
        self._connection = folder / "connection.json"
        self._start_timeout = start_timeout
        self._arguments = [
            *("--port", "0", "--records", f"Account={accounts}", "--modified-hours", str(modified_hours)),
            # Several polls, so that there is a job to wait for in the triggerer.
            *("--bulk-page-size", str(bulk_page_size), "--bulk-polls", "4"),
            *("--env-file", str(self._connection), "--key-file", str(self.key_file)),
        ]
        self._child: ChildProcess | None = None

    def __enter__(self) -> SimulatedOrgProcess:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._connection.unlink(missing_ok=True)
        command = [sys.executable, "-m", "airflow_provider_sfjwt.testing", *self._arguments]
        env = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self._child = ChildProcess("simulated org", command, env=env, log=self._folder / "org.log")
        try:
            if not poll_until(self._ready, self._start_timeout):
                raise LocalAirflowError(
                    f"the simulated org did not come up in {self._start_timeout:.0f} s; the last lines of "
                    f"{self._child.log}:\n{tail(self._child.log)}"
                )
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it."""
        child, self._child = self._child, None
        if child is not None:
            stop_all([child])

    @property
    def connection_json(self) -> str:
        """The connection, as ``AIRFLOW_CONN_…`` takes it.

        With a port beside the one in the login URL: the Test button of Airflow 3.3.2 refuses a connection without.
        """
        connection = json.loads(self._connection.read_text(encoding="utf-8"))
        return json.dumps(connection | {"port": urlsplit(connection["host"]).port})

    @property
    def announcement(self) -> str:
        """What it says of itself in its first line."""
        assert self._child is not None
        return self._child.log.read_text(encoding="utf-8").splitlines()[0]

    def _ready(self) -> bool:
        """It prints the connection last, when it serves."""
        assert self._child is not None
        self._child.check()
        return "export AIRFLOW_CONN_" in self._child.log.read_text(encoding="utf-8")
