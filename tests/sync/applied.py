"""A chain applied in its order, and the org's own rows, in the same shape: what a reader has must equal what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_provider_sfjwt.sync import read_sync
from airflow_provider_sfjwt.testing import SimulatedOrg

Rows = dict[str, dict[str, Any]]


def applied(root: Path, sobject: str) -> Rows:
    """The rows that a chain leaves, by id: deletions first, then rows. Columns that are null are left out."""
    rows: Rows = {}
    for each in read_sync(f"file://{root}", sobject):
        if each.replaces_all:
            rows.clear()
        changed = each.receipt.cursor_field
        for deletion in each.deletions().to_pylist():
            known = rows.get(deletion["Id"])
            if known and (deletion["DeletedDate"] is None or known[changed] <= deletion["DeletedDate"]):
                del rows[deletion["Id"]]
        for row in each.rows().read_all().to_pylist():
            if not each.only_formulas:
                rows[row["Id"]] = row
            elif row["Id"] in rows:
                rows[row["Id"]] |= row
    return {record: _without_nulls(row) for record, row in rows.items()}


def in_org(org: SimulatedOrg, sobject: str) -> Rows:
    """The rows of an org that are not deleted, as a chain has them."""
    rows = (row for row in org.rows(sobject) if not row["IsDeleted"])
    return {row["Id"]: _without_nulls(row) for row in rows}


def _without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    return {name: float(value) if _is_number(value) else value for name, value in row.items() if value is not None}


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool | str) and hasattr(value, "__float__")
