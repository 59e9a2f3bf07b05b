"""The tables of a SQL database in lineage: the one that a merge writes, and those that a query reads.

https://openlineage.io/docs/spec/naming
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_sfjwt import compat
from airflow_provider_sfjwt.files.data_sets.published import data_sets_of, folders_of
from airflow_provider_sfjwt.tables.columns import merge_columns
from airflow_provider_sfjwt.tables.spec import RowsSpec, table_parts
from airflow_provider_sfjwt.tasks.lineage.moved import (
    DataSet,
    Field,
    Lineage,
    Moved,
    Origin,
    Query,
    file_data_set,
    moved,
)

if TYPE_CHECKING:
    from airflow_provider_sfjwt.tables.report import MergeReport

#: Where a table is whose name has no schema.
_SCHEMAS = {"postgres": "public", "sqlite": "main", "duckdb": "main"}


class _Database(NamedTuple):
    """A database in the words of OpenLineage.

    :param namespace: e.g. ``postgres://db.acme.com:5432``, or ``sqlite:///data/warehouse.db``.
    :param name: before the schema in the names of its tables; empty for a database that is a file.
    :param dialect: of its SQL.
    :param schema: of tables whose names have none.
    """

    namespace: str
    name: str
    dialect: str
    schema: str

    @classmethod
    def of(cls, conn_id: str) -> _Database:
        hook: Any = compat.sql_hook(conn_id)
        connection = hook.get_connection(conn_id)
        dialect = str(connection.conn_type)
        schema = _SCHEMAS.get(dialect, "")
        info = hook.get_openlineage_database_info(connection)
        if info is None:  # a file, which OpenLineage has no rule for
            file = str(connection.host or connection.schema or ":memory:")
            return cls(f"{dialect}://{file}", "", dialect, schema)
        namespace = f"{info.scheme}://{info.authority}" if info.authority else str(info.scheme)
        return cls(namespace, str(info.database or ""), dialect, schema)

    def table(self, *names: str, fields: tuple[Field, ...] = ()) -> DataSet:
        parts = names if len(names) > 1 or not self.schema else (self.schema, *names)
        return DataSet(self.namespace, ".".join([self.name, *parts] if self.name else parts), fields)


def table_data_set(conn_id: str, table: str, fields: tuple[Field, ...] = ()) -> DataSet:
    """A table.

    :param conn_id: of its database.
    :param table: its name, as the task has it.
    :param fields: its columns.
    """
    return _Database.of(conn_id).table(*table_parts(table), fields=fields)


def tables_read(query: Query) -> tuple[tuple[DataSet, ...], dict[str, tuple[Origin, ...]]]:
    """The tables that a query reads, as OpenLineage's parser understands it.

    :param query: in SQL.
    :return: the tables, and for each column of the query the columns that it is made of.
    """
    from airflow.providers.openlineage.sqlparser import SQLParser

    database = _Database.of(query.conn_id)
    parsed = SQLParser(database.dialect, database.schema or None).parse(query.text)
    if parsed is None:
        return (), {}

    def table(found: Any) -> DataSet:
        return database.table(*(name for name in (found.database, found.schema, found.name) if name))

    origins = {
        each.descendant.name: tuple(Origin(table(one.origin), one.name) for one in each.lineage if one.origin)
        for each in parsed.column_lineage
    }
    return tuple(table(each) for each in parsed.in_tables), origins


def with_query(task: Any, lineage: Lineage) -> Lineage:
    """The lineage of a task that runs a SQL query, which names the tables that are read.

    :param task: the operator, with ``sql`` and ``sql_conn_id``.
    :param lineage: of what it does with the rows.
    """
    dialect = compat.sql_connection_type(task.sql_conn_id)
    return replace(lineage, query=Query(task.sql, dialect, task.sql_conn_id))


def query_lineage(task: Any) -> Lineage:
    """Of a SQL query whose rows go into a folder.

    :param task: the operator.
    """
    found = moved(task.draft) or Moved()
    # A receipt gives all of them the type of text, as a load takes them.
    columns = tuple((Field(target.name), target) for _, target in found.columns)
    target = file_data_set(task.output_path, [target for _, target in columns])
    return with_query(task, Lineage(targets=(target,), moved=replace(found, columns=columns)))


def merge_lineage(task: Any, target: DataSet) -> Lineage:
    """Of a merge: from the folders of extracts into a table.

    :param task: the operator.
    :param target: the table.
    """
    report = task.draft.merge if task.draft is not None else None
    found = Moved() if report is None else _merged(RowsSpec.of(task), report)
    fields = [each for each, _ in found.columns if each is not None]
    sources = tuple(file_data_set(folder, fields) for folder in folders_of(task.source))
    return Lineage(sources, (replace(target, fields=tuple(each for _, each in found.columns)),), found)


def _merged(spec: RowsSpec, report: MergeReport) -> Moved:
    """A merge that has ended. Which columns went where is told by the receipts again."""
    pairs: dict[str, tuple[Field, Field]] = {}
    for data_set in data_sets_of(spec.source):
        for each in merge_columns(spec, data_set.receipt.columns, folds_case=False).table:
            if each.name is not None:
                pairs[each.name] = (Field(each.source, each.arrow_type), Field(each.name, each.kind))
    return Moved(columns=tuple(pairs.values()), rows=report.inserted + report.updated + report.deleted)
