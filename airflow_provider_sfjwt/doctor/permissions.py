"""What the user of a connection may do with some objects, what is missing, and where in Setup it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_sfjwt.doctor.verdicts import Finding, failed, verdict_on, warned
from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError, counted
from airflow_provider_sfjwt.salesforce.api import org as org_api
from airflow_provider_sfjwt.salesforce.api import permissions as permissions_api
from airflow_provider_sfjwt.salesforce.api.answers import PERMISSION_SETS
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

#: What the user may do with an object, by the property of its description.
_RIGHTS = {"queryable": "read", "createable": "create", "updateable": "edit", "deletable": "delete"}
_ASKED = ("ApiEnabled", "ViewAllData", "BulkApiHardDelete")
#: Names in one finding at most.
_MOST_NAMED = 20
_SYSTEM = f"{PERMISSION_SETS} → (the user's) → System Permissions"
_OBJECTS = f"{PERMISSION_SETS} → (the user's) → Object Settings"


def permission_findings(org: ConnectedOrg, sobjects: Sequence[str]) -> Iterator[Finding]:
    """Look at the user's own permissions, then at each object. A finding that is missing ends nothing.

    :param org: that the user is signed in to.
    :param sobjects: API names, in any case.
    """
    try:
        has = org.run(permissions_api.user_permissions, _ASKED)
    except SalesforceError as error:
        yield verdict_on("API", error, None)
        return
    yield _api(has["ApiEnabled"])
    yield _hard_delete(has["BulkApiHardDelete"])
    sees_all = bool(has["ViewAllData"])
    detail = "The user has View All Data: sharing hides no rows" if sees_all else "View All Data is not given"
    yield Finding("View All", True, detail if sees_all else f"{detail}; each object is looked at by itself")
    for sobject in sobjects:
        try:
            yield from _object(org, sobject, sees_all=sees_all)
        except SalesforceError as error:
            yield _refused(sobject, error)


def _api(given: bool | None) -> Finding:
    if given is False:
        return failed("API", "The user lacks API Enabled", "tick 'API Enabled'", _SYSTEM)
    known = "The user has API Enabled" if given else "It answers; the org does not name the permission"
    return Finding("API", True, f"{known}, which Bulk API 2.0 needs as well")


def _hard_delete(given: bool | None) -> Finding:
    if given:
        return Finding("hard delete", True, "The user has Bulk API Hard Delete")
    detail = "The user lacks Bulk API Hard Delete, which operation='hardDelete' alone needs"
    return warned("hard delete", detail, "for hardDelete, tick 'Bulk API Hard Delete'", _SYSTEM)


def _object(org: ConnectedOrg, sobject: str, *, sees_all: bool) -> Iterator[Finding]:
    description = org.run(org_api.describe, sobject)
    name = str(description["name"])
    rights = [right for ability, right in _RIGHTS.items() if description.get(ability)]
    lacks = [right for right in _RIGHTS.values() if right not in rights]
    if "read" not in rights:
        yield failed(name, f"The user may not read {name}", f"give Read on {name}", _OBJECTS)
        return
    text = f"The user may {', '.join(rights)}"
    if lacks:
        yield warned(name, f"{text}, and not {', '.join(lacks)}", f"for loads, give these on {name}", _OBJECTS)
    else:
        yield Finding(name, True, text)
    yield _rows(org, name, sees_all=sees_all)
    yield from _fields(org, name, description["fields"])


def _rows(org: ConnectedOrg, name: str, *, sees_all: bool) -> Finding:
    """Whether sharing can hide rows, which Salesforce leaves out in silence."""
    step = f"{name} rows"
    if sees_all:
        return Finding(step, True, "All of them, by View All Data")
    user_id = org.token().user_id
    given = org.run(permissions_api.views_all_records, name, user_id) if user_id else None
    remedy = f"give 'View All' on {name}, or share all rows with the user"
    if given is None:
        detail = (
            f"Only users with View Setup and Configuration see whether they have View All on {name}. Without View All, "
            "rows that sharing hides are left out in silence"
        )
        return Finding(step, True, detail, remedy[:1].upper() + remedy[1:], _OBJECTS, mark="skipped")
    if given:
        return Finding(step, True, f"All of them, by View All on {name}")
    detail = f"The user lacks View All on {name}: rows that sharing hides are left out in silence"
    return warned(step, detail, remedy, _OBJECTS)


def _fields(org: ConnectedOrg, name: str, fields: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Which fields field-level security hides, and which it lets the user read alone."""
    step, page = f"{name} fields", f"{_OBJECTS} → {name} → Field Permissions"
    shown = {str(field["name"]).lower() for field in fields}
    defined = org.run(permissions_api.field_names, name)
    hidden = [each for each in defined if each.lower() not in shown]
    read_only = [
        str(field["name"])
        for field in fields
        if field.get("permissionable") and not field.get("updateable") and not field.get("createable")
        if not field.get("calculated") and not field.get("autoNumber")
    ]
    if hidden:
        detail = f"{counted(len(hidden), 'field')} of {len(shown) + len(hidden)} are hidden: {_named(hidden)}"
        yield warned(step, detail, "tick Read Access for those that are extracted", page)
    elif defined:
        yield Finding(step, True, f"All {counted(len(shown), 'field')} can be read")
    else:
        detail = f"{counted(len(shown), 'field')} can be read; Salesforce does not show the user whether there are more"
        yield Finding(step, True, detail, mark="skipped")
    if read_only:
        detail = f"{counted(len(read_only), 'field')} can be read and not written: {_named(read_only)}"
        yield warned(step, detail, "for loads, tick Edit Access", page)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _refused(sobject: str, error: SalesforceError) -> Finding:
    if isinstance(error, ConfigurationError):
        detail = f"The org has no object {sobject}, or the user may not see it"
        return failed(sobject, detail, f"check the API name, and give Read on {sobject}", _OBJECTS)
    return verdict_on(sobject, error, None)
