"""What others reported about values and refusals, by its kind, and inputs of the same kinds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import (
    ApiError,
    ConfigurationError,
    ProtocolError,
)
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.query import SalesforceQueryOperator
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from tests.reports.extracts import FORMATS, QUERY, TRANSPORTS, extract, names_of, rows_of

# -- R6: long queries ---------------------------------------------------------------------------------------------------

MANY_IDS = "SELECT Id FROM Account WHERE Id IN (" + ", ".join([f"'{number:015}AAA'" for number in range(900)]) + ")"


@pytest.mark.parametrize("status", [414, 431])
def test_R6_long_queries(org: SimulatedOrg, status: int) -> None:
    org.add_fault(Fault(path=QUERY, times=None, status=status))
    with pytest.raises(ApiError, match=f"answered {status}.*fewer values.*Bulk API 2.0") as caught:
        list(SalesforceJwtHook().query(MANY_IDS))
    assert not caught.value.retryable
    with pytest.raises(AirflowFailException, match=f"answered {status}.*fewer values.*Bulk API 2.0"):
        SalesforceQueryOperator(task_id="q", soql=MANY_IDS).execute({})


def test_R6_a_long_query_goes_over_bulk(org: SimulatedOrg, tmp_path: Path) -> None:
    assert extract(tmp_path, soql=MANY_IDS).transport == "bulk"
    with pytest.raises(ConfigurationError, match="take transport='bulk'"):
        extract(tmp_path, soql=MANY_IDS, transport="rest")


@TRANSPORTS
def test_R6_a_query_that_no_way_takes(org: SimulatedOrg, tmp_path: Path, transport: str) -> None:
    ids = ", ".join([f"'{number:015}AAA'" for number in range(6_000)])
    for name, arguments in {
        "soql": {"soql": f"SELECT Id FROM Account WHERE Id IN ({ids})"},
        "where": {"sobject": "Account", "fields": ["Id"], "where": f"Id IN ({ids})"},
    }.items():
        with pytest.raises(ConfigurationError, match=f"{name}: the query has 1.*,... characters.*100,000.*fewer"):
            extract(tmp_path, transport=transport, **arguments)
    with pytest.raises(ApiError, match="longer than 100000 characters"):
        SalesforceJwtHook().request("POST", "jobs/query", json={"operation": "query", "query": f"SELECT {ids} FROM A"})


@pytest.mark.parametrize("status", [None, 414, 431])
def test_R6_what_bulk_refused_is_not_advised(org: SimulatedOrg, tmp_path: Path, status: int | None) -> None:
    fields = [Field(f"{'Long' * 8}{number}__c") for number in range(450 if status is None else 1)]
    org.define_object("Wide__c", fields, bulk=False)
    if status is not None:
        org.add_fault(Fault(path=QUERY, times=None, status=status))
    with pytest.raises(ConfigurationError, match="too long for REST") as caught:
        extract(tmp_path, sobject="Wide__c")
    assert "bulk" not in str(caught.value).lower()
    assert sum(request.method == "POST" and "jobs" in request.path for request in org.requests) == 1


# -- R8: one table, and errors that say where ---------------------------------------------------------------------------


def test_R8_moments_of_any_type_are_written_alike(org: SimulatedOrg, tmp_path: Path) -> None:
    org.add_field("Account", Field("Old__c", "anyType"))
    moment = "2026-11-20T13:08:34.000+0000"
    soql = "SELECT Id, Owner.CreatedDate, Old__c, Description FROM Account LIMIT 1"
    org.update("Account", org.rows("Account")[0]["Id"], {"Description": moment})

    def with_moment(page: dict[str, Any]) -> dict[str, Any]:
        return {**page, "records": [{**row, "Old__c": moment} for row in page["records"]]}

    org.add_fault(Fault(path=QUERY, times=None, edit_json=with_moment))
    [row] = rows_of(extract(tmp_path, soql=soql, transport="rest"))
    assert row["Old__c"] == "2026-11-20T13:08:34.000Z"
    assert row["Owner.CreatedDate"].endswith("Z")
    assert row["Description"] == moment  # text that somebody wrote stays


def test_R8_moments_over_a_lookup_of_several_objects(org: SimulatedOrg, tmp_path: Path) -> None:
    soql = "SELECT Id, CreatedBy.CreatedDate, Who.LastReferencedDate, Owner.LastViewedDate FROM Task"
    tables = [rows_of(extract(tmp_path / transport, soql=soql, transport=transport)) for transport in ("bulk", "rest")]
    assert tables[0] == tables[1]
    assert tables[0][0]["CreatedBy.CreatedDate"].endswith("Z")


@FORMATS
@pytest.mark.parametrize(
    "soql", ["SELECT iD, NAME, owner.NAME FROM account", "SELECT A.id, A.owner.name FROM Account A"]
)
def test_R8_columns_are_spelled_alike(org: SimulatedOrg, tmp_path: Path, soql: str, file_format: str) -> None:
    names = [
        names_of(extract(tmp_path / transport, soql=soql, transport=transport, file_format=file_format))
        for transport in ("bulk", "rest")
    ]
    assert names[0] == names[1]
    assert names[0][0] == "Id"


NOT_UTF_8 = [b"\xff", b"\xc3", b"Stra\xdfe", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"]


@FORMATS
@pytest.mark.parametrize("text", NOT_UTF_8, ids=repr)
def test_R8_a_page_that_is_not_utf_8(org: SimulatedOrg, tmp_path: Path, text: bytes, file_format: str) -> None:
    third = org.rows("Account")[2]
    org.update("Account", third["Id"], {"Name": "The third"})
    org.add_fault(Fault(path="*/results*", times=None, edit_body=lambda page: page.replace(b"The third", text)))
    where = rf"result page 0 of job 7\w+: column Name holds text that is not UTF-8 \(record {third['Id']}\)"
    with pytest.raises(ProtocolError, match=where) as caught:
        extract(tmp_path, sobject="Account", fields=["Id", "Name"], transport="bulk", file_format=file_format)
    assert "in Salesforce" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_R8_an_answer_over_rest_that_is_not_utf_8(org: SimulatedOrg, tmp_path: Path) -> None:
    org.update("Account", org.rows("Account")[2]["Id"], {"Name": "The third"})
    org.add_fault(Fault(path=QUERY, times=None, edit_body=lambda page: page.replace(b"The third", b"Stra\xdfe")))
    with pytest.raises(ProtocolError, match="not UTF-8, in a value of Name"):
        extract(tmp_path, sobject="Account", fields=["Name", "Id"], transport="rest")
    with pytest.raises(ProtocolError, match="not UTF-8, in a value of Name"):
        list(SalesforceJwtHook().query("SELECT Id, Name FROM Account"))


def test_R8_a_header_that_is_not_utf_8(org: SimulatedOrg, tmp_path: Path) -> None:
    org.add_fault(Fault(path="*/results*", times=None, edit_body=lambda page: page.replace(b'"Name"', b'"N\xff"')))
    with pytest.raises(ProtocolError, match="header of a result page is not UTF-8"):
        extract(tmp_path, sobject="Account", fields=["Id", "Name"], transport="bulk")


@FORMATS
@pytest.mark.parametrize("half", ["\\ud83d", "\\udc00", "a\\udfffb"])
def test_R8_half_a_character_over_rest(org: SimulatedOrg, tmp_path: Path, half: str, file_format: str) -> None:
    third = org.rows("Account")[2]
    org.update("Account", third["Id"], {"Name": "The third"})
    org.add_fault(Fault(path=QUERY, times=None, edit_body=lambda page: page.replace(b"The third", half.encode())))
    where = rf"column Name holds text that is not UTF-8 \(record {third['Id']}\)"
    with pytest.raises(ProtocolError, match=where):
        extract(tmp_path, sobject="Account", fields=["Name", "Id"], transport="rest", file_format=file_format)
    assert list(tmp_path.iterdir()) == []


@TRANSPORTS
@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_R8_a_malformed_number(org: SimulatedOrg, tmp_path: Path, transport: str, file_format: str) -> None:
    third = org.rows("Account")[2]
    org.update("Account", third["Id"], {"NumberOfEmployees": 4711})
    path, cell = (QUERY, b"4711") if transport == "rest" else ("*/results*", rb'"4711[.0]*"')
    org.add_fault(Fault(path=path, times=None, edit_body=lambda page: re.sub(cell, b'"many"', page)))
    where = rf"column NumberOfEmployees holds a value that .* \(record {third['Id']}\)"
    with pytest.raises(ProtocolError, match=where) as caught:
        extract(
            tmp_path,
            sobject="Account",
            fields=["Id", "NumberOfEmployees"],
            transport=transport,
            file_format=file_format,
        )
    assert "file_format='csv'" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


MALFORMED = {"IsDeleted": b"perhaps", "CreatedDate": b"2026-13-01T00:00:00.000Z", "LastActivityDate": b"31.12.2026"}


@TRANSPORTS
@pytest.mark.parametrize(("field", "cell"), MALFORMED.items(), ids=list(MALFORMED))
def test_R8_a_value_that_does_not_fit_parquet(
    org: SimulatedOrg, tmp_path: Path, field: str, cell: bytes, transport: str
) -> None:
    org.add_field("Account", Field("LastActivityDate", "date"))
    third = org.rows("Account")[2]
    org.update("Account", third["Id"], {"Name": "The third"})
    path = QUERY if transport == "rest" else "*/results*"
    old = rb'("The third",(?:"%s":)?)("[^"]*"|true|false|null)' % field.encode()
    org.add_fault(Fault(path=path, times=None, edit_body=lambda page: re.sub(old, rb'\1"%s"' % cell, page)))
    where = rf"column {field} holds a value that .* \(record {third['Id']}\)"
    with pytest.raises(ProtocolError, match=where):
        extract(tmp_path, sobject="Account", fields=["Id", "Name", field], transport=transport, file_format="parquet")
    assert list(tmp_path.iterdir()) == []


REMEDIES = {
    "EXCEEDED_ID_LIMIT": "fewer",
    "OPERATION_TOO_LARGE": "View All",
    "QUERY_TOO_COMPLICATED": "formula",
    "FUNCTIONALITY_NOT_ENABLED": "feature",
    "BIG_OBJECT_UNSUPPORTED_OPERATION": "index",
    "EXTERNAL_OBJECT_EXCEPTION": "External Data Sources",
    "EXTERNAL_OBJECT_AUTHENTICATION_EXCEPTION": "External Data Sources",
    "EXTERNAL_OBJECT_CONNECTION_EXCEPTION": "External Data Sources",
    "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION": "External Data Sources",
    "INVALID_TYPE_FOR_OPERATION": "another object",
    "UNKNOWN_EXCEPTION": "Salesforce Support",
}


@pytest.mark.parametrize(("code", "remedy"), REMEDIES.items(), ids=list(REMEDIES))
def test_R8_remedies(org: SimulatedOrg, code: str, remedy: str) -> None:
    body = json.dumps([{"errorCode": code, "message": "no"}])
    org.add_fault(Fault(path=QUERY, times=None, status=400, body=body))
    with pytest.raises(ApiError, match=code) as caught:
        list(SalesforceJwtHook().query("SELECT Id FROM Account"))
    assert remedy in caught.value.remedy
    assert caught.value.remedy in str(caught.value)


def test_R8_the_page_of_the_query_operator_is_right(org: SimulatedOrg) -> None:
    hook = SalesforceJwtHook()
    assert list(hook.query("SELECT COUNT() FROM Account WHERE Name = 'nobody'")) == [{"expr0": 0}]
    childless = org.rows("Account")[1]["Id"]
    soql = f"SELECT (SELECT Id FROM Contacts) FROM Account WHERE Id = '{childless}'"
    assert list(hook.query(soql)) == [{"Contacts": None}]
