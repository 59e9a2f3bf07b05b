"""Fields and functions in a query, and the literals that they are compared with."""

from __future__ import annotations

import re

from airflow_provider_sfjwt.testing.http.messages import unsupported
from airflow_provider_sfjwt.testing.soql.cursor import Cursor
from airflow_provider_sfjwt.testing.soql.date_literals import is_date_literal, looks_like_date_literal, takes_number
from airflow_provider_sfjwt.testing.soql.tokens import unescaped
from airflow_provider_sfjwt.testing.soql.tree import AGGREGATES, Call, Expression, Literal

DATE_FUNCTIONS = frozenset(
    {
        "CALENDAR_MONTH",
        "CALENDAR_QUARTER",
        "CALENDAR_YEAR",
        "DAY_IN_MONTH",
        "DAY_IN_WEEK",
        "DAY_IN_YEAR",
        "DAY_ONLY",
        "FISCAL_MONTH",
        "FISCAL_QUARTER",
        "FISCAL_YEAR",
        "HOUR_IN_DAY",
        "WEEK_IN_MONTH",
        "WEEK_IN_YEAR",
    }
)
FORMATS = frozenset({"TOLABEL", "FORMAT", "CONVERTCURRENCY"})
_FUNCTIONS = AGGREGATES | DATE_FUNCTIONS | FORMATS | {"CONVERTTIMEZONE"}
_CURRENCY = re.compile(r"([A-Z]{3})(\d+(?:\.\d+)?)")


def expression(cursor: Cursor) -> Expression:
    """Take a field or a function.

    :raises RefusalError: NOT_IN_SIMULATOR for a function that is not known here.
    """
    if not cursor.calls:
        return cursor.path()
    token = cursor.take()
    if token.word not in _FUNCTIONS:
        raise unsupported(f"the function {token.text}()")
    cursor.expect("(")
    cursor.deeper()
    argument = None if token.word == "COUNT" and cursor.next.word == ")" else expression(cursor)
    cursor.back()
    cursor.expect(")")
    return Call(token.word, argument, token.position)


def literals(cursor: Cursor) -> tuple[Literal, ...]:
    """Take literals in parentheses, of which the first is taken already."""
    found = [literal(cursor)]
    while cursor.took(","):
        found.append(literal(cursor))
    cursor.expect(")")
    return tuple(found)


def literal(cursor: Cursor) -> Literal:
    """Take a literal.

    :raises RefusalError: NOT_IN_SIMULATOR for what looks like a date literal and is not known here.
    """
    token = cursor.take()
    if token.kind == "string":
        return Literal("string", unescaped(token, cursor.text), token.position)
    if token.kind in ("number", "date", "datetime", "time"):
        return Literal(token.kind, token.text, token.position)
    if token.word in ("TRUE", "FALSE"):
        return Literal("boolean", token.word, token.position)
    if token.word == "NULL":
        return Literal("null", "", token.position)
    if token.kind in ("name", "currency") and _CURRENCY.fullmatch(token.text.upper()):
        return Literal("currency", token.text.upper(), token.position)
    if takes_number(token.word):
        cursor.expect(":")
        return Literal("range", f"{token.word}:{cursor.number()}", token.position)
    if is_date_literal(token.word):
        return Literal("range", token.word, token.position)
    if token.kind == "name" and looks_like_date_literal(token.word):
        raise unsupported(f"the date literal {token.text}")
    raise cursor.unexpected(token)
