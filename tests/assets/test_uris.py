"""Assets whose URIs begin with ``salesforce://``, as Airflow knows them by the provider's metadata."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from airflow.sdk import Asset

from airflow_provider_sfjwt.assets.uris import create_asset, to_openlineage

needs_openlineage = pytest.mark.skipif(
    find_spec("openlineage") is None, reason="missing: apache-airflow-providers-openlineage"
)


@pytest.mark.parametrize(
    "uri",
    [
        "salesforce://crm/Account",
        "salesforce://crm/Account/changes",
        "salesforce://crm.eu-1/ns__Thing__c",
        "salesforce://crm/Order_Event__e/changes",
    ],
)
def test_both_forms_are_known(uri: str) -> None:
    assert Asset(uri).uri == uri


def test_scheme_and_slashes_are_normalised_and_the_object_is_left_as_it_is() -> None:
    assert Asset("SALESFORCE://crm/account/").uri == "salesforce://crm/account"


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("salesforce:///Account", "connection's id alone"),
        ("salesforce://crm", "one object"),
        ("salesforce://crm/", "one object"),
        ("salesforce://crm/Account/deleted", "one object"),
        ("salesforce://crm/Account/changes/more", "one object"),
        ("salesforce://crm//Account", "one object"),
        ("salesforce://crm/Account;1", "one object"),
        ("salesforce://crm/1Account", "one object"),
        ("salesforce://crm/Account?fields=Id", "no query"),
        ("salesforce://somebody@crm/Account", "without a user"),
    ],
)
def test_anything_else_is_refused_when_the_dag_is_parsed(uri: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as raised:
        Asset(uri)
    assert "salesforce://<conn_id>/<sObject>" in str(raised.value)


def test_a_refusal_shows_no_user() -> None:
    with pytest.raises(ValueError, match="is not an asset") as raised:
        Asset("salesforce://s3cr3t@crm/Account")
    assert "s3cr3t" not in str(raised.value)


def test_the_factory_makes_what_the_handler_takes() -> None:
    asset = create_asset(conn_id="crm", sobject="Account", changes=True, extra={"host": "acme.my.salesforce.com"})
    assert (asset.uri, asset.extra) == ("salesforce://crm/Account/changes", {"host": "acme.my.salesforce.com"})
    with pytest.raises(ValueError, match="one object"):
        create_asset(conn_id="crm", sobject="Account Name")


@needs_openlineage
def test_a_connection_with_a_slash_in_its_id_is_one_name() -> None:
    asset = create_asset(conn_id="crm/eu", sobject="Account")
    assert asset.uri == "salesforce://crm%2Feu/Account"
    known = to_openlineage(asset, None)
    assert known is not None
    assert known.namespace == "salesforce://crm/eu"


def test_airflow_finds_the_converter_by_the_metadata() -> None:
    try:
        from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime as ProvidersManager
    except ImportError:  # before Airflow 3.2
        from airflow.providers_manager import ProvidersManager

    known = ProvidersManager()
    assert known.asset_to_openlineage_converters["salesforce"] is to_openlineage
    assert known.asset_factories["salesforce"] is create_asset


@needs_openlineage
@pytest.mark.parametrize("path", ["Account", "Account/changes"])
def test_an_asset_is_the_object_in_its_org(path: str) -> None:
    org = {"host": "acme.my.salesforce.com", "org_id": "00Dxx0000001gEREAY"}
    known = to_openlineage(Asset(f"salesforce://crm/{path}", extra=org), None)
    assert known is not None
    assert (known.namespace, known.name) == ("salesforce://acme.my.salesforce.com", "Account")
    assert known.facets is not None
    assert known.facets["salesforce_org"].orgId == "00Dxx0000001gEREAY"  # type: ignore[attr-defined,unused-ignore]


@needs_openlineage
def test_an_asset_that_names_no_org_is_named_by_its_connection() -> None:
    known = to_openlineage(Asset("salesforce://crm/Account"), None)
    assert known is not None
    assert (known.namespace, known.name) == ("salesforce://crm", "Account")
