from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_provider_sfjwt.testing import SimulatedOrg


class Bulk1Client:
    """Speaks Bulk API 1.0 as simple-salesforce does."""

    def __init__(self, org: SimulatedOrg) -> None:
        self.root = f"{org.url}/services/async/59.0"
        self.headers = {"X-SFDC-Session": org.issue_session(), "Content-Type": "application/json"}

    def post(self, path: str, body: Any) -> requests.Response:
        return requests.post(f"{self.root}/{path}", json=body, headers=self.headers, timeout=30)

    def get(self, path: str) -> Any:
        return requests.get(f"{self.root}/{path}", headers=self.headers, timeout=30).json()

    def job(self, operation: str, sobject: str = "Contact", **settings: Any) -> dict[str, Any]:
        made = self.post("job", {"operation": operation, "object": sobject, "contentType": "JSON"} | settings)
        assert made.status_code == 201, made.text
        return dict(made.json())

    def results(self, operation: str, records: list[dict[str, Any]], **settings: Any) -> list[dict[str, Any]]:
        job = self.job(operation, **settings)["id"]
        batch = self.post(f"job/{job}/batch", records).json()["id"]
        while self.get(f"job/{job}/batch/{batch}")["state"] in ("Queued", "InProgress"):
            continue
        self.post(f"job/{job}", {"state": "Closed"})
        return list(self.get(f"job/{job}/batch/{batch}/result"))


@pytest.fixture
def bulk(org: SimulatedOrg) -> Bulk1Client:
    return Bulk1Client(org)


def test_records_are_saved_and_answered_in_their_order(org: SimulatedOrg, bulk: Bulk1Client) -> None:
    made = bulk.results("insert", [{"LastName": "a", "Email": "a@example.com"}, {"FirstName": "b"}, {"LastName": "c"}])
    assert [(each["success"], each["created"], bool(each["id"])) for each in made] == [
        (True, True, True),
        (False, False, False),
        (True, True, True),
    ]
    assert made[1]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    rows = {row["Id"]: row for row in org.rows("Contact")}
    assert rows[made[0]["id"]]["LastName"] == "a"
    ids = [made[0]["id"], made[2]["id"]]
    changed = bulk.results("update", [{"Id": ids[0], "FirstName": "x"}, {"Id": ids[1], "LastName": "y"}])
    assert [each["created"] for each in changed] == [False, False]
    rows = {row["Id"]: row for row in org.rows("Contact")}
    assert (rows[ids[0]]["LastName"], rows[ids[0]]["FirstName"], rows[ids[1]]["LastName"]) == ("a", "x", "y")
    assert all(each["success"] for each in bulk.results("delete", [{"Id": each} for each in ids]))
    assert [row["IsDeleted"] for row in org.rows("Contact") if row["Id"] in ids] == [True, True]


def test_null_and_empty_text_empty_a_field_and_a_missing_one_is_left(org: SimulatedOrg, bulk: Bulk1Client) -> None:
    (known,) = org.insert("Contact", [{"LastName": "a", "FirstName": "f", "Email": "a@example.com", "Phone": "1"}])
    (changed,) = bulk.results("update", [{"Id": known, "FirstName": None, "Email": ""}])
    assert changed["success"]
    row = next(row for row in org.rows("Contact") if row["Id"] == known)
    assert (row["FirstName"], row["Email"], row["Phone"]) == (None, None, "1")


def test_upsert_by_external_id_and_a_parent_by_its_key(org: SimulatedOrg, bulk: Bulk1Client) -> None:
    settings = {"externalIdFieldName": "ExternalKey__c"}
    records = [{"ExternalKey__c": "k", "LastName": "a", "Owner": {"Username": org.username}}]
    assert [each["created"] for each in bulk.results("upsert", records, **settings)] == [True]
    assert [each["created"] for each in bulk.results("upsert", records, **settings)] == [False]
    refused = bulk.post("job", {"operation": "upsert", "object": "Contact", "contentType": "JSON"})
    assert refused.json()["exceptionCode"] == "InvalidJob"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"operation": "insert", "object": "Nobody"}, "InvalidJob"),
        ({"operation": "truncate", "object": "Contact"}, "InvalidJob"),
        ({"operation": "insert", "object": "CaseStatus"}, "InvalidEntity"),
        ({"operation": "hardDelete", "object": "Contact"}, "FeatureNotEnabled"),
        ({"operation": "query", "object": "Contact"}, "FeatureNotEnabled"),
        ({"operation": "insert", "object": "Contact", "contentType": "CSV"}, "FeatureNotEnabled"),
        ({"operation": "insert", "object": "Contact", "concurrencyMode": 2}, "InvalidJob"),
    ],
)
def test_jobs_that_cannot_be_are_refused(bulk: Bulk1Client, wanted: dict[str, Any], code: str) -> None:
    refused = bulk.post("job", {"contentType": "JSON"} | wanted)
    assert (refused.status_code, refused.json()["exceptionCode"]) == (400, code)


