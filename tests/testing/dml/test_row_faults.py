"""Loads on bad days: locks, rules, allocations, failures in the middle, answers that are lost."""

from __future__ import annotations

import csv
import io
import time

import pytest
import requests

from airflow_provider_sfjwt.testing import Fault

HEADER = "LastName,ExternalKey__c\n"


def rows(count):
    return HEADER + "".join(f"x,k-{number}\n" for number in range(count))


def loaded(org):
    """Return the keys that were loaded, in the order of their making."""
    return [row["ExternalKey__c"] for row in org.rows("Contact") if (row["ExternalKey__c"] or "").startswith("k-")]


def test_locked_records_fail_so_many_times(org, api):
    (known,) = org.insert("Contact", [{"LastName": "a", "ExternalKey__c": "k-0"}])
    org.lock_records("Contact", {"ExternalKey__c": ["k-0", "k-2"]}, times=2)
    settings = {"externalIdFieldName": "ExternalKey__c"}
    for _ in range(2):
        org.clock_offset += 10
        job = api.load("Contact", "upsert", rows(3), **settings)
        refused = {row["ExternalKey__c"]: row["sf__Error"] for row in api.result_rows(job, "failedResults")}
        start = "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record"
        assert refused == {"k-0": f"{start} or 1 records: {known}:--", "k-2": f"{start}:--"}
    assert api.refusals("Contact", "upsert", rows(3), **settings) == []
    assert sorted(loaded(org)) == ["k-0", "k-1", "k-2"]


def test_locks_by_a_function_and_for_ever(org, api):
    org.lock_records("Contact", lambda record: record["LastName"] == "x", times=None)
    for _ in range(3):
        assert len(api.refusals("Contact", "insert", "LastName\nx\ny\n")) == 1
    org.lock_records("Lead")
    assert len(api.refusals("Lead", "insert", "LastName,Company\na,b\nc,d\n")) == 2


def test_locks_hold_deletes_too(org, api):
    (known,) = org.insert("Contact", [{"LastName": "a"}])
    org.lock_records("Contact", {"Id": known})
    assert len(api.refusals("Contact", "delete", f"Id\n{known}\n")) == 1
    assert api.refusals("Contact", "delete", f"Id\n{known}\n") == []


def test_validation_rules_see_the_record_as_it_would_become(org, api):
    (known,) = org.insert("Contact", [{"LastName": "a", "Phone": "1"}])
    rule = lambda record: record["Phone"] == "1" and record["FirstName"] == "F"  # noqa: E731
    org.add_validation_rule("Contact", rule, "No F with phone 1", fields=["FirstName"])
    (refused,) = api.refusals("Contact", "update", f"Id,FirstName\n{known},F\n")
    assert refused == "FIELD_CUSTOM_VALIDATION_EXCEPTION:No F with phone 1:FirstName --"
    assert api.refusals("Contact", "update", f"Id,FirstName,Phone\n{known},F,2\n") == []
    assert len(api.refusals("Contact", "insert", "LastName,FirstName,Phone\na,F,1\nb,F,\n")) == 1
    # What one row has changed, the next is looked at with.
    job = api.load("Contact", "update", f"Id,FirstName,Phone\n{known},G,\n{known},,1\n{known},F,\n")
    assert [row["FirstName"] for row in api.result_rows(job, "failedResults")] == ["F"]
    assert api.refusals("Contact", "delete", f"Id\n{known}\n") == []


@pytest.mark.parametrize(("after", "saved"), [(0, 0), (2, 4), (9, 5)])
def test_a_job_that_fails_in_the_middle_keeps_what_it_saved(org, api, after, saved):
    org.bulk_batch_rows = 2
    org.fail_next_job("TooManyLockFailure : too many", kind="ingest", after_batches=after)
    job = api.load("Contact", "insert", rows(5))
    assert (job["state"], job["errorMessage"]) == ("Failed", "TooManyLockFailure : too many")
    assert job["numberRecordsProcessed"] == saved
    assert loaded(org) == [f"k-{number}" for number in range(saved)]
    assert len(api.result_rows(job, "successfulResults")) == saved
    left = [row["ExternalKey__c"] for row in api.result_rows(job, "unprocessedrecords")]
    assert left == [f"k-{number}" for number in range(saved, 5)]
    assert api.load("Contact", "insert", HEADER + "x,y\n")["state"] == "JobComplete"


