"""Which run writes to a root: one at a time, until it ends or its time is over."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.sync.root import VERSION, SyncRoot

LEASE_NAME = "_lease.json"


@dataclass(frozen=True)
class Lease:
    """The run that may write to a root.

    :param run: eight characters of the run.
    :param owner: the run, for people: its DAG, its id and its group.
    :param taken_at: seconds since the epoch.
    :param until: seconds since the epoch, when the lease ends by itself.
    """

    run: str
    owner: str
    taken_at: float
    until: float

    def to_json(self) -> dict[str, Any]:
        """The content of ``_lease.json``."""
        return {"version": VERSION, **asdict(self), "ends": shown(self.until)}


def read_lease(root: SyncRoot) -> Lease | None:
    """The lease of a root, or None where no run has one.

    :param root: the sync's.
    """
    content = root.read_json(LEASE_NAME)
    return None if content is None else Lease(**{name: content[name] for name in Lease.__dataclass_fields__})


def take_lease(root: SyncRoot, run: str, owner: str, seconds: float) -> None:
    """Take the lease of a root, or keep it where the run has it already.

    A local folder is locked meanwhile. An object store has no conditional write here: there the lease is read again
    after it was written, and two runs that begin at the same moment may both go on. So run a DAG once at a time.

    :param root: the sync's.
    :param run: eight characters of the run.
    :param owner: the run, for people.
    :param seconds: after which the lease ends by itself.
    :raises SalesforceError: retryable, when another run has it.
    """
    with root.alone():
        held, now = read_lease(root), time.time()
        if held is not None and held.run != run and held.until > now:
            raise _held(root, held)
        taken_at = held.taken_at if held is not None and held.run == run else now
        root.write_json(Lease(run, owner, taken_at, now + seconds).to_json(), LEASE_NAME)
        written = read_lease(root)
    if written is not None and written.run != run:
        raise _held(root, written)


def end_lease(root: SyncRoot, run: str | None) -> bool:
    """End the lease of a root.

    :param root: the sync's.
    :param run: only where this run has it; None for any run.
    :return: whether there was one to end.
    """
    with root.alone():
        held = read_lease(root)
        if held is None or (run is not None and held.run != run):
            return False
        root.remove(LEASE_NAME)
        return True


def shown(moment: float) -> str:
    """A moment for people.

    :param moment: seconds since the epoch.
    """
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="seconds")


def _held(root: SyncRoot, held: Lease) -> SalesforceError:
    return SalesforceError(
        f"{held.owner} has been writing to {root.path} since {shown(held.taken_at)}, and has it until "
        f"{shown(held.until)}. Nothing was extracted. Set max_active_runs=1 for the Dag, and give each sync a root of "
        f"its own. If that run was killed, end its lease: airflow-salesforce-jwt sync reset {root.path} --lease",
        retryable=True,
    )
