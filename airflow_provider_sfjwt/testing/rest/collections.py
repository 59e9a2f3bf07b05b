"""sObject Collections: up to 200 records in one request, each with a result of its own.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections.htm
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.record_ids import canonical_id
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.data.values import Stored
from airflow_provider_sfjwt.testing.dml.cell_values import parser_of
from airflow_provider_sfjwt.testing.dml.outcomes import Change, Outcome, ParentKey, RowError
from airflow_provider_sfjwt.testing.dml.save import Dml
from airflow_provider_sfjwt.testing.http.messages import Answer, RefusalError, Request, json_answer
from airflow_provider_sfjwt.testing.http.routing import Route

_MOST = 200
_NO_NUMBERS = ("date", "datetime", "time", "reference", "boolean")
_ROLLED_BACK = RowError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)


class _RollBack(Exception):  # noqa: N818 - no error, but the way out of a transaction
    """One record failed and the request wants all or none."""


class Collections:
    """The resource ``/composite/sobjects``."""

    def __init__(self, dml: Dml) -> None:
        self._dml = dml

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        path = r"/composite/sobjects"
        return [
            Route("POST", path + "/?", lambda r, v: self.save(r, "insert")),
            Route("PATCH", path + "/?", lambda r, v: self.save(r, "update")),
            Route("DELETE", path + "/?", lambda r, v: self.delete(r)),
            Route("PATCH", path + r"/(\w+)/(\w+)/?", lambda r, v, name, key: self.upsert(r, name, key)),
        ]

    def save(self, request: Request, operation: str) -> Answer:
        """Make or change records.

        :param operation: ``insert`` or ``update``.
        :raises RefusalError: for a request that is wrong as a whole.
        """
        records, all_or_none = self._records(request)
        sobjects = [self._object(record) for record in records]
        changes = [self._change(s, record) for s, record in zip(sobjects, records, strict=True)]
        outcomes = self._saved(request, operation, list(zip(sobjects, changes, strict=True)), all_or_none)
        return json_answer([_shown(outcome) for outcome in outcomes])

    def upsert(self, request: Request, name: str, key_name: str) -> Answer:
        """Make records, or change those that have the external id.

        :param key_name: the external id field, or ``Id``.
        :raises RefusalError: for a request that is wrong as a whole.
        """
        sobject = self._dml.schema.find(name)
        key = sobject.field(key_name) if sobject is not None else None
        if sobject is None or key is None or not key.is_id_lookup:
            message = f"Provided external ID field does not exist or is not accessible: {key_name}"
            raise RefusalError(404, "NOT_FOUND", message)
        records, all_or_none = self._records(request)
        if any(self._object(record) is not sobject for record in records):
            message = f"All records must be of the type {sobject.name} that the address names"
            raise RefusalError(400, "INVALID_INPUT", message)
        changes = [(sobject, self._change(sobject, record)) for record in records]
        outcomes = self._saved(request, "upsert", changes, all_or_none, key)
        return json_answer([_shown(o) | ({"created": o.created} if o.success else {}) for o in outcomes])

    def delete(self, request: Request) -> Answer:
        """Put records into the recycle bin.

        :raises RefusalError: for no ids, too many, or one of no object.
        """
        ids = [text for text in (request.parameter("ids") or "").split(",") if text]
        _check_number(ids)
        objects = {sobject.key_prefix: sobject for sobject in self._dml.schema}
        changes = []
        for text in ids:
            sobject = objects.get(text[:3])
            if sobject is None or canonical_id(text) is None:
                raise RefusalError(400, "MALFORMED_ID", f"malformed id {text}")
            changes.append((sobject, Change({"Id": text})))
        all_or_none = (request.parameter("allOrNone") or "false").lower() == "true"
        return json_answer([_shown(outcome) for outcome in self._saved(request, "delete", changes, all_or_none)])

    def _records(self, request: Request) -> tuple[list[dict[str, Any]], bool]:
        body = request.json_object()
        records = body.get("records")
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise RefusalError(400, "JSON_PARSER_ERROR", "records must be a list of objects")
        _check_number(records)
        return records, body.get("allOrNone") is True

    def _object(self, record: dict[str, Any]) -> SObject:
        attributes = record.get("attributes")
        name = attributes.get("type") if isinstance(attributes, dict) else None
        if not isinstance(name, str):
            raise RefusalError(400, "INVALID_INPUT", "Every record needs attributes with a type")
        sobject = self._dml.schema.find(name)
        if sobject is None:
            raise RefusalError(400, "INVALID_TYPE", f"sObject type '{name}' is not supported.")
        return sobject

    def _change(self, sobject: SObject, record: dict[str, Any]) -> Change:
        change = Change({})
        for name, value in record.items():
            if name == "attributes":
                continue
            field = sobject.field(name)
            if field is not None and not field.is_compound:
                change.values[field.name] = _read(field, value)
                continue
            reference = sobject.relationship(name)
            if reference is None:
                raise RefusalError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")
            if value is None:
                change.values[reference.name] = None
            else:
                change.parents[reference.name] = self._parent(reference, name, value)
        return change

    def _parent(self, reference: Field, name: str, value: object) -> ParentKey:
        """Read a parent that is named by a key, as in ``"Account": {"Key__c": "a"}``."""
        if not isinstance(value, dict):
            raise RefusalError(400, "JSON_PARSER_ERROR", f"{name} must be an object with a key of the parent")
        attributes = value.get("attributes")
        kind = attributes.get("type") if isinstance(attributes, dict) else None
        known = [p for p in reference.reference_to if kind is None or p.lower() == str(kind).lower()]
        keys = [key for key in value if key != "attributes"]
        parent = self._dml.schema.find(known[0]) if len(known) == 1 else None
        target = parent.field(keys[0]) if parent is not None and len(keys) == 1 else None
        if parent is None or target is None or not target.is_id_lookup:
            message = f"{name} must name one parent by one External ID or idLookup field"
            raise RefusalError(400, "INVALID_FIELD", message)
        sent = value[keys[0]]
        stored = canonical_id(str(sent)) if target.type == "id" else _read(target, sent)
        return ParentKey(parent, target, stored, str(sent))

    def _saved(
        self,
        request: Request,
        operation: str,
        changes: Sequence[tuple[SObject, Change]],
        all_or_none: bool,
        key: Field | None = None,
    ) -> list[Outcome]:
        """Save neighbours of one object together, in the order of the request."""
        rule = request.headers.get("Sforce-Auto-Assign") or "TRUE"
        outcomes: list[Outcome] = []
        try:
            with self._dml.store.transaction():
                for sobject, group in itertools.groupby(changes, lambda pair: pair[0]):
                    batch = [change for _, change in group]
                    outcomes += self._dml.save(sobject, operation, batch, key, self._owner(sobject, rule))
                if all_or_none and not all(outcome.success for outcome in outcomes):
                    raise _RollBack
        except _RollBack:
            return [Outcome("", errors=(_ROLLED_BACK,)) if outcome.success else outcome for outcome in outcomes]
        return outcomes

    def _owner(self, sobject: SObject, rule: str) -> str | None:
        """Return who gets new records.

        https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_autoassign.htm
        """
        try:
            return self._dml.row_faults.owner(sobject, rule)
        except KeyError:
            raise RefusalError(400, "INVALID_ASSIGNMENT_RULE", f"Invalid assignment rule: {rule}") from None


def _check_number(records: Sequence[object]) -> None:
    if not records:
        raise RefusalError(400, "REQUIRED_FIELD_MISSING", "At least 1 record is required")
    if len(records) > _MOST:
        message = "record limit reached. cannot submit more than 200 records into this call"
        raise RefusalError(400, "EXCEEDED_ID_LIMIT", message)


def _read(field: Field, value: object) -> Stored:
    """Read a JSON value as its field's type; a text for a number is taken, as Salesforce does.

    :raises RefusalError: JSON_PARSER_ERROR, which refuses the whole request.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        fits, text = field.type == "boolean", str(value).lower()
    elif isinstance(value, (int, float)):
        fits, text = field.type not in _NO_NUMBERS, json.dumps(value)
    else:
        # JSON may hold half a character, which no database takes.
        fits, text = isinstance(value, str), str(value).encode("utf-8", "replace").decode()
    parse = parser_of(field)
    try:
        if not fits:
            raise ValueError(text)
        return text if parse is None else parse(text)
    except (ValueError, OverflowError):
        kind = "VALUE_STRING" if isinstance(value, str) else "VALUE"
        message = f"Cannot deserialize instance of {field.type} from {kind} value {text} or request may be missing a "
        raise RefusalError(400, "JSON_PARSER_ERROR", f"{message}required field") from None


def _shown(outcome: Outcome) -> dict[str, Any]:
    identity = {"id": outcome.id} if outcome.id else {}
    errors = outcome.errors
    if outcome.event:  # it is published later, so that its answer has a code beside its UUID
        errors = (RowError("OPERATION_ENQUEUED", outcome.event),)
    return {**identity, "success": outcome.success, "errors": [error.in_json() for error in errors]}
