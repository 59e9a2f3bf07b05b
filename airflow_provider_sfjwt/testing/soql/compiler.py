"""From a SOQL tree to one SQL statement and the shape of its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.schema import Schema, SObject
from airflow_provider_sfjwt.testing.data.store import quoted
from airflow_provider_sfjwt.testing.data.values import Stored
from airflow_provider_sfjwt.testing.http.messages import RefusalError
from airflow_provider_sfjwt.testing.soql.filters import Filters, Sql
from airflow_provider_sfjwt.testing.soql.tokens import soql_error
from airflow_provider_sfjwt.testing.soql.tree import (
    Aggregate,
    Among,
    Comparison,
    Condition,
    FieldsOf,
    Negation,
    Path,
    Query,
    SubQuery,
)

_MAX_PARENTS = 5
_MAX_OFFSET = 2000
_FIELDS_LIMIT = 200
_NUMBERS = {"int", "double", "currency", "percent"}
_APPEND = "Please reference your WSDL or the describe call for the appropriate names."


@dataclass(frozen=True)
class Leaf:
    """One value of a row.

    :param key: its name in the answer.
    :param index: the column that holds it.
    :param function: the aggregate as SOQL spells it, where it is one.
    """

    key: str
    index: int
    field: Field
    function: str = ""


@dataclass(frozen=True)
class Compound:
    """A compound field: its key and its parts."""

    key: str
    parts: tuple[Leaf, ...]


@dataclass(frozen=True)
class Children:
    """A sub-query: run once for each row, bound to the parent's id."""

    key: str
    compiled: Compiled
    link: str


@dataclass
class Parent:
    """A parent in a row; ``key`` is empty for the row itself."""

    key: str
    sobject: SObject
    id_index: int
    members: list[Node] = field(default_factory=list)


Node = Leaf | Compound | Children | Parent


@dataclass
class Compiled:
    """What a query became.

    :param sql: its columns are ``c0``, ``c1``…
    :param row: the shape of a row.
    :param leaves: every selected value in SELECT order, keyed by its path: a CSV's columns.
    :param aggregate: rows are AggregateResult, which has no id.
    """

    sql: str
    parameters: list[Stored]
    row: Parent
    leaves: list[Leaf]
    aggregate: bool


def invalid_type(text: str, path: Path) -> RefusalError:
    """Return Salesforce's answer to an object that the org does not have."""
    message = (
        f"sObject type '{path.text}' is not supported. If you are attempting to use a custom object, be sure to "
        f"append the '__c' after the entity name. {_APPEND}"
    )
    return soql_error(text, path.position, message, "INVALID_TYPE")


