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


def kinds(body):
    """Return names and types of a JSON object, in their order."""
    return [(name, type(value)) for name, value in body.items()]


UPSERT = {"externalIdFieldName": "external_id__c"}
HEADER = "Name,StageName,external_id__c,CloseDate\n"
RECORDED_ROW = "Noemi Miller,GENERATED,external-id-3,2003-04-987654321987654321\n"


def test_a_load_has_the_recorded_shapes(api, recording):
    created = api.create_load("Opportunity", "upsert", **UPSERT).json()
    assert kinds(created) == kinds(json.loads(recording("bulk2/ingest_job_create_open.v60.json")))
    assert created["contentUrl"] == f"services/data/v66.0/jobs/ingest/{created['id']}/batches"
    api.upload(created["id"], HEADER + "n,Prospecting,k,2024-01-01\n")
    closed = api.set_state(created["id"], "UploadComplete").json()
    assert kinds(closed) == kinds(json.loads(recording("bulk2/ingest_patch_uploadcomplete_response.v60.json")))
    for name in ("inprogress", "complete"):
        shown = api.get(f"jobs/ingest/{created['id']}").json()
        assert kinds(shown) == kinds(json.loads(recording(f"bulk2/ingest_job_{name}.v60.json")))
    deletion = api.create_load("Opportunity", "delete").json()
    assert kinds(deletion) == kinds(json.loads(recording("bulk2/ingest_delete_job_create.v60.json")))


def test_an_unknown_column_fails_a_load_as_recorded(api, recording):
    real = json.loads(recording("bulk2/ingest_job_failed_bad_header.v60.json"))
    column = real["errorMessage"].rpartition(" ")[2]
    ours = api.load("Opportunity", "upsert", f"Name,{column},external_id__c\na,b,c\n", **UPSERT)
    assert kinds(ours) == kinds(real)
    changing = ("id", "createdById", "createdDate", "systemModstamp", "apiVersion")
    assert {name: ours[name] for name in real if name not in changing} == {
        name: value for name, value in real.items() if name not in changing
    }


def test_a_refused_row_is_worded_as_recorded(api, recording):
    real = recording("bulk2/ingest_failedResults.v60.csv")
    job = api.load("Opportunity", "upsert", HEADER + RECORDED_ROW, **UPSERT)
    assert api.get(f"jobs/ingest/{job['id']}/failedResults").text.rstrip() == real.rstrip()
    counted = json.loads(recording("bulk2/ingest_job_complete_with_failed_rows.v60.json"))
    assert kinds(job) == kinds(counted)


def test_collections_are_answered_as_recorded(api, recording):
    def send(*records, **more):
        body = {"records": [{"attributes": {"type": "Contact"}, **record} for record in records]} | more
        return api.call("POST", "composite/sobjects", json=body).json()

    real = json.loads(recording("rest/collections_200_success.json"))
    assert [kinds(result) for result in send({"LastName": "a"}, {"LastName": "b"})] == [
        kinds(result) for result in real
    ]
    assert send({}, {"LastName": "b"}, allOrNone=True) == json.loads(
        recording("rest/collections_200_allOrNone_rollback.json")
    )
    assert send() == json.loads(recording("rest/collections_400_empty.json"))
    real = json.loads(recording("rest/error_400_INVALID_FIELD_FOR_INSERT_UPDATE.json"))[0]
    (error,) = send({"LastName": "a", "CreatedDate": "2024-01-01T00:00:00Z"})[0]["errors"]
    assert error["message"] == real["message"].replace("MasterRecordId", "CreatedDate")
    assert (error["statusCode"], error["fields"]) == (real["errorCode"], ["CreatedDate"])


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
