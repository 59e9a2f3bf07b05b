"""The ``columns=true`` answer: what a query's columns are, which the Salesforce CLI asks to head its tables."""

from __future__ import annotations

from typing import Any

from airflow_provider_sfjwt.testing.http.messages import Answer, json_answer
from airflow_provider_sfjwt.testing.soql.shape import Children, Compiled, Compound, Leaf, Node, Parent, Variants

_NAMES = {"datetime": "Datetime", "currency": "Double", "percent": "Double", "int": "Integer", "boolean": "Boolean"}
_NAMES |= {"double": "Double", "date": "Date", "id": "Id", "reference": "Id", "time": "Time"}


def columns_answer(compiled: Compiled) -> Answer:
    """Answer the columns of a query without running it."""
    return json_answer(
        {
            "columnMetadata": [_column(member) for member in compiled.row.members],
            "entityName": compiled.row.sobject.name,
            "groupBy": False,
            "idSelected": any(leaf.key == "Id" for leaf in compiled.leaves),
            "keyPrefix": compiled.row.sobject.key_prefix,
        }
    )


def _column(node: Node) -> dict[str, Any]:
    joined: list[dict[str, Any]] = []
    function, kind, custom = "", "String", node.key.endswith(("__c", "__r"))
    if isinstance(node, Leaf):
        kind, function = _NAMES.get(node.field.type, "String"), node.function
    elif isinstance(node, Children):
        kind, joined = "Aggregate", [_column(member) for member in node.compiled.row.members]
    elif isinstance(node, Parent):
        joined = [_column(member) for member in node.members]
    elif isinstance(node, Compound):
        kind = node.kind.title()
    elif isinstance(node, Variants):
        kind = "Name"
    return {
        "aggregate": bool(function) or isinstance(node, Children),
        "apexType": kind,
        "booleanType": kind == "Boolean",
        "columnName": node.key,
        "custom": custom,
        "displayName": function or node.key,
        "foreignKeyName": None,
        "insertable": True,
        "joinColumns": joined,
        "numberType": kind in ("Double", "Integer"),
        "textType": kind == "String",
        "updatable": True,
    }
