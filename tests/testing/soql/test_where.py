"""Semi-joins, multi-select picklists, scopes, modes and the other clauses around WHERE."""

from __future__ import annotations

import pytest

from airflow_provider_sfjwt.testing import Field, SimulatedOrg


@pytest.fixture
def family(org: SimulatedOrg) -> SimulatedOrg:
    """Accounts A, B and C; contacts of A and B, one of them deleted; an opportunity of A."""
    a, b, _ = org.insert("Account", [{"Name": name, "Type": "Family"} for name in "ABC"])
    people = [{"LastName": "of A", "AccountId": a}, {"LastName": "of B", "AccountId": b}, {"LastName": "alone"}]
    contacts = org.insert("Contact", [person | {"Title": "Family"} for person in people])
    org.delete("Contact", contacts[1])
    org.insert("Opportunity", [{"Name": "o", "StageName": "Won", "CloseDate": "2026-01-01", "AccountId": a}])
    return org


FAMILY = "SELECT Name FROM Account WHERE Type = 'Family' AND "


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Id IN (SELECT AccountId FROM Contact WHERE Title = 'Family')", "A"),
        ("Id NOT IN (SELECT AccountId FROM Contact WHERE Title = 'Family')", "B C"),
        ("Id IN (SELECT AccountId FROM Contact WHERE LastName LIKE '%B')", ""),
        (
            "Id NOT IN (SELECT AccountId FROM Opportunity) AND Id NOT IN (SELECT AccountId FROM Contact)",
            "B C",
        ),
        ("Id IN (SELECT AccountId FROM Contact WHERE Account.Name = 'A')", "A"),
        ("OwnerId IN (SELECT Id FROM User WHERE Alias = 'integr')", "A B C"),
    ],
)
def test_semi_and_anti_joins(family, client_of, where: str, expected: str) -> None:
    """https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_comparisonoperators.htm"""
    api = client_of(family)
    assert " ".join(record["Name"] for record in api.records(FAMILY + where)) == expected
    job = api.finished_job(FAMILY + where)
    lines = api.get(f"jobs/query/{job}/results").text.splitlines()[1:]
    assert " ".join(line.strip('"') for line in lines) == expected


def test_query_all_looks_into_the_bin_of_both_objects(family, client_of) -> None:
    soql = FAMILY + "Id IN (SELECT AccountId FROM Contact WHERE Title = 'Family')"
    api = client_of(family)
    assert [record["Name"] for record in api.records(soql, "queryAll")] == ["A", "B"]
    assert [record["Name"] for record in api.records(soql + " ALL ROWS")] == ["A", "B"]


def test_references_join_ids_of_parents(family, client_of) -> None:
    soql = "SELECT LastName FROM Contact WHERE AccountId IN (SELECT Id FROM Account WHERE Name = 'A')"
    assert [record["LastName"] for record in client_of(family).records(soql)] == ["of A"]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("Name IN (SELECT AccountId FROM Contact)", "left operand"),
        ("Id IN (SELECT LastName FROM Contact)", "can only query id fields, cannot use: 'LastName'"),
        ("Id IN (SELECT Id FROM Account)", "should not be on the same object type"),
        ("Id IN (SELECT AccountId FROM Contact LIMIT 1)", "no aggregate, ORDER BY, LIMIT"),
        ("Id IN (SELECT COUNT(AccountId) FROM Contact)", "no aggregate"),
        ("Id IN (SELECT AccountId, Id FROM Contact)", "must select one id field"),
        ("Name = 'A' OR Id IN (SELECT AccountId FROM Contact)", "not allowed with the 'OR' operator"),
        ("Name = 'A' AND (Name = 'B' OR Id IN (SELECT AccountId FROM Contact))", "only allowed at the top level"),
        ("NOT Id IN (SELECT AccountId FROM Contact)", "only allowed at the top level"),
        (" AND ".join(["Id IN (SELECT AccountId FROM Contact)"] * 3), "Maximum 2 semi join sub-selects"),
        (
            "Id IN (SELECT AccountId FROM Contact WHERE OwnerId IN (SELECT Id FROM User))",
            "Nesting of semi join sub-selects is not supported",
        ),
    ],
)
def test_semi_joins_that_salesforce_refuses(api, where: str, words: str) -> None:
    (error,) = api.query(f"SELECT Id FROM Account WHERE {where}").json()
    assert error["errorCode"] == "MALFORMED_QUERY"
    assert words in error["message"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("INCLUDES ('North')", "n ns"),
        ("INCLUDES ('North;South', 'West')", "ns w"),
        ("INCLUDES ('south', 'west')", ""),
        ("EXCLUDES ('North', 'West')", "none"),
        ("EXCLUDES ('North;South')", "n w none"),
    ],
)
def test_multi_select_picklists(org: SimulatedOrg, api, condition: str, expected: str) -> None:
    """https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_querying_multiselect_picklists.htm"""
    rows = {"n": "North", "ns": "East;North;South", "w": "West", "none": None}
    org.insert("Account", [{"Name": name, "Regions__c": value, "Type": "m"} for name, value in rows.items()])
    found = api.records(f"SELECT Name FROM Account WHERE Type = 'm' AND Regions__c {condition}")
    assert " ".join(record["Name"] for record in found) == expected