class Compiler:
    """Compiles one query.

    :param include_deleted: as ``queryAll`` does.
    :param now: for TODAY and its like.
    :param link: for a sub-query: the column that must equal one more parameter, the last of the WHERE clause.
    """

    def __init__(
        self, schema: Schema, query: Query, include_deleted: bool, now: datetime, link: Field | None = None
    ) -> None:
        found = schema.find(query.sobject.text)
        if found is None:
            raise invalid_type(query.text, query.sobject)
        self._schema = schema
        self._query = query
        self._include_deleted = include_deleted
        self._now = now
        self._link = link
        self._sobject = found
        self._filters = Filters(query.text, now)
        self._joins: dict[tuple[str, ...], tuple[str, SObject]] = {(): ("t0", found)}
        self._join_sql: list[str] = []
        self._columns: list[str] = []
        self._leaves: list[Leaf] = []
        self._root = Parent("", found, 0)

    def compile(self) -> Compiled:
        """Return the SQL.

        :raises RefusalError: as Salesforce words it.
        """
        query = self._query
        if query.offset is not None and query.offset > _MAX_OFFSET:
            raise RefusalError(400, "NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {_MAX_OFFSET}")
        grouped = [self._column(path, "groupable", "grouped") for path in query.group_by]
        if query.is_aggregate:
            self._select_aggregates([column for column, _ in grouped])
        else:
            self._select_fields()
        conditions: list[str] = []
        parameters: list[Stored] = []
        if not self._include_deleted:
            conditions.append(f"t0.{quoted('IsDeleted')} = 0")
        if query.where:
            sql, values = self._condition(query.where)
            conditions.append(sql)
            parameters += values
        if self._link is not None:
            conditions.append(f"t0.{quoted(self._link.name)} = ?")
        order = self._order()
        sql = f"FROM {quoted(self._sobject.name)} AS t0 {' '.join(self._join_sql)}"
        if conditions:
            sql += f" WHERE {' AND '.join(conditions)}"
        if grouped:
            sql += f" GROUP BY {', '.join(column for column, _ in grouped)}"
        if order:
            sql += f" ORDER BY {', '.join(order)}"
        if query.limit is not None or query.offset:
            sql += f" LIMIT {-1 if query.limit is None else query.limit} OFFSET {query.offset or 0}"
        selected = ", ".join(f"{column} AS c{index}" for index, column in enumerate(self._columns))
        sql = f"SELECT count(*) AS c0 FROM (SELECT 1 {sql})" if query.is_bare_count else f"SELECT {selected} {sql}"
        return Compiled(sql, parameters, self._root, self._leaves, query.is_aggregate)

    def _order(self) -> list[str]:
        terms = []
        for order in self._query.order_by:
            if isinstance(order.item, Aggregate):
                column, _ = self._aggregate(order.item)
            else:
                column = self._alias_column(order.item.text) or self._column(order.item, "sortable", "sorted")[0]
            direction = "DESC" if order.descending else "ASC"
            terms.append(f"{column} {direction} NULLS {'LAST' if order.nulls_last else 'FIRST'}")
        # Without an order Salesforce promises none; here it is the order of insertion, so that runs can be repeated.
        return terms if self._query.is_aggregate else [*terms, "t0.row"]

    def _alias_column(self, name: str) -> str | None:
        if not self._query.is_aggregate:
            return None
        return next((self._columns[leaf.index] for leaf in self._leaves if leaf.key.lower() == name.lower()), None)

    def _select_aggregates(self, grouped: list[str]) -> None:
        unnamed = 0
        for item in self._query.items:
            if isinstance(item, Aggregate):
                if item.path is None:
                    if len(self._query.items) > 1 or self._query.group_by or item.alias:
                        raise soql_error(self._query.text, item.position, "COUNT() must be the only item selected")
                    self._columns.append("count(*)")
                    return
                column, made = self._aggregate(item)
                key = item.alias or f"expr{unnamed}"
                unnamed += item.alias is None
            elif isinstance(item, Path):
                column, made = self._column(item)
                if column not in grouped:
                    message = f"Field must be grouped or aggregated: {item.text}"
                    raise soql_error(self._query.text, item.position, message)
                key = made.name
            else:
                raise soql_error(self._query.text, item.position, "Only fields and aggregates may be grouped")
            if any(leaf.key.lower() == key.lower() for leaf in self._leaves):
                raise soql_error(self._query.text, item.position, f"duplicate alias: {key}")
            function = f"{item.function}({item.path.text})" if isinstance(item, Aggregate) and item.path else ""
            leaf = Leaf(key, len(self._columns), made, function)
            self._columns.append(column)
            self._leaves.append(leaf)
            self._root.members.append(leaf)

    def _aggregate(self, item: Aggregate) -> tuple[str, Field]:
        if item.path is None:
            raise soql_error(self._query.text, item.position, "COUNT() is not allowed here")
        column, made = self._column(item.path, "filterable", "aggregated")
        if item.function == "COUNT":
            return f"count({column})", Field("n", "int")
        if item.function == "COUNT_DISTINCT":
            return f"count(DISTINCT {column})", Field("n", "int")
        if item.function in ("SUM", "AVG") and made.type not in _NUMBERS:
            message = f"field {made.name} does not support aggregate operator {item.function}"
            raise soql_error(self._query.text, item.path.position, message)
        if item.function == "AVG":
            return f"avg({column}) / {10.0**made.scale if made.is_scaled else 1.0}", Field("n", "double")
        return f"{item.function.lower()}({column})", made

    def _select_fields(self) -> None:
        self._root.id_index = self._keep(f"t0.{quoted('Id')}")
        for item in self._query.items:
            if isinstance(item, FieldsOf):
                self._select_fields_of(item)
            elif isinstance(item, SubQuery):
                self._root.members.append(self._children(item))
            elif isinstance(item, Path):
                self._select_path(item)

    def _select_fields_of(self, item: FieldsOf) -> None:
        limit = self._query.limit
        kinds: dict[str, Callable[[Field], bool]] = {
            "ALL": lambda _: True,
            "STANDARD": lambda found: not found.custom,
            "CUSTOM": lambda found: found.custom,
        }
        if item.kind not in kinds:
            raise soql_error(self._query.text, item.position, f"FIELDS({item.kind}): ALL, STANDARD or CUSTOM expected")
        # https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_fields.htm
        # The standard fields are a bounded set; the others are not, and need a LIMIT.
        if item.kind != "STANDARD" and (limit is None or limit > _FIELDS_LIMIT):
            message = f"The SOQL FIELDS function must have a LIMIT of at most {_FIELDS_LIMIT}"
            raise soql_error(self._query.text, item.position, message)
        for found in self._sobject.fields:
            if kinds[item.kind](found):
                self._select_path(Path((found.name,), item.position))

    def _select_path(self, path: Path) -> None:
        prefix, found = self._resolve(path)
        alias, sobject = self._joins[prefix]
        node = self._node(prefix)
        if any(isinstance(member, (Leaf, Compound)) and member.key == found.name for member in node.members):
            raise soql_error(self._query.text, path.position, f"duplicate field selected: {path.text}")
        if found.type == "address":
            cut = len(found.name) - len("Address")
            parts = tuple(
                Leaf(part.name[cut].lower() + part.name[cut + 1 :], self._keep(f"{alias}.{quoted(part.name)}"), part)
                for part in sobject.parts(found.name)
            )
            node.members.append(Compound(found.name, parts))
            return
        index = self._keep(f"{alias}.{quoted(found.name)}")
        node.members.append(Leaf(found.name, index, found))
        self._leaves.append(Leaf(".".join((*prefix, found.name)), index, found))

    def _node(self, prefix: tuple[str, ...]) -> Parent:
        node = self._root
        for depth, name in enumerate(prefix):
            inner = next((m for m in node.members if isinstance(m, Parent) and m.key == name), None)
            if inner is None:
                alias, sobject = self._joins[prefix[: depth + 1]]
                inner = Parent(name, sobject, self._keep(f"{alias}.{quoted('Id')}"))
                node.members.append(inner)
            node = inner
        return node

    def _keep(self, column: str) -> int:
        if column not in self._columns:
            self._columns.append(column)
        return self._columns.index(column)

    def _children(self, item: SubQuery) -> Children:
        wanted = item.query.sobject.text.lower()
        for child, link in self._schema.children(self._sobject.name):
            if link.child_relationship and link.child_relationship.lower() == wanted:
                query = replace(item.query, sobject=Path((child.name,), item.query.sobject.position))
                if query.is_aggregate or any(isinstance(inner, SubQuery) for inner in query.items):
                    raise soql_error(query.text, item.position, "only fields may be selected in a sub-query")
                compiled = Compiler(self._schema, query, self._include_deleted, self._now, link).compile()
                return Children(link.child_relationship, compiled, link.name)
        message = (
            f"Didn't understand relationship '{item.query.sobject.text}' in FROM part of query call. If you are "
            f"attempting to use a custom relationship, be sure to append the '__r' after the custom relationship "
            f"name. {_APPEND}"
        )
        raise soql_error(self._query.text, item.query.sobject.position, message, "INVALID_TYPE")

    def _resolve(self, path: Path) -> tuple[tuple[str, ...], Field]:
        """Follow a path: join its parents; return their canonical names and the field at its end."""
        names = list(path.names)
        own = {self._sobject.name.lower(), (self._query.alias or self._sobject.name).lower()}
        if len(names) > 1 and names[0].lower() in own and not self._sobject.relationship(names[0]):
            names = names[1:]
        if len(names) > _MAX_PARENTS + 1:
            raise soql_error(self._query.text, path.position, f"more than {_MAX_PARENTS} parents in {path.text}")
        prefix: tuple[str, ...] = ()
        for name in names[:-1]:
            prefix = self._join(prefix, name, path)
        sobject = self._joins[prefix][1]
        found = sobject.field(names[-1])
        if found is None:
            message = (
                f"No such column '{names[-1]}' on entity '{sobject.name}'. If you are attempting to use a custom "
                f"field, be sure to append the '__c' after the custom field name. {_APPEND}"
            )
            raise soql_error(self._query.text, path.position, message, "INVALID_FIELD")
        return prefix, found

    def _join(self, prefix: tuple[str, ...], name: str, path: Path) -> tuple[str, ...]:
        alias, sobject = self._joins[prefix]
        link = sobject.relationship(name)
        if link is None or link.relationship_name is None:
            message = (
                f"Didn't understand relationship '{name}' in field path. If you are attempting to use a custom "
                f"relationship, be sure to append the '__r' after the custom relationship name. {_APPEND}"
            )
            raise soql_error(self._query.text, path.position, message, "INVALID_FIELD")
        longer = (*prefix, link.relationship_name)
        if longer not in self._joins:
            parent = self._schema.get(link.reference_to[0])
            made = f"t{len(self._joins)}"
            self._joins[longer] = (made, parent)
            on = f"{made}.{quoted('Id')} = {alias}.{quoted(link.name)}"
            self._join_sql.append(f"LEFT JOIN {quoted(parent.name)} AS {made} ON {on}")
        return longer

    def _column(self, path: Path, needs: str = "", verb: str = "") -> tuple[str, Field]:
        prefix, found = self._resolve(path)
        if needs and not getattr(found, needs):
            message = f"field '{path.text}' can not be {verb} in a query call"
            raise soql_error(self._query.text, path.position, message, "INVALID_FIELD")
        return f"{self._joins[prefix][0]}.{quoted(found.name)}", found

    def _condition(self, condition: Condition) -> Sql:
        if isinstance(condition, Comparison):
            column, found = self._column(condition.path, "filterable", "filtered")
            return self._filters.comparison(column, found, condition.operator, condition.literal)
        if isinstance(condition, Among):
            column, found = self._column(condition.path, "filterable", "filtered")
            return self._filters.among(column, found, condition.negated, condition.literals)
        if isinstance(condition, Negation):
            sql, values = self._condition(condition.condition)
            # SOQL knows true and false only; SQL's "unknown" must not survive a NOT.
            return f"NOT coalesce(({sql}), 0)", values
        parts = [self._condition(inner) for inner in condition.conditions]
        joined = f" {condition.operator} ".join(sql for sql, _ in parts)
        return f"({joined})", [value for _, values in parts for value in values]
