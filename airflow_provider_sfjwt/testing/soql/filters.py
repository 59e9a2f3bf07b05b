"""One comparison of SOQL as SQL: literals checked against the field's type as Salesforce checks them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.record_ids import canonical_id
from airflow_provider_sfjwt.testing.data.values import Stored, moment_text
from airflow_provider_sfjwt.testing.http.messages import RefusalError
from airflow_provider_sfjwt.testing.soql.tokens import soql_error
from airflow_provider_sfjwt.testing.soql.tree import Literal

Sql = tuple[str, list[Stored]]
_NUMBERS = {"int", "double", "currency", "percent"}
_NAMES = {"int": "int", "datetime": "dateTime", "id": "string", "reference": "string"}
_INT64 = 2**63
_DAY = timedelta(days=1)


class Filters:
    """Compiles conditions on single columns.

    :param text: the query, for error messages.
    :param now: what TODAY and its like count from; UTC.
    """

    def __init__(self, text: str, now: datetime) -> None:
        self._text = text
        self._today = now.astimezone(timezone.utc).date()

    def comparison(self, column: str, field: Field, operator: str, literal: Literal) -> Sql:
        """Return ``column operator literal`` as SQL.

        :param column: as SQL names it.
        :raises RefusalError: where the literal or the operator does not fit the field's type.
        """
        if literal.kind == "range":
            return self._range(column, field, operator, literal)
        value = self.value(field, literal)
        if value is None:
            if operator not in ("=", "!="):
                raise self._operator_error(field, literal)
            return (f"{column} IS NULL" if operator == "=" else f"{column} IS NOT NULL"), []
        if operator == "LIKE":
            if field.type in _NUMBERS | {"boolean", "date", "datetime", "time", "id", "reference", "multipicklist"}:
                raise self._operator_error(field, literal)
            pattern = re.sub(r"\\(?![%_])", r"\\\\", str(value))
            return f"{column} LIKE ? ESCAPE '\\'", [pattern]
        if operator not in ("=", "!=") and field.type in ("boolean", "multipicklist"):
            raise self._operator_error(field, literal)
        # A row whose field is null is unequal to every value.
        return f"{column} {'IS NOT' if operator == '!=' else operator} ?", [value]

    def among(self, column: str, field: Field, negated: bool, literals: tuple[Literal, ...]) -> Sql:
        """Return ``column [NOT] IN (literals)`` as SQL; null among them means the rows without a value."""
        for literal in literals:
            if literal.kind == "range":
                raise soql_error(self._text, literal.position, "date literals are not allowed in a list of values")
        values = [self.value(field, literal) for literal in literals]
        present: list[Stored] = [value for value in values if value is not None]
        sql = f"coalesce({column} IN ({', '.join('?' * len(present))}), 0)"
        if len(present) < len(values):
            sql = f"({sql} OR {column} IS NULL)"
        return (f"NOT {sql}" if negated else sql), present

    def value(self, field: Field, literal: Literal) -> Stored:
        """Return a literal as the column keeps it.

        :raises RefusalError: where its kind does not fit the field's type.
        """
        if literal.kind == "null":
            return 0 if field.type == "boolean" else None
        if field.type == "boolean" and literal.kind == "boolean":
            return int(literal.text == "TRUE")
        if field.type in _NUMBERS and literal.kind == "number":
            number = Decimal(literal.text).scaleb(field.scale if field.is_scaled else 0)
            whole = number.adjusted() < 19 and number == int(number) and abs(number) < _INT64
            return int(number) if whole else float(number)
        if field.type == "datetime" and literal.kind == "datetime":
            return self._moment(literal)
        if field.type == "date" and literal.kind == "date":
            return self._checked(literal, lambda text: date.fromisoformat(text).isoformat())
        quoted = field.type not in _NUMBERS | {"boolean", "date", "datetime", "time"}
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

    def _moment(self, literal: Literal) -> str:
        def normalised(text: str) -> str:
            match = re.fullmatch(r"(.{19})(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)", text.upper())
            if match is None:
                raise ValueError("no date and time")
            zone = "+00:00" if match[3] == "Z" else f"{match[3][:3]}:{match[3][-2:]}"
            return moment_text(datetime.fromisoformat(f"{match[1]}.{(match[2] or '0'):0<6}{zone}"))

        return self._checked(literal, normalised)

    def _checked(self, literal: Literal, convert: Callable[[str], str]) -> str:
        try:
            return convert(literal.text)
        except (ValueError, OverflowError):
            message = f"line 1:{literal.position} Invalid date or datetime: {literal.text}"
            raise soql_error(self._text, literal.position, message) from None

    def _range(self, column: str, field: Field, operator: str, literal: Literal) -> Sql:
        """Compare with a span of days.

        https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_dateformats.htm
        """
        if field.type not in ("date", "datetime") or operator == "LIKE":
            raise self._operator_error(field, literal)
        first, after = self._span(literal)
        low: Stored = first.isoformat()
        high: Stored = after.isoformat()
        if field.type == "datetime":
            low, high = f"{low}T00:00:00.000Z", f"{high}T00:00:00.000Z"
        within = f"({column} >= ? AND {column} < ?)"
        if operator == "=":
            return within, [low, high]
        if operator == "!=":
            return f"NOT coalesce({within}, 0)", [low, high]
        return {
            "<": (f"{column} < ?", [low]),
            "<=": (f"{column} < ?", [high]),
            ">": (f"{column} >= ?", [high]),
            ">=": (f"{column} >= ?", [low]),
        }[operator]

    def _span(self, literal: Literal) -> tuple[date, date]:
        word, _, count = literal.text.partition(":")
        shift = {"TODAY": 0, "YESTERDAY": -1, "TOMORROW": 1}
        try:
            if word in shift:
                first = self._today + shift[word] * _DAY
                return first, first + _DAY
            if word == "LAST_N_DAYS":
                return self._today - int(count) * _DAY, self._today + _DAY
            return self._today + _DAY, self._today + (int(count) + 1) * _DAY
        except OverflowError:
            raise soql_error(self._text, literal.position, f"Invalid date literal: {literal.text}") from None

    def _operator_error(self, field: Field, literal: Literal) -> RefusalError:
        message = f"invalid operator on {field.type} field"
        return soql_error(self._text, literal.position, message, "INVALID_QUERY_FILTER_OPERATOR")
