"""Bulk API 2.0 query jobs: states, pages, CSV and refusals."""

from __future__ import annotations

import base64
import csv
import io

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from tests.random_tests import examples


def pages(client, job_id, **parameters):
    """Yield the answers of all pages, following locators."""
    locator = None
    while locator != "null":
        extra = {} if locator is None else {"locator": locator}
        answer = client.get(f"jobs/query/{job_id}/results", params=parameters | extra)
        assert answer.status_code == 200, answer.text
        yield answer
        locator = answer.headers["Sforce-Locator"]


def test_a_job_goes_through_its_states(org, api):
    org.bulk_polls = 2
    created = api.create_job("SELECT Id FROM Account")
    assert created.status_code == 200
    job = created.json()
    assert job["state"] == "UploadComplete" and job["apiVersion"] == 66.0 and job["object"] == "Account"
    states = [api.get(f"jobs/query/{job['id']}").json() for _ in range(4)]
    assert [state["state"] for state in states] == ["InProgress", "InProgress", "JobComplete", "JobComplete"]
    assert states[-1]["numberRecordsProcessed"] == 25 and states[-1]["jobType"] == "V2Query"
    assert org.jobs[job["id"]]["state"] == "JobComplete"
    assert [entry["id"] for entry in api.get("jobs/query").json()["records"]] == [job["id"]]


def test_a_job_may_be_complete_at_once(org, api):
    org.bulk_polls = 0
    job_id = api.create_job("SELECT Id FROM Account").json()["id"]
    assert api.get(f"jobs/query/{job_id}").json()["state"] == "JobComplete"


def test_pages_are_whole_deterministic_and_end_with_null(org, api):
    org.bulk_page_size = 10
    job_id = api.finished_job("SELECT Id, Name FROM Account")
    org.insert("Account", [{"Name": "too late"}])
    answers = list(pages(api, job_id))
    assert [answer.headers["Sforce-NumberOfRecords"] for answer in answers] == ["10", "10", "5"]
    assert answers[0].headers["Content-Type"] == "text/csv; charset=UTF-8"
    rows = [row for answer in answers for row in csv.DictReader(io.StringIO(answer.content.decode(), newline=""))]
    assert [row["Id"] for row in rows] == [row["Id"] for row in org.rows("Account")][:25]
    again = list(pages(api, job_id))
    assert [answer.content for answer in again] == [answer.content for answer in answers]


def test_max_records_lowers_the_page_only(org, api):
    org.bulk_page_size = 10
    job_id = api.finished_job("SELECT Id FROM Account")
    counts = [answer.headers["Sforce-NumberOfRecords"] for answer in pages(api, job_id, maxRecords=7)]
    assert counts == ["7", "7", "7", "4"]
    counts = [answer.headers["Sforce-NumberOfRecords"] for answer in pages(api, job_id, maxRecords=700)]
    assert counts == ["10", "10", "5"]
    assert api.get(f"jobs/query/{job_id}/results", params={"maxRecords": "0"}).status_code == 400


def test_locators_are_opaque_and_unpadded(org, api):
    org.bulk_page_size = 10
    job_id = api.finished_job("SELECT Id FROM Account")
    locator = api.get(f"jobs/query/{job_id}/results").headers["Sforce-Locator"]
    assert "=" not in locator
    assert base64.b64decode(locator + "=" * (-len(locator) % 4)).split(b":")[1].startswith(b"0Ga")
    other = api.finished_job("SELECT Id FROM Account")
    for wrong in (locator, "x", "null", "!!"):
        assert api.get(f"jobs/query/{other}/results", params={"locator": wrong}).status_code == 400


def test_result_pages_give_five_links_at_a_time(org, api):
    org.bulk_page_size = 2
    job_id = api.finished_job("SELECT Id FROM Account")
    path, links = f"jobs/query/{job_id}/resultPages", []
    while path:
        answer = api.get(path).json()
        assert len(answer["resultPages"]) == 5 or answer["done"]
        links += [page["resultUrl"] for page in answer["resultPages"]]
        assert ("nextRecordsUrl" in answer) is not answer["done"]
        path = answer.get("nextRecordsUrl")
    assert len(links) == 13
    ids = [row for link in links for row in api.get(link).text.splitlines()[1:]]
    assert ids == [f'"{row["Id"]}"' for row in org.rows("Account")]
    assert api.get(links[0]).headers["Sforce-NumberOfRecords"] == "2"


