"""The records of a JSON batch as the rows of a table, which the Bulk API reads alike in all its formats.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_prepare_json.htm
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from airflow_provider_sfjwt.testing.bulk.ingest_csv import JobFailure
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.dml.cell_values import NULL


def table_of(sobject: SObject, records: Any) -> tuple[list[str], list[list[str]]]:
    """Return the columns and the cells of a batch. A field that a record lacks is an empty cell.

    :param records: decoded JSON.
    :raises JobFailure: for anything but a list of objects.
    """
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise JobFailure("InvalidBatch : Failed to parse JSON. A batch is an array of objects")
    flat = [_cells(sobject, record) for record in records]
    names = list(dict.fromkeys(name for cells in flat for name in cells))
    return names, [_row(cells, names) for cells in flat]


def _row(cells: dict[str, str], names: Sequence[str]) -> list[str]:
    return [cells.get(name, "") for name in names]


def _cells(sobject: SObject, record: dict[str, Any]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, value in record.items():
        if name == "attributes":
            continue
        if isinstance(value, dict):
            cells |= _parent(sobject, name, value)
        else:
            cells[name] = _text(value)
    return cells


def _parent(sobject: SObject, relationship: str, parent: dict[str, Any]) -> dict[str, str]:
    """A parent that is named by a key, as in ``"Account": {"Key__c": "a"}``."""
    attributes = parent.get("attributes")
    kind = attributes.get("type") if isinstance(attributes, dict) else None
    reference = sobject.relationship(relationship)
    # Where the parent may be one of several objects, it is named first.
    prefix = f"{kind}:" if kind and reference is not None and len(reference.reference_to) > 1 else ""
    return {f"{prefix}{relationship}.{name}": _text(value) for name, value in parent.items() if name != "attributes"}


def _text(value: Any) -> str:
    if value is None or value == "":
        return NULL
    return value if isinstance(value, str) else json.dumps(value)
