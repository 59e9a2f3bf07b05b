"""The API calls that an org keeps for its other users: what is refused, what is not, and for how long."""

from __future__ import annotations

from typing import TypeVar

import pytest

from airflow_provider_sfjwt.exceptions import RequestLimitError
from airflow_provider_sfjwt.salesforce.api import org as org_api
from airflow_provider_sfjwt.salesforce.api.bulk_ingest import close_job
from airflow_provider_sfjwt.salesforce.api.bulk_job import JobRef, abort_job, get_job
from airflow_provider_sfjwt.salesforce.api.reserve import Reserve, Rule
from airflow_provider_sfjwt.salesforce.api.retry import RetryPolicy
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Response
from tests.salesforce.api.scripted import Script, ok

T = TypeVar("T")
JOB = JobRef("7505e000003XXXXAAA", "66.0")
HUNDRED = Reserve(100)
LIMITS = {"DailyApiRequests": {"Max": 1000, "Remaining": 60}}


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def session_with(clock: Clock, policy: RetryPolicy, reserve: Reserve = HUNDRED) -> Session:
    return Session("66.0", policy, clock=clock, reserve=reserve)


def answer(used: int, body: object = None) -> Response:
    return ok(body, sforce_limit_info=f"api-usage={used}/1000")


def ask(flow: Flow[T], *answers: Response) -> tuple[T, list[str]]:
    """Carry a flow. Every answer must be used up."""
    script = Script(*answers)
    return script.run(flow), [path.rpartition("/")[2] for path in script.paths]


def refused(session: Session, *answers: Response) -> RequestLimitError:
    with pytest.raises(RequestLimitError) as caught:
        ask(session.json("GET", "query"), *answers)
    return caught.value


def test_a_call_is_refused_once_the_reserve_is_all_that_is_left(clock: Clock, policy: RetryPolicy) -> None:
    session = session_with(clock, policy)
    asked = ask(session.json("GET", "query"), answer(899, LIMITS), answer(899, 1))
    assert asked == (1, ["limits", "query"]), "how many are left is not known before"
    assert ask(session.json("GET", "query"), answer(901, 2)) == (2, ["query"]), "101 were left"
    for each in (session, session.part()):
        error = refused(each)
        said = "the org has 99 of its 1000 API calls of 24 hours left, fewer than [salesforce_jwt] org_reserve=100"
        assert said in str(error) and error.retryable and "lower org_reserve" in str(error.remedy)
    assert session.usage.calls == 3


def test_the_list_of_versions_is_free(clock: Clock, policy: RetryPolicy) -> None:
    session = Session(None, policy, clock=clock, reserve=Reserve(100))
    versions = ok([{"version": "66.0"}])
    assert ask(session.json("GET", "query"), versions, answer(1, LIMITS), answer(2))[1] == ["", "limits", "query"]


def test_an_org_that_does_not_say_how_many_are_left_is_called(clock: Clock, policy: RetryPolicy) -> None:
    assert ask(session_with(clock, policy).json("GET", "query"), ok({}), ok("fine"))[0] == "fine"


def test_what_looks_at_work_or_ends_it_is_sent(clock: Clock, policy: RetryPolicy) -> None:
    session = session_with(clock, policy)
    job = answer(951, {"id": JOB.id, "state": "InProgress"})
    refused(session, answer(950, LIMITS))
    assert ask(get_job(session, JOB), job)[0].state == "InProgress"
    assert ask(abort_job(session, JOB), job)[0]
    ask(close_job(session, JobRef(JOB.id, "66.0", "ingest")), job)
    assert ask(org_api.limits(session), answer(954, LIMITS))[0] == LIMITS


def test_after_15_minutes_the_org_is_asked_again(clock: Clock, policy: RetryPolicy) -> None:
    session = session_with(clock, policy)
    refused(session, answer(950, LIMITS))
    clock.now = 899.0
    refused(session)
    clock.now = 901.0
    assert "60 of its 1000" in str(refused(session, answer(940, LIMITS)))
    clock.now = 1802.0
    assert ask(session.json("GET", "query"), answer(800, LIMITS), answer(801, "fine")) == ("fine", ["limits", "query"])


def test_work_with_a_budget_of_its_own_is_not_interrupted(clock: Clock, policy: RetryPolicy) -> None:
    session = session_with(clock, policy)
    refused(session, answer(950, LIMITS))
    own = session.with_own_budget()
    assert ask(own.json("GET", "query"), answer(951, "fine"))[0] == "fine"
    assert (own.calls_to_leave().least, session.usage.calls, session.usage.left) == (100, 2, 49)


def test_a_share_of_the_allocation(clock: Clock, policy: RetryPolicy) -> None:
    session = session_with(clock, policy, Reserve(percent=2.5))
    assert session.calls_to_leave().least == 0, "the allocation is not known yet"
    ask(session.json("GET", "query"), answer(975, LIMITS), answer(976))
    assert "24 of its 1000 API calls of 24 hours left, fewer than [salesforce_jwt] org_reserve=2.5% (25)" in str(
        refused(session)
    )


@pytest.mark.parametrize(
    ("at_least", "reserve", "expected"),
    [
        (None, Reserve(), (0, "min_api_calls_left=None")),
        (50, Reserve(), (50, "min_api_calls_left=50")),
        (50, Reserve(50), (50, "min_api_calls_left=50")),
        (50, Reserve(51), (51, "[salesforce_jwt] org_reserve=51")),
        (None, Reserve(percent=10), (100, "[salesforce_jwt] org_reserve=10% (100)")),
    ],
)
def test_the_stricter_rule_holds(at_least: int | None, reserve: Reserve, expected: tuple[int, str]) -> None:
    rule = Rule.stricter(at_least, reserve, 1000)
    assert (rule.least, rule.name) == expected
    assert "no API calls" in str(rule.broken(None, None))