def test_a_hard_delete_needs_the_permission(org: SimulatedOrg, bulk: Bulk1Client) -> None:
    org.hard_delete_allowed = True
    known = org.rows("Contact")[0]["Id"]
    assert bulk.results("hardDelete", [{"Id": known}])[0]["success"]
    assert known not in [row["Id"] for row in org.rows("Contact")]


def test_the_numbers_ordinal_of_a_mode_is_understood(bulk: Bulk1Client) -> None:
    assert bulk.job("insert", concurrencyMode=1)["concurrencyMode"] == "Serial"
    assert bulk.job("insert", concurrencyMode=0)["concurrencyMode"] == "Parallel"


def test_a_batch_that_is_wrong_as_a_whole_fails(org: SimulatedOrg, bulk: Bulk1Client) -> None:
    org.bulk_polls = 0
    job = bulk.job("insert")["id"]
    for records, message in [
        ([{"Nope": 1}], "Field name not found : Nope"),
        ({"LastName": "a"}, "array of objects"),
        ([{"LastName": "a"}] * 10_001, "exceed the maximum"),
    ]:
        batch = bulk.post(f"job/{job}/batch", records).json()["id"]
        seen = bulk.get(f"job/{job}/batch/{batch}")
        assert seen["state"] == "Failed"
        assert message in seen["stateMessage"]
        assert bulk.get(f"job/{job}/batch/{batch}/result")["exceptionCode"] == "InvalidBatch"
    assert bulk.get(f"job/{job}")["numberBatchesFailed"] == 3


def test_a_batch_takes_the_polls_of_a_job(org: SimulatedOrg, bulk: Bulk1Client) -> None:
    org.bulk_polls = 2
    job = bulk.job("insert")["id"]
    batch = bulk.post(f"job/{job}/batch", [{"LastName": "a"}]).json()
    assert (batch["state"], batch["jobId"]) == ("Queued", job)
    states = [bulk.get(f"job/{job}/batch/{batch['id']}")["state"] for _ in range(4)]
    assert states == ["InProgress", "InProgress", "Completed", "Completed"]
    counts = {name: bulk.get(f"job/{job}")[f"numberBatches{name}"] for name in ("Queued", "InProgress", "Completed")}
    assert counts == {"Queued": 0, "InProgress": 0, "Completed": 1}
    assert [each["id"] for each in bulk.get(f"job/{job}/batch")["batchInfo"]] == [batch["id"]]
    assert bulk.get(f"job/{job}/batch/{batch['id']}/request") == [{"LastName": "a"}]
    assert org.jobs[job]["numberRecordsProcessed"] == 1


def test_a_closed_job_takes_no_batch(bulk: Bulk1Client) -> None:
    job = bulk.job("insert")["id"]
    assert bulk.post(f"job/{job}", {"state": "Closed"}).json()["state"] == "Closed"
    assert bulk.post(f"job/{job}/batch", []).json()["exceptionCode"] == "InvalidJobState"
    assert bulk.post(f"job/{job}", {"state": "Closed"}).json()["exceptionCode"] == "InvalidJobState"
    assert bulk.post(f"job/{job}", {"state": "Open"}).json()["exceptionCode"] == "InvalidJob"


def test_the_batches_of_a_day_are_shared_with_bulk_api_2(org: SimulatedOrg, bulk: Bulk1Client) -> None:
    org.daily_bulk_batches = 1
    job = bulk.job("insert")["id"]
    assert bulk.post(f"job/{job}/batch", [{"LastName": "a"}]).status_code == 201
    assert bulk.post(f"job/{job}/batch", [{"LastName": "b"}]).json()["exceptionCode"] == "ExceededQuota"


def test_sessions_versions_and_addresses_are_checked(org: SimulatedOrg, bulk: Bulk1Client) -> None:
    assert bulk.get("job/750000000000000AAA")["exceptionCode"] == "InvalidJob"
    assert bulk.get("nothing")["exceptionCode"] == "InvalidUrl"
    assert bulk.get(f"job/{bulk.job('insert')['id']}/batch/751000000000000")["exceptionCode"] == "InvalidBatch"
    old = requests.get(f"{org.url}/services/async/20.0/job/1", headers=bulk.headers, timeout=30)
    assert old.json()["exceptionCode"] == "InvalidVersion"
    org.expire_sessions()
    assert bulk.get("job/1")["exceptionCode"] == "InvalidSessionId"


def test_shapes_are_those_of_a_real_org(bulk: Bulk1Client, recording: Callable[[str], str]) -> None:
    """The recordings are XML; JSON has the same names."""

    def names(template: str) -> set[str]:
        return set(re.findall(r"<(\w+)>", recording(f"bulk1/{template}")))

    job = bulk.job("upsert", externalIdFieldName="Id")
    assert set(job) == names("jobInfo_upsert_xml.tpl")
    assert set(bulk.job("insert")) == names("jobInfo_insert_xml.tpl")
    batch = bulk.post(f"job/{job['id']}/batch", [{"LastName": "a"}]).json()
    assert set(batch) - {"stateMessage"} == names("batchInfo_xml.tpl")
