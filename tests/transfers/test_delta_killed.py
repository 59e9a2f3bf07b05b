"""A merge into a Delta table whose worker is killed, and merges of several workers: each receipt counts once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import pytest

from airflow_provider_sfjwt.exceptions import SalesforceError
from tests.random_tests import SOAK
from tests.tables.data_sets import item, publish, record_id
from tests.transfers.delta_tables import merge, opened, rows
from tests.transfers.killed_deltas import killed

pytest.importorskip("deltalake", reason="missing: the Python package deltalake")
#: What deltalake is called for, and the moment of the SIGKILL; within the merge at several times.
MOMENTS = [
    *[(call, moment, 0.0) for call in ("create", "execute") for moment in ("before", "after")],
    *[("execute", "within", seconds) for seconds in (0.001, 0.01)],
]
CASES = [("file", *each) for each in MOMENTS] + [("s3", *each) for each in (MOMENTS if SOAK else MOMENTS[1:5:2])]
#: Before, it holds Python's lock while it waits. A task is a process of its own, and does not mind.
merges_in_threads = pytest.mark.skipif(
    tuple(map(int, version("deltalake").split(".")[:2])) < (1, 6), reason="deltalake merges in threads since 1.6"
)
CHANGES = [item(0, "new", hour=1), item(1, hour=1, deleted=True), item(2)]
BEFORE, AFTER = [(record_id(0), "Item 0"), (record_id(1), "Item 1")], [(record_id(0), "new"), (record_id(2), "Item 2")]


@pytest.fixture(scope="module", autouse=True)
def reported(said: list[str]) -> Iterator[list[str]]:
    lines: list[str] = []
    yield lines
    said.extend(f"Kill table, Delta {line}" for line in lines)


@pytest.mark.soak
@pytest.mark.parametrize(("table_uri", "call", "moment", "seconds"), CASES, indirect=["table_uri"])
def test_a_killed_merge_leaves_all_or_nothing(
    table_uri: str, tmp_path: Path, call: str, moment: str, seconds: float, reported: list[str]
) -> None:
    if call != "create":
        merge(publish(tmp_path / "0", [item(0), item(1)]), table_uri)
    source = publish(tmp_path / "1", CHANGES if call != "create" else [item(0), item(1)])
    was_killed = killed(call, moment, {"source": source, "table_uri": table_uri}, seconds)
    assert was_killed or moment == "within"
    applied = merge(source, table_uri)["already_applied"] == 1
    assert rows(table_uri, "Id", "Name") == (AFTER if call != "create" else BEFORE)
    assert applied == (call == "execute" and moment == "after") or moment == "within"
    version = opened(table_uri).version()
    assert merge(source, table_uri)["already_applied"] == 1
    assert opened(table_uri).version() == version
    found = "all rows, the retry applied nothing" if applied else "no row, the retry applied all"
    place = table_uri.partition(":")[0]
    reported.append(f"on {place:<4} {call:<7} {moment} {f'{seconds * 1000:g} ms' if seconds else '':<6} {found}")


@merges_in_threads
def test_the_same_extract_at_the_same_time_counts_once(table_uri: str, tmp_path: Path) -> None:
    merge(publish(tmp_path / "0", [item(1000)]), table_uri)
    source = publish(tmp_path / "1", [item(number) for number in range(200)])

    def attempt(_: int) -> str:
        try:
            return "applied" if merge(source, table_uri, mode="append")["already_applied"] == 0 else "already"
        except SalesforceError as error:
            assert error.retryable
            return "retry"

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(attempt, range(4)))
    assert outcomes.count("applied") == 1, outcomes
    assert len(rows(table_uri, "Id")) == 201


@merges_in_threads
def test_extracts_merged_at_the_same_time_are_all_there(table_uri: str, tmp_path: Path) -> None:
    merge(publish(tmp_path / "0", [item(1000)]), table_uri)
    sources = [publish(tmp_path / f"{place}", [item(place * 10 + each) for each in range(10)]) for place in range(1, 5)]

    def retried(source: str) -> int:
        """How many attempts Airflow would have made."""
        for attempt in range(1, 50):
            try:
                merge(source, table_uri)
            except SalesforceError as error:
                assert error.retryable
            else:
                return attempt
        raise AssertionError(f"{source} was refused 50 times")

    with ThreadPoolExecutor(4) as pool:
        attempts = list(pool.map(retried, sources))
    assert len(rows(table_uri, "Id")) == 41, attempts
