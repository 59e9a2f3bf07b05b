"""Bulk API 2.0 query: the job from its SOQL, and the pages of its result."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ApiError, ConfigurationError, ProtocolError, TransportError
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef
from airflow_provider_sfjwt.salesforce.api.bulk_query import (
    ResultLinks,
    ResultPage,
    create_query_job,
    is_not_offered,
    result_links,
    result_page,
)
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Body, Response
from tests.salesforce.api.rows import Rows
from tests.salesforce.api.scripted import DEAD_SESSION, LOST, UNSENT, Script, ok, refusal

REF = JobRef("750ak000009AVi5AAG", "60.0")
RESULTS = f"GET /services/data/v60.0/jobs/query/{REF.id}/results"
COMPOUND = refusal(400, "API_ERROR", "Selecting compound data not supported in Bulk Query")
FIELDS = [
    {"name": "Id", "type": "id"},
    {"name": "BillingAddress", "type": "address"},
    {"name": "Pin", "type": "location"},
]
JOB = {"id": REF.id, "object": "Account", "state": "UploadComplete"}


class Sink:
    """Counts lines, and how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.declared: int | None = None

    def __call__(self, body: Body, declared: int | None) -> Rows:
        self.begun += 1
        self.declared = declared
        text, buffer = b"", memoryview(bytearray(64))
        while size := body.readinto(buffer):
            text += bytes(buffer[:size])
        return Rows(text.count(b"\n") - 1, text)


def csv_page(rows: int, declared: str | None, locator: str | None = "null") -> Response:
    given = {"sforce_numberofrecords": declared, "sforce_locator": locator}
    body = b'"Id"\n' + b'"001"\n' * rows
    return ok(body, **{name: value for name, value in given.items() if value is not None})


@pytest.mark.parametrize(("include_deleted", "operation"), [(False, "query"), (True, "queryAll")])
def test_a_job_is_created_from_soql(session: Session, include_deleted: bool, operation: str) -> None:
    script = Script(ok(JOB))
    job = script.run(create_query_job(session, "SELECT Id FROM Account", include_deleted=include_deleted))
    assert (job.ref, job.state) == (JobRef(REF.id, "66.0"), "UploadComplete")
    assert script.paths == ["POST /services/data/v66.0/jobs/query"]
    assert json.loads(script.requests[0].body or b"") == {
        "operation": operation,
        "query": "SELECT Id FROM Account",
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }


def test_a_job_that_may_have_been_created_is_not_created_again(session: Session) -> None:
    with pytest.raises(TransportError):
        Script(LOST).run(create_query_job(session, "SELECT Id FROM Account"))
    assert Script(UNSENT, ok(JOB)).run(create_query_job(session, "SELECT Id FROM Account")).ref.id == REF.id


@pytest.mark.parametrize(
    ("soql", "named"),
    [
        ("SELECT COUNT(Id) FROM Account GROUP BY Name", "COUNT(Id) and GROUP BY"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "a parent-to-child sub-query"),
    ],
)
def test_what_bulk_cannot_run_is_named(session: Session, soql: str, named: str) -> None:
    answer = refusal(400, "API_ERROR", "Aggregate Relationships not\nsupported in Bulk Query")
    with pytest.raises(ConfigurationError) as caught:
        Script(answer).run(create_query_job(session, soql))
    assert f"cannot run {named}; run the query over REST" in caught.value.fields["soql"]
    assert "Salesforce said: Aggregate Relationships not supported in Bulk Query" in caught.value.fields["soql"]


@pytest.mark.parametrize(
    ("soql", "named"),
    [
        ("SELECT Id, billingaddress, Pin FROM Account", "billingaddress, Pin of Account"),
        ("SELECT Id, Owner.Address FROM Account", "in the field list of Account"),
    ],
)
def test_a_compound_field_is_named(session: Session, soql: str, named: str) -> None:
    script = Script(COMPOUND, ok({"fields": FIELDS}))
    with pytest.raises(ConfigurationError) as caught:
        script.run(create_query_job(session, soql))
    assert f"cannot return the compound field {named}." in caught.value.fields["soql"]
    assert "BillingStreet" in caught.value.fields["soql"]
    assert script.paths[1:] == ["GET /services/data/v66.0/sobjects/Account/describe"]


