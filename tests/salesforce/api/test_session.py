"""One conversation: the token and its one renewal, the API version, what is sent and what is counted."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    ProtocolError,
    SessionExpiredError,
    TransportError,
)
from airflow_provider_sfjwt.salesforce.api.retry import RetryPolicy
from airflow_provider_sfjwt.salesforce.api.session import NEWEST_API_VERSION, Session
from airflow_provider_sfjwt.salesforce.api.sign_in import introspect, revoke, sign_in
from airflow_provider_sfjwt.salesforce.auth.credentials import Credentials, read_connection
from airflow_provider_sfjwt.salesforce.auth.token import Token
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from airflow_provider_sfjwt.testing.oauth.certificates import private_pem, shared_private_key
from tests.salesforce.api.scripted import DEAD_SESSION, INSTANCE, LOST, UNSENT, UNTRUSTED, Script, in_turn, ok, refusal

DEAD = [
    DEAD_SESSION,
    refusal(400, "InvalidSessionId"),
    refusal(400, "INVALIDSESSIONID"),
    Response(400, {}, b'{"exceptionCode":"InvalidSessionId","exceptionMessage":"Unable to find session"}'),
    Response(
        400,
        {"content-type": "application/xml"},
        b'<?xml version="1.0"?><error xmlns="http://www.force.com/2009/06/asyncapi/dataload">'
        b"<exceptionCode>InvalidSessionId</exceptionCode><exceptionMessage>Invalid session id</exceptionMessage></error>",
    ),
]
TOKEN = {
    "access_token": "token-1",
    "instance_url": "https://acme.my.salesforce.com",
    "id": "https://login.salesforce.com/id/00D/005",
}
INVALID_ASSERTION = replace(ok({"error": "invalid_grant", "error_description": "invalid assertion"}), status=400)


@pytest.mark.parametrize("dead", DEAD)
def test_a_dead_session_is_renewed_once_and_the_call_made_again(session: Session, dead: Response) -> None:
    script = Script(dead, ok({"fine": 1}))
    assert script.run(session.json("POST", "jobs/query", json_body={"a": 1})) == {"fine": 1}
    assert script.bearers == ["token-1", "token-2"]
    assert [each.body for each in script.requests] == [b'{"a": 1}'] * 2
    assert script.slept == []


@pytest.mark.parametrize("dead", DEAD)
def test_a_second_dead_session_is_an_error(session: Session, dead: Response) -> None:
    script = Script(dead, dead)
    with pytest.raises(SessionExpiredError) as caught:
        script.run(session.json("GET", "limits"))
    assert script.bearers == ["token-1", "token-2"]
    assert not caught.value.retryable
    assert caught.value.path == "/services/data/v66.0/limits"
    assert "token" not in str(vars(caught.value))


@pytest.mark.parametrize(
    "answer",
    [refusal(401, "INVALID_AUTH_HEADER"), refusal(403, "INVALID_SESSION_ID"), Response(401, {}, b"<html></html>")],
)
def test_another_refusal_renews_nothing(session: Session, answer: Response) -> None:
    script = Script(answer)
    with pytest.raises(ApiError):
        script.run(session.json("GET", "limits"))
    assert len(script.tokens) == 1


def test_a_renewed_call_is_retried_like_any_other(session: Session) -> None:
    script = Script(UNSENT, DEAD_SESSION, LOST, refusal(503, "SERVER_UNAVAILABLE"), ok({}))
    script.run(session.json("GET", "limits"))
    assert script.bearers == ["token-1", "token-1", "token-2", "token-2", "token-2"]
    assert session.usage.calls == 5


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_a_repeatable_call_is_sent_again_after_an_unclear_end(session: Session, method: str) -> None:
    assert Script(LOST, refusal(500, "UNKNOWN_EXCEPTION"), ok()).run(session.call(method, "/x")).status == 200


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_call_that_must_not_happen_twice_is_not_sent_again(session: Session, method: str) -> None:
    with pytest.raises(TransportError):
        Script(LOST).run(session.call(method, "/x"))
    with pytest.raises(ApiError) as caught:
        Script(refusal(502, "UNKNOWN_EXCEPTION")).run(session.call(method, "/x"))
    assert caught.value.retryable
    assert Script(UNSENT, refusal(503, "SERVER_UNAVAILABLE"), ok()).run(session.call(method, "/x")).status == 200


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_call_that_may_happen_twice_is_sent_again_when_it_is_said_so(session: Session, method: str) -> None:
    assert Script(LOST, ok(1)).run(session.json(method, "sobjects", json_body={}, repeatable=True)) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_call_that_must_not_happen_twice_may_say_so(session: Session, method: str) -> None:
    with pytest.raises(TransportError):
        Script(LOST).run(session.call(method, "/x", repeatable=False))
    assert Script(Response(503, {}), ok(1)).run(session.call(method, "/x", repeatable=False)).ok
    with pytest.raises(ApiError):
        Script(Response(503, {})).run(session.call(method, "/x", repeatable=False, strict=True))


def test_a_call_sends_a_file_with_the_content_type_that_is_given(session: Session) -> None:
    script = Script(DEAD_SESSION, ok())
    headers = {"Content-Type": "text/csv"}
    script.run(session.call("PUT", "/x", headers=headers, source=lambda: io.BytesIO(b"a\n1\n")))
    assert script.uploads == [b"a\n1\n"] * 2
    assert [(each.body, each.headers["Content-Type"]) for each in script.requests] == [(None, "text/csv")] * 2


def test_a_call_sends_token_parameters_and_json(session: Session) -> None:
    script = Script(ok())
    script.run(
        session.call(
            "POST", "/a?b=c", params={"d": "é &", "none": None}, json_body={"f": "ü"}, headers={"Authorization": "no"}
        )
    )
    (request,) = script.requests
    assert request.url == "https://acme.my.example.com/a?b=c&d=%C3%A9+%26"
    assert json.loads(request.body or b"") == {"f": "ü"}
    assert request.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert request.headers["Authorization"] == "Bearer token-1"


@pytest.mark.parametrize("params", [None, {}, {"a": None}])
def test_a_call_without_parameters_or_body_sends_none(session: Session, params: dict[str, Any] | None) -> None:
    script = Script(ok())
    script.run(session.call("GET", "/a", params=params))
    (request,) = script.requests
    assert (request.url, request.body) == ("https://acme.my.example.com/a", None)
    assert dict(request.headers) == {"Authorization": "Bearer token-1"}


def versions(*offered: str) -> Response:
    return ok([{"label": "x", "url": f"/services/data/v{each}", "version": each} for each in offered])


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["31.0", "65.0", "66.0"], "66.0"),
        (["66.0", "31.0"], "66.0"),
        (["9.0", "10.0"], "10.0"),
        (["66.0", "67.0", "68.0", "99.0"], f"{NEWEST_API_VERSION:.1f}"),
    ],
)
def test_the_newest_version_that_both_know_is_asked_for_once(
    policy: RetryPolicy, offered: list[str], chosen: str
) -> None:
    session = Session(policy=policy)
    script = Script(versions(*offered), ok({}), ok({}))
    flows = session.api_version(), session.json("GET", "limits"), session.json("GET", "limits")
    assert script.run(in_turn(*flows))[0] == chosen
    assert script.paths == ["GET /services/data/"] + [f"GET /services/data/v{chosen}/limits"] * 2
    assert session.usage.calls == 2, "the list of versions is free"


@pytest.mark.parametrize(
    "answer", [ok({}), ok({"version": "66.0"}), ok([{"label": "x"}]), ok(["66.0"]), ok(b""), ok(5)]
)
def test_a_list_of_versions_that_is_none_is_an_error(policy: RetryPolicy, answer: Response) -> None:
    with pytest.raises(ProtocolError, match="list of API versions|offers no API version"):
        Script(answer).run(Session(policy=policy).api_version())


def test_an_org_of_a_far_future_is_an_error(policy: RetryPolicy) -> None:
    with pytest.raises(ProtocolError, match="upgrade this package"):
        Script(versions("98.0")).run(Session(policy=policy).api_version())


def test_paths_are_built_in_the_version_of_choice(session: Session) -> None:
    script = Script()
    assert script.run(session.path("limits")) == "/services/data/v66.0/limits"
    assert script.run(session.path("limits", "60.0")) == "/services/data/v60.0/limits"
    assert script.run(session.path("/services/data/")) == "/services/data/"


@pytest.mark.parametrize(
    ("header", "used", "allowed"),
    [
        ("api-usage=18/5000", 18, 5000),
        ("api-usage=25/5000; per-app-api-usage=17/250(appName=sample-connected-app)", 25, 5000),
        ("per-app-api-usage=17/250(appName=x); api-usage=25/5000", 25, 5000),
        ("per-app-api-usage=17/250(appName=x)", None, None),
        ("api-usage=many/5000", None, None),
        ("api-usage=1/\u00b2", None, None),
        ("api-usage", None, None),
        ("", None, None),
    ],
)
def test_the_orgs_usage_is_learned(session: Session, header: str, used: int | None, allowed: int | None) -> None:
    Script(ok({}, sforce_limit_info=header)).run(session.json("GET", "limits"))
    assert (session.usage.used, session.usage.allowed) == (used, allowed)


def test_the_recorded_usage_headers_are_understood(session: Session, recording: Any) -> None:
    headers = [line for line in recording("rest/limit_info_header.txt").decode().splitlines() if line[0] != "#"]
    assert len(headers) == 2
    for line in headers:
        Script(ok({}, sforce_limit_info=line.partition(": ")[2])).run(session.json("GET", "limits"))
        assert session.usage.allowed == 5000


def test_a_part_counts_for_itself_and_for_the_whole(session: Session) -> None:
    Script(ok({}, sforce_limit_info="api-usage=18/5000")).run(session.json("GET", "limits"))
    part = session.part()
    assert part.usage.left == 4982  # known before the part has asked anything
    told = ok({}, sforce_limit_info="api-usage=20/5000", date="Sat, 21 Nov 2026 10:00:00 GMT")
    Script(told, ok({})).run(in_turn(part.json("GET", "limits"), part.json("GET", "limits")))
    assert (part.usage.calls, session.usage.calls) == (2, 3)
    assert (part.usage.left, session.usage.left) == (4980, 4980)
    assert session.server_now() is not None  # one clock


def test_what_an_answer_does_not_tell_is_kept_from_the_last(session: Session) -> None:
    told = ok({}, sforce_limit_info="api-usage=18/5000", date="Sat, 21 Nov 2026 10:00:00 GMT")
    Script(told, ok({}, date="no date")).run(in_turn(session.json("GET", "limits"), session.json("GET", "limits")))
    assert session.usage.used == 18
    assert session.server_now() is not None


@pytest.mark.parametrize("date", ["Sat, 21 Nov 2026 10:00:00 GMT", "Sat, 21 Nov 2026 12:00:00 +0200"])
def test_the_orgs_clock_goes_on_from_its_last_answer(policy: RetryPolicy, date: str) -> None:
    now = [500.0]
    session = Session("66.0", policy, clock=lambda: now[0])
    assert session.server_now() is None
    Script(ok({}, date=date)).run(session.json("GET", "limits"))
    now[0] += 90
    assert session.server_now() == datetime(2026, 11, 21, 10, 1, 30, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def two_keys() -> Credentials:
    from cryptography.hazmat.primitives.asymmetric import rsa

    other = private_pem(rsa.generate_private_key(65537, 2048))
    extra = {"consumer_key": "3MVG9abc", "private_key": shared_private_key() + other}
    return read_connection(login="user@acme.com", password=None, host=None, port=None, extra=extra).credentials


def test_a_sign_in_tries_the_next_key_where_the_first_does_not_fit(two_keys: Credentials, policy: RetryPolicy) -> None:
    script = Script(INVALID_ASSERTION, ok(TOKEN))
    assert script.run(sign_in(two_keys, policy)).value == "token-1"
    assert script.requests[0].body != script.requests[1].body


def test_a_sign_in_ends_with_the_first_key_that_fits(two_keys: Credentials, policy: RetryPolicy) -> None:
    script = Script(ok(TOKEN))
    assert script.run(sign_in(two_keys, policy)).value == "token-1"


def test_a_sign_in_with_no_key_that_fits_is_refused(two_keys: Credentials, policy: RetryPolicy) -> None:
    with pytest.raises(AuthenticationError, match="invalid assertion"):
        Script(INVALID_ASSERTION, INVALID_ASSERTION).run(sign_in(two_keys, policy))


def test_another_refusal_is_not_repeated_with_the_next_key(two_keys: Credentials, policy: RetryPolicy) -> None:
    answer = replace(ok({"error": "invalid_grant", "error_description": "ip restricted"}), status=400)
    with pytest.raises(AuthenticationError, match="ip restricted"):
        Script(answer).run(sign_in(two_keys, policy))


def test_a_repeated_sign_in_signs_anew(two_keys: Credentials, policy: RetryPolicy) -> None:
    moments = iter([1000.0, 2000.0])
    script = Script(refusal(503, "SERVER_UNAVAILABLE"), ok(TOKEN))
    script.run(sign_in(two_keys, policy, lambda: next(moments)))
    assert script.requests[0].body != script.requests[1].body


def test_an_exchange_that_ends_in_trouble_is_refused_but_retryable(two_keys: Credentials, policy: RetryPolicy) -> None:
    with pytest.raises(AuthenticationError) as caught:
        Script(*3 * [Response(503, {}, b"<html><title>Maintenance</title></html>")]).run(sign_in(two_keys, policy))
    assert caught.value.retryable


@pytest.mark.parametrize("fault", [UNTRUSTED, UNSENT, LOST])
def test_a_login_url_out_of_reach_is_an_error_of_transport(
    two_keys: Credentials, policy: RetryPolicy, fault: TransportError
) -> None:
    attempts = 3 if fault.retryable else 1
    with pytest.raises(TransportError) as caught:
        Script(*attempts * [fault]).run(sign_in(two_keys, policy))
    assert caught.value is fault


def test_a_session_is_revoked_where_it_lives(policy: RetryPolicy) -> None:
    script = Script(ok(b""))
    script.run(revoke(Token("token-1", INSTANCE), policy))
    [request] = script.requests
    assert (request.method, request.url, request.body) == (
        "POST",
        f"{INSTANCE}/services/oauth2/revoke",
        b"token=token-1",
    )


def test_introspection_needs_the_consumer_secret(two_keys: Credentials, policy: RetryPolicy) -> None:
    with pytest.raises(ConfigurationError, match="Consumer secret: is missing"):
        Script().run(introspect(Token("token-1", INSTANCE), two_keys, policy))


def test_introspection_says_what_a_token_is_worth(two_keys: Credentials, policy: RetryPolicy) -> None:
    script = Script(ok({"active": True}))
    known = replace(two_keys, consumer_secret="s3cr3t")
    assert script.run(introspect(Token("token-1", INSTANCE), known, policy)) == {"active": True}
    # The secret goes to the host that the connection names, not to one out of an answer.
    assert script.requests[0].url == f"{two_keys.login_url}/services/oauth2/introspect"


def test_who_asks_is_told_which_key_served(two_keys: Credentials, policy: RetryPolicy) -> None:
    served: list[Any] = []
    Script(INVALID_ASSERTION, ok(TOKEN)).run(sign_in(two_keys, policy, served=served.append))
    assert served == [two_keys.keys[1]]


@pytest.mark.parametrize("answer", [ok([]), ok("active"), ok(b"")])
def test_introspection_that_is_no_object_is_an_error(
    two_keys: Credentials, policy: RetryPolicy, answer: Response
) -> None:
    known = replace(two_keys, consumer_secret="s3cr3t")
    with pytest.raises(ProtocolError, match="introspection"):
        Script(answer).run(introspect(Token("token-1", INSTANCE), known, policy))


def test_a_key_that_is_not_the_first_is_warned_of(
    two_keys: Credentials, policy: RetryPolicy, caplog: pytest.LogCaptureFixture
) -> None:
    Script(ok(TOKEN)).run(sign_in(two_keys, policy))
    assert caplog.text == ""
    Script(INVALID_ASSERTION, ok(TOKEN)).run(sign_in(two_keys, policy))
    assert two_keys.keys[1].fingerprint in caplog.text
