"""Every fault of a load, how its try ends, and what a retry then does: no row twice, none lost, or red and said so.

A test run prints it as a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import (
    ApiError,
    BulkJobError,
    BulkJobTimeoutError,
    ProtocolError,
    RecordsFailedError,
    RequestLimitError,
    SalesforceError,
    TransportError,
)
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
    in_org,
    items,
    kill_after,
    report_in,
    task,
)

ROWS, PART = 24, 6
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


@dataclass(frozen=True)
class Case:
    """A fault and its end.

    :param name: in the table.
    :param trouble: what goes wrong in the first try.
    :param error: the type of the first try's error; None where it is green.
    :param says: part of the error's message.
    :param retryable: whether Airflow retries.
    :param rows: in the org after the first try; None where it depends on the moment.
    :param later: what goes wrong in the retry.
    :param retry: the type of the retry's error; None where it loads what is missing.
    :param again: part of that error's message.
    :param last: rows in the org at last; None where it depends on the moment.
    :param jobs: that were created in all; None where it depends on the moment.
    :param task: arguments of the task.
    :param ways: who waits.
    """

    name: str
    trouble: Trouble
    error: type[BaseException] | tuple[type[BaseException], ...] | None = None
    says: str = ""
    retryable: bool = False
    rows: int | None = ROWS
    later: Trouble | None = None
    retry: type[BaseException] | None = None
    again: str = ""
    last: int | None = ROWS
    jobs: int | None = None
    task: dict[str, Any] = field(default_factory=dict)
    ways: tuple[str, ...] = ("worker", "triggerer")


UPSERT = {"operation": "upsert", "external_id_field": "Key__c"}
DEAD = partial(Case, error=KilledError, retryable=True, rows=None)
AGAIN = partial(Case, retryable=True, rows=None)
LOST = partial(Case, error=RecordsFailedError)

CASES = [
    Case("nothing", lambda org, store: None, jobs=4),
    Case("answer of the create lost", having("POST", CREATE, lose_answer=True), jobs=5),
    AGAIN("answer of every create lost", having("POST", CREATE, times=None, lose_answer=True), TransportError, rows=0),
    Case("answer of the PUT lost", having("PUT", UPLOAD, lose_answer=True), jobs=5),
    Case("answer of the PUT cut", having("PUT", UPLOAD, cut_at=0.5), jobs=4),
    Case("connection reset in the PUT", having("PUT", UPLOAD, reset=True), jobs=5),
    AGAIN("answer of every PUT lost", having("PUT", UPLOAD, times=None, lose_answer=True), TransportError, rows=0),
    Case("503 instead of the PUT", having("PUT", UPLOAD, status=503)),
    Case("answer of the PATCH lost", having("PATCH", JOB, lose_answer=True), jobs=4),
    Case("answers of all PATCHes lost", having("PATCH", JOB, times=None, lose_answer=True), jobs=4),
    Case("503 instead of the PATCH", having("PATCH", JOB, status=503), jobs=4),
    AGAIN("503 instead of every PATCH", having("PATCH", JOB, times=None, status=503), SalesforceError, "503", rows=0, jobs=4),
    Case("503 in polling", having("GET", JOB, times=4, status=503), jobs=4),
    AGAIN("503 in polling that stays", having("GET", JOB, times=None, status=503), SalesforceError, "503", jobs=4),
    Case("session expired between parts", having("POST", CREATE, nth=3, expire_session=True)),
    Case("session expired in the PUT", having("PUT", UPLOAD, nth=2, expire_session=True)),
    Case("session expired while waiting", having("GET", JOB, nth=2, expire_session=True), jobs=4),
    AGAIN("API calls of the day used up", having("PUT", UPLOAD, nth=2, times=None, **refused(403, "REQUEST_LIMIT_EXCEEDED")), RequestLimitError, rows=0),
    DEAD("worker killed before its first write", dying(1), rows=0, jobs=4),
    DEAD("worker killed between two parts", dying(6), rows=0),
    DEAD("worker killed between two parts, value kept", dying(6, keeps_last=True), rows=0),
    *(DEAD(f"worker killed at write {write}", dying(write), rows=0) for write in (2, 3, 4, 9, 13)),
    AGAIN("worker killed in the middle of a create", killed_at("POST", CREATE, 2), (KilledError, TransportError), rows=0),
    AGAIN("worker killed in the middle of a PUT", killed_at("PUT", UPLOAD, 2), (KilledError, TransportError), rows=0),
    AGAIN("worker killed in the middle of a PATCH", killed_at("PATCH", JOB, 2), SalesforceError, rows=12, jobs=4),
    AGAIN("worker killed while it waits", killed_at("GET", JOB, 2), SalesforceError, jobs=4),
    LOST("daily limit reached, rows lost", daily_limit("lost"), says="ExceededQuota", retryable=True, rows=10),
    LOST("daily limit reached, rows unprocessed", daily_limit("unprocessed"), says="ExceededQuota", retryable=True, rows=10),
    LOST("job Failed in the middle", ending("Failed", 2), says="2 of 24 rows", retryable=True, rows=22, jobs=5),
    LOST("job Failed before it began", ending("Failed", 0), says="InvalidBatch", retryable=True, rows=18, jobs=5),
    LOST("job Aborted in the middle", ending("Aborted", 1), says="4 of 24 rows", retryable=True, rows=20, jobs=5),
    Case("rows locked once", locked([1, 7, 8], 1), jobs=6),
    Case("rows locked twice", locked([1, 7, 8], 2), jobs=8),
    LOST("rows locked always", locked([1, 7, 8], None), says="UNABLE_TO_LOCK_ROW (3 rows", retryable=True, rows=21, retry=RecordsFailedError, again="3 of 24", last=21, jobs=14),
    LOST("rows locked for longer than a try is patient", locked([1, 7, 8], 4), says="UNABLE_TO_LOCK_ROW (3 rows", retryable=True, rows=21, jobs=12),
    LOST("rows refused by a rule", rule(2, 9), says="FIELD_CUSTOM_VALIDATION_EXCEPTION (2 rows", rows=22, retry=RecordsFailedError, again="2 of 24", last=22, jobs=6),
    Case("rows refused, as many as allowed", rule(2, 9), rows=22, last=22, jobs=4, task={"max_failed_records": 2}),
    LOST("rows refused, more than allowed", rule(2, 9), says="2 of 24", rows=22, retry=RecordsFailedError, last=22, task={"max_failed_records": 1}),
    Case("rows refused, within the ratio", rule(2, 9), rows=22, last=22, jobs=4, task={"max_failed_ratio": 0.1}),
    LOST("rows refused, above the ratio", rule(2, 9), says="2 of 24", rows=22, retry=RecordsFailedError, last=22, task={"max_failed_ratio": 0.08}),
    Case("results cut, once", having("GET", RESULTS, cut_at=0.5), jobs=4),
    AGAIN("results cut, always", having("GET", RESULTS, times=None, cut_at=0.5), TransportError, rows=ROWS, jobs=4),
    AGAIN("results lack a row, once", having("GET", RESULTS, edit_body=cut), ProtocolError, "has 5 rows where the job counted 6", rows=ROWS, jobs=4),
    AGAIN("results of a job that Failed lack a row", lambda org, store: (ending("Failed", 2)(org, store), having("GET", RESULTS, times=None, edit_body=cut)(org, store)), ProtocolError, "rows where the job counted", rows=22, jobs=5),
    AGAIN("timeout, and a retry picks up", slow, BulkJobTimeoutError, "have not ended and the time for them is up", jobs=4, task={"timeout": 0.02}),
    AGAIN("job purged before the retry, insert", slow, BulkJobTimeoutError, later=having("GET", JOB, times=None, **refused(404, "NOT_FOUND")), retry=BulkJobError, again="is gone", last=None, task={"timeout": 0.02, "parallel_jobs": 2}),
    AGAIN("job purged before the retry, upsert", slow, BulkJobTimeoutError, later=having("GET", "*000[1-4]AAA", times=None, **refused(404, "NOT_FOUND")), jobs=8, task={"timeout": 0.02, **UPSERT}),
    Case("upsert: answer of the PUT lost", having("PUT", UPLOAD, lose_answer=True), jobs=5, task=UPSERT),
    AGAIN("REST upsert: 503", having("PATCH", COLLECTIONS, status=503), ApiError, "503", rows=0, task={**UPSERT, "transport": "rest"}, jobs=0),
    AGAIN("REST upsert: answer lost", having("PATCH", COLLECTIONS, times=None, lose_answer=True), TransportError, rows=6, jobs=0, task={**UPSERT, "transport": "rest"}),
    Case("REST insert: answer lost", having("POST", COLLECTIONS, lose_answer=True), RecordsFailedError, "not known whether they were saved", rows=6, retry=RecordsFailedError, again="earlier try began", last=6, jobs=0, task={"transport": "rest"}),
    Case("REST: rows locked once", locked([1, 7], 1), jobs=0, task={"transport": "rest"}),
]  # fmt: skip

Table = dict[tuple[str, ...], set[str]]


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Prints what the cases below put into it, captured or not."""
    rows: Table = {}
    yield rows
    lines = [("fault", "exit", "retried", "in the org", "ledger", "retry", "in the org at last"), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n\nEvery fault of a load of {ROWS} rows in 4 parts, waited for by a worker and by the triggerer:\n")
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            ways = rows.get(line, set())
            print(" | ".join(cells) + ("" if len(ways) != 1 else f" ({ways.pop()} alone)"))


@pytest.fixture
def org(items_org: SimulatedOrg) -> SimulatedOrg:
    return items_org


@pytest.fixture
def store() -> MortalStore:
    return MortalStore()


def ended(operator: Any, store: MortalStore, error: Any, says: str, retryable: bool) -> str:
    """Run a try and see how it ends."""
    if error is None:
        run_to_end(operator, {"task_state_store": store})
        return "green"
    expected = (error if isinstance(error, tuple) else (error,)) if retryable else (AirflowFailException,)
    with pytest.raises(expected) as caught:
        run_to_end(operator, {"task_state_store": store})
    cause: Any = caught.value if retryable else caught.value.__cause__
    if not isinstance(cause, KilledError):
        assert isinstance(cause, error)
        assert cause.retryable is retryable
        assert says in str(cause)
    return "killed" if isinstance(cause, KilledError) else type(cause).__name__


def ledger_of(store: MortalStore) -> str:
    entries = [value for value in store.values.values() if isinstance(value, dict)]
    return "kept" if entries else "empty"


@pytest.mark.parametrize(
    ("case", "way"), [pytest.param(case, way, id=f"{case.name}-{way}") for case in CASES for way in case.ways]
)
def test_no_row_twice_and_none_lost(
    org: SimulatedOrg, store: MortalStore, table: Table, tmp_path: Path, case: Case, way: str
) -> None:
    arguments = {"parallel_jobs": 2, "timeout": 60, "results_path": f"file://{tmp_path}/results", **case.task}
    arguments["deferrable"] = way == "triggerer"
    rows = items(ROWS)
    case.trouble(org, store)
    outcome = ended(task("Item__c", rows, **arguments), store, case.error, case.says, case.retryable)
    org.clear_faults()
    loaded, wanted = in_org(org), counted(rows)
    assert not loaded - wanted
    first, ledger, retry = loaded.total(), ledger_of(store), "—"
    assert case.rows in (None, first)
    if case.error is None:
        assert store.values == {}
    else:
        all_is_well(org, store)
        if case.later is not None:
            case.later(org, store)
        later = task("Item__c", rows, **{**arguments, "timeout": 60})
        retry = ended(later, store, case.retry, case.again, retryable="UNABLE_TO_LOCK_ROW" in case.says)
        assert (store.values == {}) is (case.retry is None)
    org.clear_faults()
    loaded = in_org(org)
    assert not loaded - wanted
    assert case.last in (None, loaded.total())
    assert case.jobs in (None, len(org.jobs))
    if retry in ("green", "—"):
        counts = report_in(tmp_path / "results")["counts"]
        assert (counts["read"], counts["succeeded"]) == (ROWS, case.last)
    line = (
        case.name,
        outcome,
        "yes" if case.retryable else "no",
        f"{first} rows",
        ledger,
        retry,
        "—" if case.last is None else f"{case.last} rows",
    )
    table.setdefault((*line[:3], line[3] if case.rows is not None else "—", *line[4:]), set()).add(way)
