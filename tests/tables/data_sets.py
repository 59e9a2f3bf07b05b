"""Published data sets with the values that a test wants, as an extract of version 1 leaves them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ID, STAMP = pa.string(), pa.timestamp("ms", tz="UTC")
#: The columns of the small object that most tests merge.
ITEM = {
    "Id": ID,
    "Name": pa.string(),
    "Amount__c": pa.decimal128(38, 18),
    "Owner.Name": pa.string(),
    "IsDeleted": pa.bool_(),
    "SystemModstamp": STAMP,
}
_NAMES = {pa.float64(): "float64", pa.date32(): "date32"}


def item(
    number: int, name: str | None = None, *, hour: int = 0, deleted: bool = False, **others: Any
) -> dict[str, Any]:
    """A row of ``Item__c``.

    :param number: makes its id.
    :param name: of the item.
    :param hour: of its last change.
    :param deleted: whether it is in the recycle bin.
    """
    changed = datetime(2026, 11, 1 + hour // 24, hour % 24, tzinfo=timezone.utc)
    row = {"Id": record_id(number), "Name": name or f"Item {number}", "IsDeleted": deleted, "SystemModstamp": changed}
    return {**row, **others}


def record_id(number: int) -> str:
    """The id of an item."""
    return f"a00{number:012d}AAA"


def publish(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    *,
    types: Mapping[str, pa.DataType] = ITEM,
    sobject: str | None = "Item__c",
    window: tuple[str, str] | None = None,
    rows_per_part: int = 1000,
    org_id: str | None = None,
    deleted: Mapping[str, datetime | None] | None = None,
    **changes: Any,
) -> str:
    """Write parts and a receipt.

    :param folder: of the data set.
    :param rows: by the names of columns; one that is missing is null.
    :param types: of the columns, in order.
    :param sobject: of the receipt.
    :param window: of the receipt.
    :param rows_per_part: rows of a part.
    :param org_id: of the receipt; None leaves it out, as version 1 does.
    :param deleted: when records were deleted that are not among the rows, by id.
    :param changes: keys of the receipt to be written otherwise.
    :return: the folder's URL, as an extract returns it.
    """
    schema = pa.schema([pa.field(name, each) for name, each in types.items()])
    pieces = (rows[start : start + rows_per_part] for start in range(0, max(len(rows), 1), rows_per_part))
    tables = (pa.Table.from_pylist([dict(row) for row in piece], schema=schema) for piece in pieces)
    if org_id:
        changes["org_id"] = org_id
    if deleted is not None:
        changes |= {"receipt_version": 2, "deletes": {"source": "replicated", "parts": [_deletions(folder, deleted)]}}
    return publish_tables(folder, tables, sobject=sobject, window=list(window) if window else None, **changes)


def _deletions(folder: Path, deleted: Mapping[str, datetime | None]) -> dict[str, Any]:
    """Write a file of deleted records, and return how the receipt lists it."""
    folder.mkdir(parents=True)
    table = pa.table({"Id": pa.array(deleted, ID), "DeletedDate": pa.array(deleted.values(), STAMP)})
    path = folder / "deleted-00000-deleted0123456789ab.parquet"
    pq.write_table(table, path)
    data = path.read_bytes()
    return {
        "name": path.name,
        "records": table.num_rows,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def publish_tables(folder: Path, tables: Iterable[pa.Table], *, sobject: str | None, **changes: Any) -> str:
    """Write parts and a receipt.

    :param folder: of the data set.
    :param tables: the rows of each part; at least one.
    :param sobject: of the receipt.
    :param changes: keys of the receipt to be written otherwise.
    :return: the folder's URL, as an extract returns it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[dict[str, Any]] = []
    types: dict[str, pa.DataType] = {}
    for place, table in enumerate(tables):
        types = dict(zip(table.column_names, table.schema.types, strict=True))
        path = folder / f"part-{place:05d}-750000000000001AAA.parquet"
        pq.write_table(table, path)
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        parts.append({"name": path.name, "records": table.num_rows, "bytes": len(data), "sha256": digest})
    records = sum(part["records"] for part in parts)
    receipt = {
        "receipt_version": 1,
        "sobject": sobject,
        "soql": f"SELECT {', '.join(types)} FROM {sobject}",
        "window": None,
        "job_id": f"750{hashlib.sha256(str(folder).encode()).hexdigest()[:15]}",
        "api_version": "66.0",
        "records": records,
        "counts": dict.fromkeys(("written", "pages", "job"), records),
        "parts": parts,
        "columns": [
            {"name": name, "salesforce_type": "string", "arrow_type": arrow_name(each)} for name, each in types.items()
        ],
        "drift": None,
        "file_format": "parquet",
        "api_calls": 1,
        "seconds": 1.0,
        "package_version": "0.1.0",
        "transport": "bulk",
        **changes,
    }
    (folder / "_receipt.json").write_text(json.dumps(receipt), encoding="utf-8")
    return f"file://{folder}"


def arrow_name(kind: pa.DataType) -> str:
    """The type as a receipt names it."""
    return _NAMES.get(kind, str(kind))
