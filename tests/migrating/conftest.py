"""Both providers beside each other: one simulated org, one bucket, and a connection for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from airflow_provider_sfjwt.testing import SimulatedOrg

REASON = "missing: the official provider (pip install apache-airflow-providers-salesforce)"


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedOrg]:
    """An org over https, which the official provider speaks alone.

    That provider signs in at Salesforce's own addresses. Here it gets a session instead, and is otherwise as it is.
    """
    official = pytest.importorskip("airflow.providers.salesforce.hooks.salesforce", reason=REASON)
    from simple_salesforce import Salesforce

    with SimulatedOrg(tls=True, records={"Account": 25}, rest_page_size=10, bulk_polls=0) as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_bundle))
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_DEFAULT", json.dumps({"conn_type": "salesforce"}))
        client = Salesforce(session_id=running.issue_session(), instance_url=running.url)
        monkeypatch.setattr(official.SalesforceHook, "conn", client)
        yield running


@pytest.fixture(scope="package")
def store() -> Iterator[Any]:
    """The client of the bucket ``lake``, which the connection ``aws_default`` reaches."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "test-key", "aws_secret_access_key": "test-secret"}
    extra = {"endpoint_url": f"http://{host}:{port}", "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "test-key", "password": "test-secret", "extra": extra}
    client = boto3.client("s3", **extra, **keys)
    client.create_bucket(Bucket="lake")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
        yield client
    server.stop()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a row may write its file."""
    return tmp_path / "rows"
