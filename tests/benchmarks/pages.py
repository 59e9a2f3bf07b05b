"""The data of the benchmarks: 1,000,000 accounts of 16 columns, made once and kept as files that a server can send.

The same rows lie there three times: as pages of Bulk API 2.0 (CSV), as pages of a REST query and as results of the first
Bulk API (both JSON), since each peer asks for another of them.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

SOBJECT = "Account"
PAGE_ROWS = 100_000
REST_ROWS = 2_000
#: Pages that differ. A longer result serves them again under other locators.
DISTINCT_PAGES = 10
#: Name, type, precision, scale.
COLUMNS: tuple[tuple[str, str, int, int], ...] = (
    ("Id", "id", 0, 0),
    ("Name", "string", 0, 0),
    ("AccountNumber", "string", 0, 0),
    ("Industry", "picklist", 0, 0),
    ("BillingCity", "string", 0, 0),
    ("Description", "textarea", 0, 0),
    ("AnnualRevenue", "currency", 18, 2),
    ("Probability__c", "percent", 5, 2),
    ("NumberOfEmployees", "int", 8, 0),
    ("Weight__c", "double", 18, 6),
    ("IsActive__c", "boolean", 0, 0),
    ("SLAExpirationDate__c", "date", 0, 0),
    ("CreatedDate", "datetime", 0, 0),
    ("LastModifiedDate", "datetime", 0, 0),
    ("SystemModstamp", "datetime", 0, 0),
    ("OwnerId", "reference", 0, 0),
)
NAMES = tuple(column[0] for column in COLUMNS)
_MOMENTS = {name for name, kind, _, _ in COLUMNS if kind == "datetime"}
_INDUSTRIES = ("Agriculture", "Banking", "Biotechnology", "Construction", "Education", "Energy", "Retail", "Utilities")
_CITIES = ("Berlin", "Zürich", "São Paulo", "San Francisco", "Łódź", "New York", "東京", "Nairobi", "Reykjavík", "Oslo")
_WORDS = ("annual", "order", "renewal", "contract", "service", "partner", "east", "west", "large", "key", "account")
_EPOCH = datetime(2015, 1, 1, tzinfo=timezone.utc)

Row = dict[str, Any]


def rows(page: int) -> Iterator[Row]:
    """The rows of one page, the same ones each time.

    :param page: its number, from 0.
    """
    chance = random.Random(page)
    for number in range(page * PAGE_ROWS, (page + 1) * PAGE_ROWS):
        words = chance.choices(_WORDS, k=7)
        created = _EPOCH + timedelta(milliseconds=chance.randrange(300_000_000_000))
        modified = created + timedelta(milliseconds=chance.randrange(3_000_000_000))
        description = f"{' '.join(words)}, {words[0]} «{words[1]}»; see #{number % 9973}"
        if number % 20 == 0:
            description += '\nsaid "' + words[2] + '", twice'
        yield {
            "Id": f"001{number:012d}AAA",
            "Name": f'{words[3].title()} & {words[4].title()}, "{number}" Inc.',
            "AccountNumber": f"AC-{number:09d}" if number % 10 else None,
            "Industry": chance.choice(_INDUSTRIES),
            "BillingCity": chance.choice(_CITIES),
            "Description": description,
            "AnnualRevenue": round(chance.uniform(0, 10_000_000), 2) if number % 7 else None,
            "Probability__c": round(chance.uniform(0, 100), 2),
            "NumberOfEmployees": chance.randrange(50_000),
            "Weight__c": round(chance.uniform(0, 100_000), 6),
            "IsActive__c": number % 3 > 0,
            "SLAExpirationDate__c": created.date().isoformat(),
            "CreatedDate": created,
            "LastModifiedDate": modified,
            "SystemModstamp": modified,
            "OwnerId": f"005{number % 977:012d}AAA",
        }


def prepare(folder: Path) -> None:
    """Write every page as a file, unless they are there.

    :param folder: where to.
    """
    finished = folder / "complete"
    if finished.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for page in range(DISTINCT_PAGES):
        _write_page(folder, page)
    finished.touch()


def csv_file(folder: Path, page: int) -> Path:
    """A page of Bulk API 2.0. :param folder: of the files. :param page: from 0, beyond the distinct ones too."""
    return folder / f"bulk2-{page % DISTINCT_PAGES}.csv"


def beginning(folder: Path, page: int) -> tuple[bytes, int]:
    """What is sent in place of a page's beginning, so that a page which is served again does not hold the same rows.

    :param folder: of the files.
    :param page: from 0.
    :return: the bytes, and where in the file the rest begins.
    """
    if page < DISTINCT_PAGES:
        return b"", 0
    first_id = f'"001{page:012d}ZZZ"'.encode()
    with csv_file(folder, page).open("rb") as file:
        header = file.readline()
    return header + first_id, len(header) + len(first_id)


def rest_file(folder: Path, offset: int) -> Path:
    """The records of a REST page, without brackets. :param folder: of the files. :param offset: of its first row."""
    page, within = divmod(offset, PAGE_ROWS)
    return folder / f"rest-{page % DISTINCT_PAGES}-{within // REST_ROWS:02d}.json"


def bulk1_file(folder: Path, page: int) -> Path:
    """A result of the first Bulk API. :param folder: of the files. :param page: from 0."""
    return folder / f"bulk1-{page % DISTINCT_PAGES}.json"


def describe() -> dict[str, Any]:
    """What Salesforce says of the object, as far as a client of the benchmarks asks for it."""
    fields = [
        {
            "name": name,
            "label": name,
            "type": kind,
            "precision": precision,
            "scale": scale,
            "calculated": False,
            "compoundFieldName": None,
            "relationshipName": "Owner" if kind == "reference" else None,
            "referenceTo": ["User"] if kind == "reference" else [],
        }
        for name, kind, precision, scale in COLUMNS
    ]
    return {"name": SOBJECT, "label": SOBJECT, "queryable": True, "fields": fields}


def _write_page(folder: Path, page: int) -> None:
    texts, rest, bulk1 = [",".join(f'"{name}"' for name in NAMES)], [], []
    for row in rows(page):
        texts.append(",".join(_cell(value) for value in row.values()))
        attributes = {"type": SOBJECT, "url": f"/services/data/v66.0/sobjects/{SOBJECT}/{row['Id']}"}
        moments = {name: row[name] for name in _MOMENTS}
        rest.append(_json({"attributes": attributes} | row | {n: f"{_iso(m)}+0000" for n, m in moments.items()}))
        milliseconds = {name: int(moment.timestamp() * 1000) for name, moment in moments.items()}
        bulk1.append(_json({"attributes": attributes} | row | milliseconds))
    csv_file(folder, page).write_text("\n".join(texts) + "\n", encoding="utf-8")
    for start in range(0, PAGE_ROWS, REST_ROWS):
        records = ",".join(rest[start : start + REST_ROWS])
        rest_file(folder, page * PAGE_ROWS + start).write_text(records, encoding="utf-8")
    bulk1_file(folder, page).write_text("[" + ",".join(bulk1) + "]", encoding="utf-8")


def _cell(value: Any) -> str:
    """Salesforce quotes every cell, the empty ones too."""
    if value is None:
        return '""'
    if isinstance(value, bool):
        return '"true"' if value else '"false"'
    if isinstance(value, datetime):
        return f'"{_iso(value)}Z"'
    return '"' + str(value).replace('"', '""') + '"'


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def _json(record: Row) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    prepare(parser.parse_args().folder)


if __name__ == "__main__":
    main()
