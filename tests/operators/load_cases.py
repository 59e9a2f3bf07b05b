"""Faults of a load, and how the attempts that they strike must end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import UPLOAD, KilledError, MortalStore, counted, in_org, items, kill_after

ROWS = 24
Trouble = Callable[[SimulatedOrg, MortalStore], Any]


def having(method: str, path: str, nth: int = 1, times: int | None = 1, **what: Any) -> Trouble:
    """A fault of the org's requests."""
    return lambda org, store: org.add_fault(Fault(method, path, nth, times, **what))


def refused(status: int, code: str) -> dict[str, Any]:
    return {"status": status, "body": f'[{{"errorCode":"{code}","message":"as said"}}]'}


def cut(body: bytes) -> bytes:
    return body[: body.rindex(b"\n", 0, -1) + 1]


def dying(write: int, *, keeps_last: bool = False) -> Trouble:
    return lambda org, store: store.die_at(write, keeps_last=keeps_last)


def killed(request: int) -> Trouble:
    return lambda org, store: kill_after(org, store, request)


def killed_at(method: str, path: str, nth: int = 1) -> Trouble:
    """The worker dies after one request of a kind, which is processed."""

    def bring_about(org: SimulatedOrg, store: MortalStore) -> None:
        def die(answer: Any) -> Any:
            org.add_fault(Fault(times=None, reset=True))
            store.dead = lambda: True
            return answer

        edit: dict[str, Any] = {"edit_json": die} if path != UPLOAD else {"edit_body": die}
        org.add_fault(Fault(method, path, nth, **edit))
        org.add_fault(Fault(method, path, nth, lose_answer=True))

    return bring_about


def ending(state: str, batches: int, *, batch_rows: int = 2) -> Trouble:
    def bring_about(org: SimulatedOrg, store: MortalStore) -> None:
        org.bulk_batch_rows = batch_rows
        if state == "Failed":
            org.fail_next_job("InvalidBatch : as said", kind="ingest", after_batches=batches)
        else:
            org.abort_next_job(kind="ingest", after_batches=batches)

    return bring_about


def daily_limit(beyond: str) -> Trouble:
    def bring_about(org: SimulatedOrg, store: MortalStore) -> None:
        org.bulk_batch_rows, org.daily_bulk_batches, org.beyond_allocation = 2, 5, beyond

    return bring_about


def all_is_well(org: SimulatedOrg, store: MortalStore) -> None:
    org.clear_faults()
    org.daily_bulk_batches = 15_000
    org.bulk_polls = 0
    store.dead = lambda: False
    store.die_at(None)


def locked(numbers: list[int], times: int | None) -> Trouble:
    return lambda org, store: org.lock_records("Item__c", {"Number__c": numbers}, times=times)


def rule(*numbers: int) -> Trouble:
    broken = set(numbers)
    return lambda org, store: org.add_validation_rule(
        "Item__c", lambda record: record["Number__c"] in broken, "not this one"
    )


def slow(org: SimulatedOrg, store: MortalStore) -> None:
    org.bulk_polls = 100


def nothing(org: SimulatedOrg, store: MortalStore) -> None:
    pass


NOTHING: Trouble = nothing


@dataclass(frozen=True)
class Attempt:
    """An attempt of the task and its end.

    :param trouble: what goes wrong.
    :param error: the type of its error; None where it is green.
    :param says: part of the error's message.
    :param retryable: whether Airflow retries.
    :param rows: in the org afterwards; None where it depends on the moment.
    """

    trouble: Trouble = NOTHING
    error: type[BaseException] | tuple[type[BaseException], ...] | None = None
    says: str = ""
    retryable: bool = False
    rows: int | None = ROWS

    def run(self, org: SimulatedOrg, store: MortalStore, operator: Any) -> str:
        """Let it happen and see that it ends as it should; return how it ended."""
        self.trouble(org, store)
        outcome = "green"
        if self.error is None:
            run_to_end(operator, {"task_state_store": store})
        else:
            outcome = self._fails(store, operator, self.error)
        org.clear_faults()
        assert not in_org(org) - counted(items(ROWS))
        assert self.rows in (None, in_org(org).total())
        return outcome

    def _fails(self, store: MortalStore, operator: Any, error: Any) -> str:
        expected = (error if isinstance(error, tuple) else (error,)) if self.retryable else (AirflowFailException,)
        with pytest.raises(expected) as caught:
            run_to_end(operator, {"task_state_store": store})
        cause: Any = caught.value if self.retryable else caught.value.__context__
        if isinstance(cause, KilledError):
            return "killed"
        assert isinstance(cause, error)
        assert cause.retryable is self.retryable
        assert self.says in str(cause)
        return type(cause).__name__


@dataclass(frozen=True)
class Case:
    """A fault in the first attempt, and what a retry does where that one was red.

    :param name: in the table.
    :param first: the first attempt.
    :param retry: the second attempt.
    :param jobs: that were created in all; None where it depends on the moment.
    :param task: arguments of the task.
    """

    name: str
    first: Attempt
    retry: Attempt = Attempt()
    jobs: int | None = None
    task: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int | None:
        """Rows in the org at last; None where it depends on the moment."""
        return self.first.rows if self.first.error is None else self.retry.rows
