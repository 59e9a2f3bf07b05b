"""Which columns an extract has, and of which Salesforce types, asked of the org."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.api import soql as soql_text
from airflow_provider_sfjwt.salesforce.api.bulk_query import NOT_IN_BULK
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.org.described_object import DescribedObject

#: Characters of a query in a URL, of which Salesforce takes 16,384 bytes.
#: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
_LONGEST_QUERY = 16_000


def columns_of_sobject(
    org: ConnectedOrg, sobject: str, fields: Sequence[str] | None, cursor_field: str | None
) -> tuple[str, tuple[Column, ...]]:
    """The columns of an object's extract.

    :param org: where the object is.
    :param sobject: its API name, in any case.
    :param fields: what to select, parents' fields as ``Owner.Name``; None for every field that Bulk API 2.0 can return.
    :param cursor_field: a date-time field that must be there, or None.
    :return: the object's name as Salesforce spells it, and the columns in order.
    :raises ConfigurationError: naming every field that is unknown, cannot be returned, or is no date-time.
    """
    schema = DescribedObject(org, sobject)
    faults: dict[str, str] = {}
    if cursor_field is not None:
        found = schema.field(cursor_field)
        if found is None or found["type"] != "datetime":
            kind = f"is a {found['type']} field" if found else "is unknown or hidden from the user"
            faults["cursor_field"] = f"{schema.name}.{cursor_field} {kind}; name a date-time field"
    if fields is None:
        columns = [Column.from_describe(each) for each in schema.fields if each["type"] not in NOT_IN_BULK]
    else:
        columns, complaints = _named(schema, fields)
        if complaints:
            faults["fields"] = "; ".join(complaints)
    if faults:
        raise ConfigurationError(faults, subject="the task")
    return schema.name, tuple(columns)


def columns_of_query(org: ConnectedOrg, soql: str) -> tuple[Column, ...]:
    """The columns of a query, text where their type cannot be told. Salesforce judges the query, not this.

    :param org: where the query runs.
    :param soql: the query.
    """
    sobject = soql_text.sobject_of(soql)
    if sobject is None:
        return ()
    schema = DescribedObject(org, sobject)
    columns = []
    for name in soql_text.selected(soql):
        path = name.split(".")
        found = _at_path(schema, path)
        if found is None and len(path) > 1 and (found := _at_path(schema, path[1:])):
            # A query may put the object's own name, or an alias of it, before a field. Its rows do not.
            name = ".".join(path[1:])
        columns.append(Column.from_describe(found, name) if found else Column(name))
    return tuple(columns)


def check_flat(soql: str, columns: Sequence[Column]) -> None:
    """See that the rows of a query over REST are those of a table, as Bulk API 2.0's are.

    :param soql: the query.
    :param columns: what is known of its columns.
    :raises ConfigurationError: for aggregates, sub-queries and compound fields, naming them.
    """
    features = [each for each in soql_text.not_in_bulk(soql) if each != "OFFSET"]
    features += [column.name for column in columns if column.type in NOT_IN_BULK]
    if features or not columns:
        what = " and ".join(features) or "what this query selects"
        raise ConfigurationError(
            {
                "soql": f"an extract is a table of plain fields, which {what} does not fit. Run it with "
                "SalesforceQueryOperator or hook.query()"
            },
            subject="the query",
        )
    if len(quote(soql, safe="")) > _LONGEST_QUERY:
        raise ConfigurationError(
            {
                "transport": "the query is too long for REST, which takes it in the URL; name fewer "
                "fields, or take 'bulk'"
            },
            subject="the task",
        )


def _named(schema: DescribedObject, fields: Sequence[str]) -> tuple[list[Column], list[str]]:
    columns, complaints = [], []
    for name in fields:
        found = _at_path(schema, name.split("."))
        if found is None:
            complaints.append(schema.unknown(name))
        elif found["type"] in NOT_IN_BULK:
            parts = [each["name"] for each in schema.fields if each.get("compoundFieldName") == found["name"]]
            instead = f"; select {', '.join(parts)} instead" if parts else ""
            complaints.append(f"{name} is of the type {found['type']}, which Bulk API 2.0 cannot return{instead}")
        else:
            path = name.split(".")
            columns.append(Column.from_describe(found, ".".join([*path[:-1], found["name"]])))
    return columns, complaints


def _at_path(schema: DescribedObject, path: Sequence[str]) -> dict[str, Any] | None:
    """The field at the end of a path such as ``Owner``, ``Name``, or None where there is none."""
    if len(path) == 1:
        return schema.field(path[0])
    reference = schema.reference(path[0])
    targets = reference["referenceTo"] if reference else []
    for target in targets:
        parent = schema.other(target)
        found = _at_path(parent, path[1:]) if parent is not None else None
        if found is not None:
            # Where the parent may be one of several objects, their fields of that name may differ.
            return found if len(targets) == 1 else {**found, "type": "string"}
    return None
