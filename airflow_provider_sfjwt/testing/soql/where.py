"""The conditions of a query as SQL."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from airflow_provider_sfjwt.testing.http.messages import RefusalError
from airflow_provider_sfjwt.testing.soql.columns import Column, Columns
from airflow_provider_sfjwt.testing.soql.context import Context
from airflow_provider_sfjwt.testing.soql.filters import Filters, Sql
from airflow_provider_sfjwt.testing.soql.tokens import soql_error
from airflow_provider_sfjwt.testing.soql.tree import (
    Among,
    Call,
    Comparison,
    Condition,
    Expression,
    Includes,
    Junction,
    Literal,
    Negation,
    Query,
    SemiJoin,
)

_MOST_SEMI_JOINS = 2
_NO_LITERAL = frozenset({"CONVERTCURRENCY", "FORMAT"})

#: Compiles the sub-query of a semi-join for the column that it is compared with.
SubSelect = Callable[[SemiJoin, Column], Sql]


class Conditions:
    """Compiles conditions.

    :param expressions: compiles a field or function that a condition names; refuses those that it may not name.
    """

    def __init__(
        self, context: Context, query: Query, columns: Columns, expressions: Callable[[Expression], Column]
    ) -> None:
        self._context = context
        self._text = query.text
        self._columns = columns
        self._expressions = expressions
        self._filters = Filters(query.text, context.calendar)

    def sql(self, condition: Condition, sub_select: SubSelect) -> Sql:
        """Return a condition as SQL.

        :raises RefusalError: as Salesforce words it.
        """
        if isinstance(condition, Comparison):
            return self._comparison(condition)
        if isinstance(condition, Among):
            column = self._expressions(condition.expression)
            return self._filters.among(column, condition.negated, condition.literals)
        if isinstance(condition, Includes):
            column = self._expressions(condition.path)
            return self._filters.includes(column, condition.negated, condition.literals)
        if isinstance(condition, SemiJoin):
            return sub_select(condition, self._expressions(condition.path))
        if isinstance(condition, Negation):
            sql, values = self.sql(condition.condition, sub_select)
            # SOQL knows true and false only; SQL's "unknown" must not survive a NOT.
            return f"NOT coalesce(({sql}), 0)", values
        parts = [self.sql(inner, sub_select) for inner in condition.conditions]
        joined = f" {condition.operator} ".join(sql for sql, _ in parts)
        return f"({joined})", [value for _, values in parts for value in values]

    def _comparison(self, condition: Comparison) -> Sql:
        left, literal = condition.expression, condition.literal
        if isinstance(left, Call) and left.function in _NO_LITERAL:
            raise soql_error(self._text, left.position, f"{left.text} is not allowed in a condition")
        if isinstance(left, Call) and literal.kind == "range" and not left.is_aggregate:
            message = f"{left.text}: a date function can not be compared with a date literal"
            raise soql_error(self._text, literal.position, message)
        column = self._expressions(left)
        if literal.kind == "currency" and column.field.type == "currency" and condition.operator != "LIKE":
            amount = self._amount(literal)
            return self._filters.amount(self._columns.converted(column), condition.operator, amount)
        return self._filters.comparison(column, condition.operator, literal)

    def _amount(self, literal: Literal) -> float:
        """Return a currency literal, ``USD5000``, in the user's currency.

        https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_querying_currency_fields.htm
        """
        rate = self._context.currency_rates.get(literal.text[:3])
        if rate is None:
            raise soql_error(self._text, literal.position, f"unknown currency: {literal.text[:3]}")
        return float(Decimal(literal.text[3:]) / Decimal(repr(float(rate))))


def check_semi_joins(condition: Condition, text: str) -> None:
    """Refuse semi-joins where Salesforce refuses them.

    https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_comparisonoperators.htm

    :raises RefusalError: MALFORMED_QUERY.
    """
    found = _semi_joins(condition)
    if len(found) > _MOST_SEMI_JOINS:
        raise _refused(text, found[_MOST_SEMI_JOINS], f"Maximum {_MOST_SEMI_JOINS} semi join sub-selects are allowed")
    if isinstance(condition, SemiJoin):
        return
    direct: list[SemiJoin] = []
    if isinstance(condition, Junction):
        direct = [inner for inner in condition.conditions if isinstance(inner, SemiJoin)]
        if direct and condition.operator == "OR":
            raise _refused(text, direct[0], "Semi join sub-selects are not allowed with the 'OR' operator")
    nested = [join for join in found if not any(join is known for known in direct)]
    if nested:
        message = "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE"
        raise _refused(text, nested[0], f"{message} expressions.")


def _semi_joins(condition: Condition) -> list[SemiJoin]:
    if isinstance(condition, SemiJoin):
        return [condition]
    if isinstance(condition, Negation):
        return _semi_joins(condition.condition)
    if isinstance(condition, Junction):
        return [join for inner in condition.conditions for join in _semi_joins(inner)]
    return []


def has_semi_join(condition: Condition | None) -> bool:
    """Whether a condition holds a semi-join."""
    return condition is not None and bool(_semi_joins(condition))


def _refused(text: str, join: SemiJoin, message: str) -> RefusalError:
    return soql_error(text, join.position, message)
