"""Where the records live: one SQLite table per object."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow_provider_sfjwt.testing.data import delete_log
from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.record_ids import record_id
from airflow_provider_sfjwt.testing.data.schema import Schema, SObject
from airflow_provider_sfjwt.testing.data.sql_functions import add_functions
from airflow_provider_sfjwt.testing.data.values import Stored, moment_text, python_value, stored

_SQL_TYPES = {"boolean": "INTEGER", "int": "INTEGER", "long": "INTEGER", "id": "TEXT", "reference": "TEXT"}
# Numbers with decimal places are kept as their text, which comparisons cast.
_SQL_TYPES |= {"double": "TEXT", "currency": "TEXT", "percent": "TEXT", "anyType": "TEXT"}
_LAYOUT = 2
_CHUNK = 5000


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _column(field: Field) -> str:
    return f"{quoted(field.name)} {_SQL_TYPES.get(field.type, 'TEXT COLLATE NOCASE')}"


class Store:
    """The org's records. One connection, one lock: SQLite is quick enough, and nothing is ever half seen.

    :param schema: the objects; a table is made for each that has none.
    :param database: path of a file, or ``:memory:``.
    :raises ValueError: for a file that another version of the simulated org wrote.
    """

    def __init__(self, schema: Schema, database: str) -> None:
        self.schema = schema
        self.lock = threading.RLock()
        # What a job or a cursor still has to answer is kept in TEMP tables: SQLite spills those to disk.
        self._connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("PRAGMA case_sensitive_like = OFF")
        self._snapshots = 0
        self._check_layout(database)
        add_functions(self._connection)
        for table in delete_log.TABLES:
            self._connection.execute(table)
        for sobject in schema:
            if sobject.queryable:
                self.make_table(sobject)

    def _check_layout(self, database: str) -> None:
        """Refuse a file whose values are stored in another way."""
        layout = self._connection.execute("PRAGMA user_version").fetchone()[0]
        tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and layout != _LAYOUT:
            self._connection.close()
            raise ValueError(f"{database} was written by another version of the simulated org; use a new file")
        self._connection.execute(f"PRAGMA user_version = {_LAYOUT}")

    def close(self) -> None:
        """Close the database; one in memory is gone."""
        with self.lock:
            self._connection.close()

    def make_table(self, sobject: SObject) -> None:
        """Make the table of an object, or add the columns that an earlier one lacks."""
        columns = [_column(field) for field in sobject.columns]
        table = quoted(sobject.name)
        with self.lock:
            self._connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (row INTEGER PRIMARY KEY AUTOINCREMENT, {', '.join(columns)})"
            )
            present = {row[1] for row in self._connection.execute(f"PRAGMA table_info({table})")}
            for field, column in zip(sobject.columns, columns, strict=True):
                if field.name not in present:
                    self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
            self._connection.execute(
                f"CREATE UNIQUE INDEX IF NOT EXISTS {quoted(sobject.name + '.Id')} ON {table} ({quoted('Id')})"
            )
            for field in sobject.columns:
                if field.name != "Id" and (field.unique or field.is_id_lookup):
                    index = quoted(f"{sobject.name}.{field.name}")
                    self._connection.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {table} ({quoted(field.name)})")
                if field.type == "boolean":
                    # A checkbox is false in records that were there before it was.
                    column = quoted(field.name)
                    self._connection.execute(f"UPDATE {table} SET {column} = 0 WHERE {column} IS NULL")
            if {"IsDeleted", "SystemModstamp"} <= {field.name for field in sobject.columns}:
                for trigger in delete_log.triggers(table, sobject.name):
                    self._connection.execute(trigger)

    def drop_column(self, before: SObject, after: SObject) -> None:
        """Forget the values of the fields that an object no longer has."""
        names = {field.name for field in before.columns} - {field.name for field in after.columns}
        with self.lock:
            for name in names:
                self._connection.execute(f"DROP INDEX IF EXISTS {quoted(f'{before.name}.{name}')}")
                self._connection.execute(f"ALTER TABLE {quoted(before.name)} DROP COLUMN {quoted(name)}")

    def retype_column(self, before: SObject, after: SObject, field: Field) -> None:
        """Keep the values of a field that became another type; those that it cannot hold are null."""
        rows = {str(row["Id"]): row[field.name] for row in self.rows(before)}
        with self.transaction():
            self.drop_column(before, replace(before, fields=tuple(f for f in before.fields if f.name != field.name)))
            self.make_table(after)
            for record, value in rows.items():
                with suppress(ValueError):
                    kept = stored(field, value if field.type == "boolean" or value is None else str(value))
                    sql = f"UPDATE {quoted(after.name)} SET {quoted(field.name)} = ? WHERE Id = ?"
                    self._connection.execute(sql, (kept, record))

    def is_in_recycle_bin(self, sobject: SObject, record: str) -> bool:
        """Return whether a record is deleted and not yet gone.

        :param record: 18-character id.
        """
        return bool(self.select(f"SELECT 1 FROM {quoted(sobject.name)} WHERE Id = ? AND IsDeleted = 1", [record]))

    def deleted_between(self, sobject: SObject, start: datetime, end: datetime) -> list[tuple[str, str]]:
        """Return ids and times of the records that were deleted from a time on and before another."""
        return [
            (str(record), str(deleted))
            for record, deleted in self.select(delete_log.ENTRIES, [sobject.name, moment_text(start), moment_text(end)])
        ]

    def delete_log_start(self) -> datetime | None:
        """Return when the log of deleted records was last trimmed, or None."""
        found = self.select(delete_log.START)[0][0]
        return None if found is None else datetime.fromisoformat(str(found).replace("Z", "+00:00"))

    def trim_delete_log(self, now: datetime) -> None:
        """Forget the ids of all deleted records."""
        with self.transaction():
            self._connection.execute(delete_log.TRIM[0])
            self._connection.execute(delete_log.TRIM[1], (moment_text(now),))

    def count(self, sobject: SObject) -> int:
        """Return how many records an object has, deleted ones included."""
        return int(self.select(f"SELECT count(*) FROM {quoted(sobject.name)}")[0][0])

    def count_alive(self, sobject: SObject) -> int:
        """Return how many records of an object are not deleted."""
        return int(self.select(f"SELECT count(*) FROM {quoted(sobject.name)} WHERE IsDeleted = 0")[0][0])

    def next_number(self, sobject: SObject) -> int:
        """Return the number from which the id of the next record is made; none is ever used twice."""
        # sqlite_sequence remembers the numbers of records that were removed.
        found = self.select("SELECT seq FROM sqlite_sequence WHERE name = ?", [sobject.name])
        highest = self.select(f"SELECT coalesce(max(row), 0) FROM {quoted(sobject.name)}")
        return 1 + max(int(rows[0][0]) for rows in (found, highest) if rows)

    def load(self, sobject: SObject, columns: Sequence[str], rows: Iterable[Sequence[Stored]]) -> None:
        """Insert rows of stored values as they are, in one transaction."""
        names = ", ".join(map(quoted, columns))
        marks = ", ".join("?" * len(columns))
        with self.transaction():
            self._connection.executemany(f"INSERT INTO {quoted(sobject.name)} ({names}) VALUES ({marks})", rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let what is written inside become visible together, or not at all where it raises. It may be nested."""
        with self.lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def write(self, sql: str, parameters: Sequence[Stored]) -> None:
        """Run one statement that changes rows."""
        with self.lock:
            self._connection.execute(sql, parameters)

    def insert(self, sobject: SObject, rows: Iterable[Mapping[str, Any]], now: datetime, user_id: str) -> list[str]:
        """Insert records of Python values and return their ids; what the system keeps is filled in where absent.

        :raises ValueError: for a value or a field that the object cannot take.
        """
        stamp = moment_text(now)
        defaults: dict[str, Any] = {"CreatedById": user_id, "LastModifiedById": user_id, "OwnerId": user_id}
        with self.lock:
            number = self.next_number(sobject)
            made = []
            for offset, row in enumerate(rows):
                given = self._stored_row(sobject, row)
                touched = given.get("SystemModstamp") or stamp
                defaults |= {"SystemModstamp": touched, "CreatedDate": touched, "LastModifiedDate": touched}
                full: dict[str, Stored] = {f.name: 0 if f.type == "boolean" else None for f in sobject.columns}
                full |= {name: value for name, value in defaults.items() if name in full}
                full |= {name: value for name, value in given.items() if value is not None}
                full["Id"] = full["Id"] or record_id(sobject.key_prefix, number + offset)
                made.append(full)
            self.load(sobject, [f.name for f in sobject.columns], [tuple(full.values()) for full in made])
        return [str(full["Id"]) for full in made]

    def update(self, sobject: SObject, record: str, values: Mapping[str, Any], now: datetime) -> bool:
        """Change one record and stamp it; return whether there is such a record.

        :param record: 18-character id.
        :raises ValueError: for a value or a field that the object cannot take.
        """
        stamp = moment_text(now)
        return self._change(
            sobject, record, {"LastModifiedDate": stamp, "SystemModstamp": stamp} | self._stored_row(sobject, values)
        )

    def recalculate(self, sobject: SObject, record: str, values: Mapping[str, Any]) -> bool:
        """Change one record without a stamp; return whether there is such a record.

        :param record: 18-character id.
        :raises ValueError: for a value or a field that the object cannot take.
        """
        return self._change(sobject, record, self._stored_row(sobject, values))

    def _change(self, sobject: SObject, record: str, changed: Mapping[str, Stored]) -> bool:
        assignments = ", ".join(f"{quoted(name)} = ?" for name in changed)
        sql = f"UPDATE {quoted(sobject.name)} SET {assignments} WHERE {quoted('Id')} = ?"
        with self.lock:
            return self._connection.execute(sql, (*changed.values(), record)).rowcount > 0

    def remove(self, sobject: SObject, record: str) -> bool:
        """Delete one record for good, past the recycle bin; return whether there was such a record."""
        with self.lock:
            sql = f"DELETE FROM {quoted(sobject.name)} WHERE {quoted('Id')} = ?"
            return self._connection.execute(sql, (record,)).rowcount > 0

    def rows(self, sobject: SObject) -> list[dict[str, Any]]:
        """Return all records, deleted ones included, as Python values by field name, in the order of insertion."""
        fields = sobject.columns
        names = ", ".join(quoted(field.name) for field in fields)
        found = self.select(f"SELECT {names} FROM {quoted(sobject.name)} ORDER BY row")
        return [{f.name: python_value(f, v) for f, v in zip(fields, row, strict=True)} for row in found]

    def select(self, sql: str, parameters: Sequence[Stored] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self.lock:
            return self._connection.execute(sql, parameters).fetchall()

    def snapshot(self, sql: str, parameters: Sequence[Stored]) -> tuple[str, int]:
        """Keep the rows of a query as they are now; return the name to read them by and their number."""
        with self.lock:
            self._snapshots += 1
            name = f"snapshot_{self._snapshots}"
            self._connection.execute(f"CREATE TEMP TABLE {name} AS {sql}", parameters)
            return name, int(self._connection.execute(f"SELECT count(*) FROM temp.{name}").fetchone()[0])

    def snapshot_rows(self, name: str, start: int, stop: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows start..stop (from 0) of a snapshot in blocks; the lock is free between two of them."""
        while start < stop:
            end = min(start + _CHUNK, stop)
            yield self.select(f"SELECT * FROM temp.{name} WHERE rowid > ? AND rowid <= ? ORDER BY rowid", (start, end))
            start = end

    def drop_snapshot(self, name: str) -> None:
        """Forget a snapshot."""
        with self.lock:
            self._connection.execute(f"DROP TABLE IF EXISTS temp.{name}")

    @staticmethod
    def _stored_row(sobject: SObject, row: Mapping[str, Any]) -> dict[str, Stored]:
        given: dict[str, Stored] = {}
        for name, value in row.items():
            field = sobject.field(name)
            if field is None or field.is_compound:
                raise ValueError(f"{sobject.name} has no field {name!r} that takes a value")
            given[field.name] = stored(field, value)
        return given
