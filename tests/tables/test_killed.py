"""A merge that is killed before and after each of its statements, and merges at the same time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.tables import merge
from tests.random_tests import SOAK
from tests.tables.data_sets import ITEM, item, publish, record_id
from tests.tables.databases import PostgreSQL, TestDatabase
from tests.tables.killed_merges import killed_at, merge_together

pytestmark = pytest.mark.parametrize("database", ["psycopg", "duckdb", "sqlite"], indirect=True)
MERGE: dict[str, Any] = {"sql_conn_id": "warehouse", "table": "items"}
BEFORE = {record_id(number): f"Item {number}" for number in range(5)}
AFTER = {
    record_id(0): "Item 0",
    record_id(2): "new",
    record_id(3): "Item 3",
    record_id(4): "Item 4",
    record_id(8): "Item 8",
}


def content(database: TestDatabase) -> dict[str, str]:
    return dict(database.rows("items", ["Id", "Name"]))


def left_over(database: TestDatabase) -> list[Any]:
    """Tables and locks that a merge has no more use for."""
    if isinstance(database, PostgreSQL):
        return database.run(
            "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND oid >= 16384 AND relname NOT IN ('items', 'sfjwt_ledger') "
            "UNION ALL SELECT locktype FROM pg_locks WHERE locktype = 'advisory' AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    names = (
        database.run("SELECT table_name FROM information_schema.tables")
        if database.label == "duckdb"
        else (database.run("SELECT name FROM sqlite_master WHERE type = 'table'"))
    )
    return [name for (name,) in names if name not in ("items", "sfjwt_ledger")]


@pytest.mark.soak
@pytest.mark.parametrize("after", [False, True] if SOAK else [False])  # the moment after one is that before the next
@pytest.mark.timeout(600)
def test_a_merge_killed_at_any_statement_leaves_all_or_nothing(
    database: TestDatabase, tmp_path: Path, after: bool
) -> None:
    types = {**ITEM}
    del types["Owner.Name"]
    merge(publish(tmp_path / "first", [item(number) for number in range(5)], types=types), **MERGE)
    changes = [item(1, hour=1, deleted=True), item(2, "new", hour=1), item(3), item(8)]
    states = []
    for step in range(100):
        source = publish(tmp_path / f"step{step}", changes, job_id=f"750{step}")
        arguments = {"receipt": source, **MERGE}
        killed = killed_at(step, after, database.connection_json(), arguments)
        found = content(database)
        assert found in (BEFORE, AFTER)
        applied = database.count("sfjwt_ledger") == 2
        assert applied == (found == AFTER), f"step {step}"
        states.append(found == AFTER)
        if not killed:
            break
        # The retry, in a worker that is well.
        assert merge(**arguments).already_applied == int(applied)
        assert content(database) == AFTER
        assert database.count("sfjwt_ledger") == 2
        assert left_over(database) == []
        undo(database)
    # Every statement was met, and the commit alone decides.
    assert 10 < len(states) < 100
    assert states == sorted(states)
    assert states.count(True) == (2 if after else 1)


def undo(database: TestDatabase) -> None:
    """Make the table again what it was before the merge."""
    database.run(
        "DELETE FROM sfjwt_ledger WHERE folder LIKE '%/step%'",
        f"DELETE FROM items WHERE \"Id\" = '{record_id(8)}'",
        f"UPDATE items SET \"Name\" = 'Item 2', \"SystemModstamp\" = '2026-11-01T00:00:00.000Z' WHERE \"Id\" = '{record_id(2)}'",
        f"INSERT INTO items (\"Id\", \"Name\", \"SystemModstamp\") VALUES ('{record_id(1)}', 'Item 1', '2026-11-01T00:00:00.000Z')",
        'ALTER TABLE items DROP COLUMN "Owner.Name"',
    )


def test_the_same_extract_merged_at_the_same_time_counts_once(database: TestDatabase, tmp_path: Path) -> None:
    source = publish(tmp_path / "1", [item(number) for number in range(3000)])
    codes = merge_together(database.connection_json(), [{"receipt": source, **MERGE}] * 3)
    assert codes == [0, 0, 0]
    assert (database.count("items"), database.count("sfjwt_ledger")) == (3000, 1)


def test_extracts_merged_at_the_same_time_are_all_there(database: TestDatabase, tmp_path: Path) -> None:
    sources = [publish(tmp_path / str(place), [item(place * 10 + each) for each in range(10)]) for place in range(3)]
    codes = merge_together(database.connection_json(), [{"receipt": source, **MERGE} for source in sources])
    assert codes == [0, 0, 0]
    assert (database.count("items"), database.count("sfjwt_ledger")) == (30, 3)
