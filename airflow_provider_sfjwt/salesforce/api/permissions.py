"""What the signed-in user may do, as Salesforce itself says."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_sfjwt.exceptions import ApiError
from airflow_provider_sfjwt.salesforce.api.query import first_page
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Flow

__all__ = ["field_names", "user_permissions", "views_all_records"]

#: How Salesforce refuses what the user may not ask, and names that this org does not have.
_NOT_KNOWN = frozenset({"INVALID_TYPE", "INVALID_FIELD", "INSUFFICIENT_ACCESS", "NOT_FOUND"})


def user_permissions(session: Session, names: Sequence[str]) -> Flow[dict[str, bool | None]]:
    """Which permissions the user has, from its profile and all its permission sets. Every API user may ask.

    :param session: the conversation.
    :param names: as Salesforce calls them, e.g. ``ApiEnabled``.
    :return: for each name whether the user has it; None where the org does not know the permission.

    https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_userpermissionaccess.htm
    """
    found: dict[str, bool | None] = {}
    for name in names:
        soql = f"SELECT Permissions{name} FROM UserPermissionAccess"
        rows = yield from _rows(session, soql)
        found[name] = bool(rows[0].get(f"Permissions{name}")) if rows else None
    return found


def views_all_records(session: Session, sobject: str, user_id: str) -> Flow[bool | None]:
    """Whether a permission set or the profile of a user has View All Records on an object.

    :param session: the conversation.
    :param sobject: the object's API name, as it is described.
    :param user_id: of the user.
    :return: None where it may not be asked: that takes View Setup and Configuration.

    https://developer.salesforce.com/docs/platform/object-reference/references/standard-objects/object-objectpermissions.html
    """
    rows = yield from _rows(
        session,
        f"SELECT PermissionsViewAllRecords FROM ObjectPermissions WHERE SobjectType = '{sobject}' AND ParentId IN "
        f"(SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = '{user_id}')",
    )
    return None if rows is None else any(row.get("PermissionsViewAllRecords") for row in rows)


def field_names(session: Session, sobject: str) -> Flow[list[str]]:
    """The names of an object's fields, as far as Salesforce shows the user the object's definition.

    :param session: the conversation.
    :param sobject: the object's API name, as it is described.
    :return: empty where it may not be asked.

    https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_fielddefinition.htm
    """
    rows = yield from _rows(
        session, f"SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = '{sobject}'"
    )
    return [str(row["QualifiedApiName"]) for row in rows or () if row.get("QualifiedApiName")]


def _rows(session: Session, soql: str) -> Flow[list[dict[str, object]] | None]:
    """The rows of a query that fit on one page; None where the user may not run it."""
    try:
        page = yield from first_page(session, soql)
    except ApiError as error:
        if {code for code, *_ in error.items} & _NOT_KNOWN:
            return None
        raise
    return page.records
