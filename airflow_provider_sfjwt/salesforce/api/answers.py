"""The one place where an HTTP answer becomes data or an error.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from airflow_provider_sfjwt.exceptions import (
    ApiError,
    ErrorItem,
    NotFoundError,
    ProtocolError,
    RequestLimitError,
    SessionExpiredError,
)
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from airflow_provider_sfjwt.salesforce.wire.json_text import decode_json
from airflow_provider_sfjwt.salesforce.wire.redact import bounded, shortened
from airflow_provider_sfjwt.salesforce.wire.statuses import REDIRECTS, is_transient, page_title

#: What to check where an answer is not Salesforce's.
OTHER_ANSWERS = "Something between here and Salesforce may answer in its place: check Proxy and Login URL."
#: Errors of an answer, and fields of an error, that are kept. Salesforce lists one error of a request as a rule.
_MOST_ITEMS, _MOST_FIELDS = 200, 200
#: Pages of Salesforce Setup.
COMPANY, PERMISSION_SETS, EXTERNAL_DATA = "Company Information", "Permission Sets", "External Data Sources"


class _Code(NamedTuple):
    """What is known of an error code.

    :param remedy: what to change, in the words of Setup; empty where there is nothing to change.
    :param page: name of the page of Salesforce Setup where that is.
    :param retryable: whether the same request may succeed later, though the status does not show it.
    """

    remedy: str = ""
    page: str = ""
    retryable: bool = False


_CODES = {
    "INVALID_TYPE": _Code(
        "Check the object's API name (custom objects end in __c) and that the user's profile or permission sets may "
        "read it."
    ),
    "INVALID_FIELD": _Code(
        "Check the field's API name, and that the user's field-level security shows it: a hidden field looks like a "
        "missing one."
    ),
    "MALFORMED_QUERY": _Code("Correct the SOQL at the place that the message names."),
    "QUERY_TIMEOUT": _Code(
        "Narrow the query with a filter on an indexed field, or split it. Bulk API 2.0 gives a query more time, where "
        "it offers the object."
    ),
    "EXCEEDED_ID_LIMIT": _Code("The request names more ids than Salesforce takes at once; give it fewer."),
    "OPERATION_TOO_LARGE": _Code(
        "Salesforce would have to check the sharing of too many rows. Split the query by a date range (window), or "
        "give the user 'View All Data' or 'View All' on the object."
    ),
    "QUERY_TOO_COMPLICATED": _Code("Select fewer formula fields, and shorten or split the condition."),
    "FUNCTIONALITY_NOT_ENABLED": _Code(
        "The org lacks the feature that the message names: have it turned on in Setup, or leave out what needs it."
    ),
    "BIG_OBJECT_UNSUPPORTED_OPERATION": _Code(
        "A big object is filtered by the fields of its index alone, from the first on and without a gap; a range may "
        "only be the last one. It has no aggregates, no LIKE, no != and no NOT IN."
    ),
    "INVALID_REPLICATION_DATE": _Code(
        "Salesforce knows what was deleted for 15 days, and less where its log was purged: compare all ids instead."
    ),
    "INVALID_TYPE_FOR_OPERATION": _Code("The object does not allow this operation; name another object."),
    "UNKNOWN_EXCEPTION": _Code(
        "Salesforce failed inside. Run it again later; if it stays, give the error id of the message to Salesforce "
        "Support.",
        retryable=True,
    ),
    "INVALID_QUERY_LOCATOR": _Code(
        "The query's cursor expired, or too many were open for the user: run the query anew.", retryable=True
    ),
    "REQUEST_LIMIT_EXCEEDED": _Code(
        "The org's API calls of the last 24 hours are used up, or too many calls of over 20 seconds run at once: see "
        "Setup → Company Information → API Requests, and run again later.",
        COMPANY,
        retryable=True,
    ),
    "API_DISABLED_FOR_ORG": _Code("The org's edition has no API access; ask Salesforce.", COMPANY),
    "API_CURRENTLY_DISABLED": _Code("The user's profile or permission sets lack 'API Enabled'.", PERMISSION_SETS),
    "INSUFFICIENT_ACCESS": _Code("The user lacks a permission for this; give it by a permission set.", PERMISSION_SETS),
    "INVALID_AUTH_HEADER": _Code(
        "Salesforce could not read the access token; check that the app issues opaque or JWT-based access tokens that "
        "this API takes."
    ),
    "TXN_SECURITY_NO_ACCESS": _Code(
        "A transaction security policy forbids it; exempt the integration user.", "Transaction Security Policies"
    ),
    "TXN_SECURITY_METERING_ERROR": _Code(
        "A transaction security policy took too long; exempt the integration user.",
        "Transaction Security Policies",
        retryable=True,
    ),
    "INVALIDENTITY": _Code("Bulk API 2.0 does not offer this object; REST may."),
    "UNSUPPORTED_API_VERSION": _Code("The API version is retired; empty API version in the connection."),
    "LIMIT_EXCEEDED": _Code(
        "A limit of the last 24 hours is reached: see Setup → Company Information, and run again later.",
        COMPANY,
        retryable=True,
    ),
    "EXTERNAL_OBJECT_CONNECTION_EXCEPTION": _Code(
        "The external object's own system does not answer. Run it again later, and see Setup → External Data Sources.",
        EXTERNAL_DATA,
        retryable=True,
    ),
    "UNABLE_TO_LOCK_ROW": _Code(retryable=True),
    "SERVER_UNAVAILABLE": _Code(retryable=True),
}
#: Codes that are known by how they begin.
_FAMILIES = {
    "EXTERNAL_OBJECT_": _Code(
        "The rows of an external object come from another system: check its address, its sign-in and what it can "
        "filter in Setup → External Data Sources.",
        EXTERNAL_DATA,
    )
}
#: Salesforce takes 16,384 bytes of URL (414), and as many of URL and headers together (431).
TOO_LONG = frozenset({414, 431})
_SHORTEN = _Code(
    "The URL is longer than the 16,384 bytes that Salesforce takes. Give a query fewer values or fields, or extract it "
    "over Bulk API 2.0 (SalesforceExtractOperator or hook.extract), which takes 100,000 characters."
)
#: https://www.rfc-editor.org/rfc/rfc9449#section-7.1
_DPOP = _Code(
    "The app or the org requires DPoP (Demonstrating Proof of Possession), which this package does not support: switch "
    "it off in the app's OAuth settings.",
    "External Client App Manager",
)
_DEAD_SESSION = frozenset({"INVALID_SESSION_ID", "INVALIDSESSIONID"})


def session_expired(response: Response) -> bool:
    """Whether an answer says that the access token is dead.

    REST answers 401 ``INVALID_SESSION_ID``; Bulk API answers 400 ``InvalidSessionId``.

    :param response: any answer.
    """
    if response.status not in (400, 401):
        return False
    return any(item.code.upper() in _DEAD_SESSION for item in _items(response))


def check(response: Response, *, method: str, path: str) -> Response:
    """Let a successful answer pass.

    :param response: the answer.
    :param method: the HTTP method of the request.
    :param path: the path of the request; its query string is dropped.
    :return: the same answer, when its status is one of 2xx.
    :raises ApiError: else, by its kind.
    """
    if response.ok:
        return response
    path = path.partition("?")[0]
    items = _items(response)
    codes = {item.code.upper() for item in items}
    said = "; ".join(f"{item.code}: {_one_line(item.message)}" for item in items) or _said_by_page(response)
    known = [about for code in sorted(codes) if (about := _about(code))]
    by_answer = _SHORTEN if response.status in TOO_LONG else _Code()
    if "dpop" in response.headers.get("www-authenticate", "").lower():
        known, by_answer = [], _DPOP
    advised = next((code for code in known if code.remedy), by_answer)
    raise _kind(response, codes)(
        f"{method} {path} answered {response.status}: {said.rstrip('.')}.",
        status=response.status,
        items=items,
        method=method,
        path=path,
        remedy=advised.remedy,
        setup_page=advised.page,
        retryable=is_transient(response) or any(code.retryable for code in known),
    )


def data(response: Response, *, method: str, path: str, numbers_as_text: bool = False) -> Any:
    """The JSON of a successful answer.

    :param response: the answer.
    :param method: the HTTP method of the request.
    :param path: the path of the request.
    :param numbers_as_text: whether numbers come back as text with all their digits, which a float would round.
    :return: the decoded JSON, or None for an empty body.
    :raises ApiError: when the status is not one of 2xx.
    :raises ProtocolError: when a 2xx answer holds something else than JSON.
    """
    check(response, method=method, path=path)
    if not response.body.strip():
        return None
    try:
        return decode_json(response.body, numbers_as_text=numbers_as_text)
    except ValueError as error:
        kind = shortened(response.headers.get("content-type", "no content type"))
        said = f"answered {response.status} with {kind} where JSON was expected"
        if isinstance(error, UnicodeDecodeError):
            fields = re.findall(rb'"(\w+)"\s*:', response.body[: error.start])
            said = f"answered with text that is not UTF-8, in a value of {fields[-1].decode()}" if fields else said
        raise ProtocolError(f"{method} {path.partition('?')[0]} {said}", remedy=OTHER_ANSWERS) from None


def _about(code: str) -> _Code | None:
    family = (about for start, about in _FAMILIES.items() if code.startswith(start))
    return _CODES.get(code) or next(family, None)


def _kind(response: Response, codes: set[str]) -> type[ApiError]:
    if codes & _DEAD_SESSION and response.status in (400, 401):
        return SessionExpiredError
    if "REQUEST_LIMIT_EXCEEDED" in codes:
        return RequestLimitError
    return NotFoundError if response.status == 404 else ApiError


def _items(response: Response) -> tuple[ErrorItem, ...]:
    """What Salesforce lists: an array of objects as a rule, one object from some resources, XML from Bulk API."""
    try:
        answer = decode_json(response.body)
    except ValueError:
        return _xml_items(response.body)
    entries = answer if isinstance(answer, list) else [answer]
    return tuple(_item(entry) for entry in entries[:_MOST_ITEMS] if isinstance(entry, dict))


def _item(entry: dict[str, Any]) -> ErrorItem:
    code = entry.get("errorCode") or entry.get("exceptionCode") or entry.get("error") or "UNKNOWN"
    message = entry.get("message") or entry.get("exceptionMessage") or entry.get("error_description") or ""
    fields = entry.get("fields")
    names = tuple(shortened(str(each)) for each in fields[:_MOST_FIELDS]) if isinstance(fields, list) else ()
    return ErrorItem(bounded(str(code), 200), bounded(str(message)), names)


def _xml_items(body: bytes) -> tuple[ErrorItem, ...]:
    code = re.search(rb"<exceptionCode>(\w+)</exceptionCode>", body)
    message = re.search(rb"<exceptionMessage>([^<]*)</exceptionMessage>", body)
    if code is None:
        return ()
    said = message[1].decode("utf-8", "replace") if message else ""
    return (ErrorItem(bounded(code[1].decode("ascii"), 200), bounded(said)),)


def _said_by_page(response: Response) -> str:
    if response.status in REDIRECTS:
        return "a redirect, which Salesforce's API never sends; check Login URL and Proxy"
    title = page_title(response)
    return f"a page titled '{title}'" if title else "no reason given"


def _one_line(message: str) -> str:
    return " ".join(message.split())
