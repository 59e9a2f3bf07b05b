"""REST resources: gates, versions, describe, records, queries in pages."""

from __future__ import annotations

from decimal import Decimal

import pytest
import requests

from airflow_provider_sfjwt.testing import Field, SimulatedOrg


def test_versions_need_no_session_and_do_not_count(org):
    for path in ("/services/data", "/services/data/"):
        found = requests.get(org.url + path, timeout=30).json()
        assert found[-1] == {"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}
        assert found[0]["label"] == "Summer '23"
    assert org.api_calls == 0


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "INVALID_SESSION_ID"),
        ("Bearer dead", "INVALID_SESSION_ID"),
        ("Bearer ", "INVALID_AUTH_HEADER"),
        ("Bearer a b", "INVALID_AUTH_HEADER"),
        ("Basic abc", "INVALID_AUTH_HEADER"),
    ],
)
def test_dead_and_garbled_tokens(org, refusal, header, code):
    headers = {} if header is None else {"Authorization": header}
    answer = requests.get(f"{org.url}/services/data/v66.0/limits", headers=headers, timeout=30)
    assert refusal(answer) == (401, code)


def test_expired_session_text(org, api):
    org.expire_sessions()
    expected = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    assert api.get("limits").json() == expected


def test_calls_are_counted_up_to_the_daily_limit(org, api, refusal):
    org.daily_api_requests = 2
    assert api.get("limits").headers["Sforce-Limit-Info"] == "api-usage=1/2"
    assert api.get("limits").json()["DailyApiRequests"] == {"Max": 2, "Remaining": 0}
    assert refusal(api.get("limits")) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert org.api_calls == 2


def test_unknown_version_route_and_object(api, refusal):
    assert refusal(api.get("/services/data/v31.0/limits")) == (404, "NOT_FOUND")
    answer = api.get("foo")
    assert refusal(answer) == (404, "NOT_FOUND")
    assert answer.json()[0]["message"] == "the simulator has no GET /services/data/v66.0/foo"
    assert refusal(api.get("sobjects/Nothing/describe")) == (404, "NOT_FOUND")
    assert refusal(requests.get(api.org.url + "/elsewhere", timeout=30)) == (404, "NOT_FOUND")


def test_uri_too_long(api):
    assert api.query("SELECT Id FROM Account WHERE Name = '" + "x" * 16_384 + "'").status_code == 414


def test_resources_and_objects(api):
    assert api.get("").json()["query"] == "/services/data/v66.0/query"
    names = {entry["name"] for entry in api.get("sobjects").json()["sobjects"]}
    assert {"Organization", "User", "Account", "Contact", "Opportunity", "Lead", "Invoice__c", "Attachment"} <= names
    assert api.get("sobjects/account").json()["objectDescribe"]["keyPrefix"] == "001"


def test_describe_of_the_sample_schema(api):
    described = api.get("sobjects/ACCOUNT/describe").json()
    fields = {field["name"]: field for field in described["fields"]}
    assert described["name"] == "Account"
    assert fields["BillingCity"]["compoundFieldName"] == "BillingAddress"
    assert fields["BillingAddress"]["type"] == "address"
    assert fields["OwnerId"]["referenceTo"] == ["User"] and fields["OwnerId"]["relationshipName"] == "Owner"
    assert (fields["Score__c"]["precision"], fields["Score__c"]["scale"]) == (18, 4)
    assert not fields["Description"]["filterable"]
    assert fields["Id"]["soapType"] == "tns:ID"
    children = {child["relationshipName"] for child in described["childRelationships"]}
    assert {"Contacts", "Opportunities", "Invoices__r"} <= children


def test_one_record(org, api, refusal):
    record = org.rows("Account")[0]["Id"]
    found = api.get(f"sobjects/Account/{record}").json()
    assert found["Id"] == record and found["attributes"]["type"] == "Account"
    assert set(found["BillingAddress"]) >= {"city", "street", "postalCode", "country"}
    only = api.get(f"sobjects/Account/{record[:15]}", params={"fields": "Name"}).json()
    assert set(only) == {"attributes", "Name"}
    org.delete("Account", record)
    assert refusal(api.get(f"sobjects/Account/{record}")) == (404, "ENTITY_IS_DELETED")
    assert refusal(api.get("sobjects/Account/001000000000000AAA")) == (404, "NOT_FOUND")


