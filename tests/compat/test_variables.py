"""State in Airflow's Variables, for Airflow before 3.3: never less than what a state store promises."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time.comms import DeleteVariable, GetVariable, PutVariable

from airflow_provider_sfjwt import compat
from airflow_provider_sfjwt.compat import StateNotKeptError, VariableStore
from airflow_provider_sfjwt.compat.masking import mask
from airflow_provider_sfjwt.load.ledger import Ledger, LedgerJob
from tests.compat.supervisor import Supervisor, supervisor

__all__ = ["supervisor"]

VALUE = {"jobs": ["750x"], "text": 'é"\n', "none": None}


def store(*scope: str) -> VariableStore:
    return VariableStore(
        "task", scope or ("dag", "run", "task", "-1"), "task load of Dag daily, run manual__1", "Variables"
    )


def test_what_is_kept_is_found_by_every_later_attempt_until_it_is_forgotten(supervisor: Supervisor) -> None:
    store().set("key", VALUE)
    assert store().get("key") == VALUE
    assert list(supervisor.descriptions.values()) == [
        "key of task load of Dag daily, run manual__1; kept by airflow-provider-sfjwt"
    ]
    store().delete("key")
    assert store().get("key") is None
    assert supervisor.variables == {}


def test_no_two_tasks_share_a_value(supervisor: Supervisor) -> None:
    scopes = [("a", "b"), ("a.b",), ("a", "b", "1"), ("A", "b")]
    for number, scope in enumerate(scopes):
        store(*scope).set("key", number)
    assert [store(*scope).get("key") for scope in scopes] == [0, 1, 2, 3]


def test_names_fit_a_url_and_the_column_whatever_the_run_is_called(supervisor: Supervisor) -> None:
    run = "scheduled__2026-11-26T00:00:00+00:00/ü?#%20" * 9
    assert re.fullmatch(r"salesforce_jwt\.task\.[0-9a-f]{32}", store("secret_dag", run).name("token"))


@pytest.mark.parametrize(
    ("message", "act"),
    [
        (GetVariable, lambda: store().get("key")),
        (PutVariable, lambda: store().set("key", VALUE)),
        (DeleteVariable, lambda: store().delete("key")),
    ],
)
def test_what_fails_is_never_taken_for_done(supervisor: Supervisor, message: type, act: Any) -> None:
    supervisor.failing = (message,)
    with pytest.raises(StateNotKeptError, match=r"task load of Dag daily, run manual__1: .*500.* The task ends here"):
        act()


def test_a_write_that_is_confirmed_and_not_kept_is_found_out(supervisor: Supervisor) -> None:
    supervisor.losing = True
    with pytest.raises(StateNotKeptError, match="it reads differently after it was written|Airflow answered"):
        store().set("key", VALUE)


def test_not_found_is_believed_only_where_a_value_can_be_written_and_read(supervisor: Supervisor) -> None:
    store().set("key", VALUE)
    supervisor.blind = 1  # the API server's database did not answer for a moment
    assert store().get("key") == VALUE
    supervisor.blind = 10**6
    with pytest.raises(StateNotKeptError):
        store().get("key")
    supervisor.blind, supervisor.failing = 1, (PutVariable,)
    with pytest.raises(StateNotKeptError):
        store().get("key")


def test_runs_that_look_at_the_same_time_write_no_variable_of_the_same_name(supervisor: Supervisor) -> None:
    assert [store().get("key") for _ in range(2)] == [None, None]
    assert len(supervisor.descriptions) == 2
    assert supervisor.variables == {}


def test_a_variable_that_somebody_broke_is_named(supervisor: Supervisor) -> None:
    store().set("key", VALUE)
    [name] = supervisor.variables
    supervisor.variables[name] = "not JSON"
    with pytest.raises(StateNotKeptError, match=f"the Variable '{name}' is not JSON, so somebody has changed it"):
        store().get("key")


def test_threads_that_mask_and_keep_take_turns(supervisor: Supervisor) -> None:
    def work(number: int) -> Any:
        mask(f"secret number {number}")
        store().set(f"key {number}", number)
        return store().get(f"key {number}")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(40))) == list(range(40))


class Triggerer:
    """Sends as Airflow's triggerer does from its event loop: who waits for an answer lets the others run."""

    def send(self, msg: Any) -> None:
        import greenback

        return greenback.await_(asyncio.sleep(0.01))


@pytest.mark.timeout(30, method="thread")
async def test_triggers_that_mask_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    greenback = pytest.importorskip("greenback", reason="Airflow has it from 3.3 on")
    monkeypatch.setattr("airflow.sdk.execution_time.task_runner.SUPERVISOR_COMMS", Triggerer(), raising=False)

    async def trigger(number: int) -> int:
        await greenback.ensure_portal()
        mask(f"secret number {number}")
        return number

    assert await asyncio.gather(*map(trigger, range(3))) == [0, 1, 2]


