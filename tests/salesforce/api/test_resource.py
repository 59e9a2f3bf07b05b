from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from airflow_provider_sfjwt.exceptions import ApiError, ConfigurationError, ProtocolError, TransportError
from airflow_provider_sfjwt.salesforce.api.resource import call_resource, fetch_record, reported_failures
from airflow_provider_sfjwt.salesforce.api.session import Session
from tests.salesforce.api.scripted import INSTANCE, LOST, Script, ok, refusal

REFUSED = [{"errorCode": "NOT_FOUND", "message": "gone"}]
RECORD = {"success": False, "errors": [{"statusCode": "INVALID_EMAIL", "message": "no", "fields": ["Email"]}]}


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        (None, []),
        ("done", []),
        ([1, "a", None], []),
        ({"id": "001", "success": True, "errors": []}, []),
        ({"success": False, "errors": []}, ["UNKNOWN"]),
        (RECORD, ["INVALID_EMAIL"]),
        ([{"success": True, "errors": []}, RECORD], ["INVALID_EMAIL"]),
        ([{"isSuccess": False, "errors": ["why"]}, {"isSuccess": True, "errors": None}], ["UNKNOWN"]),
        ([{"isSuccess": False, "errors": None}], ["UNKNOWN"]),
        ({"compositeResponse": [{"httpStatusCode": 200, "body": {"id": "1"}, "referenceId": "a"}]}, []),
        (
            {"compositeResponse": [{"httpStatusCode": 404, "body": REFUSED}, {"httpStatusCode": 200, "body": [RECORD]}]},
            ["NOT_FOUND", "INVALID_EMAIL"],
        ),
        ({"hasErrors": True, "results": [{"statusCode": 204, "result": None}, {"statusCode": 404, "result": REFUSED}]},
         ["NOT_FOUND"]),
        ({"hasErrors": True, "results": [{"referenceId": "r1", "errors": RECORD["errors"]}]}, ["INVALID_EMAIL"]),
        ({"graphs": [{"isSuccessful": False, "graphResponse": {"compositeResponse": [
            {"httpStatusCode": 400, "body": REFUSED}]}}, {"isSuccessful": True, "graphResponse": {}}]}, ["NOT_FOUND"]),
        ({"hasErrors": "?", "results": 3}, []),
    ],
)  # fmt: skip
def test_failed_parts_of_an_answer_are_found(answer: Any, codes: list[str]) -> None:
    assert [each.code for each in reported_failures(answer)] == codes


def test_the_words_and_the_fields_are_kept() -> None:
    (failure,) = reported_failures(RECORD)
    assert (failure.message, failure.fields) == ("no", ("Email",))


def test_a_composite_answer_of_a_real_org(recording: Callable[[str], bytes]) -> None:
    cassette = yaml.safe_load(recording("rest/cci_composite_not_found.yaml"))
    answer = json.loads(cassette["interactions"][0]["response"]["body"]["string"])
    assert [each.code for each in reported_failures(answer)] == ["NOT_FOUND"]


def test_an_answer_that_nests_without_end_is_left() -> None:
    answer: Any = RECORD
    for _ in range(5_000):
        answer = [answer]
    assert reported_failures(answer) == []


def test_a_url_that_is_none_is_refused_before_anything_is_sent(session: Session) -> None:
    with pytest.raises(ConfigurationError, match="path: is not a path or a URL of the org"):
        Script().run(call_resource(session, "GET", "https://[acme/services", idempotent=True))


def test_text_comes_as_text_in_its_own_encoding(session: Session) -> None:
    answer = ok("Müller".encode("latin-1"), content_type="text/plain; charset=iso-8859-1")
    assert Script(answer).run(call_resource(session, "GET", "/services/apexrest/name", idempotent=True)) == "Müller"


def test_a_url_of_the_org_is_its_path_and_that_of_another_gets_no_token(session: Session) -> None:
    script = Script(ok({"a": 1}))
    assert script.run(call_resource(session, "GET", f"{INSTANCE}/services/x", idempotent=True)) == {"a": 1}
    assert script.paths == ["GET /services/x"]
    with pytest.raises(ConfigurationError, match="is a URL of https://evil.example.com, and this connection's token"):
        Script().run(call_resource(session, "GET", "https://evil.example.com/services/x", idempotent=True))


def test_a_file_comes_as_bytes(session: Session) -> None:
    answer = ok(b"\x00\xff", content_type="application/octet-stream")
    assert Script(answer).run(call_resource(session, "GET", "/file", idempotent=True)) == b"\x00\xff"


def test_what_may_have_been_processed_is_not_sent_again(session: Session) -> None:
    script = Script(LOST)
    with pytest.raises(TransportError, match="It is unknown whether Salesforce processed this POST") as caught:
        script.run(call_resource(session, "POST", "/services/apexrest/x", json_body={}, idempotent=False))
    assert not caught.value.retryable
    assert len(script.paths) == 1
    unprocessed = Script(refusal(400, "JSON_PARSER_ERROR"))
    with pytest.raises(ApiError):
        unprocessed.run(call_resource(session, "POST", "/services/apexrest/x", json_body={}, idempotent=False))


def test_a_record_comes_without_salesforces_attributes(session: Session) -> None:
    script = Script(ok({"attributes": {"type": "Account"}, "Id": "1", "Name": None}))
    assert script.run(fetch_record(session, "Account", "1/2", ["Id", "Name"])) == {"Id": "1", "Name": None}
    assert script.paths == ["GET /services/data/v66.0/sobjects/Account/1%2F2?fields=Id%2CName"]
    with pytest.raises(ProtocolError, match="did not answer with a record"):
        Script(ok([])).run(fetch_record(session, "Account", "1"))
