"""Deleted and updated records, counts of records and conditional descriptions, asked with a plain HTTP client."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import Field, SimulatedOrg

MINUTE = timedelta(minutes=1)


@pytest.fixture
def changes(org: SimulatedOrg, api: Any) -> Any:
    """Ask what was deleted or updated in the last hour, or in another timespan."""

    def ask(resource: str, start: timedelta = timedelta(hours=1), end: timedelta = -2 * MINUTE, sobject="Lead") -> Any:
        now = org.now()
        span = {"start": (now - start).isoformat(), "end": (now - end).isoformat()}
        return api.get(f"sobjects/{sobject}/{resource}/", params=span)

    return ask


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


def test_what_was_deleted_is_known_by_its_id_however_it_went(org, api, changes):
    org.hard_delete_allowed = True
    binned, purged, undeleted, hard = [row["Id"] for row in org.rows("Lead")][:4]
    for record in (binned, purged, undeleted):
        org.delete("Lead", record)
    org.purge("Lead", purged)
    org.undelete("Lead", undeleted)
    api.load("Lead", "hardDelete", f"Id\n{hard}\n")

    answer = changes("deleted").json()

    assert {each["id"] for each in answer["deletedRecords"]} == {binned, purged, hard}
    assert all(set(each) == {"id", "deletedDate"} for each in answer["deletedRecords"])
    (stamp,) = (row["SystemModstamp"] for row in org.rows("Lead") if row["Id"] == binned)
    assert {moment(each["deletedDate"]) for each in answer["deletedRecords"] if each["id"] == binned} == {stamp}
    ids = {row["Id"] for row in api.records("SELECT Id FROM Lead", "queryAll")}
    assert ids & {binned, purged, undeleted, hard} == {binned, undeleted}


def test_seconds_of_a_timespan_are_ignored_and_what_is_covered_ends_with_it(org, changes):
    org.delete("Lead", org.rows("Lead")[0]["Id"], when=org.now() - 90 * MINUTE)
    answer = changes("deleted", 100 * MINUTE, 80 * MINUTE).json()
    covered, end = moment(answer["latestDateCovered"]), org.now() - 80 * MINUTE
    assert len(answer["deletedRecords"]) == 1
    assert (covered.second, end - 2 * MINUTE < covered <= end) == (0, True)
    assert moment(answer["earliestDateAvailable"]) < covered


def test_what_is_covered_does_not_pass_a_transaction_that_runs(org, changes):
    org.in_flight_since = org.now() - 30 * MINUTE
    for resource in ("deleted", "updated"):
        covered = moment(changes(resource).json()["latestDateCovered"])
        assert org.in_flight_since - MINUTE < covered <= org.in_flight_since


@pytest.mark.parametrize("resource", ["deleted", "updated"])
def test_timespans_that_salesforce_refuses(org, api, changes, refusal, resource):
    assert refusal(changes(resource, timedelta(0), -MINUTE)) == (400, "INVALID_REPLICATION_DATE")
    assert refusal(changes(resource, timedelta(0), timedelta(hours=1))) == (400, "INVALID_REPLICATION_DATE")
    assert refusal(changes(resource, timedelta(days=31))) == (400, "INVALID_REPLICATION_DATE")
    assert changes(resource, timedelta(days=29)).status_code == 200
    assert refusal(changes(resource, sobject="Nothing")) == (404, "NOT_FOUND")
    assert refusal(api.get(f"sobjects/Lead/{resource}/", params={"start": "yesterday"})) == (400, "NOT_IN_SIMULATOR")
    naive = {"start": "2026-01-01T00:00:00", "end": "2026-01-02T00:00:00"}
    assert refusal(api.get(f"sobjects/Lead/{resource}/", params=naive)) == (400, "NOT_IN_SIMULATOR")


def test_deletions_are_told_for_15_days(org, changes):
    old, new = [row["Id"] for row in org.rows("Lead")][:2]
    org.delete("Lead", old, when=org.now() - timedelta(days=16))
    org.delete("Lead", new, when=org.now() - timedelta(days=14))
    found = changes("deleted", timedelta(days=20)).json()["deletedRecords"]
    assert [each["id"] for each in found] == [new]


def test_a_delete_log_that_was_trimmed_refuses_an_earlier_start(org, changes, refusal):
    org.delete("Lead", org.rows("Lead")[0]["Id"])
    org.trim_delete_log()
    assert refusal(changes("deleted")) == (400, "INVALID_REPLICATION_DATE")
    later = changes("deleted", -MINUTE, -4 * MINUTE).json()
    assert later["deletedRecords"] == [] and moment(later["earliestDateAvailable"]) <= org.now()


def test_too_many_ids(org, changes, refusal):
    for row in org.rows("Lead")[:3]:
        org.delete("Lead", row["Id"])
    org.replicated_ids = 2
    assert refusal(changes("deleted")) == (400, "EXCEEDED_ID_LIMIT")
    org.replicated_ids = 3
    assert len(changes("deleted").json()["deletedRecords"]) == 3


def test_an_object_that_is_not_replicateable(org, api, changes, refusal):
    org.define_object("Quiet__c", [], replicateable=False)
    answer = changes("deleted", sobject="Quiet__c")
    assert refusal(answer) == (400, "INVALID_TYPE_FOR_OPERATION")
    assert answer.json()[0]["message"] == "sObject type Quiet__c is not replicable"
    assert api.get("sobjects/Quiet__c/describe").json()["replicateable"] is False
    assert api.get("sobjects/Lead/describe").json()["replicateable"] is True


def test_what_was_updated(org, changes):
    changed, gone, late = org.insert("Lead", [{"LastName": name, "Company": "x"} for name in ("a", "b", "c")])
    org.delete("Lead", gone)
    org.update("Lead", late, {"SystemModstamp": org.now() - timedelta(hours=3)})
    assert changed in changes("updated").json()["ids"]
    assert not {gone, late} & set(changes("updated").json()["ids"])
    assert late in changes("updated", timedelta(hours=4)).json()["ids"]


def test_merged_records_name_their_master_and_their_children_move(org, api, refusal):
    master, loser, child = [row["Id"] for row in org.rows("Account")][:3]
    (contact,) = org.insert("Contact", [{"LastName": "Of the loser", "AccountId": loser}])
    org.update("Contact", contact, {"SystemModstamp": org.now() - timedelta(days=3)})
    before = {row["Id"]: row["SystemModstamp"] for row in org.rows("Contact")}
    org.update("Account", child, {"ParentId": loser})

    org.merge("Account", master, [loser])

    soql = "SELECT Id, IsDeleted, MasterRecordId FROM Account WHERE Id = '{}'"
    (found,) = api.records(soql.format(loser), "queryAll")
    assert (found["IsDeleted"], found["MasterRecordId"]) == (True, master)
    assert api.records(soql.format(master))[0]["MasterRecordId"] is None
    moved = next(row for row in org.rows("Contact") if row["Id"] == contact)
    assert moved["AccountId"] == master and moved["SystemModstamp"] > before[contact]
    assert next(row for row in org.rows("Account") if row["Id"] == child)["ParentId"] == master
    org.undelete("Account", loser)
    assert api.records(soql.format(loser))[0]["MasterRecordId"] is None


def test_merges_that_are_refused(org):
    first, second, third, fourth = [row["Id"] for row in org.rows("Account")][:4]
    with pytest.raises(ValueError, match="not 3"):
        org.merge("Account", first, [second, third, fourth])
    with pytest.raises(ValueError, match="cannot be merged"):
        org.merge("Invoice__c", first, [second])
    org.delete("Account", second)
    with pytest.raises(KeyError, match=second):
        org.merge("Account", first, [second])
    for method in (org.purge, org.undelete):
        with pytest.raises(KeyError, match="recycle bin"):
            method("Account", first)


def test_numbers_of_records(org, api):
    org.delete("Lead", org.rows("Lead")[0]["Id"])
    counted = api.get("limits/recordCount", params={"sObjects": "Lead,Nothing,account"}).json()["sObjects"]
    alive = sum(not row["IsDeleted"] for row in org.rows("Lead"))
    assert counted == [{"count": alive, "name": "Lead"}, {"count": len(org.rows("Account")), "name": "Account"}]
    assert {"Lead", "Contact", "User"} <= {each["name"] for each in api.get("limits/recordCount").json()["sObjects"]}


@pytest.mark.parametrize("path", ["sobjects", "sobjects/Parcel__c/describe"])
def test_a_description_comes_again_only_when_it_changed(org, api, refusal, path):
    org.clock_offset = -3600
    org.define_object("Parcel__c", [Field("Key__c")])
    org.clock_offset = 0

    def again(since: str) -> Any:
        return api.get(path, headers={"If-Modified-Since": since})

    seen = api.get(path).headers["Last-Modified"]
    if path == "sobjects":  # the org and its other objects are as old as this test
        org.clock_offset = 5
    unchanged = again(seen)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert again("Wed, 3 Jul 2013 19:43:31 GMT").status_code == 200
    org.clock_offset = 10
    for change in (
        lambda: org.add_field("Parcel__c", Field("New__c")),
        lambda: org.hide_field("Parcel__c", "New__c"),
        lambda: org.show_field("Parcel__c", "New__c"),
        lambda: org.retype_field("Parcel__c", Field("New__c", "double")),
        lambda: org.drop_field("Parcel__c", "New__c"),
    ):
        org.clock_offset += 2
        change()
        answer = again(seen)
        assert answer.status_code == 200
        seen = answer.headers["Last-Modified"]
        assert again(seen).status_code == 304
    assert refusal(again("yesterday")) == (400, "NOT_IN_SIMULATOR")
    answer = api.get(path, headers={"If-Unmodified-Since": seen})
    assert refusal(answer) == (400, "NOT_IN_SIMULATOR")
