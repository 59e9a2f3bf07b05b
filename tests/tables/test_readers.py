"""Who reads a table while rows are merged into it sees whole increments. DuckDB lets no other process read meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.tables import merge
from tests.tables.data_sets import item, publish
from tests.tables.databases import TestDatabase
from tests.tables.killed_merges import merge_together

MERGE: dict[str, Any] = {"sql_conn_id": "warehouse", "table": "items"}


@pytest.mark.parametrize("database", ["psycopg", "sqlite"], indirect=True)
def test_a_reader_beside_merges_sees_whole_increments(database: TestDatabase, tmp_path: Path) -> None:
    merge(publish(tmp_path / "0", [item(number, "state 0") for number in range(200)]), **MERGE)
    sources = [
        publish(tmp_path / str(state), [item(number, f"state {state}", hour=state) for number in range(200)])
        for state in range(1, 4)
    ]
    seen: set[tuple[Any, ...]] = set()

    def read() -> None:
        seen.add(database.run('SELECT count(*), count(DISTINCT "Name") FROM items')[0])

    several = [{"receipt": source, **MERGE} for source in sources]
    assert merge_together(database.connection_json(), several, meanwhile=read) == [0, 0, 0]
    assert seen == {(200, 1)}
    assert database.run('SELECT DISTINCT "Name" FROM items') == [("state 3",)]
