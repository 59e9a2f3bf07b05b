"""The statements of a merge that PostgreSQL, DuckDB and SQLite understand alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airflow_provider_sfjwt.tables.columns import MergeColumn, MergeColumns
from airflow_provider_sfjwt.tables.database import Database, Target


class MergeStatements:
    """The SQL of one merge.

    :param database: quotes the names.
    :param target: the table.
    :param columns: of the merge.
    """

    def __init__(self, database: Database, target: Target, columns: MergeColumns) -> None:
        self._quote: Callable[[str], str] = database.quote
        self._differs = database.differs
        self._stage = database.stage_sql
        self._target = target.sql
        self._columns = columns

    def repeated_keys(self) -> str:
        """Query the first keys that are in the staging table more than once, with how often."""
        key = ", ".join(column.staged for column in self._columns.key)
        return f"SELECT {key}, count(*) FROM {self._stage} GROUP BY {key} HAVING count(*) > 1 ORDER BY {key} LIMIT 5"

    def missing_keys(self) -> str:
        """Count the staged rows without a key."""
        missing = " OR ".join(f"{column.staged} IS NULL" for column in self._columns.key)
        return f"SELECT count(*) FROM {self._stage} WHERE {missing}"

    def delete(self) -> str:
        """Delete the table's rows that the extract says are deleted, unless the table knows a newer state of them."""
        return f"DELETE FROM {self._target} WHERE {self._among_deleted()}"

    def mark_deleted(self) -> str:
        """Set ``IsDeleted`` in those rows instead."""
        deleted = self._columns.deleted
        name = self._name(deleted) if deleted is not None else ""
        return f"UPDATE {self._target} SET {name} = TRUE WHERE {self._among_deleted()}"

    def _among_deleted(self) -> str:
        key = self._columns.key
        names = ", ".join(self._name(column) for column in key)
        return (
            f"({names}) IN "
            f"(SELECT {', '.join(f's.{column.staged}' for column in key)} FROM {self._stage} AS s "
            f"JOIN {self._target} AS t ON {self._same_key()} WHERE {self._deleted('s')}{self._not_older('t', 's')})"
        )

    def insert(self, *, leave_out_deleted: bool) -> str:
        """Insert staged rows.

        :param leave_out_deleted: whether rows that were deleted in Salesforce stay out.
        """
        table = self._columns.table
        names = ", ".join(self._name(column) for column in table)
        values = ", ".join(f"s.{column.staged}" for column in table)
        return (
            f"INSERT INTO {self._target} AS t ({names}) SELECT {values} FROM {self._stage} AS s "
            f"WHERE {self._kept(leave_out_deleted)}"
        )

    def upsert(self, *, leave_out_deleted: bool) -> str:
        """Insert staged rows; update those whose key is there, which differ and are not older.

        :param leave_out_deleted: whether rows that were deleted in Salesforce stay out.
        """
        insert = self.insert(leave_out_deleted=leave_out_deleted)
        conflict = f"{insert} ON CONFLICT ({', '.join(self._name(column) for column in self._columns.key)})"
        others = [column for column in self._columns.table if column not in self._columns.key]
        if not others:
            return f"{conflict} DO NOTHING"
        names = [self._name(column) for column in others]
        changes = ", ".join(f"{name} = excluded.{name}" for name in names)
        differs = f"{_row('t', names)} {self._differs} {_row('excluded', names)}"
        newer = self._not_older("t", "excluded", staged=False)
        return f"{conflict} DO UPDATE SET {changes} WHERE {differs}{newer}"

    def update(self) -> str | None:
        """Change the rows whose key is staged and which differ; None where nothing but the key is staged."""
        others = [column for column in self._columns.table if column not in self._columns.key]
        if not others:
            return None
        changes = ", ".join(f"{self._name(column)} = s.{column.staged}" for column in others)
        before, after = [self._name(column) for column in others], [column.staged for column in others]
        return (
            f"UPDATE {self._target} AS t SET {changes} FROM {self._stage} AS s "
            f"WHERE {self._same_key()} AND {_row('t', before)} {self._differs} {_row('s', after)}"
        )

    def counts_before(self, *, leave_out_deleted: bool) -> str:
        """Count the staged rows that would be written, and those of them whose key is in the table.

        :param leave_out_deleted: whether rows that were deleted in Salesforce stay out.
        """
        key = self._name(self._columns.key[0])
        return (
            f"SELECT count(*), count(t.{key}) FROM {self._stage} AS s LEFT JOIN {self._target} AS t "
            f"ON {self._same_key()} WHERE {self._kept(leave_out_deleted)}"
        )

    def count_staged(self, *, leave_out_deleted: bool = False) -> str:
        """Count the staged rows.

        :param leave_out_deleted: whether rows that were deleted in Salesforce are left out.
        """
        return f"SELECT count(*) FROM {self._stage} AS s WHERE {self._kept(leave_out_deleted)}"

    def count_misfits(self, misfit: str, column: MergeColumn) -> str:
        """Count the rows whose value would change in its column, and name the first of their keys.

        :param misfit: the condition, of ``s``.
        :param column: the column.
        """
        shown = self._columns.key[0] if self._columns.key else column
        return (
            f"SELECT count(*), min(s.{shown.staged}) FROM {self._stage} AS s "
            f"WHERE s.{column.staged} IS NOT NULL AND ({misfit})"
        )

    def _name(self, column: MergeColumn) -> str:
        return self._quote(column.name or column.source)

    def _same_key(self) -> str:
        return " AND ".join(f"t.{self._name(column)} = s.{column.staged}" for column in self._columns.key)

    def _deleted(self, alias: str) -> str:
        deleted = self._columns.deleted
        return f"{alias}.{deleted.staged} IS TRUE" if deleted is not None else "1 = 0"

    def _kept(self, leave_out_deleted: bool) -> str:
        deleted = self._columns.deleted
        return f"s.{deleted.staged} IS NOT TRUE" if leave_out_deleted and deleted is not None else "1 = 1"

    def _not_older(self, table: str, other: str, *, staged: bool = True) -> str:
        """A condition that keeps a newer state of a row from an older one."""
        changed = self._columns.changed
        if changed is None:
            return ""
        old = f"{table}.{self._name(changed)}"
        new = f"{other}.{changed.staged if staged else self._name(changed)}"
        return f" AND ({old} IS NULL OR {new} IS NULL OR {old} <= {new})"


def _row(alias: str, names: Sequence[str]) -> str:
    values = ", ".join(f"{alias}.{name}" for name in names)
    return f"({values})" if len(names) > 1 else values
