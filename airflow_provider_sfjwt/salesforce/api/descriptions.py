"""Descriptions of objects that are asked for again only when something changed.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/sobject_describe_with_ifmodified_header.htm
https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/describe_global_with_ifmodified_header.htm
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from airflow_provider_sfjwt.exceptions import ApiError, NotFoundError
from airflow_provider_sfjwt.salesforce.api import answers
from airflow_provider_sfjwt.salesforce.api.org import described, listed_objects, not_there
from airflow_provider_sfjwt.salesforce.api.retry import http_date
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Flow

__all__ = ["Dated", "describe_global_since", "describe_since"]

_NOT_MODIFIED = 304
#: ``Last-Modified`` is to the second: a later change in the same second has the same one. It proves that nothing
#: changed only where it was a minute old when it was sent. https://datatracker.ietf.org/doc/html/rfc9110#section-8.8.2.2
_SETTLED = timedelta(minutes=1)


@dataclass(frozen=True)
class Dated:
    """An answer, and how to ask whether it still holds.

    :param content: decoded JSON.
    :param since: for ``If-Modified-Since``; None where the answer has no date.
    :param changed: nothing changed after this, up to the answer; None where the answer has no date.
    """

    content: Any
    since: str | None
    changed: datetime | None = None


def describe_since(session: Session, sobject: str, since: str | None) -> Flow[Dated | None]:
    """Describe an object if it changed.

    :param session: the conversation.
    :param sobject: the object's API name.
    :param since: of an earlier answer; None to describe it anyhow.
    :return: as :func:`~airflow_provider_sfjwt.salesforce.api.org.describe`; None when nothing changed.
    :raises ConfigurationError: when the org has no such object, or the user may not see it.
    """
    try:
        dated = yield from _get(session, f"sobjects/{quote(sobject, safe='')}/describe", since)
    except NotFoundError:
        raise not_there(sobject) from None
    if dated is not None:
        described(dated.content, sobject)
    return dated


def describe_global_since(session: Session, since: str | None) -> Flow[Dated | None]:
    """List the objects that the user may see if one of them changed.

    :param session: the conversation.
    :param since: of an earlier answer; None to list them anyhow.
    :return: as :func:`~airflow_provider_sfjwt.salesforce.api.org.describe_global`; None when nothing changed.
    """
    dated = yield from _get(session, "sobjects", since)
    return None if dated is None else replace(dated, content=listed_objects(dated.content))


def _get(session: Session, resource: str, since: str | None) -> Flow[Dated | None]:
    path = yield from session.path(resource)
    headers = None if since is None else {"If-Modified-Since": since}
    try:
        response = yield from session.call("GET", path, headers=headers)
    except ApiError as error:
        if error.status == _NOT_MODIFIED:
            return None
        raise
    content = answers.data(response, method="GET", path=path)
    sent = http_date(response.headers.get("date", ""))
    if sent is None:
        return Dated(content, None)
    changed = http_date(response.headers.get("last-modified", ""))
    settled = min(changed or sent, sent - _SETTLED)
    return Dated(content, format_datetime(settled, usegmt=True), changed or sent)
