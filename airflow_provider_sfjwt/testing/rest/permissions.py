"""The objects in which Salesforce says what the user may do. They hold what the org's settings say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_sfjwt.testing.data.schema import Schema
from airflow_provider_sfjwt.testing.http.messages import Answer, RefusalError, json_answer
from airflow_provider_sfjwt.testing.settings import Settings

_FROM = re.compile(r"\s*SELECT\s+(?P<fields>[\w\s,]+?)\s+FROM\s+(?P<name>\w+)(?:\s+WHERE\s+(?P<where>.+?))?\s*", re.I)
_DEFINED = re.compile(r"EntityDefinition\.QualifiedApiName\s*=\s*'(\w+)'", re.IGNORECASE)
_GRANTED = re.compile(
    r"SobjectType\s*=\s*'(\w+)'\s+AND\s+ParentId\s+IN\s*\(\s*SELECT\s+PermissionSetId\s+FROM\s+PermissionSetAssignment"
    r"\s+WHERE\s+AssigneeId\s*=\s*'(\w+)'\s*\)",
    re.IGNORECASE,
)


class Permissions:
    """Answers queries of these objects, each in the one form that the simulator knows.

    https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_userpermissionaccess.htm
    https://developer.salesforce.com/docs/platform/object-reference/references/standard-objects/object-objectpermissions.html
    https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_fielddefinition.htm

    :param user_id: who asks.
    """

    def __init__(self, schema: Schema, settings: Settings, user_id: str) -> None:
        self._schema = schema
        self._settings = settings
        self._user_id = user_id

    def answer(self, soql: str) -> Answer | None:
        """Answer a query of one of these objects; None for any other.

        :raises RefusalError: for a field, a condition or an object that the user may not ask for.
        """
        match = _FROM.fullmatch(soql)
        makers = {
            "userpermissionaccess": self._of_user,
            "objectpermissions": self._of_objects,
            "fielddefinition": self._fields,
        }
        if match is None or match["name"].lower() not in makers:
            return None
        name, rows = makers[match["name"].lower()](match["where"] or "")
        asked = [part.strip() for part in match["fields"].split(",")]
        records = []
        for row in rows:
            known = {field.lower(): field for field in row}
            for field in asked:
                if field.lower() not in known:
                    message = f"No such column '{field}' on entity '{name}'."
                    raise RefusalError(400, "INVALID_FIELD", message)
            records.append({"attributes": {"type": name}, **{known[f.lower()]: row[known[f.lower()]] for f in asked}})
        return json_answer({"totalSize": len(records), "done": True, "records": records})

    def _of_user(self, where: str) -> tuple[str, list[Mapping[str, Any]]]:
        if where:
            raise _unknown_condition("UserPermissionAccess")
        settings = self._settings
        row = {
            "PermissionsApiEnabled": settings.api_enabled,
            "PermissionsBulkApiHardDelete": settings.hard_delete_allowed,
            "PermissionsViewAllData": settings.view_all_data,
            "PermissionsViewSetup": settings.view_setup,
        }
        return "UserPermissionAccess", [row]

    def _of_objects(self, where: str) -> tuple[str, list[Mapping[str, Any]]]:
        """Since Summer '20 only users with View Setup and Configuration can access this object."""
        if not self._settings.view_setup:
            message = "sObject type 'ObjectPermissions' is not supported."
            raise RefusalError(400, "INVALID_TYPE", message)
        match = _GRANTED.fullmatch(where)
        if match is None:
            raise _unknown_condition("ObjectPermissions")
        found = self._schema.find(match[1])
        if found is None or match[2] != self._user_id:
            return "ObjectPermissions", []
        viewed = {name.lower() for name in self._settings.view_all_objects}
        may_all = self._settings.view_all_data or found.name.lower() in viewed
        granted = {"SobjectType": found.name, "PermissionsRead": True, "PermissionsViewAllRecords": may_all}
        return "ObjectPermissions", [granted]

    def _fields(self, where: str) -> tuple[str, list[Mapping[str, Any]]]:
        match = _DEFINED.fullmatch(where)
        if match is None:
            raise _unknown_condition("FieldDefinition")
        found = self._schema.find(match[1])
        if found is None:
            return "FieldDefinition", []
        fields = (*found.fields, *found.hidden) if self._settings.view_setup else found.fields
        return "FieldDefinition", [{"QualifiedApiName": field.name} for field in fields]


def _unknown_condition(name: str) -> RefusalError:
    return RefusalError(400, "MALFORMED_QUERY", f"the simulator knows {name} with another condition alone")