# -- an upgrade to Airflow 3.3 -----------------------------------------------------------------------------------------


class Task:
    """What names a task instance in the context."""

    dag_id, run_id, task_id, map_index = "dag", "run", "task", -1


class OwnStore(dict[str, Any]):
    """A store of Airflow's own."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


def taken_along(own: OwnStore) -> Any:
    """The state of a task after an upgrade, as a new process sees it."""
    return compat.task_state_store({"ti": Task, "task_state_store": own})


def older() -> VariableStore:
    """The state of the same task before the upgrade."""
    return VariableStore("task", ("dag", "run", "task", "-1"), "task", "Variables")


def test_airflows_own_store_takes_over_what_was_in_variables_once(supervisor: Supervisor) -> None:
    older().set("job", VALUE)
    own = OwnStore()
    state = taken_along(own)
    assert state.get("job") == VALUE
    assert (own, supervisor.variables) == ({"job": VALUE}, {})
    state.delete("job")
    supervisor.failing = (GetVariable, DeleteVariable)  # it does not look a second time
    assert state.get("job") is None


def test_a_database_that_does_not_answer_is_not_taken_for_nothing_to_take_over(supervisor: Supervisor) -> None:
    older().set("job", VALUE)
    supervisor.blind = 1
    assert taken_along(OwnStore()).get("job") == VALUE
    older().set("job", VALUE)
    supervisor.blind = 10**6
    with pytest.raises(StateNotKeptError):
        taken_along(OwnStore()).get("job")


@pytest.mark.parametrize(
    "act", [lambda state: state.set("job", "new"), lambda state: state.delete("job"), lambda state: state.get("job")]
)
def test_what_was_replaced_or_deleted_does_not_come_back(supervisor: Supervisor, act: Any) -> None:
    older().set("job", VALUE)
    own = OwnStore()
    act(taken_along(own))
    assert supervisor.variables == {}
    own.clear()  # an attempt that ended well, or a user, has deleted it
    assert taken_along(own).get("job") is None


def test_a_value_that_was_half_taken_over_is_taken_over_by_the_next_attempt(supervisor: Supervisor) -> None:
    older().set("job", VALUE)
    own = OwnStore()
    supervisor.failing = (DeleteVariable,)
    with pytest.raises(StateNotKeptError):
        taken_along(own).get("job")
    supervisor.failing = ()
    assert taken_along(own).get("job") == VALUE
    assert supervisor.variables == {}


def test_what_airflow_3_3_has_counts_more_than_a_variable(supervisor: Supervisor) -> None:
    VariableStore("asset", ("salesforce://conn/account",), "", "").set("watermark", "old")
    own = OwnStore(watermark="new")
    state = compat.asset_state_store({"asset_state_store": {"asset": own}}, "asset", "salesforce://conn/account")  # type: ignore[arg-type]
    assert state is not None
    assert state.get("watermark") == "new"
    assert supervisor.variables == {}


@pytest.mark.parametrize(
    ("number", "own", "why"),
    [
        ("3.3.2", OwnStore(), "What an older Airflow kept may still be in Variables, and Airflow could not"),
        ("3.4.0", OwnStore(), "A Clear discards what a task remembers, so that a copy is in Variables, and Airflow"),
    ],
)
def test_an_error_says_what_this_airflow_needs_variables_for(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, number: str, own: OwnStore, why: str
) -> None:
    release(monkeypatch, number)
    monkeypatch.setattr(compat, "has_state_stores", lambda: True)
    supervisor.failing = (GetVariable,)
    state = compat.task_state_store({"ti": Task, "task_state_store": own}, outlives_clear=True)
    assert state is not None
    with pytest.raises(StateNotKeptError, match=why):
        state.get("job")


def test_an_error_names_the_instance_of_a_mapped_task(supervisor: Supervisor) -> None:
    supervisor.failing = (GetVariable,)
    mapped = SimpleNamespace(dag_id="dag", run_id="run", task_id="task", map_index=3)
    state = compat.task_state_store({"ti": mapped, "task_state_store": OwnStore()})
    assert state is not None
    with pytest.raises(StateNotKeptError, match=r"one of task task\[3\] of Dag dag, run run: "):
        state.get("job")


def release(monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    monkeypatch.setattr(compat, "version", lambda name: {"apache-airflow-core": number}[name])


@pytest.fixture
def clears(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Airflow that discards what a task remembers when it is cleared."""
    release(monkeypatch, "3.4.0b2")


