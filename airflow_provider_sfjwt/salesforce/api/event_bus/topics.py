"""The topics of the event bus: how they are called, and why one cannot be read."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from airflow_provider_sfjwt.exceptions import ApiError

if TYPE_CHECKING:
    from airflow_provider_sfjwt.salesforce.wire.event_bus import EventBus

#: What the extra ``events`` installs, as it is imported.
PACKAGES = ("fastavro", "grpc")
_EVENT, _CHANGES = "__e", "ChangeEvent"
#: Values of gRPC's status codes.
_NOT_FOUND, _PERMISSION_DENIED = 5, 7
_CAPTURE, _PLATFORM_EVENTS, _PERMISSION_SETS = "Change Data Capture", "Platform Events", "Permission Sets"


def missing_packages() -> list[str]:
    """The packages of the extra ``events`` that are not installed here."""
    return [name for name in PACKAGES if find_spec(name) is None]


def topic_of(sobject: str) -> str:
    """The topic of an object's change events, or of a platform event.

    :param sobject: its API name.

    https://developer.salesforce.com/docs/platform/pub-sub-api/guide/subscribe-rpc-reference.html
    """
    if sobject.endswith(_EVENT):
        return f"/event/{sobject}"
    return f"/data/{sobject.removesuffix('c') if sobject.endswith('__c') else sobject}{_CHANGES}"


async def check_topic(bus: EventBus, topic: str) -> None:
    """Ask whether the user may read a topic.

    :param bus: the open channel.
    :param topic: its name.
    :raises ApiError: when the org has no such topic, or the user may not read it, with what to change.
    :raises SessionExpiredError: when the session is dead.
    :raises TransportError: when the event bus is not reached.
    """
    from airflow_provider_sfjwt.salesforce.wire.event_bus_messages import messages

    try:
        info = await bus.call("GetTopic", messages()["TopicRequest"](topic_name=topic), "TopicInfo")
    except ApiError as refusal:
        raise explained(topic, refusal) from None
    if not info.can_subscribe:
        raise _not_allowed(topic, None)


def explained(topic: str, refusal: ApiError) -> ApiError:
    """What a refusal means for a topic.

    An object that is not selected has no topic: https://github.com/pozil/pub-sub-api-java-client/issues/2

    :param topic: its name.
    :param refusal: what the event bus answered.
    :return: with the cause as its ``brief``, and what to change; the refusal itself where it is about something else.
    """
    if refusal.status == _NOT_FOUND:
        return _not_there(topic, refusal)
    if refusal.status == _PERMISSION_DENIED:
        return _not_allowed(topic, refusal)
    return refusal


def _not_there(topic: str, refusal: ApiError) -> ApiError:
    sobject = _captured(topic)
    if sobject is not None:
        remedy = (
            f"Select {sobject} in Setup → {_CAPTURE}. An object that is not listed there has no change events: "
            "poll it, with mode='poll'."
        )
        return _error(f"the org publishes no change events of {sobject}", topic, refusal, remedy, _CAPTURE)
    if topic.startswith("/event/"):
        remedy = f"Check its API name in Setup → {_PLATFORM_EVENTS}."
        return _error(f"the org has no platform event {_name(topic)}", topic, refusal, remedy, _PLATFORM_EVENTS)
    return _error(f"the org has no channel {_name(topic)}", topic, refusal, "Check the name of the channel.", "")


def _not_allowed(topic: str, refusal: ApiError | None) -> ApiError:
    """Which permission is missing.

    https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/cdc_security_perms.htm
    """
    sobject = _captured(topic)
    if sobject == "User":
        remedy = "Give the user 'View All Users'."
    elif sobject is not None:
        remedy = (
            f"Give the user 'View All Records' on {sobject}, or 'View All Data' where the object has no such "
            "permission."
        )
    else:
        remedy = f"Give the user Read on {_name(topic)}."
    what = _name(topic) if sobject is None else f"the change events of {sobject}"
    return _error(f"the user may not read {what}", topic, refusal, remedy, _PERMISSION_SETS)


def _error(cause: str, topic: str, refusal: ApiError | None, remedy: str, page: str) -> ApiError:
    said = "" if refusal is None or not refusal.items else refusal.items[0].message
    error = ApiError(
        f"{cause}: the topic {topic} cannot be read{f' ({said})' if said else ''}",
        status=_PERMISSION_DENIED if refusal is None else refusal.status,
        items=() if refusal is None else refusal.items,
        method="GetTopic",
        path=topic,
        remedy=remedy,
        setup_page=page,
    )
    error.brief = cause
    return error


def _name(topic: str) -> str:
    return topic.rpartition("/")[2]


def _captured(topic: str) -> str | None:
    """The object whose changes alone are a topic; None for platform events and channels."""
    name = _name(topic)
    if not topic.startswith("/data/") or not name.endswith(_CHANGES) or name == _CHANGES:
        return None
    name = name.removesuffix(_CHANGES)
    return f"{name}c" if name.endswith("__") else name
