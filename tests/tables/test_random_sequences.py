"""Increments of an org in any sequence: after each, the table equals the org."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.exceptions import ConfigurationError
from tests.random_tests import examples
from tests.tables.conftest import needs
from tests.tables.data_sets import ITEM, item, publish
from tests.tables.databases import DeltaTables, Tables, TestDatabase

ROWS = 12
CHANGES = st.dictionaries(
    st.integers(0, ROWS - 1), st.sampled_from(["change", "change", "delete", "undelete", "touch"]), max_size=6
)
STEPS = st.lists(
    st.one_of(
        CHANGES.map(lambda changes: ("increment", changes)),
        st.just(("new column", {})),
        st.integers(0, 5).map(lambda back: ("repeat", back)),
        st.integers(1, 5).map(lambda back: ("older", back)),
        st.just(("full", {})),
    ),
    min_size=2,
    max_size=7,
)
seen: Counter[str] = Counter()


@dataclass
class Org:
    """What the object's rows are, and the data sets that were extracted of it.

    :param folder: of the data sets.
    :param database: where the table is.
    :param deleted: how deleted rows are merged.
    """

    folder: Path
    database: Tables
    deleted: str
    table: str = field(default_factory=lambda: f"t{uuid4().hex}")
    hour: int = 0
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    columns: dict[str, pa.DataType] = field(default_factory=lambda: dict(ITEM))
    sets: list[str] = field(default_factory=list)
    #: After each step: the hour, the rows and the columns.
    history: list[tuple[int, dict[int, dict[str, Any]], dict[str, pa.DataType]]] = field(default_factory=list)

    def change(self, number: int, what: str) -> bool:
        """Do something to a row; false where it cannot be done."""
        row = self.rows.get(number)
        if what in ("delete", "touch") and (row is None or row["IsDeleted"]):
            return False
        if what == "undelete" and (row is None or not row["IsDeleted"]):
            return False
        if what == "change" and row is not None and row["IsDeleted"]:
            return False
        name = f"Name {self.hour}" if what == "change" or row is None else row["Name"]
        extra = {name: f"{name} {self.hour}" for name in self.columns if name.startswith("New")}
        self.rows[number] = item(number, name, hour=self.hour, deleted=what == "delete", **extra)
        return True

    def window(self) -> tuple[str, str]:
        """Half an hour of the org's."""
        hour = f"2026-11-{1 + self.hour // 24:02d}T{self.hour % 24:02d}"
        return f"{hour}:00:00Z", f"{hour}:30:00Z"

    def extract(self, numbers: Iterable[int], windowed: bool = True) -> str:
        """Publish some rows as they are now."""
        rows = [self.rows[number] for number in numbers]
        folder = self.folder / uuid4().hex
        window = self.window() if windowed else None
        self.sets.append(publish(folder, rows, types=self.columns, rows_per_part=3, window=window))
        return self.sets[-1]

    def merge(self, source: Any, **arguments: Any) -> Any:
        """Merge into the table."""
        return self.database.merge(source, self.table, deleted=self.deleted, **arguments)

    def check(self) -> None:
        """Compare the table with the org."""
        columns = [name for name in self.columns if name != "Owner.Name"]
        kept = [row for _, row in sorted(self.rows.items()) if self.deleted == "mark" or not row["IsDeleted"]]
        expected = [tuple(self.database.value(row.get(name)) for name in columns) for row in kept]
        assert self.database.rows(self.table, columns) == expected


@pytest.fixture(autouse=True, scope="module")
def reported(said: list[str]) -> Iterator[None]:
    yield
    if seen:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(seen.items()))
        said.append(f"Random increments into tables: {counts}; the table equalled the org after each")


@pytest.mark.parametrize("database", ["psycopg", "duckdb", "sqlite"], indirect=True)
@settings(max_examples=examples(7), suppress_health_check=list(HealthCheck))
@given(deleted=st.sampled_from(["delete", "mark"]), steps=STEPS)
def test_the_table_equals_the_org_after_each_increment(
    database: TestDatabase, deleted: str, steps: list[tuple[str, Any]]
) -> None:
    play(database, deleted, steps)


@settings(max_examples=examples(3), suppress_health_check=list(HealthCheck))
@given(deleted=st.sampled_from(["delete", "mark"]), steps=STEPS)
def test_a_delta_table_equals_the_org_after_each_increment(deleted: str, steps: list[tuple[str, Any]]) -> None:
    needs("deltalake")
    with tempfile.TemporaryDirectory() as folder:
        play(DeltaTables(Path(folder)), deleted, steps)


def play(database: Tables, deleted: str, steps: list[tuple[str, Any]]) -> None:
    """An org that lives through some steps, and a table that follows it."""
    seen["sequences"] += 1
    with tempfile.TemporaryDirectory() as folder:
        org = Org(Path(folder), database, deleted)
        for number in range(ROWS // 2):
            org.change(number, "change")
        org.merge(org.extract(org.rows))
        for kind, detail in steps:
            seen[kind] += 1
            org.check()
            org.history.append((org.hour, dict(org.rows), dict(org.columns)))
            org.hour += 1
            take(org, kind, detail)
        org.check()


def take(org: Org, kind: str, detail: Any) -> None:
    """Take one step, and merge what it brings."""
    if kind == "increment":
        org.merge(org.extract([number for number, what in detail.items() if org.change(number, what)]))
    elif kind == "new column":
        org.columns[f"New{org.hour}__c"] = pa.string()
        org.merge(org.extract([number for number in range(3) if org.change(number, "touch")]))
    elif kind == "full":
        org.merge(org.extract(org.rows, windowed=False))
    elif kind == "repeat":
        assert org.merge(org.sets[-1 - detail % len(org.sets)]).already_applied == 1
    else:
        older(org, detail)


def older(org: Org, back: int) -> None:
    """An extract of an earlier hour that comes late. Where deleted rows leave the table, they could come back by it."""
    now = org.hour, org.rows, org.columns
    org.merge(org.extract([]))  # so that there is a newer one
    org.hour, org.rows, org.columns = org.history[-1 - back % len(org.history)]
    source = org.extract(org.rows)
    org.hour, org.rows, org.columns = now
    with pytest.raises(ConfigurationError, match="allow_older=True merges it all the same"):
        org.merge(source)
    if org.deleted == "mark":
        org.merge(source, allow_older=True)
    else:
        org.sets.remove(source)  # it was not merged, and cannot be repeated
