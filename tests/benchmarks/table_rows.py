"""The data sets that the benchmarks of tables merge: 16 columns, 1,000,000 and 5,000,000 rows, and 200,000 changes."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tests.tables.data_sets import publish_tables

ROWS, MORE_ROWS, CHANGES = 1_000_000, 5_000_000, 200_000
#: Names of the data sets, as folders.
SMALL, LARGE, CHANGED = "small", "large", "changed"
_PART = 100_000
_NUMBER = pa.decimal128(38, 18)
_MOMENT = pa.timestamp("ms", tz="UTC")
COLUMNS = {
    "Id": pa.string(),
    "IsDeleted": pa.bool_(),
    "Name": pa.string(),
    "Description": pa.string(),
    "Industry": pa.string(),
    "Owner.Name": pa.string(),
    "Order__c": pa.string(),
    "Amount__c": _NUMBER,
    "Probability__c": _NUMBER,
    "Score__c": pa.float64(),
    "NumberOfEmployees": pa.int64(),
    "Active__c": pa.bool_(),
    "Since__c": pa.date32(),
    "Opens__c": pa.time32("ms"),
    "CreatedDate": _MOMENT,
    "SystemModstamp": _MOMENT,
}
_INDUSTRIES = ("Agriculture", "Banking", "Biotechnology", "Construction", "Education", "Energy", "Retail", "Utilities")
_TEXTS = (
    'said "hello", twice',
    "two\nlines",
    "a\ttab and a \\ backslash",
    "東京 🚀",
    r"\N",
    "annual order, renewed",
    "",
)
_EPOCH = datetime(2015, 1, 1, tzinfo=timezone.utc)


def prepare(folder: Path) -> None:
    """Write the data sets, unless they are there.

    :param folder: where to.
    """
    if (folder / "complete").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    print("Making the rows…", flush=True)
    part = pa.Table.from_pylist(list(_rows()), schema=pa.schema(list(COLUMNS.items())))
    publish_tables(folder / SMALL, _parts(part, ROWS), sobject="Account")
    publish_tables(folder / LARGE, _parts(part, MORE_ROWS), sobject="Account")
    publish_tables(folder / CHANGED, _changes(part), sobject="Account")
    (folder / "complete").touch()


def source(folder: Path, name: str) -> str:
    """The URL of a data set. :param folder: of all. :param name: of this one."""
    return f"file://{folder / name}"


def _rows() -> Iterator[dict[str, Any]]:
    """The rows of one part, the same ones each time."""
    chance = random.Random(1)
    for number in range(_PART):
        changed = _EPOCH + timedelta(milliseconds=chance.randrange(300_000_000_000))
        yield {
            "Id": "",
            "IsDeleted": False,
            "Name": f'Company {number} & "Sons", Inc.',
            "Description": f"{chance.choice(_TEXTS)}; see #{number % 9973}, {chance.random()}",
            "Industry": chance.choice(_INDUSTRIES) if number % 10 else None,
            "Owner.Name": f"Ada {number % 97}",
            "Order__c": f"O-{chance.randrange(10**9)}",
            "Amount__c": Decimal(chance.randrange(1_000_000_000)) / 100 if number % 7 else None,
            "Probability__c": Decimal(chance.randrange(10_000)) / 100,
            "Score__c": chance.random() * 1e6,
            "NumberOfEmployees": chance.randrange(50_000),
            "Active__c": number % 3 > 0,
            "Since__c": date(2015, 1, 1) + timedelta(days=chance.randrange(4000)),
            "Opens__c": time(chance.randrange(24), 30),
            "CreatedDate": changed - timedelta(days=30),
            "SystemModstamp": changed,
        }


def _ids(first: int, count: int, step: int = 1) -> pa.Array:
    return pa.array([f"001{number:012d}AAA" for number in range(first, first + count * step, step)])


def _with(table: pa.Table, **columns: pa.Array) -> pa.Table:
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, values)
    return table


def _parts(part: pa.Table, rows: int) -> Iterator[pa.Table]:
    """The part under other ids, until there are so many rows."""
    for first in range(0, rows, _PART):
        yield _with(part, Id=_ids(first, _PART))


def _changes(part: pa.Table) -> Iterator[pa.Table]:
    """Changes of every 25th row of all; one of fifty is deleted."""
    step = MORE_ROWS // CHANGES
    later = pc.add(part.column("SystemModstamp"), pa.scalar(timedelta(days=4000), pa.duration("ms")))
    names = pc.binary_join_element_wise(part.column("Name"), pa.scalar("renamed"), pa.scalar(", "))
    deleted = pa.array([number % 50 == 0 for number in range(_PART)])
    for first in range(0, CHANGES, _PART):
        ids = _ids(first * step, _PART, step)
        yield _with(part, Id=ids, IsDeleted=deleted, Name=names, SystemModstamp=later)
