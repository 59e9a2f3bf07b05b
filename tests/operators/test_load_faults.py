"""Every fault of a load, how its attempt ends, and what a retry then does: no row twice, no row lost, or red and why.

A test run prints it as a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.load_cases import (
    NOTHING,
    ROWS,
    Attempt,
    Case,
    all_is_well,
    cut,
    daily_limit,
    dying,
    ending,
    having,
    killed_at,
    locked,
    refused,
    rule,
    slow,
)
from tests.operators.load_task import (
    COLLECTIONS,
    CREATE,
    JOB,
    RESULTS,
    UPLOAD,
    KilledError,
    MortalStore,
    in_org,
    items,
    report_in,
    task,
)

UPSERT = {"operation": "upsert", "external_id_field": "Key__c"}

CASES = [
    Case("nothing", Attempt(NOTHING), jobs=4),
    Case("answer of the create lost", Attempt(having("POST", CREATE, lose_answer=True)), jobs=5),
    Case(
        "answer of every create lost",
        Attempt(having("POST", CREATE, times=None, lose_answer=True), TransportError, retryable=True, rows=0),
    ),
    Case("answer of the PUT lost", Attempt(having("PUT", UPLOAD, lose_answer=True)), jobs=5),
    Case("answer of the PUT cut", Attempt(having("PUT", UPLOAD, cut_at=0.5)), jobs=4),
    Case("connection reset in the PUT", Attempt(having("PUT", UPLOAD, reset=True)), jobs=5),
    Case(
        "answer of every PUT lost",
        Attempt(having("PUT", UPLOAD, times=None, lose_answer=True), TransportError, retryable=True, rows=0),
    ),
    Case("503 instead of the PUT", Attempt(having("PUT", UPLOAD, status=503))),
    Case("answer of the PATCH lost", Attempt(having("PATCH", JOB, lose_answer=True)), jobs=4),
    Case("answers of all PATCHes lost", Attempt(having("PATCH", JOB, times=None, lose_answer=True)), jobs=4),
    Case("503 instead of the PATCH", Attempt(having("PATCH", JOB, status=503)), jobs=4),
    Case(
        "503 instead of every PATCH",
        Attempt(having("PATCH", JOB, times=None, status=503), SalesforceError, "503", retryable=True, rows=0),
        jobs=4,
    ),
    Case("503 in polling", Attempt(having("GET", JOB, times=4, status=503)), jobs=4),
    Case(
        "503 in polling that stays",
        Attempt(having("GET", JOB, times=None, status=503), SalesforceError, "503", retryable=True, rows=None),
        jobs=4,
    ),
    Case("session expired between parts", Attempt(having("POST", CREATE, nth=3, expire_session=True))),
    Case("session expired in the PUT", Attempt(having("PUT", UPLOAD, nth=2, expire_session=True))),
    Case("session expired while waiting", Attempt(having("GET", JOB, nth=2, expire_session=True)), jobs=4),
    Case(
        "API calls of the day used up",
        Attempt(
            having("PUT", UPLOAD, nth=2, times=None, **refused(403, "REQUEST_LIMIT_EXCEEDED")),
            RequestLimitError,
            retryable=True,
            rows=0,
        ),
    ),
    Case("worker killed before its first write", Attempt(dying(1), KilledError, retryable=True, rows=0), jobs=4),
    Case("worker killed between two parts", Attempt(dying(6), KilledError, retryable=True, rows=0)),
    Case(
        "worker killed between two parts, value kept",
        Attempt(dying(6, keeps_last=True), KilledError, retryable=True, rows=0),
    ),
    *(
        Case(f"worker killed at write {write}", Attempt(dying(write), KilledError, retryable=True, rows=0))
        for write in (2, 3, 4, 9, 13)
    ),
    Case(
        "worker killed in the middle of a create",
        Attempt(killed_at("POST", CREATE, 2), (KilledError, TransportError), retryable=True, rows=0),
    ),
    Case(
        "worker killed in the middle of a PUT",
        Attempt(killed_at("PUT", UPLOAD, 2), (KilledError, TransportError), retryable=True, rows=0),
    ),
    Case(
        "worker killed in the middle of a PATCH",
        Attempt(killed_at("PATCH", JOB, 2), SalesforceError, retryable=True, rows=12),
        jobs=4,
    ),
    Case(
        "worker killed while it waits",
        Attempt(killed_at("GET", JOB, 2), SalesforceError, retryable=True, rows=None),
        jobs=4,
    ),
    Case(
        "daily limit reached, rows lost",
        Attempt(daily_limit("lost"), RecordsFailedError, "ExceededQuota", retryable=True, rows=10),
    ),
    Case(
        "daily limit reached, rows unprocessed",
        Attempt(daily_limit("unprocessed"), RecordsFailedError, "ExceededQuota", retryable=True, rows=10),
    ),
    Case(
        "job Failed in the middle",
        Attempt(ending("Failed", 2), RecordsFailedError, "2 of 24 rows", retryable=True, rows=22),
        jobs=5,
    ),
    Case(
        "job Failed before it began",
        Attempt(ending("Failed", 0), RecordsFailedError, "InvalidBatch", retryable=True, rows=18),
        jobs=5,
    ),
    Case(
        "job Aborted in the middle",
        Attempt(ending("Aborted", 1), RecordsFailedError, "4 of 24 rows", retryable=True, rows=20),
        jobs=5,
    ),
    Case("rows locked once", Attempt(locked([1, 7, 8], 1)), jobs=6),
    Case("rows locked twice", Attempt(locked([1, 7, 8], 2)), jobs=8),
    Case(
        "rows locked always",
        Attempt(locked([1, 7, 8], None), RecordsFailedError, "UNABLE_TO_LOCK_ROW (3 rows", retryable=True, rows=21),
        retry=Attempt(NOTHING, RecordsFailedError, "3 of 24", retryable=True, rows=21),
        jobs=14,
    ),
    Case(
        "rows locked for longer than a try is patient",
        Attempt(locked([1, 7, 8], 4), RecordsFailedError, "UNABLE_TO_LOCK_ROW (3 rows", retryable=True, rows=21),
        jobs=12,
    ),
    Case(
        "rows refused by a rule",
        Attempt(rule(2, 9), RecordsFailedError, "FIELD_CUSTOM_VALIDATION_EXCEPTION (2 rows", rows=22),
        retry=Attempt(NOTHING, RecordsFailedError, "2 of 24", rows=22),
        jobs=6,
    ),
    Case("rows refused, as many as allowed", Attempt(rule(2, 9), rows=22), jobs=4, task={"max_failed_records": 2}),
    Case(
        "rows refused, more than allowed",
        Attempt(rule(2, 9), RecordsFailedError, "2 of 24", rows=22),
        retry=Attempt(NOTHING, RecordsFailedError, rows=22),
        task={"max_failed_records": 1},
    ),
    Case("rows refused, within the ratio", Attempt(rule(2, 9), rows=22), jobs=4, task={"max_failed_ratio": 0.1}),
    Case(
        "rows refused, above the ratio",
        Attempt(rule(2, 9), RecordsFailedError, "2 of 24", rows=22),
        retry=Attempt(NOTHING, RecordsFailedError, rows=22),
        task={"max_failed_ratio": 0.08},
    ),
    Case("results cut, once", Attempt(having("GET", RESULTS, cut_at=0.5)), jobs=4),
    Case(
        "results cut, always",
        Attempt(having("GET", RESULTS, times=None, cut_at=0.5), TransportError, retryable=True),
        jobs=4,
    ),
    Case(
        "results lack a row, once",
        Attempt(
            having("GET", RESULTS, edit_body=cut), ProtocolError, "has 5 rows where the job counted 6", retryable=True
        ),
        jobs=4,
    ),
    Case(
        "results of a job that Failed lack a row",
        Attempt(
            lambda org, store: (
                ending("Failed", 2)(org, store),
                having("GET", RESULTS, times=None, edit_body=cut)(org, store),
            ),
            ProtocolError,
            "rows where the job counted",
            retryable=True,
            rows=22,
        ),
        jobs=5,
    ),
    Case(
        "timeout, and a retry picks up",
        Attempt(slow, BulkJobTimeoutError, "have not ended and the time for them is up", retryable=True, rows=None),
        jobs=4,
        task={"timeout": 0.02},
    ),
    Case(
        "job purged before the retry, insert",
        Attempt(slow, BulkJobTimeoutError, retryable=True, rows=None),
        retry=Attempt(having("GET", JOB, times=None, **refused(404, "NOT_FOUND")), BulkJobError, "is gone", rows=None),
        task={"timeout": 0.02, "parallel_jobs": 2},
    ),
    Case(
        "job purged before the retry, upsert",
        Attempt(slow, BulkJobTimeoutError, retryable=True, rows=None),
        retry=Attempt(having("GET", "*000[1-4]AAA", times=None, **refused(404, "NOT_FOUND"))),
        jobs=8,
        task={"timeout": 0.02, **UPSERT},
    ),
    Case("upsert: answer of the PUT lost", Attempt(having("PUT", UPLOAD, lose_answer=True)), jobs=5, task=UPSERT),
    Case(
        "REST upsert: 503",
        Attempt(having("PATCH", COLLECTIONS, status=503), ApiError, "503", retryable=True, rows=0),
        jobs=0,
        task={**UPSERT, "transport": "rest"},
    ),
    Case(
        "REST upsert: answer lost",
        Attempt(having("PATCH", COLLECTIONS, times=None, lose_answer=True), TransportError, retryable=True, rows=6),
        jobs=0,
        task={**UPSERT, "transport": "rest"},
    ),
    Case(
        "REST insert: answer lost",
        Attempt(having("POST", COLLECTIONS, lose_answer=True), RecordsFailedError, "unknown what was saved", rows=6),
        retry=Attempt(NOTHING, RecordsFailedError, "earlier attempt began", rows=6),
        jobs=0,
        task={"transport": "rest"},
    ),
    Case("REST: rows locked once", Attempt(locked([1, 7], 1)), jobs=0, task={"transport": "rest"}),
]

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


def ledger_of(store: MortalStore) -> str:
    entries = [value for value in store.values.values() if isinstance(value, dict)]
    return "kept" if entries else "empty"


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
@pytest.mark.parametrize("way", ["worker", "triggerer"])
def test_no_row_twice_and_none_lost(
    org: SimulatedOrg, store: MortalStore, table: Table, tmp_path: Path, case: Case, way: str
) -> None:
    arguments = {"parallel_jobs": 2, "timeout": 60, "results_path": f"file://{tmp_path}/results", **case.task}
    arguments["deferrable"] = way == "triggerer"
    outcome = case.first.run(org, store, task("Item__c", items(ROWS), **arguments))
    first, ledger, retry = in_org(org).total(), ledger_of(store), "—"
    if case.first.error is None:
        assert store.values == {}
    else:
        all_is_well(org, store)
        retry = case.retry.run(org, store, task("Item__c", items(ROWS), **{**arguments, "timeout": 60}))
        assert (store.values == {}) is (case.retry.error is None)
    assert case.jobs in (None, len(org.jobs))
    if retry in ("green", "—"):
        counts = report_in(tmp_path / "results")["counts"]
        assert (counts["read"], counts["succeeded"]) == (ROWS, case.rows)
    line = (
        case.name,
        outcome,
        "yes" if case.first.retryable else "no",
        "—" if case.first.rows is None else f"{first} rows",
        ledger,
        retry,
        "—" if case.rows is None else f"{case.rows} rows",
    )
    table.setdefault(line, set()).add(way)
