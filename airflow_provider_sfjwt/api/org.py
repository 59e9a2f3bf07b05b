"""What an org says of itself: its objects, fields and limits."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

from airflow_provider_sfjwt.api.session import Session
from airflow_provider_sfjwt.exceptions import ConfigurationError, NotFoundError, ProtocolError
from airflow_provider_sfjwt.wire.flow import Flow


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
        raise ConfigurationError(
            {
                "sobject": f"'{sobject}' does not exist in the org, or the user may not see it. Check the API name "
                "(custom objects end in __c) and the user's permission sets"
            },
            subject="the request",
        ) from None
    if not isinstance(description, dict) or not isinstance(description.get("fields"), list):
        raise ProtocolError(f"the description of {sobject} has no list of fields")
    return description


def limits(session: Session) -> Flow[dict[str, dict[str, Any]]]:
    """The org's limits.

    :param session: the conversation.
    :return: by their names, e.g. ``DailyApiRequests``, each with ``Max`` and ``Remaining``.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_limits.htm
    """
    answer = yield from session.json("GET", "limits")
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
        raise ProtocolError("Salesforce's answers carry no Date, so that what is new cannot be told")
    return now
