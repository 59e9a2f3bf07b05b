"""sObject Collections: up to 200 records in one request, each with an answer of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ApiError, ErrorItem, ProtocolError, SalesforceError, TransportError
from airflow_provider_sfjwt.salesforce.api.collections import OPERATIONS, RowAnswer, fault_in_records, write_collection
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from tests.salesforce.api.scripted import DEAD_SESSION, LOST, UNSENT, Script, ok, refusal

ID, OTHER_ID = "003ak00000luKU1AAM", "003ak00000luKU2AAM"
SAVED = {"id": ID, "success": True, "errors": []}
PAGE = Response(503, {"content-type": "text/html"}, b"<html>away</html>")


def write(session: Session, script: Script, operation: str = "insert", **options: Any) -> list[RowAnswer]:
    if operation == "upsert":
        options = {"external_id_field": "Key__c", **options}
    records = options.pop("records", [{"Id": ID, "LastName": "Ng"}])
    return script.run(write_collection(session, operation, "Contact", records, **options))


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("insert", "POST /services/data/v66.0/composite/sobjects"),
        ("update", "PATCH /services/data/v66.0/composite/sobjects"),
        ("upsert", "PATCH /services/data/v66.0/composite/sobjects/Contact/Key__c"),
    ],
)
def test_records_are_written(session: Session, operation: str, path: str) -> None:
    script = Script(ok([SAVED, {**SAVED, "id": OTHER_ID}]))
    records = [{"LastName": "Ng", "Account": {"Key__c": "a"}}, {"LastName": None}]
    assert [each.id for each in write(session, script, operation, records=records)] == [ID, OTHER_ID]
    assert script.paths == [path]
    typed = {"attributes": {"type": "Contact"}}
    sent = {"allOrNone": False, "records": [{**typed, **records[0]}, {**typed, **records[1]}]}
    assert json.loads(script.requests[0].body or b"") == sent
    assert script.requests[0].headers["Sforce-Auto-Assign"] == "FALSE"


def test_all_or_none_and_a_rule_are_asked_for(session: Session) -> None:
    script = Script(ok([SAVED]))
    write(session, script, all_or_none=True, assignment_rule_id="01Q1")
    assert json.loads(script.requests[0].body or b"")["allOrNone"] is True
    assert script.requests[0].headers["Sforce-Auto-Assign"] == "01Q1"


def test_records_are_deleted_by_their_ids(session: Session) -> None:
    script = Script(ok([SAVED, SAVED]))
    write(session, script, "delete", records=[{"Id": ID}, {"Id": OTHER_ID}])
    ids = f"{ID}%2C{OTHER_ID}"
    assert script.paths == [f"DELETE /services/data/v66.0/composite/sobjects?ids={ids}&allOrNone=false"]
    assert script.requests[0].body is None


@pytest.mark.parametrize(
    ("operation", "said", "created"),
    [
        ("insert", {}, True),
        ("update", {}, False),
        ("delete", {}, False),
        ("upsert", {"created": True}, True),
        ("upsert", {"created": False}, False),
        ("upsert", {}, False),
        ("insert", {"success": False}, None),
    ],
)
def test_whether_a_record_is_new_is_told(
    session: Session, operation: str, said: dict[str, Any], created: bool | None
) -> None:
    (answer,) = write(session, Script(ok([{**SAVED, **said}])), operation)
    assert answer.created is created


def test_the_recorded_answers_are_understood(session: Session, recording: Any) -> None:
    saved = Script(ok(recording("rest/collections_200_success.json")))
    assert [each.success for each in write(session, saved, records=[{}, {}])] == [True, True]
    rolled_back = Script(ok(recording("rest/collections_200_allOrNone_rollback.json")))
    first, second = write(session, rolled_back, records=[{}, {}])
    said = ErrorItem("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", ("LastName",))
    assert first == RowAnswer(None, False, None, (said,))
    assert second.errors[0].code == "ALL_OR_NONE_OPERATION_ROLLED_BACK"


def test_errors_in_other_words_are_understood(session: Session) -> None:
    errors = [{"errorCode": "A", "message": "a"}, {"statusCode": "B", "fields": None}, {}]
    (answer,) = write(session, Script(ok([{"success": False, "errors": errors}])))
    assert answer.errors == (ErrorItem("A", "a"), ErrorItem("B", ""), ErrorItem("UNKNOWN", ""))
    for none in (None, 7, {"errorCode": "A"}):
        (answer,) = write(session, Script(ok([{"success": False, "errors": none}])))
        assert answer.errors == ()
    (answer,) = write(session, Script(ok([{"success": False, "errors": ["odd", {"fields": "Id"}]}])))
    assert answer.errors == (ErrorItem("UNKNOWN", "odd"), ErrorItem("UNKNOWN", ""))


@pytest.mark.parametrize("operation", ["insert", "upsert", "delete"])
@pytest.mark.parametrize("unclear", [LOST, PAGE, Response(500, {}), Response(429, {})])
def test_what_may_have_been_written_is_not_sent_again(session: Session, operation: str, unclear: Any) -> None:
    script = Script(unclear)
    with pytest.raises((TransportError, ApiError)):
        write(session, script, operation)
    assert len(script.requests) == 1


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
@pytest.mark.parametrize("untaken", [UNSENT, DEAD_SESSION, refusal(503, "SERVER_UNAVAILABLE")])
def test_what_was_surely_not_written_is_sent_again(session: Session, operation: str, untaken: Any) -> None:
    assert write(session, Script(untaken, ok([SAVED])), operation)[0].success


@pytest.mark.parametrize("unclear", [LOST, PAGE, Response(500, {})])
def test_an_update_does_no_harm_twice(session: Session, unclear: Any) -> None:
    assert write(session, Script(unclear, ok([SAVED])), "update")[0].success


def test_a_request_that_is_refused_as_a_whole_is_an_error(session: Session) -> None:
    with pytest.raises(ApiError, match="JSON_PARSER_ERROR"):
        write(session, Script(refusal(400, "JSON_PARSER_ERROR")))


def test_a_fault_of_the_records_is_told_from_other_refusals(session: Session) -> None:
    with pytest.raises(ApiError) as caught:
        write(session, Script(refusal(400, "JSON_PARSER_ERROR")))
    assert fault_in_records(caught.value) == ErrorItem("JSON_PARSER_ERROR", "no")


@pytest.mark.parametrize(
    "answers",
    [
        [Response(400, {}, b"<html>no</html>")],
        [refusal(400, "INVALID_SESSION_ID")] * 2,
        [refusal(400, "UNABLE_TO_LOCK_ROW")],
        [refusal(403, "REQUEST_LIMIT_EXCEEDED")],
        [refusal(403, "INSUFFICIENT_ACCESS")],
        [refusal(404, "NOT_FOUND")],
        [PAGE],
        [LOST],
    ],
)
def test_other_errors_are_no_faults_of_the_records(session: Session, answers: list[Any]) -> None:
    with pytest.raises(SalesforceError) as caught:
        write(session, Script(*answers))
    assert fault_in_records(caught.value) is None


@pytest.mark.parametrize("answer", [{}, [], [SAVED, SAVED], None, [None], [{"id": ID}], [{"success": "true"}]])
def test_answers_that_do_not_match_the_records_are_an_error(session: Session, answer: Any) -> None:
    with pytest.raises(ProtocolError):
        write(session, Script(ok(answer)))


@pytest.mark.parametrize(
    ("operation", "field", "number"),
    [
        ("hardDelete", None, 1),
        ("upsert", None, 1),
        ("insert", "Key__c", 1),
        ("insert", None, 0),
        ("insert", None, 201),
    ],
)
def test_what_cannot_be_asked_for_is_not_sent(session: Session, operation: str, field: str | None, number: int) -> None:
    with pytest.raises(ValueError, match="sObject Collections"):
        write(session, Script(), operation, external_id_field=field, records=[{"Id": ID}] * number)
