"""A sync whose root is on S3: Airflow's s3:// paths and s3fs, against moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError, ObjectsFailedError, SalesforceError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.sync.lease import end_lease, take_lease
from airflow_provider_sfjwt.sync.outcome import SyncReport
from airflow_provider_sfjwt.sync.root import SyncRoot
from tests.operators.broken_store import BUCKET, BrokenStore, broken_store
from tests.sync.syncs import Syncs

ROOT = f"s3://sync_s3@{BUCKET}/salesforce"


@pytest.fixture(scope="module")
def store() -> Iterator[BrokenStore]:
    with broken_store() as running, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW_CONN_SYNC_S3", running.connection)
        yield running


def sync() -> SyncReport:
    return SalesforceJwtHook().sync(["Account", "Contact"], ROOT, commit_lag=0, threads=2)


def read(store: BrokenStore, key: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(store.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    return content


def test_a_chain_on_s3_is_rolled_forward_and_goes_on_after_a_refused_write(syncs: Syncs, store: BrokenStore) -> None:
    assert sync().records == 55
    first = store.client.get_object(Bucket=BUCKET, Key="salesforce/Account/_state.json")["Body"].read()
    syncs.change("Account", 3)
    assert {each.sobject: each.records for each in sync().outcomes} == {"Account": 3, "Contact": 0}
    assert read(store, "salesforce/Account/_state.json")["sequence"] == 2
    assert "salesforce/_lease.json" not in store.names()

    store.client.put_object(Bucket=BUCKET, Key="salesforce/Account/_state.json", Body=first)  # as after a crash
    syncs.change("Contact", 2)
    store.refuses = "/Contact/w"
    with pytest.raises(ObjectsFailedError) as failed:
        sync()
    assert list(failed.value.failed) == ["Contact"]
    assert read(store, "salesforce/Account/_state.json")["sequence"] == 3
    store.refuses = ""
    syncs.change("Account", 1)
    assert {each.sobject: each.records for each in sync().outcomes} == {"Account": 1, "Contact": 2}
    assert read(store, "salesforce/Contact/_state.json")["sequence"] == 3


def test_a_lease_on_s3(syncs: Syncs, store: BrokenStore) -> None:
    root = SyncRoot(ROOT)
    take_lease(root, "deadbeef", "run r1 of Dag crm ('salesforce')", 600)
    with pytest.raises(SalesforceError, match="run r1 of Dag crm"):
        take_lease(root, "cafecafe", "another", 600)
    take_lease(root, "deadbeef", "run r1 of Dag crm ('salesforce')", 600)
    assert not end_lease(root, "cafecafe")
    assert end_lease(root, "deadbeef")
    assert not end_lease(root, None)
    take_lease(root, "cafecafe", "another", 600)
    assert end_lease(root, None)


def test_a_root_that_cannot_be_written_is_named(syncs: Syncs, store: BrokenStore) -> None:
    store.refuses = "elsewhere"
    with pytest.raises(ConfigurationError, match=r"output_path: s3://sync_s3@lake/elsewhere cannot be written"):
        SalesforceJwtHook().sync(["Account"], f"s3://sync_s3@{BUCKET}/elsewhere", commit_lag=0)