def test_no_rows_is_a_header_and_zero(api):
    job_id = api.finished_job("SELECT Id, Name FROM Account WHERE Name = 'nobody'")
    answer = api.get(f"jobs/query/{job_id}/results")
    assert answer.text == '"Id","Name"\n'
    assert (answer.headers["Sforce-NumberOfRecords"], answer.headers["Sforce-Locator"]) == ("0", "null")
    assert len(api.get(f"jobs/query/{job_id}/resultPages").json()["resultPages"]) == 1


def test_values_in_csv(org, api):
    org.insert(
        "Account",
        [
            {
                "Name": "exact",
                "AnnualRevenue": 1e10,
                "Score__c": "12345678901234.5678",
                "Locations__c": 3,
                "NumberOfEmployees": 3,
                "Visits__c": 3,
                "Active__c": True,
                "CustomerSince__c": "2024-02-29",
                "LastVisit__c": "2024-09-09T13:08:34Z",
                "Regions__c": "North;East",
                "Description": 'a "b",\r\nc',
            }
        ],
    )
    fields = "Owner.Name,AnnualRevenue,Score__c,Locations__c,NumberOfEmployees,Visits__c,Active__c,CustomerSince__c"
    fields += ",LastVisit__c,Regions__c,Description,Phone"
    job_id = api.finished_job(f"SELECT {fields} FROM Account WHERE Name = 'exact'")
    header, body = api.get(f"jobs/query/{job_id}/results").content.decode().split("\n", 1)
    assert header == ",".join(f'"{name}"' for name in fields.split(","))
    assert body == (
        '"Integration User","1.0E10","1.23456789012345678E13","3.0","3.0","3","true","2024-02-29",'
        '"2024-09-09T13:08:34.000Z","North;East","a ""b"",\r\nc",""\n'
    )


@pytest.mark.parametrize(
    ("name", "character"),
    [("BACKQUOTE", "`"), ("CARET", "^"), ("COMMA", ","), ("PIPE", "|"), ("SEMICOLON", ";"), ("TAB", "\t")],
)
def test_delimiters_and_line_endings(org, api, name, character):
    org.insert("Lead", [{"LastName": f"a{character}b", "Company": "x", "Status": "Open"}])
    soql = "SELECT LastName, Company FROM Lead WHERE Company = 'x'"
    job_id = api.finished_job(soql, columnDelimiter=name, lineEnding="CRLF")
    expected = f'"LastName"{character}"Company"\r\n"a{character}b"{character}"x"\r\n'
    assert api.get(f"jobs/query/{job_id}/results").content.decode() == expected


def test_compressed_only_when_asked(org, api):
    job_id = api.finished_job("SELECT Id, Name FROM Account")
    path = f"jobs/query/{job_id}/results"
    asked = api.get(path)
    plain = api.get(path, headers={"Accept-Encoding": "identity"})
    assert asked.headers["Content-Encoding"] == "gzip" and "Content-Encoding" not in plain.headers
    assert asked.content == plain.content
    org.gzip = False
    assert "Content-Encoding" not in api.get(path).headers


def test_deleted_rows_come_with_query_all(org, api):
    org.delete("Lead", org.rows("Lead")[0]["Id"])
    counts = []
    for operation in ("query", "queryAll"):
        job_id = api.finished_job("SELECT Id FROM Lead", operation=operation)
        counts.append(api.get(f"jobs/query/{job_id}").json()["numberRecordsProcessed"])
    assert counts == [9, 10]