def test_objects_that_are_called_like_a_clause(org: SimulatedOrg, api) -> None:
    group = org.insert("Group", [{"Name": "Queue", "Type": "Queue"}])[0]
    org.define_object("Order", [Field("N__c", "int")])
    org.insert("Case", [{"Subject": "s", "Status": "New", "OwnerId": group}])
    org.insert("Order", [{"N__c": 2}, {"N__c": 1}])
    assert [record["Name"] for record in api.records("SELECT Name FROM Group WHERE Type = 'Queue'")] == ["Queue"]
    assert [record["N__c"] for record in api.records("SELECT N__c FROM Order ORDER BY N__c")] == [1, 2]
    (record,) = api.records("SELECT TYPEOF Owner WHEN User THEN Alias WHEN Group THEN Name, Type END FROM Case")
    assert record["Owner"]["Name"] == "Queue"


def test_includes_wants_a_multi_select_picklist(api, refusal) -> None:
    answer = api.query("SELECT Id FROM Account WHERE Name INCLUDES ('x')")
    assert refusal(answer) == (400, "INVALID_QUERY_FILTER_OPERATOR")


@pytest.mark.parametrize("mode", ["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"])
@pytest.mark.parametrize("tail", ["", " ORDER BY Name LIMIT 1", " FOR VIEW", " FOR REFERENCE"])
def test_modes_and_views_change_nothing(api, mode: str, tail: str) -> None:
    assert api.records(f"SELECT Id FROM Account WHERE Name != null WITH {mode}{tail}")
    assert api.finished_job(f"SELECT Id FROM Account WITH {mode}{tail}")


def test_a_scope(org: SimulatedOrg, api, refusal) -> None:
    org.insert("Account", [{"Name": "not mine", "OwnerId": "0055e0000000009"}])
    everything = len(api.records("SELECT Id FROM Account USING SCOPE Everything"))
    assert len(api.records("SELECT Id FROM Account USING SCOPE mine WHERE Name != null")) == everything - 1
    assert refusal(api.query("SELECT Id FROM Account USING SCOPE team")) == (400, "NOT_IN_SIMULATOR")
    assert refusal(api.query("SELECT Id FROM Account USING SCOPE yours")) == (400, "MALFORMED_QUERY")
    assert refusal(api.query("SELECT Id FROM Organization USING SCOPE mine")) == (400, "MALFORMED_QUERY")


def test_all_rows_are_also_deleted_ones(family, client_of) -> None:
    api = client_of(family)
    contacts = "SELECT LastName FROM Contact WHERE Title = 'Family'"
    assert [record["LastName"] for record in api.records(contacts)] == ["of A", "alone"]
    assert [record["LastName"] for record in api.records(f"{contacts} ALL ROWS")] == ["of A", "of B", "alone"]


@pytest.mark.parametrize(
    "tail",
    [
        "FOR UPDATE",
        "UPDATE TRACKING",
        "UPDATE VIEWSTAT",
        "WITH DATA CATEGORY Geography__c AT usa__c",
        "WITH HIGHLIGHT",
        "WHERE CreatedDate IN (TODAY, YESTERDAY)",
    ],
)
def test_clauses_that_are_not_here(api, refusal, tail: str) -> None:
    assert refusal(api.query(f"SELECT Id FROM Account {tail}")) == (400, "NOT_IN_SIMULATOR")


@pytest.mark.parametrize("tail", ["FOR", "FOR FUN", "UPDATE x", "WITH 1", "ALL", "USING Account", "HAVING Id = null"])
def test_clauses_that_are_wrong(api, refusal, tail: str) -> None:
    assert refusal(api.query(f"SELECT Id FROM Account {tail}")) == (400, "MALFORMED_QUERY")


def test_times_of_day(org: SimulatedOrg, api) -> None:
    org.insert("Invoice__c", [{"Name": "early", "CutOff__c": "04:30:00"}, {"Name": "late", "CutOff__c": "23:30:00"}])
    found = api.records("SELECT Name FROM Invoice__c WHERE CutOff__c < 05:00:00.000Z AND Name IN ('early', 'late')")
    assert [record["Name"] for record in found] == ["early"]
    assert api.query("SELECT Id FROM Invoice__c WHERE CutOff__c = 25:00:00Z").status_code == 400


def test_objects_that_are_not_counted(org: SimulatedOrg, client_of) -> None:
    """Big objects answer totalSize -1 over REST."""
    org.define_object("Big__c", [Field("N__c", "int")])
    org.insert("Big__c", [{"N__c": number} for number in range(450)])
    org.uncounted_objects, org.rest_page_size = {"big__C"}, 200
    api = client_of(org)
    page, sizes, rows = api.query("SELECT N__c FROM Big__c").json(), [], []
    while True:
        sizes.append(page["totalSize"])
        rows += [record["N__c"] for record in page["records"]]
        if page["done"]:
            break
        page = api.get(page["nextRecordsUrl"]).json()
    assert (sizes, rows) == ([-1, -1, -1], list(range(450)))
    assert api.query("SELECT N__c FROM Big__c LIMIT 1").json()["totalSize"] == -1
    assert api.query("SELECT Id FROM Account LIMIT 1").json()["totalSize"] == 1
