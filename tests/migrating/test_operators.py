"""Tasks of the official provider and of the S3 transfer, run beside the same tasks here."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.testing import ApexRequest, SimulatedOrg
from tests.migrating.read_rows import objects, rows
from tests.migrating.table import TABLE

pytest.importorskip(
    "airflow.providers.salesforce",
    reason="missing: the official provider (pip install apache-airflow-providers-salesforce)",
)
from tests.migrating import operators

BULK = "SalesforceBulkOperator"


def contacts(org: SimulatedOrg, prefix: str) -> list[dict[str, Any]]:
    """The contacts of one side, without what has to differ."""
    rows = [row for row in org.rows("Contact") if str(row["ExternalKey__c"]).startswith(prefix)]
    kept = ("LastName", "Email", "AccountId", "IsDeleted")
    return [{"key": row["ExternalKey__c"].removeprefix(prefix), **{name: row[name] for name in kept}} for row in rows]


def sides(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The same rows for the official operator and for this one, told apart by their keys."""
    first, second = ([{**row, "ExternalKey__c": f"{side}{n}"} for n, row in enumerate(rows)] for side in "oh")
    return first, second


def both_are_the_same(org: SimulatedOrg) -> None:
    official = contacts(org, "o")
    assert official
    assert contacts(org, "h") == official


def test_insert_update_delete_and_hard_delete(org: SimulatedOrg) -> None:
    org.hard_delete_allowed = True
    official, here = sides([{"LastName": "a", "Email": "a@example.com"}, {"LastName": "b"}, {"LastName": "c"}])
    operators.official_bulk("insert", official, batch_size=2).execute({})
    operators.bulk("insert", here).execute({})
    both_are_the_same(org)
    ids = {row["ExternalKey__c"]: row["Id"] for row in org.rows("Contact") if row["ExternalKey__c"]}
    changed = {side: [{"Id": ids[f"{side}{n}"], "LastName": "changed"} for n in (0, 1)] for side in "oh"}
    operators.official_bulk("update", changed["o"]).execute({})
    operators.bulk("update", changed["h"]).execute({})
    both_are_the_same(org)
    operators.official_bulk("delete", [{"Id": ids["o1"]}]).execute({})
    operators.bulk("delete", [{"Id": ids["h1"]}]).execute({})
    both_are_the_same(org)
    assert [row["IsDeleted"] for row in contacts(org, "h")] == [False, True, False]
    operators.official_bulk("hard_delete", [{"Id": ids["o2"]}]).execute({})
    operators.bulk("hard_delete", [{"Id": ids["h2"]}]).execute({})
    both_are_the_same(org)
    assert len(contacts(org, "h")) == 2
    for operation in ("insert", "update", "delete", "hard_delete"):
        TABLE.add(f'{BULK}(operation="{operation}")', f'SalesforceLoadOperator(operation="{operation}")')
    TABLE.add(f"{BULK}(object_name, payload, batch_size)", "(sobject, source), parts by themselves")


def test_upsert_and_rows_that_meet_a_lock(org: SimulatedOrg) -> None:
    official, here = sides([{"LastName": "a"}, {"LastName": "b"}])
    org.insert("Contact", [{"ExternalKey__c": "o1", "LastName": "old"}, {"ExternalKey__c": "h1", "LastName": "old"}])
    org.lock_records("Contact", {"ExternalKey__c": ["o1", "h1"]}, times=2)
    answer = operators.official_upsert(official).execute({})
    assert [row["success"] for row in answer] == [True, True]
    assert operators.upsert(here).execute({})["counts"]["succeeded"] == 2
    both_are_the_same(org)
    TABLE.add(f'{BULK}(operation="upsert", external_id_field)', 'SalesforceLoadOperator(operation="upsert", …)')
    TABLE.add(f"{BULK}(max_retries)", "(row_retries=2), its default")


@pytest.fixture
def strict(org: SimulatedOrg) -> SimulatedOrg:
    """An org that refuses contacts named b."""
    org.add_validation_rule("Contact", lambda contact: contact["LastName"] == "b", "No contact may be named b.")
    return org


def test_failed_rows_fail_the_task(strict: SimulatedOrg) -> None:
    official, here = sides([{"LastName": "a"}, {"LastName": "b"}])
    answer = operators.official_bulk("insert", official).execute({})
    assert [row["success"] for row in answer] == [True, False]
    with pytest.raises(AirflowFailException, match=r"1 of 2 rows"):
        operators.bulk("insert", here).execute({})
    both_are_the_same(strict)
    TABLE.add(f"{BULK}: rejected rows", "fail the task", "the official task is green")


def test_values_that_cannot_be_are_found_before_anything_is_sent(org: SimulatedOrg) -> None:
    official, here = sides([{"LastName": "a"}, {"LastName": "b", "Email": "no address"}])
    answer = operators.official_bulk("insert", official).execute({})
    assert [row["success"] for row in answer] == [True, False]
    with pytest.raises(AirflowFailException, match="row 2, column Email"):
        operators.bulk("insert", here).execute({})
    assert len(contacts(org, "o")) == 1
    assert contacts(org, "h") == []
    TABLE.add(f"{BULK}: malformed values", "fail the task, nothing is sent", "the official task is green")


