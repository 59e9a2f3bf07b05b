from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import ApiError
from airflow_provider_sfjwt.operators.query import SalesforceQueryOperator
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg


def query(soql: str, **arguments: Any) -> Any:
    return SalesforceQueryOperator(task_id="query", soql=soql, **arguments).execute({})


def test_rows_come_without_salesforces_bookkeeping(org: SimulatedOrg) -> None:
    rows = query("SELECT Id, Owner.Name FROM Account ORDER BY Id LIMIT 2")
    assert rows == [{"Id": row["Id"], "Owner": {"Name": "Integration User"}} for row in org.rows("Account")[:2]]


def test_aggregates_work_here(org: SimulatedOrg) -> None:
    assert query("SELECT COUNT() FROM Account") == [{"expr0": 1000}]
    assert query("SELECT COUNT(Id) accounts FROM Account") == [{"accounts": 1000}]


def test_deleted_rows_are_seen_when_asked_for(org: SimulatedOrg) -> None:
    org.delete("Account", org.rows("Account")[0]["Id"])
    assert len(query("SELECT Id FROM Account")) == 999
    assert len(query("SELECT Id FROM Account", include_deleted=True)) == 1000


def test_too_many_rows_fail_and_are_never_cut_short(org: SimulatedOrg) -> None:
    assert len(query("SELECT Id FROM Account", max_rows=1000)) == 1000
    with pytest.raises(AirflowFailException, match="max_rows: the query has more than 999 rows"):
        query("SELECT Id FROM Account", max_rows=999)
    with pytest.raises(AirflowFailException, match="max_rows: must be at least 1"):
        query("SELECT Id FROM Account", max_rows=0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"soql": "None"}, "soql: is the text 'None'"),
        ({"soql": ["SELECT Id FROM Account"]}, "soql: must be text, not list"),
        ({"max_rows": "5"}, "max_rows: must be a whole number, not str '5'"),
        ({"max_rows": None}, "max_rows: must be a whole number, not None"),
        ({"include_deleted": "false"}, "include_deleted: must be True or False, not str 'false'"),
        ({"salesforce_conn_id": "None"}, "salesforce_conn_id: is the text 'None'"),
        ({"api_version": "None"}, "api_version: 'None' is not an API version"),
    ],
)
def test_arguments_of_another_kind_are_named_and_not_retried(
    org: SimulatedOrg, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(AirflowFailException, match=said):
        query(**{"soql": "SELECT Id FROM Account", **arguments})
    assert not org.requests


def test_a_query_that_lost_rows_fails(org: SimulatedOrg) -> None:
    org.add_fault(Fault(path="*/query*", edit_json=lambda page: {**page, "records": page["records"][:-1]}))
    with pytest.raises(AirflowFailException, match="brought 999 rows where Salesforce counted 1000"):
        query("SELECT Id FROM Account")


@pytest.mark.parametrize(
    ("soql", "message"),
    [
        ("SELECT Id FROM Accout", "INVALID_TYPE: .*Accout.* Check the object's API name"),
        ("SELECT Nmae FROM Account", "INVALID_FIELD: .*Nmae.* field-level security"),
        ("SELECT FROM", "MALFORMED_QUERY"),
    ],
)
def test_what_salesforce_refuses_is_not_retried(org: SimulatedOrg, soql: str, message: str) -> None:
    with pytest.raises(AirflowFailException, match=message):
        query(soql)


def test_a_used_up_allocation_is_worth_a_later_try(org: SimulatedOrg) -> None:
    org.api_calls = 100_000
    with pytest.raises(ApiError, match="run again later") as caught:
        query("SELECT Id FROM Account")
    assert caught.value.retryable


def test_a_count_of_nothing_is_a_row_too(org: SimulatedOrg) -> None:
    assert query("select count() from Account WHERE Name = 'nobody'") == [{"expr0": 0}]
    assert query("SELECT Id FROM Account WHERE Name = 'nobody'") == []
