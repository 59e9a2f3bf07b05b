"""Paths of a query, followed to the parents that they name, and the joins that this takes."""

from __future__ import annotations

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.schema import Schema, SObject
from airflow_provider_sfjwt.testing.data.store import quoted
from airflow_provider_sfjwt.testing.http.messages import RefusalError, unsupported
from airflow_provider_sfjwt.testing.soql.tokens import soql_error
from airflow_provider_sfjwt.testing.soql.tree import Path, Query

MAX_PARENTS = 5
APPEND = "Please reference your WSDL or the describe call for the appropriate names."

#: The relationships that lead from the query's object to a parent, in their canonical spelling; ``:Account`` is the
#: branch of a TYPEOF. Empty for the object itself.
Prefix = tuple[str, ...]


def no_object(text: str, path: Path) -> RefusalError:
    """Return Salesforce's answer to an object that the org does not have."""
    message = (
        f"sObject type '{path.text}' is not supported. If you are attempting to use a custom object, be sure to "
        f"append the '__c' after the entity name. {APPEND}"
    )
    return soql_error(text, path.position, message, "INVALID_TYPE")


class Joins:
    """The tables of one query.

    :param sobject: the query's object.
    """

    def __init__(self, schema: Schema, query: Query, sobject: SObject) -> None:
        self._schema = schema
        self._query = query
        self._tables: dict[Prefix, tuple[str, SObject]] = {(): ("t0", sobject)}
        self._aliases: dict[str, Prefix] = {}
        self.sql: list[str] = []
        if not sobject.relationship(query.alias or sobject.name):
            self._aliases |= {sobject.name.lower(): (), (query.alias or sobject.name).lower(): ()}
        for alias, path in query.further:
            self._aliases[alias.lower()] = self._further(path)

    def _further(self, path: Path) -> Prefix:
        """Return where a further object of FROM stands, ``c.Account``."""
        base = self._aliases.get(path.names[0].lower())
        if base is None or len(path.names) == 1:
            raise no_object(self._query.text, path)
        children = self._schema.children(self.sobject(base).name)
        if any(link.child_relationship and link.child_relationship == path.names[1] for _, link in children):
            raise unsupported("children after FROM")
        return self.follow(path.names[1:], path, base)

    def owner(self, table: str) -> SObject | None:
        """Return the object of a table, None where there is no such table."""
        return next((sobject for alias, sobject in self._tables.values() if alias == table), None)

    def table(self, prefix: Prefix) -> str:
        """Return the SQL alias of a table."""
        return self._tables[prefix][0]

    def sobject(self, prefix: Prefix) -> SObject:
        """Return the object that a prefix leads to."""
        return self._tables[prefix][1]

    def column(self, prefix: Prefix, name: str) -> str:
        """Return a column as SQL names it."""
        return f"{self.table(prefix)}.{quoted(name)}"

    def resolve(self, path: Path, base: Prefix = ()) -> tuple[Prefix, Field]:
        """Follow a path; return the prefix of its last object, and the field at its end.

        :raises RefusalError: as Salesforce words it.
        """
        names = path.names
        if not base and len(names) > 1 and names[0].lower() in self._aliases:
            base, names = self._aliases[names[0].lower()], names[1:]
        prefix = self.follow(names[:-1], path, base)
        sobject = self.sobject(prefix)
        found = sobject.field(names[-1])
        if found is None:
            message = (
                f"No such column '{names[-1]}' on entity '{sobject.name}'. If you are attempting to use a custom "
                f"field, be sure to append the '__c' after the custom field name. {APPEND}"
            )
            raise soql_error(self._query.text, path.position, message, "INVALID_FIELD")
        return prefix, found

    def follow(self, names: tuple[str, ...], path: Path, base: Prefix = ()) -> Prefix:
        """Follow relationships and join what they lead to.

        :param path: where they stand in the text.
        """
        if len([name for name in (*base, *names) if not name.startswith(":")]) > MAX_PARENTS:
            message = f"more than {MAX_PARENTS} parents in {path.text}"
            raise soql_error(self._query.text, path.position, message)
        prefix = base
        for name in names:
            prefix = self._join(prefix, name, path)
        return prefix

    def link(self, prefix: Prefix, name: str, path: Path) -> Field:
        """Return the reference field of a relationship.

        :raises RefusalError: as Salesforce words it.
        """
        found = self.sobject(prefix).relationship(name)
        if found is None or found.relationship_name is None:
            message = (
                f"Didn't understand relationship '{name}' in field path. If you are attempting to use a custom "
                f"relationship, be sure to append the '__r' after the custom relationship name. {APPEND}"
            )
            raise soql_error(self._query.text, path.position, message, "INVALID_FIELD")
        return found

    def _join(self, prefix: Prefix, name: str, path: Path) -> Prefix:
        link = self.link(prefix, name, path)
        longer = (*prefix, link.relationship_name or name)
        if longer not in self._tables:
            if len(link.reference_to) > 1:
                self._add(longer, self._schema.get("Name"), self._names(link), self.column(prefix, link.name))
            else:
                parent = self._schema.get(link.reference_to[0])
                self._add(longer, parent, quoted(parent.name), self.column(prefix, link.name))
        return longer

    def branch(self, prefix: Prefix, link: Field, sobject: SObject) -> Prefix:
        """Join one object of a lookup of several, for TYPEOF."""
        longer = (*prefix, link.relationship_name or link.name, f":{sobject.name}")
        if longer not in self._tables:
            self._add(longer, sobject, quoted(sobject.name), self.column(prefix, link.name))
        return longer

    def _add(self, prefix: Prefix, sobject: SObject, source: str, key: str) -> None:
        alias = f"t{len(self._tables)}"
        self._tables[prefix] = (alias, sobject)
        self.sql.append(f"LEFT JOIN {source} AS {alias} ON {alias}.{quoted('Id')} = {key}")

    def _names(self, link: Field) -> str:
        """Return the records of every object that a lookup may point to, as records of the object Name."""
        name = self._schema.get("Name")
        selects = []
        for target in filter(None, map(self._schema.find, link.reference_to)):
            columns = []
            for field in name.columns:
                own = target.field(field.name)
                column = f"'{target.name}'" if field.name == "Type" else quoted(own.name) if own else "NULL"
                columns.append(f"{column} AS {quoted(field.name)}")
            selects.append(f"SELECT {', '.join(columns)} FROM {quoted(target.name)}")
        return f"({' UNION ALL '.join(selects)})"
