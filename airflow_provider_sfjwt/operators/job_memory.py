"""What a task remembers of its remote job across tries, kept in Airflow's task state store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

_KEY = "salesforce_bulk_job"


@dataclass(frozen=True)
class RememberedJob:
    """A job that was created for this task.

    :param job_id: the job.
    :param api_version: the version it was created in.
    :param soql: the query it runs, so that a changed task does not take it for its own.
    :param output_path: where its result goes.
    :param window: start and end in ISO 8601, or None.
    :param api_calls: what creating it cost.
    :param reattached: whether a later try picked it up.
    """

    job_id: str
    api_version: str
    soql: str
    output_path: str
    window: tuple[str, str] | None
    api_calls: int
    reattached: bool = False

    @property
    def moments(self) -> tuple[datetime, datetime] | None:
        """The window as moments."""
        return None if self.window is None else tuple(map(datetime.fromisoformat, self.window))  # type: ignore[return-value]


class JobMemory:
    """Remembers one job for each task instance.

    :param context: Airflow's. Without a task state store (as in a unit test) nothing is remembered.
    """

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._store = context.get("task_state_store")

    def recall(self) -> RememberedJob | None:
        """The job of an earlier try, or None."""
        content = self._store.get(_KEY) if self._store is not None else None
        if not isinstance(content, dict):
            return None
        window = content.get("window")
        try:
            return RememberedJob(**{**content, "window": tuple(window) if window else None})
        except TypeError:
            return None  # another release wrote it

    def remember(self, job: RememberedJob) -> None:
        """Keep a job, before it is waited for.

        :param job: the job.
        """
        if self._store is not None:
            # The store takes JSON, which knows no tuples.
            self._store.set(_KEY, {**asdict(job), "window": list(job.window) if job.window else None})

    def forget(self) -> None:
        """Forget the job: its result is published, so that a cleared task starts a new one."""
        if self._store is not None:
            self._store.delete(_KEY)
