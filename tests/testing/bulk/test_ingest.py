"""Bulk API 2.0 ingest jobs: their life, what they refuse, and their three result sets."""

from __future__ import annotations

import csv
import json

import pytest

from airflow_provider_sfjwt.testing import Field

TWO = "LastName,ExternalKey__c\nOne,k-1\nTwo,k-2\n"


def contacts(org, *keys):
    """Return the contacts with these external keys by key, deleted ones aside."""
    rows = {row["ExternalKey__c"]: row for row in org.rows("Contact") if not row["IsDeleted"]}
    return [rows.get(key) for key in keys]


def test_a_load_goes_through_its_states(org, api):
    org.bulk_polls = 2
    created = api.create_load("Contact", "insert")
    assert created.status_code == 200
    job = created.json()
    assert (job["state"], job["apiVersion"], job["concurrencyMode"]) == ("Open", 66.0, "Parallel")
    assert job["contentUrl"] == f"services/data/v66.0/jobs/ingest/{job['id']}/batches"
    uploaded = api.call("PUT", f"/{job['contentUrl']}", data=TWO, headers={"Content-Type": "text/csv; charset=UTF-8"})
    assert (uploaded.status_code, uploaded.content) == (201, b"")
    closed = api.set_state(job["id"], "UploadComplete").json()
    assert closed["state"] == "UploadComplete"
    assert not {"contentUrl", "lineEnding", "columnDelimiter"} & set(closed)
    states = [api.get(f"jobs/ingest/{job['id']}").json() for _ in range(4)]
    assert [state["state"] for state in states] == ["InProgress", "InProgress", "JobComplete", "JobComplete"]
    assert (states[-1]["numberRecordsProcessed"], states[-1]["numberRecordsFailed"]) == (2, 0)
    assert states[-1]["jobType"] == "V2Ingest" and "contentUrl" not in states[-1]
    assert org.jobs[job["id"]] == states[-1]
    assert [entry["id"] for entry in api.get("jobs/ingest").json()["records"]] == [job["id"]]
    assert api.get("jobs/ingest", params={"jobType": "Classic"}).json()["records"] == []


def test_the_list_comes_in_pages(api):
    made = [api.create_load("Contact", "insert").json()["id"] for _ in range(3)]
    answer = api.get("jobs/ingest", params={"queryLocator": "2"}).json()
    assert ([entry["id"] for entry in answer["records"]], answer["done"]) == (made[2:], True)
    assert api.get("jobs/ingest", params={"queryLocator": "x"}).status_code == 400


def test_a_load_is_processed_whether_or_not_anybody_polls(org, api):
    api.queued_load("Contact", "insert", TWO)
    assert all(contacts(org, "k-1", "k-2"))
    api.queued_load("Contact", "insert", TWO.replace("k-", "q-"))
    assert len(api.records("SELECT Id FROM Contact WHERE ExternalKey__c LIKE 'q-%'")) == 2


def test_progress_shows_and_what_is_saved_stays_when_it_is_aborted(org, api):
    org.bulk_batch_rows, org.bulk_polls = 2, 2
    job_id = api.queued_load("Contact", "insert", "LastName,ExternalKey__c\n" + "".join(f"x,k-{n}\n" for n in range(6)))
    first = api.get(f"jobs/ingest/{job_id}").json()
    assert (first["state"], first["numberRecordsProcessed"]) == ("InProgress", 2)
    assert api.set_state(job_id, "Aborted").json()["state"] == "Aborted"
    job = api.get(f"jobs/ingest/{job_id}").json()
    assert (job["state"], job["numberRecordsProcessed"]) == ("Aborted", 2)
    assert [row["ExternalKey__c"] for row in api.result_rows(job, "unprocessedrecords")] == ["k-2", "k-3", "k-4", "k-5"]
    assert len(api.result_rows(job, "successfulResults")) == 2
    assert [row is not None for row in contacts(org, *(f"k-{n}" for n in range(6)))] == [True] * 2 + [False] * 4


