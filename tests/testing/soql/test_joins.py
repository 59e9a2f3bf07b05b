"""Paths over parents: aliases, several objects after FROM, lookups of several objects, TYPEOF."""

from __future__ import annotations

import csv
import io

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg


@pytest.fixture
def tasks(org: SimulatedOrg) -> SimulatedOrg:
    """Tasks about a contact and an account, a lead and an opportunity, and nobody."""
    account = org.insert("Account", [{"Name": "Acme", "Phone": "1", "NumberOfEmployees": 7}])[0]
    contact = org.insert("Contact", [{"LastName": "Bond", "Name": "James Bond", "Title": "Agent", "Email": "j@b.uk"}])[
        0
    ]
    lead = org.insert("Lead", [{"LastName": "Lead", "Name": "A Lead", "Company": "c", "Status": "Open"}])[0]
    sale = {"Name": "Sale", "StageName": "Won", "CloseDate": "2026-01-01", "Amount": "12.5", "AccountId": account}
    opportunity = org.insert("Opportunity", [sale])[0]
    rows = [{"WhoId": contact, "WhatId": account}, {"WhoId": lead, "WhatId": opportunity}, {}]
    org.insert("Task", [row | {"Subject": str(number), "Status": "Open"} for number, row in enumerate(rows)])
    return org


def test_a_path_over_a_lookup_of_several_objects(tasks, client_of) -> None:
    """https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_relationships_and_polymorph_keys.htm"""
    records = client_of(tasks).records("SELECT Subject, Who.Type, Who.Name, Who.Title, Who.Email, What.Type FROM Task")
    assert [record["Who"] and record["Who"]["Type"] for record in records] == ["Contact", "Lead", None]
    assert [record["What"] and record["What"]["Type"] for record in records] == ["Account", "Opportunity", None]
    who = records[0]["Who"]
    assert (who["Name"], who["Title"], who["Email"]) == ("James Bond", "Agent", "j@b.uk")
    assert who["attributes"]["type"] == "Name"
    assert "/sobjects/Contact/003" in who["attributes"]["url"]


def test_the_same_over_bulk(tasks, client_of) -> None:
    api = client_of(tasks)
    job = api.finished_job("SELECT Id, Who.Type, Owner.Profile.Name, Owner.Alias FROM Task")
    rows = list(csv.DictReader(io.StringIO(api.get(f"jobs/query/{job}/results").text)))
    assert [row["Who.Type"] for row in rows] == ["Contact", "Lead", ""]
    assert {(row["Owner.Profile.Name"], row["Owner.Alias"]) for row in rows} == {("System Administrator", "integr")}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Who.Type = 'Contact'", "0"),
        ("Who.Type IN ('lead', 'Contact')", "0 1"),
        ("What.Name LIKE 'ac%'", "0"),
        ("Who.Type != 'Lead'", "0 2"),
        ("Owner.Username LIKE 'integration%'", "0 1 2"),
    ],
)
def test_filters_over_a_lookup_of_several_objects(tasks, client_of, where: str, expected: str) -> None:
    found = client_of(tasks).records(f"SELECT Subject FROM Task WHERE {where} ORDER BY Subject")
    assert " ".join(record["Subject"] for record in found) == expected


def test_such_a_path_has_the_fields_of_the_object_name(tasks, client_of) -> None:
    (error,) = client_of(tasks).query("SELECT Who.MobilePhone FROM Task").json()
    assert error["errorCode"] == "INVALID_FIELD"
    assert "No such column 'MobilePhone' on entity 'Name'" in error["message"]


def test_the_object_name_is_described_and_not_queried(api, refusal) -> None:
    described = api.get("sobjects/Name/describe").json()
    assert {"Type", "Alias", "Title", "ProfileId"} <= {field["name"] for field in described["fields"]}
    assert described["queryable"] is False
    assert refusal(api.query("SELECT Id FROM Name")) == (400, "INVALID_TYPE_FOR_OPERATION")
    assert refusal(api.create_job("SELECT Id FROM Name")) == (400, "INVALIDENTITY")


def test_typeof(tasks, client_of) -> None:
    """https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_typeof.htm"""
    typeof = "TYPEOF What WHEN Account THEN Phone, NumberOfEmployees WHEN Opportunity THEN Amount, Account.Name END"
    first, second, third = client_of(tasks).records(f"SELECT Subject, {typeof} FROM Task")
    assert first["What"].pop("attributes")["type"] == "Account"
    assert first["What"] == {"Phone": "1", "NumberOfEmployees": 7}
    assert second["What"]["Amount"] == 12.5
    assert second["What"]["Account"]["Name"] == "Acme"
    assert "/sobjects/Opportunity/006" in second["What"]["attributes"]["url"]
    assert third["What"] is None


