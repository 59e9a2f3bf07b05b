"""What is waited for with a query: enough rows, and a condition on the first one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import OrgSpec, argument
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.api.query import QueryPage, first_page
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.wire.flow import Flow

#: A function of the first row that returns whether it is as it should be.
Condition = Callable[[dict[str, Any]], bool]


def function_or_its_path(value: Any) -> str | None:
    """A function, or the dotted path of one.

    :param value: what was given.
    """
    if callable(value):
        return None
    fault = arguments.name(value)
    if fault is None and "." not in value:
        fault = f"'{value}' is not the dotted path of a function, such as my_company.checks.is_closed"
    return fault


@dataclass(frozen=True, kw_only=True)
class AwaitedRows(OrgSpec):
    """What a query must bring until a sensor succeeds.

    :param soql: the query.
    :param include_deleted: whether rows in the recycle bin and archived activities count too.
    :param at_least: how many rows the query must have; of ``SELECT COUNT()``, its count.
    :param condition: on the first row as well, or None: a function, or its dotted path.
    """

    soql: str = argument(arguments.name)
    include_deleted: bool = argument(arguments.flag, default=False)
    at_least: int = argument(arguments.whole_number(1), default=1)
    condition: Condition | str | None = argument(arguments.optional(function_or_its_path), default=None)

    def rows(self, session: Session) -> Flow[int | None]:
        """Run the query, and look at its first page alone.

        :param session: the conversation.
        :return: how many rows it has, or None where they are too few or the first one does not meet the condition.
        """
        page = yield from first_page(session, self.soql, include_deleted=self.include_deleted)
        return self._rows(page)

    def _rows(self, page: QueryPage) -> int | None:
        rows = len(page.records) if page.total_size is None else page.total_size
        if rows < self.at_least:
            return None
        if self.condition is not None and not (page.records and _function(self.condition)(page.records[0])):
            return None
        return rows


def path_of(condition: Condition | str | None) -> str | None:
    """The dotted path by which another process imports a condition.

    :param condition: the function, or its path.
    :raises ConfigurationError: for a function that the triggerer cannot import: a lambda, one within another function,
        or one of a DAG file, whose module has another name in each process.
    """
    if condition is None or isinstance(condition, str):
        return condition
    module, name = getattr(condition, "__module__", ""), getattr(condition, "__qualname__", "")
    importable = getattr(sys.modules.get(module), name, None) is condition
    if not importable or module == "__main__" or module.startswith("unusual_prefix_"):
        raise ConfigurationError(
            {
                "condition": "is a function that the triggerer cannot import. Put it into a module of its own beside "
                "your DAGs and give its dotted path, e.g. 'my_company.checks.is_closed', or set deferrable=False"
            },
            subject="the task",
        )
    return f"{module}.{name}"


def _function(condition: Condition | str) -> Condition:
    """The function of a condition.

    :raises ConfigurationError: when there is none at its path.
    """
    if not isinstance(condition, str):
        return condition
    module, _, name = condition.rpartition(".")
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError) as fault:
        raise ConfigurationError(
            {"condition": f"cannot be imported from '{condition}': {fault}"}, subject="the task"
        ) from None
    if not callable(function):
        raise ConfigurationError({"condition": f"'{condition}' is not a function"}, subject="the task")
    found: Condition = function
    return found
