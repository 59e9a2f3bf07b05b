"""The SELECT list of a query without groups: its columns, and the shape of its rows."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.schema import Schema
from airflow_provider_sfjwt.testing.http.messages import RefusalError
from airflow_provider_sfjwt.testing.soql.columns import Columns
from airflow_provider_sfjwt.testing.soql.expressions import DATE_FUNCTIONS
from airflow_provider_sfjwt.testing.soql.joins import Joins, Prefix, no_object
from airflow_provider_sfjwt.testing.soql.shape import Children, Compound, Leaf, Node, Parent, Variants
from airflow_provider_sfjwt.testing.soql.tokens import soql_error
from airflow_provider_sfjwt.testing.soql.tree import (
    Call,
    Expression,
    FieldsOf,
    Path,
    Query,
    Selected,
    SelectItem,
    SubQuery,
    TypeOf,
)

_FIELDS_LIMIT = 200


class Selection:
    """Collects what is selected.

    :param children: compiles a sub-query.
    """

    def __init__(
        self, schema: Schema, query: Query, joins: Joins, columns: Columns, children: Callable[[SubQuery], Children]
    ) -> None:
        self._schema = schema
        self._query = query
        self._joins = joins
        self._columns = columns
        self._children = children
        self.columns: list[str] = []
        self.leaves: list[Leaf] = []
        self.row = Parent("", joins.sobject(()), self._keep(joins.column((), "Id")))

    def add(self, item: SelectItem) -> None:
        """Add one item of the list.

        :raises RefusalError: as Salesforce words it.
        """
        if isinstance(item, FieldsOf):
            self._fields_of(item)
        elif isinstance(item, SubQuery):
            self.row.members.append(self._children(item))
        elif isinstance(item, TypeOf):
            self._type_of(item)
        elif isinstance(item.expression, Path):
            if item.alias:
                raise self._error(item.expression, "only aggregate expressions use field aliasing")
            self._path(item.expression, (), self.row)
        else:
            self._call(item, item.expression)

    def _error(self, part: Expression | FieldsOf, message: str, code: str = "MALFORMED_QUERY") -> RefusalError:
        return soql_error(self._query.text, part.position, message, code)

    def _keep(self, column: str) -> int:
        if column not in self.columns:
            self.columns.append(column)
        return self.columns.index(column)

    def _put(self, node: Parent, member: Node, part: Expression) -> None:
        if any(known.key.lower() == member.key.lower() for known in node.members):
            raise self._error(part, f"duplicate field selected: {part.text}")
        node.members.append(member)

    def _fields_of(self, item: FieldsOf) -> None:
        limit = self._query.limit
        kinds: dict[str, Callable[[Field], bool]] = {
            "ALL": lambda _: True,
            "STANDARD": lambda found: not found.custom,
            "CUSTOM": lambda found: found.custom,
        }
        if item.kind not in kinds:
            raise self._error(item, f"FIELDS({item.kind}): ALL, STANDARD or CUSTOM expected")
        # https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_fields.htm
        # The standard fields are a bounded set; the others are not, and need a LIMIT.
        if item.kind != "STANDARD" and (limit is None or limit > _FIELDS_LIMIT):
            raise self._error(item, f"The SOQL FIELDS function must have a LIMIT of at most {_FIELDS_LIMIT}")
        for found in self._joins.sobject(()).fields:
            if kinds[item.kind](found):
                self._path(Path((found.name,), item.position), (), self.row)

    def _path(self, path: Path, base: Prefix, root: Parent) -> None:
        """Add a field.

        :param base: the prefix that the path begins at, and ``root`` the node of it.
        """
        prefix, found = self._joins.resolve(path, base)
        node = self._node(prefix, path, len(base), root)
        if found.is_compound:
            parts = tuple(
                Leaf(key, self._keep(self._joins.column(prefix, part.name)), part)
                for key, part in self._joins.sobject(prefix).parts(found).items()
            )
            self._put(node, Compound(found.name, found.type, parts), path)
            return
        index = self._keep(self._joins.column(prefix, found.name))
        self._put(node, Leaf(found.name, index, found), path)
        self.leaves.append(Leaf(".".join((*prefix, found.name)), index, found))

    def _node(self, prefix: Prefix, part: Expression, skipped: int = 0, root: Parent | None = None) -> Parent:
        """Return the node of a prefix, made where it is new.

        :param part: what is selected there.
        :param skipped: length of the prefix at which ``root`` stands; None: the row itself.
        """
        node = root or self.row
        for depth in range(skipped, len(prefix)):
            key, here = prefix[depth], prefix[: depth + 1]
            inner = next((m for m in node.members if isinstance(m, Parent) and m.key == key), None)
            if inner is None:
                sobject = self._joins.sobject(here)
                kind = None if sobject.queryable else self._keep(self._joins.column(here, "Type"))
                inner = Parent(key, sobject, self._keep(self._joins.column(here, "Id")), kind)
                self._put(node, inner, part)
            node = inner
        return node

    def _call(self, item: Selected, call: Call) -> None:
        if call.function in DATE_FUNCTIONS or call.function == "CONVERTTIMEZONE":
            raise self._error(call, "Date-aggregate functions can only be selected in grouped queries")
        column = self._columns.of(call)
        inner: Expression = call
        while isinstance(inner, Call) and inner.argument is not None:
            inner = inner.argument
        path = inner if isinstance(inner, Path) else Path((), call.position)
        prefix, found = self._joins.resolve(path)
        index = self._keep(column.sql)
        if item.alias:
            # An alias stands on the row itself, also for a parent's field; no source says so.
            self._put(self.row, Leaf(item.alias, index, column.field, call.text), call)
            self.leaves.append(Leaf(item.alias, index, column.field, call.text))
            return
        self._put(self._node(prefix, call), Leaf(found.name, index, column.field, call.text), call)
        self.leaves.append(Leaf(".".join((*prefix, found.name)), index, column.field, call.text))

    def _type_of(self, item: TypeOf) -> None:
        """Add ``TYPEOF``.

        https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_typeof.htm
        """
        *parents, name = item.relationship.names
        prefix = self._joins.follow(tuple(parents), item.relationship)
        link = self._joins.link(prefix, name, item.relationship)
        if len(link.reference_to) == 1:
            message = f"TYPEOF: the relationship {name} has one kind of parents"
            raise self._error(item.relationship, message)
        named = self._joins.follow((name,), item.relationship, prefix)
        branches = {}
        for wanted, paths in item.branches:
            sobject = self._schema.find(wanted.text)
            if sobject is None:
                raise no_object(self._query.text, wanted)
            if sobject.name not in link.reference_to:
                raise self._error(wanted, f"TYPEOF: {name} does not lead to {sobject.name}")
            base = self._joins.branch(prefix, link, sobject)
            branches[sobject.name] = self._branch(base, paths)
        type_index = self._keep(self._joins.column(named, "Type"))
        otherwise = self._branch(named, item.otherwise) if item.otherwise else None
        node = self._node(prefix, item.relationship)
        self._put(node, Variants(named[-1], type_index, branches, otherwise), item.relationship)

    def _branch(self, base: Prefix, paths: tuple[Path, ...]) -> Parent:
        sobject = self._joins.sobject(base)
        kind = None if sobject.queryable else self._keep(self._joins.column(base, "Type"))
        root = Parent("", sobject, self._keep(self._joins.column(base, "Id")), kind)
        for path in paths:
            self._path(path, base, root)
        return root
