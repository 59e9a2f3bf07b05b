"""Any resource of Salesforce's HTTP API: a call, its answer, and what an answer reports as failed.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_list.htm
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from email.message import Message
from typing import Any
from urllib.parse import quote, urlsplit

from airflow_provider_sfjwt.exceptions import (
    ConfigurationError,
    ErrorItem,
    ProtocolError,
    SalesforceError,
    TransportError,
)
from airflow_provider_sfjwt.salesforce.api import answers
from airflow_provider_sfjwt.salesforce.api.retry import may_have_been_processed
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.auth.instance import path_at
from airflow_provider_sfjwt.salesforce.auth.token import Token
from airflow_provider_sfjwt.salesforce.wire import flow
from airflow_provider_sfjwt.salesforce.wire.flow import Flow, Response
from airflow_provider_sfjwt.salesforce.wire.redact import bounded, host_of

#: Bodies of files, such as an Attachment's.
#: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_blob_retrieve.htm
_FILE_TYPE = "application/octet-stream"
#: Requests within requests that are looked into. Salesforce takes a batch in a composite request in a graph.
_DEEPEST = 50
#: Answers of these types are text. An HTML page comes from something that stands between, and is an error.
_TEXT_TYPES = frozenset({"text/plain", "text/csv", "text/xml", "application/xml"})


def call_resource(
    session: Session,
    method: str,
    resource: str,
    *,
    params: Mapping[str, Any] | None = None,
    json_body: Any = None,
    headers: Mapping[str, str] | None = None,
    idempotent: bool,
) -> Flow[Any]:
    """Call a resource.

    :param session: the conversation.
    :param method: the HTTP method in capitals.
    :param resource: e.g. ``limits``, a whole path, or a URL of the connection's own org.
    :param params: for the query string; None values are left out.
    :param json_body: what to send as JSON; None sends nothing.
    :param headers: in addition to the session's own.
    :param idempotent: whether it does no harm when Salesforce processes the request twice. If not, it is repeated only
        when it was certainly not processed.
    :return: the decoded JSON, the text of an answer that is text, the bytes of one that is a file, or None for an empty
        body.
    :raises ConfigurationError: for a URL of another host, which must not get the token.
    :raises ApiError: when Salesforce answers with an error.
    :raises TransportError: also when the request may have been processed and must not be sent again; it is not
        retryable then.
    """
    token = yield from flow.renew()
    path = yield from session.path(_at_instance(resource, token))
    try:
        response = yield from session.call(
            method,
            path,
            params=params,
            json_body=json_body,
            headers=headers,
            repeatable=idempotent,
            strict=not idempotent,
        )
    except SalesforceError as error:
        if idempotent or not may_have_been_processed(error):
            raise
        raise TransportError(
            f"{error} It is unknown whether Salesforce processed this {method}, so it is not sent again.",
            request_was_sent=True,
            remedy="Look in the org before you run it once more.",
            retryable=False,
        ) from error
    return _decoded(response, method, path)


def fetch_record(
    session: Session, sobject: str, record_id: str, fields: Sequence[str] | None = None
) -> Flow[dict[str, Any]]:
    """Fetch one record.

    :param session: the conversation.
    :param sobject: the object's API name.
    :param record_id: 15 or 18 characters.
    :param fields: names of fields; None for all that the user may read.
    :return: values by field name, without Salesforce's ``attributes``.
    :raises NotFoundError: when there is no such record, or the user may not see it.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_retrieve_get.htm
    """
    path = f"sobjects/{quote(sobject, safe='')}/{quote(record_id, safe='')}"
    answer = yield from session.json("GET", path, params={"fields": ",".join(fields) if fields else None})
    if not isinstance(answer, dict):
        raise ProtocolError(f"GET {path} did not answer with a record")
    return {name: value for name, value in answer.items() if name != "attributes"}


def reported_failures(answer: Any) -> list[ErrorItem]:
    """The failures that an answer with the status 200 reports of its parts.

    Known are composite, batch, tree and graph requests, sObject Collections and invocable actions.

    :param answer: decoded JSON.
    :return: Salesforce's errors in their order; empty when every part succeeded.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/using_composite_resources.htm
    """
    return list(_failures(answer))


def _failures(answer: Any, depth: int = 0) -> Iterator[ErrorItem]:
    if depth > _DEEPEST:
        return
    if isinstance(answer, list):
        for part in answer:
            yield from _failures(part, depth + 1)
    elif isinstance(answer, dict):
        if answer.get("success") is False or answer.get("isSuccess") is False:
            yield from _errors(answer.get("errors"))
        for part in _parts(answer, "compositeResponse"):
            yield from _failed_request(part, "httpStatusCode", "body", depth)
        for graph in _parts(answer, "graphs"):
            yield from _failures(graph.get("graphResponse"), depth + 1)
        for part in _parts(answer, "results") if answer.get("hasErrors") is True else ():
            yield from _failed_request(part, "statusCode", "result", depth)
            yield from _errors(part.get("errors") or ())


def _parts(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    parts = answer.get(name)
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _failed_request(part: Mapping[str, Any], status: str, body: str, depth: int) -> Iterator[ErrorItem]:
    """The errors of one request within a request: of its own status, or reported by its answer."""
    answered = part.get(status)
    if isinstance(answered, int) and answered >= 400:
        yield from _errors(part.get(body))
    else:
        yield from _failures(part.get(body), depth + 1)


def _errors(listed: Any) -> Iterator[ErrorItem]:
    """Errors as Salesforce lists them; one without details where it lists nothing."""
    entries = listed if isinstance(listed, list | tuple) else [listed]
    if listed is None or listed == []:
        entries = [{}]
    for entry in entries:
        details = entry if isinstance(entry, dict) else {"message": entry}
        code = details.get("errorCode") or details.get("statusCode") or "UNKNOWN"
        fields = details.get("fields")
        names = tuple(map(str, fields)) if isinstance(fields, list) else ()
        yield ErrorItem(bounded(str(code), 200), bounded(str(details.get("message") or "")), names)


def _at_instance(resource: str, token: Token) -> str:
    """The resource without the address of the org that the token is for."""
    try:
        url = urlsplit(resource)
    except ValueError:
        raise ConfigurationError({"path": "is not a path or a URL of the org"}, subject="the request") from None
    if not url.netloc:
        return resource
    path = path_at(token.instance_url, resource)
    if path is None:
        raise ConfigurationError(
            {
                "path": f"is a URL of {url.scheme}://{host_of(resource)}, and this connection's token is for "
                f"{token.instance_url} alone; give the path"
            },
            subject="the request",
        )
    return path


def _decoded(response: Response, method: str, path: str) -> Any:
    content_type = Message()
    content_type["Content-Type"] = response.headers.get("content-type", "")
    if content_type.get_content_type() == _FILE_TYPE:
        return response.body
    if content_type.get_content_type() in _TEXT_TYPES and response.headers.get("content-type"):
        return response.body.decode(content_type.get_content_charset("utf-8"), "replace")
    return answers.data(response, method=method, path=path)
