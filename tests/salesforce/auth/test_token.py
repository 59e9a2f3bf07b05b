"""From an answer of the token endpoint to a token, or to an error that says what to change."""

from __future__ import annotations

import copy
import json
import os
import pickle
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest

from airflow_provider_sfjwt.exceptions import AuthenticationError, ProtocolError
from airflow_provider_sfjwt.salesforce.auth.credentials import Credentials, read_connection
from airflow_provider_sfjwt.salesforce.auth.token import GRANT_TYPE, Token, decode_token, token_request
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from airflow_provider_sfjwt.testing.oauth.certificates import shared_private_key

TOKEN = "00D000000000001!AQ.s3cr3t_token"
ANSWER = {
    "access_token": TOKEN,
    "scope": "id full",
    "instance_url": "https://eu6.salesforce.com/",
    "id": "https://login.salesforce.com/id/00D000000000001EAI/005000000000001AAA",
    "token_type": "Bearer",
}
HTML = {"content-type": "text/html; charset=UTF-8"}


@pytest.fixture(scope="module")
def credentials() -> Credentials:
    extra = {"consumer_key": "3MVG9abc", "private_key": shared_private_key(), "consumer_secret": "s3cr3t-of-app"}
    return read_connection(login="user@acme.com", password=None, host=None, port=None, extra=extra).credentials


def recording(name: str) -> list[dict[str, Any]]:
    folder = os.environ.get("SFJWT_RECORDINGS")
    if not folder:
        missing = pytest.fail if os.environ.get("SFJWT_NO_SKIP") == "1" else pytest.skip
        missing("SFJWT_RECORDINGS names no folder of recorded answers")
    recorded: list[dict[str, Any]] = json.loads((Path(str(folder)) / "oauth" / name).read_text(encoding="utf-8"))
    return recorded


def answered(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, headers or {"content-type": "application/json;charset=UTF-8"}, content)


def refused(credentials: Credentials, response: Response) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as caught:
        decode_token(response, credentials)
    return caught.value


def test_the_exchange_sends_grant_and_assertion_in_the_body_alone(credentials: Credentials) -> None:
    request = token_request(credentials, credentials.keys[0], now=1_790_000_000)
    assert (request.method, request.url) == ("POST", "https://login.salesforce.com/services/oauth2/token")
    assert dict(request.headers) == {"Content-Type": "application/x-www-form-urlencoded"}
    form = parse_qs((request.body or b"").decode(), strict_parsing=True)
    assert set(form) == {"grant_type", "assertion"}
    assert form["grant_type"] == [GRANT_TYPE]
    assert jwt.decode(form["assertion"][0], options={"verify_signature": False})["exp"] == 1_790_000_180
    shown = repr(request) + str(request)
    assert form["assertion"][0] not in shown
    with pytest.raises(TypeError):
        pickle.dumps(request)


def test_a_token_knows_its_org_and_user(credentials: Credentials) -> None:
    token = decode_token(answered(200, ANSWER), credentials)
    assert (token.value, token.instance_url) == (TOKEN, "https://eu6.salesforce.com")
    assert (token.org_id, token.user_id) == ("00D000000000001EAI", "005000000000001AAA")


@pytest.mark.parametrize("identity", [None, "", "https://login.salesforce.com/", "https://a.example.com/x/00D/005"])
def test_a_token_without_an_identity_is_a_token(credentials: Credentials, identity: str | None) -> None:
    token = decode_token(answered(200, {**ANSWER, "id": identity}), credentials)
    assert (token.value, token.org_id, token.user_id) == (TOKEN, None, None)


def test_a_token_shows_no_secret_and_cannot_be_saved(credentials: Credentials) -> None:
    token = decode_token(answered(200, ANSWER), credentials)
    assert repr(token) == str(token) == "Token(org 00D000000000001EAI at https://eu6.salesforce.com)"
    for save in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never serialized"):
            save(token)


@pytest.mark.parametrize("position", range(3))
def test_recorded_tokens_are_understood(credentials: Credentials, position: int) -> None:
    recorded = recording("token_success_shapes.json")
    assert len(recorded) == 3
    # Whoever recorded it put an ellipsis in the place of secrets and ids.
    body = json.loads(json.dumps(recorded[position]["body"]).replace("\\u2026", "x"))
    token = decode_token(answered(200, body), credentials)
    assert (token.value, token.instance_url) == (body["access_token"], body["instance_url"])
    assert str(token.org_id).startswith("00D")
    assert str(token.user_id).startswith("005")


@pytest.mark.parametrize("position", range(12))
def test_recorded_refusals_are_understood(credentials: Credentials, position: int) -> None:
    recorded = recording("token_errors.json")
    assert len(recorded) == 12
    entry = recorded[position]
    body = entry.get("body") or {"error": "invalid_grant", "error_description": entry["description_only"]}
    error = refused(credentials, answered(entry["status"], body, entry.get("headers")))
    assert (error.code, error.description) == (body["error"], body["error_description"])
    assert f"({error.code}: {error.description})" in str(error)
    assert str(error).endswith(error.hint)
    unknown = refused(credentials, answered(400, {"error": "x", "error_description": "never heard of"}))
    assert error.hint != unknown.hint


def test_a_refusal_without_a_description_is_one(credentials: Credentials) -> None:
    error = refused(credentials, answered(400, {"error": "inactive_user"}))
    assert (error.code, error.description, error.retryable) == ("inactive_user", "no description", False)


