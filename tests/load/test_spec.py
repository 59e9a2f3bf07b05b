from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.load.ledger_content import content_of, is_content
from airflow_provider_sfjwt.load.spec import LoadSpec
from airflow_provider_sfjwt.operators.load import SalesforceLoadOperator
from tests.repository import REPOSITORY

#: Of the task that uses the hook, or of the hook itself.
NOT_OF_THE_HOOK = {"deferrable", "salesforce_conn_id", "api_version"}
SPEC: Any = LoadSpec(sobject="Account", operation="upsert", source=[], external_id_field="Key__c")
#: Another value of each argument that decides what is done with a row.
OTHERS: dict[str, Any] = {
    "sobject": "Contact",
    "operation": "update",
    "external_id_field": "Other__c",
    "assignment_rule_id": "01Q000000000001",
}


def arguments_of(spec: Any) -> dict[str, Any]:
    """The arguments and their defaults."""
    found = fields(spec)
    return {each.name: each.default for each in found if "check" in each.metadata}


def parameters(function: Any) -> Mapping[str, Any]:
    """The keyword-only parameters and their defaults."""
    signature = inspect.signature(function).parameters.values()
    found = {each.name: each.default for each in signature if each.kind is each.KEYWORD_ONLY}
    return {name: MISSING if default is inspect.Parameter.empty else default for name, default in found.items()}


def test_operator_hook_spec_and_documentation_have_the_same_arguments_with_the_same_defaults() -> None:
    asked = arguments_of(LoadSpec)
    assert parameters(SalesforceLoadOperator.__init__) == asked
    assert parameters(SalesforceJwtHook.load) == {
        name: default for name, default in asked.items() if name not in NOT_OF_THE_HOOK
    }
    text = (REPOSITORY / "docs/operators/load_reference.md").read_text(encoding="utf-8")
    table = text.partition("## Arguments")[2].partition("##")[0]
    rows = re.findall(r"^\| `(\w+)` \| (?:`([^`]+)`)? ?\|", table, re.MULTILINE)
    documented = {name: default.strip('"').replace("_", "") for name, default in rows}
    shown = {name: "" if default is MISSING else str(default).replace("_", "") for name, default in asked.items()}
    assert documented == {**shown, "deferrable": "[operators] defaultdeferrable"}


def test_the_operator_has_each_argument_and_fills_the_spec_with_it() -> None:
    given = {name: f"given {name}" for name in arguments_of(LoadSpec)}
    operator = SalesforceLoadOperator(task_id="load", **given)  # type: ignore[arg-type]
    assert {name: getattr(operator.spec(), name) for name in given} == given
    assert isinstance(operator, BaseOperator)
    assert callable(operator.dry_run)  # Airflow's own method stays


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_done_with_the_rows_changes_the_content_of_a_part(name: str) -> None:
    written = content_of("abc", SPEC)
    assert is_content(written, "abc", SPEC)
    assert not is_content(written, "abd", SPEC)
    assert not is_content(written, "abc", replace(SPEC, **{name: OTHERS[name]}))


@pytest.mark.parametrize("name", sorted(set(arguments_of(LoadSpec)) - set(OTHERS)))
def test_every_other_argument_leaves_it_as_it_is(name: str) -> None:
    assert is_content(content_of("abc", SPEC), "abc", replace(SPEC, **{name: "other"}))


@pytest.mark.parametrize(
    ("change", "name", "says"),
    [
        ({"external_id_field": None}, "external_id_field", "is missing; upsert matches rows by it, e.g. Ext__c"),
        ({"operation": "insert"}, "external_id_field", "goes with upsert alone, and the operation is insert"),
        (
            {"operation": "hard_delete", "external_id_field": None, "transport": "rest"},
            "transport",
            "'rest' has no hardDelete; take 'bulk'",
        ),
        ({"operation": "merge"}, "operation", "'merge' is not one of insert, update, upsert, delete, hardDelete"),
        (
            {"null_policy": "none"},
            "null_policy",
            "'none' is neither 'ignore' (leave the field as it is) nor 'clear' (empty it)",
        ),
    ],
)
def test_what_does_not_go_together_is_named(change: dict[str, Any], name: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        replace(SPEC, **change).check()
    assert refused.value.fields == {name: says}


@pytest.mark.parametrize(
    ("limits", "lost", "tolerated"),
    [
        ({}, 0, True),
        ({}, 1, False),
        ({"max_failed_records": 2}, 2, True),
        ({"max_failed_records": 2}, 3, False),
        ({"max_failed_ratio": 0.1}, 10, True),
        ({"max_failed_ratio": 0.1}, 11, False),
        ({"max_failed_ratio": 0.1, "max_failed_records": 20}, 20, True),
    ],
)
def test_failed_rows_are_tolerated_within_the_larger_limit(limits: dict[str, Any], lost: int, tolerated: bool) -> None:
    assert replace(SPEC, **limits).tolerates(lost, 100) is tolerated
