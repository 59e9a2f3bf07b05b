"""The rows that the load's benchmarks send: 1,000,000 records of 10 columns, made once as CSV and as typed Parquet."""

from __future__ import annotations

import argparse
import csv
import os
import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

SOBJECT, KEY = "Customer__c", "Ext__c"
ROWS, FILES = 1_000_000, 5
#: Name, type, length of text.
COLUMNS: tuple[tuple[str, str, int], ...] = (
    (KEY, "string", 40),
    ("Name", "string", 255),
    ("Industry__c", "string", 80),
    ("City__c", "string", 80),
    ("Description__c", "textarea", 32_000),
    ("Revenue__c", "currency", 0),
    ("Employees__c", "int", 0),
    ("IsActive__c", "boolean", 0),
    ("Since__c", "date", 0),
    ("LastVisit__c", "datetime", 0),
)
NAMES = tuple(column[0] for column in COLUMNS)
#: How a record ends, without quotes around the last cell and with them. No text has this within.
RECORD_ENDS = (b"Z\n", b'Z"\n')
_GROUP = 100_000
_INDUSTRIES = ("Agriculture", "Banking", "Biotechnology", "Construction", "Education", "Energy", "Retail", "Utilities")
_CITIES = ("Berlin", "Zürich", "São Paulo", "San Francisco", "Łódź", "New York", "東京", "Nairobi", "Reykjavík", "Oslo")
_WORDS = ("annual", "order", "renewal", "contract", "service", "partner", "east", "west", "large", "key", "account")
_FIRST_DAY = date(2015, 1, 1)
_EPOCH = datetime(2015, 1, 1, tzinfo=timezone.utc)


def rows(first: int, count: int) -> Iterator[tuple[Any, ...]]:
    """Some of the rows, the same ones each time, in the order of the columns.

    :param first: number of the first, from 0.
    :param count: how many.
    """
    chance = random.Random(first)
    for number in range(first, first + count):
        words = chance.choices(_WORDS, k=7)
        text = f"{' '.join(words)}, {words[0]} «{words[1]}»; see #{number % 9973}"
        yield (
            f"C-{number:09d}",
            f'{words[3].title()} & {words[4].title()}, "{number}" Inc.',
            chance.choice(_INDUSTRIES) if number % 10 else None,
            chance.choice(_CITIES),
            f'{text}\nsaid "{words[2]}", twice' if number % 20 == 0 else text,
            Decimal(chance.randrange(1_000_000_000)) / 100 if number % 7 else None,
            chance.randrange(50_000),
            number % 3 > 0,
            _FIRST_DAY + timedelta(days=chance.randrange(4000)),
            _EPOCH + timedelta(milliseconds=chance.randrange(300_000_000_000)),
        )


def prepare(folder: Path) -> None:
    """Write the files, unless they are there: five of each format, which are one under five names.

    :param folder: where to.
    """
    finished = folder / "complete"
    if finished.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    _write(path(folder, "csv"), path(folder, "parquet"))
    for ending in ("csv", "parquet"):
        for number in range(1, FILES):
            copy = path(folder, ending, number)
            copy.unlink(missing_ok=True)
            os.link(path(folder, ending), copy)
    finished.touch()


def path(folder: Path, ending: str, number: int = 0) -> Path:
    """A file. :param folder: of the files. :param ending: ``csv`` or ``parquet``. :param number: of the name."""
    return folder / f"customers-{number}.{ending}"


def describe() -> dict[str, Any]:
    """What Salesforce says of the object, as far as a load asks for it."""
    fields: list[dict[str, Any]] = [
        {
            "name": name,
            "label": name,
            "type": kind,
            "length": length,
            "createable": True,
            "updateable": True,
            "nillable": name != KEY,
            "defaultedOnCreate": False,
            "externalId": name == KEY,
            "idLookup": name == KEY,
            "unique": name == KEY,
            "caseSensitive": False,
            "relationshipName": None,
            "referenceTo": [],
            "picklistValues": [],
        }
        for name, kind, length in COLUMNS
    ]
    return {"name": SOBJECT, "label": SOBJECT, "createable": True, "updateable": True, "fields": fields}


def _write(csv_path: Path, parquet_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "string": pa.string(),
        "textarea": pa.string(),
        "currency": pa.decimal128(18, 2),
        "int": pa.int32(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "datetime": pa.timestamp("ms", "UTC"),
    }
    schema = pa.schema([(name, types[kind]) for name, kind, _ in COLUMNS])
    with csv_path.open("w", encoding="utf-8", newline="") as file, pq.ParquetWriter(parquet_path, schema) as parquet:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(NAMES)
        for first in range(0, ROWS, _GROUP):
            group = list(rows(first, _GROUP))
            writer.writerows([_text(value) for value in row] for row in group)
            columns = [
                pa.array(values, kind) for values, kind in zip(zip(*group, strict=True), schema.types, strict=True)
            ]
            parquet.write_table(pa.Table.from_arrays(columns, schema=schema))


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"
    return value


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    prepare(parser.parse_args().folder)


if __name__ == "__main__":
    main()
