"""Attempts of one task in processes of their own, which may be stopped, continued and killed at any moment.

They share what the attempts of a task share: the org, the folder, and a state store, which is a folder of files here.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, unquote

from tests.processes import processes

#: Seconds after which an attempt that is not stopped must have ended.
_LONGEST = 120.0


class FileStore:
    """A state store that several processes share. Unlike Airflow's, it takes an old attempt for a new one.

    :param folder: for its values.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return json.loads((self._folder / quote(key, safe="")).read_text())
        except FileNotFoundError:
            return default

    def set(self, key: str, value: Any) -> None:
        draft = self._folder / f".{os.getpid()}-{time.monotonic_ns()}"
        draft.write_text(json.dumps(value))
        draft.replace(self._folder / quote(key, safe=""))

    def delete(self, key: str) -> None:
        (self._folder / quote(key, safe="")).unlink(missing_ok=True)

    @property
    def values(self) -> dict[str, Any]:
        """All that is kept."""
        return {unquote(each.name): self.get(unquote(each.name)) for each in self._folder.glob("[!.]*")}


def _work(
    make: Callable[..., Any],
    arguments: dict[str, Any],
    environment: dict[str, str],
    home: Path,
    try_number: int,
    to: Any,
) -> None:
    """What a worker does with one attempt. Airflow's SIGTERM calls ``on_kill``, and the work goes on until SIGKILL."""
    os.environ.update(environment)
    tempfile.tempdir = str(home / "tmp")
    os.dup2(os.open(home / f"log-{try_number}", os.O_WRONLY | os.O_CREAT, 0o600), 1)
    os.dup2(1, 2)
    operator = make(**arguments)
    signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    ti = SimpleNamespace(
        dag_id="dag", run_id="run", task_id=operator.task_id, map_index=-1, try_number=try_number, max_tries=3,
        xcom_push=lambda **_: None,
    )  # fmt: skip
    to.send(time.monotonic())
    outcome: dict[str, Any]
    try:
        outcome = {"result": operator.execute({"task_state_store": FileStore(home / "store"), "ti": ti})}
    except Exception as error:  # noqa: BLE001 whatever the attempt ends in
        outcome = {"error": type(error).__name__, "message": str(error)}
    to.send({**outcome, "ended": time.monotonic()})


class Attempt:
    """One attempt, begun.

    :param make: makes the operator.
    :param arguments: for it.
    :param environment: variables of the process.
    :param home: a folder that the attempts of a task share, for the store, their logs and temporary files.
    :param try_number: its place among them.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        arguments: dict[str, Any],
        environment: dict[str, str],
        home: Path,
        try_number: int,
    ) -> None:
        (home / "tmp").mkdir(exist_ok=True)
        context = processes()
        self._outcome, to = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_work, args=(make, arguments, environment, home, try_number, to), daemon=True
        )
        self._process.start()
        to.close()
        #: When, by the machine's monotonic clock.
        self.begun: float = self._outcome.recv()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, where the process is there still."""
        if self._process.is_alive():
            os.kill(self._process.pid or 0, number)

    def ends(self) -> dict[str, Any]:
        """How the attempt ended: ``result``, ``error`` and ``message``, or ``killed``; and when it ``ended``."""
        outcome: dict[str, Any] = {"killed": True}
        try:
            if self._outcome.poll(_LONGEST):
                outcome = self._outcome.recv()
        except EOFError:
            pass
        self._process.join(_LONGEST)
        assert not self._process.is_alive(), "the attempt does not end"
        return outcome
