"""What an org says of itself."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError, ProtocolError
from airflow_provider_sfjwt.salesforce.api import org
from airflow_provider_sfjwt.salesforce.api.session import Session
from tests.salesforce.api.scripted import Script, in_turn, ok, refusal


def test_an_object_is_described(session: Session) -> None:
    script = Script(ok({"name": "Invoice__c", "fields": [{"name": "Id"}]}))
    assert script.run(org.describe(session, "Invoice__c"))["fields"] == [{"name": "Id"}]
    assert script.paths == ["GET /services/data/v66.0/sobjects/Invoice__c/describe"]


def test_a_name_that_is_no_name_stays_in_its_place(session: Session) -> None:
    script = Script(refusal(404, "NOT_FOUND"))
    with pytest.raises(ConfigurationError, match=r"'\.\./limits\?' does not exist in the org"):
        script.run(org.describe(session, "../limits?"))
    assert script.paths == ["GET /services/data/v66.0/sobjects/..%2Flimits%3F/describe"]


@pytest.mark.parametrize("answer", [None, [], {}, {"fields": None}, {"fields": {}}])
def test_a_description_without_fields_is_an_error(session: Session, answer: Any) -> None:
    with pytest.raises(ProtocolError, match="description of Account has no list of fields"):
        Script(ok(answer)).run(org.describe(session, "Account"))


@pytest.mark.parametrize(
    "field", [None, "Id", {}, {"name": 7}, {"name": "Id", "length": "18"}, {"name": "x", "scale": 1.5}]
)
def test_a_field_that_is_not_one_is_an_error(session: Session, field: Any) -> None:
    with pytest.raises(ProtocolError, match="a field without a name, or with a length that is not a number"):
        Script(ok({"fields": [{"name": "Id", "length": 18, "scale": None}, field]})).run(
            org.describe(session, "Account")
        )


def test_limits_come_by_their_names(session: Session) -> None:
    answer = {"DailyApiRequests": {"Max": 5000, "Remaining": 4999}}
    assert Script(ok(answer)).run(org.limits(session)) == answer


def test_limits_that_are_none_are_an_error(session: Session) -> None:
    with pytest.raises(ProtocolError, match="limits"):
        Script(ok([])).run(org.limits(session))


def test_the_orgs_clock_is_asked_for_where_no_answer_told_it(session: Session) -> None:
    script = Script(ok([], date="Sat, 21 Nov 2026 10:00:00 GMT"))
    first, second = script.run(in_turn(org.server_time(session), org.server_time(session)))
    assert first.replace(second=0, microsecond=0) == datetime(2026, 11, 21, 10, 0, tzinfo=timezone.utc)
    assert second >= first
    assert script.paths == ["GET /services/data/"]


def test_an_org_without_a_clock_is_an_error(session: Session) -> None:
    with pytest.raises(ProtocolError, match="no Date"):
        Script(ok([])).run(org.server_time(session))


def usage(used: int, allowed: int = 100) -> dict[str, Any]:
    return {"DailyApiRequests": {"Max": allowed, "Remaining": allowed - used}}


def test_the_calls_left_are_taken_from_the_last_answer(session: Session) -> None:
    script = Script(ok([], sforce_limit_info="api-usage=18/5000"))
    script.run(session.json("GET", "limits"))
    assert Script().run(org.api_calls_left(session)) == 4982


def test_the_calls_left_are_asked_for_where_no_answer_told_them(session: Session) -> None:
    assert Script(ok(usage(40))).run(org.api_calls_left(session)) == 60


@pytest.mark.parametrize("answer", [{}, {"DailyApiRequests": None}, {"DailyApiRequests": {"Max": 5}}])
def test_calls_left_that_nobody_tells_are_an_error(session: Session, answer: Any) -> None:
    with pytest.raises(ProtocolError, match="DailyApiRequests"):
        Script(ok(answer)).run(org.api_calls_left(session))


def test_waiting_for_calls_looks_less_and_less_often(session: Session) -> None:
    script = Script(*(ok(usage(95)) for _ in range(6)), ok(usage(10)))
    flow = org.wait_for_api_calls(session, 50, poll_interval=100, remaining=lambda: 10_000)
    assert script.run(flow) is True
    assert script.slept == [100, 200, 400, 800, 900, 900]


def test_waiting_for_calls_ends_with_the_time(session: Session) -> None:
    left = iter([5.0, 0.0])
    script = Script(ok(usage(95)), ok(usage(95)))
    assert script.run(org.wait_for_api_calls(session, 50, poll_interval=100, remaining=lambda: next(left))) is False
    assert script.slept == [5.0]


def test_waiting_for_calls_goes_on_where_the_org_refuses_to_tell(session: Session) -> None:
    script = Script(refusal(403, "REQUEST_LIMIT_EXCEEDED"), ok(usage(10)))
    flow = org.wait_for_api_calls(session, 50, poll_interval=100, remaining=lambda: 10_000)
    assert script.run(flow) is True
    assert script.slept == [100]
