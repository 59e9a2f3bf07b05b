"""A merge that is killed before and after each of its statements, and merges at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
@pytest.mark.timeout(0 if SOAK else 600)
def test_a_merge_killed_at_any_statement_leaves_all_or_nothing(
    database: TestDatabase, tmp_path: Path, said: list[str]
) -> None:
    """SIGKILL before each statement, and after the commit, whose answer is lost; ``make soak`` after each of the others."""
    types = {name: kind for name, kind in ITEM.items() if name != "Owner.Name"}
    merge(publish(tmp_path / "first", [item(number) for number in range(5)], types=types), **MERGE)
    killed = Killed(database, tmp_path)
    steps = []
    while step := killed.at(len(steps), after=False):
        assert not step.applied
        steps.append(step)
    assert steps[-1].name == "commit" and len(steps) > 10
    undo(database)
    afterwards = range(len(steps)) if SOAK else [len(steps) - 1]
    lost = {number: killed.at(number, after=True) for number in afterwards}
    assert [number for number, step in lost.items() if step and step.applied] == [len(steps) - 1]
    said.extend(table_of(database.label, steps, lost))


@dataclass(frozen=True)
class Step:
    """A statement at which a merge was killed. ``name``: its first words. ``applied``: whether its rows were there."""

    name: str
    applied: bool


class Killed:
    """Merges of one increment, each killed and repeated by a worker that is well; then the table is what it was before.

    :param database: with five items.
    :param folder: of the data sets.
    """

    def __init__(self, database: TestDatabase, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._count = 0

    def at(self, number: int, *, after: bool) -> Step | None:
        """Kill a merge at a statement, and repeat it. None: there is no such statement, and the merge ended well."""
        changes = [item(1, hour=1, deleted=True), item(2, "new", hour=1), item(3), item(8)]
        source = publish(self._folder / f"step{self._count}", changes, job_id=f"750{self._count}")
        self._count += 1
        arguments = {"receipt": source, **MERGE}
        name = killed_at(number, after, self._database.connection_json(), self._folder / "steps", arguments)
        found = content(self._database)
        assert found in (BEFORE, AFTER)
        applied = found == AFTER
        assert self._database.count("sfjwt_ledger") == 1 + applied
        if name is None:
            assert applied
            return None
        assert merge(**arguments).already_applied == int(applied)
        assert content(self._database) == AFTER
        assert self._database.count("sfjwt_ledger") == 2
        assert left_over(self._database) == []
        undo(self._database)
        return Step(name, applied)


def table_of(label: str, steps: list[Step], lost: dict[int, Step | None]) -> Iterator[str]:
    """What a run prints of the killed merges.

    :param label: of the database.
    :param steps: killed before each of them.
    :param lost: killed after each of them, by their numbers.
    """
    found = {True: "all rows, the retry applied nothing", False: "no row, the retry applied all"}
    for number, step in enumerate(steps):
        later = lost.get(number)
        outcome = f"; killed after: {found[later.applied]}" if later else ""
        yield f"Kill table, {label} {number:02d} {step.name:<62} killed before: {found[step.applied]}{outcome}"


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
