"""DuckDB: Arrow's tables are read in place, and the file is locked by the process that has it open."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.tables.columns import MergeColumn
from airflow_provider_sfjwt.tables.database import Database, KeptError, Target, staged_rows

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBERS = ("decimal", "double", "bigint", "integer", "smallint", "hugeint")
#: The declared types, without what is in parentheses, that can hold a kind of values.
_ACCEPTED = {
    "text": ("varchar",),
    "boolean": ("boolean",),
    "integer": _NUMBERS,
    "decimal": _NUMBERS,
    "double": ("double", "decimal"),
    "date": ("date",),
    "time": ("time",),
    "timestamp": ("timestamp with time zone", "timestamp", "timestamp_ms"),
}
#: Seconds between two attempts to open a file that another process has open.
_PAUSE = 0.2
_READER = "sfjwt_rows"


class DuckDB(Database):
    """A connection of the ``duckdb`` package."""

    label = "DuckDB"
    types = {  # noqa: RUF012  # a ClassVar of the base class
        "text": "VARCHAR",
        "boolean": "BOOLEAN",
        "integer": "BIGINT",
        "double": "DOUBLE",
        "date": "DATE",
        "time": "TIME",
        "timestamp": "TIMESTAMPTZ",
    }

    def __init__(self, connection: Any) -> None:
        import duckdb

        super().__init__(connection)
        self.errors = (duckdb.Error,)

    @classmethod
    def connect(cls, hook: Any, lock_timeout: float) -> DuckDB:
        """Open the connection that Airflow's hook makes, as soon as no other process has the file open.

        :param hook: of a connection of the type ``duckdb``.
        :param lock_timeout: seconds to wait for that.
        :raises SalesforceError: retryable, when another process keeps the file open.
        """
        import duckdb

        deadline = time.monotonic() + lock_timeout
        while True:
            try:
                return cls(hook.get_conn())
            except duckdb.IOException as error:
                if "lock" not in str(error):
                    raise
                if time.monotonic() + _PAUSE > deadline:
                    message = f"DuckDB's file stayed locked for {lock_timeout:g} s (lock_timeout): {error}"
                    raise SalesforceError(message, retryable=True) from error
            time.sleep(_PAUSE)

    def begin(self, lock_timeout: float) -> None:
        self.run("SET TimeZone = 'UTC'")
        self.run("BEGIN TRANSACTION")

    def lock(self, target: Target) -> None:
        """The process that has the file open has locked it."""

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        result = self._connection.execute(sql, list(parameters)) if parameters else self._connection.execute(sql)
        rows: list[tuple[Any, ...]] = result.fetchall() if result.description else []
        return rows

    def write(self, sql: str) -> int:
        ((written,),) = self.run(sql)
        return int(written)

    def resolve(self, parts: tuple[str, ...]) -> Target:
        if len(parts) > 3:
            fault = f"'{'.'.join(parts)}' has more than a database, a schema and a name"
            raise ConfigurationError({"table": fault}, subject="the task")
        ((database, schema),) = self.run("SELECT current_database(), current_schema()")
        resolved = ((database, schema)[: 3 - len(parts)] + parts)[-3:]
        return Target(resolved, ".".join(map(self.quote, resolved)))

    def columns_of(self, target: Target) -> dict[str, str] | None:
        rows = self.run(
            "SELECT c.column_name, c.data_type, t.table_type FROM information_schema.columns c JOIN "
            "information_schema.tables t USING (table_catalog, table_schema, table_name) WHERE lower(table_catalog) = "
            "lower(?) AND lower(table_schema) = lower(?) AND lower(table_name) = lower(?) ORDER BY c.ordinal_position",
            target.parts,
        )
        if rows and rows[0][2] != "BASE TABLE":
            raise ConfigurationError({"table": f"{target.name} is a view; name a table"}, subject="the task")
        return {name: declared.lower() for name, declared, _ in rows} or None

    def has_unique_key(self, target: Target, columns: Sequence[str]) -> bool:
        rows = self.run(
            "SELECT constraint_column_names FROM duckdb_constraints() "
            "WHERE constraint_type IN ('PRIMARY KEY', 'UNIQUE') AND lower(database_name) = lower(?) "
            "AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?)",
            target.parts,
        )
        wanted = {column.lower() for column in columns}
        return any({name.lower() for name in names} == wanted for (names,) in rows)

    def accepts(self, kind: str, declared: str) -> bool:
        return declared.split("(")[0] in _ACCEPTED[kind]

    def misfit(self, value: str, declared: str) -> str | None:
        if declared.split("(")[0] in ("decimal", "bigint", "integer", "smallint", "hugeint"):
            return f"TRY_CAST({value} AS {declared}) IS DISTINCT FROM {value}"
        return None

    def type_of(self, column: MergeColumn) -> str:
        if column.kind == "decimal":
            return column.arrow_type.replace("decimal128", "DECIMAL")
        return super().type_of(column)

    def stage(self, columns: Sequence[MergeColumn], tables: Iterable[pa.Table]) -> None:
        import pyarrow as pa

        from airflow_provider_sfjwt.files.values.from_text import arrow_type_of

        schema = pa.schema([pa.field(column.staged, arrow_type_of(column.arrow_type)) for column in columns])
        batches = KeptError(batch for table in staged_rows(columns, tables) for batch in table.to_batches())
        with batches.passed_on():
            self._connection.register(_READER, pa.RecordBatchReader.from_batches(schema, iter(batches)))
            try:
                self.run(f"INSERT INTO {self.stage_sql} SELECT * FROM {_READER}")
            finally:
                self._connection.unregister(_READER)

    def passes(self, error: Exception) -> bool:
        import duckdb

        return isinstance(error, duckdb.IOException | duckdb.TransactionException | duckdb.OutOfMemoryException)