@pytest.mark.parametrize(
    ("soql", "code", "words"),
    [
        ("SELECT COUNT() FROM Account", "API_ERROR", "Aggregate Relationships not supported in Bulk Query"),
        ("SELECT Name, COUNT(Id) FROM Account GROUP BY Name", "API_ERROR", "Aggregate Relationships"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "API_ERROR", "Aggregate Relationships"),
        ("SELECT Id FROM Account LIMIT 5 OFFSET 5", "API_ERROR", "OFFSET"),
        ("SELECT TYPEOF Owner WHEN User THEN Id END FROM Account", "API_ERROR", "TYPEOF"),
        ("SELECT BillingAddress FROM Account", "API_ERROR", "Selecting compound data not supported in Bulk Query"),
        ("SELECT Account.BillingAddress FROM Contact", "API_ERROR", "Selecting compound data not supported"),
        ("SELECT FIELDS(ALL) FROM Account LIMIT 5", "API_ERROR", "FIELDS"),
        ("SELECT Body FROM Attachment", "INVALIDENTITY", "Entity 'Attachment' is not supported by the Bulk API."),
        ("SELECT File__c FROM Paper__c", "API_ERROR", "binary"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE", "sObject type 'Nothing' is not supported."),
        ("SELECT Foo FROM Account", "INVALID_FIELD", "No such column 'Foo'"),
        ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token"),
        (" ", "INVALIDJOB", "query"),
    ],
)
def test_creation_is_refused(org, api, soql, code, words):
    org.define_object("Paper__c", [Field("File__c", "base64")])
    answer = api.create_job(soql)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
    assert words in answer.json()[0]["message"]
    assert org.jobs == {}


def test_typeof_inside_a_text_is_text(api):
    assert api.create_job("SELECT Id FROM Account WHERE Name = 'a TYPEOF b'").status_code == 200


@pytest.mark.parametrize(
    "job",
    [{"operation": "insert"}, {"columnDelimiter": "x"}, {"lineEnding": "CR"}, {"contentType": "JSON"}, {"query": 1}],
)
def test_wrong_job_settings(api, refusal, job):
    assert refusal(api.create_job("SELECT Id FROM Account", **job)) == (400, "INVALIDJOB")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_bodies_that_are_no_object(api, refusal, body):
    assert refusal(api.call("POST", "jobs/query", data=body)) == (400, "JSON_PARSER_ERROR")


def test_daily_job_limit(org, api):
    org.daily_bulk_query_jobs = 1
    first = api.finished_job("SELECT Id FROM Lead")
    assert api.call("DELETE", f"jobs/query/{first}").status_code == 204
    answer = api.create_job("SELECT Id FROM Lead")
    assert answer.json()[0]["message"] == "Max bulk v2 query jobs (1) per 24 hrs has been reached"
    assert api.get("limits").json()["DailyBulkV2QueryJobs"] == {"Max": 1, "Remaining": 0}


def test_results_need_the_end_and_the_version(org, api, client_of, refusal):
    job_id = api.create_job("SELECT Id FROM Account").json()["id"]
    assert refusal(api.get(f"jobs/query/{job_id}/results")) == (400, "INVALIDJOBSTATE")
    assert refusal(api.get(f"jobs/query/{job_id}/resultPages")) == (400, "INVALIDJOBSTATE")
    for _ in range(2):
        api.get(f"jobs/query/{job_id}")
    older = client_of(org, "60.0")
    assert older.get(f"jobs/query/{job_id}/results").status_code == 409
    assert older.get(f"jobs/query/{job_id}/resultPages").status_code == 409
    assert older.get(f"jobs/query/{job_id}").status_code == 200


def test_parallel_results_begin_with_58(client_of):
    with SimulatedOrg(api_versions=("57.0", "58.0")) as org:
        for version, status in (("57.0", 404), ("58.0", 200)):
            client = client_of(org, version)
            job_id = client.finished_job("SELECT Id FROM Account")
            assert client.get(f"jobs/query/{job_id}/resultPages").status_code == status


def test_unknown_deleted_and_misspelled_jobs(api, refusal):
    job_id = api.finished_job("SELECT Id FROM Account")
    assert refusal(api.get(f"jobs/query//{job_id}/results")) == (404, "NOT_FOUND")
    assert refusal(api.get("jobs/query/750000000000000AAA")) == (404, "NOT_FOUND")
    assert api.get(f"jobs/query/{job_id[:15]}").status_code == 200
    assert api.call("DELETE", f"jobs/query/{job_id}").status_code == 204
    for path in ("", "/results", "/resultPages"):
        answer = api.get(f"jobs/query/{job_id}{path}")
        assert answer.status_code == 404
        assert answer.json() == [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]


def test_abort_and_delete_know_the_state(api, refusal):
    job_id = api.create_job("SELECT Id FROM Account").json()["id"]
    assert refusal(api.call("DELETE", f"jobs/query/{job_id}")) == (400, "API_ERROR")
    assert refusal(api.call("PATCH", f"jobs/query/{job_id}", json={"state": "Open"})) == (400, "INVALIDJOBSTATE")
    assert api.call("PATCH", f"jobs/query/{job_id}", json={"state": "Aborted"}).json()["state"] == "Aborted"
    assert api.get(f"jobs/query/{job_id}").json()["state"] == "Aborted"
    assert refusal(api.get(f"jobs/query/{job_id}/results")) == (400, "INVALIDJOBSTATE")
    done = api.finished_job("SELECT Id FROM Account")
    answer = api.call("PATCH", f"jobs/query/{done}", json={"state": "Aborted"})
    assert answer.json() == [
        {"errorCode": "INVALIDJOBSTATE", "message": "Aborting already Completed Job not allowed"},
    ]


def test_jobs_that_end_badly(org, api):
    org.fail_next_job("InvalidBatch : something")
    org.abort_next_job()
    failed, aborted, fine = (api.finished_job("SELECT Id FROM Account") for _ in range(3))
    assert (org.jobs[failed]["state"], org.jobs[failed]["errorMessage"]) == ("Failed", "InvalidBatch : something")
    assert org.jobs[aborted]["state"] == "Aborted"
    assert org.jobs[fine]["state"] == "JobComplete"


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1, max_size=40)


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5), ending=st.sampled_from(["LF", "CRLF"]))
def test_csv_reads_back_what_was_inserted(org, api, rows, ending):
    ids = org.insert("Account", [{"Name": name, "Description": text} for name, text in rows])
    soql = f"SELECT Name, Description FROM Account WHERE Id >= '{ids[0]}'"
    job_id = api.finished_job(soql, lineEnding=ending)
    text = api.get(f"jobs/query/{job_id}/results").content.decode()
    read = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert [tuple(row) for row in read[1:]] == rows


