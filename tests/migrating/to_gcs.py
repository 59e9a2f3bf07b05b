"""``python -m tests.migrating.to_gcs``: the transfer to Google Cloud Storage and the same task here, as JSON.

It is a program of its own, since Google's provider wants other versions of what the tests use.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import sys
from contextlib import suppress
from typing import Any

os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"  # otherwise gcsfs asks Google what kind of bucket each one is

from airflow.providers.google.cloud.transfers.salesforce_to_gcs import SalesforceToGcsOperator
from airflow.providers.salesforce.hooks.salesforce import SalesforceHook
from simple_salesforce import Salesforce

from airflow_provider_sfjwt.files.storage.file_writer import BLOCK_SIZE, writing
from airflow_provider_sfjwt.files.storage.paths import storage_path
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.migrating.object_storage import Buckets, object_storage

SOQL = "SELECT Id, Name, NumberOfEmployees FROM Account"
#: By name: what both sides are given.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "csv": ({}, {}),
    "ndjson": ({"export_format": "ndjson"}, {"file_format": "jsonl"}),
    "gzip": ({"gzip": True}, {"compression": "gzip"}),
    "include_deleted": ({"include_deleted": True}, {"include_deleted": True}),
    "query_params": ({"query_params": {"headers": {"Sforce-Query-Options": "batchSize=200"}}}, {}),
    "unwrap_single": ({"unwrap_single": False}, {}),
}


def _given(task: Any, arguments: dict[str, Any]) -> Any:
    """The task with other arguments than those that are shown, which it has only assigned so far."""
    for name, value in arguments.items():
        assert hasattr(task, name), name
        setattr(task, name, value)
    return task


def official_to_gcs(**arguments: Any) -> Any:
    # [START gcs_official]
    accounts = SalesforceToGcsOperator(
        task_id="accounts",
        query=SOQL,
        salesforce_conn_id="salesforce_default",
        bucket_name="lake",
        object_name="official/accounts.csv",
        gcp_conn_id="google_cloud_default",
        unwrap_single=True,
    )
    # [END gcs_official]
    return _given(accounts, arguments)


def to_gcs(**arguments: Any) -> Any:
    # [START gcs]
    accounts = SalesforceExtractOperator(
        task_id="accounts",
        soql=SOQL,
        output_path="gs://google_cloud_default@lake/accounts",
        file_format="csv",
    )
    # [END gcs]
    return _given(accounts, arguments)


def _texts(buckets: Buckets, folder: str) -> list[str]:
    """The files of a folder, unpacked."""
    found = [content for (_, name), content in sorted(buckets.objects.items()) if name.startswith(folder)]
    return [(gzip.decompress(each) if each.startswith(b"\x1f\x8b") else each).decode() for each in found]


def _ran(buckets: Buckets, official: dict[str, Any], here: dict[str, Any]) -> dict[str, Any]:
    result = {"official": official_to_gcs(**official).execute({}), "here": to_gcs(**here).execute({})}
    return {"result": result, "official": _texts(buckets, "official/"), "here": _texts(buckets, "accounts/part-")}


def _large_files(buckets: Buckets) -> dict[str, bool]:
    """What is there of files that take several requests: of a whole one, and of one that breaks off."""
    folder = storage_path("gs://google_cloud_default@lake/large")
    content = random.Random(1).randbytes(3 * BLOCK_SIZE + 1)
    with writing(folder / "whole") as file:
        file.write(content)
    with suppress(ZeroDivisionError), writing(folder / "broken") as file:
        file.write(content)
        file.write(bytes(1 // len(content[:0])))
    return {
        "whole": buckets.objects["lake", "large/whole"] == content,
        "broken": ("lake", "large/broken") in buckets.objects,
    }


def main() -> None:
    made = SimulatedOrg(tls=True, records={"Account": 25}, rest_page_size=10, bulk_polls=0)
    with made as org, object_storage() as (address, buckets):
        os.environ["REQUESTS_CA_BUNDLE"] = str(org.ca_bundle)
        os.environ["STORAGE_EMULATOR_HOST"] = address
        os.environ["AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT"] = org.connection_json()
        os.environ["AIRFLOW_CONN_SALESFORCE_DEFAULT"] = '{"conn_type": "salesforce"}'
        google = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "gcs.endpoint": address}}
        os.environ["AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT"] = json.dumps(google)
        SalesforceHook.conn = Salesforce(session_id=org.issue_session(), instance_url=org.url)
        org.delete("Account", org.rows("Account")[0]["Id"])
        ran = {name: _ran(buckets, *arguments) for name, arguments in CASES.items()}
        names = sorted(name for _, name in buckets.objects)
        large = _large_files(buckets)
    json.dump({"large": large, "ran": ran, "names": names}, sys.stdout)


if __name__ == "__main__":
    main()
