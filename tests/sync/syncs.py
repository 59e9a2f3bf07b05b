"""The syncs that tests run, and what they leave."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time.context import set_current_context
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_sfjwt.exceptions import ObjectsFailedError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.sync.outcome import SyncReport
from airflow_provider_sfjwt.testing import SimulatedOrg

OBJECTS = ["Account", "Contact", "Case"]


def task(run_id: str = "run", dag_id: str = "dag", task_id: str = "sync") -> Any:
    """A task instance, as Airflow's context has it."""
    return {"ti": SimpleNamespace(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=-1)}


@dataclass(frozen=True)
class Syncs:
    """Syncs of one root."""

    org: SimulatedOrg
    root: Path

    def run(self, objects: list[str] | None = None, *, of: Any = None, **arguments: Any) -> SyncReport:
        """Sync, outside Airflow or as a task instance."""
        defaults: dict[str, Any] = {"commit_lag": 0, "poll_interval": 0.05, "threads": 4}
        asked = {**defaults, **arguments}
        if of is None:
            return SalesforceJwtHook().sync(objects or OBJECTS, f"file://{self.root}", **asked)
        with set_current_context(of):
            return SalesforceJwtHook().sync(objects or OBJECTS, f"file://{self.root}", **asked)

    def failing(self, objects: list[str] | None = None, **arguments: Any) -> ObjectsFailedError:
        """Sync, and return the error that names the failed objects."""
        try:
            self.run(objects, **arguments)
        except ObjectsFailedError as error:
            return error
        raise AssertionError("no object failed")

    def change(self, sobject: str, rows: int) -> list[str]:
        """Change the first rows of an object, at a moment between two runs."""
        self.org.clock_offset += 2
        changed = [str(row["Id"]) for row in self.org.rows(sobject)[:rows]]
        for record in changed:
            self.org.update(sobject, record, {"Description": f"changed at {self.org.clock_offset}"})
        self.org.clock_offset += 2
        return changed

    def state(self, sobject: str) -> dict[str, Any]:
        """The state of an object."""
        state: dict[str, Any] = json.loads((self.root / sobject / "_state.json").read_text())
        return state

    def chain(self, sobject: str) -> list[dict[str, Any]]:
        """The receipts of an object, in the order of their folders."""
        return [json.loads(path.read_text()) for path in sorted((self.root / sobject).glob("w=*/_receipt.json"))]

    @contextmanager
    def full_disk_for(self, sobject: str) -> Iterator[None]:
        """Let the disk be full for an object's data for as long as the block lasts."""
        opened = LocalFileSystem._open

        def full(files: Any, path: str, *others: Any, **options: Any) -> Any:
            if f"/{sobject}/w=" in path and options.get("mode") == "wb":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return opened(files, path, *others, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LocalFileSystem, "_open", full)
            yield

    def calls(self, run: Callable[[], Any]) -> list[str]:
        """The paths that a function asked the org for, without sign-ins and lists of versions."""
        before = len(self.org.requests)
        run()
        paths = [request.path for request in self.org.requests[before:]]
        return [path for path in paths if "/oauth2/" not in path and path.rstrip("/") != "/services/data"]
