"""sObject Collections of the simulated org."""

from __future__ import annotations

import pytest

MANY = "composite/sobjects"


def record(kind="Contact", **values):
    return {"attributes": {"type": kind}, **values}


@pytest.fixture
def send(api):
    """Send records and return the answer."""

    def call(method, *records, path=MANY, headers=None, **more):
        return api.call(method, path, json={"records": list(records)} | more, headers=headers)

    return call


def newest(org, sobject="Contact", count=1):
    return org.rows(sobject)[-count:]


def test_results_come_in_the_order_of_the_request(org, send):
    records = [
        record(LastName="a"),
        record("Account", Name="b"),
        record(),
        record("Account", Name="c"),
        record(LastName="d"),
    ]
    answer = send("POST", *records)
    assert answer.status_code == 200
    results = answer.json()
    assert [result["success"] for result in results] == [True, True, False, True, True]
    assert [result.get("id", "")[:3] for result in results] == ["003", "001", "", "001", "003"]
    error = {"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]"}
    assert results[2] == {"success": False, "errors": [{**error, "fields": ["LastName"]}]}
    assert [row["Id"] for row in newest(org, count=2)] == [results[0]["id"], results[4]["id"]]


def test_all_or_none_rolls_back(org, send):
    before = org.rows("Contact"), org.rows("Account")
    results = send("POST", record("Account", Name="a"), record(LastName="b"), record(), allOrNone=True).json()
    assert [result["errors"][0]["statusCode"] for result in results] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "REQUIRED_FIELD_MISSING",
    ]
    assert not any("id" in result for result in results)
    assert (org.rows("Contact"), org.rows("Account")) == before
    assert send("POST", record("Account", Name="a"), allOrNone=True).json()[0]["success"]


def test_update(org, send):
    first, second = org.insert("Contact", [{"LastName": "a", "Phone": "1", "FirstName": "f"}, {"LastName": "b"}])
    changes = [record(id=first, Phone=None, FirstName=""), record(Id=second, LastName=None), record(LastName="x")]
    results = send("PATCH", *changes).json()
    assert [result["success"] for result in results] == [True, False, False]
    assert results[1]["id"] == second
    codes = [result["errors"][0]["statusCode"] for result in results[1:]]
    assert codes == ["REQUIRED_FIELD_MISSING", "MISSING_ARGUMENT"]
    row = newest(org, count=2)[0]
    assert (row["Phone"], row["FirstName"], row["LastName"]) == (None, None, "a")


def test_upsert_tells_what_is_new(org, send):
    (known,) = org.insert("Contact", [{"LastName": "a", "ExternalKey__c": "k"}])
    path = f"{MANY}/Contact/ExternalKey__c"
    results = send(
        "PATCH", record(ExternalKey__c="K", LastName="b"), record(ExternalKey__c="n", LastName="c"), path=path
    )
    assert [(result["created"], result["success"]) for result in results.json()] == [(False, True), (True, True)]
    assert results.json()[0]["id"] == known
    twice = send("PATCH", *[record(ExternalKey__c="t", LastName="b")] * 2, path=path).json()
    assert {result["errors"][0]["statusCode"] for result in twice} == {"DUPLICATE_VALUE"}


def test_upsert_refuses_what_is_no_key(send, refusal):
    assert refusal(send("PATCH", record(), path=f"{MANY}/Contact/Phone")) == (404, "NOT_FOUND")
    assert refusal(send("PATCH", record(), path=f"{MANY}/Nothing/Id")) == (404, "NOT_FOUND")
    assert refusal(send("PATCH", record("Account"), path=f"{MANY}/Contact/ExternalKey__c"))[0] == 400


def test_delete(org, api, refusal):
    ids = org.insert("Contact", [{"LastName": "a"}, {"LastName": "b"}])
    missing = "003000000000000AAA"
    results = api.call("DELETE", MANY, params={"ids": f"{ids[1]},{missing},{ids[0][:15]}", "allOrNone": "false"}).json()
    assert [result["success"] for result in results] == [True, False, True]
    assert results[0] == {"id": ids[1], "success": True, "errors": []}
    assert all(row["IsDeleted"] for row in newest(org, count=2))
    assert refusal(api.call("DELETE", MANY, params={"ids": "zzz"})) == (400, "MALFORMED_ID")
    assert refusal(api.call("DELETE", MANY)) == (400, "REQUIRED_FIELD_MISSING")