def test_a_compound_field_of_an_object_that_cannot_be_told_is_told_without_it(session: Session) -> None:
    with pytest.raises(ConfigurationError, match="in the field list of its object"):
        Script(COMPOUND).run(create_query_job(session, "SELECT BillingAddress"))


@pytest.mark.parametrize(
    ("answer", "soql"),
    [
        (refusal(400, "INVALID_FIELD", "No such column 'X'"), "SELECT X FROM Account"),
        (refusal(400, "INVALID_FIELD", "No such column 'X'"), "SELECT X FROM A WHERE Id IN (SELECT A FROM B)"),
        (refusal(400, "INVALIDENTITY", "Entity 'X' is not supported by the Bulk API."), "SELECT Id FROM X"),
        (refusal(403, "API_CURRENTLY_DISABLED"), "SELECT COUNT(Id) FROM Account"),
        (refusal(400, "LIMIT_EXCEEDED", "Max bulk v2 query jobs"), "SELECT COUNT(Id) FROM Account"),
    ],
)
def test_another_refusal_is_told_as_it_came(session: Session, answer: Response, soql: str) -> None:
    with pytest.raises(ApiError) as caught:
        Script(answer).run(create_query_job(session, soql))
    assert caught.value.retryable is (b"LIMIT_EXCEEDED" in answer.body)
    assert caught.value.items[0].message in str(caught.value)


@pytest.mark.parametrize("end", ["null", "", None])
def test_a_page_is_taken_and_counted(session: Session, end: str | None) -> None:
    script, sink = Script(csv_page(2, "2", end)), Sink()
    page = script.run(result_page(session, REF, None, sink))
    assert page == ResultPage(Rows(2, b'"Id"\n"001"\n"001"\n'), 2, None)
    assert sink.declared == 2
    assert script.paths == [RESULTS]
    assert script.requests[0].headers["Accept"] == "text/csv"


def test_a_locator_leads_to_the_next_page(session: Session, recording: Any) -> None:
    real = re.search(r"sforce-locator: (\S+)", recording("bulk2/query_results_headers.txt").decode())
    assert real is not None
    assert Script(csv_page(1, "1", real[1])).run(result_page(session, REF, None, Sink())).next_locator == real[1]
    script = Script(csv_page(0, "0"))
    assert script.run(result_page(session, REF, real[1], Sink())).declared == 0
    assert script.paths == [f"{RESULTS}?locator={real[1]}"]


def test_an_opaque_locator_is_sent_as_it_came(session: Session) -> None:
    script = Script(csv_page(1, "1"))
    script.run(result_page(session, REF, "a+b/c==&x", Sink()))
    assert script.paths == [f"{RESULTS}?locator=a%2Bb%2Fc%3D%3D%26x"]


@pytest.mark.parametrize("wrong", [csv_page(1, "2"), csv_page(3, "2"), csv_page(2, None), csv_page(2, "\u00b2")])
def test_a_page_of_another_count_is_fetched_anew(session: Session, wrong: Response) -> None:
    script, sink = Script(wrong, csv_page(2, "2")), Sink()
    assert script.run(result_page(session, REF, "MTAw", sink)).content.records == 2
    assert sink.begun == 2
    assert script.slept == [1]
    assert len(set(script.paths)) == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [(csv_page(1, "2"), "brought 1 records where Salesforce declared 2, 3 times"), (csv_page(1, None), "no number")],
)
def test_a_count_that_stays_wrong_is_an_error(session: Session, wrong: Response, told: str) -> None:
    script = Script(wrong, wrong, wrong)
    with pytest.raises(ProtocolError, match=told) as caught:
        script.run(result_page(session, REF, "MTAw", Sink()))
    assert f"job {REF.id} (locator MTAw)" in str(caught.value)
    assert script.slept == [1, 2]