def test_blob_is_an_address_in_records(org, api):
    (made,) = org.insert("Attachment", [{"Name": "a.txt", "Body": b"hello", "ContentType": "text/plain"}])
    (record,) = api.records("SELECT Id, Body FROM Attachment")
    assert record["Body"] == f"/services/data/v66.0/sobjects/Attachment/{made}/Body"
    assert api.get(record["Body"]).content == b"hello"


def test_paging_follows_next_records_url(org, api):
    org.rest_page_size = 10
    page = api.query("SELECT Id FROM Account").json()
    found = list(page["records"])
    assert (page["totalSize"], page["done"]) == (25, False)
    assert page["nextRecordsUrl"].endswith("-10")
    org.insert("Account", [{"Name": "later"}])
    while not page["done"]:
        page = api.get(page["nextRecordsUrl"]).json()
        found += page["records"]
    assert [record["Id"] for record in found] == [row["Id"] for row in org.rows("Account")][:25]
    assert "nextRecordsUrl" not in page


def test_batch_size_header_lowers_the_page():
    with SimulatedOrg(records={"Account": 450}) as org:
        headers = {"Authorization": f"Bearer {org.issue_session()}", "Sforce-Query-Options": "batchSize=1"}
        url = f"{org.url}/services/data/v66.0/query"
        answer = requests.get(url, params={"q": "SELECT Id FROM Account"}, headers=headers, timeout=30).json()
    assert len(answer["records"]) == 200


def test_dead_and_unknown_cursors(org, api, refusal):
    org.rest_page_size = 10
    following = api.query("SELECT Id FROM Account").json()["nextRecordsUrl"]
    org.expire_cursors()
    assert refusal(api.get(following)) == (400, "INVALID_QUERY_LOCATOR")
    assert refusal(api.get("query/01g000000000000AAA-2000")) == (400, "INVALID_QUERY_LOCATOR")


def test_deleted_rows_are_for_query_all(org, api):
    record = org.rows("Lead")[0]["Id"]
    org.delete("Lead", record)
    soql = f"SELECT IsDeleted FROM Lead WHERE Id = '{record}'"
    assert api.records(soql) == []
    assert api.records(soql, "queryAll")[0]["IsDeleted"] is True


def test_parents_nest_and_missing_parents_are_null(org, api):
    (account,) = org.insert("Account", [{"Name": "Parent"}])
    org.insert("Contact", [{"LastName": "With", "AccountId": account}, {"LastName": "Without"}])
    soql = "SELECT LastName, Account.Name, Account.Owner.Username FROM Contact WHERE LastName LIKE 'With%'"
    first, second = api.records(soql)
    assert first["Account"]["attributes"]["url"] == f"/services/data/v66.0/sobjects/Account/{account}"
    assert first["Account"]["Name"] == "Parent"
    assert first["Account"]["Owner"]["Username"] == org.username
    assert second["Account"] is None


def test_children_nest(org, api):
    (account,) = org.insert("Account", [{"Name": "Parent"}])
    org.insert("Contact", [{"LastName": name, "AccountId": account} for name in ("B", "A")])
    soql = f"SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account WHERE Id = '{account}'"
    (record,) = api.records(soql)
    assert record["Contacts"]["totalSize"] == 2 and record["Contacts"]["done"]
    assert [child["LastName"] for child in record["Contacts"]["records"]] == ["A", "B"]
    (empty,) = api.records(f"SELECT (SELECT Id FROM Opportunities) FROM Account WHERE Id = '{account}'")
    assert empty["Opportunities"] is None


def test_counts_and_aggregates(org, api):
    answer = api.query("SELECT COUNT() FROM Account").json()
    assert answer == {"totalSize": 25, "done": True, "records": []}
    assert api.query("SELECT COUNT() FROM Account LIMIT 7").json()["totalSize"] == 7
    org.define_object("Sale__c", [Field("Region__c"), Field("Sum__c", "currency", precision=18, scale=2)])
    rows = [("N", "1.50"), ("N", "2.25"), ("S", None)]
    org.insert("Sale__c", [{"Region__c": region, "Sum__c": amount} for region, amount in rows])
    soql = "SELECT Region__c, COUNT(Id), SUM(Sum__c) total, AVG(Sum__c), MIN(Sum__c) FROM Sale__c"
    north, south = api.records(f"{soql} GROUP BY Region__c ORDER BY COUNT(Id) DESC")
    assert north["attributes"] == {"type": "AggregateResult"}
    assert (north["Region__c"], north["expr0"], north["total"]) == ("N", 2, 3.75)
    assert (north["expr1"], north["expr2"]) == (1.875, 1.5)
    assert south["total"] is None


