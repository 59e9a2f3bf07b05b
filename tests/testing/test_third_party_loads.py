"""Clients that others wrote, unpatched, load data into the simulated org."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from simple_salesforce import Salesforce

from airflow_provider_sfjwt.testing import SimulatedOrg

COUNT = 12


@pytest.fixture
def secure_org(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedOrg]:
    with SimulatedOrg(tls=True, bulk_polls=0) as org:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(org.ca_bundle))
        yield org


@pytest.fixture
def simple(secure_org: SimulatedOrg) -> Salesforce:
    return Salesforce(session_id=secure_org.issue_session(), instance_url=secure_org.url, version="66.0")


def by_key(org: SimulatedOrg) -> dict[str, dict[str, Any]]:
    """Return the contacts that were loaded, deleted ones aside."""
    rows = (row for row in org.rows("Contact") if not row["IsDeleted"])
    return {row["ExternalKey__c"]: row for row in rows if (row["ExternalKey__c"] or "").startswith("key-")}


def records(start: int, stop: int, **values: str) -> list[dict[str, str]]:
    return [{"LastName": f'Zürich, "{n}"', "ExternalKey__c": f"key-{n}", **values} for n in range(start, stop)]


def test_simple_salesforce_inserts_upserts_and_deletes(secure_org, simple):
    counts = simple.bulk2.Contact.insert(records=records(0, COUNT), batch_size=5, wait=0)
    assert [count["numberRecordsProcessed"] for count in counts] == [5, 5, 2]
    assert by_key(secure_org)["key-11"]["LastName"] == 'Zürich, "11"'
    changes = records(COUNT - 2, COUNT + 3, Phone="1")
    (count,) = simple.bulk2.Contact.upsert(records=changes, external_id_field="ExternalKey__c", wait=0)
    assert (count["numberRecordsProcessed"], count["numberRecordsFailed"]) == (5, 0)
    found = by_key(secure_org)
    assert len(found) == COUNT + 3 and [key for key, row in found.items() if row["Phone"] == "1"] == [
        f"key-{n}" for n in range(COUNT - 2, COUNT + 3)
    ]
    ids = [{"Id": row["Id"]} for row in found.values()]
    (count,) = simple.bulk2.Contact.update(records=[{**ids[0], "FirstName": "F"}], wait=0)
    assert count["numberRecordsFailed"] == 0 and by_key(secure_org)["key-0"]["Name"] == 'F Zürich, "0"'
    simple.bulk2.Contact.delete(records=ids[:4], wait=0)
    assert len(by_key(secure_org)) == COUNT - 1


def test_simple_salesforce_reads_the_result_sets(secure_org, simple):
    rows = [*records(0, 2), {"LastName": "", "ExternalKey__c": "key-9"}]
    (count,) = simple.bulk2.Contact.insert(records=rows, wait=0)
    assert count["numberRecordsFailed"] == 1
    found = simple.bulk2.Contact.get_all_ingest_records(count["job_id"])
    assert {row["sf__Id"] for row in found["successfulRecords"]} == {row["Id"] for row in by_key(secure_org).values()}
    assert found["failedRecords"][0]["sf__Error"].startswith("REQUIRED_FIELD_MISSING:")
    assert found["unprocessedRecords"] == []


def write(path: Path, rows: list[dict[str, str]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


@pytest.mark.node
def test_salesforce_cli_imports_upserts_and_deletes(org, sf, tmp_path):
    org.bulk_polls = 0

    def load(command, rows, *more):
        file = write(tmp_path / f"{command}.csv", rows)
        target = ["-o", "simulated", "--sobject", "Contact", "--file", file, "--wait", "2"]
        return sf("data", command, "bulk", *target, *more)["result"]

    imported = load("import", records(0, COUNT))
    assert (imported["processedRecords"], imported["failedRecords"]) == (COUNT, 0)
    assert by_key(org)["key-3"]["LastName"] == 'Zürich, "3"'
    load("upsert", records(COUNT - 1, COUNT + 1, Phone="1"), "--external-id", "ExternalKey__c")
    found = by_key(org)
    assert (len(found), found["key-11"]["Phone"], found["key-12"]["Phone"]) == (COUNT + 1, "1", "1")
    load("delete", [{"Id": row["Id"]} for row in found.values()])
    assert by_key(org) == {}
    assert [job["operation"] for job in org.jobs.values()] == ["insert", "upsert", "delete"]


@pytest.mark.node
def test_salesforce_cli_tells_of_refused_rows_and_failed_jobs(org, sf, tmp_path):
    org.bulk_polls = 0
    file = write(tmp_path / "some.csv", [*records(0, 1), {"LastName": "", "ExternalKey__c": "key-9"}])
    command = ["data", "import", "bulk", "-o", "simulated", "--sobject", "Contact", "--wait", "2", "--file"]
    answer = sf(*command, file, status=1)
    assert answer["status"] != 0 and answer["data"]["state"] == "JobComplete", answer
    sf("data", "bulk", "results", "-o", "simulated", "--job-id", answer["data"]["jobId"])
    (refused,) = tmp_path.glob("*failed*.csv")
    assert "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]" in refused.read_text()
    wrong = write(tmp_path / "wrong.csv", [{"LastName": "x", "Nothing__c": "y"}])
    answer = sf(*command, wrong, status=1)
    assert answer["status"] != 0 and "Field name not found : Nothing__c" in answer["message"], answer


JSFORCE = """
const {Connection} = require(process.argv[1]);
const [, , url, token, rows] = process.argv;
const connection = new Connection({instanceUrl: url, accessToken: token, version: "66.0"});
(async () => {
  const results = await connection.bulk2.loadAndWaitForResults({
    object: "Contact", operation: "insert", input: JSON.parse(rows), pollInterval: 10, pollTimeout: 60000});
  const many = await connection.sobject("Contact").create([{LastName: "m1"}, {}, {LastName: "m3"}]);
  console.log(JSON.stringify({results, many}));
})().catch(error => { console.error(error); process.exit(1); });
"""


@pytest.mark.node
def test_jsforce_loads_and_saves_collections(org, node, jsforce):
    rows = [*records(0, 3), {"LastName": None, "ExternalKey__c": "key-9"}]
    command = [node, "-e", JSFORCE, str(jsforce), org.url, org.issue_session(), json.dumps(rows)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    saved, failed, left = (
        answer["results"][name] for name in ("successfulResults", "failedResults", "unprocessedRecords")
    )
    assert {row["sf__Id"] for row in saved} == {row["Id"] for row in by_key(org).values()} and len(saved) == 3
    assert ([row["ExternalKey__c"] for row in failed], left) == (["key-9"], [])
    assert [result["success"] for result in answer["many"]] == [True, False, True]
