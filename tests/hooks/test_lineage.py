from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.files.storage.paths import place_named
from airflow_provider_sfjwt.hooks.lineage import HookLineage, KnownOrg, known_org, places_of_source
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import SimulatedOrg


@pytest.mark.parametrize(
    ("path", "store", "name", "uri"),
    [
        ("s3://conn@crm/accounts/", "s3://crm", "accounts", "s3://crm/accounts"),
        ("s3a://crm/a/b.csv", "s3://crm", "a/b.csv", "s3://crm/a/b.csv"),
        ("gcs://google@crm/a", "gs://crm", "a", "gs://crm/a"),
        ("file:///lake/accounts/", "file", "/lake/accounts", "file:///lake/accounts"),
        ("/lake//accounts", "file", "/lake/accounts", "file:///lake/accounts"),
    ],
)
def test_a_place_is_named_without_who_opens_it(path: str, store: str, name: str, uri: str) -> None:
    place = place_named(path)
    assert (place.store, place.name, place.uri) == (store, name, uri)


@pytest.mark.parametrize(
    ("source", "places"),
    [
        ({"receipt": "s3://crm/accounts/_receipt.json"}, ["s3://crm/accounts"]),
        ("s3://crm/accounts/_receipt.json", ["s3://crm/accounts"]),
        ("s3://crm/accounts/", ["s3://crm/accounts"]),
        ("s3://crm/accounts/*.parquet", ["s3://crm/accounts"]),
        ("s3://crm/accounts/ds=*/part-?.csv", ["s3://crm/accounts"]),
        (["s3://crm/a.csv", "s3://crm/b.csv", "s3://crm/a.csv"], ["s3://crm/a.csv", "s3://crm/b.csv"]),
        ([{"Name": "Acme"}], []),
    ],
)
def test_the_files_of_a_load_are_their_folder(source: Any, places: list[str]) -> None:
    assert places_of_source(source) == places


def test_the_org_is_known_without_a_sign_in_of_its_own(org: SimulatedOrg) -> None:
    hook = SalesforceJwtHook()
    assert known_org(hook) == KnownOrg("127.0.0.1")
    assert org.logins == 0
    hook.limits()
    assert known_org(SalesforceJwtHook()) == KnownOrg("127.0.0.1", org.org_id)
    assert org.logins == 1


def test_a_connection_with_faults_has_no_org(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", '{"conn_type": "salesforce_jwt"}')
    assert known_org(SalesforceJwtHook()) is None


def test_a_collector_that_refuses_fails_nothing(org: SimulatedOrg) -> None:
    class Refusing:
        def add_input_asset(self, **what: Any) -> None:
            raise RuntimeError("no more")

    HookLineage(SalesforceJwtHook(), Refusing()).queried("SELECT Id FROM Account")


def test_a_sync_reports_each_object_that_has_a_receipt(org: SimulatedOrg, tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []

    class Collector:
        def add_input_asset(self, **what: Any) -> None:
            told.append(("reads", what["asset_kwargs"]["sobject"]))

        def add_output_asset(self, **what: Any) -> None:
            told.append(("writes", what["uri"]))

    hook = SalesforceJwtHook()
    report = hook.sync(["Account", "Contact"], f"file://{tmp_path}", commit_lag=0, deletes=None)
    HookLineage(hook, Collector()).synced(report.receipts)
    folders = [receipt.removesuffix("/_receipt.json") for receipt in report.receipts.values()]
    assert told == [
        ("reads", "Account"), ("writes", folders[0]), ("reads", "Contact"), ("writes", folders[1])
    ]  # fmt: skip