def test_results_are_sent_while_they_are_made():
    with SimulatedOrg(records={"Account": 12_000}, gzip=False, bulk_polls=0) as org:
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {org.issue_session()}"
        url = f"{org.url}/services/data/v66.0/jobs/query"
        job = {"operation": "query", "query": "SELECT Id FROM Account"}
        job_id = session.post(url, json=job, timeout=30).json()["id"]
        session.get(f"{url}/{job_id}", timeout=30)
        answer = session.get(f"{url}/{job_id}/results", timeout=30)
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in answer.headers
    assert answer.text.count("\n") == 12_001


@pytest.mark.parametrize("name", ["CaseStatus", "OrderStatus"])
def test_some_objects_are_for_rest_only(org, api, name):
    if name != "CaseStatus":
        org.define_object(name, [Field("ApiName")])
        org.insert(name, [{"ApiName": "New"}])
    assert api.records(f"SELECT ApiName FROM {name}")[0]["ApiName"] == "New"
    answer = api.create_job(f"SELECT Id FROM {name}")
    message = f"Entity '{name}' is not supported by the Bulk API."
    assert (answer.status_code, answer.json()) == (400, [{"message": message, "errorCode": "INVALIDENTITY"}])


def test_case_statuses_are_rows_like_others(api):
    rows = api.records("SELECT Id, MasterLabel, SortOrder, IsClosed, SystemModstamp FROM CaseStatus ORDER BY SortOrder")
    found = [(row["MasterLabel"], row["SortOrder"], row["IsClosed"]) for row in rows]
    assert found == [("New", 1, False), ("Working", 2, False), ("Escalated", 3, False), ("Closed", 4, True)]
    assert all(row["SystemModstamp"] for row in rows)
