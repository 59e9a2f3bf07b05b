"""The conditions of WHERE and HAVING."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_sfjwt.testing.soql.cursor import Cursor
from airflow_provider_sfjwt.testing.soql.expressions import expression, literal, literals
from airflow_provider_sfjwt.testing.soql.tokens import soql_error
from airflow_provider_sfjwt.testing.soql.tree import (
    Among,
    Comparison,
    Condition,
    Expression,
    Includes,
    Junction,
    Negation,
    Path,
    Query,
    SemiJoin,
)

_OPERATORS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "LIKE": "LIKE"}


def conditions(cursor: Cursor, query: Callable[[], Query]) -> Condition:
    """Take conditions that are joined by AND or by OR.

    :param query: takes a query, for semi-joins.
    :raises RefusalError: for both without parentheses: SOQL has no precedence between them.
    """
    cursor.deeper()
    found = [_condition(cursor, query)]
    operator = cursor.next.word
    while cursor.next.word in ("AND", "OR"):
        if cursor.next.word != operator:
            raise cursor.unexpected(cursor.next)
        cursor.take()
        found.append(_condition(cursor, query))
    cursor.back()
    return found[0] if len(found) == 1 else Junction(operator, tuple(found))


def _condition(cursor: Cursor, query: Callable[[], Query]) -> Condition:
    if cursor.took("NOT"):
        cursor.deeper()
        negation = Negation(_condition(cursor, query))
        cursor.back()
        return negation
    if cursor.took("("):
        inner = conditions(cursor, query)
        cursor.expect(")")
        return inner
    left = expression(cursor)
    negated = cursor.took("NOT")
    if negated or cursor.next.word == "IN":
        cursor.expect("IN")
        return _among(cursor, left, negated, query)
    token = cursor.take()
    if token.word in ("INCLUDES", "EXCLUDES"):
        cursor.expect("(")
        return Includes(_plain(cursor, left), token.word == "EXCLUDES", literals(cursor))
    if token.word not in _OPERATORS:
        raise cursor.unexpected(token)
    return Comparison(left, _OPERATORS[token.word], literal(cursor))


def _among(cursor: Cursor, left: Expression, negated: bool, query: Callable[[], Query]) -> Condition:
    cursor.expect("(")
    if cursor.next.word != "SELECT":
        return Among(left, negated, literals(cursor))
    position = cursor.next.position
    cursor.deeper()
    inner = query()
    cursor.back()
    cursor.expect(")")
    return SemiJoin(_plain(cursor, left), negated, inner, position)


def _plain(cursor: Cursor, left: Expression) -> Path:
    if isinstance(left, Path):
        return left
    raise soql_error(cursor.text, left.position, f"{left.text}: a field is expected here")
