"""What lies in a folder after an extract of accounts, read with nothing of ours, and shown to be what the org holds."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow.parquet as pq

from airflow_provider_sfjwt.testing import SimulatedOrg

FIELDS = ("Id", "Name", "AnnualRevenue", "SystemModstamp")

Rows: TypeAlias = list[tuple[Any, ...]]


def rows_in_org(org: SimulatedOrg) -> Rows:
    """All accounts, in the order in which the org returns them."""
    return [tuple(row[name] for name in FIELDS) for row in org.rows("Account")]


def rows_in_folder(folder: Path) -> Rows:
    """The rows of the parts that the receipt lists, in order, whatever their format."""
    return [_plain(row) for part in receipt_in(folder)["parts"] for row in _records(folder / part["name"])]


def receipt_in(folder: Path) -> dict[str, Any]:
    """The receipt."""
    receipt: dict[str, Any] = json.loads((folder / "_receipt.json").read_text(encoding="utf-8"))
    return receipt


def names_in(folder: Path) -> list[str]:
    """The files in the folder, by name."""
    return sorted(each.name for each in folder.iterdir()) if folder.exists() else []


def check_published(folder: Path) -> None:
    """See that the folder holds the receipt, the parts that it lists, byte for byte, and nothing else."""
    receipt = receipt_in(folder)
    assert names_in(folder) == sorted(["_receipt.json", *(part["name"] for part in receipt["parts"])])
    for part in receipt["parts"]:
        content = (folder / part["name"]).read_bytes()
        assert (len(content), sha256(content).hexdigest()) == (part["bytes"], part["sha256"])
        assert len(_records(folder / part["name"])) == part["records"]
    assert sum(part["records"] for part in receipt["parts"]) == receipt["records"]
    assert set(receipt["counts"].values()) == {receipt["records"]}


def _records(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        records: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return records
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)) if path.suffix == ".csv" else [json.loads(line) for line in file]


def _plain(row: dict[str, Any]) -> tuple[Any, ...]:
    """A row with the types of the org's own values. An empty cell of CSV is null."""
    assert tuple(row) == FIELDS
    revenue, moment = row["AnnualRevenue"], row["SystemModstamp"]
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return row["Id"], row["Name"] or None, None if revenue in (None, "") else float(revenue), moment
