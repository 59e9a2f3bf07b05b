"""Every fault of an extract, how it ends, and what a retry then does: the right rows, or red and nothing published.

A test run prints it as a table.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import (
    ApiError,
    BulkJobAbortedError,
    BulkJobFailedError,
    BulkJobTimeoutError,
    NotFoundError,
    ProtocolError,
    RequestLimitError,
    SalesforceError,
    TransportError,
)
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.broken_store import BUCKET, BrokenStore, broken_store
from tests.operators.extract_troubles import (
    FIRST_JOB,
    JOB,
    LINKS,
    PAGES,
    QUERY,
    Trouble,
    cursor_loop,
    cut_within_gzip,
    four_threads_expired,
    full_disk,
    job,
    links_loop,
    locator_loop,
    lost,
    on,
    one_page_more,
    other_order,
    refused,
    same_page_again,
    same_rows_again,
    saying,
    text_for_number,
    twice,
    without_last_cell,
    without_last_row,
)
from tests.operators.extracted import FIELDS, check_published, names_in, rows_in_folder, rows_in_org


@dataclass(frozen=True)
class Case:
    """A fault and its end.

    :param name: in the table.
    :param trouble: what goes wrong.
    :param error: the type of the error; None where the extract is green.
    :param says: part of the error's message.
    :param retry: what the retry does, in the words of :func:`retried`.
    :param retryable: whether Airflow retries.
    :param calls: page requests that a green run made; None where it does not matter.
    :param logins: sign-ins that a green run made; None where it does not matter.
    :param later: what goes wrong while the retry runs.
    :param waits: seconds that the extract lasts at least.
    :param task: arguments of the task.
    :param formats: in which the rows are written.
    :param left: files that a retry can go on from.
    """

    name: str
    trouble: Trouble
    error: type[SalesforceError] | None = None
    says: str = ""
    retry: str = "—"
    retryable: bool = False
    calls: int | None = None
    logins: int | None = None
    later: Sequence[Fault] = ()
    waits: float = 0
    task: dict[str, Any] = field(default_factory=dict)
    formats: tuple[str, ...] = ("csv",)
    left: int = 0


ALL, ONE, REST = ("csv", "jsonl", "parquet"), {"parallel_pages": 1}, {"transport": "rest"}
ANEW, THREE, TWO = "new job, 4 pages, 1000 rows", "same job, 3 pages, 1000 rows", "same job, 2 pages, 1000 rows"
ONCE, AGAIN = partial(Case, calls=5, task=ONE), partial(Case, retryable=True, retry=THREE, left=2, task=ONE)
WRONG = partial(Case, error=ProtocolError, retry=ANEW)
#: The first job as it stays; the retry's own job is sound.
_THIS = f"*/jobs/query/{FIRST_JOB}"
FAILED = [on(_THIS, **job(state="Failed", errorMessage="InvalidBatch : too long"))]
ABORTED = [on(_THIS, **job(state="Aborted"))]
PURGED = [on(_THIS, **refused(404, "NOT_FOUND"))]

CASES = [
    ONCE("cut page, once", [on(PAGES, 2, 1, cut_at=0.5)], formats=ALL),
    AGAIN("cut page, always", [on(PAGES, 2, cut_at=0.5)], TransportError, "/results", formats=ALL),
    ONCE("page cut within its last record, once", [on(PAGES, 2, 1, edit_body=without_last_cell)], formats=ALL),
    AGAIN("page cut within its last record, always", [on(PAGES, 2, edit_body=without_last_cell)], TransportError, "not whole", formats=ALL),
    ONCE("page cut within its gzip, once", cut_within_gzip, formats=ALL),
    AGAIN("page cut within its gzip, always", partial(cut_within_gzip, times=None), TransportError, "cannot be unpacked", formats=ALL),
    ONCE("connection reset, once", [on(PAGES, 2, 1, reset=True)]),
    ONCE("answer lost, once", [on(PAGES, 2, 1, lose_answer=True)]),
    ONCE("Sforce-NumberOfRecords lost, once", [on(PAGES, 2, 1, edit_headers=lost)]),
    WRONG("Sforce-NumberOfRecords lost, always", [on(PAGES, 2, edit_headers=lost)], says="declared no number", formats=ALL),
    ONCE("Sforce-NumberOfRecords wrong, once", [on(PAGES, 2, 1, edit_headers=saying(Sforce_NumberOfRecords="7"))]),
    WRONG("Sforce-NumberOfRecords wrong, always", [on(PAGES, 2, edit_headers=saying(Sforce_NumberOfRecords="7"))], says="declared 7"),
    ONCE("rows of a page twice in it, once", [on(PAGES, 2, 1, edit_body=twice)], formats=ALL),
    WRONG("rows of a page twice in it, always", [on(PAGES, 2, edit_body=twice)], says="brought 600 records where Salesforce declared 300", task=ONE),
    WRONG("duplicated page instead of another", same_page_again, says="hold the same rows", formats=ALL, task=ONE),
    WRONG("duplicated page besides the others", one_page_more, says="hold the same rows", formats=ALL),
    ONCE("short page with a wrong count, once", [on(PAGES, 2, 1, edit_body=without_last_row)], formats=ALL),
    WRONG("short page with a wrong count, always", [on(PAGES, 2, edit_body=without_last_row)], says="brought 299 records where Salesforce declared 300", task=ONE),
    WRONG("short page that declares what it has", [on(PAGES, 2, 1, edit_body=without_last_row, edit_headers=saying(Sforce_NumberOfRecords="299"))],
          says="999 rows were written, its pages declared 999, and Salesforce counted 1000", formats=ALL, task=ONE),
    WRONG("last page never named", [on(PAGES, 3, edit_headers=saying(Sforce_Locator="null"))], says="900 rows were written", task=ONE),
    WRONG("locator loop", locator_loop, says="go in a circle", formats=ALL, task=ONE),
    WRONG("locator loop in the list of pages", links_loop, says="go in a circle"),
    Case("list of pages not offered (404)", [on(LINKS, **refused(404, "NOT_FOUND"))], calls=4),
    Case("list of pages refused (409)", [on(LINKS, **refused(409, "CONFLICT"))], calls=4),
    WRONG("a page of HTML with status 200", [on(PAGES, 2, status=200, body="<html>Sign in</html>")], says="declared no number", task=ONE),
    WRONG("other columns in the second page", [on(PAGES, 2, edit_body=other_order)], says="differ in their columns", formats=ALL, task=ONE),
    WRONG("other columns in every page", [on(PAGES, edit_body=other_order)], says="other columns than the query", formats=ALL),
    Case("session expired in four threads at once", four_threads_expired, calls=8, logins=2),
    ONCE("session expired between two pages", [on(PAGES, 2, 1, expire_session=True)], logins=2),
    Case("503 storm that passes", [on("*", times=4, status=503), on(PAGES, 1, 4, status=503)], task=ONE, calls=8),
    AGAIN("503 storm that stays", [on(PAGES, 2, status=503)], ApiError, "answered 503"),
    ONCE("Retry-After: 1", [on(PAGES, 2, 1, status=503, headers={"Retry-After": "1"})], waits=1),
    AGAIN("429 that stays", [on(PAGES, 2, status=429, headers={"Retry-After": "0"})], ApiError, "answered 429"),
    AGAIN("API calls of the day used up", [on(PAGES, 2, **refused(403, "REQUEST_LIMIT_EXCEEDED"))], RequestLimitError, "Company Information"),
    Case("job Failed", FAILED, BulkJobFailedError, "InvalidBatch : too long", ANEW, later=FAILED),
    Case("job Aborted", ABORTED, BulkJobAbortedError, "was aborted", ANEW, retryable=True, later=ABORTED),
    WRONG("job in an unknown state", [on(JOB, **job(state="Sleeping"))], says="state 'Sleeping'"),
    Case("job still running at the timeout", [on(JOB, **job(state="InProgress"))], BulkJobTimeoutError, "still InProgress", "same job, 4 pages, 1000 rows", retryable=True, task={"timeout": 0.05}),
    Case("job purged before its end was seen", PURGED, NotFoundError, "NOT_FOUND", ANEW, later=PURGED),
    Case("job purged between two pages", [on(PAGES, 2, **refused(404, "NOT_FOUND"))], NotFoundError, "NOT_FOUND", ANEW, later=PURGED, task=ONE),
    Case("answer to the job's creation lost", [Fault("POST", "*/jobs/query", lose_answer=True)], TransportError, "/jobs/query", ANEW, retryable=True),
    WRONG("job counts other rows", [on(JOB, **job(numberRecordsProcessed=1001))], says="Salesforce counted 1001"),
    WRONG("job counts nothing", [on(JOB, **job(numberRecordsProcessed=None))], says="Salesforce counted None"),
    AGAIN("disk full at the third part", full_disk, SalesforceError, "No space left on device", formats=ALL, retry=TWO, left=4),
    WRONG("text in a number's column", [on(PAGES, 1, edit_body=text_for_number)], says="AnnualRevenue", formats=("jsonl", "parquet")),
    Case("REST: cursor lost, once", [on(QUERY, 2, 1, **refused(400, "INVALID_QUERY_LOCATOR"))], task=REST),
    Case("REST: cursor lost, always", [on("*/query/*", **refused(400, "INVALID_QUERY_LOCATOR"))], ApiError, "INVALID_QUERY_LOCATOR", "query run anew, 1000 rows", retryable=True, task=REST),
    Case("REST: page cut, once", [on(QUERY, 2, 1, cut_at=0.5)], task=REST, formats=ALL),
    Case("REST: 503 storm that stays", [on(QUERY, 2, status=503)], ApiError, "answered 503", "query run anew, 1000 rows", retryable=True, task=REST),
    WRONG("REST: totalSize wrong", [on(QUERY, edit_json=lambda page: {**page, "totalSize": 1001})], says="Salesforce counted 1001", retry="query run anew, 1000 rows", task=REST, formats=ALL),
    WRONG("REST: short page", [on(QUERY, 2, 1, edit_json=lambda page: {**page, "records": page["records"][1:]})], says="999 rows were written", retry="query run anew, 1000 rows", task=REST),
    WRONG("REST: duplicated page instead of another", same_rows_again, says="hold the same rows", retry="query run anew, 1000 rows", task=REST, formats=ALL),
    WRONG("REST: cursor loop", cursor_loop, says="go in a circle", retry="query run anew, 1000 rows", task=REST),
    WRONG("REST: done too early", [on(QUERY, 1, 1, edit_json=lambda page: {**page, "done": True})], says="500 rows were written", retry="query run anew, 1000 rows", task=REST),
]  # fmt: skip


Table = dict[tuple[str, str, str, str], set[str]]


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Prints what the cases below put into it, captured or not."""
    rows: Table = {}
    yield rows
    lines = [("fault", "outcome", "published", "retry"), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n\nEvery fault of an extract, once waited for by a worker and once by the triggerer:\n")
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            ways = rows.get(line, set())
            print(" | ".join(cells) + ("" if len(ways) != 1 else f" ({ways.pop()} alone)"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, org: SimulatedOrg) -> None:
    """Repetitions wait for milliseconds. 1,000 rows are two pages over REST."""
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    org.rest_page_size = 500


def extract(output_path: str, **arguments: Any) -> SalesforceExtractOperator:
    task = {"sobject": "Account", "fields": list(FIELDS), "poll_interval": 0.05, **arguments}
    return SalesforceExtractOperator(task_id="extract", output_path=output_path, **task)


def pages_asked(org: SimulatedOrg) -> int:
    return sum("/results" in request.path for request in org.requests)


def red(task: SalesforceExtractOperator, context: dict[str, Any], case: Case) -> str:
    """Run a task that fails, as Airflow sees it, and say how."""
    with pytest.raises(case.error if case.retryable else AirflowFailException, match=re.escape(case.says)) as caught:
        run_to_end(task, context)
    error = caught.value if case.retryable else caught.value.__context__
    assert type(error) is case.error
    assert error.retryable == case.retryable
    words = f": … {case.says} …" if case.says else ""
    return f"red, {type(error).__name__}{'' if case.retryable else ', not retried'}{words}"


def retried(org: SimulatedOrg, before: int, result: dict[str, Any]) -> str:
    """What a retry did, and that it came to the right end."""
    if result["job_id"] is None:
        return f"query run anew, {result['records']} rows"
    which = "same job" if result["job_id"] == next(iter(org.jobs)) else "new job"
    return f"{which}, {pages_asked(org) - before} pages, {result['records']} rows"


WAYS = pytest.mark.parametrize("way", ["worker", "triggerer"])


@WAYS
@pytest.mark.parametrize(
    ("case", "file_format"),
    [pytest.param(case, each, id=f"{case.name}-{each}") for case in CASES for each in case.formats],
)
def test_it_ends_with_the_exact_rows_or_red(
    org: SimulatedOrg, context: dict[str, Any], table: Table, tmp_path: Path, case: Case, file_format: str, way: str
) -> None:
    folder = tmp_path / "accounts"
    arguments = {"deferrable": way == "triggerer", "file_format": file_format, **case.task}
    bring_about(case.trouble, org, folder)
    began = time.monotonic()
    if case.error is None:
        run_to_end(extract(f"file://{folder}", **arguments), context)
        outcome = "green" if case.calls is None else f"green, {case.calls} requests for 4 pages"
        published = "the exact 1000 rows"
        assert case.calls in (None, pages_asked(org))
        assert case.logins in (None, org.logins)
        assert time.monotonic() - began >= case.waits
    else:
        outcome, published = red(extract(f"file://{folder}", **arguments), context, case), "no"
        assert "_receipt.json" not in names_in(folder)
        assert len(names_in(folder)) == case.left, names_in(folder)
        org.clear_faults()
        bring_about(list(case.later), org, folder)
        before = pages_asked(org)
        later = extract(f"file://{folder}", **{**arguments, "timeout": 60})
        assert retried(org, before, run_to_end(later, context)) == case.retry
    check_published(folder)
    assert rows_in_folder(folder) == rows_in_org(org)
    table.setdefault((case.name, outcome, published, case.retry), set()).add(way)


def bring_about(trouble: Trouble, org: SimulatedOrg, folder: Path) -> None:
    """Let things go wrong."""
    if not isinstance(trouble, list):
        trouble(org, folder)
        return
    for fault in trouble:
        org.add_fault(fault)


@pytest.fixture(scope="module")
def store() -> Iterator[BrokenStore]:
    """One for all tests: Airflow keeps the file system of a connection for as long as the process lives."""
    with broken_store() as running, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW_CONN_S3_BROKEN", running.connection)
        yield running


@WAYS
@pytest.mark.parametrize("file_format", ALL)
def test_an_object_store_that_refuses_the_third_part(
    org: SimulatedOrg,
    context: dict[str, Any],
    table: Table,
    store: BrokenStore,
    tmp_path: Path,
    file_format: str,
    way: str,
) -> None:
    case = AGAIN("object store error on the third part", [], SalesforceError, "Access Denied", retry=TWO)
    prefix = f"{file_format}-{way}"
    arguments = {"deferrable": way == "triggerer", "file_format": file_format, "parallel_pages": 1}
    store.refuses = "part-00002"
    outcome = red(extract(f"s3://s3_broken@{BUCKET}/{prefix}", **arguments), context, case)
    kept = [
        name
        for page in (0, 1)
        for name in (f"_page-0000{page}-{FIRST_JOB}.json", f"part-0000{page}-{FIRST_JOB}.{file_format}")
    ]
    assert [name for name in store.names() if name.startswith(f"{prefix}/")] == sorted(
        f"{prefix}/{name}" for name in kept
    )
    assert store.uploads() == []
    store.refuses = ""
    before = pages_asked(org)
    result = run_to_end(extract(f"s3://s3_broken@{BUCKET}/{prefix}", **arguments), context)
    assert retried(org, before, result) == case.retry
    store.download(prefix, tmp_path)
    check_published(tmp_path)
    assert rows_in_folder(tmp_path) == rows_in_org(org)
    table.setdefault((case.name, outcome, "no", case.retry), set()).add(way)
