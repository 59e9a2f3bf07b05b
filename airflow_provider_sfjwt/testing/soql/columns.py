"""Fields and functions of a query as SQL."""

from __future__ import annotations

import json
from dataclasses import dataclass

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.store import quoted
from airflow_provider_sfjwt.testing.http.messages import RefusalError
from airflow_provider_sfjwt.testing.soql.context import Context
from airflow_provider_sfjwt.testing.soql.expressions import DATE_FUNCTIONS
from airflow_provider_sfjwt.testing.soql.joins import Joins
from airflow_provider_sfjwt.testing.soql.tokens import soql_error
from airflow_provider_sfjwt.testing.soql.tree import AGGREGATES, Call, Expression, Path

_NUMBERED = {"COUNT": "count({})", "COUNT_DISTINCT": "count(DISTINCT {})"}
_BY_BYTES = frozenset({"id", "reference", "boolean", "int", "long", "date", "datetime", "time"})
_PICKLISTS = frozenset({"picklist", "multipicklist", "combobox"})
_FORMATTED = frozenset({"int", "long", "double", "currency", "percent", "date", "datetime", "time"})


def text_literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class Column:
    """A value as SQL computes it, and the field that says what it is."""

    sql: str
    field: Field

    @property
    def ordered(self) -> str:
        """The SQL that compares and sorts: fractional numbers are stored as text, and texts compare without case."""
        if self.field.is_fractional:
            return f"CAST({self.sql} AS REAL)"
        return self.sql if self.field.type in _BY_BYTES else f"{self.sql} COLLATE NOCASE"


class Columns:
    """Compiles expressions.

    :param text: the query, for error messages.
    """

    def __init__(self, context: Context, joins: Joins, text: str) -> None:
        self._context = context
        self._joins = joins
        self._text = text

    def of(self, expression: Expression, needs: str = "", verb: str = "") -> Column:
        """Return an expression as SQL.

        :param needs: property that the field must have, such as ``filterable``.
        :param verb: what the query wants to do with it, such as ``filtered``.
        :raises RefusalError: as Salesforce words it.
        """
        if isinstance(expression, Path):
            return self._field(expression, needs, verb)
        argument = self._argument(expression)
        if expression.function in AGGREGATES:
            return self._aggregate(expression, argument)
        if expression.function in DATE_FUNCTIONS:
            return self._date_part(expression, argument)
        column = self._field(argument, needs, verb) if isinstance(argument, Path) else self.of(argument)
        if expression.function == "TOLABEL":
            return self._label(expression, column)
        if expression.function == "CONVERTCURRENCY":
            return self._converted(expression, column)
        if expression.function == "FORMAT":
            return self._formatted(expression, argument, column)
        raise self._error(expression, "convertTimezone() is only allowed inside a date function")

    def _argument(self, call: Call) -> Expression:
        if call.argument is None:
            raise self._error(call, "COUNT() is not allowed here")
        return call.argument

    def _error(self, expression: Expression, message: str, code: str = "MALFORMED_QUERY") -> RefusalError:
        return soql_error(self._text, expression.position, message, code)

    def _field(self, path: Path, needs: str, verb: str) -> Column:
        prefix, found = self._joins.resolve(path)
        if needs and not getattr(found, needs):
            raise self._error(path, f"field '{path.text}' can not be {verb} in a query call", "INVALID_FIELD")
        return Column(self._joins.column(prefix, found.name), found)

    def _aggregate(self, call: Call, argument: Expression) -> Column:
        if isinstance(argument, Call) and argument.function not in DATE_FUNCTIONS | {"CONVERTCURRENCY"}:
            raise self._error(call, f"{call.text}: a field is expected here")
        column = self.of(argument, "filterable", "aggregated")
        field, function = column.field, call.function
        if function in _NUMBERED:
            return Column(_NUMBERED[function].format(column.sql), Field("n", "int"))
        if function == "GROUPING":
            raise self._error(call, "GROUPING() is only allowed with GROUP BY ROLLUP or CUBE")
        if function in ("SUM", "AVG") and not field.is_number:
            message = f"field {field.name} does not support aggregate operator {function}"
            raise self._error(argument, message)
        if function == "AVG":
            return Column(f"soql_avg({column.sql})", Field("n", "double"))
        name = f"soql_{function.lower()}" if field.is_fractional else function.lower()
        return Column(f"{name}({column.sql})", field)

    def _date_part(self, call: Call, argument: Expression) -> Column:
        zone, inner = "UTC", argument
        if isinstance(inner, Call) and inner.function == "CONVERTTIMEZONE":
            zone, inner = self._context.calendar.zone, self._argument(inner)
        if not isinstance(inner, Path):
            raise self._error(call, f"{call.text}: a field is expected here")
        column = self._field(inner, "filterable", "filtered")
        kinds = ("datetime",) if call.function in ("HOUR_IN_DAY", "DAY_ONLY") or inner is not argument else ()
        if column.field.type not in (kinds or ("date", "datetime")):
            raise self._error(call, f"{call.text}: field {column.field.name} is not of the right type")
        first = self._context.calendar.first_month
        sql = f"soql_date_part('{call.function}', {column.sql}, {text_literal(zone)}, {first})"
        return Column(sql, Field("d", "date" if call.function == "DAY_ONLY" else "int"))

    def _label(self, call: Call, column: Column) -> Column:
        if column.field.type not in _PICKLISTS:
            raise self._error(call, f"toLabel() is not supported for field {column.field.name}")
        labels = text_literal(json.dumps(dict(column.field.picklist_labels)))
        return Column(f"soql_label({column.sql}, {labels})", column.field)

    def _currency_of_row(self, column: Column) -> str:
        """Return the SQL of a record's own currency: objects of a multi-currency org have CurrencyIsoCode."""
        table = column.sql.partition(".")[0]
        sobject = self._joins.owner(table)
        own = sobject.field("CurrencyIsoCode") if sobject is not None else None
        return f"{table}.{quoted(own.name)}" if own is not None else "NULL"

    def converted(self, column: Column) -> str:
        """Return an amount in the user's currency."""
        rates = text_literal(json.dumps(dict(self._context.currency_rates)))
        return f"soql_convert({column.sql}, {self._currency_of_row(column)}, {rates})"

    def _converted(self, call: Call, column: Column) -> Column:
        if column.field.type != "currency":
            raise self._error(call, f"convertCurrency() is not supported for field {column.field.name}")
        return Column(self.converted(column), column.field)

    def _formatted(self, call: Call, argument: Expression, column: Column) -> Column:
        kind = column.field.type
        if kind not in _FORMATTED:
            raise self._error(call, f"FORMAT() is not supported for field {column.field.name}")
        currency = "NULL"
        if kind == "currency":
            own = "NULL" if isinstance(argument, Call) else self._currency_of_row(column)
            currency = f"coalesce({own}, {text_literal(self._context.currency)})"
        places = column.field.scale if column.field.precision else 2 if kind == "currency" else -1
        zone = text_literal(self._context.calendar.zone)
        sql = f"soql_format('{kind}', {column.sql}, {currency}, {places}, {zone})"
        return Column(sql, Field(column.field.name, "string"))
