"""SOQL over REST: pages, sub-queries and rows without Salesforce's bookkeeping."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ApiError, ProtocolError
from airflow_provider_sfjwt.salesforce.api.query import QueryPage, first_page, next_page
from airflow_provider_sfjwt.salesforce.api.session import Session
from tests.salesforce.api.scripted import Script, ok, refusal

NEXT = "/services/data/v66.0/query/01gRO0000016PIAYA2-2000"


def page(*rows: Any, total: int | None = None, following: str | None = None) -> dict[str, Any]:
    answer = {"totalSize": len(rows) if total is None else total, "done": following is None, "records": list(rows)}
    return answer if following is None else {**answer, "nextRecordsUrl": following}


def row(**values: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Account", "url": "/x"}, **values}


@pytest.mark.parametrize(("include_deleted", "resource"), [(False, "query"), (True, "queryAll")])
def test_a_first_page_is_asked_for_by_soql(session: Session, include_deleted: bool, resource: str) -> None:
    script = Script(ok(page(row(Id="1", Name=None), total=3, following=NEXT)))
    got = script.run(first_page(session, "SELECT Id FROM Account WHERE a = '+&'", include_deleted=include_deleted))
    assert got == QueryPage([{"Id": "1", "Name": None}], 3, NEXT)
    assert script.paths == [f"GET /services/data/v66.0/{resource}?q=SELECT+Id+FROM+Account+WHERE+a+%3D+%27%2B%26%27"]


def test_a_next_page_is_asked_for_by_its_path(session: Session) -> None:
    script = Script(ok(page(row(Id="2"), total=2)))
    assert script.run(next_page(session, NEXT)) == QueryPage([{"Id": "2"}], 2, None)
    assert script.paths == [f"GET {NEXT}"]


def test_deleted_rows_are_left_out_unless_asked_for(session: Session) -> None:
    script = Script(ok(page()))
    script.run(first_page(session, "SELECT"))
    assert script.paths == ["GET /services/data/v66.0/query?q=SELECT"]


def test_a_count_has_a_size_and_no_rows(session: Session) -> None:
    assert Script(ok(page(total=25))).run(first_page(session, "SELECT COUNT() FROM A")) == QueryPage([], 25, None)


def test_parents_nest_and_nulls_stay(session: Session) -> None:
    rows = row(Id="1", Owner=row(Name="x", Manager=row(Name="y")), Parent=None, Address={"city": "Bonn"})
    got = Script(ok(page(rows))).run(first_page(session, "SELECT"))
    assert got.records == [
        {"Id": "1", "Owner": {"Name": "x", "Manager": {"Name": "y"}}, "Parent": None, "Address": {"city": "Bonn"}}
    ]


def test_the_pages_of_a_sub_query_are_followed(session: Session) -> None:
    inner = page(row(Id="a"), total=3, following="/services/data/v66.0/query/01g-1")
    script = Script(
        ok(page(row(Id="1", Contacts=inner), row(Id="2", Contacts=None), row(Id="3", Contacts=page(row(Id="d"))))),
        ok(page(row(Id="b"), total=3, following="/services/data/v66.0/query/01g-2")),
        ok(page(row(Id="c"), total=3)),
    )
    got = script.run(first_page(session, "SELECT Id, (SELECT Id FROM Contacts) FROM Account"))
    assert [each["Contacts"] for each in got.records] == [[{"Id": "a"}, {"Id": "b"}, {"Id": "c"}], None, [{"Id": "d"}]]
    assert script.paths[1:] == ["GET /services/data/v66.0/query/01g-1", "GET /services/data/v66.0/query/01g-2"]


def test_a_row_that_nests_deeper_than_soql_allows_is_an_error(session: Session) -> None:
    nested: dict[str, Any] = {"Id": "a"}
    for _ in range(30):
        nested = {"Owner": nested}
    with pytest.raises(ProtocolError, match="nests deeper than SOQL allows"):
        Script(ok(page(nested))).run(first_page(session, "SELECT"))


def test_a_sub_query_that_comes_short_is_an_error(session: Session) -> None:
    answer = ok(page(row(Id="1", Contacts=page(row(Id="a"), total=2))))
    with pytest.raises(ProtocolError, match="brought 1 row where Salesforce counted 2"):
        Script(answer).run(first_page(session, "SELECT"))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"totalSize": 1, "done": True},
        {"totalSize": None, "done": True, "records": []},
        {"totalSize": "x", "done": True, "records": []},
        {"totalSize": 1, "done": False, "records": []},
        {"totalSize": 1, "done": True, "records": None},
        {"totalSize": 1, "done": True, "records": ["row"]},
    ],
)
def test_an_answer_that_is_no_page_is_an_error(session: Session, answer: Any) -> None:
    with pytest.raises(ProtocolError, match="lacks done, totalSize, records or nextRecordsUrl"):
        Script(ok(answer)).run(first_page(session, "SELECT"))


def test_refused_soql_is_told_with_its_remedy(session: Session) -> None:
    with pytest.raises(ApiError, match="MALFORMED_QUERY: no. Correct the SOQL") as caught:
        Script(refusal(400, "MALFORMED_QUERY")).run(first_page(session, "SELEC"))
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("name", "rows"),
    [("query_parent_and_subquery", 1), ("query_parent_relationship", 2), ("query_aggregate", None)],
)
def test_recorded_pages_are_understood(session: Session, recording: Any, name: str, rows: int | None) -> None:
    body = recording(f"rest/{name}.json")
    got = Script(ok(body)).run(first_page(session, "SELECT"))
    recorded = json.loads(body)
    assert got.total_size == recorded["totalSize"] == len(got.records)
    assert rows is None or len(got.records) == rows
    assert "attributes" not in json.dumps(got.records)


def test_a_last_page_that_names_a_next_one_proves_nothing(session: Session) -> None:
    """Where Salesforce counts nothing, these two alone say where the rows end."""
    answer = {"totalSize": -1, "done": True, "records": [], "nextRecordsUrl": NEXT}
    with pytest.raises(ProtocolError, match=r"the last one \(done\) and yet names a next one"):
        Script(ok(answer)).run(first_page(session, "SELECT"))
