"""A real object storage client: Airflow's s3:// paths and s3fs, against a server that speaks S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from airflow_provider_sfjwt.exceptions import ConfigurationError, ProtocolError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """The client of a bucket named ``lake``, which the connection ``s3`` reaches.

    One for all tests: Airflow keeps the file system of a connection for as long as the process lives.
    """
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url, region = f"http://{host}:{port}", "us-east-1"
    keys = {"aws_access_key_id": "test-key", "aws_secret_access_key": "test-secret"}
    extra = {"endpoint_url": url, "region_name": region}
    connection = {"conn_type": "aws", "login": "test-key", "password": "test-secret", "extra": extra}
    client = boto3.client("s3", endpoint_url=url, region_name=region, **keys)
    client.create_bucket(Bucket="lake")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW_CONN_S3", json.dumps(connection))
        yield client
    server.stop()


@pytest.fixture
def bucket(client: Any) -> Any:
    """The same client, with nothing in the bucket."""
    for name in names(client):
        client.delete_object(Bucket="lake", Key=name)
    return client


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedOrg]:
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    with SimulatedOrg(records={"Account": 50}, bulk_page_size=20, bulk_polls=0) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        yield running


def names(bucket: Any) -> list[str]:
    listed = bucket.list_objects_v2(Bucket="lake").get("Contents", [])
    return [entry["Key"] for entry in listed]


def extract(path: str = "s3://s3@lake/accounts") -> Any:
    return SalesforceJwtHook().extract(sobject="Account", output_path=path, file_format="parquet")


def test_a_re_run_replaces_the_data_set(bucket: Any, org: SimulatedOrg) -> None:
    bucket.put_object(Bucket="lake", Key="accounts/notes.txt", Body=b"mine")
    extract()
    second = extract()
    parts = [f"accounts/part-0000{page}-{second.job_id}.parquet" for page in range(3)]
    assert names(bucket) == ["accounts/_receipt.json", "accounts/notes.txt", *parts]
    assert SalesforceJwtHook().read_receipt("s3://s3@lake/accounts") == second


def test_a_failure_leaves_no_object_and_no_upload(bucket: Any, org: SimulatedOrg) -> None:
    org.add_fault(Fault(path="*/results*", nth=2, times=None, edit_headers=lambda headers: {}))
    with pytest.raises(ProtocolError):
        extract()
    assert names(bucket) == []
    assert not bucket.list_multipart_uploads(Bucket="lake").get("Uploads")


def test_a_bucket_that_does_not_exist_is_named(bucket: Any, org: SimulatedOrg) -> None:
    with pytest.raises(ConfigurationError, match="s3://s3@elsewhere/x cannot be written: .*bucket does not exist"):
        extract("s3://s3@elsewhere/x")
    assert not org.jobs