@pytest.mark.usefixtures("clears")
def test_what_must_outlive_a_clear_is_found_again_until_the_load_is_done(supervisor: Supervisor) -> None:
    own = OwnStore()
    context = {"ti": Task, "task_state_store": own}
    store = compat.task_state_store(context, outlives_clear=True)
    attempt = compat.TaskAttempt(1, 0)
    ledger = Ledger(store, attempt=attempt)
    ledger.begin(0, "sha256")
    ledger.created(0, LedgerJob("750000000000001AAA", "66.0", 10))

    own.clear()
    cleared = Ledger(compat.task_state_store(context, outlives_clear=True), attempt=compat.TaskAttempt(2, 2))
    found = cleared.entry(0)
    assert found is not None and [job.id for job in found.jobs] == ["750000000000001AAA"]
    cleared.forget({})
    assert supervisor.variables == {}

    own.clear()
    anew = Ledger(compat.task_state_store(context, outlives_clear=True), attempt=compat.TaskAttempt(3, 4))
    assert anew.numbers == []


@pytest.mark.usefixtures("clears")
def test_a_retry_of_a_load_that_was_done_still_knows_it(supervisor: Supervisor) -> None:
    context = {"ti": Task, "task_state_store": OwnStore()}
    ledger = Ledger(compat.task_state_store(context, outlives_clear=True), attempt=compat.TaskAttempt(1, 1))
    ledger.begin(0, "sha256")
    ledger.forget({})
    retried = Ledger(compat.task_state_store(context, outlives_clear=True), attempt=compat.TaskAttempt(2, 1))
    assert retried.numbers == [0]
    retried.forget({})
    assert supervisor.variables == {}


@pytest.mark.usefixtures("clears")
@pytest.mark.parametrize("deleted", range(5))
def test_copies_that_are_half_deleted_do_not_pass_for_a_load_that_goes_on(supervisor: Supervisor, deleted: int) -> None:
    own = OwnStore()
    context = {"ti": Task, "task_state_store": own}
    ledger = Ledger(compat.task_state_store(context, outlives_clear=True), attempt=compat.TaskAttempt(1, 0))
    for number in range(3):
        ledger.begin(number, "sha256")
    supervisor.failing, supervisor.fail_after = (DeleteVariable,), deleted
    with pytest.raises(StateNotKeptError):
        ledger.forget({})
    supervisor.failing = ()
    own.clear()
    cleared = Ledger(compat.task_state_store(context, outlives_clear=True), attempt=compat.TaskAttempt(2, 1))
    assert cleared.numbers == []


def test_a_load_that_failed_before_the_upgrade_to_3_4_outlives_a_clear_after_it(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = OwnStore()
    context = {"ti": Task, "task_state_store": own}
    release(monkeypatch, "3.3.2")
    Ledger(compat.task_state_store(context, outlives_clear=True), attempt=compat.TaskAttempt(1, 0)).begin(0, "sha256")
    release(monkeypatch, "3.4.0")
    Ledger(compat.task_state_store(context, outlives_clear=True), attempt=compat.TaskAttempt(2, 1))
    own.clear()
    assert Ledger(compat.task_state_store(context, outlives_clear=True), attempt=compat.TaskAttempt(3, 2)).numbers == [
        0
    ]


@pytest.mark.usefixtures("clears")
@pytest.mark.parametrize("message", [GetVariable, PutVariable])
def test_a_load_sends_nothing_where_its_copies_cannot_be_kept(supervisor: Supervisor, message: type) -> None:
    supervisor.failing = (message,)
    store = compat.task_state_store({"ti": Task, "task_state_store": OwnStore()}, outlives_clear=True)
    with pytest.raises(compat.StateNotKeptError):
        Ledger(store, attempt=compat.TaskAttempt(1, 1))


@pytest.mark.usefixtures("clears")
def test_a_value_that_is_deleted_has_no_copy(supervisor: Supervisor) -> None:
    own = OwnStore()
    store = compat.task_state_store({"ti": Task, "task_state_store": own}, outlives_clear=True)
    assert isinstance(store, compat.CopiedStore)
    store.set("job", VALUE)
    assert (own, len(supervisor.variables)) == ({"job": VALUE}, 1)
    store.delete("job")
    assert (own, supervisor.variables) == ({}, {})


def test_no_copies_are_kept_where_a_clear_discards_nothing(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(monkeypatch, "3.3.2")
    store = compat.task_state_store({"ti": Task, "task_state_store": OwnStore()}, outlives_clear=True)
    assert not isinstance(store, compat.CopiedStore)


def test_outside_a_run_nothing_is_kept() -> None:
    assert compat.task_state_store({}) is None
    assert compat.task_state_store({"ti": Task}) is None


def test_before_3_3_variables_are_the_store(supervisor: Supervisor) -> None:
    state = compat.task_state_store({"ti": Task})
    if compat.has_state_stores():  # where a run without a store is a unit test's
        assert state is None
    else:
        assert isinstance(state, VariableStore)
