"""The task that most tests of extracts run, and what it leaves."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator

FIELDS = ["Id", "Name", "AnnualRevenue", "SystemModstamp"]
RESULTS, JOB = "*/results*", "*/jobs/query/7*AAA"
WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
ACCOUNTS = Asset(name="accounts", uri="salesforce://salesforce_jwt_default/Account")


def extract(path: Path, **arguments: Any) -> SalesforceExtractOperator:
    """Accounts into a folder."""
    defaults = {"sobject": "Account", "fields": FIELDS, "file_format": "csv", "poll_interval": 0.05}
    return SalesforceExtractOperator(task_id="extract", output_path=f"file://{path}", **{**defaults, **arguments})


def watermark(path: Path, **arguments: Any) -> SalesforceExtractOperator:
    """The accounts that changed since the last run."""
    return extract(path, incremental="watermark", **{"inlets": [ACCOUNTS], **arguments})


def receipt_of(path: Path) -> dict[str, Any]:
    """The receipt in a folder."""
    receipt: dict[str, Any] = json.loads((path / "_receipt.json").read_text())
    return receipt


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of the CSV parts that the receipt lists."""
    rows: list[dict[str, str]] = []
    for part in receipt_of(path)["parts"]:
        with (path / part["name"]).open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    return rows


def published(path: Path) -> list[str]:
    """The files in a folder, by name."""
    return sorted(each.name for each in path.iterdir()) if path.exists() else []


def with_changes(**changes: Any) -> Any:
    """For a fault: an answer of JSON with other values."""
    return lambda answer: {**answer, **changes}
