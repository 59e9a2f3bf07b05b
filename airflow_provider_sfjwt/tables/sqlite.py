"""SQLite 3.24 and newer: decimals and moments are kept as text, exactly."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.tables.columns import MergeColumn
from airflow_provider_sfjwt.tables.database import Database, Target, staged_rows

if TYPE_CHECKING:
    import pyarrow as pa

_TEXT = ("text",)
#: The affinities that keep a kind of values as they are; numeric affinity leaves ISO dates as text.
#: https://www.sqlite.org/datatype3.html#determination_of_column_affinity
_ACCEPTED = {
    "text": _TEXT,
    "boolean": ("integer", "numeric"),
    "integer": ("integer", "numeric"),
    "decimal": _TEXT,
    "double": ("real", "numeric"),
    "date": ("text", "numeric"),
    "time": ("text", "numeric"),
    "timestamp": ("text", "numeric"),
}
#: Primary result codes. https://www.sqlite.org/rescode.html
_BUSY, _LOCKED, _READONLY, _IOERR, _FULL, _CANTOPEN = 5, 6, 8, 10, 13, 14
_PASSING = (_BUSY, _LOCKED, _IOERR, _FULL)
_RIGHTS = (_READONLY, _CANTOPEN)
#: The codes by their messages, for Python 3.10, which does not know an error's code.
_CODES = {"locked": _BUSY, "readonly": _READONLY, "unable to open": _CANTOPEN, "full": _FULL, "disk I/O": _IOERR}


class SQLite(Database):
    """A connection of Python's ``sqlite3``."""

    label = "SQLite"
    types = {  # noqa: RUF012  # a ClassVar of the base class
        "text": "TEXT",
        "boolean": "BOOLEAN",
        "integer": "INTEGER",
        "decimal": "TEXT",
        "double": "REAL",
        "date": "TEXT",
        "time": "TEXT",
        "timestamp": "TEXT",
    }
    now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
    moment = "TEXT"
    differs = "IS NOT"
    errors = (sqlite3.Error,)

    @classmethod
    def connect(cls, hook: Any, lock_timeout: float) -> SQLite:
        """Open the connection that Airflow's hook makes.

        :param hook: of a connection of the type ``sqlite``.
        :param lock_timeout: not needed to connect.
        """
        return cls(hook.get_conn())

    def begin(self, lock_timeout: float) -> None:
        self._connection.isolation_level = None  # transactions are begun here, not by Python
        self.run(f"PRAGMA busy_timeout = {max(round(lock_timeout * 1000), 1)}")
        self.run("BEGIN IMMEDIATE")

    def lock(self, target: Target) -> None:
        """BEGIN IMMEDIATE has locked the whole database."""

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(sql, tuple(parameters)))

    def write(self, sql: str) -> int:
        return int(self._connection.execute(sql).rowcount)

    def resolve(self, parts: tuple[str, ...]) -> Target:
        if len(parts) > 2:
            fault = f"'{'.'.join(parts)}' has more than a database and a name"
            raise ConfigurationError({"table": fault}, subject="the task")
        schema = parts[0] if len(parts) == 2 else "main"
        return Target((schema, parts[-1]), f"{self.quote(schema)}.{self.quote(parts[-1])}")

    def columns_of(self, target: Target) -> dict[str, str] | None:
        schema, name = target.parts
        found = self.run(
            f"SELECT type FROM {self.quote(schema)}.sqlite_master WHERE lower(name) = lower(?) "
            "AND type IN ('table', 'view')",
            (name,),
        )
        if not found:
            return None
        if found[0][0] != "table":
            raise ConfigurationError({"table": f"{target.name} is a view; name a table"}, subject="the task")
        rows = self.run(f"PRAGMA {self.quote(schema)}.table_info({self.quote(name)})")
        return {row[1]: row[2].lower() for row in rows}

    def has_unique_key(self, target: Target, columns: Sequence[str]) -> bool:
        schema, name = target.parts
        wanted = {column.lower() for column in columns}
        info = self.run(f"PRAGMA {self.quote(schema)}.table_info({self.quote(name)})")
        keys = [{row[1].lower() for row in info if row[5]}]
        for _, index, unique, _, partial in self.run(f"PRAGMA {self.quote(schema)}.index_list({self.quote(name)})"):
            if unique and not partial:
                entries = self.run(f"PRAGMA {self.quote(schema)}.index_info({self.quote(index)})")
                keys.append({str(entry[2]).lower() for entry in entries})
        return wanted in keys

    def accepts(self, kind: str, declared: str) -> bool:
        return _affinity(declared) in _ACCEPTED[kind]

    def stage(self, columns: Sequence[MergeColumn], tables: Iterable[pa.Table]) -> None:
        marks = ", ".join("?" for _ in columns)
        sql = f"INSERT INTO {self.stage_sql} VALUES ({marks})"
        for table in staged_rows(columns, tables):
            values = [_python_values(table.column(place), column.kind) for place, column in enumerate(columns)]
            self._connection.executemany(sql, zip(*values, strict=True))

    def passes(self, error: Exception) -> bool:
        return _code(error) in _PASSING

    def lacks_rights(self, error: Exception) -> bool:
        return _code(error) in _RIGHTS


def _code(error: Exception) -> int:
    """SQLite's primary result code, which Python knows from 3.11 on."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return int(code) & 0xFF
    return next((code for text, code in _CODES.items() if text in str(error)), 1)


def _affinity(declared: str) -> str:
    if "int" in declared:
        return "integer"
    if any(word in declared for word in ("char", "clob", "text")):
        return "text"
    if not declared or "blob" in declared:
        return "blob"
    return "real" if any(word in declared for word in ("real", "floa", "doub")) else "numeric"


def _python_values(values: pa.ChunkedArray, kind: str) -> list[Any]:
    import pyarrow as pa

    from airflow_provider_sfjwt.tables.values import moment_text, number_text

    if kind == "decimal":
        values = number_text(values)
    elif kind == "timestamp":
        values = moment_text(values)
    elif kind in ("date", "time"):
        values = values.cast(pa.string())
    listed: list[Any] = values.to_pylist()
    return listed
