"""Objects as the org describes them: what both extracts and loads ask of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.extract.columns import columns_of_query, columns_of_sobject
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.load.columns import load_columns
from airflow_provider_sfjwt.load.operations import OPERATIONS
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.org.described_object import DescribedObject, did_you_mean
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg

DESCRIBE = "*/sobjects/{}/describe*"
NOT_THERE = json.dumps([{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}])


@pytest.fixture
def org(private_key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SimulatedOrg, ConnectedOrg]]:
    with SimulatedOrg(records={}, private_key=private_key) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", running.connection_json())
        with SalesforceJwtHook().connect() as connected:
            yield running, connected


def hide_users(running: SimulatedOrg) -> None:
    running.add_fault(Fault(path=DESCRIBE.format("User"), times=None, status=404, body=NOT_THERE))


def described(running: SimulatedOrg, sobject: str) -> int:
    return sum(each.path.endswith(f"/sobjects/{sobject}/describe") for each in running.requests)


def test_each_object_is_described_once(org: tuple[SimulatedOrg, ConnectedOrg]) -> None:
    running, connected = org
    account = DescribedObject(connected, "account")
    name = next(each for each in account.fields if each["name"] == "Name")
    assert (account.name, account.field("NAME"), account.field("nothing")) == ("Account", name, None)
    assert account.reference("owner") == account.field("OwnerId")
    assert "Owner" in account.relationships()
    assert account.other("Account") is account
    assert account.other("User") is account.other("User")
    assert (described(running, "account"), described(running, "User")) == (1, 1)


def test_a_parent_that_the_user_may_not_see_is_asked_for_once_and_is_none(
    org: tuple[SimulatedOrg, ConnectedOrg],
) -> None:
    running, connected = org
    hide_users(running)
    account = DescribedObject(connected, "Account")
    assert account.other("User") is None
    assert account.other("User") is None
    assert described(running, "User") == 1


def test_the_fields_of_such_a_parent_are_faults_of_the_task(org: tuple[SimulatedOrg, ConnectedOrg]) -> None:
    running, connected = org
    hide_users(running)
    with pytest.raises(ConfigurationError, match=r"Account has no field Owner\.Email.*hides it") as of_extract:
        columns_of_sobject(DescribedObject(connected, "Account"), ["Id", "Owner.Email"], None)
    assert list(of_extract.value.fields) == ["fields"]
    with pytest.raises(ConfigurationError, match=r"Owner\.Email: the user may not see User"):
        load_columns(connected, "Account", OPERATIONS["insert"], ["Name", "Owner.Email"])


def test_a_query_for_them_is_left_to_salesforce(org: tuple[SimulatedOrg, ConnectedOrg]) -> None:
    running, connected = org
    hide_users(running)
    [record_id, email] = columns_of_query(connected, "SELECT Id, Owner.Email FROM Account")
    assert (record_id.type, email.name, email.arrow_type) == ("id", "Owner.Email", "string")


def test_a_hint_names_what_is_most_like() -> None:
    assert did_you_mean("nmae", ["Id", "Name"]) == " (did you mean Name?)"
    assert did_you_mean("zzz", ["Id", "Name"]) == ""
