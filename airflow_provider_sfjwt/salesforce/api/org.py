"""What an org says of itself: its objects, fields and limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

from airflow_provider_sfjwt.exceptions import ConfigurationError, NotFoundError, ProtocolError, RequestLimitError
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Flow

__all__ = ["api_calls_left", "describe", "describe_global", "limits", "server_time", "wait_for_api_calls"]

#: Seconds between two looks at the org's limits at most.
_LONGEST_WAIT = 900.0


def describe(session: Session, sobject: str) -> Flow[dict[str, Any]]:
    """Describe an object and its fields.

    :param session: the conversation.
    :param sobject: the object's API name, e.g. ``Account`` or ``Invoice__c``.
    :return: Salesforce's description: ``name``, ``fields`` (each with ``name``, ``type``, ``precision``, …) and more.
    :raises ConfigurationError: when the org has no such object, or the user may not see it.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm
    """
    try:
        description = yield from session.json("GET", f"sobjects/{quote(sobject, safe='')}/describe")
    except NotFoundError:
        raise not_there(sobject) from None
    return described(description, sobject)


def describe_global(session: Session) -> Flow[list[dict[str, Any]]]:
    """List the objects that the user may see.

    :param session: the conversation.
    :return: of each object ``name``, ``label``, ``queryable``, ``replicateable`` and more; no fields.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_describeGlobal.htm
    """
    return listed_objects((yield from session.json("GET", "sobjects")))


def listed_objects(answer: Any) -> list[dict[str, Any]]:
    """The objects of an answer that lists them.

    :param answer: decoded JSON.
    :raises ProtocolError: when it is another one.
    """
    objects = answer.get("sobjects") if isinstance(answer, dict) else None
    if not isinstance(objects, list) or not all(
        isinstance(each, dict) and isinstance(each.get("name"), str) for each in objects
    ):
        raise ProtocolError("GET sobjects did not answer with a list of objects that have names")
    return objects


def described(description: Any, sobject: str) -> dict[str, Any]:
    """An answer that describes an object.

    :param description: decoded JSON.
    :param sobject: the object's API name.
    :raises ProtocolError: when it is another one.
    """
    if not isinstance(description, dict) or not isinstance(description.get("fields"), list):
        raise ProtocolError(f"the description of {sobject} has no list of fields")
    if not all(map(_is_field, description["fields"])):
        raise ProtocolError(
            f"the description of {sobject} has a field without a name, or with a length that is not a number"
        )
    return description


def not_there(sobject: str) -> ConfigurationError:
    """The error of an object that the user does not see.

    :param sobject: as the author wrote it.
    """
    fault = (
        f"'{sobject}' does not exist in the org, or the user may not see it. Check the API name (custom objects end in "
        "__c) and the user's permission sets"
    )
    return ConfigurationError({"sobject": fault}, subject="the request")


def _is_field(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return False
    return all(isinstance(entry.get(each), int | None) for each in ("length", "precision", "scale"))


def limits(session: Session) -> Flow[dict[str, dict[str, Any]]]:
    """The org's limits.

    :param session: the conversation.
    :return: by their names, e.g. ``DailyApiRequests``, each with ``Max`` and ``Remaining``.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_limits.htm
    """
    answer = yield from session.json("GET", "limits", on_reserve=True)
    if not isinstance(answer, dict):
        raise ProtocolError("GET limits did not answer with an object")
    return answer


def server_time(session: Session) -> Flow[datetime]:
    """The org's clock: what is new is a question of its time and not of the worker's.

    :param session: the conversation.
    :return: timezone-aware, to the second.
    """
    if session.server_now() is None:
        yield from session.json("GET", "/services/data/")
    now = session.server_now()
    if now is None:
        raise ProtocolError("Salesforce's answers carry no Date, so that it is unknown what is new")
    return now


def api_calls_left(session: Session) -> Flow[int]:
    """How many API calls the org has left of its allocation for 24 hours.

    :param session: the conversation. What its last answer said is taken; else the org is asked.
    :raises ProtocolError: when the org does not say.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_api_usage.htm
    """
    if session.usage.left is None:
        yield from _refresh_usage(session)
    if session.usage.left is None:
        raise ProtocolError("GET limits has no DailyApiRequests, so the API calls that are left are unknown")
    return session.usage.left


def wait_for_api_calls(
    session: Session, at_least: int, *, poll_interval: float, remaining: Callable[[], float]
) -> Flow[bool]:
    """Wait until the org has some API calls left again. Each look costs one itself.

    :param session: the conversation.
    :param at_least: how many must be left.
    :param poll_interval: seconds until the second look; each further one comes twice as much later, up to 15 minutes.
    :param remaining: the seconds that are left for waiting, at most 0 when time is up.
    :return: whether they came; false when time was up.
    """
    delay = poll_interval
    while True:
        try:
            yield from _refresh_usage(session)
            if (yield from api_calls_left(session)) >= at_least:
                return True
        except RequestLimitError:  # an org that has none left does not answer this either
            session.usage.used = session.usage.allowed
        left = remaining()
        if left <= 0:
            return False
        yield from flow.pause(min(delay, left))
        delay = max(poll_interval, min(2 * delay, _LONGEST_WAIT))


def _refresh_usage(session: Session) -> Flow[None]:
    requests = (yield from limits(session)).get("DailyApiRequests")
    allowed, left = (requests.get("Max"), requests.get("Remaining")) if isinstance(requests, dict) else (None, None)
    if isinstance(allowed, int) and isinstance(left, int):
        session.usage.allowed, session.usage.used = allowed, allowed - left