def test_aborting_an_open_job_leaves_all_rows_unprocessed(org, api):
    job_id = api.create_load("Contact", "insert").json()["id"]
    api.upload(job_id, TWO)
    assert api.set_state(job_id, "Aborted").status_code == 200
    job = api.get(f"jobs/ingest/{job_id}").json()
    assert [row["LastName"] for row in api.result_rows(job, "unprocessedrecords")] == ["One", "Two"]
    assert api.get(f"jobs/ingest/{job_id}/successfulResults").text == '"sf__Id","sf__Created",LastName,ExternalKey__c\n'
    assert contacts(org, "k-1") == [None]


def test_states_that_are_past_are_refused(api, refusal):
    job = api.load("Contact", "insert", TWO)
    for state in ("UploadComplete", "Aborted"):
        answer = api.set_state(job["id"], state)
        assert refusal(answer) == (400, "INVALIDJOBSTATE") and "already Completed Job" in answer.json()[0]["message"]
    assert refusal(api.set_state(job["id"], "Open")) == (400, "INVALIDJOBSTATE")
    assert refusal(api.upload(job["id"], TWO)) == (400, "INVALIDJOBSTATE")


def test_data_is_uploaded_once(org, api, refusal):
    job_id = api.create_load("Contact", "insert").json()["id"]
    assert api.upload(job_id, TWO).status_code == 201
    again = api.upload(job_id, TWO)
    assert refusal(again) == (400, "INVALIDJOB")
    assert again.json()[0]["message"].startswith(f"Found multipe contents for job: <{job_id[:15]}>")
    assert api.set_state(job_id, "UploadComplete").status_code == 200
    org.refuse_second_upload = False
    job_id = api.create_load("Contact", "insert").json()["id"]
    assert [api.upload(job_id, TWO).status_code for _ in range(2)] == [201, 201]
    assert refusal(api.set_state(job_id, "UploadComplete")) == (400, "INVALIDJOB")


def test_uploads_that_are_no_plain_csv_or_too_large_are_refused(org, api, refusal):
    job_id = api.create_load("Contact", "insert").json()["id"]
    assert refusal(api.upload(job_id, TWO, **{"Content-Type": "application/json"}))[0] == 415
    assert refusal(api.upload(job_id, TWO, **{"Content-Encoding": "gzip"}))[0] == 415
    org.bulk_upload_bytes = 55
    assert len(TWO) == 40
    assert refusal(api.upload(job_id, TWO))[0] == 413
    org.bulk_upload_bytes = 56
    assert api.upload(job_id, TWO).status_code == 201


def test_deleting_a_job(api, refusal):
    open_job = api.create_load("Contact", "insert").json()["id"]
    assert refusal(api.call("DELETE", f"jobs/ingest/{open_job}")) == (400, "API_ERROR")
    job = api.load("Contact", "insert", TWO)
    assert api.call("DELETE", f"jobs/ingest/{job['id']}").status_code == 204
    for path in ("", "/successfulResults", "/batches"):
        method = "PUT" if path == "/batches" else "GET"
        assert api.call(method, f"jobs/ingest/{job['id']}{path}", data="").status_code == 404
    assert api.get(f"jobs/query/{open_job}").status_code == 404


def test_results_wait_for_the_end_and_mind_no_trailing_slash(api, refusal):
    job_id = api.queued_load("Contact", "insert", TWO)
    assert refusal(api.get(f"jobs/ingest/{job_id}/failedResults")) == (400, "INVALIDJOBSTATE")
    job = api.load("Contact", "insert", TWO.replace("k-", "j-"))
    for which in ("successfulResults", "failedResults", "unprocessedrecords", "unprocessedRecords"):
        assert api.get(f"jobs/ingest/{job['id']}/{which}/").text == api.get(f"jobs/ingest/{job['id']}/{which}").text


