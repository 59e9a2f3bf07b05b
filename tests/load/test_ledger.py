"""Who owns a ledger: the attempt that began last."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sfjwt.compat import TaskAttempt
from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.load.ledger import Ledger, LedgerJob
from tests.operators.airflow_run import StateStore

JOB = LedgerJob("7505e0000000001AAA", "67.0", 8)
FIRST, RETRY, CLEARED = TaskAttempt(1, 2), TaskAttempt(2, 2), TaskAttempt(2, 3)


class StoreOfATaskInstance(StateStore):
    """Airflow 3.3's store: a task instance is known by an id, which each attempt replaces.

    https://github.com/apache/airflow/blob/main/airflow-core/src/airflow/api_fastapi/execution_api/routes/task_state_store.py
    """

    def __init__(self) -> None:
        super().__init__()
        self.there = True

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, default) if self.there else default  # 404 is taken for a key that is not there

    def set(self, key: str, value: Any) -> None:
        if not self.there:
            raise RuntimeError("404: Task instance not found")
        super().set(key, value)


def begun(store: StateStore, attempt: TaskAttempt | None = FIRST) -> Ledger:
    ledger = Ledger(store, attempt=attempt)
    ledger.begin(0, "content")
    return ledger


@pytest.mark.parametrize(
    "step",
    [
        lambda ledger: ledger.created(0, JOB),
        lambda ledger: ledger.begin(1, "more"),
        lambda ledger: ledger.forget_part(0),
        lambda ledger: ledger.forget(),
        lambda ledger: ledger.check_owner(),
    ],
)
def test_an_old_attempt_goes_no_further(step: Any) -> None:
    store = StateStore()
    old = begun(store)
    new = Ledger(store, attempt=RETRY)
    before = dict(store.values)
    with pytest.raises(SalesforceError, match="another attempt of this task has begun") as caught:
        step(old)
    assert caught.value.retryable
    assert store.values == before
    new.created(0, JOB)


def test_an_old_attempt_that_begins_late_is_refused_even_when_all_is_done() -> None:
    store = StateStore()
    begun(store, RETRY).forget()
    with pytest.raises(SalesforceError, match="another attempt"):
        Ledger(store, attempt=FIRST)


def test_airflow_itself_refuses_an_old_attempt() -> None:
    store = StoreOfATaskInstance()
    old = begun(store)
    store.there = False
    with pytest.raises(SalesforceError, match="another attempt"):
        old.created(0, JOB)  # before anything is sent to the job
    with pytest.raises(RuntimeError, match="404"):
        Ledger(store, attempt=FIRST)


def test_a_retry_of_what_was_done_finds_it_and_a_cleared_task_begins_anew() -> None:
    store = StateStore()
    ledger = begun(store)
    ledger.created(0, JOB)
    ledger.forget()
    entry = Ledger(store, attempt=RETRY).entry(0)
    assert entry is not None and entry.jobs == (JOB,)
    Ledger(store, attempt=RETRY).forget()
    assert Ledger(store, attempt=CLEARED).numbers == []


def test_where_attempts_are_not_counted_nothing_stays() -> None:
    store = StateStore()
    begun(store, None).forget()
    assert store.values == {}
    Ledger(store, sends=False).check_owner()
    assert store.values == {}
