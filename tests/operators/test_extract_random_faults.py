"""Whatever goes wrong, and in whatever order: an extract is complete or red. Faults are drawn at random."""

from __future__ import annotations

import shutil
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

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import StateStore, run_to_end
from tests.operators.extracted import FIELDS, Rows, check_published, names_in, receipt_in, rows_in_folder, rows_in_org
from tests.random_tests import examples

TRIES = 3
ROWS, PAGE = 23, 5


def _refused(status: int, code: str) -> dict[str, Any]:
    return {"status": status, "body": f'[{{"errorCode":"{code}","message":"as said"}}]'}


def _having(key: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Changes answers that have a key; a refusal stays as it is."""
    return {"edit_json": lambda answer: {**answer, **change(answer)} if key in answer else answer}


def _job(**changes: Any) -> dict[str, Any]:
    return _having("state", lambda _: changes)


def _saying(count: str | None) -> dict[str, Any]:
    def edit(headers: dict[str, str]) -> dict[str, str]:
        others = {name: value for name, value in headers.items() if name != "Sforce-NumberOfRecords"}
        return others if count is None else {**others, "Sforce-NumberOfRecords": count}

    return {"edit_headers": edit}


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
    "a page of HTML": {"status": 200, "body": "<html>Sign in</html>", "headers": {"Content-Type": "text/html"}},
}
#: Those that close a connection.
CLOSING = frozenset({"answer cut", "connection reset", "answer lost"})
#: And with one kind of request.
BY_PATH: dict[str, dict[str, dict[str, Any]]] = {
    "*/results*": {
        "count wrong": _saying("1000"),
        "count lost": _saying(None),
        "row lost": {"edit_body": _without_last_row},
        "last cell lost": {"edit_body": lambda body: body[: body.rfind(b",")]},
        "cut in a value": {"edit_body": lambda body: body[: len(body) // 2]},
        "rows twice": {"edit_body": _twice},
        "rows twice, and so declared": {"edit_body": _twice, **_saying("10")},
        "purged": _refused(404, "NOT_FOUND"),
        "locator of the end": {"edit_headers": lambda headers: {**headers, "Sforce-Locator": "null"}},
    },
    "*/resultPages*": {
        "not offered": _refused(404, "NOT_FOUND"),
        "refused": _refused(409, "CONFLICT"),
        "first page alone": _having(
            "resultPages", lambda answer: {"resultPages": answer["resultPages"][:1], "done": True}
        ),
    },
    "*/jobs/query/750???????????????": {
        "InProgress": _job(state="InProgress"),
        "Aborted": _job(state="Aborted"),
        "Failed": _job(state="Failed", errorMessage="as said"),
        "unknown state": _job(state="Sleeping"),
        "other count": _job(numberRecordsProcessed=ROWS + 1),
        "gone": _refused(404, "NOT_FOUND"),
    },
    "/services/data/v[0-9][0-9].0/query[/?]*": {
        "cursor lost": _refused(400, "INVALID_QUERY_LOCATOR"),
        "totalSize wrong": _having("totalSize", lambda _: {"totalSize": ROWS + 1}),
        "done too early": _having("totalSize", lambda _: {"done": True}),
    },
    "*/describe": {},
    "*/jobs/query": {},
    "*": {},
}
EVERY = [(path, name) for path, own in BY_PATH.items() for name in (*own, *NETWORK)]


@dataclass
class Drawn:
    """A fault that was drawn, as it is shown when a run of it fails."""

    path: str
    name: str
    nth: int
    times: int | None

    def made(self) -> Fault:
        what = {**NETWORK, **BY_PATH[self.path]}[self.name]
        return Fault(method="*", path=self.path, nth=self.nth, times=self.times, **what)


faults = st.builds(
    lambda which, nth, times: Drawn(*which, nth, times),
    st.sampled_from(EVERY),
    st.integers(1, 4),
    st.sampled_from([1, 1, 2, 5, None]),
)


@dataclass
class Plan:
    """What is drawn for one example."""

    tries: list[list[Drawn]]
    file_format: str
    parallel_pages: int
    transport: str
    deferrable: list[bool]
    published_before: bool


plans = st.builds(
    Plan,
    st.lists(st.lists(faults, min_size=1, max_size=4), min_size=TRIES, max_size=TRIES),
    st.sampled_from(["csv", "jsonl", "parquet"]),
    st.integers(1, 4),
    st.sampled_from(["bulk", "bulk", "bulk", "rest", "auto"]),
    st.lists(st.booleans(), min_size=TRIES, max_size=TRIES),
    st.booleans(),
)


@dataclass
class World:
    """What all examples share.

    :param org: the one running org.
    :param rows: what it holds.
    :param published: a folder that an earlier run published.
    :param seen: how many examples and tries there were, and how they ended.
    """

    org: SimulatedOrg
    rows: Rows = field(repr=False)
    published: Path
    seen: Counter[str] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def world(private_key: str, said: list[str]) -> Iterator[World]:
    """An org of 23 accounts in pages of 5, and what became of the examples, told at the end."""
    with (
        tempfile.TemporaryDirectory() as folder,
        SimulatedOrg(
            records={"Account": ROWS}, bulk_page_size=PAGE, rest_page_size=PAGE, bulk_polls=0, private_key=private_key
        ) as org,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", org.connection_json())
        environment.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
        environment.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
        shared = World(org, rows_in_org(org), Path(folder) / "before")
        run_to_end(task(shared.published), {})
        yield shared
        said.append(
            f"Random faults: {shared.seen['examples']} examples of {shared.seen['faults']} faults, "
            f"{shared.seen['green'] + shared.seen['red']} tries: {shared.seen['green']} green with the exact "
            f"{ROWS} rows ({shared.seen['green at last']} of them after a red try), {shared.seen['red']} red with "
            "nothing published"
        )


def task(folder: Path, **arguments: Any) -> SalesforceExtractOperator:
    """The task, which looks at its job every millisecond, and not for long."""
    return SalesforceExtractOperator(
        task_id="extract",
        output_path=f"file://{folder}",
        sobject="Account",
        fields=list(FIELDS),
        poll_interval=0.001,
        **{"timeout": 0.02, "file_format": "csv", **arguments},
    )


def calls_made(org: SimulatedOrg) -> int:
    """What Salesforce counts: everything but the list of versions, refused calls included."""
    return sum(request.path.startswith("/services/data/v") for request in org.requests)


def unchanged(folder: Path, before: Path | None) -> None:
    """See that what can be read in a folder is what could be read before, byte for byte."""
    if before is None:
        assert "_receipt.json" not in names_in(folder)
        return
    for name in names_in(before):
        assert (folder / name).read_bytes() == (before / name).read_bytes()


@settings(
    max_examples=examples(30),
    phases=(Phase.explicit, Phase.generate),  # what failed is shown as it was drawn: to shrink it takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(plan=plans)
def test_an_extract_is_complete_or_red(world: World, plan: Plan) -> None:
    world.seen["examples"] += 1
    context = {"task_state_store": StateStore()}
    with tempfile.TemporaryDirectory(dir=world.published.parent) as temporary:
        folder = Path(temporary) / "accounts"
        before = world.published if plan.published_before else None
        if before:
            shutil.copytree(before, folder)
        try:
            _try_until_green(world, plan, folder, before, context)
        finally:
            world.org.clear_faults()


def _try_until_green(world: World, plan: Plan, folder: Path, before: Path | None, context: dict[str, Any]) -> None:
    spent = 0
    for number, (drawn, deferrable) in enumerate(zip(plan.tries, plan.deferrable, strict=True), 1):
        if not context["task_state_store"].values:
            spent = calls_made(world.org)  # no try before this one is remembered: the extract begins anew
        world.org.clear_faults()
        for fault in drawn:
            world.org.add_fault(fault.made())
        world.seen["faults"] += len(drawn)
        operator = task(
            folder,
            file_format=plan.file_format,
            parallel_pages=plan.parallel_pages,
            transport=plan.transport,
            deferrable=deferrable,
        )
        try:
            result = run_to_end(operator, context)
        except (SalesforceError, AirflowFailException) as error:
            note(f"try {number}: {type(error).__name__}: {error}")
            unchanged(folder, before)
            world.seen["red"] += 1
            continue
        world.seen["green"] += 1
        world.seen["green at last"] += number > 1
        check_published(folder)
        assert rows_in_folder(folder) == world.rows
        receipt = receipt_in(folder)
        assert (result["records"], result["job_id"]) == (ROWS, receipt["job_id"])
        # A request that is sent over a connection which the org is just closing is paid for here, and never seen there.
        breaks = any(fault.name in CLOSING for each in plan.tries[:number] for fault in each)
        assert 0 <= receipt["api_calls"] - (calls_made(world.org) - spent) <= (2 if breaks else 0)
        assert context["task_state_store"].values == {}
        return
