"""The rows of "What behaves differently" in ``docs/migrating.md``: each difference, shown by both providers."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.migrating.read_rows import objects, rows
from tests.migrating.table import TABLE
from tests.operators.airflow_run import StateStore

pytest.importorskip(
    "airflow.providers.salesforce",
    reason="missing: the official provider (pip install apache-airflow-providers-salesforce)",
)
from tests.migrating import operators

BULK = "SalesforceBulkOperator"


def test_unknown_fields(org: SimulatedOrg) -> None:
    payload = [{"LastName": "a", "Nope__c": "x"}]
    with pytest.raises(Exception, match="InvalidBatch"):
        operators.official_bulk("insert", payload).execute({})
    sent = len(org.jobs)
    with pytest.raises(AirflowFailException, match="Nope__c"):
        operators.bulk("insert", payload).execute({})
    assert len(org.jobs) == sent
    TABLE.add(f"{BULK}: unknown fields", "fail the task, nothing is sent", "the official batch fails as a whole")


def test_a_retry_of_a_load(org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are in, the answer is not: a retry follows."""
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    official = operators.official_bulk("insert", [{"LastName": "a", "Phone": "official"}])
    here = operators.bulk("insert", [{"LastName": "a", "Phone": "here"}])
    context: dict[str, Any] = {"task_state_store": StateStore()}
    org.add_fault(Fault(method="GET", path="*/job*", status=503, body="", times=None))
    with pytest.raises(Exception, match="503"):
        official.execute({})
    with pytest.raises(SalesforceError, match="503"):
        here.execute(context)
    org.clear_faults()
    official.execute({})
    here.execute(context)
    phones = [row["Phone"] for row in org.rows("Contact")]
    assert (phones.count("official"), phones.count("here")) == (2, 1)
    TABLE.add(f"{BULK}: a retry", "sends what was not accepted", "the official task inserts the rows again")


def without_the_last_row(answer: Any) -> Any:
    return {**answer, "records": answer["records"][:-1]} if "records" in answer else answer


def test_missing_rows_of_a_query(org: SimulatedOrg) -> None:
    from airflow.providers.salesforce.hooks.salesforce import SalesforceHook

    org.add_fault(Fault(method="GET", path="*/query*", edit_json=without_the_last_row, times=None))
    soql = "SELECT Id FROM Account LIMIT 5"
    assert len(SalesforceHook().make_query(soql)["records"]) == 4
    with pytest.raises(SalesforceError, match=r"\b4\b.*\b5\b|\b5\b.*\b4\b"):
        list(SalesforceJwtHook().query(soql))
    TABLE.add("SalesforceHook.make_query: missing rows", "fail the task", "the official hook does not notice")


def test_what_an_extract_takes(org: SimulatedOrg, store: Any) -> None:
    soql = "SELECT Industry, COUNT(Id) n FROM Account GROUP BY Industry"
    operators.official_to_s3(export_format="ndjson", salesforce_query=soql).execute({})
    with pytest.raises(AirflowFailException, match="GROUP BY"):
        operators.to_s3(soql=soql).execute({})
    operators.grouped_file.function(soql, "s3://aws_default@lake/grouped.jsonl")
    theirs, ours = (
        store.get_object(Bucket="lake", Key=key)["Body"].read().decode()
        for key in ("official/accounts.csv", "grouped.jsonl")
    )
    assert rows(ours) == rows(theirs)
    TABLE.add("SalesforceToS3Operator(GROUP BY …)", "grouped_file(…)", "extracts take plain columns")


def test_the_format_of_an_extract() -> None:
    bare = {"salesforce_query": "", "s3_bucket_name": "", "s3_key": "", "salesforce_conn_id": ""}
    assert operators.SalesforceToS3Operator(task_id="x", **bare).export_format == "csv"
    here = operators.SalesforceExtractOperator(task_id="x", sobject="Account", output_path="file:///x")
    assert here.file_format == "parquet"
    TABLE.add("SalesforceToS3Operator: csv", 'file_format="csv"', "the default here is Parquet")


def test_numbers_and_line_breaks(org: SimulatedOrg, store: Any, tmp_path: Path) -> None:
    org.insert("Account", [{"Name": "two\nlines", "NumberOfEmployees": 3}, {"Name": "b", "NumberOfEmployees": None}])
    operators.official_to_s3().execute({})
    operators.to_s3(file_format="parquet", output_path=f"file://{tmp_path}/typed").execute({})
    operators.to_s3(output_path=f"file://{tmp_path}/csv").execute({})
    theirs = list(csv.DictReader(io.StringIO(objects(store, "official/")[0].decode())))
    broken = "two\nlines" if int(pd.__version__.partition(".")[0]) >= 3 else "twolines"
    assert [row["numberofemployees"] for row in theirs if row["name"] == broken] == ["3.0"]
    typed = pq.read_table(next(tmp_path.glob("typed/part-*"))).to_pylist()
    assert [row["NumberOfEmployees"] for row in typed if row["Name"] == "two\nlines"] == [3]
    assert '"two\nlines"' in next(tmp_path.glob("csv/part-*")).read_text(encoding="utf-8")
    TABLE.add(
        "SalesforceToS3Operator: numbers, line breaks",
        "stay as they are",
        "officially 3.0, and before pandas 3 no line breaks",
    )


def test_arguments(org: SimulatedOrg) -> None:
    with pytest.raises(ValueError, match="Operation 'nope' not found"):
        operators.official_bulk("nope", [])
    task = operators.bulk("nope", [], row_retries=-1)  # a DAG file with it can be read
    with pytest.raises(AirflowFailException, match=r"(?s)operation.*row_retries|row_retries.*operation"):
        task.execute({})
    TABLE.add(f"{BULK}: wrong arguments", "all at once, when the task runs", "officially, when the DAG file is read")


def test_the_api(org: SimulatedOrg) -> None:
    payload = [{"LastName": "a"}]
    operators.official_bulk("insert", payload).execute({})
    official = {request.path.partition("/job")[0] for request in org.requests if "/async/" in request.path}
    count = len(org.requests)
    operators.bulk("insert", payload).execute({})
    here = {request.path.partition("/jobs")[0] for request in org.requests[count:] if "/jobs/" in request.path}
    assert official == {"/services/async/59.0"}
    assert here == {f"/services/data/v{SalesforceJwtHook().get_conn().sf_version}"}
    assert float(SalesforceJwtHook().get_conn().sf_version) >= 66
    TABLE.add(f"{BULK}: API", "Bulk API 2.0, newest version", "officially Bulk API 1.0 in version 59.0")