@pytest.mark.parametrize("count", [2, 3, 10])
def test_result_sets_have_an_order_of_their_own(api, count):
    keys = [f"k-{number}" for number in range(count)]
    rows = "".join(f"{name},{key}\n" for key in keys for name in ("x", ""))
    # Every second row lacks its name; the others are saved.
    job = api.load("Contact", "insert", "LastName,ExternalKey__c\n" + rows)
    for which in ("successfulResults", "failedResults"):
        found = [row["ExternalKey__c"] for row in api.result_rows(job, which)]
        assert sorted(found) == sorted(keys) and found != keys
        assert found == [row["ExternalKey__c"] for row in api.result_rows(job, which)]


def test_result_sets_echo_the_input(org, api):
    data = 'lastname;"ExternalKey__c";Description\r\n"Semi;colon";k-1;"two\r\nlines ""q"""\r\n;k-2;\r\n'
    job = api.load("Contact", "insert", data, columnDelimiter="SEMICOLON", lineEnding="CRLF")
    (row,) = contacts(org, "k-1")
    saved = api.get(f"jobs/ingest/{job['id']}/successfulResults").content.decode()
    head = '"sf__Id";"sf__Created";lastname;"ExternalKey__c";Description\r\n'
    assert saved == head + f'"{row["Id"]}";"true";"Semi;colon";"k-1";"two\r\nlines ""q"""\r\n'
    refused = api.get(f"jobs/ingest/{job['id']}/failedResults").content.decode()
    error = "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"
    assert refused == head.replace("Created", "Error") + f'"";"{error}";"";"k-2";""\r\n'
    assert row["Description"] == 'two\r\nlines "q"'


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"operation": "insert"}, "INVALIDJOB"),
        ({"object": "Contact"}, "INVALIDJOB"),
        ({"object": "Nothing", "operation": "insert"}, "INVALIDJOB"),
        ({"object": "Contact", "operation": "replace"}, "INVALIDJOB"),
        ({"object": "CaseStatus", "operation": "insert"}, "INVALIDENTITY"),
        ({"object": "Contact", "operation": "insert", "lineEnding": "CR"}, "INVALIDJOB"),
        ({"object": "Contact", "operation": "insert", "columnDelimiter": "SPACE"}, "INVALIDJOB"),
        ({"object": "Contact", "operation": "insert", "contentType": "JSON"}, "INVALIDJOB"),
        ({"object": "Contact", "operation": "insert", "colour": "red"}, "JSON_PARSER_ERROR"),
        ({"object": "Contact", "operation": "insert", "assignmentRuleId": "01Q000000000001"}, "INVALIDJOB"),
        ({"object": "Contact", "operation": "upsert"}, "INVALIDJOB"),
        ({"object": "Contact", "operation": "upsert", "externalIdFieldName": "Phone"}, "INVALIDJOB"),
        ({"object": "Contact", "operation": "upsert", "externalIdFieldName": "Nothing__c"}, "INVALIDJOB"),
        ({"object": "Contact", "operation": "hardDelete"}, "FEATURENOTENABLED"),
    ],
)
def test_jobs_that_are_refused(org, api, refusal, wanted, code):
    assert refusal(api.call("POST", "jobs/ingest", json=wanted)) == (400, code)
    assert not org.jobs