def test_a_refusal_of_a_server_in_trouble_may_be_repeated(credentials: Credentials) -> None:
    assert refused(credentials, answered(500, {"error": "server_error"})).retryable


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": ""},
        {"access_token": None},
        {"access_token": 5},
        {"access_token": "two\nlines"},
        {"access_token": "t\u00f6ken"},
        {"instance_url": None},
        {"instance_url": ""},
    ],
)
def test_a_token_that_cannot_be_used_is_no_token(credentials: Credentials, change: dict[str, Any]) -> None:
    error = refused(credentials, answered(200, {**ANSWER, **change}))
    assert error.code == "http_200"
    assert "Check Login URL" in error.hint
    assert TOKEN not in "".join(traceback.format_exception(error)) + str(vars(error))


@pytest.mark.parametrize(
    "instance", [5, "http://eu6.salesforce.com", "https://evil.com", "https://a:b@eu6.salesforce.com"]
)
def test_a_token_for_another_host_is_refused_by_the_name_of_the_setting(
    credentials: Credentials, instance: Any
) -> None:
    error = refused(credentials, answered(200, {**ANSWER, "instance_url": instance}))
    assert (error.code, error.retryable) == ("instance_url", False)
    assert "Instance domains (the extra 'instance_domains')" in error.hint
    assert "login.salesforce.com names an address to which no token is sent" in str(error)
    assert TOKEN not in "".join(traceback.format_exception(error)) + str(vars(error))
    assert "a:b" not in str(error)


def test_a_host_of_the_connection_s_own_list_gets_the_token(credentials: Credentials) -> None:
    known = replace(credentials, instance_domains=("acme.com",))
    assert decode_token(answered(200, {**ANSWER, "instance_url": "https://sf.acme.com:8443"}), known).instance_url


@pytest.mark.parametrize("path", ["", "@evil.com/x", ".evil.com/x", "https://evil.com/x", "x", ":8443/x", "\\evil"])
def test_a_token_has_an_address_for_paths_alone(path: str) -> None:
    token = Token(TOKEN, "https://eu6.salesforce.com")
    assert token.url("//evil.com/x?a=b") == "https://eu6.salesforce.com//evil.com/x?a=b"
    with pytest.raises(ProtocolError, match=r"is not a path on https://eu6\.salesforce\.com") as caught:
        token.url(path)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"[]", b'"text"', b"null", b"<html></html>", b"\xff\xfe", b"{}"])
def test_an_answer_that_is_no_oauth_is_told_by_its_kind(credentials: Credentials, body: bytes) -> None:
    error = refused(credentials, answered(200, body, HTML))
    assert (error.code, error.retryable) == ("http_200", False)
    assert (
        error.description
        == "https://login.salesforce.com/services/oauth2/token answered with no OAuth answer (text/html)"
    )


@pytest.mark.parametrize(
    ("status", "title", "retryable"),
    [(200, "Sign in", False), (404, "Not found", False), (200, "Data Not Available", True)]
    + [(status, "Sorry", True) for status in (420, 429, 500, 502, 503)],
)
def test_a_page_is_told_by_its_title(credentials: Credentials, status: int, title: str, retryable: bool) -> None:
    page = f"<html><head><TITLE id='t'>\n {title} </TITLE></head></html>".encode()
    error = refused(credentials, answered(status, page, HTML))
    assert (error.code, error.retryable) == (f"http_{status}", retryable)
    assert f"a page titled '{title}' (text/html)" in str(error)
    assert "Proxy" in error.hint


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://acme.my.salesforce.com/services/oauth2/token", "acme.my.salesforce.com"),
        ("//acme.my.salesforce.com/x", "acme.my.salesforce.com"),
        ("/x", "login.salesforce.com"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_names_the_host(credentials: Credentials, status: int, location: str, host: str) -> None:
    error = refused(credentials, answered(status, b"", {"location": location}))
    assert (error.code, error.retryable) == (f"http_{status}", False)
    assert error.cause == f"login.salesforce.com redirects sign-ins to {host}"
    assert f"set Login URL to https://{host}" in error.short_remedy


def test_a_redirect_to_nowhere_is_told(credentials: Credentials) -> None:
    error = refused(credentials, answered(302, b"", {"location": "http://[nowhere"}))
    assert error.cause == "Something other than Salesforce answers in its place"


def test_the_api_s_way_of_refusing_is_understood(credentials: Credentials) -> None:
    body = [{"errorCode": "SERVER_UNAVAILABLE", "message": "come back"}]
    error = refused(credentials, answered(400, body))
    assert (error.code, error.description, error.retryable) == ("SERVER_UNAVAILABLE", "come back", True)


@pytest.mark.parametrize(
    "response",
    [
        answered(400, {"error": "use_dpop_nonce", "error_description": "a nonce is required"}),
        answered(400, {"error": "invalid_dpop_proof"}),
        answered(401, b"", {"www-authenticate": 'DPoP algs="ES256 PS256"'}),
        answered(200, {**ANSWER, "token_type": "DPoP"}),
    ],
)
def test_dpop_is_said_by_its_name(credentials: Credentials, response: Response) -> None:
    error = refused(credentials, response)
    assert error.cause.startswith("The app or the org requires DPoP")
    assert "DPoP" in error.short_remedy
    assert not error.retryable


def test_a_page_of_no_kind_is_told(credentials: Credentials) -> None:
    assert "(no content type)" in refused(credentials, answered(200, b"?", {"server": "x"})).description
