"""The SELECT list of a query with groups or aggregates: its columns, and the shape of its rows."""

from __future__ import annotations

import itertools

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.http.messages import RefusalError
from airflow_provider_sfjwt.testing.soql.columns import Column, Columns
from airflow_provider_sfjwt.testing.soql.expressions import DATE_FUNCTIONS
from airflow_provider_sfjwt.testing.soql.shape import Leaf, Parent
from airflow_provider_sfjwt.testing.soql.tokens import soql_error
from airflow_provider_sfjwt.testing.soql.tree import Call, Expression, Path, Query, Selected, SelectItem, TypeOf

_MOST_SUBTOTALS = 3


class Groups:
    """Collects what is grouped by and what is selected of the groups."""

    def __init__(self, query: Query, sobject: SObject, columns: Columns) -> None:
        self._query = query
        self._columns = columns
        self._selected: dict[str, Expression] = {}
        self.leaves: list[Leaf] = []
        self.row = Parent("", sobject, 0)
        grouping = query.group_by
        expressions = grouping.expressions if grouping is not None else ()
        self._subtotals = grouping.kind if grouping is not None else ""
        if self._subtotals and len(expressions) > _MOST_SUBTOTALS:
            message = f"GROUP BY {self._subtotals} takes at most {_MOST_SUBTOTALS} fields"
            raise self._error(expressions[_MOST_SUBTOTALS], message)
        self._grouped = [self._checked(expression) for expression in expressions]
        #: The columns that rows are grouped by now; fewer than all of them for subtotals.
        self.chosen = list(self._grouped)

    def _error(self, expression: Expression, message: str) -> RefusalError:
        return soql_error(self._query.text, expression.position, message)

    def _checked(self, expression: Expression) -> str:
        if isinstance(expression, Call) and expression.function not in DATE_FUNCTIONS:
            raise self._error(expression, f"{expression.text} can not be grouped in a query call")
        needs = "groupable" if isinstance(expression, Path) else ""
        return self._columns.of(expression, needs, "grouped").sql

    def sets(self) -> list[list[str]]:
        """Return the sets of columns to group by: more than one where the query asks for subtotals.

        https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_group_by_rollup.htm
        """
        sizes = range(len(self._grouped), -1, -1)
        if self._subtotals == "ROLLUP":
            return [self._grouped[:size] for size in sizes]
        if self._subtotals == "CUBE":
            return [list(chosen) for size in sizes for chosen in itertools.combinations(self._grouped, size)]
        return [self._grouped]

    def add(self, item: SelectItem) -> None:
        """Add one item of the SELECT list.

        :raises RefusalError: as Salesforce words it.
        """
        if not isinstance(item, Selected):
            position = item.relationship.position if isinstance(item, TypeOf) else item.position
            raise soql_error(self._query.text, position, "Only fields and aggregates may be grouped")
        column = self.of(item.expression)
        key = item.alias or self._key(item.expression, column)
        if any(leaf.key.lower() == key.lower() for leaf in self.leaves):
            raise self._error(item.expression, f"duplicate alias: {key}")
        function = item.expression.text if isinstance(item.expression, Call) else ""
        leaf = Leaf(key, len(self.leaves), column.field, function)
        self._selected[key.lower()] = item.expression
        self.leaves.append(leaf)
        self.row.members.append(leaf)

    def _key(self, expression: Expression, column: Column) -> str:
        """Return the name of a value without an alias: that of the field, or ``expr0``, ``expr1``… of a function."""
        if isinstance(expression, Path):
            return column.field.name
        unnamed = itertools.count()
        return next(key for number in unnamed if (key := f"expr{number}") not in self._selected)

    def columns(self) -> list[str]:
        """Return what is selected, for the columns that are chosen now."""
        return [self.of(expression).sql for expression in self._selected.values()]

    def of(self, expression: Expression) -> Column:
        """Return an expression that a group has one value of; null for a grouped field that is not chosen now.

        :raises RefusalError: for a field that is neither grouped nor aggregated.
        """
        if isinstance(expression, Call) and expression.function == "GROUPING":
            return self._is_subtotal(expression)
        if isinstance(expression, Path):
            expression = self._selected.get(expression.text.lower(), expression)
        column = self._columns.of(expression)
        if isinstance(expression, Call) and expression.is_aggregate:
            return column
        source = self._source(expression, column)
        if source not in self._grouped:
            raise self._error(expression, f"Field must be grouped or aggregated: {expression.text}")
        return column if source in self.chosen else Column("NULL", column.field)

    def _source(self, expression: Expression, column: Column) -> str:
        """Return what must be grouped: a date field is enough for the date functions of it."""
        if column.sql in self._grouped or not isinstance(expression, Call) or not isinstance(expression.argument, Path):
            return column.sql
        argument = self._columns.of(expression.argument)
        return argument.sql if argument.field.type == "date" else column.sql

    def _is_subtotal(self, call: Call) -> Column:
        if call.argument is None or not self._subtotals:
            raise self._error(call, "GROUPING() is only allowed with GROUP BY ROLLUP or CUBE")
        sql = self._columns.of(call.argument).sql
        if sql not in self._grouped:
            raise self._error(call, f"Field must be grouped: {call.argument.text}")
        return Column("0" if sql in self.chosen else "1", Field("n", "int"))