def test_a_single_request_may_carry_the_data(org, api, refusal):
    def create(data, **parts):
        job = json.dumps({"object": "Contact", "operation": "insert"})
        files = {"job": (None, job, "application/json"), "content": ("content", data, "text/csv"), **parts}
        return api.call("POST", "jobs/ingest", files=files)

    answer = create(TWO)
    assert answer.status_code == 200 and answer.json()["state"] == "UploadComplete"
    assert all(contacts(org, "k-1", "k-2"))
    job = {"id": answer.json()["id"]}
    while api.get(f"jobs/ingest/{job['id']}").json()["state"] != "JobComplete":
        continue
    assert len(api.result_rows(job, "successfulResults")) == 2
    assert refusal(create("LastName\n" + "x" * 100_000)) == (400, "CLIENTINPUTERROR")
    assert refusal(create(TWO, more=("more", "x", "text/plain"))) == (400, "CLIENTINPUTERROR")
    headers = {"Content-Type": "multipart/form-data"}
    assert refusal(api.call("POST", "jobs/ingest", data=b"x", headers=headers)) == (400, "CLIENTINPUTERROR")


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (TWO.replace("\n", "\r\n"), {}, "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"),
        (TWO, {"lineEnding": "CRLF"}, "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is CRLF"),
        ("LastName,FirstName\na,b\r\nc,d\n", {}, "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"),
        (TWO, {"columnDelimiter": "PIPE"}, "InvalidBatch : Field name not found : LastName,ExternalKey__c"),
        ("LastName,Nothing__c\nx,y\n", {}, "InvalidBatch : Field name not found : Nothing__c"),
        ("LastName, FirstName\nx,y\n", {}, "InvalidBatch : Field name not found :  FirstName"),
        ("LastName,LASTNAME\nx,y\n", {}, "InvalidBatch : Field name found more than once : LastName"),
        ("\ufeffLastName\nx\n", {}, "InvalidBatch : Field name not found : \ufeffLastName"),
        ("LastName,Account.Phone\nx,y\n", {}, "InvalidBatch : Field name not found : Account.Phone"),
        ("LastName,Account.Owner.Email\nx,y\n", {}, "InvalidBatch : Field name not found : Account.Owner.Email"),
        ("LastName,Account:Account.Id\nx,y\n", {}, "InvalidBatch : Field name not found : Account:Account.Id"),
        ('\ufeff"LastName"\n"x"\n', {}, "Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote"),
        ('LastName\na "b"\n', {}, "Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote"),
        ('LastName\n"a" b\n', {}, "Failed to parse CSV. Not expecting more text after end quote"),
        ('LastName\n"a\n', {}, "Failed to parse CSV. EOF reached before closing an opened quote"),
        ("LastName\na,b\n", {}, "Record 1 has 2 fields, the header has 1"),
        (b"LastName\n\xff\n", {}, "ClientInputError : The data is not valid UTF-8"),
        ("", {}, "The data is empty"),
        (f"LastName\n{'x' * 131_073}\n", {}, "InvalidBatch : A field exceeds the maximum of 131072 characters"),
        (",".join("abcd") + "\n" + ",".join(["x" * 100_001] * 4) + "\n", {}, "Record 1 exceeds the maximum of 400000 characters"),
        ("a," * 5_000 + "a\n", {}, "Records with 5001 fields exceed the maximum of 5000"),
        (f"LastName,{'x' * 32_000}\ny,z\n", {}, "Header row of 32009 characters exceeds the maximum of 32000"),
    ],
)  # fmt: skip
def test_data_that_is_wrong_as_a_whole_fails_the_job(org, api, data, settings, message):
    before = org.rows("Contact")
    job = api.load("Contact", "insert", data, **settings)
    assert job["state"] == "Failed" and message in job["errorMessage"]
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (0, 0)
    assert org.rows("Contact") == before
    for which, field in (("successfulResults", "sf__Created"), ("failedResults", "sf__Error")):
        assert api.get(f"jobs/ingest/{job['id']}/{which}").text.startswith(f'"sf__Id"{_delimiter(settings)}"{field}"')
        assert api.result_rows(job, which) == []
    assert api.get(f"jobs/ingest/{job['id']}/unprocessedrecords").status_code == 200


def test_the_length_of_a_field_is_no_matter_of_the_process(api):
    before = csv.field_size_limit(10_000_000)
    try:
        job = api.load("Contact", "insert", f"LastName\n{'x' * 131_073}\n")
    finally:
        csv.field_size_limit(before)
    assert job["errorMessage"] == "InvalidBatch : A field exceeds the maximum of 131072 characters"


def _delimiter(settings):
    return "|" if "columnDelimiter" in settings else ","