def test_as_many_failed_rows_as_ever_may_be_allowed_and_looked_up(strict: SimulatedOrg, tmp_path: Path) -> None:
    official, here = sides([{"LastName": "a"}, {"LastName": "b"}])
    answer = operators.official_bulk("insert", official).execute({})
    folder = tmp_path / "results"
    counts = operators.tolerant(here, f"file://{folder}").execute({})["counts"]
    assert (counts["succeeded"], counts["failed"]) == (1, 1)
    (failed,) = [row for file in folder.glob("failed*") for row in csv.DictReader(file.read_text().splitlines())]
    code = answer[1]["errors"][0]["statusCode"]
    assert failed["error_code"] == code
    assert failed["ExternalKey__c"] == "h1"
    both_are_the_same(strict)
    TABLE.add(
        f"{BULK} → XCom, a result for each row", "(max_failed_ratio=1.0, results_path)", "rows in files, counts in XCom"
    )


def test_serial(org: SimulatedOrg) -> None:
    account = org.rows("Account")[0]["Id"]
    official, here = sides([{"LastName": "a", "AccountId": account}, {"LastName": "b", "AccountId": account}])
    operators.official_serial(official).execute({})
    assert [job["concurrencyMode"] for job in org.jobs.values()] == ["Serial"]
    operators.serial(here).execute({})
    both_are_the_same(org)
    TABLE.add(f"{BULK}(use_serial=True)", "(group_by, parallel_jobs=1)", "Bulk API 2.0 has no serial mode")


def test_an_apex_rest_method(org: SimulatedOrg) -> None:
    seen: list[ApexRequest] = []

    def book(request: ApexRequest) -> dict[str, Any]:
        seen.append(request)
        return {"booked": request.body["number"]}

    org.apex_rest("POST", "/invoices/v1", book)
    tasks = (operators.official_apex(), operators.apex())
    for each in tasks:
        each.render_template_fields({"run_id": "run 1"})
    official, here = (each.execute({}) for each in tasks)
    # The official operator renders no payload.
    assert (official, here) == ({"booked": "{{ run_id }}"}, {"booked": "run 1"})
    assert (seen[0].path, seen[0].body.keys()) == (seen[1].path, seen[1].body.keys())
    TABLE.add(
        "SalesforceApexRestOperator(endpoint, method, payload)",
        "SalesforceApexRestOperator(path, method, payload)",
        "path, method and payload are templated",
    )


@pytest.mark.parametrize(
    ("official", "here"),
    [
        ({}, {}),
        ({"export_format": "ndjson"}, {"file_format": "jsonl"}),
        ({"gzip": True}, {"compression": "gzip"}),
        ({"include_deleted": True}, {"include_deleted": True}),
    ],
)
def test_to_s3(org: SimulatedOrg, store: Any, official: dict[str, Any], here: dict[str, Any]) -> None:
    org.delete("Account", org.rows("Account")[0]["Id"])
    operators.official_to_s3(**official).execute({})
    result = operators.to_s3(**here).execute({})
    (theirs,), ours = objects(store, "official/"), objects(store, "accounts/")
    unpacked = [
        gzip.decompress(each) if "gzip" in official or "compression" in here else each for each in [theirs, *ours]
    ]
    expected = rows(unpacked[0].decode())
    key = lambda row: row["id"]  # noqa: E731
    assert sorted((row for part in unpacked[1:] for row in rows(part.decode())), key=key) == sorted(expected, key=key)
    assert result["records"] == len(expected) == 24 + ("include_deleted" in official)
    said = (
        ", ".join(f"{name}={value!r}" for name, value in official.items()) or "salesforce_query, s3_bucket_name, s3_key"
    )
    meant = ", ".join(f"{name}={value!r}" for name, value in here.items()) or "soql, output_path"
    TABLE.add(
        f"SalesforceToS3Operator({said})", f"SalesforceExtractOperator({meant})", "a folder with a receipt" * (not here)
    )


@pytest.mark.parametrize("file_format", ["csv", "json", "ndjson"])
def test_one_file_at_a_fixed_key(org: SimulatedOrg, store: Any, file_format: str) -> None:
    operators.official_to_s3(export_format=file_format).execute({})
    operators.one_file.function(operators.SOQL, "s3://aws_default@lake/one/accounts", file_format)
    (theirs,), (ours,) = objects(store, "official/"), objects(store, "one/")
    if file_format == "json":
        theirs, ours = (b"\n".join(json.dumps(row).encode() for row in json.loads(each)) for each in (theirs, ours))
    assert rows(ours.decode()) == rows(theirs.decode())
    TABLE.add(
        f'SalesforceToS3Operator(export_format="{file_format}"), one file', f'one_file(…, file_format="{file_format}")'
    )


def test_a_file_that_is_encrypted_and_has_an_acl(org: SimulatedOrg, store: Any) -> None:
    operators.official_to_s3(encrypt=True, acl_policy="private").execute({})
    operators.encrypted_file.function(operators.SOQL, "lake", "encrypted/accounts.csv")
    heads = [store.head_object(Bucket="lake", Key=key) for key in ("official/accounts.csv", "encrypted/accounts.csv")]
    assert [head["ServerSideEncryption"] for head in heads] == ["AES256", "AES256"]
    (theirs,), (ours,) = objects(store, "official/"), objects(store, "encrypted/")
    assert rows(ours.decode()) == rows(theirs.decode())
    TABLE.add(
        "SalesforceToS3Operator(encrypt, acl_policy, replace)", "encrypted_file(…)", "or the bucket's own default"
    )
