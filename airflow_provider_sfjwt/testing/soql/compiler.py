"""From a SOQL tree to one SQL statement and the shape of its rows."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.store import quoted
from airflow_provider_sfjwt.testing.http.messages import RefusalError, unsupported
from airflow_provider_sfjwt.testing.soql.columns import Column, Columns
from airflow_provider_sfjwt.testing.soql.context import Context
from airflow_provider_sfjwt.testing.soql.filters import Sql
from airflow_provider_sfjwt.testing.soql.groups import Groups
from airflow_provider_sfjwt.testing.soql.joins import APPEND, Joins, no_object
from airflow_provider_sfjwt.testing.soql.selection import Selection
from airflow_provider_sfjwt.testing.soql.shape import Children, Compiled, Parent
from airflow_provider_sfjwt.testing.soql.tokens import soql_error
from airflow_provider_sfjwt.testing.soql.tree import (
    Call,
    Expression,
    Order,
    Path,
    Query,
    Selected,
    SemiJoin,
    SubQuery,
)
from airflow_provider_sfjwt.testing.soql.where import Conditions, check_semi_joins, has_semi_join

_MAX_OFFSET = 2000
_IDS = frozenset({"id", "reference"})
_SCOPES = frozenset(
    {"delegated", "mine_and_my_groups", "my_territory", "my_team_territory", "scopingrule", "team", "allprivate"}
)


class Compiler:
    """Compiles one query.

    :param context: the org, the moment and the user.
    :param link: for a sub-query: the column that must equal one more parameter, the last of the WHERE clause.
    :raises RefusalError: for an unknown object, or one that no query may name.
    """

    def __init__(self, context: Context, query: Query, link: Field | None = None) -> None:
        found = context.schema.find(query.sobject.text)
        if found is None:
            raise no_object(query.text, query.sobject)
        if not found.queryable:
            message = f"entity type {found.name} does not support query"
            raise RefusalError(400, "INVALID_TYPE_FOR_OPERATION", message)
        self._context = replace(context, include_deleted=context.include_deleted or query.all_rows)
        self._query = query
        self._link = link
        self._sobject = found
        self._joins = Joins(context.schema, query, found)
        self._columns = Columns(self._context, self._joins, query.text)

    def compile(self) -> Compiled:
        """Return the SQL.

        :raises RefusalError: as Salesforce words it.
        """
        query = self._query
        if query.offset is not None and query.offset > _MAX_OFFSET:
            raise RefusalError(400, "NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {_MAX_OFFSET}")
        if query.is_bare_count:
            return self._compiled_count()
        return self._compiled_groups() if query.is_aggregate else self._compiled_rows()

    def _compiled_rows(self) -> Compiled:
        selection = Selection(self._context.schema, self._query, self._joins, self._columns, self._children)
        for item in self._query.items:
            selection.add(item)
        where, parameters = self._where()
        order = [
            f"{self._columns.of(order.expression, 'sortable', 'sorted').ordered} {_direction(order)}"
            for order in self._query.order_by
        ]
        # Without an order Salesforce promises none; here it is the order of insertion, so that runs can be repeated.
        order.append("t0.row")
        selected = ", ".join(f"{column} AS c{index}" for index, column in enumerate(selection.columns))
        sql = f"SELECT {selected} {self._from()}{where} ORDER BY {', '.join(order)}{self._limit()}"
        return Compiled(sql, parameters, selection.row, selection.leaves, aggregate=False)

    def _compiled_count(self) -> Compiled:
        """Compile ``SELECT COUNT() FROM …``."""
        query = self._query
        if len(query.items) > 1 or query.group_by or any(isinstance(i, Selected) and i.alias for i in query.items):
            raise soql_error(query.text, query.sobject.position, "COUNT() must be the only item selected")
        for order in query.order_by:
            self._columns.of(order.expression, "sortable", "sorted")
        where, parameters = self._where()
        sql = f"SELECT count(*) AS c0 FROM (SELECT 1 {self._from()}{where}{self._limit()})"
        return Compiled(sql, parameters, Parent("", self._sobject, 0), [], aggregate=True)

    def _compiled_groups(self) -> Compiled:
        query = self._query
        groups = Groups(query, self._sobject, self._columns)
        for item in query.items:
            groups.add(item)
        where, parameters = self._where()
        width, selects, values = len(groups.leaves), [], []
        for chosen in groups.sets():
            groups.chosen = chosen
            having, having_parameters = self._having(groups)
            columns = [*groups.columns(), *(groups.of(order.expression).ordered for order in query.order_by)]
            named = ", ".join(f"{column} AS c{index}" for index, column in enumerate(columns))
            by = f" GROUP BY {', '.join(chosen) or 'NULL'}" if query.group_by is not None else ""
            selects.append((named, f"{where}{by}{having}"))
            values += parameters + having_parameters
        joined = " UNION ALL ".join(f"SELECT {named} {self._from()}{rest}" for named, rest in selects)
        sql = f"SELECT {', '.join(f'c{index}' for index in range(width))} FROM ({joined})"
        if query.order_by:
            terms = [f"c{width + place} {_direction(order)}" for place, order in enumerate(query.order_by)]
            sql += f" ORDER BY {', '.join(terms)}"
        return Compiled(sql + self._limit(), values, groups.row, groups.leaves, aggregate=True)

    def _from(self) -> str:
        return f"FROM {quoted(self._sobject.name)} AS t0 {' '.join(self._joins.sql)}"

    def _limit(self) -> str:
        query = self._query
        if query.limit is None and not query.offset:
            return ""
        return f" LIMIT {-1 if query.limit is None else query.limit} OFFSET {query.offset or 0}"

    def _where(self) -> Sql:
        """Return the WHERE clause with what goes without saying: records in the recycle bin, scope, parent."""
        query = self._query
        found: list[Sql] = []
        if not self._context.include_deleted:
            found.append((f"t0.{quoted('IsDeleted')} = 0", []))
        if query.scope is not None:
            found.append(self._scope(query.scope))
        if query.where is not None:
            check_semi_joins(query.where, query.text)
            conditions = Conditions(self._context, query, self._columns, self._filtered)
            found.append(conditions.sql(query.where, self._sub_select))
        if self._link is not None:
            found.append((f"t0.{quoted(self._link.name)} = ?", []))
        if not found:
            return "", []
        return f" WHERE {' AND '.join(sql for sql, _ in found)}", [value for _, values in found for value in values]

    def _filtered(self, expression: Expression) -> Column:
        if isinstance(expression, Call) and expression.is_aggregate:
            message = f"Aggregate functions are not allowed in WHERE: {expression.text}"
            raise soql_error(self._query.text, expression.position, message)
        return self._columns.of(expression, "filterable", "filtered")

    def _having(self, groups: Groups) -> Sql:
        query = self._query
        if query.having is None:
            return "", []
        if has_semi_join(query.having):
            raise soql_error(query.text, query.sobject.position, "Semi-joins are only supported in WHERE clauses")
        conditions = Conditions(self._context, query, self._columns, groups.of)
        sql, parameters = conditions.sql(query.having, self._sub_select)
        return f" HAVING {sql}", parameters

    def _scope(self, scope: str) -> Sql:
        """Return ``USING SCOPE`` as SQL.

        https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_using_scope.htm
        """
        if scope == "everything":
            return "1", []
        if scope in _SCOPES:
            raise unsupported(f"USING SCOPE {scope}")
        if scope != "mine" or self._sobject.field("OwnerId") is None:
            raise soql_error(self._query.text, self._query.sobject.position, f"Unsupported filterScope: {scope}")
        return f"t0.{quoted('OwnerId')} = ?", [self._context.user_id]

    def _sub_select(self, join: SemiJoin, left: Column) -> Sql:
        """Compile a semi-join. A null among the ids of the sub-query means nothing.

        https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_comparisonoperators.htm
        """
        inner, text = join.query, self._query.text
        if left.field.type not in _IDS:
            message = (
                "The left operand in the where expression with a nested sub-select should be an id field, cannot use"
            )
            raise soql_error(text, join.path.position, f"{message}: '{join.path.text}'")
        if has_semi_join(inner.where):
            raise soql_error(text, join.position, "Nesting of semi join sub-selects is not supported")
        if inner.order_by or inner.limit is not None or inner.offset is not None or inner.is_aggregate:
            raise soql_error(
                text, join.position, "A semi join sub-select takes no aggregate, ORDER BY, LIMIT or OFFSET"
            )
        item = inner.items[0]
        if len(inner.items) > 1 or not isinstance(item, Selected) or not isinstance(item.expression, Path):
            raise soql_error(text, join.position, "A semi join sub-select must select one id field")
        compiled = Compiler(self._context, inner).compile()
        leaf = compiled.leaves[0] if compiled.leaves else None
        if leaf is None or leaf.field.type not in _IDS:
            message = f"Semi join sub-selects can only query id fields, cannot use: '{item.expression.text}'"
            raise soql_error(text, join.position, message)
        if compiled.row.sobject is self._sobject:
            message = "The inner and outer selects should not be on the same object type"
            raise soql_error(text, join.position, message)
        found = f"SELECT c{leaf.index} FROM ({compiled.sql}) WHERE c{leaf.index} IS NOT NULL"
        sql = f"coalesce({left.sql} IN ({found}), 0)"
        return (f"NOT {sql}" if join.negated else sql), compiled.parameters

    def _children(self, item: SubQuery) -> Children:
        """Compile a query of children; FROM names their relationship, after the parent's alias where it has one."""
        *before, wanted = item.query.sobject.names
        parents = {self._sobject.name.lower(), (self._query.alias or self._sobject.name).lower()}
        if len(before) <= 1 and all(name.lower() in parents for name in before):
            for child, link in self._context.schema.children(self._sobject.name):
                if link.child_relationship and link.child_relationship.lower() == wanted.lower():
                    return self._child(item, child.name, link)
        message = (
            f"Didn't understand relationship '{item.query.sobject.text}' in FROM part of query call. If you are "
            f"attempting to use a custom relationship, be sure to append the '__r' after the custom relationship "
            f"name. {APPEND}"
        )
        raise soql_error(self._query.text, item.query.sobject.position, message, "INVALID_TYPE")

    def _child(self, item: SubQuery, child: str, link: Field) -> Children:
        query = replace(item.query, sobject=Path((child,), item.query.sobject.position))
        if query.is_aggregate or any(isinstance(inner, SubQuery) for inner in query.items):
            raise soql_error(query.text, item.position, "only fields may be selected in a sub-query")
        return Children(link.child_relationship or "", Compiler(self._context, query, link).compile(), link.name)


def _direction(order: Order) -> str:
    return f"{'DESC' if order.descending else 'ASC'} NULLS {'LAST' if order.nulls_last else 'FIRST'}"
