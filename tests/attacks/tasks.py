"""The tasks that are attempted at once: an extract and a load, small enough to be tried hundreds of times."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.operators.shares import FetchShareOperator, PlanSharesOperator
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.operators.load_task import LoadInParts

FIELDS = ["Id", "Name", "AnnualRevenue", "SystemModstamp"]


def extracting(path: str, **arguments: Any) -> SalesforceExtractOperator:
    """Accounts into a folder, in several pages."""
    defaults = {
        "sobject": "Account",
        "fields": FIELDS,
        "file_format": "csv",
        "poll_interval": 0.05,
        "parallel_pages": 2,
    }
    return SalesforceExtractOperator(task_id="extract", output_path=path, **{**defaults, **arguments})


def planning(path: str, **arguments: Any) -> PlanSharesOperator:
    """Accounts of a group whose tasks share the pages."""
    defaults = {"sobject": "Account", "fields": FIELDS, "file_format": "csv", "poll_interval": 0.05}
    wanted = {**defaults, "transport": "bulk", "deferrable": False, **arguments}
    return PlanSharesOperator(task_id="plan", group="big", output_path=path, **wanted)


def fetching(path: str, share: dict[str, Any], **arguments: Any) -> FetchShareOperator:
    """A share of these accounts, one page after another."""
    extract = {"sobject": "Account", "fields": FIELDS, "file_format": "csv", "parallel_pages": 1, "transport": "bulk"}
    extract |= {"salesforce_conn_id": "salesforce_jwt_default", "output_path": path, **arguments}
    return FetchShareOperator(task_id="fetch", group="big", share=share, extract=extract)


def loading(sobject: str, rows: list[dict[str, Any]], **arguments: Any) -> LoadInParts:
    """Rows into an object, in several parts."""
    wanted = {"operation": "insert", "transport": "bulk", "poll_interval": 0.01, "part_bytes": 1000, "parallel_jobs": 2}
    return LoadInParts(task_id="load", sobject=sobject, source=rows, **{**wanted, **arguments})


def faults_of_data_set(files: dict[str, bytes], org: SimulatedOrg) -> list[str]:
    """What is wrong with a published data set: its receipt, its rows, and files that no receipt lists.

    :param files: of the folder, by name.
    :param org: where the rows came from.
    """
    if "_receipt.json" not in files:
        return ["there is no receipt"]
    receipt = json.loads(files["_receipt.json"])
    faults, ids = [], []
    for part in receipt["parts"]:
        content = files.get(part["name"], b"")
        if hashlib.sha256(content).hexdigest() != part["sha256"]:
            faults.append(f"{part['name']} is not what the receipt lists ({len(content)} of {part['bytes']} bytes)")
        ids += [row["Id"] for row in csv.DictReader(content.decode().splitlines())]
    if ids != [row["Id"] for row in org.rows("Account")]:
        faults.append(f"{len(ids)} rows are not those of the org")
    stray = files.keys() - {part["name"] for part in receipt["parts"]} - {"_receipt.json"}
    return faults + [f"{name} is a stray file" for name in sorted(stray)]


def files_in(folder: Path) -> dict[str, bytes]:
    """The files of a local folder, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def faults_of_load(org: SimulatedOrg, sobject: str, rows: list[dict[str, Any]]) -> list[str]:
    """Rows that are missing in the org, or came twice."""
    loaded = Counter(row["Number__c"] for row in org.rows(sobject))
    wanted = Counter(row["Number__c"] for row in rows)
    return [] if loaded == wanted else [f"missing {dict(wanted - loaded)}, too many {dict(loaded - wanted)}"]
