from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.publish import SalesforcePublishOperator
from airflow_provider_sfjwt.testing import Fault, Field, SimulatedOrg
from tests.orgs import private_key, small_org

__all__ = ["private_key", "small_org"]

EVENTS = [{"Number__c": str(number)} for number in range(3)]
COLLECTION = "*/composite/sobjects"


@pytest.fixture(autouse=True)
def orders(org: SimulatedOrg) -> None:
    """A platform event that the org's user may publish."""
    fields = [Field("Number__c", length=10, nillable=False), Field("Amount__c", "double", precision=18, scale=2)]
    org.define_object("Order__e", [*fields, Field("Message_Id__c", length=36)])


def publish(events: Any = EVENTS, context: dict[str, Any] | None = None, **arguments: Any) -> list[dict[str, Any]]:
    task = SalesforcePublishOperator(**{"task_id": "publish", "event": "Order__e", "events": events, **arguments})
    return task.execute(context or {})


def task_instance(**changes: Any) -> dict[str, Any]:
    return {"ti": SimpleNamespace(**{"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1, **changes})}


def test_each_event_is_published_and_accounted_for(org: SimulatedOrg) -> None:
    results = publish([{"Number__c": "1", "Amount__c": 12.5}, {"Number__c": "2"}])
    seen = org.rows("Order__e")
    assert [(row["Number__c"], row["Amount__c"] and float(row["Amount__c"])) for row in seen] == [
        ("1", 12.5),
        ("2", None),
    ]
    assert results == [{"accepted": True, "uuid": row["EventUuid"], "id": None, "errors": []} for row in seen]


def test_two_hundred_are_one_call(org: SimulatedOrg) -> None:
    results = publish([{"Number__c": str(number)} for number in range(401)])
    assert len(org.rows("Order__e")) == len(results) == 401
    assert [row["Number__c"] for row in org.rows("Order__e")] == [str(number) for number in range(401)]
    assert sum(request.path.endswith("/composite/sobjects") for request in org.requests) == 3


def test_nothing_to_publish_is_no_call(org: SimulatedOrg) -> None:
    assert publish([]) == []
    assert not [request for request in org.requests if "/composite" in request.path]


def test_the_hook_does_the_same(org: SimulatedOrg) -> None:
    (result,) = SalesforceJwtHook().publish("Order__e", [{"Number__c": "7"}], id_field="Message_Id__c")
    (row,) = org.rows("Order__e")
    assert result == {"accepted": True, "uuid": row["EventUuid"], "id": row["Message_Id__c"], "errors": []}


def test_the_hook_returns_what_was_refused(org: SimulatedOrg) -> None:
    good, bad = SalesforceJwtHook().publish("Order__e", [{"Number__c": "7"}, {"Number__c": "12345678901"}])
    assert (good["accepted"], bad["accepted"], bad["uuid"]) == (True, False, None)
    assert (bad["errors"][0]["code"], bad["errors"][0]["fields"]) == ("STRING_TOO_LONG", ["Number__c"])


# -- at least once -----------------------------------------------------------------------------------------------------


def test_a_request_whose_answer_is_lost_is_sent_again(org: SimulatedOrg) -> None:
    org.add_fault(Fault(path=COLLECTION, lose_answer=True))
    publish(id_field="Message_Id__c", context=task_instance())
    rows = org.rows("Order__e")
    assert len(rows) == 6
    assert len({row["Message_Id__c"] for row in rows}) == 3  # by which subscribers know them again


def test_another_attempt_gives_the_same_ids_also_with_other_events_between(org: SimulatedOrg) -> None:
    def ids(events: list[dict[str, Any]], **changes: Any) -> list[str]:
        results = publish(events, id_field="Message_Id__c", context=task_instance(**changes))
        return [each["id"] for each in results]

    first = ids([*EVENTS, EVENTS[0]])
    assert len(set(first)) == 4  # the same content twice is two events
    again = ids([EVENTS[0], {"Number__c": "new"}, *EVENTS[1:], EVENTS[0]])
    assert [again[0], *again[2:]] == first
    assert again[1] not in first
    assert set(ids(EVENTS, run_id="another")).isdisjoint(first)
    assert set(ids(EVENTS, map_index=1)).isdisjoint(first)


def test_an_id_of_the_authors_is_kept(org: SimulatedOrg) -> None:
    own = [{"Number__c": "1", "Message_Id__c": "mine"}, {"Number__c": "1", "Message_Id__c": None}]
    first, second = publish(own, id_field="Message_Id__c", context=task_instance())
    assert first["id"] == "mine"
    assert second["id"] == org.rows("Order__e")[1]["Message_Id__c"] != "mine"


def test_the_arguments_are_not_changed(org: SimulatedOrg) -> None:
    events = [{"Number__c": "1"}]
    publish(events, id_field="Message_Id__c")
    assert events == [{"Number__c": "1"}]


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_refused_events_are_named_and_the_others_are_published(org: SimulatedOrg) -> None:
    events = [{"Number__c": "1"}, *({"Amount__c": number} for number in range(5))]
    with pytest.raises(AirflowFailException) as caught:
        publish(events)
    message = str(caught.value)
    assert message.startswith("Order__e: Salesforce refused 5 events of 6 (position 1: REQUIRED_FIELD_MISSING: ")
    assert "position 3" in message
    assert "position 4" not in message
    assert message.endswith("Correct these events. The others are published.")
    assert len(org.rows("Order__e")) == 1


def test_an_allocation_that_is_used_up_is_worth_a_retry(org: SimulatedOrg) -> None:
    used_up = {"success": False, "errors": [{"statusCode": "LIMIT_EXCEEDED", "message": "hourly", "fields": []}]}
    org.add_fault(Fault(path=COLLECTION, edit_json=lambda answer: [used_up, *answer[1:]]))
    with pytest.raises(SalesforceError, match="LIMIT_EXCEEDED: hourly.*A retry publishes all of them again") as caught:
        publish()
    assert caught.value.retryable


def test_a_failure_without_a_reason_fails_for_good(org: SimulatedOrg) -> None:
    org.add_fault(Fault(path=COLLECTION, edit_json=lambda answer: [{"success": False, "errors": []}, *answer[1:]]))
    with pytest.raises(AirflowFailException, match="position 0: no reason given"):
        publish()


def test_a_call_that_fails_says_how_far_it_came(org: SimulatedOrg) -> None:
    events = [{"Number__c": str(number)} for number in range(200)]
    with pytest.raises(AirflowFailException, match=r"\(events 201 to 201 of 201; 200 events before them accepted\)"):
        publish([*events, {"Numbr__c": "x"}])


def test_an_outage_is_retried(org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_ATTEMPTS", "2")
    org.add_fault(Fault(path=COLLECTION, times=None, status=503))
    with pytest.raises(SalesforceError) as caught:
        publish()
    assert caught.value.retryable
    assert sum(request.path.endswith("/composite/sobjects") for request in org.requests) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"event": "Account"}, "event: 'Account' is not the API name of a platform event, which ends in __e"),
        ({"event": "None"}, "event: is the text 'None'"),
        ({"events": {"Number__c": "1"}}, "events: must be a list of dicts"),
        ({"events": "[]"}, "events: must be a list of dicts"),
        ({"events": [{"Number__c": "1"}, "x"]}, "the one at position 1 is not one"),
        ({"events": [{}]}, "the one at position 0 is not one, or is empty"),
        ({"events": [{"Number__c": object()}]}, "holds a value that JSON does not have"),
        ({"id_field": ""}, "id_field: is empty"),
    ],
)
def test_wrong_arguments_are_named(org: SimulatedOrg, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(AirflowFailException, match=said):
        publish(**arguments)
    assert not org.requests


def test_an_event_that_the_org_does_not_have(org: SimulatedOrg) -> None:
    with pytest.raises(AirflowFailException, match="INVALID_TYPE"):
        publish(event="Invoice__e")