def test_rows_of_a_failed_job_come_back(api):
    job = api.load("Contact", "insert", "LastName,Nothing__c\nx,y\n")
    assert api.get(f"jobs/ingest/{job['id']}/unprocessedrecords").text == 'LastName,Nothing__c\n"x","y"\n'
    job = api.load("Contact", "insert", TWO, lineEnding="CRLF")
    assert api.get(f"jobs/ingest/{job['id']}/unprocessedrecords").text == TWO


def test_closing_without_data_fails_the_job(api):
    job_id = api.create_load("Contact", "insert").json()["id"]
    api.set_state(job_id, "UploadComplete")
    states = [api.get(f"jobs/ingest/{job_id}").json() for _ in range(2)]
    assert states[-1]["state"] == "Failed" and "No data" in states[-1]["errorMessage"]
    assert api.get(f"jobs/ingest/{job_id}/unprocessedrecords").content == b""


def test_line_ends_within_quotes_are_data(org, api):
    job = api.load("Contact", "insert", 'LastName,ExternalKey__c,Description\nx,k-1,"a\r\nb\nc\rd"\n\n')
    assert job["numberRecordsProcessed"] == 1
    assert contacts(org, "k-1")[0]["Description"] == "a\r\nb\nc\rd"


def test_a_header_alone_is_a_load_of_nothing(org, api):
    job = api.load("Contact", "insert", "LastName\n")
    assert (job["state"], job["numberRecordsProcessed"]) == ("JobComplete", 0)
    assert api.get("limits").json()["DailyBulkApiBatches"] == {"Max": 15_000, "Remaining": 14_999}


@pytest.mark.parametrize(
    ("operation", "data", "settings", "message"),
    [
        ("update", "LastName\nx\n", {}, "Field name not found : Id"),
        ("upsert", "LastName\nx\n", {"externalIdFieldName": "ExternalKey__c"}, "Field name not found : ExternalKey__c"),
        ("delete", "Id,LastName\nx,y\n", {}, "The 'delete' batch must contain only ids"),
        ("delete", "LastName\ny\n", {}, "The 'delete' batch must contain only ids"),
    ],
)
def test_columns_must_fit_the_operation(api, operation, data, settings, message):
    job = api.load("Contact", operation, data, **settings)
    assert (job["state"], job["errorMessage"]) == ("Failed", f"InvalidBatch : {message}")


def test_loads_count_as_calls_and_requests(org, api):
    calls = org.api_calls
    job = api.load("Contact", "insert", TWO)
    assert org.api_calls == calls + 5
    seen = [(request.method, request.status) for request in org.requests[-5:]]
    assert seen == [("POST", 200), ("PUT", 201), ("PATCH", 200), ("GET", 200), ("GET", 200)]
    assert job["id"] in org.jobs


def test_objects_of_ones_own_are_loaded_by_their_external_id(org, api):
    fields = [
        Field("Key__c", length=20, external_id=True, unique=True),
        Field("Amount__c", "currency", precision=10, scale=2),
    ]
    org.define_object("Thing__c", fields)
    data = "Key__c,Amount__c\na,1.005\nb,2\n"
    job = api.load("Thing__c", "upsert", data, externalIdFieldName="key__c")
    assert {row["sf__Created"] for row in api.result_rows(job, "successfulResults")} == {"true"}
    job = api.load("Thing__c", "upsert", "Key__c,Amount__c\nB,3\n", externalIdFieldName="Key__c")
    assert [row["sf__Created"] for row in api.result_rows(job, "successfulResults")] == ["false"]
    rows = org.rows("Thing__c")
    assert [(row["Key__c"], str(row["Amount__c"])) for row in rows] == [("a", "1.005"), ("B", "3.0")]
    # The name of a custom object's record is its id where none is given.
    assert [row["Name"] for row in rows] == [row["Id"][:15] for row in rows]
    described = {field["name"]: field for field in api.get("sobjects/Thing__c/describe").json()["fields"]}
    shown = described["Key__c"]
    assert [shown[name] for name in ("externalId", "unique", "idLookup", "custom", "createable", "length")] == [
        True
    ] * 5 + [20]
