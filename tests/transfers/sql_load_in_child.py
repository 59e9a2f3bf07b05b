"""Loads of a query in processes of their own, which die when a test wants it. Each attempt finds the store of the last."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_sfjwt.transfers.sql import SqlToSalesforceOperator
from tests.operators.airflow_run import StateStore, run_to_end
from tests.operators.load_task import instance

#: What every attempt imports.
_PRELOADED = (
    "pyarrow.parquet", "pyarrow.csv", "psycopg", "airflow.providers.postgres.hooks.postgres",
    "airflow_provider_sfjwt.hooks.salesforce_jwt", "airflow_provider_sfjwt.tasks.load_task",
    "airflow_provider_sfjwt.tasks.results_table", "airflow_provider_sfjwt.tables.queries.postgres",
)  # fmt: skip


class FileStore(StateStore):
    """A state store that outlives its process.

    :param path: of its file.
    :param dies_when_it_forgets: whether the process is killed before the first value is deleted.
    """

    def __init__(self, path: Path, *, dies_when_it_forgets: bool = False) -> None:
        super().__init__()
        self._path = path
        self._dies = dies_when_it_forgets
        self.values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def set(self, key: str, value: Any) -> None:
        super().set(key, value)
        self._keep()

    def delete(self, key: str) -> None:
        if self._dies:
            os.kill(os.getpid(), signal.SIGKILL)
        super().delete(key)
        self._keep()

    def _keep(self) -> None:
        self._path.write_text(json.dumps(self.values), encoding="utf-8")


def attempt(store: Path, arguments: dict[str, Any], *, dies_when_it_forgets: bool = False) -> dict[str, Any]:
    """One attempt in this process."""
    context = {**instance(), "task_state_store": FileStore(store, dies_when_it_forgets=dies_when_it_forgets)}
    operator = SqlToSalesforceOperator(task_id="load", transport="bulk", poll_interval=0.001, **arguments)
    result: dict[str, Any] = run_to_end(operator, context)
    return result


def _run(environment: dict[str, str], store: Path, arguments: dict[str, Any], dies: bool) -> None:
    os.environ.update(environment)
    attempt(store, arguments, dies_when_it_forgets=dies)


def killed(
    store: Path, arguments: dict[str, Any], when: Callable[[], Any] | None, *, dies_when_it_forgets: bool = False
) -> None:
    """An attempt in a process that is killed.

    :param store: the file of the state store.
    :param arguments: of the operator.
    :param when: true when it is to be killed; None where it kills itself.
    :param dies_when_it_forgets: whether it kills itself before the ledger forgets.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.transfers.sql_load_in_child", *_PRELOADED])
    environment = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN_")}
    process = context.Process(target=_run, args=(environment, store, arguments, dies_when_it_forgets))
    process.start()
    deadline = time.monotonic() + 60
    while when is not None and not when():
        assert process.is_alive() and time.monotonic() < deadline, "it was never so far"
        time.sleep(0.002)
    if when is not None:
        process.kill()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, process.exitcode
