from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.tables import merge
from airflow_provider_sfjwt.testing import SimulatedOrg
from airflow_provider_sfjwt.transfers.parts import part_keys, redshift_manifest
from tests.tables.data_sets import item, publish
from tests.tables.databases import SQLite


@pytest.fixture
def folder() -> str:
    return f"s3://aws_lake@lake/crm/{uuid4().hex}"


def test_keys_are_those_of_the_objects_in_the_bucket(lake: Any, org: SimulatedOrg, folder: str) -> None:
    task = SalesforceExtractOperator(task_id="accounts", sobject="Account", output_path=folder, list_parts=True)
    returned = task.execute({})
    listed = lake.list_objects_v2(Bucket="lake", Prefix=folder.partition("lake/")[2])["Contents"]
    keys = [entry["Key"] for entry in listed if "/part-" in entry["Key"]]
    assert len(keys) == 3
    assert returned["parts"] == keys
    assert part_keys(returned) == part_keys(folder) == SalesforceJwtHook().part_keys([returned["receipt"]]) == keys


def test_keys_of_a_file_system_are_paths(tmp_path: Path) -> None:
    source = publish(tmp_path / "1", [item(1), item(2)], rows_per_part=1)
    assert [Path(key).exists() for key in part_keys(source)] == [True, True]
    with pytest.raises(ConfigurationError, match="holds no _receipt.json"):
        part_keys(f"file://{tmp_path}")


def test_more_parts_than_a_result_takes_are_refused(org: SimulatedOrg, tmp_path: Path) -> None:
    org.bulk_page_size = 1
    org.insert("Account", [{"Name": str(number)} for number in range(471)])
    task = SalesforceExtractOperator(
        task_id="accounts", sobject="Account", output_path=f"file://{tmp_path}/out", list_parts=True, file_format="csv"
    )
    with pytest.raises(AirflowFailException, match=r"list_parts: the extract has 501 parts, .*out/_receipt.json lists"):
        task.execute({})
    assert len(part_keys(f"file://{tmp_path}/out")) == 501


def test_a_redshift_manifest_lists_every_part_with_its_length(lake: Any, org: SimulatedOrg, folder: str) -> None:
    SalesforceJwtHook().extract(sobject="Account", output_path=folder)
    key = redshift_manifest(folder)
    manifest = json.loads(lake.get_object(Bucket="lake", Key=key)["Body"].read())
    sizes = {
        f"s3://lake/{part}": lake.head_object(Bucket="lake", Key=part)["ContentLength"] for part in part_keys(folder)
    }
    assert {entry["url"]: entry["meta"]["content_length"] for entry in manifest["entries"]} == sizes
    assert all(entry["mandatory"] for entry in manifest["entries"])


@pytest.mark.parametrize("below", ["", "/", "/50%25/a#b", "/with blank/ds=2026-11-20/"])
def test_a_redshift_manifest_names_parts_wherever_they_are(lake: Any, org: SimulatedOrg, below: str) -> None:
    bucket = f"b{uuid4().hex}"
    lake.create_bucket(Bucket=bucket)
    SalesforceJwtHook().extract(sobject="Account", output_path=f"s3://aws_lake@{bucket}{below}")
    key = redshift_manifest(f"s3://aws_lake@{bucket}{below}")
    manifest = json.loads(lake.get_object(Bucket=bucket, Key=key)["Body"].read())
    parts = [each["Key"] for each in lake.list_objects_v2(Bucket=bucket)["Contents"] if "/part-" in f"/{each['Key']}"]
    assert {entry["url"] for entry in manifest["entries"]} == {f"s3://{bucket}/{part}" for part in parts} != set()


def test_a_redshift_manifest_needs_s3(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Redshift reads from S3"):
        redshift_manifest(publish(tmp_path / "1", [item(1)]))


def test_parts_on_s3_are_merged(
    lake: Any, org: SimulatedOrg, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = SQLite("warehouse", tmp_path / "warehouse.db")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", database.connection_json())
    extract = SalesforceJwtHook().extract(sobject="Account", output_path=folder)
    assert merge(extract, sql_conn_id="warehouse", table="accounts").inserted == 30
    assert database.rows("accounts", ["Name"]) == [(row["Name"],) for row in org.rows("Account")]
