"""What a task remembers of its remote job from one attempt to the next, in Airflow's task state store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.compat import TaskAttempt, task_attempt, task_state_store

if TYPE_CHECKING:
    from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef

_KEY = "salesforce_bulk_job"
#: In the job's value: which attempt kept it. Variables outlive a run that is deleted.
_ATTEMPT = "attempt"
#: Characters of a value that Airflow's state store is given: it takes 64 KB.
_LONGEST = 60_000


@dataclass(frozen=True)
class SubmittedJob:
    """A job that was created for this task.

    :param job_id: the job.
    :param api_version: the version it was created in.
    :param soql: the query it runs.
    :param order: the fingerprint of what the task asked for: a changed task does not resume the job.
    :param window: start and end in ISO 8601, or None.
    :param api_calls: what the extract has cost, over all attempts that ended in order.
    :param created_at: seconds since the epoch.
    :param reattached: whether a later attempt resumed it.
    :param plan: what the spec came to in the org, so that it is not asked again; None where that is too long to keep.
    :param timed_out: the jobs of this task, one after another, whose query took too long.
    """

    job_id: str
    api_version: str
    soql: str
    order: str
    window: tuple[str, str] | None
    api_calls: int
    created_at: float
    reattached: bool = False
    plan: Mapping[str, Any] | None = None
    timed_out: tuple[str, ...] = ()

    @property
    def ref(self) -> JobRef:
        """Enough to find the job again."""
        from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef

        return JobRef(self.job_id, self.api_version)

    @property
    def moments(self) -> tuple[datetime, datetime] | None:
        """The window as moments."""
        if self.window is None:
            return None
        return datetime.fromisoformat(self.window[0]), datetime.fromisoformat(self.window[1])

    def to_json(self, longest: float = _LONGEST) -> dict[str, Any]:
        """The job as JSON, which has no tuples.

        :param longest: characters that it may have: beyond, it goes without the plan.
        """
        content = {
            **asdict(self),
            "window": list(self.window) if self.window else None,
            "timed_out": list(self.timed_out),
        }
        return content if len(json.dumps(content)) <= longest else {**content, "plan": None}

    @classmethod
    def from_json(cls, content: Any) -> SubmittedJob | None:
        """Read what :meth:`to_json` wrote.

        :param content: decoded.
        :return: None for None, and for what another release wrote.
        """
        if not isinstance(content, dict):
            return None
        window = content.get("window")
        try:
            return cls(
                **{
                    **content,
                    "window": (window[0], window[1]) if window else None,
                    "timed_out": tuple(content.get("timed_out", ())),
                }
            )
        except TypeError:
            return None


class JobMemory:
    """Remembers one job for each task instance.

    :param context: Airflow's. Without a task state store (as in a unit test) nothing is remembered.
    """

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._store = task_state_store(context)
        self._attempt = task_attempt(context)

    @property
    def lasts(self) -> bool:
        """Whether a later attempt will remember."""
        return self._store is not None

    def recall(self) -> SubmittedJob | None:
        """The job of an earlier attempt, or None."""
        kept = self._store.get(_KEY) if self._store is not None else None
        if not isinstance(kept, dict):
            return None
        attempt = TaskAttempt.from_json(kept.get(_ATTEMPT) or {})
        if self._attempt is not None and self._attempt.is_of_a_new_run(attempt):
            return None
        return SubmittedJob.from_json({name: value for name, value in kept.items() if name != _ATTEMPT})

    def remember(self, job: SubmittedJob) -> None:
        """Keep a job, before it is waited for.

        :param job: the job.
        """
        if self._store is not None:
            attempt = {} if self._attempt is None else {_ATTEMPT: self._attempt._asdict()}
            self._store.set(_KEY, {**job.to_json(), **attempt})

    def forget(self) -> None:
        """Forget the job, so that the next attempt or a cleared task starts a new one."""
        if self._store is not None:
            self._store.delete(_KEY)
