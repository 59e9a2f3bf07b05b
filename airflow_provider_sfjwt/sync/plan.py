"""What a run of a sync is to do: its objects, and one end for all of their windows."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from airflow_provider_sfjwt.files.storage.receipts import Writer
from airflow_provider_sfjwt.sync.root import VERSION, SyncRoot
from airflow_provider_sfjwt.sync.selection import Chosen


@dataclass(frozen=True)
class RunId:
    """A run of a sync, the same for all its tasks and attempts.

    :param key: eight characters that tell it from other runs.
    :param owner: the run, for people.
    """

    key: str
    owner: str

    @classmethod
    def of(cls, writer: Writer | None, group: str) -> RunId:
        """The run of a task instance.

        :param writer: the task instance, or None outside Airflow, where each call is a run of its own.
        :param group: the task group, or the task where there is no group.
        """
        if writer is None:
            return cls(_key(uuid.uuid4().hex), f"process {os.getpid()} on {socket.gethostname()}")
        return cls(_key(writer.dag_id, writer.run_id, group), f"run {writer.run_id} of Dag {writer.dag_id} ('{group}')")


@dataclass(frozen=True)
class RunPlan:
    """What a run is to do.

    :param run: eight characters of the run.
    :param org_id: the org's 18-character id; None where Salesforce did not say.
    :param begun_at: seconds since the epoch.
    :param end: of all windows.
    :param chosen: the objects.
    :param faults: what is wrong with a name or a pattern, by that.
    """

    run: str
    org_id: str | None
    begun_at: float
    end: datetime
    chosen: tuple[Chosen, ...]
    faults: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """The content of ``plan.json``."""
        return {
            "version": VERSION,
            "run": self.run,
            "org_id": self.org_id,
            "begun_at": self.begun_at,
            "end": self.end.isoformat(),
            "objects": [[each.sobject, each.by_name] for each in self.chosen],
            "faults": dict(self.faults),
        }

    def write(self, root: SyncRoot) -> None:
        """Keep the plan, for the run's other tasks and attempts.

        :param root: the sync's.
        """
        root.write_json(self.to_json(), "_runs", self.run, "plan.json")


def read_plan(root: SyncRoot, run: str) -> RunPlan | None:
    """The plan of a run, or None where it has none yet.

    :param root: the sync's.
    :param run: eight characters of the run.
    """
    content = root.read_json("_runs", run, "plan.json")
    if content is None:
        return None
    return RunPlan(
        run=run,
        org_id=content["org_id"],
        begun_at=content["begun_at"],
        end=datetime.fromisoformat(content["end"]),
        chosen=tuple(Chosen(sobject, by_name) for sobject, by_name in content["objects"]),
        faults=content["faults"],
    )


def _key(*names: str) -> str:
    return sha256("\n".join(names).encode()).hexdigest()[:8]
