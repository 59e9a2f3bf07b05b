"""Extracts of a small org, and what they leave."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.testing import SimulatedOrg

#: Paths of a query over REST, and of a look at a job.
QUERY, JOB = "*/data/v??.0/query*", "*/jobs/query/7*AAA"

TRANSPORTS = pytest.mark.parametrize("transport", ["bulk", "rest"])
FORMATS = pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])


def extract(folder: Path, **arguments: Any) -> Receipt:
    """Extract with the hook."""
    defaults = {"output_path": f"file://{folder}", "file_format": "csv", "poll_interval": 0.01}
    return SalesforceJwtHook().extract(**{**defaults, **arguments})


def task(folder: Path, **arguments: Any) -> SalesforceExtractOperator:
    """A task that extracts the ids of all accounts."""
    defaults: dict[str, Any] = {"sobject": "Account", "fields": ["Id"], "file_format": "csv", "poll_interval": 0.01}
    return SalesforceExtractOperator(task_id="extract", output_path=f"file://{folder}", **{**defaults, **arguments})


def rows_of(receipt: Receipt) -> list[dict[str, Any]]:
    """The rows of a data set, in any format; of CSV as texts."""
    rows: list[dict[str, Any]] = []
    for part in receipt.parts:
        path = Path(receipt.output_path.removeprefix("file://")) / part.name
        if receipt.file_format == "parquet":
            rows += pq.read_table(path).to_pylist()
        elif receipt.file_format == "jsonl":
            rows += map(json.loads, path.read_text("utf-8").splitlines())
        else:
            with path.open(encoding="utf-8", newline="") as file:
                rows += csv.DictReader(file)
    return rows


def names_of(receipt: Receipt) -> list[str]:
    """The names of the columns, as the first part has them; of JSON lines as the receipt has them."""
    path = Path(receipt.output_path.removeprefix("file://")) / receipt.parts[0].name
    if receipt.file_format == "parquet":
        return list(pq.read_schema(path).names)
    if receipt.file_format == "jsonl":
        return [column["name"] for column in receipt.columns]
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


def described(org: SimulatedOrg) -> list[str]:
    """The objects that were described, in order."""
    paths = [request.path for request in org.requests if request.path.endswith("/describe")]
    return [path.split("/")[-2] for path in paths]