@pytest.mark.parametrize(("otherwise", "expected"), [("", None), (" ELSE Name", {"Name": "Sale"})])
def test_typeof_of_another_object(tasks, client_of, otherwise: str, expected: dict[str, str] | None) -> None:
    soql = f"SELECT TYPEOF What WHEN Account THEN Phone{otherwise} END FROM Task WHERE What.Type = 'Opportunity'"
    (record,) = client_of(tasks).records(soql)
    if record["What"]:
        record["What"].pop("attributes")
    assert record["What"] == expected


@pytest.mark.parametrize(
    ("typeof", "code"),
    [
        ("TYPEOF What WHEN Nothing THEN Id END", "INVALID_TYPE"),
        ("TYPEOF What WHEN Contact THEN Id END", "MALFORMED_QUERY"),
        ("TYPEOF Account WHEN Account THEN Id END", "MALFORMED_QUERY"),
        ("TYPEOF What WHEN Account THEN Nothing END", "INVALID_FIELD"),
        ("TYPEOF What ELSE Name END", "MALFORMED_QUERY"),
        ("TYPEOF What WHEN Account THEN Id", "MALFORMED_QUERY"),
        ("What.Type, TYPEOF What WHEN Account THEN Phone END", "MALFORMED_QUERY"),
        ("TYPEOF What WHEN Account THEN Phone END, What.Type", "MALFORMED_QUERY"),
    ],
)
def test_wrong_typeof(api, refusal, typeof: str, code: str) -> None:
    assert refusal(api.query(f"SELECT {typeof} FROM Task")) == (400, code)


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT LastName, a.Name FROM Contact c, c.Account a WHERE a.Name = 'Acme'",
        "SELECT c.LastName, a.Name, u.Alias FROM Contact AS c, c.Account AS a, a.Owner u WHERE a.Name = 'Acme'",
        "SELECT Contact.LastName, Account.Name FROM Contact, Contact.Account WHERE Account.Name = 'Acme'",
    ],
)
def test_several_objects_after_from(org: SimulatedOrg, client_of, soql: str) -> None:
    """https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_alias.htm"""
    account = org.insert("Account", [{"Name": "Acme"}])[0]
    org.insert("Contact", [{"LastName": "Bond", "AccountId": account}])
    api = client_of(org)
    (record,) = api.records(soql)
    assert (record["LastName"], record["Account"]["Name"]) == ("Bond", "Acme")
    job = api.finished_job(soql)
    assert api.get(f"jobs/query/{job}/results").text.splitlines()[0].startswith('"LastName","Account.Name"')


@pytest.mark.parametrize(
    ("sources", "code"),
    [
        ("Account a, a.Contacts", "NOT_IN_SIMULATOR"),
        ("Contact c, x.Account a", "INVALID_TYPE"),
        ("Contact c, Account", "INVALID_TYPE"),
        ("Contact c, c.Nothing n", "INVALID_FIELD"),
    ],
)
def test_wrong_sources(api, refusal, sources: str, code: str) -> None:
    assert refusal(api.query(f"SELECT Id FROM {sources}")) == (400, code)


def test_children_by_the_alias_of_their_parent(org: SimulatedOrg, api) -> None:
    account = org.insert("Account", [{"Name": "Acme"}])[0]
    org.insert("Contact", [{"LastName": "Bond", "AccountId": account}])
    for source in ("Contacts", "a.Contacts", "Account.Contacts"):
        soql = f"SELECT Name, (SELECT LastName FROM {source}) FROM Account a WHERE Name = 'Acme'"
        (record,) = api.records(soql)
        assert record["Contacts"]["records"][0]["LastName"] == "Bond"


def test_moments_over_a_lookup_of_several_objects(tasks, client_of) -> None:
    tasks.update("User", tasks.user_id, {"LastViewedDate": "2026-01-05T10:00:00Z"})
    api = client_of(tasks)
    record = api.records("SELECT Owner.LastViewedDate FROM Task LIMIT 1")[0]
    assert record["Owner"]["LastViewedDate"] == "2026-01-05T10:00:00.000+0000"
    job = api.finished_job("SELECT Owner.LastViewedDate FROM Task LIMIT 1")
    assert api.get(f"jobs/query/{job}/results").text.splitlines()[1] == '"2026-01-05T10:00:00.000Z"'