def test_a_page_survives_faults_and_a_dead_session_with_a_sink_begun_anew(session: Session) -> None:
    script, sink = Script(LOST, refusal(503, "SERVER_UNAVAILABLE"), DEAD_SESSION, LOST, csv_page(1, "1")), Sink()
    assert script.run(result_page(session, REF, None, sink)).declared == 1
    assert script.bearers == ["token-1"] * 3 + ["token-2"] * 2
    assert sink.begun == 1


def links(*urls: str, done: bool = True, field: str = "resultUrl", following: str = "") -> Response:
    answer = {"resultPages": [{field: url} for url in urls], "done": done}
    return ok({**answer, "nextRecordsUrl": following} if following else answer)


@pytest.mark.parametrize("field", ["resultUrl", "resultLink"])
def test_links_come_as_locators(session: Session, field: str) -> None:
    base = f"/services/data/v60.0/jobs/query/{REF.id}/results"
    script = Script(links(base, f"{base}?locator=aB%2Bc", f"{base}?maxRecords=5&locator=d", field=field))
    assert script.run(result_links(session, REF)) == ResultLinks((None, "aB+c", "d"), None)
    assert script.paths == [f"GET /services/data/v60.0/jobs/query/{REF.id}/resultPages"]


def test_further_links_are_asked_for_by_their_path(session: Session) -> None:
    following = f"/services/data/v60.0/jobs/query/{REF.id}/resultpages?locator=YcApWm4N"
    script = Script(links("/r?locator=a", done=False, following=following))
    assert script.run(result_links(session, REF)) == ResultLinks(("a",), following)
    script = Script(links("/r?locator=b"))
    assert script.run(result_links(session, REF, following)) == ResultLinks(("b",), None)
    assert script.paths == [f"GET {following}"]


@pytest.mark.parametrize("answer", [refusal(404, "NOT_FOUND"), refusal(409, "CONFLICT"), replace(ok(b""), status=204)])
def test_an_org_that_offers_no_links_is_read_page_by_page(session: Session, answer: Response) -> None:
    assert Script(answer).run(result_links(session, REF)) is None
    with pytest.raises(ProtocolError, match=f"further result links of job {REF.id} are gone"):
        Script(answer).run(result_links(session, REF, "/services/data/v60.0/more"))


def test_an_old_version_is_not_asked_for_links(session: Session) -> None:
    assert Script().run(result_links(session, JobRef(REF.id, "57.0"))) is None
    assert Script(links("/r?locator=a")).run(result_links(session, JobRef(REF.id, "58.0"))) is not None


def test_another_refusal_of_links_is_an_error(session: Session) -> None:
    with pytest.raises(ApiError, match="API_ERROR"):
        Script(refusal(400, "API_ERROR")).run(result_links(session, REF))


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"resultPages": None, "done": True},
        {"resultPages": [{}], "done": True},
        {"resultPages": ["/r"], "done": True},
        {"resultPages": []},
        {"resultPages": [], "done": False},
        {"resultPages": [], "done": False, "nextRecordsUrl": 7},
        {"resultPages": [{"resultUrl": 7}], "done": True},
        {"resultPages": [{"resultUrl": "http://[x"}], "done": True},
    ],
)
def test_links_that_are_none_are_an_error(session: Session, answer: Any) -> None:
    with pytest.raises(ProtocolError, match="lack resultPages, done or nextRecordsUrl"):
        Script(ok(answer)).run(result_links(session, REF))


def test_an_object_that_bulk_does_not_have_is_told_from_other_refusals(session: Session) -> None:
    for code, not_offered in (("INVALIDENTITY", True), ("INVALID_FIELD", False)):
        with pytest.raises(ApiError) as caught:
            Script(refusal(400, code)).run(create_query_job(session, "SELECT Id FROM CaseStatus"))
        assert is_not_offered(caught.value) is not_offered
