"""The field by which the changed rows of an object are found."""

from __future__ import annotations

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.org.described_object import DescribedObject

#: Fields that move with every change, the surest one first.
#: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/system_fields.htm
_OF_CHANGES = ("SystemModstamp", "LastModifiedDate")
#: Fields that are set once: they find the new rows of objects whose rows never change, such as histories.
_OF_CREATION = ("CreatedDate", "LoginTime")


def cursor_of(described: DescribedObject, wanted: str | None) -> str | None:
    """The field that the windows of an object follow.

    :param described: the object.
    :param wanted: what the author named, or None.
    :return: as Salesforce spells it; None where the object has no such field, and each run extracts all rows.
    :raises ConfigurationError: when the author named a field that is no date-time, or that cannot be filtered by.
    """
    if wanted is not None:
        if not _is_cursor(described, wanted):
            fault = f"{described.name}.{wanted} is not a date-time field by which the user may filter; name another one"
            raise ConfigurationError({"cursor_field": fault}, subject="the task")
        return str((described.field(wanted) or {})["name"])
    usable = _OF_CHANGES if described.description.get("updateable") else (*_OF_CHANGES, *_OF_CREATION)
    return next((name for name in usable if _is_cursor(described, name)), None)


def _is_cursor(described: DescribedObject, name: str) -> bool:
    field = described.field(name)
    return field is not None and field["type"] == "datetime" and bool(field.get("filterable", True))
