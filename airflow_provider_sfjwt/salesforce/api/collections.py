"""sObject Collections: up to 200 records in one request, each with an answer of its own.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections.htm
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from airflow_provider_sfjwt.exceptions import ApiError, ErrorItem, ProtocolError, SalesforceError
from airflow_provider_sfjwt.salesforce.api import answers
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Flow

#: Records of one request.
MOST_RECORDS = 200
#: What can be done with records here, and by which method. Nothing deletes for good but Bulk API.
OPERATIONS = {"insert": "POST", "update": "PATCH", "upsert": "PATCH", "delete": "DELETE"}
_RESOURCE = "composite/sobjects"
_BAD_REQUEST = 400


@dataclass(frozen=True)
class RowAnswer:
    """What became of one record.

    :param id: of the record, or None where it is not known.
    :param success: whether it was saved.
    :param created: whether it is new; None where it was not saved.
    :param errors: why it was refused.
    """

    id: str | None
    success: bool
    created: bool | None
    errors: tuple[ErrorItem, ...]


def write_collection(
    session: Session,
    operation: str,
    sobject: str,
    records: Sequence[Mapping[str, Any]],
    *,
    external_id_field: str | None = None,
    all_or_none: bool = False,
    assignment_rule_id: str | None = None,
    repeatable: bool | None = None,
) -> Flow[list[RowAnswer]]:
    """Write some records of one object in one request.

    It is sent again only where it is certain that Salesforce has not processed it; an update even after an unclear
    end, since it does no harm twice. Whether another error leaves that open is answered by
    :func:`~airflow_provider_sfjwt.salesforce.api.retry.may_have_been_processed`.

    :param session: the conversation.
    :param operation: one of :data:`OPERATIONS`.
    :param sobject: the object's API name.
    :param records: 1 to 200, as JSON has them; a parent by a key as ``{"Account": {"Key__c": "a"}}``. A record of an
        update or delete has its ``Id``.
    :param external_id_field: of an upsert: the field by which records are found.
    :param all_or_none: whether nothing is saved when one record is refused.
    :param assignment_rule_id: gives new leads and cases to their owners; None: no rule does, as in Bulk API.
    :param repeatable: whether it does no harm when Salesforce processes the request twice; None: only an update.
    :return: an answer for each record, in their order.
    :raises ValueError: for another operation, no or too many records, or an upsert without its field.
    :raises TransportError: with ``request_was_sent`` when it is not known whether the records were written.
    :raises ApiError: when Salesforce refuses the request as a whole.
    :raises ProtocolError: when the answers do not match the records: it is not known what became of them.
    """
    if operation not in OPERATIONS or (operation == "upsert") is (external_id_field is None):
        raise ValueError(f"sObject Collections cannot {operation} with the external id field {external_id_field}")
    if not 1 <= len(records) <= MOST_RECORDS:
        raise ValueError(f"sObject Collections take 1 to {MOST_RECORDS} records and not {len(records)}")
    method, resource, params, body = OPERATIONS[operation], _RESOURCE, None, None
    if operation == "delete":
        params = {"ids": ",".join(str(each["Id"]) for each in records), "allOrNone": str(all_or_none).lower()}
    else:
        typed = [{"attributes": {"type": sobject}, **record} for record in records]
        body = {"allOrNone": all_or_none, "records": typed}
    if external_id_field is not None:
        resource = f"{_RESOURCE}/{quote(sobject, safe='')}/{quote(external_id_field, safe='')}"
    path = yield from session.path(resource)
    response = yield from session.call(
        method,
        path,
        params=params,
        json_body=body,
        # Without this header the org's active rule would be used, which Bulk API does not.
        # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_autoassign.htm
        headers={"Sforce-Auto-Assign": assignment_rule_id or "FALSE"},
        repeatable=operation == "update" if repeatable is None else repeatable,
        strict=True,
    )
    answer = answers.data(response, method=method, path=path)
    if not isinstance(answer, list) or len(answer) != len(records):
        raise ProtocolError(f"{method} {path} did not answer with one result for each of {len(records)} records")
    return [_row_answer(entry, operation) for entry in answer]


def fault_in_records(error: SalesforceError) -> ErrorItem | None:
    """What Salesforce found in some of the records, for which it refused the whole request and saved nothing.

    A value that cannot be read as its field's type is such a fault. Which of the records has it is unknown.

    :param error: what :func:`write_collection` ended in.
    :return: the first thing that it names; None where the error is another one, or passes by itself.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
    """
    if type(error) is not ApiError or error.status != _BAD_REQUEST or error.retryable or not error.items:
        return None
    return error.items[0]


def _row_answer(entry: Any, operation: str) -> RowAnswer:
    if not isinstance(entry, dict) or not isinstance(entry.get("success"), bool):
        raise ProtocolError("a result of sObject Collections does not say whether its record was saved")
    success, record_id = entry["success"], entry.get("id")
    created = entry.get("created") is True if operation == "upsert" else operation == "insert"
    listed = entry.get("errors")
    errors = [_error(each) for each in (listed if isinstance(listed, list) else ())]
    return RowAnswer(str(record_id) if record_id else None, success, created if success else None, tuple(errors))


def _error(entry: Any) -> ErrorItem:
    if not isinstance(entry, dict):
        return ErrorItem("UNKNOWN", str(entry))
    # The answers of an upsert and of older versions say errorCode.
    code = entry.get("statusCode") or entry.get("errorCode") or "UNKNOWN"
    fields = entry.get("fields")
    return ErrorItem(
        str(code), str(entry.get("message") or ""), tuple(map(str, fields)) if isinstance(fields, list) else ()
    )
