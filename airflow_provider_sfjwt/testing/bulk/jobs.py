"""The table of Bulk API 2.0 jobs of every kind."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from airflow_provider_sfjwt.testing.data.record_ids import canonical_id, record_id
from airflow_provider_sfjwt.testing.data.values import moment_text
from airflow_provider_sfjwt.testing.http.messages import RefusalError

DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
TERMINAL = frozenset({"JobComplete", "Failed", "Aborted"})


def bulk_moment(moment: datetime) -> str:
    """Return a datetime as job information spells it."""
    return moment_text(moment)[:-5] + ".000+0000"


class Ending(NamedTuple):
    """How a test wants a job to end.

    :param state: ``Failed`` or ``Aborted``.
    :param message: the ``errorMessage``, may be empty.
    :param after_batches: of a load: how many internal batches are processed first.
    """

    state: str
    message: str = ""
    after_batches: int = 0


@dataclass
class Job:
    """One job.

    :param kind: ``query`` or ``ingest``: the path below ``/jobs/``.
    :param version: API version of its creation; its results are read with the same one.
    :param info: what GET answers, in Salesforce's names; also what a test may look at.
    :param polls_left: GETs that still answer InProgress.
    :param ending: how a test wants it to end; None: well.
    """

    id: str
    kind: str
    version: str
    info: dict[str, Any]
    polls_left: int = 0
    ending: Ending | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def state(self) -> str:
        """The state in Salesforce's words."""
        return str(self.info["state"])


class JobEndings:
    """How a test wants the next jobs to end, by kind of job: ``query`` or ``ingest``."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Ending]] = {}

    def add(self, kind: str, ending: Ending) -> None:
        """Let the next job of that kind for which nothing waits yet end so."""
        self._waiting.setdefault(kind, []).append(ending)

    def take(self, kind: str) -> Ending | None:
        """Return how a job that is made now is to end; None: well."""
        waiting = self._waiting.get(kind)
        return waiting.pop(0) if waiting else None

    def clear(self) -> None:
        """Forget all endings that no job has taken."""
        self._waiting.clear()


class Jobs:
    """All jobs of an org.

    :param endings: how a test wants them to end.
    """

    def __init__(self, endings: JobEndings) -> None:
        self._jobs: dict[str, Job] = {}
        self._made: dict[str, int] = {}
        self.endings = endings
        self._lock = threading.Lock()

    def add(self, kind: str, version: str, info: dict[str, Any], polls: int) -> Job:
        """Number a job and keep it; its id becomes the first entry of its information."""
        with self._lock:
            self._made[kind] = self._made.get(kind, 0) + 1
            job_id = record_id("750", sum(self._made.values()))
            job = Job(job_id, kind, version, {"id": job_id, **info}, polls, self.endings.take(kind))
            self._jobs[job_id] = job
            return job

    def forget_endings(self) -> None:
        """Let every job that has not ended end well."""
        with self._lock:
            self.endings.clear()
            for job in self._jobs.values():
                job.ending = None

    def find(self, kind: str, job_id: str) -> Job | None:
        """Return the job of that kind with that id of 15 or 18 characters, or None."""
        job = self._jobs.get(canonical_id(job_id) or "")
        return job if job is not None and job.kind == kind else None

    def remove(self, job: Job) -> None:
        """Forget a job; it still counts as made."""
        with self._lock:
            self._jobs.pop(job.id, None)

    def of_kind(self, kind: str) -> list[Job]:
        """Return the jobs of one kind, oldest first."""
        with self._lock:
            return [job for job in self._jobs.values() if job.kind == kind]

    def made(self, kind: str) -> int:
        """Return how many jobs of a kind were ever made, deleted ones included."""
        return self._made.get(kind, 0)

    def infos(self) -> dict[str, dict[str, Any]]:
        """Return a copy of every job's information, by id."""
        with self._lock:
            return {job.id: dict(job.info) for job in self._jobs.values()}


def choice(wanted: dict[str, Any], name: str, choices: tuple[str, ...], default: str) -> str:
    """Return one of a job's settings in Salesforce's spelling.

    :raises RefusalError: INVALIDJOB for a value that is not one of the choices.
    """
    given = wanted.get(name, default)
    found = next((known for known in choices if known.lower() == str(given).lower()), None)
    if found is None:
        raise RefusalError(400, "INVALIDJOB", f"{name}: {given!r} is not one of {', '.join(choices)}")
    return found
