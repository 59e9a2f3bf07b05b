"""Over REST and over Bulk API 2.0, an extract is the same table."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import ApiError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from tests.operators.airflow_run import run_to_end
from tests.operators.extract_task import extract, published, receipt_of, rows_of

pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture(autouse=True)
def _small_pages(org: SimulatedOrg) -> None:
    org.rest_page_size = 300


def table_of(path: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(path / part["name"]) for part in receipt_of(path)["parts"])


ORDERS: list[dict[str, Any]] = [
    {"sobject": "Account", "fields": None},
    {"sobject": "Account", "fields": ["Id", "Owner.Name", "SystemModstamp"]},
    {"sobject": "Contact", "fields": None},
    {
        "sobject": None,
        "fields": None,
        "soql": "SELECT id, a.AnnualRevenue, Parent.Name FROM Account a WHERE Name > 'A'",
    },
    {"sobject": "Account", "fields": ["Id"], "where": "Name = 'there is none'"},
    {"sobject": "Account", "fields": ["Id", "IsDeleted"], "include_deleted": True},
]


@pytest.mark.parametrize("order", ORDERS, ids=[str(order) for order in ORDERS])
def test_rest_and_bulk_give_the_same_table(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, order: dict[str, Any]
) -> None:
    org.delete("Account", org.rows("Account")[7]["Id"])
    tables = {}
    for transport in ("bulk", "rest"):
        path = tmp_path / transport
        run_to_end(extract(path, transport=transport, file_format="parquet", **order), context)
        tables[transport] = table_of(path)
    assert tables["rest"].schema.equals(tables["bulk"].schema, check_metadata=True)
    assert tables["rest"].to_pylist() == tables["bulk"].to_pylist()


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_text_formats_are_the_same_too(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, file_format: str
) -> None:
    names = ["Id", "Name", "Description", "IsDeleted", "CreatedDate"]
    texts = []
    for transport in ("bulk", "rest"):
        path = tmp_path / transport
        run_to_end(extract(path, transport=transport, file_format=file_format, fields=names, parallel_pages=1), context)
        parts = [(path / part["name"]).read_text("utf-8") for part in receipt_of(path)["parts"]]
        header = f"{parts[0].partition(chr(10))[0]}\n" if file_format == "csv" else ""
        texts.append(header + "".join(part.removeprefix(header) for part in parts))
    assert texts[0] == texts[1]


def test_the_receipt_says_how_it_was_proved(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    result = run_to_end(extract(tmp_path, transport="rest"), context)
    receipt = receipt_of(tmp_path)
    assert (receipt["transport"], receipt["job_id"], result["job_id"]) == ("rest", None, None)
    assert receipt["counts"] == {"written": 1000, "pages": 1000, "job": 1000}
    assert [part["records"] for part in receipt["parts"]] == [1000]
    assert receipt["api_calls"] == org.api_calls == 5  # describe, and four pages
    assert not org.jobs
    assert SalesforceJwtHook().read_receipt(f"file://{tmp_path}").transport == "rest"


def test_numbers_keep_all_their_digits(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    org.add_field("Account", Field("Wide__c", "double", precision=18, scale=2))
    [first, *_] = org.rows("Account")
    org.update("Account", first["Id"], {"Wide__c": "1234567890123456.78"})
    for transport in ("bulk", "rest"):
        run_to_end(
            extract(tmp_path / transport, transport=transport, fields=["Wide__c"], file_format="parquet"), context
        )
    assert str(table_of(tmp_path / "rest")["Wide__c"][0]) == "1234567890123456.780000000000000000"
    assert table_of(tmp_path / "rest").equals(table_of(tmp_path / "bulk"))


def test_auto_takes_rest_for_what_bulk_does_not_offer(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    run_to_end(extract(tmp_path / "auto", sobject="CaseStatus", fields=None), context)
    assert len(rows_of(tmp_path / "auto")) == len(org.rows("CaseStatus")) > 0
    assert receipt_of(tmp_path / "auto")["transport"] == "rest"
    with pytest.raises(AirflowFailException, match="INVALIDENTITY"):
        run_to_end(extract(tmp_path / "bulk", sobject="CaseStatus", fields=None, transport="bulk"), context)


def test_the_hook_does_it_too(org: SimulatedOrg, tmp_path: Path) -> None:
    receipt = SalesforceJwtHook().extract(sobject="CaseStatus", output_path=f"file://{tmp_path}", file_format="csv")
    assert (receipt.transport, receipt.records) == ("rest", len(org.rows("CaseStatus")))


QUERY = "*/query*"
LOST_CURSOR = b'[{"errorCode":"INVALID_QUERY_LOCATOR","message":"invalid query locator"}]'


def test_a_cursor_that_dies_begins_the_query_anew(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    org.add_fault(Fault(method="GET", path=QUERY, nth=3, status=400, body=LOST_CURSOR))
    run_to_end(extract(tmp_path, transport="rest"), context)
    assert [row["Id"] for row in rows_of(tmp_path)] == [row["Id"] for row in org.rows("Account")]
    assert len(published(tmp_path)) == 2


def test_a_cursor_that_always_dies_is_left_to_a_retry(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    org.add_fault(Fault(method="GET", path=QUERY, nth=2, times=None, status=400, body=LOST_CURSOR))
    with pytest.raises(ApiError, match="INVALID_QUERY_LOCATOR") as caught:
        run_to_end(extract(tmp_path, transport="rest"), context)
    assert caught.value.retryable
    assert published(tmp_path) == []


def _total(size: int) -> Any:
    return lambda answer: {**answer, "totalSize": size}


def _without_first_name(answer: dict[str, Any]) -> dict[str, Any]:
    first = {key: value for key, value in answer["records"][0].items() if key != "Name"}
    return {**answer, "records": [first, *answer["records"][1:]]}


def _nested_name(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "records": [{**row, "Name": ["x"]} for row in answer["records"]]}


WRONG = [
    (_total(1001), "the query is not complete: 1,000 rows were written, its pages declared 1,000, and Salesforce counted 1001"),
    (_without_first_name, "a row of the query has no Name"),
    (_nested_name, "Name holds a list"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_is_not_whole_is_not_published(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, edit: Any, message: str
) -> None:
    org.add_fault(Fault(method="GET", path=QUERY, times=None, edit_json=edit))
    with pytest.raises(AirflowFailException, match=re.escape(message)):
        run_to_end(extract(tmp_path, transport="rest"), context)
    assert published(tmp_path) == []


NO_TABLES = [
    ("SELECT COUNT(Id) FROM Account", "which COUNT(Id) does not fit"),
    ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "which a parent-to-child sub-query does not fit"),
    ("SELECT Id, BillingAddress FROM Account", "which BillingAddress does not fit"),
    ("SELECT Id FROM Account WHERE Name IN ('" + "x" * 16_000 + "')", "transport: the query is too long for REST"),
]


@pytest.mark.parametrize(("soql", "message"), NO_TABLES, ids=[message for _, message in NO_TABLES])
def test_what_is_no_table_is_refused_by_name(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, soql: str, message: str
) -> None:
    with pytest.raises(AirflowFailException, match=re.escape(message)):
        run_to_end(extract(tmp_path, transport="rest", sobject=None, fields=None, soql=soql), context)
    assert published(tmp_path) == []


def test_an_unknown_transport_is_named(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(
        AirflowFailException, match="transport: 'soap' is not one of auto, bulk, rest; .*min_api_calls_left"
    ):
        run_to_end(extract(tmp_path, transport="soap", min_api_calls_left=-1), context)


def test_an_older_receipt_without_a_transport_is_read(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    run_to_end(extract(tmp_path), context)
    content = receipt_of(tmp_path)
    del content["transport"]
    (tmp_path / "_receipt.json").write_text(json.dumps({**content, "told_by_a_later_release": 1}))
    assert SalesforceJwtHook().read_receipt(f"file://{tmp_path}").transport == "bulk"
