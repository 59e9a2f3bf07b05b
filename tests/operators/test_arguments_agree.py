"""The operator, the hook, the spec and the documentation name the same arguments, with the same defaults."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from airflow_provider_sfjwt.arguments import Spec
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.hooks.query import QuerySpec
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator
from airflow_provider_sfjwt.operators.query import SalesforceQueryOperator
from airflow_provider_sfjwt.operators.sync import SalesforcePartitionedExtract, SalesforceSyncGroup
from airflow_provider_sfjwt.sync.spec import SyncSpec
from airflow_provider_sfjwt.tasks.shared_extract import SharedSpec

DOCS = Path(__file__).parents[2] / "docs" / "operators"
REQUIRED = inspect.Parameter.empty
#: The arguments of every operator that the hook's constructor takes, and those for a task that defers.
OF_THE_CONNECTION, OF_A_TASK = {"salesforce_conn_id", "api_version"}, {"deferrable"}


class Task(NamedTuple):
    """Something to ask of Salesforce, in its four forms.

    :param operator: the operator's class.
    :param call: the hook's method.
    :param spec: the spec.
    :param page: of the documentation.
    :param operator_only: arguments that the hook's method does not have.
    :param call_only: arguments that the operator does not have.
    :param of_the_group: arguments of a task group, which the spec does not have.
    """

    operator: type[Any]
    call: Callable[..., Any]
    spec: type[Spec]
    page: str
    operator_only: set[str]
    call_only: set[str]
    of_the_group: frozenset[str] = frozenset()


TASKS = {
    "extract": Task(
        SalesforceExtractOperator,
        SalesforceJwtHook.extract,
        ExtractSpec,
        "extract_reference.md",
        OF_THE_CONNECTION | OF_A_TASK | {"incremental", "commit_lag", "list_parts", "emit_empty"},
        set(),
    ),
    "partitioned extract": Task(
        SalesforcePartitionedExtract,
        SalesforceJwtHook.extract,
        SharedSpec,
        "partitioned_extract.md",
        OF_THE_CONNECTION | OF_A_TASK | {"incremental", "commit_lag", "list_parts", "emit_empty", "shares"},
        {"transport"},
        frozenset({"group_id", "ranges", "inlets", "outlets"}),
    ),
    "query": Task(
        SalesforceQueryOperator, SalesforceJwtHook.query, QuerySpec, "query.md", OF_THE_CONNECTION | {"max_rows"}, set()
    ),
    "sync": Task(
        SalesforceSyncGroup,
        SalesforceJwtHook.sync,
        SyncSpec,
        "sync.md",
        OF_THE_CONNECTION | OF_A_TASK,
        set(),
        frozenset({"group_id", "asset_alias"}),
    ),
}
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())


def parameters(function: Callable[..., Any]) -> dict[str, Any]:
    """What a function takes, each with its default."""
    named = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in named if each.name != "self" and each.kind is not each.VAR_KEYWORD}


def arguments(spec: type[Spec]) -> dict[str, Any]:
    """The arguments of a spec, each with its default."""
    return {
        each.name: REQUIRED if each.default is dataclasses.MISSING else each.default
        for each in dataclasses.fields(spec)
        if "check" in each.metadata
    }


def documented(page: str) -> dict[str, str]:
    """The default of each argument, as the first table of a page shows it."""
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| argument | default |")) + 2
    shown = {}
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        name, default = (cell.strip().strip("`") for cell in line.split("|")[1:3])
        shown[name] = default
    return shown


@every_task
def test_the_operator_takes_what_the_spec_has(task: Task) -> None:
    of_operator, of_spec = parameters(task.operator.__init__), arguments(task.spec)
    assert of_operator.keys() - task.of_the_group == of_spec.keys() - task.call_only
    assert all(of_operator[name] == of_spec[name] for name in of_operator if name not in task.of_the_group)


@every_task
def test_the_hook_takes_what_the_spec_has(task: Task) -> None:
    of_call, of_spec = parameters(task.call), arguments(task.spec)
    assert of_call.keys() == of_spec.keys() - task.operator_only
    assert {name: of_call[name] for name in of_call} == {name: of_spec[name] for name in of_call}


@every_task
def test_the_documentation_lists_them_in_the_order_of_the_operator(task: Task) -> None:
    shown, of_operator = documented(task.page), parameters(task.operator.__init__)
    assert list(shown) == list(of_operator)
    for name, default in of_operator.items():
        if name == "deferrable":
            assert shown[name] == "[operators] default_deferrable"
        elif not shown[name]:  # required, or required unless another one is given
            assert default in (REQUIRED, None), name
        else:
            text = shown[name]
            assert default == (text if name == "salesforce_conn_id" else ast.literal_eval(text)), name


@every_task
def test_each_argument_is_explained_where_it_is_given(task: Task) -> None:
    for name in parameters(task.operator.__init__):
        assert f":param {name}:" in (task.operator.__doc__ or ""), name