def test_aggregates_do_not_page(org, api, refusal):
    org.rest_page_size = 3
    assert refusal(api.query("SELECT Name, COUNT(Id) FROM Account GROUP BY Name")) == (400, "EXCEEDED_ID_LIMIT")


def test_values_in_json(org, api):
    org.insert(
        "Invoice__c",
        [
            {
                "Name": "exact",
                "Total__c": "12345678901234.5678",
                "Units__c": 999999999999999999,
                "Ratio__c": 1e10,
                "CutOff__c": "10:00:00",
                "IssuedOn__c": "2024-02-29",
                "PaidAt__c": "2024-09-09T13:08:34+02:00",
                "Notes__c": "",
            }
        ],
    )
    text = api.query("SELECT FIELDS(CUSTOM) FROM Invoice__c WHERE Name = 'exact' LIMIT 1").text
    for piece in (
        '"Total__c":1.23456789012345678E13',
        '"Units__c":9.99999999999999999E17',
        '"Ratio__c":1.0E10',
        '"CutOff__c":"10:00:00.000Z"',
        '"IssuedOn__c":"2024-02-29"',
        '"PaidAt__c":"2024-09-09T11:08:34.000+0000"',
        '"Notes__c":null',
        '"Paid__c":false',
    ):
        assert piece in text
    assert org.rows("Invoice__c")[-1]["Total__c"] == Decimal("12345678901234.5678")


def test_columns_head_the_tables_of_the_cli(api):
    answer = api.get("query", params={"q": "SELECT Id, Owner.Name, Visits__c FROM Account", "columns": "true"}).json()
    names = [(column["columnName"], column["apexType"]) for column in answer["columnMetadata"]]
    assert names == [("Id", "Id"), ("Owner", "String"), ("Visits__c", "Integer")]
    assert [inner["columnName"] for inner in answer["columnMetadata"][1]["joinColumns"]] == ["Name"]


def test_columns_of_aggregates_name_the_function(api):
    soql = "SELECT Industry, COUNT(Id), SUM(Visits__c) total FROM Account GROUP BY Industry"
    answer = api.get("query", params={"q": soql, "columns": "true"}).json()
    found = [(column["columnName"], column["displayName"], column["aggregate"]) for column in answer["columnMetadata"]]
    assert found == [("Industry", "Industry", False), ("expr0", "COUNT(Id)", True), ("total", "SUM(Visits__c)", True)]


def test_all_standard_fields(api):
    first = api.records("SELECT FIELDS(STANDARD) FROM Account")[0]
    assert "BillingAddress" in first and "Visits__c" not in first


def test_fields_come_and_go(org, api, refusal):
    org.add_field("Lead", Field("Mood__c"))
    org.insert("Lead", [{"LastName": "x", "Company": "y", "Status": "Open", "Mood__c": "good"}])
    assert len(api.records("SELECT Mood__c FROM Lead WHERE Mood__c != null")) == 1
    org.hide_field("Lead", "Mood__c")
    assert refusal(api.query("SELECT Mood__c FROM Lead")) == (400, "INVALID_FIELD")
    assert "Mood__c" not in {field["name"] for field in api.get("sobjects/Lead/describe").json()["fields"]}


def test_insert_names_what_it_cannot_take(org):
    with pytest.raises(ValueError, match="Visits__c"):
        org.insert("Account", [{"Visits__c": "many"}])
    with pytest.raises(ValueError, match="Nothing__c"):
        org.insert("Account", [{"Nothing__c": 1}])
    with pytest.raises(KeyError, match="Nothing__c"):
        org.insert("Nothing__c", [{}])
    with pytest.raises(KeyError):
        org.update("Account", "001000000000000AAA", {"Name": "x"})


def test_update_moves_the_stamp(org):
    before = org.rows("Account")[0]
    org.clock_offset = 5
    org.update("Account", before["Id"], {"Name": "new"})
    after = org.rows("Account")[0]
    assert after["Name"] == "new" and after["SystemModstamp"] > before["SystemModstamp"]
