"""Whatever goes wrong, and in whatever order: no row is loaded twice, and a green load has loaded every row.

Faults, and the moments at which workers die, are drawn at random.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.exceptions import RecordsFailedError, SalesforceError
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.load_task import (
    COLLECTIONS,
    CREATE,
    JOB,
    RESULTS,
    UPLOAD,
    KilledError,
    MortalStore,
    counted,
    define_items,
    in_org,
    items,
    kill_after,
    report_in,
    results_in,
    task,
)
from tests.random_tests import examples

TRIES = 4


def _refused(status: int, code: str) -> dict[str, Any]:
    return {"status": status, "body": f'[{{"errorCode":"{code}","message":"as said"}}]'}


def _having(key: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Changes answers that have a key; a refusal stays as it is."""

    def edit(answer: Any) -> Any:
        return {**answer, **change(answer)} if isinstance(answer, dict) and key in answer else answer

    return {"edit_json": edit}


def _without_last_row(body: bytes) -> bytes:
    return body[: body.rindex(b"\n", 0, -1) + 1] if body.count(b"\n") > 1 else body


def _twice(body: bytes) -> bytes:
    return body + body[body.index(b"\n") + 1 :] if b"\n" in body else body


#: What can go wrong with any request, by name.
NETWORK: dict[str, dict[str, Any]] = {
    "503": {"status": 503},
    "500": {"status": 500},
    "429, Retry-After: 0": {"status": 429, "headers": {"Retry-After": "0"}},
    "answer cut": {"cut_at": 0.5},
    "connection reset": {"reset": True},
    "answer lost": {"lose_answer": True},
    "session expired": {"expire_session": True},
    "400 not retryable": _refused(400, "API_ERROR"),
    "API calls used up": _refused(403, "REQUEST_LIMIT_EXCEEDED"),
    "a page of HTML": {"status": 200, "body": "<html>Sign in</html>", "headers": {"Content-Type": "text/html"}},
}
#: And with one kind of request.
BY_REQUEST: dict[tuple[str, str], dict[str, dict[str, Any]]] = {
    ("POST", CREATE): {},
    ("PUT", UPLOAD): {},
    ("PATCH", JOB): {},
    ("GET", JOB): {
        "still InProgress": _having("state", lambda _: {"state": "InProgress"}),
        "unknown state": _having("state", lambda _: {"state": "Sleeping"}),
        "counts one row more": _having(
            "numberRecordsProcessed", lambda job: {"numberRecordsProcessed": job["numberRecordsProcessed"] + 1}
        ),
        "gone": _refused(404, "NOT_FOUND"),
    },
    ("GET", RESULTS): {
        "row lost": {"edit_body": _without_last_row},
        "cut in a value": {"edit_body": lambda body: body[: len(body) // 2]},
        "rows twice": {"edit_body": _twice},
        "nothing at all": {"edit_body": lambda body: b""},
        "gone": _refused(404, "NOT_FOUND"),
    },
    ("*", COLLECTIONS): {},
    ("GET", "*/describe"): {},
    ("*", "*"): {},
}
EVERY = [(request, name) for request, own in BY_REQUEST.items() for name in (*own, *NETWORK)]


@dataclass
class Drawn:
    """A fault that was drawn, as it is shown when a run of it fails."""

    request: tuple[str, str]
    name: str
    nth: int
    times: int | None

    def made(self) -> Fault:
        what = {**NETWORK, **BY_REQUEST[self.request]}[self.name]
        method, path = self.request
        return Fault(method=method, path=path, nth=self.nth, times=self.times, **what)


faults = st.builds(
    lambda which, nth, times: Drawn(*which, nth, times),
    st.sampled_from(EVERY),
    st.integers(1, 5),
    st.sampled_from([1, 1, 1, 2, 5, None]),
)


@dataclass
class Try:
    """What is drawn for one try.

    :param killed: the request after which the worker is dead, or None.
    :param killed_at_write: into the state store, at which the worker dies, or None; and whether that value is kept.
    :param ends: how the next jobs end instead of well: after so many batches, aborted or failed.
    :param locked: how many attempts at rows of a number fail, or 0.
    """

    faults: list[Drawn]
    deferrable: bool
    killed: int | None
    killed_at_write: tuple[int, bool] | None
    ends: list[tuple[str, int]]
    locked: int


tries = st.builds(
    Try,
    st.lists(faults, max_size=3),
    st.booleans(),
    st.one_of(st.none(), st.none(), st.integers(1, 40)),
    st.one_of(st.none(), st.none(), st.tuples(st.integers(1, 16), st.booleans())),
    st.one_of(st.just([]), st.lists(st.tuples(st.sampled_from(["Failed", "Aborted"]), st.integers(0, 2)), max_size=2)),
    st.sampled_from([0, 0, 0, 1, 2]),
)
#: Nothing goes wrong.
CALM = Try([], False, None, None, [], 0)


@dataclass
class Plan:
    """What is drawn for one example."""

    operation: str
    transport: str
    rows: int
    copies: int
    refused: bool
    results: bool
    parallel_jobs: int
    polls: int
    tries: list[Try]

    @property
    def ends_well(self) -> bool:
        """Whether a calm try after the others must be green.

        Not where a rule refuses a row, where rows are locked for longer than a try is patient, or where an insert over
        REST broke off, of which nobody can tell what was saved.
        """
        locked = sum(each.locked for each in self.tries)
        return not self.refused and locked <= 2 and (self.operation, self.transport) != ("insert", "rest")


plans = st.builds(
    Plan,
    st.sampled_from(["insert", "insert", "upsert"]),
    st.sampled_from(["bulk", "bulk", "bulk", "bulk", "auto", "rest"]),
    st.integers(1, 16),
    st.integers(1, 3),
    st.sampled_from([False, False, False, True]),
    st.booleans(),
    st.integers(1, 4),
    st.integers(0, 2),
    st.lists(tries, min_size=TRIES - 1, max_size=TRIES - 1),
)


@dataclass
class World:
    """What all examples share.

    :param org: the one running org.
    :param folder: for results.
    :param seen: how many examples and tries there were, and how they ended.
    """

    org: SimulatedOrg
    folder: Path
    seen: Counter[str] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def world(private_key: str, said: list[str]) -> Iterator[World]:
    """An org in whose jobs four rows are a batch, and what became of the examples, told at the end."""
    with (
        tempfile.TemporaryDirectory() as folder,
        SimulatedOrg(records={}, private_key=private_key) as org,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", org.connection_json())
        environment.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
        environment.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
        org.bulk_batch_rows = 4
        shared = World(org, Path(folder))
        yield shared
        seen = shared.seen
        said.append(
            f"Random faults of loads: {seen['examples']} examples of {seen['faults']} faults and {seen['kills']} "
            f"kills, {seen['tries']} tries: {seen['green']} green with every row once ({seen['green at last']} "
            f"of them after a red try), {seen['killed']} killed, {seen['red']} red, {seen['counted']} of them with "
            "the exact count of lost rows; none doubled, none lost"
        )


@settings(
    max_examples=examples(30),
    phases=(Phase.explicit, Phase.generate),  # what failed is shown as it was drawn: to shrink it takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(plan=plans)
def test_no_row_is_loaded_twice_and_a_green_load_has_all(world: World, plan: Plan) -> None:
    world.seen["examples"] += 1
    sobject = define_items(world.org, f"Item{world.seen['examples']}__c")
    if plan.refused:
        world.org.add_validation_rule(sobject, lambda record: record["Number__c"] == 1, "not this one")
    world.org.bulk_polls = plan.polls
    store = MortalStore()
    try:
        for number, each in enumerate(plan.tries, 1):
            if _try(world, plan, sobject, store, number, each):
                return
        calm = _try(world, plan, sobject, store, TRIES, CALM)
        assert calm or not plan.ends_well
    finally:
        world.org.clear_faults()


def _try(world: World, plan: Plan, sobject: str, store: MortalStore, number: int, drawn: Try) -> bool:
    """Run one try and look at the org; return whether it was green."""
    org, seen = world.org, world.seen
    copies = 1 if plan.operation == "upsert" else plan.copies
    rows = items(plan.rows, copies=copies)
    folder = world.folder / sobject
    operator = task(
        sobject,
        rows,
        operation=plan.operation,
        external_id_field="Key__c" if plan.operation == "upsert" else None,
        transport=plan.transport,
        deferrable=drawn.deferrable,
        parallel_jobs=plan.parallel_jobs,
        results_path=f"file://{folder}" if plan.results else None,
        timeout=60 if drawn is CALM else 0.1,
    )
    _bring_about(world, sobject, store, drawn)
    error: BaseException | None = None
    try:
        result = run_to_end(operator, {"task_state_store": store})
    except (SalesforceError, AirflowFailException, KilledError) as caught:
        error = caught
    org.clear_faults()
    note(f"try {number}: {type(error).__name__}: {error}")
    loaded, wanted = in_org(org, sobject), counted(rows)
    assert not loaded - wanted, f"doubled: {loaded - wanted}"
    seen["tries"] += 1
    if error is None:
        seen["green"] += 1
        seen["green at last"] += number > 1
        assert loaded == wanted
        assert (result["records"], result["counts"]["read"]) == (len(rows), len(rows))
        assert store.values == {}
        if plan.results:
            _check_results(org, sobject, folder, len(rows))
        return True
    seen["killed" if isinstance(error, KilledError) else "red"] += 1
    cause = error.__context__ if isinstance(error, AirflowFailException) else error
    if isinstance(cause, RecordsFailedError) and "were not loaded into" in str(cause):
        seen["counted"] += 1
        lost = (wanted - loaded).total()
        # An upsert's rows may be there from a try that nobody knows the end of.
        assert cause.failed == lost or (plan.operation == "upsert" and cause.failed > lost)
        assert cause.processed == len(rows)
        if plan.results:
            counts = report_in(folder)["counts"]
            assert counts["failed"] + counts["unprocessed"] == cause.failed == len(rows) - counts["succeeded"]
    return False


def _bring_about(world: World, sobject: str, store: MortalStore, drawn: Try) -> None:
    """Let things go wrong in the try that comes."""
    org = world.org
    org.clear_job_endings()  # those that earlier attempts have left
    for each in drawn.faults:
        org.add_fault(each.made())
    for state, batches in drawn.ends:
        if state == "Failed":
            org.fail_next_job("InvalidBatch : as said", kind="ingest", after_batches=batches)
        else:
            org.abort_next_job(kind="ingest", after_batches=batches)
    if drawn.locked:
        org.lock_records(sobject, {"Number__c": [0, 2, 5]}, times=drawn.locked)
    store.dead = lambda: False
    store.die_at(None)
    if drawn.killed is not None:
        kill_after(org, store, drawn.killed)
    elif drawn.killed_at_write is not None:
        write, keeps_last = drawn.killed_at_write
        store.die_at(write, keeps_last=keeps_last)
    world.seen["faults"] += len(drawn.faults) + len(drawn.ends) + bool(drawn.locked)
    world.seen["kills"] += drawn.killed is not None or drawn.killed_at_write is not None


def _check_results(org: SimulatedOrg, sobject: str, folder: Path, rows: int) -> None:
    """See that every row is in the results, once, with the record that it became."""
    told = results_in(folder, "succeeded")
    assert sorted(int(row["position"]) for row in told) == list(range(1, rows + 1))
    records = {row["Id"]: row for row in org.rows(sobject)}
    assert sorted(row["sf__Id"] for row in told) == sorted(records)
    assert all(records[row["sf__Id"]]["Text__c"] == row["Text__c"] for row in told)
