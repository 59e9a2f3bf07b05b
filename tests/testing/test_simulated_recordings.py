"""Shapes of the simulator's answers beside answers of real orgs."""

from __future__ import annotations

import json
import re

import pytest


def test_created_job_has_the_recorded_shape(api, recording):
    real = json.loads(recording("bulk2/query_job_create_response.v60.json"))
    ours = api.create_job("SELECT Id FROM Account").json()
    assert list(ours) == list(real)
    assert {name: type(value) for name, value in ours.items()} == {name: type(value) for name, value in real.items()}
    assert re.sub(r"\d", "9", ours["createdDate"]) == re.sub(r"\d", "9", real["createdDate"])


def test_locator_looks_like_the_recorded_one(org, api, recording):
    org.bulk_page_size = 5
    real = re.search(r"sforce-locator: (\S+)", recording("bulk2/query_results_headers.txt"))
    assert real is not None
    job_id = api.finished_job("SELECT Id FROM Account")
    ours = api.get(f"jobs/query/{job_id}/results").headers["Sforce-Locator"]
    assert re.fullmatch(r"[A-Za-z0-9+/]+", ours) and re.fullmatch(r"[A-Za-z0-9+/]+", real[1])


def test_invalid_type_is_worded_as_recorded(api, recording):
    real = json.loads(recording("rest/error_400_INVALID_TYPE.json"))
    assert api.query("SELECT Id,Name,BillingCity,IsDeleted FROM Accout").json() == real


def test_dead_session_is_worded_as_recorded(org, api, recording):
    org.expire_sessions()
    assert api.get("limits").json() == json.loads(recording("rest/error_401_INVALID_SESSION_ID.json"))


def test_described_field_has_the_recorded_keys_in_order(api, recording):
    text = recording("rest/cci_describe_custom.yaml")
    entry = re.search(r'"fields": \[\s*\{(.*?)\n\s*\}', text, re.DOTALL)
    assert entry is not None
    real = re.findall(r'^\s*"(\w+)":', entry[1], re.MULTILINE)
    ours = api.get("sobjects/Invoice__c/describe").json()["fields"][0]
    assert list(ours) == real


def test_describe_has_the_recorded_keys(api, recording):
    text = recording("rest/cci_describe_custom.yaml")
    real = set(re.findall(r'^ {16}"(\w+)":', text, re.MULTILINE))
    assert real
    assert set(api.get("sobjects/Invoice__c/describe").json()) >= real


def test_aggregate_rows_have_the_recorded_shape(api, recording):
    real = json.loads(recording("rest/query_aggregate.json"))["records"][0]
    ours = api.records("SELECT OwnerId, COUNT(Id) FROM Account GROUP BY OwnerId")[0]
    assert ours["attributes"] == real["attributes"]
    assert list(ours)[2] == list(real)[2] == "expr0"


def test_children_have_the_recorded_shape(org, api, recording):
    real = json.loads(recording("rest/query_parent_and_subquery.json"))["records"][0]["OpportunityContactRoles"]
    (account,) = org.insert("Account", [{"Name": "x"}])
    org.insert("Contact", [{"LastName": "y", "AccountId": account}])
    soql = f"SELECT Id, (SELECT Id FROM Contacts) FROM Account WHERE Id = '{account}'"
    ours = api.records(soql)[0]["Contacts"]
    assert list(ours) == list(real)
    assert list(ours["records"][0]["attributes"]) == list(real["records"][0]["attributes"])


@pytest.mark.parametrize("description", ["audience is invalid", "invalid assertion", "expired authorization code"])
def test_token_refusals_are_worded_as_recorded(claims, exchange, recording, description):
    wrong = {
        "audience is invalid": {"aud": "x"},
        "invalid assertion": {"sub": ""},
        "expired authorization code": {"exp": 1},
    }
    known = json.loads(recording("oauth/token_errors.json"))
    real = next(entry for entry in known if entry.get("body", {}).get("error_description") == description)
    answer = exchange(claims | wrong[description])
    assert (answer.status_code, answer.json()) == (real["status"], real["body"])
