"""From SOQL text to a tree. What is not honoured is refused, never guessed.

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select.htm
"""

from __future__ import annotations

from airflow_provider_sfjwt.testing.http.messages import RefusalError, unsupported
from airflow_provider_sfjwt.testing.soql.conditions import conditions
from airflow_provider_sfjwt.testing.soql.cursor import Cursor
from airflow_provider_sfjwt.testing.soql.expressions import expression
from airflow_provider_sfjwt.testing.soql.tree import (
    Condition,
    Expression,
    FieldsOf,
    Grouping,
    Order,
    Path,
    Query,
    Selected,
    SelectItem,
    SubQuery,
    TypeOf,
)

#: The one user may see everything, so that each of them changes nothing.
_MODES = frozenset({"SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"})


#: https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_soslsoql.htm
_LONGEST = 100_000


def parse(text: str) -> Query:
    """Parse one query.

    :raises RefusalError: as Salesforce words it, or NOT_IN_SIMULATOR for SOQL that is right and not honoured here.
    """
    if len(text) > _LONGEST:
        said = f"SOQL statements cannot be longer than {_LONGEST} characters."
        raise RefusalError(400, "MALFORMED_QUERY", said)
    parser = _Parser(Cursor(text))
    query = parser.query()
    parser.refuse_rest()
    return query


class _Parser:
    """Recursive descent over the clauses of a query."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def refuse_rest(self) -> None:
        """Refuse what follows a whole query."""
        if self._cursor.next.kind != "end":
            raise self._cursor.unexpected(self._cursor.next)

    def query(self) -> Query:
        cursor = self._cursor
        cursor.expect("SELECT")
        items = [self._item()]
        while cursor.took(","):
            items.append(self._item())
        cursor.expect("FROM")
        sobject, alias = self._source()
        further = tuple(self._further())
        scope = cursor.name().lower() if cursor.took("USING", "SCOPE") else None
        where = conditions(cursor, self.query) if cursor.took("WHERE") else None
        self._with()
        group_by = self._group_by() if cursor.took("GROUP", "BY") else None
        having = self._having(group_by)
        order_by = tuple(self._order_by()) if cursor.took("ORDER", "BY") else ()
        limit = cursor.number() if cursor.took("LIMIT") else None
        offset = cursor.number() if cursor.took("OFFSET") else None
        self._for()
        all_rows = cursor.took("ALL", "ROWS")
        return Query(
            text=cursor.text,
            items=tuple(items),
            sobject=sobject,
            alias=alias,
            further=further,
            scope=scope,
            where=where,
            group_by=group_by,
            having=having,
            order_by=order_by,
            limit=limit,
            offset=offset,
            all_rows=all_rows,
        )

    def _further(self) -> list[tuple[str, Path]]:
        """Take the parents that may follow the first object: ``, c.Account a``."""
        found = []
        while self._cursor.took(","):
            path, alias = self._source()
            found.append((alias or path.names[-1], path))
        return found

    def _source(self) -> tuple[Path, str | None]:
        path = self._cursor.object_name()
        self._cursor.took("AS")
        return path, self._cursor.alias()

    def _item(self) -> SelectItem:
        cursor = self._cursor
        token = cursor.next
        if cursor.took("("):
            cursor.deeper()
            with_children = SubQuery(self.query(), token.position)
            cursor.back()
            cursor.expect(")")
            return with_children
        if token.word == "FIELDS" and cursor.calls:
            cursor.take()
            cursor.expect("(")
            kind = cursor.name().upper()
            cursor.expect(")")
            return FieldsOf(kind, token.position)
        if cursor.took("TYPEOF"):
            return self._type_of()
        return Selected(expression(cursor), cursor.alias())

    def _type_of(self) -> TypeOf:
        cursor = self._cursor
        relationship, branches = cursor.path(), []
        otherwise: tuple[Path, ...] = ()
        while cursor.took("WHEN"):
            sobject = cursor.object_name()
            cursor.expect("THEN")
            branches.append((sobject, self._paths()))
        if not branches:
            raise cursor.unexpected(cursor.next)
        if cursor.took("ELSE"):
            otherwise = self._paths()
        cursor.expect("END")
        return TypeOf(relationship, tuple(branches), otherwise)

    def _paths(self) -> tuple[Path, ...]:
        found = [self._cursor.path()]
        while self._cursor.took(","):
            found.append(self._cursor.path())
        return tuple(found)

    def _with(self) -> None:
        cursor = self._cursor
        while cursor.took("WITH"):
            token = cursor.take()
            if token.word in _MODES:
                continue
            raise unsupported(f"WITH {token.text}") if token.kind == "name" else cursor.unexpected(token)

    def _group_by(self) -> Grouping:
        cursor = self._cursor
        kind = cursor.next.word if cursor.calls and cursor.next.word in ("ROLLUP", "CUBE") else ""
        if kind:
            cursor.take()
            cursor.expect("(")
        found: list[Expression] = [expression(cursor)]
        while cursor.took(","):
            found.append(expression(cursor))
        if kind:
            cursor.expect(")")
        return Grouping(tuple(found), kind)

    def _having(self, group_by: Grouping | None) -> Condition | None:
        token = self._cursor.next
        if not self._cursor.took("HAVING"):
            return None
        if group_by is None:
            raise self._cursor.unexpected(token)
        return conditions(self._cursor, self.query)

    def _order_by(self) -> list[Order]:
        cursor, found = self._cursor, []
        while True:
            item = expression(cursor)
            descending = cursor.took("DESC")
            if not descending:
                cursor.took("ASC")
            nulls_last = cursor.took("NULLS", "LAST")
            if not nulls_last:
                cursor.took("NULLS", "FIRST")
            found.append(Order(item, descending, nulls_last))
            if not cursor.took(","):
                return found

    def _for(self) -> None:
        """Take ``FOR VIEW`` and ``FOR REFERENCE``, which note that the user has seen the records."""
        cursor = self._cursor
        while cursor.next.word in ("FOR", "UPDATE"):
            clause, token = cursor.take(), cursor.take()
            if clause.word == "FOR" and token.word in ("VIEW", "REFERENCE"):
                continue
            honoured_by_salesforce = ("UPDATE",) if clause.word == "FOR" else ("TRACKING", "VIEWSTAT")
            if token.word in honoured_by_salesforce:
                raise unsupported(f"{clause.word} {token.word}")
            raise cursor.unexpected(token)
