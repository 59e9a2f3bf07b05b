from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_sfjwt.exceptions import ApiError, ErrorItem, SalesforceError, SessionExpiredError
from airflow_provider_sfjwt.salesforce.api.event_bus.topics import check_topic, explained, missing_packages, topic_of

NOT_FOUND, DENIED, DEAD = 5, 7, 16


class Bus:
    """Answers with what it was made with.

    :param answer: a message, or an error.
    """

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def call(self, method: str, request: Any, answer: str) -> Any:
        assert (method, answer) == ("GetTopic", "TopicInfo")
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def refusal(status: int, kind: type[ApiError] = ApiError, *items: ErrorItem) -> ApiError:
    return kind("refused", status=status, items=items, method="GetTopic", path="eventbus.v1.PubSub")


async def fault(topic: str, answer: Any) -> SalesforceError:
    with pytest.raises(SalesforceError) as caught:
        await check_topic(Bus(answer), topic)  # type: ignore[arg-type]
    return caught.value


def test_how_topics_are_called() -> None:
    topics = {"Account": "/data/AccountChangeEvent", "X__c": "/data/X__ChangeEvent", "Order__e": "/event/Order__e"}
    assert {name: topic_of(name) for name in topics} == topics


async def test_a_topic_that_may_be_read() -> None:
    await check_topic(Bus(SimpleNamespace(can_subscribe=True)), "/event/Order__e")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("topic", "cause", "remedy", "page"),
    [
        ("/data/X__ChangeEvent", "the org publishes no change events of X__c", "Select X__c in", "Change Data Capture"),
        ("/event/Order__e", "the org has no platform event Order__e", "Check its API name", "Platform Events"),
        ("/data/Sales__chn", "the org has no channel Sales__chn", "Check the name of the channel.", ""),
        ("/data/ChangeEvents", "the org has no channel ChangeEvents", "Check the name of the channel.", ""),
    ],
)
async def test_one_that_is_not_there(topic: str, cause: str, remedy: str, page: str) -> None:
    error = await fault(topic, refusal(NOT_FOUND, ApiError, ErrorItem("topic.not.found", "Unknown")))
    assert (error.brief, error.setup_page, error.retryable) == (cause, page, False)
    assert error.remedy.startswith(remedy)
    assert str(error) == f"{cause}: the topic {topic} cannot be read (Unknown). {error.remedy}"


@pytest.mark.parametrize(
    ("topic", "cause", "remedy"),
    [
        ("/data/LeadChangeEvent", "the user may not read the change events of Lead", "'View All Records' on Lead, or"),
        ("/data/UserChangeEvent", "the user may not read the change events of User", "'View All Users'."),
        ("/event/Order__e", "the user may not read Order__e", "Read on Order__e."),
    ],
)
@pytest.mark.parametrize("answer", [SimpleNamespace(can_subscribe=False), refusal(DENIED)])
async def test_one_that_the_user_may_not_read(topic: str, cause: str, remedy: str, answer: Any) -> None:
    error = await fault(topic, answer)
    assert (error.brief, error.setup_page) == (cause, "Permission Sets")
    assert error.remedy.startswith(f"Give the user {remedy}")


def test_any_other_refusal_stays_what_it_is() -> None:
    dead = refusal(DEAD, SessionExpiredError)
    assert explained("/event/Order__e", dead) is dead


def test_packages_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_packages() == []
    monkeypatch.setitem(sys.modules, "fastavro", None)
    assert missing_packages() == ["fastavro"]