def test_parents_by_key_even_of_the_same_request(org, send):
    org.insert("Contact", [{"LastName": "Boss", "Email": "boss@example.com"}])
    reports = record(LastName="a", ReportsTo={"Email": "boss@example.com"}, Owner={"Username": org.username})
    lost = record(LastName="b", ReportsTo={"attributes": {"type": "Contact"}, "Email": "nobody@example.com"})
    results = send("POST", reports, lost).json()
    assert [result["success"] for result in results] == [True, False]
    assert "Foreign key external ID: nobody@example.com not found" in results[1]["errors"][0]["message"]
    boss, made = newest(org, count=2)
    assert made["ReportsToId"] == boss["Id"]
    assert send("PATCH", record(id=made["Id"], ReportsTo=None)).json()[0]["success"]
    assert newest(org)[0]["ReportsToId"] is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"records": []}, "REQUIRED_FIELD_MISSING"),
        ({}, "JSON_PARSER_ERROR"),
        ({"records": [record(LastName="x")] * 201}, "EXCEEDED_ID_LIMIT"),
        ({"records": [{"LastName": "x"}]}, "INVALID_INPUT"),
        ({"records": [record("Nothing")]}, "INVALID_TYPE"),
        ({"records": [record(Colour="x")]}, "INVALID_FIELD"),
        ({"records": [record(LastName="x", Birthdate="yesterday")]}, "JSON_PARSER_ERROR"),
        ({"records": [record(LastName="x", Birthdate=5)]}, "JSON_PARSER_ERROR"),
        ({"records": [record(LastName=True)]}, "JSON_PARSER_ERROR"),
        ({"records": [record(LastName=["x"])]}, "JSON_PARSER_ERROR"),
        ({"records": [record(LastName="x", Account="x")]}, "JSON_PARSER_ERROR"),
        ({"records": [record(LastName="x", Account={"Phone": "1"})]}, "INVALID_FIELD"),
    ],
)
def test_requests_that_are_refused_as_a_whole(org, api, refusal, body, code):
    before = org.rows("Contact")
    assert refusal(api.call("POST", MANY, json=body)) == (400, code)
    assert org.rows("Contact") == before


def test_two_hundred_records_are_one_call(org, send):
    calls = org.api_calls
    assert all(result["success"] for result in send("POST", *[record(LastName="x")] * 200).json())
    assert org.api_calls == calls + 1


def test_values_of_json(org, send):
    values = {"Score__c": 1.5, "Visits__c": 3, "Active__c": True, "LastVisit__c": "2024-01-01T00:00:00.000+0000"}
    assert send("POST", record("Account", Name="x", CreditLimit__c="2.50", **values)).json()[0]["success"]
    (row,) = newest(org, "Account")
    assert (str(row["Score__c"]), str(row["CreditLimit__c"]), row["Visits__c"], row["Active__c"]) == (
        "1.5",
        "2.5",
        3,
        True,
    )
    assert row["LastVisit__c"].isoformat() == "2024-01-01T00:00:00+00:00"


def test_half_a_character(org, api):
    body = b'{"records": [{"attributes": {"type": "Contact"}, "LastName": "a\\ud800"}]}'
    answer = api.call("POST", MANY, data=body, headers={"Content-Type": "application/json"})
    assert answer.json()[0]["success"] and newest(org)[0]["LastName"] == "a?"


def test_objects_that_nobody_may_change(org, send):
    (result,) = send("POST", record("CaseStatus", MasterLabel="x")).json()
    assert result["errors"][0]["statusCode"] == "INVALID_TYPE_FOR_OPERATION"
    (result,) = send("POST", record(LastName="x", CreatedDate="2024-01-01T00:00:00Z")).json()
    assert result["errors"][0]["fields"] == ["CreatedDate"]


def test_locks_and_rules_hold_for_them_too(org, send):
    org.lock_records("Contact", {"LastName": "a"})
    org.add_validation_rule("Contact", lambda record: record["LastName"] == "b", "no b")
    results = send("POST", *(record(LastName=name) for name in "abc")).json()
    codes = [result["errors"][0]["statusCode"] if result["errors"] else None for result in results]
    assert codes == ["UNABLE_TO_LOCK_ROW", "FIELD_CUSTOM_VALIDATION_EXCEPTION", None]
    org.clock_offset += 10
    assert send("POST", record(LastName="a")).json()[0]["success"]


def test_auto_assign(org, send, refusal):
    users = [{"Username": f"{name}@example.com", "LastName": name} for name in ("active", "idle")]
    active, idle = org.insert("User", users)
    org.add_assignment_rule("Lead", active)
    rule = org.add_assignment_rule("Lead", idle, active=False)

    def owner(**headers):
        assert send("POST", record("Lead", LastName="x", Company="c"), headers=headers).json()[0]["success"]
        return newest(org, "Lead")[0]["OwnerId"]

    found = [owner(), *(owner(**{"Sforce-Auto-Assign": value}) for value in ("TRUE", "false", rule))]
    assert found == [active, active, org.user_id, idle]
    headers = {"Sforce-Auto-Assign": "01Q000000000009"}
    assert refusal(send("POST", record("Lead", LastName="x", Company="c"), headers=headers))[0] == 400
