"""When a request is sent again, and after how long."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import (
    ApiError,
    AuthenticationError,
    ProtocolError,
    SalesforceError,
    TransportError,
)
from airflow_provider_sfjwt.salesforce.api import retry
from airflow_provider_sfjwt.salesforce.api.retry import RetryPolicy
from airflow_provider_sfjwt.salesforce.wire.flow import Request, Response
from tests.salesforce.api.scripted import LOST, UNSENT, UNTRUSTED, Answer, Script, ok, refusal

NOT_PROCESSED = (420, 429, 503)
UNCLEAR = (500, 502, 504)
FINAL = (200, 201, 204, 300, 302, 304, 400, 401, 403, 404, 405, 409, 410, 414, 415, 431, 501)


def answer(status: int, body: bytes = b"x", **headers: str) -> Response:
    return replace(ok(body, **headers), status=status)


def send(policy: RetryPolicy, *answers: Answer, repeatable: bool = True) -> tuple[Any, Script]:
    script = Script(*answers)
    made = itertools.count(1)
    request = retry.send(lambda: Request("GET", f"https://a.example.com/{next(made)}"), policy, repeatable=repeatable)
    return script.run(request), script


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize("status", NOT_PROCESSED)
def test_what_was_not_processed_is_sent_again_whatever_it_is(
    policy: RetryPolicy, status: int, repeatable: bool
) -> None:
    response, script = send(policy, answer(status), answer(status), ok(), repeatable=repeatable)
    assert response.status == 200
    assert [each.url[-1] for each in script.requests] == ["1", "2", "3"]
    assert script.slept == [1, 2]


@pytest.mark.parametrize("fault", [*(answer(status) for status in UNCLEAR), answer(406, b""), LOST])
def test_what_may_have_been_processed_is_sent_again_only_where_that_does_no_harm(
    policy: RetryPolicy, fault: Answer
) -> None:
    response, script = send(policy, fault, ok())
    assert (response.status, script.slept) == (200, [1])
    if isinstance(fault, TransportError):
        with pytest.raises(TransportError) as caught:
            send(policy, fault, repeatable=False)
        assert caught.value is fault
    else:
        assert send(policy, fault, repeatable=False)[0] is fault


@pytest.mark.parametrize("repeatable", [True, False])
def test_what_never_left_is_sent_again_whatever_it_is(policy: RetryPolicy, repeatable: bool) -> None:
    response, script = send(policy, UNSENT, UNSENT, ok(), repeatable=repeatable)
    assert (response.status, script.slept) == (200, [1, 2])


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize("response", [*map(answer, FINAL), answer(406)])
def test_any_other_answer_is_the_last(policy: RetryPolicy, response: Response, repeatable: bool) -> None:
    received, script = send(policy, response, repeatable=repeatable)
    assert received is response
    assert script.slept == []


def test_an_error_that_no_repetition_mends_is_the_last(policy: RetryPolicy) -> None:
    with pytest.raises(TransportError) as caught:
        send(policy, UNTRUSTED)
    assert caught.value is UNTRUSTED


def test_the_last_attempts_answer_or_error_is_the_callers(policy: RetryPolicy) -> None:
    assert send(policy, answer(503), LOST, answer(502))[0].status == 502
    with pytest.raises(TransportError):
        send(policy, answer(503), answer(503), LOST)


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_are_bounded(policy: RetryPolicy, attempts: int) -> None:
    response, script = send(replace(policy, attempts=attempts), *attempts * [answer(503)])
    assert response.status == 503
    assert len(script.slept) == attempts - 1


def test_delays_double_up_to_the_longest(policy: RetryPolicy) -> None:
    long = replace(policy, attempts=9)
    assert send(long, *8 * [UNSENT], ok())[1].slept == [1, 2, 4, 8, 16, 32, 60, 60]


def test_delays_are_drawn_so_that_clients_do_not_return_at_once() -> None:
    policy = RetryPolicy()
    drawn = {policy.delay(3, None) for _ in range(50)}
    assert all(2 <= delay <= 4 for delay in drawn)
    assert len(drawn) > 1


DATE = "Sat, 21 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after": " 0 "}, 0),
        ({"retry_after": "3600"}, 60),
        ({"retry_after": "9" * 400}, 60),
        ({"retry_after": "Sat, 21 Nov 2026 10:00:30 GMT", "date": DATE}, 30),
        ({"retry_after": "Sat, 21 Nov 2026 10:00:30 -0000", "date": DATE}, 30),
        ({"retry_after": "Sat, 21 Nov 2026 12:00:30 +0200", "date": DATE}, 30),
        ({"retry_after": "Sat, 21 Nov 2026 11:00:00 GMT", "date": DATE}, 60),
        ({"retry_after": "Sat, 21 Nov 2026 09:00:00 GMT", "date": DATE}, 0),
        ({"retry_after": "Sat, 21 Nov 2026 10:00:30 GMT"}, 1),
        ({"retry_after": "Sat, 21 Nov 2026 10:00:30 GMT", "date": "today"}, 1),
        ({"retry_after": "Sat, 21 Nov 99999999999999999999 10:00:30 GMT", "date": DATE}, 1),
        ({"retry_after": "soon", "date": DATE}, 1),
        ({"retry_after": "-5", "date": DATE}, 1),
        ({"retry_after": "1.5", "date": DATE}, 1),
        ({"retry_after": "\u00b2", "date": DATE}, 1),
        ({"retry_after": ""}, 1),
        ({}, 1),
    ],
)
def test_retry_after_is_honoured_within_bounds(policy: RetryPolicy, headers: dict[str, str], seconds: float) -> None:
    assert send(policy, refusal(503, "SERVER_UNAVAILABLE", **headers), ok())[1].slept == [seconds]


@pytest.mark.parametrize("text", ["", "x", "Sat, 21 Nov"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert retry.http_date(text) is None


def test_requests_are_made_anew_for_each_attempt(policy: RetryPolicy) -> None:
    make: Callable[[], Request] = lambda: Request("GET", "https://a.example.com/")  # noqa: E731
    script = Script(UNSENT, ok())
    script.run(retry.send(make, policy, repeatable=True))
    assert script.requests[0] is not script.requests[1]


@pytest.mark.parametrize("status", NOT_PROCESSED)
@pytest.mark.parametrize("body", [b"x", b"", b"{}", b'{"errorCode": "A"}', b"[]", b"[1]", b'[{"message": "a"}]'])
def test_what_must_not_happen_twice_is_sent_again_only_on_salesforces_own_word(
    policy: RetryPolicy, status: int, body: bytes
) -> None:
    script = Script(answer(status, body))
    request = Request("POST", "https://a.example.com/")
    assert script.run(retry.send(lambda: request, policy, repeatable=False, strict=True)).status == status
    script = Script(refusal(status, "SERVER_UNAVAILABLE"), ok())
    assert script.run(retry.send(lambda: request, policy, repeatable=False, strict=True)).ok
    script = Script(answer(status, body), ok())
    assert script.run(retry.send(lambda: request, policy, repeatable=True, strict=True)).ok


@pytest.mark.parametrize(
    ("error", "may"),
    [
        (LOST, True),
        (UNSENT, False),
        (ProtocolError("no JSON"), True),
        (ApiError("away", status=503, method="PUT", path="/"), True),
        (ApiError("broken", status=500, method="PUT", path="/"), True),
        (ApiError("edge", status=406, method="PUT", path="/"), True),
        (ApiError("too slow", status=408, method="PUT", path="/"), True),
        (ApiError("wrong", status=400, method="PUT", path="/"), False),
        (ApiError("too large", status=413, method="PUT", path="/"), False),
        (AuthenticationError(code="a", description="b", hint="c"), False),
    ],
)
def test_what_may_have_been_processed_is_told(error: SalesforceError, may: bool) -> None:
    assert retry.may_have_been_processed(error) is may


def test_each_repetition_is_reported_with_what_came_before(policy: RetryPolicy) -> None:
    seen: list[int | None] = []
    told = replace(policy, on_repeat=lambda response: seen.append(None if response is None else response.status))
    send(told, answer(503), LOST, ok())
    assert seen == [503, None]
