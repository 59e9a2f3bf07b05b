"""Increments of an org in any sequence: after each, the table equals the org."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.tables import merge
from tests.random_tests import examples
from tests.tables.data_sets import ITEM, item, publish
from tests.tables.databases import TestDatabase

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
    database: TestDatabase
    deleted: str
    table: str = field(default_factory=lambda: f"t{uuid4().hex}")
    hour: int = 0
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    columns: dict[str, pa.DataType] = field(default_factory=lambda: dict(ITEM))
    sets: list[tuple[str, tuple[str, str] | None]] = field(default_factory=list)

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

    def extract(self, numbers: list[int], windowed: bool = True) -> str:
        """Publish some rows as they are now."""
        day = 1 + self.hour // 24
        window = (f"2026-11-{day:02d}T{self.hour % 24:02d}:00:00Z", f"2026-11-{day:02d}T{self.hour % 24:02d}:30:00Z")
        rows = [self.rows[number] for number in numbers]
        source = publish(
            self.folder / str(len(self.sets)), rows, types=self.columns, rows_per_part=3,
            window=window if windowed else None,
        )  # fmt: skip
        self.sets.append((source, window if windowed else None))
        return source

    def merge(self, source: Any) -> Any:
        """Merge into the table."""
        return merge(source, sql_conn_id="warehouse", table=self.table, deleted=self.deleted)

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
    seen["sequences"] += 1
    with tempfile.TemporaryDirectory() as folder:
        org = Org(Path(folder), database, deleted)
        for number in range(ROWS // 2):
            org.change(number, "change")
        org.merge(org.extract(list(org.rows)))
        org.check()
        for kind, detail in steps:
            seen[kind] += 1
            org.hour += 1
            play(org, kind, detail)
            org.check()


def play(org: Org, kind: str, detail: Any) -> None:
    """Take one step, and merge what it brings."""
    if kind == "increment":
        changed = [number for number, what in detail.items() if org.change(number, what)]
        org.merge(org.extract(changed))
    elif kind == "new column":
        org.columns[f"New{org.hour}__c"] = pa.string()
        changed = [number for number in range(3) if org.change(number, "touch")]
        org.merge(org.extract(changed))
    elif kind == "full":
        org.merge(org.extract(list(org.rows), windowed=False))
    elif kind == "repeat":
        source, _ = org.sets[-1 - detail % len(org.sets)]
        assert org.merge(source).already_applied == 1
    else:
        older(org, detail)


def older(org: Org, back: int) -> None:
    """An extract of an earlier hour that comes late: it is refused, since deleted rows could come back."""
    last = max((window[1] for _, window in org.sets if window), default="")
    hour, org.hour = org.hour, max(org.hour - back - 1, 0)
    rows, org.rows = org.rows, {number: item(number, "stale", hour=org.hour) for number in range(ROWS)}
    source = org.extract(list(org.rows))
    _, window = org.sets.pop()
    (org.folder / str(len(org.sets))).rename(org.folder / f"stale{hour}")
    org.hour, org.rows = hour, rows
    if window and window[1] < last:
        with pytest.raises(ConfigurationError, match="was merged up to"):
            org.merge(source.replace(f"/{len(org.sets)}", f"/stale{hour}"))
