"""The schema of receipts in the documentation, against receipts that real extracts wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from airflow.sdk.execution_time.context import set_current_context

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.json_schema import undescribed
from tests.repository import REPOSITORY

SCHEMA = json.loads((REPOSITORY / "docs/receipt.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
WINDOW = (datetime(1999, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 1, 12, 0, 0, 125000, tzinfo=timezone.utc))
TASK: Any = {"ti": SimpleNamespace(dag_id="dag", run_id="run", task_id="extract", map_index=-1)}

Extract = Callable[..., dict[str, Any]]

ORDERS: dict[str, dict[str, Any]] = {
    "Bulk API": {"sobject": "Account"},
    "REST": {"sobject": "Contact", "transport": "rest", "file_format": "csv"},
    "an object that Bulk API does not offer": {"sobject": "CaseStatus"},
    "a window": {"sobject": "Account", "window": WINDOW, "file_format": "jsonl"},
    "a window over REST": {"sobject": "Account", "window": WINDOW, "transport": "rest"},
    "no rows": {"sobject": "Account", "where": "Name = 'there is none'", "file_format": "csv", "compression": "gzip"},
    "a query": {"soql": "SELECT Id, Owner.Name FROM Contact", "file_format": "jsonl", "compression": "gzip"},
}


@pytest.fixture
def extract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Extract]:
    """Extract into one folder, and return what the receipt's file holds."""
    with SimulatedOrg(records={"Account": 25, "Contact": 5}, bulk_page_size=10, bulk_polls=0) as org:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", org.connection_json())

        def run(**order: Any) -> dict[str, Any]:
            with set_current_context(TASK):
                SalesforceJwtHook().extract(output_path=f"file://{tmp_path}", **order)
            receipt: dict[str, Any] = json.loads((tmp_path / "_receipt.json").read_text(encoding="utf-8"))
            return receipt

        yield run


def faults(receipt: dict[str, Any]) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(receipt)]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_real_receipts_follow_it_and_hold_nothing_that_it_does_not_describe(
    extract: Extract, order: dict[str, Any]
) -> None:
    for receipt in (extract(**order), extract(**order)):  # the second one replaces the first: it has a drift
        assert faults(receipt) == []
        assert undescribed(SCHEMA, receipt) == []
        assert set(SCHEMA["properties"]) - {"sql", "jobs", "cursor_field", "condition_sha256", "backfilled"} == set(
            receipt
        )
    assert receipt["drift"] is not None


WRONG: dict[str, dict[str, Any]] = {
    "another version": {"receipt_version": 3},
    "a count as text": {"records": "25"},
    "a negative count": {"api_calls": -1},
    "half a window": {"window": ["2026-01-01T00:00:00+00:00"]},
    "a window without a time zone": {"window": ["2026-01-01T00:00:00", "2026-01-02T00:00:00"]},
    "REST with a job": {"transport": "rest"},
    "Bulk API without a job": {"job_id": None},
    "an unknown transport": {"transport": "soap"},
    "no parts": {"parts": []},
    "a part without a hash": {"parts": [{"name": "part-00000-7505e0000000001AAA.csv", "records": 1, "bytes": 1}]},
    "a part elsewhere": {
        "parts": [{"name": "../part-00000-7505e0000000001AAA.csv", "records": 1, "bytes": 1, "sha256": "0" * 64}]
    },
    "a type that no part has": {"columns": [{"name": "Id", "salesforce_type": "id", "arrow_type": "float16"}]},
    "half a writer": {"written_by": {"dag_id": "dag", "run_id": "run"}},
    "a drift that says half": {"drift": {"added": []}},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_what_is_no_receipt_is_refused(extract: Extract, change: dict[str, Any]) -> None:
    receipt = extract(sobject="Account")
    assert faults(receipt) == []
    assert faults({**receipt, **change}) != []


def test_a_receipt_that_lacks_a_key_is_refused_unless_that_may_be_missing(extract: Extract) -> None:
    receipt = extract(sobject="Account")
    for key in receipt:
        lacking = {name: value for name, value in receipt.items() if name != key}
        assert bool(faults(lacking)) == (key not in ("transport", "written_by", "formulas")), key
