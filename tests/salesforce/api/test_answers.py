"""How an HTTP answer becomes data or an error that says what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import (
    ApiError,
    ErrorItem,
    NotFoundError,
    ProtocolError,
    RequestLimitError,
    SessionExpiredError,
)
from airflow_provider_sfjwt.salesforce.api import answers
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from tests.salesforce.api.scripted import DEAD_SESSION, ok, refusal

PATH = "/services/data/v66.0/query?q=SELECT+secret"


def error_of(response: Response) -> ApiError:
    with pytest.raises(ApiError) as caught:
        answers.check(response, method="GET", path=PATH)
    error = caught.value
    assert (error.status, error.method, error.path) == (response.status, "GET", "/services/data/v66.0/query")
    assert str(error).startswith(f"GET /services/data/v66.0/query answered {response.status}: ")
    assert "secret" not in str(error)
    return error


RECORDED = {
    "error_400_INVALID_FIELD.json": (400, "INVALID_FIELD", "field-level security"),
    "error_400_INVALID_TYPE.json": (400, "INVALID_TYPE", "__c"),
    "error_400_INVALID_FIELD_FOR_INSERT_UPDATE.json": (400, "INVALID_FIELD_FOR_INSERT_UPDATE", "security settings"),
    "error_401_INVALID_SESSION_ID.json": (401, "INVALID_SESSION_ID", "Session expired"),
    "error_404_ENTITY_IS_DELETED.json": (404, "ENTITY_IS_DELETED", "entity is deleted"),
    "error_404_NOT_FOUND_external_id.json": (404, "NOT_FOUND", "external ID"),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_refusals_are_understood(recording: Any, name: str) -> None:
    status, code, word = RECORDED[name]
    body = recording(f"rest/{name}")
    error = error_of(Response(status, {}, body))
    (entry,) = json.loads(body)
    assert error.items == (ErrorItem(code, entry["message"], tuple(entry.get("fields", ()))),)
    assert word in str(error)
    assert "\n" not in str(error)
    assert not error.retryable
    kinds = {401: SessionExpiredError, 404: NotFoundError}
    assert type(error) is kinds.get(status, ApiError)


def test_recorded_bodies_of_all_sorts_are_understood(recording: Any) -> None:
    entries = [entry for entry in json.loads(recording("rest/error_bodies_misc.json")) if "body" in entry]
    assert len(entries) == 6
    for entry in entries:
        error = error_of(Response(entry["status"], {}, json.dumps(entry["body"]).encode()))
        assert [item.code for item in error.items] == [item["errorCode"] for item in entry["body"]]
        assert isinstance(error, RequestLimitError) is ("REQUEST_LIMIT_EXCEEDED" in str(entry))
        assert isinstance(error, NotFoundError) is (entry["status"] == 404)


@pytest.mark.parametrize(
    ("response", "kind", "retryable"),
    [
        (refusal(403, "REQUEST_LIMIT_EXCEEDED"), RequestLimitError, True),
        (refusal(400, "LIMIT_EXCEEDED"), ApiError, True),
        (refusal(400, "UNABLE_TO_LOCK_ROW"), ApiError, True),
        (refusal(400, "INVALID_QUERY_LOCATOR"), ApiError, True),
        (refusal(403, "TXN_SECURITY_METERING_ERROR"), ApiError, True),
        (refusal(403, "API_CURRENTLY_DISABLED"), ApiError, False),
        (refusal(400, "MALFORMED_QUERY"), ApiError, False),
        (refusal(410, "UNSUPPORTED_API_VERSION"), ApiError, False),
        (refusal(404, "NOT_FOUND"), NotFoundError, False),
        (DEAD_SESSION, SessionExpiredError, False),
        (refusal(403, "INVALID_SESSION_ID"), ApiError, False),
        (Response(406, {}, b""), ApiError, True),
        (Response(406, {}, b"not acceptable"), ApiError, False),
        (Response(420, {}, b"<html></html>"), ApiError, True),
        (Response(429, {}, b""), ApiError, True),
        (Response(500, {}, b""), ApiError, True),
        (Response(503, {}, b""), ApiError, True),
    ],
)
def test_kind_and_retry_follow_from_status_and_code(response: Response, kind: type, retryable: bool) -> None:
    error = error_of(response)
    assert (type(error), error.retryable) == (kind, retryable)


@pytest.mark.parametrize(
    ("body", "items"),
    [
        (b'[{"errorCode":"A","message":"m","fields":["F",5]}]', (ErrorItem("A", "m", ("F", "5")),)),
        (b'[{"errorCode":"A","message":"m"},{"errorCode":"B"}]', (ErrorItem("A", "m"), ErrorItem("B", ""))),
        (b'{"exceptionCode":"A","exceptionMessage":"m"}', (ErrorItem("A", "m"),)),
        (b'{"error":"A","error_description":"m"}', (ErrorItem("A", "m"),)),
        (b'[{"message":"m","fields":"F"}]', (ErrorItem("UNKNOWN", "m"),)),
        (b"<e><exceptionCode>A</exceptionCode><exceptionMessage>m</exceptionMessage></e>", (ErrorItem("A", "m"),)),
        (b"<e><exceptionCode>A</exceptionCode></e>", (ErrorItem("A", ""),)),
        (b'["/services/data/v66.0/sobjects/Account/001"]', ()),
        (b"null", ()),
        (b"Bad_OAuth_Token", ()),
        (b"\xff\xfe", ()),
        (b"", ()),
    ],
)
def test_whatever_salesforce_lists_is_kept(body: bytes, items: tuple[ErrorItem, ...]) -> None:
    assert error_of(Response(400, {}, body)).items == items


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_told_as_one(status: int) -> None:
    assert "a redirect, which Salesforce's API never sends; check Login URL and Proxy" in str(
        error_of(Response(status, {"location": "/"}, b""))
    )


def test_a_page_is_told_by_its_title() -> None:
    page = b"<html><head><title>\nSetting things up\n</title></head></html>"
    assert "a page titled 'Setting things up'." in str(error_of(Response(420, {}, page)))


def test_an_answer_without_a_reason_says_so() -> None:
    assert str(error_of(Response(400, {}, b""))).endswith("no reason given.")


def test_every_remedy_is_given_with_its_code() -> None:
    for code, known in answers._CODES.items():
        error = error_of(refusal(400, code))
        assert str(error).endswith(f" answered 400: {code}: no. {known.remedy}".rstrip())
        assert (error.remedy, error.setup_page, error.retryable) == known


@pytest.mark.parametrize("body", [b"", b'[{"errorCode":"INVALID_AUTH_HEADER","message":"no"}]'])
def test_dpop_is_said_by_its_name(body: bytes) -> None:
    error = error_of(Response(401, {"www-authenticate": 'DPoP error="use_dpop_nonce"'}, body))
    assert "requires DPoP" in error.remedy
    assert (error.setup_page, error.retryable) == ("External Client App Manager", False)


def test_a_good_answer_passes() -> None:
    response = ok({"a": 1})
    assert answers.check(response, method="GET", path=PATH) is response
    assert answers.data(response, method="GET", path=PATH) == {"a": 1}


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_an_empty_body_is_nothing(body: bytes) -> None:
    assert answers.data(Response(204, {}, body), method="DELETE", path=PATH) is None


@pytest.mark.parametrize(("headers", "kind"), [({"content-type": "text/html"}, "text/html"), ({}, "no content type")])
@pytest.mark.parametrize("body", [b"<html>Welcome, guest</html>", b"\xff", b'{"half":'])
def test_success_without_json_is_an_error(headers: dict[str, str], kind: str, body: bytes) -> None:
    with pytest.raises(ProtocolError, match=f"answered 200 with {kind} where JSON was expected") as caught:
        answers.data(Response(200, headers, body), method="GET", path=PATH)
    assert "secret" not in str(caught.value)
    assert "check Proxy and Login URL" in str(caught.value)