def test_an_admin_may_stop_the_next_load_but_not_a_query(org, api):
    org.abort_next_job(kind="ingest")
    job_id = api.finished_job("SELECT Id FROM Contact")
    assert api.get(f"jobs/query/{job_id}").json()["state"] == "JobComplete"
    job = api.load("Contact", "insert", rows(2))
    assert job["state"] == "Aborted" and "errorMessage" not in job
    assert len(api.result_rows(job, "unprocessedrecords")) == 2 and loaded(org) == []


@pytest.mark.parametrize(("beyond", "left"), [("lost", []), ("unprocessed", ["k-4"])])
def test_rows_beyond_the_daily_batches(org, api, beyond, left):
    org.bulk_batch_rows, org.daily_bulk_batches, org.beyond_allocation = 2, 2, beyond
    job = api.load("Contact", "insert", rows(5))
    assert (job["state"], job["numberRecordsProcessed"]) == ("Failed", 4)
    assert job["errorMessage"] == "ExceededQuota : ApiBatchItems Limit exceeded."
    sets = {which: [row["ExternalKey__c"] for row in api.result_rows(job, which)] for which in (
        "successfulResults", "failedResults", "unprocessedrecords")}  # fmt: skip
    assert sorted(sets["successfulResults"]) == loaded(org) == ["k-0", "k-1", "k-2", "k-3"]
    assert (sets["failedResults"], sets["unprocessedrecords"]) == ([], left)
    assert api.get("limits").json()["DailyBulkApiBatches"] == {"Max": 2, "Remaining": 0}


def test_a_poll_ends_in_time(org, api):
    org.bulk_batch_rows, org.bulk_poll_seconds, org.bulk_polls = 1, -1, 0
    job_id = api.queued_load("Contact", "insert", rows(3))
    states = [api.get(f"jobs/ingest/{job_id}").json() for _ in range(2)]
    assert {(state["state"], state["numberRecordsProcessed"]) for state in states} == {("InProgress", 0)}
    org.bulk_poll_seconds = 60
    job = api.get(f"jobs/ingest/{job_id}").json()
    assert (job["state"], job["numberRecordsProcessed"]) == ("JobComplete", 3)


def test_lost_answers_do_not_undo_what_was_done(org, api):
    job_id = api.create_load("Contact", "insert").json()["id"]
    for method in ("PUT", "PATCH"):
        org.add_fault(Fault(method=method, path="*/jobs/ingest/*", lose_answer=True))
    with pytest.raises(requests.ConnectionError):
        api.upload(job_id, rows(2))
    assert api.upload(job_id, rows(2)).status_code == 400
    with pytest.raises(requests.ConnectionError):
        api.set_state(job_id, "UploadComplete")
    assert api.get(f"jobs/ingest/{job_id}").json()["state"] == "InProgress"
    assert loaded(org) == ["k-0", "k-1"]


def test_two_loads_of_the_same_rows_both_happen(org, api):
    """Whoever closes a job, hears nothing and makes another has loaded the rows twice."""
    data = "LastName\nTwice\n"
    api.queued_load("Contact", "insert", data)
    api.load("Contact", "insert", data)
    assert len([row for row in org.rows("Contact") if row["LastName"] == "Twice"]) == 2


def test_assignment_rules_give_new_records_away(org, api):
    (other,) = org.insert("User", [{"Username": "other@example.com", "LastName": "o"}])
    rule = org.add_assignment_rule("Lead", other)
    data = "LastName,Company\na,b\n"
    api.load("Lead", "insert", data)
    job = api.load("Lead", "insert", data, assignmentRuleId=rule)
    assert [row["OwnerId"] for row in org.rows("Lead")[-2:]] == [org.user_id, other]
    assert org.jobs[job["id"]]["assignmentRuleId"] == rule


def test_a_large_load_is_quick(org, api):
    count = 20_000
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["LastName", "FirstName", "Email", "ExternalKey__c", "Owner.Email"])
    writer.writerows((f"l {n}", "f", f"e{n}@example.com", f"k-{n}", org.username) for n in range(count))
    start = time.process_time()
    job = api.load("Contact", "insert", buffer.getvalue())
    spent = time.process_time() - start
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("JobComplete", count, 0)
    assert len(loaded(org)) == count
    # 100,000 rows within 15 seconds of work: the machine may be busy with other things.
    assert spent < 15 * count / 100_000
