from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_sfjwt.files.values.cells import NULL
from airflow_provider_sfjwt.load.columns import LoadColumn
from airflow_provider_sfjwt.load.sending.json_records import record_of
from airflow_provider_sfjwt.testing import Field


def column(kind: str = "string", header: str = "It__c", reference: Field | None = None) -> LoadColumn:
    parent = reference.described() if reference is not None else None
    return LoadColumn(header, header, Field("It__c", kind).described(), parent)


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("string", "5", "5"),
        ("string", " x ", " x "),
        ("string", NULL, None),
        ("boolean", "YES", True),
        ("boolean", "0", False),
        ("boolean", "maybe", "maybe"),
        ("int", "5", 5),
        ("int", "1e2", 100),
        ("int", NULL, None),
        ("double", "1.5", 1.5),
        ("double", "-.5", -0.5),
        ("double", "9007199254740993", "9007199254740993"),  # a float would round it
        ("double", "0.1234567890123456789", "0.1234567890123456789"),
        ("double", "1e999", "1e999"),
        ("double", "1.5d", "1.5d"),
        ("date", "2026-01-31", "2026-01-31"),
    ],
)
def test_a_cell_becomes_the_json_of_its_fields_type(kind: str, cell: str, value: Any) -> None:
    record = record_of({"It__c": cell}, [column(kind)])
    assert record == {"It__c": value}
    assert type(record["It__c"]) is type(value)
    assert json.loads(json.dumps(record)) == record


@pytest.mark.parametrize("cell", [None, ""])
def test_an_empty_cell_is_left_out(cell: str | None) -> None:
    assert record_of({"It__c": cell}, [column()]) == {}


def test_a_parent_is_named_by_its_key() -> None:
    who = Field("Who__c", "reference", reference_to=("Lead", "Contact"), relationship_name="Who__r")
    plain, typed = column(header="Who__r.Email", reference=who), column(header="Lead:Who__r.Email", reference=who)
    assert record_of({plain.header: "a@b"}, [plain]) == {"Who__r": {"Email": "a@b"}}
    assert record_of({typed.header: "a@b"}, [typed]) == {"Who__r": {"Email": "a@b", "attributes": {"type": "Lead"}}}
    assert record_of({typed.header: NULL}, [typed]) == {"Who__c": None}
