"""One comparison of SOQL as SQL: literals checked against the field's type as Salesforce checks them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.record_ids import canonical_id
from airflow_provider_sfjwt.testing.data.values import Stored, moment_text
from airflow_provider_sfjwt.testing.http.messages import RefusalError, unsupported
from airflow_provider_sfjwt.testing.soql.columns import Column
from airflow_provider_sfjwt.testing.soql.date_literals import Calendar, stored_bound
from airflow_provider_sfjwt.testing.soql.tokens import soql_error
from airflow_provider_sfjwt.testing.soql.tree import Literal

Sql = tuple[str, list[Stored]]
_UNQUOTED = frozenset({"int", "long", "double", "currency", "percent", "boolean", "date", "datetime", "time"})
_NO_PATTERN = _UNQUOTED | {"id", "reference", "multipicklist"}
_NAMES = {"int": "int", "datetime": "dateTime", "id": "string", "reference": "string"}
_INT64 = 2**63


class Filters:
    """Compiles conditions on single columns.

    :param text: the query, for error messages.
    :param calendar: what TODAY and its like count from.
    """

    def __init__(self, text: str, calendar: Calendar) -> None:
        self._text = text
        self._calendar = calendar

    def comparison(self, column: Column, operator: str, literal: Literal) -> Sql:
        """Return ``column operator literal`` as SQL.

        :raises RefusalError: where the literal or the operator does not fit the field's type.
        """
        field = column.field
        if literal.kind == "range":
            return self._range(column, operator, literal)
        value = self.value(field, literal)
        if value is None:
            if operator not in ("=", "!="):
                raise self._operator_error(field, literal)
            return (f"{column.sql} IS NULL" if operator == "=" else f"{column.sql} IS NOT NULL"), []
        if operator == "LIKE":
            if field.type in _NO_PATTERN:
                raise self._operator_error(field, literal)
            pattern = re.sub(r"\\(?![%_])", r"\\\\", str(value))
            return f"{column.sql} LIKE ? ESCAPE '\\'", [pattern]
        if operator not in ("=", "!=") and field.type in ("boolean", "multipicklist"):
            raise self._operator_error(field, literal)
        # A row whose field is null is unequal to every value.
        return f"{column.ordered} {'IS NOT' if operator == '!=' else operator} ?", [value]

    def amount(self, converted: str, operator: str, amount: float) -> Sql:
        """Return the comparison of an amount in the user's currency with another."""
        return f"CAST({converted} AS REAL) {'IS NOT' if operator == '!=' else operator} ?", [amount]

    def among(self, column: Column, negated: bool, literals: tuple[Literal, ...]) -> Sql:
        """Return ``column [NOT] IN (literals)`` as SQL; null among them means the rows without a value."""
        for literal in literals:
            if literal.kind == "range":
                raise unsupported("date literals in a list of values")
        values = [self.value(column.field, literal) for literal in literals]
        present: list[Stored] = [value for value in values if value is not None]
        sql = f"coalesce({column.ordered} IN ({', '.join('?' * len(present))}), 0)"
        if len(present) < len(values):
            sql = f"({sql} OR {column.sql} IS NULL)"
        return (f"NOT {sql}" if negated else sql), present

    def includes(self, column: Column, negated: bool, literals: tuple[Literal, ...]) -> Sql:
        """Return ``column INCLUDES (literals)`` as SQL: all parts of any literal; negated: EXCLUDES.

        https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_querying_multiselect_picklists.htm
        """
        field = column.field
        if field.type != "multipicklist":
            raise self._operator_error(field, literals[0])
        parameters: list[Stored] = []
        choices = []
        for literal in literals:
            value = self.value(field, literal)
            parts = str(value or "").split(";")
            parameters += [f";{part};" for part in parts]
            choices.append(" AND ".join([f"instr(';' || {column.sql} || ';', ?) > 0"] * len(parts)))
        sql = f"coalesce(({') OR ('.join(choices)}), 0)"
        # No source says what becomes of rows without a value: here they exclude everything.
        return (f"NOT {sql}" if negated else sql), parameters

    def value(self, field: Field, literal: Literal) -> Stored:
        """Return a literal as the column compares it.

        :raises RefusalError: where its kind does not fit the field's type.
        """
        if literal.kind == "null":
            return 0 if field.type == "boolean" else None
        if field.type == "boolean" and literal.kind == "boolean":
            return int(literal.text == "TRUE")
        if field.is_number and literal.kind == "number":
            number = Decimal(literal.text)
            whole = number.adjusted() < 19 and number == int(number) and abs(number) < _INT64
            return int(number) if whole else float(number)
        if field.type == literal.kind and field.type in ("date", "datetime", "time"):
            return self._checked(literal, {"date": _date, "datetime": _moment, "time": _time}[field.type])
        quoted = field.type not in _UNQUOTED
        if not quoted or literal.kind != "string":
            name = _NAMES.get(field.type, field.type if not quoted else "string")
            should = "should be enclosed in quotes" if quoted else "should not be enclosed in quotes"
            message = f"value of filter criterion for field '{field.name}' must be of type {name} and {should}"
            raise soql_error(self._text, literal.position, message, "INVALID_FIELD")
        if field.type in ("id", "reference") and literal.text:
            return self._id(literal)
        return literal.text or None

    def _id(self, literal: Literal) -> str:
        found = canonical_id(literal.text)
        if found is None:
            message = f"invalid ID field: {literal.text}"
            raise soql_error(self._text, literal.position, message, "INVALID_QUERY_FILTER_OPERATOR")
        return found

    def _checked(self, literal: Literal, convert: Callable[[str], str]) -> str:
        try:
            return convert(literal.text)
        except (ValueError, OverflowError):
            message = f"line 1:{literal.position} Invalid date or datetime: {literal.text}"
            raise soql_error(self._text, literal.position, message) from None

    def _range(self, column: Column, operator: str, literal: Literal) -> Sql:
        """Compare with the span of a date literal."""
        field = column.field
        if field.type not in ("date", "datetime") or operator == "LIKE":
            raise self._operator_error(field, literal)
        try:
            first, after = self._calendar.span(literal.text)
            low: Stored = stored_bound(first, field.type)
            high: Stored = stored_bound(after, field.type)
        except (OverflowError, ValueError):
            raise soql_error(self._text, literal.position, f"Invalid date literal: {literal.text}") from None
        sql = column.sql
        within = f"({sql} >= ? AND {sql} < ?)"
        if operator == "=":
            return within, [low, high]
        if operator == "!=":
            return f"NOT coalesce({within}, 0)", [low, high]
        return {
            "<": (f"{sql} < ?", [low]),
            "<=": (f"{sql} < ?", [high]),
            ">": (f"{sql} >= ?", [high]),
            ">=": (f"{sql} >= ?", [low]),
        }[operator]

    def _operator_error(self, field: Field, literal: Literal) -> RefusalError:
        message = f"invalid operator on {field.type} field"
        return soql_error(self._text, literal.position, message, "INVALID_QUERY_FILTER_OPERATOR")


def _date(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _moment(text: str) -> str:
    match = re.fullmatch(r"(.{19})(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)", text.upper())
    if match is None:
        raise ValueError("no date and time")
    zone = "+00:00" if match[3] == "Z" else f"{match[3][:3]}:{match[3][-2:]}"
    return moment_text(datetime.fromisoformat(f"{match[1]}.{(match[2] or '0'):0<6}{zone}"))


def _time(text: str) -> str:
    whole, _, fraction = text.upper().removesuffix("Z").partition(".")
    return f"{time.fromisoformat(whole):%H:%M:%S}.{fraction:0<3}Z"
