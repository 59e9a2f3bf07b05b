"""Who owns a ledger: the attempt that began last."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sfjwt.compat import TaskAttempt
from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.load.ledger import Ledger, LedgerJob
from tests.operators.airflow_run import StateStore

JOB = LedgerJob("7505e0000000001AAA", "67.0", 8)
OUTCOME = {"records": 8}
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


def attempt(moment: int, try_number: int, max_tries: int = 1) -> TaskAttempt:
    """An attempt with an id as Airflow makes them, which begins with the time in milliseconds.

    https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7
    """
    return TaskAttempt(try_number, max_tries, f"{moment:08x}-0000-7000-8000-000000000000")


@pytest.mark.parametrize(
    "step",
    [
        lambda ledger: ledger.created(0, JOB),
        lambda ledger: ledger.begin(1, "more"),
        lambda ledger: ledger.forget_part(0),
        lambda ledger: ledger.forget(OUTCOME),
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


@pytest.mark.parametrize("later", [RETRY, CLEARED])
def test_an_old_attempt_that_begins_late_is_refused_even_when_all_is_done(later: TaskAttempt) -> None:
    store = StateStore()
    begun(store, later).forget(OUTCOME)
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
    ledger.forget(OUTCOME)
    entry = Ledger(store, attempt=RETRY).entry(0)
    assert entry is not None and entry.jobs == (JOB,)
    Ledger(store, attempt=RETRY).forget(OUTCOME)
    assert Ledger(store, attempt=CLEARED).numbers == []


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("last", [attempt(1, 1), attempt(2, 2)], ids=["first", "retried"])
def test_a_run_that_was_deleted_and_made_again_sends_everything(last: TaskAttempt, done: bool) -> None:
    store = StateStore()
    ledger = begun(store, last)
    if done:
        ledger.forget(OUTCOME)
    anew = Ledger(store, attempt=attempt(3, 1))
    assert (anew.numbers, anew.outcome) == ([], None)
    anew.begin(0, "content")
    assert Ledger(store, attempt=attempt(4, 2)).numbers == [0]


def test_an_attempt_of_the_deleted_run_is_refused() -> None:
    store = StateStore()
    begun(store, attempt(3, 1))
    with pytest.raises(SalesforceError, match="another attempt"):
        Ledger(store, attempt=attempt(2, 2))


def test_a_dry_run_of_the_new_run_knows_nothing_of_the_deleted_one() -> None:
    store = StateStore()
    begun(store, attempt(1, 1))
    before = dict(store.values)
    assert Ledger(store, sends=False, attempt=attempt(2, 1)).numbers == []
    assert Ledger(store, sends=False, attempt=attempt(2, 2)).numbers == [0]
    assert store.values == before


class DyingStore(StateStore):
    """A store whose process dies before a deletion, the one of that place in the order."""

    dies_at = -1

    def delete(self, key: str) -> None:
        if self.dies_at == 0:
            raise RuntimeError("killed")
        self.dies_at -= 1
        super().delete(key)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("following", [attempt(3, 1), attempt(3, 2, 2)], ids=["run made again", "cleared"])
def test_what_is_half_deleted_is_deleted_by_the_next_attempt(following: TaskAttempt, place: int) -> None:
    store = DyingStore()
    done = Ledger(store, attempt=attempt(1, 1))
    for number in range(3):
        done.begin(number, "content")
    done.forget(OUTCOME)
    store.dies_at = place
    with pytest.raises(RuntimeError, match="killed"):
        Ledger(store, attempt=following)
    store.dies_at = -1
    retry = attempt(4, following.try_number + 1, following.max_tries)
    assert Ledger(store, attempt=retry).numbers == []
    assert sum("part" in key for key in store.values) == 0


def test_an_overtaken_attempt_does_not_take_the_ledger_back() -> None:
    store = StateStore()
    begun(store).forget(OUTCOME)
    overtaken, newest = Ledger(store, attempt=RETRY), Ledger(store, attempt=TaskAttempt(3, 2))
    with pytest.raises(SalesforceError, match="another attempt"):
        overtaken.begin(1, "more")
    newest.begin(1, "more")


@pytest.mark.parametrize("known", ["", "not a UUID", "00000001-0000-4000-8000-000000000000"])
def test_without_the_time_of_an_attempt_nothing_is_forgotten(known: str) -> None:
    store = StateStore()
    begun(store, TaskAttempt(1, 1, known))
    assert Ledger(store, attempt=attempt(3, 1)).numbers == [0]


def test_the_rest_of_an_attempt_after_a_deferral_goes_on() -> None:
    store = StateStore()
    begun(store, attempt(1, 1))
    assert Ledger(store, attempt=attempt(1, 1)).numbers == [0]


def test_what_a_load_came_to_is_known_until_there_is_more_to_do() -> None:
    store = StateStore()
    begun(store).forget(OUTCOME)
    assert Ledger(store, attempt=RETRY).outcome == OUTCOME
    retried = Ledger(store, attempt=RETRY)
    assert retried.outcome == OUTCOME
    retried.begin(1, "more")
    assert retried.outcome is None
    assert Ledger(store, attempt=CLEARED).numbers == [0, 1]


def test_where_attempts_are_not_counted_nothing_stays() -> None:
    store = StateStore()
    begun(store, None).forget(OUTCOME)
    assert store.values == {}
    Ledger(store, sends=False).check_owner()
    assert store.values == {}
