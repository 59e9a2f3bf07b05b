"""Which job got which part of a load, so that a retry sends no accepted row twice.

Two attempts of one task may be alive at once: a worker that was not heard of goes on while Airflow has begun anew. The
attempt that began last owns the ledger. It writes its token before it reads the entries, and an earlier one writes a
job down before it looks at the token: so either the new attempt finds the job, or the old one finds the new token and
ends before it sends a row. (Airflow 3.3 refuses an old attempt by itself: its store knows a task instance by an id that
each attempt replaces.)
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow_provider_sfjwt.compat import CopiedStore, StateStore, TaskAttempt
from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef


@dataclass(frozen=True)
class LedgerJob:
    """A job that was created for a part.

    :param id: the job.
    :param api_version: the version it was created in.
    :param rows: how many rows it was given.
    :param retry: how often this attempt had sent rows again after a passing error by then.
    :param uploaded: whether Salesforce confirmed that it has the rows.
    :param taken_over: whether a later attempt waits for it. Then it may be aborted by the kill of the earlier one.
    """

    id: str
    api_version: str
    rows: int
    retry: int = 0
    uploaded: bool = False
    taken_over: bool = False

    def to_json(self) -> dict[str, Any]:
        """The job as JSON knows it. What 0.1.0 did not know is there only where it is true."""
        content = asdict(self)
        return content if self.taken_over else {name: content[name] for name in content if name != "taken_over"}

    @property
    def ref(self) -> JobRef:
        """Enough to find the job again."""
        return JobRef(self.id, self.api_version, "ingest")


@dataclass(frozen=True)
class LedgerEntry:
    """What is known of one part.

    :param sha256: the part's content, as :mod:`airflow_provider_sfjwt.load.ledger_content` writes it.
    :param jobs: in the order in which they were created. All but the first hold rows that failed before.
    :param over_rest: whether its rows went over REST, which has no jobs to look up.
    :param deleted: for a delete over REST: the rows that were deleted or may have been, as a hexadecimal number whose
        last bit stands for the first row.
    """

    sha256: str
    jobs: tuple[LedgerJob, ...] = ()
    over_rest: bool = False
    deleted: str = ""

    def to_json(self) -> dict[str, Any]:
        """The entry as JSON knows it."""
        jobs = [job.to_json() for job in self.jobs]
        return {"sha256": self.sha256, "jobs": jobs, "over_rest": self.over_rest, "deleted": self.deleted}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> LedgerEntry:
        """Read what :meth:`to_json` wrote.

        :param content: decoded.
        """
        jobs = tuple(LedgerJob(**job) for job in content["jobs"])
        return cls(content["sha256"], jobs, bool(content.get("over_rest")), str(content.get("deleted") or ""))


class Ledger:
    """The parts of a load, by their numbers.

    :param store: keeps one small value for each part; None for a load that is never resumed.
    :param entries: what a deferral handed over, for what the store has lost.
    :param sends: whether this attempt sends anything; else it takes the load over from no other attempt.
    :param attempt: its place among the attempts of the task; None where nobody counts them.
    :raises SalesforceError: for an attempt that comes after a later one.
    """

    def __init__(
        self,
        store: StateStore | None,
        entries: Mapping[str, Any] | None = None,
        *,
        sends: bool = True,
        attempt: TaskAttempt | None = None,
    ) -> None:
        self._store = store
        self._owner: dict[str, Any] | None = None
        if store is not None and sends:
            self._own(store, attempt)
        elif store is not None and _is_over(store.get(_ATTEMPT) or {}, attempt):
            store = None
        self._counted = 0
        self._one_at_a_time = threading.Lock()  # parts are sent by several threads
        self._entries = {int(number): LedgerEntry.from_json(each) for number, each in (entries or {}).items()}
        for number in range((store.get(_COUNT) or 0) if store is not None else 0):
            kept = store.get(_key(number)) if store is not None else None
            if kept is not None:
                self._entries[number] = LedgerEntry.from_json(kept)

    @property
    def lasts(self) -> bool:
        """Whether the next attempt finds it again."""
        return self._store is not None

    def _own(self, store: StateStore, attempt: TaskAttempt | None) -> None:
        """Take the ledger over from earlier attempts."""
        owner = store.get(_ATTEMPT)
        self._owner = {"token": uuid.uuid4().hex}
        if attempt is not None:
            self._owner |= attempt._asdict()
            if owner:
                self._take_over(store, owner, attempt)
        store.set(_ATTEMPT, self._owner)

    def _take_over(self, store: StateStore, owner: dict[str, Any], attempt: TaskAttempt) -> None:
        known, done = TaskAttempt.from_json(owner), owner.get(_DONE)
        new_run = attempt.is_of_a_new_run(known)
        if known.is_of_a_new_run(attempt) or (not new_run and known.try_number > attempt.try_number):
            raise _overtaken()
        if new_run or owner.get(_VOID) or (done is not None and known.max_tries != attempt.max_tries):
            # Its run was deleted, or the task was cleared after it had succeeded.
            store.set(_ATTEMPT, {**owner, _VOID: True})
            self._delete(store)
        elif done is not None and self._owner is not None:
            self._owner[_DONE] = done

    def check_owner(self) -> None:
        """Refuse to go on where another attempt of the task has begun since this one.

        :raises SalesforceError: retryable. What this attempt wrote down is the other one's by now.
        """
        if self._store is not None and self._owner is not None and self._store.get(_ATTEMPT) != self._owner:
            raise _overtaken()

    def entry(self, number: int) -> LedgerEntry | None:
        """What is known of a part.

        :param number: of the part.
        """
        return self._entries.get(number)

    @property
    def numbers(self) -> list[int]:
        """The parts that have an entry."""
        return sorted(self._entries)

    def begin(self, number: int, sha256: str, *, over_rest: bool = False, deleted: str = "") -> None:
        """Begin a part anew.

        :param number: of the part.
        :param sha256: its content: see :class:`LedgerEntry`.
        :param over_rest: whether its rows go over REST.
        :param deleted: for a delete over REST: see :class:`LedgerEntry`.
        """
        self._keep(number, LedgerEntry(sha256, over_rest=over_rest, deleted=deleted))

    def forget_part(self, number: int) -> None:
        """Forget a part, so that the next attempt begins it anew.

        :param number: of the part.
        """
        with self._one_at_a_time:
            self.check_owner()
            self._entries.pop(number, None)
            if self._store is not None:
                self._store.delete(_key(number))

    def created(self, number: int, job: LedgerJob) -> None:
        """Remember a job before anything is sent to it.

        :param number: of the part.
        :param job: the job.
        :raises SalesforceError: where another attempt has begun: nothing may be sent to the job.
        """
        entry = self._entries[number]
        self._keep(number, replace(entry, jobs=(*entry.jobs, job)))
        self.check_owner()

    def uploaded(self, number: int, job_id: str) -> None:
        """Remember that Salesforce has a job's rows.

        :param number: of the part.
        :param job_id: the job.
        """
        self._change(number, job_id, lambda job: replace(job, uploaded=True))

    def taken_over(self, number: int, job_id: str) -> None:
        """Remember that a later attempt waits for a job.

        :param number: of the part.
        :param job_id: the job.
        """
        self._change(number, job_id, lambda job: replace(job, taken_over=True))

    def dropped(self, number: int, job_id: str) -> None:
        """Forget a job that was aborted before it did anything.

        :param number: of the part.
        :param job_id: the job.
        """
        self._change(number, job_id, lambda job: None)

    @property
    def outcome(self) -> dict[str, Any] | None:
        """What a load came to that an earlier attempt ended, of which Airflow does not know."""
        done = (self._owner or {}).get(_DONE)
        return done if isinstance(done, dict) else None

    def forget(self, outcome: Mapping[str, Any]) -> None:
        """Forget everything, because the load is done: a cleared task loads anew.

        Where attempts are counted, the entries stay and are marked: an attempt that dies before Airflow knows that it
        ended well is retried, and must not send all rows again. Airflow allows more attempts when a task is cleared, so
        a retry and a Clear can be told apart.

        :param outcome: what such a retry finds as :attr:`outcome`.
        """
        self.check_owner()
        if self._store is not None and self._owner is not None and "try_number" in self._owner:
            self._store.set(_ATTEMPT, {**self._owner, _DONE: dict(outcome)})
        elif self._store is not None:
            self._delete(self._store)
            self._store.delete(_ATTEMPT)
        if isinstance(self._store, CopiedStore):
            # The mark last: as long as it is there, a cleared attempt deletes what is left.
            self._store.delete_copies([*map(_key, sorted(self._entries)), _COUNT, _ATTEMPT])
        self._entries = {}

    def _delete(self, store: StateStore) -> None:
        """Delete all entries, and then their number, so that none stays where an attempt dies meanwhile."""
        for number in range(store.get(_COUNT) or 0):
            store.delete(_key(number))
        store.delete(_COUNT)

    def to_json(self) -> dict[str, Any]:
        """All entries as JSON knows them, by the text of their numbers."""
        return {str(number): entry.to_json() for number, entry in self._entries.items()}

    def _change(self, number: int, job_id: str, change: Callable[[LedgerJob], LedgerJob | None]) -> None:
        entry = self._entries[number]
        jobs = [change(job) if job.id == job_id else job for job in entry.jobs]
        self._keep(number, replace(entry, jobs=tuple(job for job in jobs if job is not None)))

    def _keep(self, number: int, entry: LedgerEntry) -> None:
        with self._one_at_a_time:
            self.check_owner()
            self._entries[number] = entry
            if self._store is None:
                return
            if self._owner is not None and self._owner.pop(_DONE, None) is not None:
                self._store.set(_ATTEMPT, self._owner)  # a load that was done has more to do
            self._store.set(_key(number), entry.to_json())
            count = max(self._entries) + 1
            if count != self._counted:
                # Written before any job is created: a part beyond the count would not be found again.
                self._store.set(_COUNT, count)
                self._counted = count


_COUNT = "salesforce_load_parts"
_ATTEMPT = "salesforce_load_attempt"
#: In the value of the attempt: what the load came to, once it is done.
_DONE = "done"
#: In the same value: the entries are being deleted.
_VOID = "void"


def _is_over(owner: Mapping[str, Any], attempt: TaskAttempt | None) -> bool:
    """Whether nothing is left of the load of an owner: it is done, or its run was deleted."""
    new_run = attempt is not None and attempt.is_of_a_new_run(TaskAttempt.from_json(owner))
    return new_run or _DONE in owner or _VOID in owner


def _overtaken() -> SalesforceError:
    return SalesforceError(
        "another attempt of this task has begun, and goes on with the load, or what this one wrote down was deleted. "
        "This one sends nothing more",
        retryable=True,
    )


def _key(number: int) -> str:
    return f"salesforce_load_part_{number:05d}"
