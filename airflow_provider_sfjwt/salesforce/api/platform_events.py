"""Publishing platform events over REST, up to 200 in one request, each with an answer of its own.

https://developer.salesforce.com/docs/atlas.en-us.platform_events.meta/platform_events/platform_events_publish_api.htm
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_sfjwt.exceptions import ErrorItem
from airflow_provider_sfjwt.salesforce.api.collections import RowAnswer, write_collection
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Flow

#: What stands among the errors of an event that was accepted; its message is the event's UUID.
_ENQUEUED = "OPERATION_ENQUEUED"


@dataclass(frozen=True)
class PublishedEvent:
    """What became of one event.

    :param accepted: whether Salesforce has queued it for its subscribers.
    :param uuid: the ``EventUuid`` that subscribers see, or None where Salesforce did not say.
    :param errors: why it was refused.
    """

    accepted: bool
    uuid: str | None
    errors: tuple[ErrorItem, ...] = ()


def publish_events(session: Session, event: str, events: Sequence[Mapping[str, Any]]) -> Flow[list[PublishedEvent]]:
    """Publish some events in one request.

    It is sent again after an unclear end: an event may be published twice, and is not lost.

    :param session: the conversation.
    :param event: the API name of the platform event, e.g. ``Order__e``.
    :param events: 1 to 200, as JSON has them.
    :return: what became of each, in their order.
    :raises ApiError: when Salesforce refuses the request as a whole.
    """
    answers = yield from write_collection(session, "insert", event, events, repeatable=True)
    return [_published(answer) for answer in answers]


def _published(answer: RowAnswer) -> PublishedEvent:
    uuids = [item.message for item in answer.errors if item.code == _ENQUEUED]
    errors = tuple(item for item in answer.errors if item.code != _ENQUEUED)
    return PublishedEvent(answer.success, uuids[0] if uuids else None, errors)
