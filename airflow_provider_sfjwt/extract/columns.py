"""Which columns an extract has, and of which Salesforce types, asked of the org."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.salesforce.api import soql as soql_text
from airflow_provider_sfjwt.salesforce.api.bulk_query import NOT_IN_BULK
from airflow_provider_sfjwt.salesforce.api.soql import Selected
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.org.described_object import DescribedObject

#: The type of a column of which no type is known: Salesforce's own for values of differing types.
UNKNOWN_TYPE = "anyType"
#: Functions whose value is text for people.
_TO_TEXT = frozenset({"tolabel", "format"})
#: The object that has the fields which a lookup of several objects shows.
#: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_name.htm
_SHARED_FIELDS = "Name"
#: How many objects of such a lookup are described when Name lacks the field. A task's What may be any of over 100.
_MOST_TARGETS = 3


def columns_of_sobject(
    schema: DescribedObject, fields: Sequence[str] | None, cursor_field: str | None
) -> tuple[Column, ...]:
    """The columns of an object's extract.

    :param schema: the object.
    :param fields: what to select, parents' fields as ``Owner.Name``; None for every field that Bulk API 2.0 can return.
    :param cursor_field: a date-time field that must be there, or None.
    :return: in order.
    :raises ConfigurationError: naming every field that is unknown, cannot be returned, or is no date-time.
    """
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
    return tuple(columns)


def columns_of_query(org: ConnectedOrg, soql: str) -> tuple[Column, ...]:
    """The columns of a query, named as its rows name them. Salesforce judges the query, not this.

    A column has the type ``anyType`` where its type is unknown: the object may not be described, the parent may be one
    of several objects, or the value is computed.

    :param org: where the query runs.
    :param soql: the query.
    :raises ConfigurationError: when two columns would have the same name.
    """
    sobject = soql_text.sobject_of(soql)
    if sobject is None:
        return ()
    try:
        schema = DescribedObject(org, sobject)
    except ConfigurationError:  # Salesforce says what is wrong, if anything is
        schema = None
    aliases = soql_text.aliases(soql)
    columns = tuple(_selected_column(schema, aliases, each) for each in soql_text.selected(soql))
    if twice := repeated_names(columns):
        raise ConfigurationError(
            {"soql": f"two columns would be named {twice[0]}. Select the field once, or give one an alias"},
            subject="the query",
        )
    return columns


def repeated_names(columns: Sequence[Column]) -> list[str]:
    """The names that more than one column has. Readers of the files take upper and lower case for the same.

    :param columns: of a table.
    """
    times = Counter(each.name.lower() for each in columns)
    return [each.name for each in columns if times[each.name.lower()] > 1]


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


def _named(schema: DescribedObject, fields: Sequence[str]) -> tuple[list[Column], list[str]]:
    columns, complaints = [], []
    for name in fields:
        found = _at_path(schema, name.split("."))
        if found is None:
            complaints.append(schema.unknown(name))
        elif found.field["type"] in NOT_IN_BULK:
            parts = [each["name"] for each in schema.fields if each.get("compoundFieldName") == found.field["name"]]
            instead = f"; select {', '.join(parts)} instead" if parts else ""
            if found.field["type"] == "base64":
                body = f"hook.request('GET', 'sobjects/{schema.name}/<Id>/{name}')"
                instead = f"; extract the Ids, and fetch each file with {body}"
            complaints.append(f"{name} is of the type {found.field['type']}, which Bulk API 2.0 cannot return{instead}")
        else:
            columns.append(Column.from_describe(found.field, found.path))
    return columns, complaints


def _selected_column(
    schema: DescribedObject | None, aliases: Mapping[str, tuple[str, ...]], selected: Selected
) -> Column:
    """The column of what a query selects."""
    if selected.path is None:
        return Column(selected.key, UNKNOWN_TYPE)
    path = selected.path.split(".")
    is_relationship = schema is not None and schema.reference(path[0]) is not None
    if len(path) > 1 and not is_relationship and path[0].lower() in aliases:
        # The rows do not show aliases: a field of theirs stands where the relationships lead.
        path = [*aliases[path[0].lower()], *path[1:]]
    found = _at_path(schema, path) if schema is not None else None
    spelled = found.path if found else ".".join(path)
    name = spelled if selected.key == selected.path else selected.key
    if selected.function in _TO_TEXT:
        return Column(name)
    return Column.from_describe(found.field, name) if found else Column(name, UNKNOWN_TYPE)


class _Found(NamedTuple):
    """A field that a path leads to.

    :param path: as Salesforce spells it.
    :param field: its description.
    """

    path: str
    field: dict[str, Any]


def _at_path(schema: DescribedObject, path: Sequence[str]) -> _Found | None:
    """The field at the end of a path such as ``Owner``, ``Name``, or None where there is none."""
    first, *rest = path
    if not rest:
        field = schema.field(first)
        return _Found(field["name"], field) if field else None
    reference = schema.reference(first)
    if reference is None:
        return None
    targets = reference["referenceTo"]
    several = len(targets) > 1
    # A path through a lookup of several objects leads to the object Name, which has the fields that they share.
    # https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_relationships_and_polymorph_keys.htm
    for target in [_SHARED_FIELDS, *targets[:_MOST_TARGETS]] if several else targets:
        parent = schema.other(target)
        found = _at_path(parent, rest) if parent is not None else None
        if found is not None:
            field = found.field
            if several and target != _SHARED_FIELDS:  # the others' fields of that name may differ
                field = {**field, "type": UNKNOWN_TYPE}
            return _Found(f"{reference['relationshipName']}.{found.path}", field)
    return None
